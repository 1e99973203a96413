/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_build.h - the text of an aliases file to a compiled table, with everything that is wrong in it
 *
 * Parses, checks and writes to a descriptor that the caller gives; opens, renames and syncs nothing, and asks
 * the machine nothing: what it would have to ask it hands out as questions. A problem never disables the
 * entries that are right. Layer: table. Tests: test_alias_build.c,
 * fuzz/fuzz_alias_table.c.
 */
#pragma once
#include "table/alias_files.h"
#include "table/alias_problem.h"

/* What the text alone cannot answer; alias_audit.h asks the machine. */
enum alias_question_kind {
	ALIAS_ASK_USER = 1, /* a name of this host that is no alias: is it a user? Each name once */
	ALIAS_ASK_MAILBOX, /* a name that means the user, alias or not: \user, or one among its own recipients
			    */
	ALIAS_ASK_INCLUDE, /* a list: can it be used? */
};
struct alias_question {
	enum alias_question_kind kind;
	size_t line;
	struct slice key;  /* of the entry */
	struct slice text; /* the name, the path; neither has control characters */
};
/* The slices are gone when it returns. */
typedef void (*alias_ask)(const struct alias_question *question, void *user);

struct alias_build {
	struct slice text;	       /* the aliases file */
	struct alias_source_id source; /* its identity; the hash is filled in here */
	const struct config *config;   /* local domains and delimiter; NULL: localhost and "+" */
	/* The files that are asked before this one (struct alias_files); NULL: none. */
	struct alias_files *earlier;
	bool more_follow;     /* files: what must be somewhere may be in those */
	alias_report report;  /* may be NULL */
	alias_ask ask;	      /* may be NULL */
	size_t max_questions; /* of each kind */
	void *user;	      /* for both */
};
struct alias_summary {
	size_t n_entries;
	size_t n_skipped;  /* entries and lines that could not be used */
	size_t n_problems; /* all that were reported */
	size_t longest;	   /* bytes of the longest right-hand side */
	size_t total;	   /* bytes of all keys and right-hand sides */
};
/* How many loops are named; each is reported once, and a knot of lists has very many. */
#define ALIAS_LOOPS_REPORTED 100

/* fd: empty, readable and writable, at offset 0. Returns 0, or -ENODATA: there are entries but none can be
 * used (nothing was written), or another negative errno. *summary_out is filled in both cases. */
MUST_USE int alias_build(const struct alias_build *b, int fd, struct alias_summary *summary_out);
