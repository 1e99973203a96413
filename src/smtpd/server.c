/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.c - see server.h
 *
 * What sessions want to say is gathered during a turn of the loop and written by the prepare handle, just
 * before the loop sleeps: replies to pipelined commands leave in one call however many events made them. A
 * reply that the kernel does not take at once becomes a flight, and its session does nothing more until it is
 * gone. An idle connection owns no buffer: all read into one that belongs to the loop.
 */
#include "smtpd/server.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define READ_BYTES (64 * 1024)
#define BACKLOG 4096 /* the kernel lowers it to what it allows */
#define VERDICT_CREDITS 20000
#define VERDICT_EXTRA_MS 25000 /* beyond the user database's own time-out */
#define STOP_MS 5000	       /* for mails under way; the supervisor waits 10 s */

struct flight {
	uv_write_t request;
	struct connection *connection;
	struct buf bytes;
};

struct connection {
	uv_tcp_t tcp;
	struct session session;
	struct server *server;
	struct client_sessions *share; /* NULL for trusted clients */
	struct list in_all, in_news, in_starved;
	struct list asked;     /* verdicts */
	struct flight *flight; /* NULL: all was written */
	bool is_reading, is_away /* turned away */, is_shut, is_ended;
};

struct listener {
	uv_tcp_t tcp;
	struct list in_all;
	struct server *server;
};

struct server {
	struct role_process *rp;
	struct session_world world;
	struct clients clients;
	struct id_pool ids;
	struct pending verdicts;
	struct list listeners, connections, news, starved;
	size_t n_connections;
	bool has_queue, has_lookup;
	uv_prepare_t prepare;
	uv_timer_t deadline_timer, stop_timer;
	uint64_t deadline_ms; /* the timer is set for it; UINT64_MAX: it is not set */
	char read_bytes[READ_BYTES];
};

static struct connection *connection_of(struct session *s)
{
	return CONTAINER_OF(s, struct connection, session);
}

static void server_look_at_clock(struct server *sv)
{
	sv->world.now_ms = uv_now(sv->rp->loop);
}

/* ---- what sessions ask for ---- */

static void on_verdict(void *owner, uint64_t argument, const union msg_any *m)
{
	(void)argument;
	session_verdict(owner, m ? &m->RCPT_VERDICT : NULL);
}

static bool ask_verdict(struct session *s, struct session_rcpt *r)
{
	struct connection *c = connection_of(s);
	struct server *sv = c->server;
	uint64_t request;

	if (!sv->has_lookup)
		return false;
	request = pending_add(&sv->verdicts, on_verdict, r, 0, &c->asked);
	if (request == 0)
		return false;
	SEND(role_peer(sv->rp, ROLE_LOOKUP, 0), RCPT_CHECK, .request = request,
		.reverse_path = s->mail->reverse_path, .forward_path = r->forward_path,
		.may_relay = s->is_trusted);
	return true;
}

static void forget_verdicts(struct session *s)
{
	struct connection *c = connection_of(s);

	pending_cancel_all(&c->server->verdicts, &c->asked);
}

static void ask_lease(struct server *sv)
{
	if (sv->has_queue && id_pool_wants(&sv->ids, sv->world.now_ms))
		SEND(role_peer(sv->rp, ROLE_QUEUE, 0), ID_LEASE_ASK, .unused = 0);
}

static uint64_t take_queue_id(struct session *s)
{
	struct server *sv = connection_of(s)->server;
	uint64_t id = id_pool_take(&sv->ids);

	ask_lease(sv);
	return id;
}

static bool tell_queue(struct session *s, enum msg_type type, const void *m)
{
	struct server *sv = connection_of(s)->server;

	if (!sv->has_queue)
		return false;
	channel_send(role_peer(sv->rp, ROLE_QUEUE, 0), type, m);
	return true;
}

static bool queue_is_full(struct session *s)
{
	struct server *sv = connection_of(s)->server;

	return sv->has_queue && channel_congested(role_peer(sv->rp, ROLE_QUEUE, 0));
}

static void has_news(struct session *s)
{
	struct connection *c = connection_of(s);

	if (!list_linked(&c->in_news))
		list_push_back(&c->server->news, &c->in_news);
}

static const struct session_hooks session_hooks = {
	.ask_verdict = ask_verdict,
	.forget_verdicts = forget_verdicts,
	.take_queue_id = take_queue_id,
	.tell_queue = tell_queue,
	.queue_is_full = queue_is_full,
	.has_news = has_news,
};

