/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - who handed a mail in, as the spool kept it; only the environment of commands tells it
 *
 * Layer: local. Tests: test_command_environment.c, test_command.c.
 */
#pragma once
#include "base/arena.h"
#include "ipc/message.h"

struct client {
	struct slice address, name, helo; /* of an SMTP client; else empty */
	struct slice protocol;		  /* "ESMTP", "local", ... */
	struct slice login;		  /* that it authenticated as, or "uid 1000" */
};

/* Copies into a; false: no memory. */
MUST_USE static inline bool client_copy(struct arena *a, const struct msg_JOB_BEGIN *m, struct client *out)
{
	return arena_copy(a, m->client_address, &out->address) && arena_copy(a, m->client_name, &out->name) &&
		arena_copy(a, m->helo, &out->helo) && arena_copy(a, m->protocol, &out->protocol) &&
		arena_copy(a, m->login, &out->login);
}
