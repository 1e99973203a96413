/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.c - the control socket: who connects, what they may ask, when they go; see control-private.h
 *
 * Whoever connects is known by the real uid that the kernel vouches for. Everyone may submit, list, and ask
 * for another attempt; root (and in sandbox mode the one user) may act on any mail.
 * Tests: test_life.c, tests/system/test_control_socket.py, tests/system/test_queue_commands.py.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "queue/control-private.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sysexits.h>

#define CLIENTS_MAX 1000
#define CLIENTS_PER_UID 100 /* root is exempt: one user cannot keep out the others */
#define CALLS_PER_UID                                                                                        \
	200 /* with those that have not said HELLO yet; above the former, so that it is told why */
#define GREETING_MS 10000 /* to say HELLO */
#define IDLE_MS 600000	  /* between two messages; sendmail never pauses that long */
#define SWEEP_MS 5000
#define UID_UNMAPPED 65534 /* what the kernel reports for users of other namespaces */

static struct {
	int fd;
	uv_poll_t poll;
	size_t n_clients;
	struct list clients;
} control = { .fd = -1, .clients = { &control.clients, &control.clients } };

static size_t clients_of(uid_t uid)
{
	size_t n = 0;

	list_for_each (node, &control.clients) {
		n += CONTAINER_OF(node, struct client_state, in_clients)->ch->peer_uid == uid;
	}
	return n;
}

static size_t calls_of(uid_t uid)
{
	size_t n = 0;

	list_for_each (node, &control.clients) {
		n += CONTAINER_OF(node, struct client_state, in_clients)->caller == uid;
	}
	return n;
}

void client_reply(struct channel *ch, uint64_t request, int exit_code, const char *text)
{
	SEND(ch, REQUEST_DONE, .request = request, .exit_code = (uint16_t)exit_code, .text = slice_of(text));
}

/* ---- greeting ---- */

static void on_hello(struct channel *ch, const union msg_any *m, int *fd)
{
	struct client_state *c = client_of(ch);

	(void)m, (void)fd;
	if (c->is_greeted || ch->peer_uid == (uid_t)-1)
		return;
	if (ch->peer_uid == UID_UNMAPPED && !queue.rp->config->security_accept_unmapped) {
		client_reply(ch, 0, EX_NOPERM,
			"uid 65534 (nobody, or a user of another namespace) is not served; see "
			"security.accept_unmapped");
		return;
	}
	if (!control_is_administrator(ch->peer_uid) && clients_of(ch->peer_uid) > CLIENTS_PER_UID) {
		client_reply(ch, 0, EX_TEMPFAIL, "too many connections of this user");
		return;
	}
	/* Another protocol is told ours, and goes away by itself with a message for its user. */
	SEND(ch, WELCOME, .protocol = msg_protocol_hash(),
		.host = slice_of(queue.rp->config->main_host_name));
	c->is_greeted = true;
	c->is_administrator = control_is_administrator(ch->peer_uid) || control_in_admin_group(ch->fd);
	intake_peer(ch);
}

/* ---- submission ---- */

bool client_speaks(struct channel *ch)
{
	if (client_of(ch)->is_greeted)
		client_of(ch)->active_ms = clock_mono_ms();
	return client_of(ch)->is_greeted;
}

static void on_mail_begin(struct channel *ch, const union msg_any *m, int *fd)
{
	if (!client_speaks(ch))
		return;
	if (!control_may_submit(ch->peer_uid)) {
		SEND(ch, MAIL_RESULT, .mail = m->MAIL_BEGIN.mail, .code = 452, .status = SLICE("4.3.2"),
			.text = SLICE("Too many messages in a minute (queue.max_per_uid)"));
		return;
	}
	intake_begin(ch, m, fd);
}

static void on_mail_rcpt(struct channel *ch, const union msg_any *m, int *fd)
{
	if (client_speaks(ch))
		intake_rcpt(ch, m, fd);
}

static void on_mail_content(struct channel *ch, const union msg_any *m, int *fd)
{
	if (client_speaks(ch))
		intake_content(ch, m, fd);
}

static void on_mail_end(struct channel *ch, const union msg_any *m, int *fd)
{
	if (client_speaks(ch))
		intake_end(ch, m, fd);
}

static void on_mail_abort(struct channel *ch, const union msg_any *m, int *fd)
{
	if (client_speaks(ch))
		intake_abort(ch, m, fd);
}

/* ---- status ---- */

static void on_status(struct channel *ch, const union msg_any *m, int *fd)
{
	auto_buf struct buf text = BUF_INIT(512 * 1024);
	struct spool_statistics s;

	(void)fd;
	if (!client_speaks(ch))
		return;
	if (queue.is_stopping) {
		client_reply(ch, m->STATUS_ASK.request, EX_TEMPFAIL, "the daemon is stopping");
		return;
	}
	spool_statistics(queue.spool, &s);
	buf_printf(&text,
		"queue: %" PRIu64 " messages, %zu deliveries under way%s\n"
		"since the start: %" PRIu64 " accepted, %" PRIu64 " delivered, %" PRIu64
		" deferrals, %" PRIu64 " bounced\n"
		"spool: %" PRIu64 " segments of %" PRIu64 " bytes in all, %" PRIu64 " records in %" PRIu64
		" syncs, %" PRIu64 " bytes cached%s\n",
		queue.n_messages, scheduler_jobs(),
		queue.rp->config->queue_paused ? ", paused (queue.paused)" : "", queue.n_accepted,
		queue.n_delivered, queue.n_deferred, queue.n_bounced, s.n_segments, s.log_bytes, s.n_records,
		s.n_batches, s.cached_bytes, spool_is_full(queue.spool) ? "; FULL: new mail is refused" : "");
	buf_append(&text, buf_slice(&queue.spool_damage));
	destinations_describe(&text);
	buf_append(&text, buf_slice(&queue.system_state));
	SEND(ch, REQUEST_DONE, .request = m->STATUS_ASK.request, .exit_code = EX_OK,
		.text = buf_slice(&text));
}

