/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One read per readiness, every complete command in it answered by one write: with the least work per message
 * the numbers show the machine and the load generator, not this program.
 */
#include "bench/responder.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#define READ_SIZE (64 * 1024)

static void conn_close(struct responder_conn *c)
{
	(void)close(c->fd); /* the peer is gone or was answered; there is no one to tell */
	buf_free(&c->in);
	buf_free(&c->out);
	mem_free(c);
}

static void watch(struct responder *r, struct responder_conn *c, bool wants_out)
{
	struct epoll_event ev = { .events = EPOLLIN | (wants_out ? EPOLLOUT : 0u), .data.ptr = c };

	if (c->wants_out == wants_out)
		return;
	c->wants_out = wants_out;
	CHECK(epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, c->fd, &ev) == 0);
}

/* False when the connection is gone. */
static bool flush(struct responder *r, struct responder_conn *c)
{
	if (c->is_gone)
		buf_clear(&c->out);
	if (c->out.len > 0) {
		ssize_t n = send(c->fd, c->out.at, c->out.len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			c->is_closing = true;
		if (c->is_closing && n < 0)
			buf_clear(&c->out);
		else if (n > 0)
			buf_drop_front(&c->out, (size_t)n);
	}
	if (c->is_closing && c->out.len == 0 && !c->waiting) {
		conn_close(c);
		return false;
	}
	if (!c->is_gone)
		watch(r, c, c->out.len > 0);
	return true;
}

static void cmd_rcpt(struct responder *r, struct responder_conn *c)
{
	if (r->refusal) {
		buf_printf(&c->out, "%s\r\n", r->refusal);
		return;
	}
	c->n_rcpts++;
	buf_append_str(&c->out, "250 2.1.5 Ok\r\n");
}
static void cmd_data(struct responder *r, struct responder_conn *c)
{
	if (r->refusal) {
		buf_append_str(&c->out, "554 5.5.1 No recipients\r\n");
		return;
	}
	c->in_data = true;
	c->scanned = 0;
	buf_append_str(&c->out, "354 Go on\r\n");
}
static void cmd_ehlo(struct responder *r, struct responder_conn *c)
{
	buf_append_str(&c->out,
		"250-bench\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 0\r\n"
		"250 ENHANCEDSTATUSCODES\r\n");
}
static void cmd_count(struct responder *r, struct responder_conn *c)
{
	buf_printf(&c->out,
		"250 messages=%" PRIu64 " recipients=%" PRIu64 " syncs=%" PRIu64 " last_s=%.6f\r\n",
		r->n_messages, r->n_recipients, r->n_syncs, (double)r->last_us / 1e6);
}
static void cmd_quit(struct responder *r, struct responder_conn *c)
{
	c->is_closing = true;
	buf_append_str(&c->out, "221 2.0.0 Bye\r\n");
}
static void cmd_other(struct responder *r, struct responder_conn *c)
{
	c->n_rcpts = 0; /* MAIL, RSET, HELO: a new transaction */
	buf_append_str(&c->out, "250 2.0.0 Ok\r\n");
}

static const struct verb {
	struct slice word;
	void (*run)(struct responder *r, struct responder_conn *c);
} verbs[] = {
	{ { "RCPT", 4 }, cmd_rcpt }, { { "DATA", 4 }, cmd_data }, { { "EHLO", 4 }, cmd_ehlo },
	{ { "XCOUNT", 6 }, cmd_count }, { { "QUIT", 4 }, cmd_quit },
	{ { "", 0 }, cmd_other }, /* last row: matches any word */
};

static void command(struct responder *r, struct responder_conn *c, struct slice line)
{
	const struct verb *v = verbs;

	while (!slice_starts_nocase(line, v->word))
		v++;
	v->run(r, c);
}

/* Octets of the content with its end in c->in, 0 while the end is not there. A lone ".CRLF" is empty. */
static size_t content_end(struct responder_conn *c)
{
	static const char end[] = "\r\n.\r\n";
	const size_t n_end = sizeof(end) - 1;
	const char *at;

	if (c->in.len >= 3 && memcmp(c->in.at, ".\r\n", 3) == 0)
		return 3;
	if (c->in.len < n_end)
		return 0;
	at = memmem(c->in.at + c->scanned, c->in.len - c->scanned, end, n_end);
	if (at)
		return (size_t)(at - c->in.at) + n_end;
	c->scanned = c->in.len - (n_end - 1);
	return 0;
}

/* Takes one command or one message off the front of c->in; false when there is no complete one. */
static bool step(struct responder *r, struct responder_conn *c)
{
	struct slice rest = buf_slice(&c->in), line;
	size_t n;

	if (!c->in_data) {
		if (!slice_cut(&rest, '\n', &line))
			return false;
		n = c->in.len - rest.len;
		command(r, c, line);
		buf_drop_front(&c->in, n);
		return true;
	}
	n = content_end(c);
	if (n == 0)
		return false;
	c->in_data = false;
	r->n_messages++;
	r->last_us = clock_wall_us();
	r->n_recipients += c->n_rcpts;
	c->n_rcpts = 0;
	c->waiting = !r->on_message(r, c, slice_first(rest, n - 3));
	if (!c->waiting)
		buf_append_str(&c->out, "250 2.0.0 Ok\r\n");
	buf_drop_front(&c->in, n);
	return true;
}

static void work(struct responder *r, struct responder_conn *c)
{
	while (!c->waiting && !c->is_closing && step(r, c))
		;
	if (!buf_ok(&c->in) || !buf_ok(&c->out))
		c->is_closing = true;
	(void)flush(r, c); /* whether c still exists does not matter any more */
}

void responder_release(struct responder *r, struct responder_conn *c)
{
	c->waiting = false;
	buf_append_str(&c->out, "250 2.0.0 Ok durable\r\n");
	work(r, c);
}

static void readable(struct responder *r, struct responder_conn *c)
{
	char *room = buf_reserve(&c->in, READ_SIZE);
	ssize_t n = room ? recv(c->fd, room, READ_SIZE, 0) : 0;

	if (n > 0)
		buf_grew(&c->in, (size_t)n);
	else if (n == 0 || errno != EAGAIN)
		c->is_closing = true;
	if (c->is_closing && c->waiting) { /* stays until its commit is done */
		c->is_gone = true;
		CHECK(epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL) == 0);
	} else {
		work(r, c);
	}
}

