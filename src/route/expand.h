/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand.h - one recipient to the places where its mail goes: aliases, lists, owners, loops; pure
 *
 * In three steps, because only the last answer is far away: expand_start() follows the aliases, which are in
 * memory; each leaf that looks like a user is a question (expand_next_question, expand_answer); then
 * expand_finish() and, when outcome is JOB_DELIVERED, the leaves. Knows no channel, no file and no clock.
 * Everything handed out lives until expand_deinit(). Layer: role (lookup). Tests: test_expand.c,
 * fuzz/fuzz_expand.c.
 */
#pragma once
#include "base/arena.h"
#include "base/table.h"
#include "ipc/message.h"
#include "route/rules.h"

struct expand_leaf {
	struct expand_leaf *next;
	uint32_t number; /* from 1, in the order in which they were found */
	struct table_node by_target;
	struct slice target; /* what makes it a duplicate of another */
	enum leaf_kind kind;
	uint8_t flags;	   /* enum rcpt_flags */
	bool is_recipient; /* the recipient itself, not a product of an alias */
	bool is_dropped;   /* a duplicate */
	struct slice address, destination, owner, origin, status, reason;
};
/* Where something is written; file NULL: nowhere. */
struct expand_place {
	const char *file;
	size_t line;
};
/* One decision, as it is made. */
struct expand_step {
	enum explain_kind kind;
	uint32_t leaf,
		begins; /* the number of the leaf it is about, 0: all; that of one that begins here, or 0 */
	unsigned depth; /* of what stands below what */
	struct slice text; /* words for a person; of any bytes */
	struct expand_place place;
};
/* Of a dry run: whoever wants to hear them. */
struct expand_listener {
	void (*hear)(void *user, const struct expand_step *step);
	void *user;
	size_t max_leaves;			       /* the walk ends with so many */
	bool (*may_see)(void *user, const char *file); /* what an aliases file says */
	const char *database;			       /* of users, for the words */
};
struct expand_seen;
struct expand {
	const struct route_rules *rules;	/* during expand_start only */
	const struct expand_listener *listener; /* NULL: nobody; to be set before expand_start */
	struct arena arena;
	struct expand_leaf *first, *last, *next_question;
	size_t n_leaves;
	bool is_cut; /* there are more than the listener wanted */
	struct table targets, seen;
	struct slice trail;
	/* JOB_DELIVERED: the leaves are the answer. JOB_DEFERRED, JOB_FAILED: no leaves count. */
	enum job_outcome outcome;
	struct slice status, reason;
};

void expand_init(struct expand *e);
void expand_deinit(struct expand *e);
/* address: with or without domain; flags: enum rcpt_flags; trail: see mail/trail.h. */
void expand_start(struct expand *e, const struct route_rules *rules, struct slice address, unsigned flags,
	struct slice trail);
/* The next leaf whose destination is a user name to be asked for; NULL: no more questions. */
struct expand_leaf *expand_next_question(struct expand *e);
/* name: as the database has it, for USER_FOUND. */
void expand_answer(struct expand *e, struct expand_leaf *leaf, enum user_outcome outcome, struct slice name);
/* All answers are in. */
void expand_finish(struct expand *e);
/* The leaves that count: from NULL to the first, then on; NULL at the end. */
const struct expand_leaf *expand_next_leaf(const struct expand *e, const struct expand_leaf *after);
