/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_environment.h - the environment of a delivery command, and nothing but that
 *
 * The names are those of Postfix and of Exim, so that the filters written for either work. What a sender
 * wrote is reduced to harmless letters, since commands put it into shell lines. Layer: local. Tests:
 * test_errand.c.
 */
#pragma once
#include "base/arena.h"
#include "base/userdb.h"
#include "config/config.h"

struct command_mail {
	struct slice sender, forward_path, original, envid, content;
	uint64_t queue_id;
};

/* NULL-ended, in a; NULL: no memory. */
MUST_USE char **command_environment(struct arena *a, const struct config *c, const struct userdb_user *user,
	const struct command_mail *mail);