static void accept_all(struct responder *r)
{
	for (;;) {
		int fd = accept4(r->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
		struct responder_conn *c;
		struct epoll_event ev = { .events = EPOLLIN };

		if (fd < 0)
			return;
		c = mem_new(sizeof(*c));
		*c = (struct responder_conn){
			.fd = fd, .in = BUF_INIT(RESPONDER_MAX_CONTENT), .out = BUF_INIT(READ_SIZE)
		};
		ev.data.ptr = c;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only slower without */
		CHECK(epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0);
		buf_append_str(&c->out, "220 bench ESMTP\r\n");
		(void)flush(r, c); /* as in work() */
	}
}

static int listen_on(const char *address, uint16_t port, int *fd_out)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (inet_pton(AF_INET, address, &sa.sin_addr) != 1)
		return -EINVAL;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	*fd_out = take_fd(&fd);
	return 0;
}

static int add_fd(struct responder *r, int *fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = fd };

	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, *fd, &ev) < 0 ? -errno : 0;
}

int responder_open(struct responder *r, const char *address, uint16_t port)
{
	sigset_t stops;
	int e = listen_on(address, port, &r->listen_fd);

	if (e < 0)
		return e;
	if (sigemptyset(&stops) < 0 || sigaddset(&stops, SIGTERM) < 0 || sigaddset(&stops, SIGINT) < 0 ||
		sigprocmask(SIG_BLOCK, &stops, NULL) < 0)
		return -errno;
	r->signal_fd = signalfd(-1, &stops, SFD_CLOEXEC);
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->signal_fd < 0 || r->epoll_fd < 0)
		return -errno;
	e = add_fd(r, &r->listen_fd);
	if (e == 0)
		e = add_fd(r, &r->signal_fd);
	if (e == 0 && r->wake_fd >= 0)
		e = add_fd(r, &r->wake_fd);
	return e;
}

void responder_run(struct responder *r)
{
	struct epoll_event ev[256];
	bool is_stopped = false;

	while (!is_stopped) {
		int n = epoll_wait(r->epoll_fd, ev, ARRAY_LEN(ev), -1);
		bool is_woken = false; /* done last: it may free connections that stand later in ev */

		for (int i = 0; i < n; i++) {
			struct responder_conn *c = ev[i].data.ptr;
			if (ev[i].data.ptr == &r->signal_fd)
				is_stopped = true;
			else if (ev[i].data.ptr == &r->wake_fd)
				is_woken = true;
			else if (ev[i].data.ptr == &r->listen_fd)
				accept_all(r);
			else if (!(ev[i].events & EPOLLOUT) || flush(r, c))
				readable(r, c);
		}
		if (is_woken)
			r->on_wake(r);
	}
}
