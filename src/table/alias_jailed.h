/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_jailed.h - alias_build() in a child process that has given up everything but the descriptor it writes
 *
 * Only for src/table. The child's words are checked like a stranger's: bounded, one line each. Layer: table.
 * Tests: test_alias_install.c.
 */
#pragma once
#include "ipc/jail.h"
#include "table/alias_build.h"

/* How many problems the child passes on; the summary counts all. */
#define ALIAS_JAILED_PROBLEMS 1000
/* Of each kind: a name or path with its key is at most two addresses or a path long. */
#define ALIAS_JAILED_QUESTIONS 500

/* As alias_build(); -ECHILD: the child died or spoke nonsense. */
MUST_USE int alias_build_jailed(const struct alias_build *b, const struct jail_request *jail, int fd,
	struct alias_summary *summary_out);
