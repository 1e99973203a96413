/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.c - a non-blocking socket under uv_poll
 *
 * A write that fails does not end the connection at once: the peer's last words (a 421, the reason for a
 * refusal) may still stand in the receive buffer, and are worth more than "Broken pipe". So output is thrown
 * away from then on and reading goes on to its end.
 */
#include "net/connection.h"
#include <netinet/tcp.h>

#define READ_BYTES 4096 /* replies are short */

struct connection {
	uv_poll_t poll;
	uv_timer_t timer;
	int fd;
	int n_handles; /* not yet closed */
	int error;     /* of opening, to be told in the next turn */
	bool is_open, has_poll, is_closing, is_ended, owes_drain, output_failed;
	int events;
	const struct connection_hooks *hooks;
	void *user;
	struct buf in, out;
	size_t out_done; /* bytes of out already sent */
};

void *connection_user(const struct connection *c)
{
	return c->user;
}

struct buf *connection_out(struct connection *c)
{
	return &c->out;
}

size_t connection_unsent(const struct connection *c)
{
	return c->out.len - c->out_done;
}

bool connection_congested(const struct connection *c)
{
	return connection_unsent(c) > CONNECTION_OUT_HIGH;
}

/* ---- ending ---- */

static void connection_free_when_last(struct connection *c)
{
	if (--c->n_handles > 0)
		return;
	cleanup_close(&c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	mem_free(c);
}

static void on_poll_closed(uv_handle_t *handle)
{
	connection_free_when_last(CONTAINER_OF((uv_poll_t *)handle, struct connection, poll));
}

static void on_timer_closed(uv_handle_t *handle)
{
	connection_free_when_last(CONTAINER_OF((uv_timer_t *)handle, struct connection, timer));
}

void connection_close(struct connection **cp)
{
	struct connection *c = take_ptr(cp);

	if (!c)
		return;
	c->is_closing = true;
	if (c->has_poll)
		uv_close((uv_handle_t *)&c->poll, on_poll_closed);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

/* The owner closes from the hook, or later; nothing more is told until then. A deadline ends nothing by
 * itself: the owner may have something to say yet. */
static void connection_end(struct connection *c, enum connection_end end, const char *why)
{
	if (c->is_closing)
		return;
	c->is_ended = end != CONNECTION_TIMED_OUT;
	if (c->has_poll && c->is_ended)
		uv_poll_stop(&c->poll);
	(void)uv_timer_stop(&c->timer);
	c->hooks->on_end(c, c->is_open ? end : CONNECTION_FAILED, why);
}

static void on_deadline(uv_timer_t *timer)
{
	struct connection *c = CONTAINER_OF(timer, struct connection, timer);

	connection_end(c, CONNECTION_TIMED_OUT, c->error ? strerror(c->error) : strerror(ETIMEDOUT));
}

void connection_deadline(struct connection *c, uint64_t seconds)
{
	if (c->error)
		return; /* the failure is about to be told */
	if (seconds == 0)
		(void)uv_timer_stop(&c->timer);
	else
		CHECK(uv_timer_start(&c->timer, on_deadline, seconds * 1000, 0) == 0);
}

/* ---- the loop's side ---- */

static void on_poll(uv_poll_t *handle, int status, int events);

static void connection_watch(struct connection *c)
{
	int events = UV_READABLE | (!c->is_open || connection_unsent(c) ? UV_WRITABLE : 0);

	if (c->is_closing || c->is_ended || events == c->events)
		return;
	c->events = events;
	CHECK(uv_poll_start(&c->poll, events, on_poll) == 0);
}

static void connection_opened(struct connection *c)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error) {
		connection_end(c, CONNECTION_FAILED, strerror(error));
		return;
	}
	c->is_open = true;
	(void)uv_timer_stop(&c->timer);
	c->hooks->on_open(c);
	connection_watch(c);
}

/* True when something was read. */
static bool connection_receive(struct connection *c)
{
	char *room = buf_reserve(&c->in, READ_BYTES);
	struct slice rest;
	ssize_t n;

	if (!room) {
		connection_end(c, CONNECTION_LOST, "the peer's reply is too long");
		return false;
	}
	do
		n = recv(c->fd, room, READ_BYTES, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n <= 0) {
		connection_end(c, CONNECTION_LOST, n == 0 ? "closed by the peer" : strerror(errno));
		return false;
	}
	buf_grew(&c->in, (size_t)n);
	rest = buf_slice(&c->in);
	c->hooks->on_bytes(c, &rest);
	buf_drop_front(&c->in, c->in.len - rest.len);
	return true;
}

