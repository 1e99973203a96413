/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup_role.c - the process of the lookup role: its jail, its channels
 * Tests: tests/system/test_roles.py, tests/system/test_privileges.py.
 */
#include "route/lookup.h"
#include "route/route.h"

static const struct jail lookup_jail = { 0 }; /* reads the tables' directories; role.c names them */

static struct lookup lookup; /* one per process */

/* ---- to the helpers ---- */

static void ask_helper(void *user, unsigned helper, uint64_t request, struct slice name)
{
	struct role_process *rp = user;
	struct channel *ch = role_peer(rp, ROLE_USERS, helper);

	if (ch) /* else it is gone this moment, and on_peer_gone answers for it */
		SEND(ch, USER_ASK, .request = request, .name = name);
}

static void restart_helper(void *user, unsigned helper)
{
	struct role_process *rp = user;

	log_warning("users[%u] has not answered for %" PRIu64 " s and is replaced: a service in "
		    "/etc/nsswitch.conf hangs",
		helper, rp->config->users_timeout);
	SEND(rp->control, RESTART, .role = ROLE_USERS, .instance = (uint16_t)helper);
}

static const struct user_pool_hooks helper_hooks = { ask_helper, restart_helper };

/* ---- messages ---- */

static void on_rcpt_check(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	lookup_rcpt_check(&lookup, ch, &m->RCPT_CHECK);
}

static void on_route_ask(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	lookup_route_ask(&lookup, ch, &m->ROUTE_ASK);
}

static void on_user_answer(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	user_pool_answer(&lookup.users, ch->instance, m->USER_ANSWER.request, m);
}

static const msg_handler handlers[MSG_TYPE_COUNT] = {
	[MSG_RCPT_CHECK] = on_rcpt_check,
	[MSG_ROUTE_ASK] = on_route_ask,
	[MSG_USER_ANSWER] = on_user_answer,
};

/* ---- what runs when ---- */

static int lookup_before_jail(struct role_process *rp)
{
	if (!lookup_init(&lookup, rp->loop, rp->config, &helper_hooks, rp))
		return -ENAMETOOLONG;
	return 0;
}

static void lookup_on_peer(struct role_process *rp, struct channel *ch)
{
	(void)rp;
	if (ch->peer == ROLE_USERS)
		user_pool_helper_up(&lookup.users, ch->instance);
}

static void lookup_on_peer_gone(struct role_process *rp, struct channel *ch)
{
	(void)rp;
	if (ch->peer == ROLE_USERS)
		user_pool_helper_down(&lookup.users, ch->instance);
	else
		lookup_channel_gone(&lookup, ch);
}

static void lookup_on_drain(struct role_process *rp, struct channel *ch)
{
	(void)rp;
	lookup_channel_drained(&lookup, ch);
}

static void lookup_on_reload(struct role_process *rp)
{
	lookup_set_config(&lookup, rp->config);
}

int lookup_main(int argc, char **argv)
{
	static const struct role_hooks hooks = {
		.role = ROLE_LOOKUP,
		.handlers = handlers,
		.jail = &lookup_jail,
		.before_jail = lookup_before_jail,
		.on_peer = lookup_on_peer,
		.on_peer_gone = lookup_on_peer_gone,
		.on_drain = lookup_on_drain,
		.on_reload = lookup_on_reload,
	};
	return role_main(&hooks, argc, argv);
}
