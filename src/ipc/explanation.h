/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explanation.h - where mail would go and why, as the daemon tells it: asked, gathered, put into words or
 * JSON
 *
 * For postrider explain, sendmail -bv and -bt. The daemon's steps come in the order of its work; here they
 * stand below what they are about. Its words may quote what senders and users wrote: no control character of
 * theirs gets out. Layer: ipc. Tests: test_explanation.c, tests/system/test_explain.py.
 */
#pragma once
#include "base/arena.h"
#include "ipc/client.h"

/* What would become of the mail at one of its ends. */
struct explanation_leaf {
	struct explanation_leaf *next;
	enum leaf_kind kind;
	struct slice address;
	struct slice target;	     /* mailbox or file, command line, next hop; empty: not shown */
	struct slice user;	     /* whose mailbox, or whose rights the command has */
	struct slice reverse_path;   /* who gets the bounces */
	struct slice status, reason; /* LEAF_FAIL, LEAF_DEFER */
};
struct explanation {
	struct arena arena;
	struct slice address;		 /* that was asked about */
	struct explanation_node **nodes; /* by number; NULL: none of that number has come */
	size_t n_nodes;
	struct explanation_leaf *first, **last; /* of all leaves */
	struct slice rcpt;			/* what RCPT would be answered */
	int exit_code; /* EX_OK; EX_NOUSER, EX_TEMPFAIL: (a part of) the mail would be returned, or wait */
	struct slice words; /* the daemon's last ones: why there is nothing, or that there is more */
};

void explanation_init(struct explanation *x, struct slice address);
void explanation_free(struct explanation *x);
/* One message of the daemon. False: it is the last one, and exit_code counts. */
bool explanation_take(struct explanation *x, enum msg_type type, const union msg_any *m);
/* Asks and takes all. login: who the asker is. 0, or negative errno of the conversation. */
MUST_USE int explanation_ask(struct explanation *x, struct client *c, struct slice address,
	struct slice reverse_path, const char *login);
/* In words, a line for each step. */
void explanation_format(const struct explanation *x, struct buf *out);
/* One object in one line, with its end. */
void explanation_format_json(const struct explanation *x, struct buf *out);