/* ---- the end of a connection ---- */

static void on_closed(uv_handle_t *handle)
{
	struct connection *c = CONTAINER_OF(handle, struct connection, tcp);
	struct server *sv = c->server;

	mem_free(c);
	sv->n_connections--;
	if (sv->world.is_stopping && sv->n_connections == 0)
		role_exit(sv->rp, 0);
}

static void connection_end(struct connection *c)
{
	if (c->is_ended)
		return;
	c->is_ended = true;
	session_deinit(&c->session);
	clients_leave(&c->server->clients, &c->share);
	list_remove(&c->in_all);
	list_remove(&c->in_news);
	list_remove(&c->in_starved);
	uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct connection *c = CONTAINER_OF(handle, struct connection, tcp);

	(void)suggested;
	*buf = uv_buf_init(c->server->read_bytes, sizeof(c->server->read_bytes));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

/* Reads exactly while the session has room for more. */
static void connection_watch(struct connection *c)
{
	bool wants = !c->session.is_eof && !session_has_enough(&c->session);

	if (c->session.is_starved && !list_linked(&c->in_starved))
		list_push_back(&c->server->starved, &c->in_starved);
	if (wants == c->is_reading)
		return;
	c->is_reading = wants;
	if (!wants)
		(void)uv_read_stop((uv_stream_t *)&c->tcp); /* cannot fail */
	else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) < 0)
		session_broken(&c->session);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct connection *c = CONTAINER_OF(stream, struct connection, tcp);

	server_look_at_clock(c->server);
	if (n > 0)
		session_input(&c->session, (struct slice){ buf->base, (size_t)n });
	else if (n == UV_EOF)
		session_eof(&c->session);
	else if (n < 0)
		session_broken(&c->session);
	connection_watch(c);
}

/* ---- writing ---- */

static void on_written(uv_write_t *request, int status)
{
	struct flight *f = CONTAINER_OF(request, struct flight, request);
	struct connection *c = f->connection;

	buf_free(&f->bytes);
	mem_free(f);
	c->flight = NULL;
	if (c->is_ended)
		return;
	server_look_at_clock(c->server);
	c->session.is_clogged = false;
	if (status < 0)
		session_broken(&c->session);
	has_news(&c->session); /* what was held up goes on at the end of this turn */
}

/* The kernel took only some of it: the rest waits for the client. */
static void connection_take_off(struct connection *c)
{
	struct flight *f = mem_new(sizeof(*f));
	uv_buf_t bytes;

	f->connection = c;
	f->bytes = buf_take(&c->session.out);
	bytes = uv_buf_init(f->bytes.at, (unsigned)f->bytes.len);
	c->flight = f;
	c->session.is_clogged = true;
	if (uv_write(&f->request, (uv_stream_t *)&c->tcp, &bytes, 1, on_written) == 0)
		return;
	c->flight = NULL;
	buf_free(&f->bytes);
	mem_free(f);
	session_broken(&c->session);
}

static void connection_write(struct connection *c)
{
	struct buf *out = &c->session.out;
	uv_buf_t bytes = uv_buf_init(out->at, (unsigned)out->len);
	int n;

	if (c->flight || out->len == 0)
		return;
	n = uv_try_write((uv_stream_t *)&c->tcp, &bytes, 1);
	if (n < 0 && n != UV_EAGAIN) {
		session_broken(&c->session);
		return;
	}
	if (n == (int)out->len) {
		buf_free(out);
		return;
	}
	buf_drop_front(out, n > 0 ? (size_t)n : 0);
	connection_take_off(c);
}

/* The last reply is out. The end of our side is said before the socket is closed: closing with unread input
 * would make the kernel reset the connection, and the client might never see why. */
static void connection_shut(struct connection *c)
{
	uv_os_fd_t fd;

	if (c->is_away || c->session.last_verb == SMTP_VERB_QUIT) {
		connection_end(c);
	} else if (!c->is_shut && uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0) {
		c->is_shut = true;
		(void)shutdown(fd, SHUT_WR); /* it may be gone already */
	}
}

static void connection_tell(struct connection *c)
{
	struct session *s = &c->session;

	connection_write(c); /* also when the session is over: what was said before may still be read */
	if (s->in.len && !c->flight)
		session_proceed(s); /* it may have stopped because much was unsent */
	if (s->state == SESSION_STATE_CLOSED)
		connection_end(c);
	else if (s->state == SESSION_STATE_CLOSING && !c->flight && s->out.len == 0)
		connection_shut(c);
	if (!c->is_ended)
		connection_watch(c);
}

