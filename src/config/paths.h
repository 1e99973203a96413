/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths.h - where everything lies: the host's places, or one directory in sandbox mode
 *
 * Layer: config. Tests: test_config.c.
 */
#pragma once
#include "base/std.h"

struct paths {
	char sandbox[PATH_MAX / 2]; /* empty: system mode */
	char config_file[PATH_MAX];
	char mailname_file[PATH_MAX];
	char aliases_file[PATH_MAX];
	char users_file[PATH_MAX]; /* empty: NSS */
	char spool_dir[PATH_MAX];
	char drop_dir[PATH_MAX];
	char mail_dir[PATH_MAX];
	char run_dir[PATH_MAX];
	char control_socket[PATH_MAX];
	char pid_file[PATH_MAX];
	char state_dir[PATH_MAX]; /* the alias table where /etc cannot be written */
	char log_file[PATH_MAX];
};

/* sandbox: NULL or "" for the system's places. False when the directory's name is too long. */
MUST_USE bool paths_init(struct paths *p, const char *sandbox);
/* For commands: sandbox mode when the environment says POSTRIDER_SANDBOX=DIR, and never in a set-id program.
 */
MUST_USE bool paths_init_from_environment(struct paths *p);