static void on_setting(struct channel *ch, const union msg_any *m, int *fd)
{
	const struct setting *s = setting_named(m->SETTING_ASK.name);

	(void)fd;
	if (!client_speaks(ch))
		return;
	if (!s) {
		client_reply(ch, m->SETTING_ASK.request, EX_DATAERR, "no such setting");
		return;
	}
	auto_free char *value = setting_value_text(queue.rp->config, s);
	client_reply(ch, m->SETTING_ASK.request, EX_OK, value);
}

/* ---- connections ---- */

static const msg_handler client_handlers[MSG_TYPE_COUNT] = {
	[MSG_HELLO] = on_hello,
	[MSG_MAIL_BEGIN] = on_mail_begin,
	[MSG_MAIL_RCPT] = on_mail_rcpt,
	[MSG_MAIL_CONTENT] = on_mail_content,
	[MSG_MAIL_END] = on_mail_end,
	[MSG_MAIL_ABORT] = on_mail_abort,
	[MSG_QUEUE_LIST] = listing_ask,
	[MSG_QUEUE_ACT] = acts_ask,
	[MSG_QUEUE_READ] = content_ask,
	[MSG_TRACE_ASK] = history_ask,
	[MSG_EXPLAIN_ASK] = explain_ask,
	[MSG_SETTING_ASK] = on_setting,
	[MSG_STATUS_ASK] = on_status,
};

static void on_client_closed(struct channel *ch, const char *why)
{
	struct client_state *c = client_of(ch);

	if (strcmp(why, "closed") != 0)
		log_warning("control socket: uid %u: %s", (unsigned)ch->peer_uid, why);
	intake_peer_gone(ch);
	acts_client_gone(c);
	history_client_gone(c);
	explain_client_gone(c);
	list_remove(&c->in_clients);
	control.n_clients--;
	channel_free(&c->ch);
	mem_free(c);
}

static const struct channel_hooks client_hooks = { client_handlers, NULL, on_client_closed };

/* Root gets in also when others have filled the room. */
static bool has_room_for(uid_t caller)
{
	return control_is_administrator(caller) ||
		(control.n_clients < CLIENTS_MAX && calls_of(caller) < CALLS_PER_UID);
}

static bool may_call(int fd, uid_t *caller_out)
{
	static const int one = 1;
	struct ucred caller;
	socklen_t size = sizeof(caller);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &caller, &size) < 0 || !has_room_for(caller.uid) ||
		setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0)
		return false;
	*caller_out = caller.uid;
	return true;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct client_state *c;
	uid_t caller;
	int fd;

	(void)poll, (void)events;
	if (status < 0)
		return;
	fd = accept4(control.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return; /* it went away, or descriptors are short: the next event tries again */
	if (!may_call(fd, &caller)) {
		(void)close(fd);
		return;
	}
	c = mem_new(sizeof(*c));
	c->caller = caller;
	c->active_ms = clock_mono_ms();
	c->ch = channel_new(queue.rp->loop, fd, ROLE_QUEUE, ROLE_CLIENT, 0, &client_hooks, c);
	if (!c->ch) {
		mem_free(c);
		return;
	}
	list_push_back(&control.clients, &c->in_clients);
	control.n_clients++;
}

static bool is_owed_answer(const struct client_state *c)
{
	return c->walk || c->question || c->explanation || c->n_acts || intake_is_committing(c->ch);
}

/* Those that say nothing make room for others; one that is owed an answer is not silent. */
static void on_sweep(uv_timer_t *timer)
{
	uint64_t now = clock_mono_ms();

	(void)timer;
	list_for_each_safe (node, &control.clients) {
		struct client_state *c = CONTAINER_OF(node, struct client_state, in_clients);
		if (!is_owed_answer(c) && now - c->active_ms > (c->is_greeted ? IDLE_MS : GREETING_MS))
			on_client_closed(c->ch, "closed");
	}
}

/* Who calls between the two waits in the listener's backlog. */
void control_start(void)
{
	static uv_timer_t sweep;

	if (control.fd < 0 || queue.reserved_number == 0 || !queue.is_loaded)
		return;
	CHECK(uv_poll_init(queue.rp->loop, &control.poll, control.fd) == 0);
	CHECK(uv_poll_start(&control.poll, UV_READABLE, on_connection) == 0);
	CHECK(uv_timer_init(queue.rp->loop, &sweep) == 0);
	CHECK(uv_timer_start(&sweep, on_sweep, SWEEP_MS, SWEEP_MS) == 0);
}

void control_listen(int fd)
{
	static const int one = 1;

	if (control.fd >= 0) {
		(void)close(fd); /* the supervisor gives it once per process */
		return;
	}
	/* On the listener, so that credentials of what arrives before accept are kept too. */
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	control.fd = fd;
	control_start();
}
