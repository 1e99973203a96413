/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role_table.h - which roles there are, how many of each, who talks to whom, and in which order they stop
 *
 * Data only. Layer: supervisor. Tests: tests/system/test_roles.py.
 */
#pragma once
#include "config/config.h"
#include "ipc/message.h"

struct role_row {
	enum role role;
	int (*main)(int argc, char **argv);
	unsigned (*count)(const struct config *c);
	unsigned stop_stage; /* smaller stops first: sources of mail before the queue, the log last */
};
extern const struct role_row role_rows[];
extern const size_t n_role_rows;
#define ROLE_STOP_STAGES 5

/* Roles that have a channel to each other (every instance of one to every instance of the other). */
struct role_link {
	enum role a, b;
};
extern const struct role_link role_links[];
extern const size_t n_role_links;

const struct role_row *role_row_of(enum role role); /* NULL when the supervisor does not start that one */
