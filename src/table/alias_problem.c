/* SPDX-License-Identifier: Apache-2.0 */
/* alias_problem.c - see alias_problem.h */
#include "table/alias_problem.h"
#include "mail/header.h"

#define TEXT_MAX 1000

static const struct {
	enum alias_severity severity;
	const char *name;
} kinds[ALIAS_PROBLEM_COUNT] = {
	[ALIAS_PROBLEM_ENTRY] = { ALIAS_ERROR, "syntax" },
	[ALIAS_PROBLEM_DUPLICATE] = { ALIAS_WARNING, "duplicate" },
	[ALIAS_PROBLEM_ITEM] = { ALIAS_ERROR, "recipient" },
	[ALIAS_PROBLEM_NOTHING] = { ALIAS_ERROR, "no-recipient" },
	[ALIAS_PROBLEM_LOOP] = { ALIAS_ERROR, "loop" },
	[ALIAS_PROBLEM_DEPTH] = { ALIAS_ERROR, "depth" },
	[ALIAS_PROBLEM_INCLUDE] = { ALIAS_ERROR, "include" },
	[ALIAS_PROBLEM_NO_POSTMASTER] = { ALIAS_WARNING, "postmaster" },
	[ALIAS_PROBLEM_USER] = { ALIAS_WARNING, "unknown-user" },
	[ALIAS_PROBLEM_ROOT] = { ALIAS_WARNING, "root" },
	[ALIAS_PROBLEM_MODE] = { ALIAS_WARNING, "mode" },
	[ALIAS_PROBLEM_UNASKED] = { ALIAS_NOTE, "not-checked" },
};

enum alias_severity alias_problem_severity(enum alias_problem_kind kind)
{
	return kinds[kind].severity;
}

const char *alias_problem_name(enum alias_problem_kind kind)
{
	return kinds[kind].name;
}

const char *alias_severity_name(enum alias_severity severity)
{
	static const char *const names[] = {
		[ALIAS_NOTE] = "note", [ALIAS_WARNING] = "warning", [ALIAS_ERROR] = "error"
	};
	return names[severity];
}

void alias_problem_vtell(
	const struct alias_problem *problem, alias_report report, void *user, const char *fmt, va_list args)
{
	auto_buf struct buf masked = BUF_INIT(2 * TEXT_MAX);
	struct alias_problem told = *problem;
	char text[TEXT_MAX];
	int n = vsnprintf(text, sizeof(text), fmt, args); /* cut when too long: it is for reading */

	header_mask_text((struct slice){ text, MIN((size_t)MAX(n, 0), sizeof(text) - 1) }, &masked);
	told.text = buf_slice(&masked);
	if (report)
		report(&told, user);
}

void alias_problem_print(const struct alias_problem *p, FILE *to)
{
	enum alias_severity severity = kinds[p->kind].severity;

	(void)fputs(p->file, to);
	if (p->line)
		(void)fprintf(to, ":%zu", p->line);
	(void)fputs(": ", to);
	if (severity != ALIAS_ERROR)
		(void)fprintf(to, "%s: ", alias_severity_name(severity));
	(void)fprintf(to, "%.*s\n", SLICE_ARG(p->text));
}
