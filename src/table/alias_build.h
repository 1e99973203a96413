/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_build.h - the text of an aliases file to a compiled table, with everything that is wrong in it
 *
 * Parses, checks and writes to a descriptor that the caller gives; opens, renames and syncs nothing. A
 * problem never disables the entries that are right. Layer: table. Tests: test_alias_build.c,
 * fuzz/fuzz_alias_table.c.
 */
#pragma once
#include "config/config.h"
#include "table/alias_table.h"

enum alias_problem_kind {
	ALIAS_PROBLEM_ENTRY = 1,     /* a line or entry that cannot be used and was skipped */
	ALIAS_PROBLEM_DUPLICATE,     /* a key a second time: the first one counts */
	ALIAS_PROBLEM_ITEM,	     /* an item that cannot be used; the others of its entry can */
	ALIAS_PROBLEM_NOTHING,	     /* an entry without any usable item */
	ALIAS_PROBLEM_LOOP,	     /* names that lead back to each other: mail to them is returned */
	ALIAS_PROBLEM_DEPTH,	     /* more than LIMIT_ALIAS_DEPTH aliases lead to each other */
	ALIAS_PROBLEM_INCLUDE,	     /* an :include: file that cannot be read */
	ALIAS_PROBLEM_NO_POSTMASTER, /* the file as a whole */
};
struct alias_problem {
	enum alias_problem_kind kind;
	size_t line;	   /* 0: the file as a whole */
	struct slice text; /* what is wrong and what to do; one line without control characters */
};
typedef void (*alias_report)(const struct alias_problem *problem, void *user);

struct alias_build {
	struct slice text;	       /* the aliases file */
	struct alias_source_id source; /* its identity; the hash is filled in here */
	const struct config *config;   /* local domains and delimiter; NULL: localhost and "+" */
	bool check_includes;	       /* look whether :include: files can be read */
	alias_report report;
	void *user;
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
