/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_findings.h - problems of aliases files, kept and told in the order of files and lines
 *
 * The checks find them in an order of their own. Layer: table. Tests: test_alias_audit.c.
 */
#pragma once
#include "base/buf.h"
#include "base/limits.h"
#include "table/alias_problem.h"

struct alias_findings {
	char *files[LIMIT_ALIAS_FILES];
	size_t n_files;
	struct buf list; /* struct finding each, see alias_findings.c */
	struct buf texts;
	size_t n[ALIAS_ERROR + 1]; /* by severity; also those that there was no room for */
};
#define ALIAS_FINDINGS_MAX ((size_t)64 * 1024 * 1024) /* bytes of texts: hundreds of thousands */
#define ALIAS_FINDINGS_INIT                                                                                  \
	((struct alias_findings){                                                                            \
		.list = BUF_INIT(ALIAS_FINDINGS_MAX), .texts = BUF_INIT(ALIAS_FINDINGS_MAX) })
void alias_findings_deinit(struct alias_findings *f);
/* The files in their order, before what is found in them; at most LIMIT_ALIAS_FILES. */
void alias_findings_file(struct alias_findings *f, const char *file);
/* findings: struct alias_findings *, so that it is an alias_report. */
void alias_findings_add(const struct alias_problem *problem, void *findings);
/* By file, then line, then as they were found. */
void alias_findings_sort(struct alias_findings *f);
size_t alias_findings_count(const struct alias_findings *f);
/* number: below the count. Its text and file look into f. */
struct alias_problem alias_findings_get(const struct alias_findings *f, size_t number);
/* All of them, as people read them; with_notes: also what only those want to know who ask. */
void alias_findings_print(const struct alias_findings *f, bool with_notes, FILE *to);