/* The socket is broken; what came before that still counts. */
static void connection_broken(struct connection *c, const char *why)
{
	while (!c->is_closing && !c->is_ended && connection_receive(c))
		;
	if (!c->is_ended)
		connection_end(c, CONNECTION_LOST, why);
}

static void connection_drained(struct connection *c)
{
	c->owes_drain = false;
	c->hooks->on_drain(c);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct connection *c = CONTAINER_OF(handle, struct connection, poll);

	if (status < 0 && c->is_open) {
		connection_broken(c, uv_strerror(status));
		return;
	}
	if (!c->is_open) { /* also with an error: SO_ERROR says which */
		connection_opened(c);
		return;
	}
	if (events & UV_READABLE)
		(void)connection_receive(c); /* the rest comes in the next turn */
	if (!c->is_closing && !c->is_ended && events & UV_WRITABLE)
		connection_send(c);
	if (!c->is_closing && !c->is_ended && c->owes_drain &&
		connection_unsent(c) <= CONNECTION_OUT_HIGH / 4)
		connection_drained(c);
}

/* ---- sending ---- */

void connection_send(struct connection *c)
{
	while (c->is_open && !c->output_failed && buf_ok(&c->out) && c->out_done < c->out.len) {
		ssize_t n = send(c->fd, c->out.at + c->out_done, c->out.len - c->out_done,
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			c->out_done += (size_t)n;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		else if (errno != EINTR)
			c->output_failed = true;
	}
	if (!buf_ok(&c->out))
		c->output_failed = true; /* a piece is missing: nothing after it may be sent */
	if (c->output_failed || c->out_done == c->out.len) {
		buf_clear(&c->out);
		c->out_done = 0;
	} else if (c->out_done > c->out.len / 2) {
		buf_drop_front(&c->out, c->out_done);
		c->out_done = 0;
	}
	c->owes_drain |= connection_congested(c);
	if (c->is_open)
		connection_watch(c);
}

/* ---- opening ---- */

/* 0 or an errno value. What is open is told by the loop. */
static int connection_poll_start(struct connection *c, uv_loop_t *loop)
{
	if (uv_poll_init(loop, &c->poll, c->fd) != 0)
		return ENOMEM;
	c->has_poll = true;
	c->n_handles++;
	c->events = UV_WRITABLE;
	CHECK(uv_poll_start(&c->poll, UV_WRITABLE, on_poll) == 0);
	return 0;
}

static int connection_start(struct connection *c, uv_loop_t *loop, const struct endpoint *to)
{
	int one = 1;

	c->fd = socket(to->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return errno;
	/* Commands and content leave in large pieces already; without it the last piece would wait. */
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, &to->address.any, socket_address_size(&to->address)) < 0 && errno != EINPROGRESS)
		return errno;
	return connection_poll_start(c, loop);
}

static struct connection *connection_new(uv_loop_t *loop, const struct connection_hooks *hooks, void *user)
{
	struct connection *c = mem_new(sizeof(*c));

	*c = (struct connection){ .fd = -1,
		.n_handles = 1,
		.hooks = hooks,
		.user = user,
		.in = BUF_INIT(CONNECTION_IN_MAX),
		.out = BUF_INIT(CONNECTION_OUT_MAX) };
	CHECK(uv_timer_init(loop, &c->timer) == 0);
	return c;
}

struct connection *connection_open(uv_loop_t *loop, const struct endpoint *to, unsigned timeout_s,
	const struct connection_hooks *hooks, void *user)
{
	struct connection *c = connection_new(loop, hooks, user);

	c->error = connection_start(c, loop, to);
	CHECK(uv_timer_start(&c->timer, on_deadline, c->error ? 0 : timeout_s * UINT64_C(1000), 0) == 0);
	return c;
}

struct connection *connection_adopt(uv_loop_t *loop, int fd, const struct connection_hooks *hooks, void *user)
{
	struct connection *c = connection_new(loop, hooks, user);

	c->fd = fd;
	c->error = connection_poll_start(c, loop);
	if (c->error)
		CHECK(uv_timer_start(&c->timer, on_deadline, 0, 0) == 0);
	return c;
}
