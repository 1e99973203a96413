/* SPDX-License-Identifier: Apache-2.0 */
/*
 * users_role.c - the process of the users role: one question, one answer, blocking
 *
 * It runs foreign code (NSS modules), so it has no system call filter; it has a uid without rights, no
 * descriptor but its channels, and lookup as its only peer. When a module hangs, lookup has it replaced.
 * Tests: the answers in test_users.c; tests/system/test_roles.py.
 */
#include "ipc/role.h"
#include "route/route.h"
#include "route/user_answer.h"

static const struct jail users_jail = { .no_filter = true };

static void on_user_ask(struct channel *ch, const union msg_any *m, int *fd)
{
	struct userdb_user found;
	enum user_outcome outcome = user_answer(role_of(ch)->config->users_file, m->USER_ASK.name, &found);

	(void)fd;
	SEND(ch, USER_ANSWER, .request = m->USER_ASK.request, .outcome = (uint8_t)outcome,
		.name = outcome == USER_FOUND ? slice_of(found.name) : SLICE_EMPTY);
}

static const msg_handler handlers[MSG_TYPE_COUNT] = {
	[MSG_USER_ASK] = on_user_ask,
};

int users_main(int argc, char **argv)
{
	static const struct role_hooks hooks = {
		.role = ROLE_USERS,
		.handlers = handlers,
		.jail = &users_jail,
	};
	return role_main(&hooks, argc, argv);
}
