/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_result.h - what the end of a delivery command means: delivered, returned or tried again
 *
 * The meanings of sysexits(3) as Postfix has them, but for EX_CANTCREAT, EX_IOERR and commands that cannot be
 * started: those can be repaired, so the mail waits. Pure. Layer: local. Tests: test_command_result.c.
 */
#pragma once
#include "ipc/message.h"

struct command_end {
	int exit_status;     /* -1: it did not exit */
	int signal;	     /* that ended it; 0: none */
	bool is_timed_out;   /* and was killed by us */
	int start_error;     /* negative errno: it could not be started */
	struct slice output; /* its first bytes on standard output and error */
};

struct command_result {
	enum job_outcome outcome;
	char status[16];
	char reason[1000]; /* names the command, the cause, and the first of its output */
};

/* command: as it is written, for the reason. */
void command_result(const struct command_end *end, struct slice command, struct command_result *out);
