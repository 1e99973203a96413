/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leash.h - no command outlives the process that answers for it
 *
 * A job whose errand is gone is given out again; a command of it that still ran would then run twice at a
 * time. So a second process, the keeper, is forked from the errand before its first command. It knows their
 * process groups, and when the errand ends, however that happens, it kills those that are left. It holds a
 * copy of the errand's channel: local sees that closed when the keeper has ended, too. Runs as the commands'
 * user; never logs. Layer: local. Tests: test_command.c.
 */
#pragma once
#include "base/std.h"
#include <sys/types.h>

#define LEASH_MAX 1000 /* commands at a time: the largest value of local.command_concurrency */

struct leash;

/* Forks the keeper; channel_fd stays the caller's. 0 or negative errno. The errand keeps it until it ends. */
MUST_USE int leash_new(int channel_fd, struct leash **leash_out);
/* A command's group, before the command does anything; false: there are too many. */
MUST_USE bool leash_add(struct leash *l, pid_t group);
/* Its leader has ended: what it left in the background is nobody's concern. */
void leash_remove(struct leash *l, pid_t group);
