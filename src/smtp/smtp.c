/* SPDX-License-Identifier: Apache-2.0 */
/* smtp.c - the role: what is opened before the jail, messages, reload and stop; see smtp.h */
#include "smtp/smtp.h"
#include "base/log.h"
#include "ipc/pending.h"
#include "ipc/role.h"
#include "smtp/dry_run.h"
#include "smtp/relay.h"

/* Below the 10 s after which the supervisor kills: who waits for a server's verdict that long has a duplicate
 * on its conscience, no loss. */
#define STOP_MS 8000

#define SOCKETS_MAX 100000 /* asked for at a time: the most that smtp.max_connections allows */

static struct relay relay; /* one per process */
static uv_timer_t stop_timer;

/* ---- the LMTP server's socket, which the supervisor opens ---- */

static struct pending sockets;
static int *arriving; /* the descriptor that came with the answer being handled */

static void on_socket_answered(void *owner, uint64_t number, const union msg_any *m)
{
	int error = m ? (int)m->SOCKET_ANSWER.error : ETIMEDOUT;

	(void)owner;
	if (error == 0 && *arriving < 0)
		error = EPROTO;
	relay_socket_came(&relay, number, error ? -error : take_fd(arriving));
}

static void on_socket_answer(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch;
	arriving = fd;
	(void)pending_answer(&sockets, m->SOCKET_ANSWER.request, m); /* too late: it is closed */
}

static void want_socket(struct relay *r, uint64_t number)
{
	const struct role_process *rp = r->user;
	uint64_t request = pending_add(&sockets, on_socket_answered, NULL, number, NULL);

	CHECK(request);
	SEND(rp->control, SOCKET_ASK, .request = request);
}

/* ---- what queue says ---- */

static void on_job_begin(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	relay_job_begin(&relay, ch, &m->JOB_BEGIN);
}

static void on_job_rcpt(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	relay_job_rcpt(&relay, &m->JOB_RCPT);
}

static void on_job_content(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	relay_job_content(&relay, &m->JOB_CONTENT);
}

static void on_job_cancel(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	relay_job_cancel(&relay, &m->JOB_CANCEL);
}

static void on_explain_hosts(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	dry_run_hosts(&relay, ch, &m->EXPLAIN_HOSTS);
}

static const msg_handler handlers[MSG_TYPE_COUNT] = {
	[MSG_JOB_BEGIN] = on_job_begin,
	[MSG_JOB_RCPT] = on_job_rcpt,
	[MSG_JOB_CONTENT] = on_job_content,
	[MSG_JOB_CANCEL] = on_job_cancel,
	[MSG_SOCKET_ANSWER] = on_socket_answer,
	[MSG_EXPLAIN_HOSTS] = on_explain_hosts,
};

/* ---- the role ---- */

static int before_jail(struct role_process *rp)
{
	struct dns *dns;
	int r = dns_open(rp->config->smtp_resolv_conf, rp->config->smtp_hosts_file, &dns);

	if (r < 0) {
		log_error("the DNS resolver cannot be set up with %s and %s", rp->config->smtp_resolv_conf,
			rp->config->smtp_hosts_file);
		return r;
	}
	relay_init(&relay, rp->loop, rp->config, dns);
	relay.user = rp;
	relay.want_socket = want_socket;
	pending_init(&sockets, rp->loop, SOCKETS_MAX, (unsigned)rp->config->smtp_connect_timeout * 1000);
	return 0;
}

static int after_jail(struct role_process *rp)
{
	return dns_start(relay.dns, rp->loop);
}

static void on_peer_gone(struct role_process *rp, struct channel *ch)
{
	(void)rp;
	if (ch->peer != ROLE_QUEUE)
		return;
	relay_drop_all(&relay);
	dry_run_drop_all();
}

static void on_reload(struct role_process *rp)
{
	relay_reload(&relay, rp->config);
}

static void on_stopped(struct relay *r)
{
	role_exit(r->user, 0);
}

static void on_stop_timer(uv_timer_t *timer)
{
	(void)timer;
	role_exit(relay.user, 0);
}

static void on_stop(struct role_process *rp)
{
	CHECK(uv_timer_init(rp->loop, &stop_timer) == 0);
	CHECK(uv_timer_start(&stop_timer, on_stop_timer, STOP_MS, 0) == 0);
	relay.on_stopped = on_stopped;
	relay_stop(&relay);
}

int smtp_main(int argc, char **argv)
{
	static const struct jail jail = { .empty_root = true, .may_connect = true };
	static const struct role_hooks hooks = {
		.role = ROLE_SMTP,
		.handlers = handlers,
		.jail = &jail,
		.before_jail = before_jail,
		.after_jail = after_jail,
		.on_peer_gone = on_peer_gone,
		.on_reload = on_reload,
		.on_stop = on_stop,
	};

	return role_main(&hooks, argc, argv);
}
