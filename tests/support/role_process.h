/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role_process.h - a role in a process of its own, as the supervisor starts it; the test is its supervisor
 *
 * The process executes the test program again, so that nothing of the test is in its memory. Layer: tests.
 */
#pragma once
#include "ipc/channel.h"
#include "support/test.h"
#include <sys/types.h>

struct role_program {
	const char *name; /* of the process: "postriderd: local" */
	int (*main)(int argc, char **argv);
};

/* First in main(): the role's exit status when this process is to be the role, else -1. */
int role_process_main(const struct role_program *p, int argc, char **argv);
/* sandbox: its directory; empty: none. config: of role_process_config(). Both descriptors stay the caller's;
 * control is the role's end of its channel to the supervisor. */
pid_t role_process_start(const struct role_program *p, const char *sandbox, int control, int config);
/* A descriptor for that configuration; the caller's. */
int role_process_config(struct slice text);
/* Its exit status, or 256 + the signal. */
int role_process_wait(pid_t pid);

/* One turn of the test's loop, at most 20 ms. */
void role_process_turn(uv_loop_t *loop);
/* A scratch directory with all that is in it. */
void role_process_remove(const char *dir);