/* ---- each turn of the loop ---- */

static void on_deadline(uv_timer_t *timer)
{
	struct server *sv = CONTAINER_OF(timer, struct server, deadline_timer);
	struct deadline *node;

	server_look_at_clock(sv);
	sv->deadline_ms = UINT64_MAX;
	while ((node = deadlines_next_expired(&sv->world.deadlines, sv->world.now_ms)))
		session_expired(CONTAINER_OF(node, struct session, deadline));
}

static void server_watch_deadlines(struct server *sv)
{
	uint64_t next = deadlines_next_ms(&sv->world.deadlines);

	if (next >= sv->deadline_ms) /* it fires early rather than late, and is set anew then */
		return;
	server_look_at_clock(sv);
	sv->deadline_ms = next;
	CHECK(uv_timer_start(&sv->deadline_timer, on_deadline,
		      next > sv->world.now_ms ? next - sv->world.now_ms : 0, 0) == 0);
}

/* Everything sessions have to say to clients and roles leaves here. */
static void on_prepare(uv_prepare_t *handle)
{
	struct server *sv = CONTAINER_OF(handle, struct server, prepare);
	struct connection *c;

	server_look_at_clock(sv);
	while ((c = list_first(&sv->news, struct connection, in_news))) {
		list_remove(&c->in_news);
		connection_tell(c);
		if (list_empty(&sv->news))
			channel_flush_dirty(sv->rp->loop); /* which may end a channel, and make news */
	}
	server_watch_deadlines(sv);
}

/* ---- connections ---- */

static bool peer_address(const uv_tcp_t *tcp, struct client_address *out)
{
	struct sockaddr_storage from;
	int size = sizeof(from);

	return uv_tcp_getpeername(tcp, (struct sockaddr *)&from, &size) == 0 &&
		client_address_of((const struct sockaddr *)&from, out);
}

