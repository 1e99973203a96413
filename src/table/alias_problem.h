/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_problem.h - what can be wrong with aliases files, how bad it is, and the words for it
 *
 * Each problem is told once, in one line that says what to do. Layer: table. Tests: test_alias_build.c,
 * test_alias_audit.c.
 */
#pragma once
#include "base/slice.h"

enum alias_problem_kind {
	ALIAS_PROBLEM_ENTRY = 1,     /* a line or entry that cannot be used and was skipped */
	ALIAS_PROBLEM_DUPLICATE,     /* a key a second time: the first one counts */
	ALIAS_PROBLEM_ITEM,	     /* an item that cannot be used; the others of its entry can */
	ALIAS_PROBLEM_NOTHING,	     /* an entry without any usable item */
	ALIAS_PROBLEM_LOOP,	     /* names that lead back to each other: mail to them is returned */
	ALIAS_PROBLEM_DEPTH,	     /* more than LIMIT_ALIAS_DEPTH aliases lead to each other */
	ALIAS_PROBLEM_INCLUDE,	     /* an :include: file that is not there or unsafe: mail waits */
	ALIAS_PROBLEM_NO_POSTMASTER, /* the files as a whole */
	ALIAS_PROBLEM_USER,	     /* a name that is neither an alias nor a user */
	ALIAS_PROBLEM_ROOT,	     /* nobody reads the mail for root */
	ALIAS_PROBLEM_MODE,	     /* others can write the file, or put another in its place */
	ALIAS_PROBLEM_UNASKED,	     /* what could not be looked at */
	ALIAS_PROBLEM_COUNT
};
/* An error: something is not used, or mail to it does not arrive. A warning: surely not meant. A note is for
 * those who ask. */
enum alias_severity { ALIAS_NOTE = 1, ALIAS_WARNING, ALIAS_ERROR };

struct alias_problem {
	enum alias_problem_kind kind;
	const char *file;  /* the source's name; NULL: the one that is being built */
	size_t line;	   /* 0: the file as a whole */
	struct slice text; /* what is wrong and what to do; one line without control characters */
};
/* The text is gone when it returns. */
typedef void (*alias_report)(const struct alias_problem *problem, void *user);

enum alias_severity alias_problem_severity(enum alias_problem_kind kind);
/* One word for programs, such as "loop". */
const char *alias_problem_name(enum alias_problem_kind kind);
const char *alias_severity_name(enum alias_severity severity);
/* Reports it with that text; problem has all the rest. report may be NULL. */
void alias_problem_vtell(const struct alias_problem *problem, alias_report report, void *user,
	const char *fmt, va_list args) PRINTF_LIKE(4, 0);
/* As a person reads it: "FILE:LINE: warning: TEXT", where an error has no such word. */
void alias_problem_print(const struct alias_problem *problem, FILE *to);
