/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup.h - the steps of postrider setup: each makes one kind of thing as it must be, and says what it
 * changed
 *
 * A step that finds everything in place changes nothing, so setup may be run again at any time. A step that
 * cannot go on says why, with what to do, and returns false. Never touches mail: neither queue nor mailboxes.
 * Layer: program. Tests: tests/system/test_system_setup.py.
 */
#pragma once
#include "config/config.h"

struct setup {
	const struct paths *paths;
	const struct config *config;
	bool replace;	 /* another mail system's commands may be put aside */
	bool replaced;	 /* and were, in this run */
	char other[128]; /* the package they belong to */
	unsigned n_changes;
};

/* Tells one change and counts it. */
void setup_changed(struct setup *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Runs a tool that must succeed; when it does not, its words are told and the result is false. */
MUST_USE bool setup_tool(const char *const words[]);

MUST_USE bool setup_accounts(struct setup *s);	  /* users and groups of [security] */
MUST_USE bool setup_directories(struct setup *s); /* spool, drop, run */
MUST_USE bool setup_configuration(struct setup *s);
MUST_USE bool setup_log_file(struct setup *s);
MUST_USE bool setup_drop_program(struct setup *s); /* setgid */
MUST_USE bool setup_aliases_file(struct setup *s);
MUST_USE bool setup_alias_table(struct setup *s);

/* False while a program of ours is missing, or another mail system has the commands' places and replace is
 * not set. Changes nothing. */
MUST_USE bool setup_commands_free(struct setup *s);
MUST_USE bool setup_commands(struct setup *s);
MUST_USE bool setup_commands_undo(struct setup *s);
