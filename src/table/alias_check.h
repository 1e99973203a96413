/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_check.h - what is wrong in an aliases file as a whole: items, loops, what is missing
 *
 * Only for src/table. Layer: table. Tests: test_alias_build.c.
 */
#pragma once
#include "table/alias_build.h"
#include "table/alias_index.h"

struct alias_checker {
	const struct alias_build *build;
	struct alias_summary *summary;
	struct alias_index *index;
	struct alias_index asked[ALIAS_ASK_MAILBOX + 1]; /* names, by kind of question */
	size_t n_asked[ALIAS_ASK_INCLUDE + 1];
};
/* About a line of the file that is being built; 0: about all of it. */
void alias_problem_report(struct alias_checker *c, enum alias_problem_kind kind, size_t line, const char *fmt,
	...) PRINTF_LIKE(4, 5);
/* Every item of every entry, then the ways between them, then what must be there. False: no memory. */
MUST_USE bool alias_check(struct alias_checker *c);
/* Loops and depth; edges: numbers of entries, see struct alias_entry. */
MUST_USE bool alias_check_loops(struct alias_checker *c, const uint32_t *edges);
