/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h - one delivery command: started, fed with the mail, watched, ended when its time is over
 *
 * Runs in an errand's process (errand.h), which is the user already and outside of the sandbox: the command
 * may do whatever its user may, setgid programs included. It gets descriptors 0, 1 and 2 only, a process
 * group of its own and an environment that is given. A line without shell characters that begins with a path
 * is executed as it stands; any other goes to /bin/sh. Never blocks, never logs. Layer: local. Tests:
 * test_command.c.
 */
#pragma once
#include "local/command_result.h"
#include "local/leash.h"
#include <uv.h>

struct command_start {
	const char *line;
	const char *directory; /* to run in; "/" where that cannot be entered */
	char *const *environment;
	struct slice input; /* stays the caller's, until done */
	uint64_t timeout_s;
	struct leash *leash; /* what ends the command when this process dies */
};

struct command;
/* Ends in done, once, never inside this call; the command is gone afterwards. end's output is valid in the
 * call. */
typedef void (*command_done)(void *user, const struct command_end *end);
void command_run(uv_loop_t *loop, const struct command_start *start, command_done done, void *user);

/* Whether line can be executed without a shell; its words are separated by single NULs in words_out then (as
 * long as line, ended by two NULs). */
MUST_USE bool command_is_plain(const char *line, char *words_out);
