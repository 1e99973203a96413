/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h - runs other programs: sendmail, editors, pagers, shell commands
 *
 * A shell is used only for what the user wrote as a shell command; nothing from a message ever is one. Layer:
 * mailx. Tests: tests/system/test_mail_compose.py.
 */
#pragma once
#include "base/buf.h"
#include <sys/types.h>

struct child {
	const char *const *argv; /* NULL at its end; argv[0] without / is looked up in PATH */
	int in, out;		 /* become its standard input and output; -1: ours */
};

/* Both return 0 or negative errno when it could not be started. */
MUST_USE int child_start(const struct child *c, pid_t *pid_out);
/* Waits for it; *status_out is its exit status, 128 + signal when one ended it. */
MUST_USE int child_run(const struct child *c, int *status_out);
int child_wait(pid_t pid);

/* An anonymous file with that content, positioned at its start; negative errno. */
MUST_USE int child_input(struct slice content);
/* command by the shell; input and output as in child_start. */
MUST_USE int child_shell(const char *shell, const char *command, int in, int out, int *status_out);
/* command by the shell reads input, and what it writes is appended to *output. */
MUST_USE int child_filter(
	const char *shell, const char *command, struct slice input, struct buf *output, int *status_out);
