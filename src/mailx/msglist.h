/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msglist.h - which messages a command means: 3, 2-5, 7-$, *, $, ^, ., +, -, address, /text, :n :u :o :d :r …
 *
 * Numbers and ranges add up; addresses and /text choose among them (any of them is enough), and so do the
 * letters behind colons. Layer: mailx. Tests: test_msglist.c, fuzz/fuzz_mailx_command.c.
 */
#pragma once
#include "mailx/mailx.h"

enum msglist_status {
	MSGLIST_OK,
	MSGLIST_EMPTY,	 /* spec is blank: the command's default applies */
	MSGLIST_NONE,	 /* no message fits */
	MSGLIST_NUMBER,	 /* there is no message of that number */
	MSGLIST_DELETED, /* it is deleted (or not, for `undelete') */
	MSGLIST_SYNTAX,	 /* a range without end, an unknown letter behind a colon, an open quote */
};

enum msglist_want {
	MSGLIST_LIVE,	/* messages that are not deleted */
	MSGLIST_GONE,	/* deleted ones: `undelete' */
	MSGLIST_EITHER, /* `size', `=' */
};

struct msglist {
	size_t *at; /* indexes from 0, ascending; owned */
	size_t n;
};

/* *out is empty or freed before; MSGLIST_OK fills it with at least one. Otherwise *problem_out says what is
 * wrong. */
MUST_USE enum msglist_status msglist_parse(struct mailx *mx, struct slice spec, enum msglist_want want,
	struct msglist *out, struct buf *problem_out);
void msglist_free(struct msglist *l);