static bool has_spoken(const struct connection *c)
{
	uv_os_fd_t fd;
	char byte;

	return uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0 &&
		recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void connection_admit(struct connection *c)
{
	struct server *sv = c->server;
	const struct config *config = sv->rp->config;
	const struct session *s = &c->session;

	if (sv->n_connections > config->smtpd_max_sessions) {
		c->is_away = true;
		session_turn_away(&c->session, TURN_AWAY_TOO_MANY);
		return;
	}
	if (!s->is_trusted) {
		c->share = clients_enter(&sv->clients, &s->address, config->smtpd_max_sessions_per_client);
		if (!c->share) {
			c->is_away = true;
			session_turn_away(&c->session, TURN_AWAY_TOO_MANY_OF_CLIENT);
			return;
		}
	}
	session_greet(&c->session, has_spoken(c));
	connection_watch(c);
}

static void on_unaccepted(uv_handle_t *handle)
{
	struct connection *c = CONTAINER_OF(handle, struct connection, tcp);

	mem_free(c);
}

static void on_connection(uv_stream_t *stream, int status)
{
	struct listener *l = CONTAINER_OF(stream, struct listener, tcp);
	struct server *sv = l->server;
	struct client_address client;
	struct connection *c;

	if (status < 0) {
		log_warning("cannot accept a connection: %s", uv_strerror(status));
		return;
	}
	c = mem_new(sizeof(*c));
	c->server = sv;
	CHECK(uv_tcp_init(sv->rp->loop, &c->tcp) == 0);
	if (uv_accept(stream, (uv_stream_t *)&c->tcp) < 0 || !peer_address(&c->tcp, &client)) {
		uv_close((uv_handle_t *)&c->tcp, on_unaccepted); /* it has left already */
		return;
	}
	list_init(&c->in_news);
	list_init(&c->in_starved);
	list_init(&c->asked);
	list_push_back(&sv->connections, &c->in_all);
	sv->n_connections++;
	server_look_at_clock(sv);
	session_init(&c->session, &sv->world, &client);
	connection_admit(c);
}

static void on_listener_closed(uv_handle_t *handle)
{
	mem_free(CONTAINER_OF(handle, struct listener, tcp));
}

void server_listen(struct server *sv, struct slice address, int *fd)
{
	struct listener *l = mem_new(sizeof(*l));
	int on = 1, r;

	l->server = sv;
	list_push_back(&sv->listeners, &l->in_all);
	/* Connections inherit it: replies are whole flights, waiting for more would only delay them. */
	(void)setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	CHECK(uv_tcp_init(sv->rp->loop, &l->tcp) == 0);
	r = uv_tcp_open(&l->tcp, *fd);
	if (r == 0)
		(void)take_fd(fd); /* the handle has it now */
	if (r == 0)
		r = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
	if (r == 0)
		return;
	log_error("cannot listen on %.*s: %s", SLICE_ARG(address), uv_strerror(r));
	list_remove(&l->in_all);
	uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
}

/* ---- messages and peers ---- */

void server_take_lease(struct server *sv, const struct msg_ID_LEASE *m)
{
	server_look_at_clock(sv);
	if (!id_pool_add(&sv->ids, m->first, m->count))
		log_warning("queue gave a lease of no use: %" PRIu64 " + %" PRIu32, m->first, m->count);
	ask_lease(sv);
}

void server_take_verdict(struct server *sv, const union msg_any *m)
{
	server_look_at_clock(sv);
	(void)pending_answer(
		&sv->verdicts, m->RCPT_VERDICT.request, m); /* nobody waits: the client has left */
}

void server_take_result(struct server *sv, const struct msg_MAIL_RESULT *m)
{
	server_look_at_clock(sv);
	session_result(&sv->world, m);
}

void server_queue_drained(struct server *sv)
{
	struct list waiting;

	server_look_at_clock(sv);
	/* Those that queue is soon too full for again come back to the list: this round is only for these. */
	list_init(&waiting);
	while (!list_empty(&sv->starved)) {
		struct list *node = sv->starved.next;
		list_remove(node);
		list_push_back(&waiting, node);
	}
	while (!list_empty(&waiting)) {
		struct connection *c = list_first(&waiting, struct connection, in_starved);
		list_remove(&c->in_starved);
		session_proceed(&c->session);
		connection_watch(c);
	}
}

void server_peer_came(struct server *sv, enum role peer)
{
	server_look_at_clock(sv);
	if (peer == ROLE_LOOKUP)
		sv->has_lookup = true;
	if (peer != ROLE_QUEUE)
		return;
	sv->has_queue = true;
	ask_lease(sv);
}

void server_peer_gone(struct server *sv, enum role peer)
{
	server_look_at_clock(sv);
	if (peer == ROLE_LOOKUP) {
		sv->has_lookup = false;
		pending_fail_all(&sv->verdicts);
	}
	if (peer != ROLE_QUEUE)
		return;
	sv->has_queue = false;
	id_pool_clear(&sv->ids);
	session_queue_gone(&sv->world);
	server_queue_drained(sv); /* what waited for it goes on, and is told */
}

/* ---- life ---- */

void server_reload(struct server *sv)
{
	session_world_configure(&sv->world, sv->rp->config);
}

static void on_stop_timer(uv_timer_t *timer)
{
	struct server *sv = CONTAINER_OF(timer, struct server, stop_timer);

	role_exit(sv->rp, 0);
}

void server_stop(struct server *sv)
{
	server_look_at_clock(sv);
	sv->world.is_stopping = true;
	while (!list_empty(&sv->listeners)) {
		struct listener *l = list_first(&sv->listeners, struct listener, in_all);
		list_remove(&l->in_all);
		uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
	}
	list_for_each (node, &sv->connections)
		session_stop(&CONTAINER_OF(node, struct connection, in_all)->session);
	if (sv->n_connections == 0)
		role_exit(sv->rp, 0);
	CHECK(uv_timer_start(&sv->stop_timer, on_stop_timer, STOP_MS, 0) == 0);
}

struct server *server_new(struct role_process *rp)
{
	struct server *sv = mem_new(sizeof(*sv));

	sv->rp = rp;
	sv->deadline_ms = UINT64_MAX;
	list_init(&sv->listeners);
	list_init(&sv->connections);
	list_init(&sv->news);
	list_init(&sv->starved);
	session_world_init(&sv->world, &session_hooks, rp->config);
	pending_init(&sv->verdicts, rp->loop, VERDICT_CREDITS,
		(unsigned)(rp->config->users_timeout * 1000 + VERDICT_EXTRA_MS));
	CHECK(uv_timer_init(rp->loop, &sv->deadline_timer) == 0);
	CHECK(uv_timer_init(rp->loop, &sv->stop_timer) == 0);
	CHECK(uv_prepare_init(rp->loop, &sv->prepare) == 0);
	CHECK(uv_prepare_start(&sv->prepare, on_prepare) == 0);
	return sv;
}
