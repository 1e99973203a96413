/* SPDX-License-Identifier: Apache-2.0 */
/* smtpd.c - the role's hooks: who calls the server when; see smtpd.h */
#include "smtpd/smtpd.h"
#include "smtpd/server.h"
#include <sys/resource.h>

/* A descriptor per session: as many as the hard limit gives. */
static int before_jail(struct role_process *rp)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (limit.rlim_cur < rp->config->smtpd_max_sessions)
		log_warning("only %" PRIu64 " descriptors are allowed, less than smtpd.max_sessions",
			(uint64_t)limit.rlim_cur);
	return 0;
}

static int after_jail(struct role_process *rp)
{
	rp->state = server_new(rp);
	return 0;
}

/* Listeners wait until mail can be served: the first client after a start would be told 451 otherwise. Who
 * connects meanwhile waits in the kernel's backlog. When queue or lookup die later, sessions go on and say
 * so. */
#define LISTENERS_MAX 64
static struct {
	struct {
		char address[128];
		int fd;
	} waiting[LISTENERS_MAX];
	size_t n_waiting;
	bool has_ids, is_serving;
} door;

static void serve_if_ready(struct role_process *rp)
{
	if (door.is_serving || !door.has_ids || !role_peer(rp, ROLE_LOOKUP, 0))
		return;
	door.is_serving = true;
	for (size_t i = 0; i < door.n_waiting; i++)
		server_listen(rp->state, slice_of(door.waiting[i].address), &door.waiting[i].fd);
}

static void on_peer(struct role_process *rp, struct channel *ch)
{
	server_peer_came(rp->state, ch->peer);
	serve_if_ready(rp);
}

static void on_peer_gone(struct role_process *rp, struct channel *ch)
{
	server_peer_gone(rp->state, ch->peer);
}

static void on_drain(struct role_process *rp, struct channel *ch)
{
	if (ch->peer == ROLE_QUEUE)
		server_queue_drained(rp->state);
}

static void on_listener(struct role_process *rp, struct slice address, int *fd)
{
	if (door.is_serving) {
		server_listen(rp->state, address, fd);
	} else if (door.n_waiting < LISTENERS_MAX) {
		(void)snprintf(door.waiting[door.n_waiting].address, sizeof(door.waiting[0].address), "%.*s",
			SLICE_ARG(address)); /* only for messages */
		door.waiting[door.n_waiting++].fd = take_fd(fd);
	}
}

static void on_reload(struct role_process *rp)
{
	server_reload(rp->state);
}

static void on_stop(struct role_process *rp)
{
	server_stop(rp->state);
}

static void on_lease(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	server_take_lease(role_of(ch)->state, &m->ID_LEASE);
	door.has_ids = true;
	serve_if_ready(role_of(ch));
}

static void on_verdict(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	server_take_verdict(role_of(ch)->state, m);
}

static void on_result(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	server_take_result(role_of(ch)->state, &m->MAIL_RESULT);
}

static const msg_handler handlers[MSG_TYPE_COUNT] = {
	[MSG_ID_LEASE] = on_lease,
	[MSG_RCPT_VERDICT] = on_verdict,
	[MSG_MAIL_RESULT] = on_result,
};

static const struct jail jail = { .empty_root = true };

static const struct role_hooks hooks = {
	.role = ROLE_SMTPD,
	.handlers = handlers,
	.jail = &jail,
	.before_jail = before_jail,
	.after_jail = after_jail,
	.on_peer = on_peer,
	.on_peer_gone = on_peer_gone,
	.on_drain = on_drain,
	.on_listener = on_listener,
	.on_reload = on_reload,
	.on_stop = on_stop,
};

int smtpd_main(int argc, char **argv)
{
	return role_main(&hooks, argc, argv);
}
