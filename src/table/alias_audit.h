/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_audit.h - what only the machine around the aliases files can tell: users, lists, modes, root's reader
 *
 * In two steps: the questions that alias_build() has are kept (alias_audit_ask), then all are answered at
 * once, when every file has its table. Asks the user database (NSS), which may be slow or hang: only in a
 * program, or in a short-lived process without rights. Only a definite "not found" is a problem; at the first
 * doubt it asks no more. Layer: table. Tests: test_alias_audit.c.
 */
#pragma once
#include "table/alias_build.h"

/* How much newaliases and the service ask, so that neither is slow with a million entries; `postrider aliases
 * check` asks everything. */
#define ALIAS_AUDIT_QUESTIONS 500
#define ALIAS_AUDIT_MS 1000 /* for all look-ups of users; the one that runs is not ended */

struct alias_audit {
	const struct config *config;
	struct alias_files *files; /* with their new tables */
	bool is_whole;		   /* these are the aliases of the host: somebody must read root's mail */
	uint64_t limit_ms;	   /* ALIAS_AUDIT_MS; 0: none */
	alias_report report;
	void *user;
	struct buf questions;
	const char *file; /* whose questions come now; stays the caller's */
};
#define ALIAS_AUDIT_QUESTIONS_MAX ((size_t)1 << 30) /* bytes; those beyond are not asked */
#define ALIAS_AUDIT_INIT ((struct alias_audit){ .questions = BUF_INIT(ALIAS_AUDIT_QUESTIONS_MAX) })
void alias_audit_deinit(struct alias_audit *a);
/* audit: struct alias_audit *, so that it is an alias_ask. */
void alias_audit_ask(const struct alias_question *question, void *audit);
/* Reports all that it finds, the modes of the files included. */
void alias_audit_run(struct alias_audit *a);
