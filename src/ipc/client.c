/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - blocking conversation over the control socket; see client.h */
#include "ipc/client.h"
#include "base/clock.h"
#include "base/limits.h"
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FLUSH_ABOVE (128 * 1024)
#define READ_BYTES (64 * 1024)

/* The first bytes carry our real uid: what the kernel would report by itself is the effective one. */
static int send_with_credentials(int fd, struct slice bytes)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = (char *)(uintptr_t)bytes.at, .iov_len = bytes.len };
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct ucred cred = { .pid = getpid(), .uid = getuid(), .gid = getgid() };
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = CMSG_LEN(sizeof(cred));
	memcpy(CMSG_DATA(c), &cred, sizeof(cred));
	do
		n = sendmsg(fd, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == bytes.len ? 0 : -EIO; /* a few bytes into an empty socket: all or nothing */
}

static int client_wait(const struct client *c, short events, uint64_t deadline_ms)
{
	for (;;) {
		struct pollfd p = { .fd = c->fd, .events = events };
		uint64_t now = clock_mono_ms();
		int n = poll(&p, 1, now < deadline_ms ? (int)(deadline_ms - now) : 0);
		if (n > 0)
			return 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int client_flush(struct client *c)
{
	uint64_t deadline = clock_mono_ms() + c->timeout_ms;
	size_t done = 0;
	int r = 0;

	if (!buf_ok(&c->out))
		return -ENOBUFS;
	while (r == 0 && done < c->out.len) {
		ssize_t n = send(c->fd, c->out.at + done, c->out.len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			r = client_wait(c, POLLOUT, deadline);
		else if (errno != EINTR)
			r = -errno;
	}
	buf_clear(&c->out);
	return r;
}

int client_send(struct client *c, enum msg_type type, const void *m)
{
	CHECK(msg_allowed(type, ROLE_CLIENT, ROLE_QUEUE) || msg_allowed(type, ROLE_CLIENT, ROLE_LOOKUP));
	msg_encode(&c->out, type, m, 0);
	return c->out.len > FLUSH_ABOVE ? client_flush(c) : 0;
}

/* Moves the next whole frame's message out of c->in: 1 done, 0 more bytes are needed, or -EPROTO. */
static int client_parse(struct client *c, enum msg_type *type_out, union msg_any *m_out)
{
	struct slice in = buf_slice(&c->in);
	struct msg_header h;

	if (in.len < MSG_HEADER_BYTES)
		return 0;
	if (!msg_header_decode(in, &h))
		return -EPROTO;
	in = slice_from(in, MSG_HEADER_BYTES);
	if (in.len < h.length)
		return 0;
	if (!msg_info[h.type].to || !(msg_info[h.type].to & R_CLIENT) ||
		!msg_decode(h.type, slice_first(in, h.length), m_out))
		return -EPROTO;
	c->in_done = MSG_HEADER_BYTES + h.length;
	*type_out = h.type;
	return 1;
}

int client_receive(struct client *c, enum msg_type *type_out, union msg_any *m_out)
{
	uint64_t deadline = clock_mono_ms() + c->timeout_ms;
	int r;

	buf_drop_front(&c->in, c->in_done);
	c->in_done = 0;
	while ((r = client_parse(c, type_out, m_out)) == 0) {
		char *room = buf_reserve(&c->in, READ_BYTES);
		if (!room)
			return -EPROTO;
		r = client_wait(c, POLLIN, deadline);
		if (r < 0)
			return r;
		ssize_t n = recv(c->fd, room, READ_BYTES, MSG_DONTWAIT);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0)
			buf_grew(&c->in, (size_t)n);
	}
	return r < 0 ? r : 0;
}

static int client_greet(struct client *c)
{
	auto_buf struct buf hello = BUF_INIT(256);
	enum msg_type type;
	union msg_any m;
	int r;

	msg_encode(&hello, MSG_HELLO, &(struct msg_HELLO){ .protocol = msg_protocol_hash() }, 0);
	r = send_with_credentials(c->fd, buf_slice(&hello));
	if (r == 0)
		r = client_receive(c, &type, &m);
	if (r < 0)
		return r;
	if (type == MSG_REQUEST_DONE) {
		(void)snprintf(c->refusal, sizeof(c->refusal), "%.*s", SLICE_ARG(m.REQUEST_DONE.text));
		c->refusal_code = m.REQUEST_DONE.exit_code;
	}
	if (type != MSG_WELCOME)
		return -EACCES;
	return m.WELCOME.protocol == msg_protocol_hash() ? 0 : -EPROTO;
}

/* A daemon that takes no connections has a full backlog: connect() waits there, as long as a send may. */
static int client_connect(const struct client *c, const struct sockaddr_un *address)
{
	const struct timeval patience = { .tv_sec = c->timeout_ms / 1000,
		.tv_usec = (long)(c->timeout_ms % 1000) * 1000 };
	int r;

	if (setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	do
		r = connect(c->fd, (const struct sockaddr *)address, sizeof(*address));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return 0;
}

int client_open(struct client *c, const char *socket_path)
{
	return client_open_within(c, socket_path, CLIENT_TIMEOUT_MS);
}

int client_open_within(struct client *c, const char *socket_path, unsigned timeout_ms)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r;

	*c = CLIENT_INIT;
	c->timeout_ms = timeout_ms;
	if (strlen(socket_path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	r = client_connect(c, &address);
	if (r == 0)
		r = client_greet(c);
	if (r < 0) {
		char refusal[sizeof(c->refusal)];
		int code = c->refusal_code;
		memcpy(refusal, c->refusal, sizeof(refusal));
		client_close(c);
		memcpy(c->refusal, refusal, sizeof(refusal));
		c->refusal_code = code;
	}
	return r;
}

void client_close(struct client *c)
{
	cleanup_close(&c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	*c = CLIENT_INIT;
}
