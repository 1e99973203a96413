/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.h - what the parts of `postrider spool` share
 *
 * spool.c checks and dumps, spool_content.c writes out one message, spool_repair.c builds a clean log from
 * what can be read. None of them touches a spool that a daemon has open. Layer: program. Tests:
 * tests/system/test_spool_command.py.
 */
#pragma once
#include "config/paths.h"
#include "mail/queue_id.h"
#include "spool/spool.h"

#define SPOOL_EXIT_DAMAGE                                                                                    \
	1 /* check: there is damage; repair: mail was lost. All other numbers are of sysexits */

struct spool_words {
	bool json, content;
	uint64_t id; /* 0: none given */
};

/* What is not normal after a crash. */
bool spool_problem_is_damage(const struct spool_problem *p);
/* Says on standard error why the spool could not be read; the exit status. */
int spool_fail(const char *dir, int error);

int spool_dump_content(const struct paths *paths, uint64_t id);
int spool_repair(const struct paths *paths, const struct spool_words *w);
