/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel.c - framing over a non-blocking stream socket
 *
 * Sends are gathered: channel_send marks the channel dirty, and one prepare handle per loop sends all dirty
 * channels before the loop sleeps. Frames are parsed in place in the receive buffer; a handler may free its
 * channel, so nothing of it is touched after free_later was set.
 */
#include "ipc/channel.h"
#include "base/clock.h"
#include "base/limits.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#define READ_BYTES (256 * 1024)
#define READ_BYTES_CLIENT (16 * 1024) /* many clients, each with little to say */
#define LATER_MS 10		/* that channel_send_later() may take (below logd/order.h's ORDER_US) ... */
#define LATER_BYTES (32 * 1024) /* ... unless so much has gathered */

/* One loop per process: the role's. */
static struct {
	uv_prepare_t prepare;
	uv_timer_t later_timer; /* active while a channel is in later */
	struct list dirty, later;
	bool ready;
} turn;

static void on_prepare(uv_prepare_t *handle)
{
	channel_flush_dirty(handle->loop);
}

void channel_loop_init(uv_loop_t *loop)
{
	if (turn.ready)
		return;
	list_init(&turn.dirty);
	list_init(&turn.later);
	CHECK(uv_timer_init(loop, &turn.later_timer) == 0);
	uv_unref((uv_handle_t *)&turn.later_timer);
	CHECK(uv_prepare_init(loop, &turn.prepare) == 0);
	CHECK(uv_prepare_start(&turn.prepare, on_prepare) == 0);
	uv_unref((uv_handle_t *)&turn.prepare);
	turn.ready = true;
}

int channel_pair(int fds_out[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	memcpy(fds_out, fds, sizeof(fds));
	return 0;
}

/* ---- ending ---- */

static void on_poll_closed(uv_handle_t *handle)
{
	struct channel *ch = CONTAINER_OF(handle, struct channel, poll);

	(void)close(ch->fd); /* a socket; nothing to learn */
	for (size_t i = 0; i < ch->n_fds_in; i++)
		(void)close(ch->fds_in[i]);
	for (size_t i = 0; i < ch->n_fds_out; i++)
		(void)close(ch->fds_out[i].fd);
	buf_free(&ch->in);
	buf_free(&ch->out);
	mem_free(ch);
}

void channel_free(struct channel **chp)
{
	struct channel *ch = take_ptr(chp);

	if (!ch || ch->free_later)
		return;
	ch->is_closing = true;
	ch->free_later = true;
	if (list_linked(&ch->dirty))
		list_remove(&ch->dirty);
	uv_poll_stop(&ch->poll);
	if (!ch->in_handler)
		uv_close((uv_handle_t *)&ch->poll, on_poll_closed);
}

/* Tells the owner, at most once. */
static void channel_fail(struct channel *ch, const char *why)
{
	if (ch->is_closing)
		return;
	ch->is_closing = true;
	uv_poll_stop(&ch->poll);
	if (list_linked(&ch->dirty))
		list_remove(&ch->dirty);
	ch->hooks->on_closed(ch, why);
}

static void channel_make_dirty(struct channel *ch)
{
	if (ch->is_later)
		list_remove(&ch->dirty);
	ch->is_later = false;
	if (!list_linked(&ch->dirty))
		list_push_back(&turn.dirty, &ch->dirty);
}

/* For failures found while the owner is in the middle of something: on_closed comes in the loop's next turn.
 */
static void channel_fail_later(struct channel *ch, const char *why)
{
	if (ch->is_closing || ch->fail_why)
		return;
	ch->fail_why = why;
	channel_make_dirty(ch);
}

/* That the peer is gone is found by reading or by writing, whichever comes first. */
static const char *why_closed(int error)
{
	return error == ECONNRESET || error == EPIPE ? "closed" : strerror(error);
}

/* ---- receiving ---- */

static void receive_control(struct channel *ch, struct msghdr *mh)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred cred;
			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			if (ch->peer_uid == (uid_t)-1)
				ch->peer_uid = cred.uid;
			/* A socket can be handed on, and one byte of a privileged program's must not lend its
			 * uid to what others write behind it. */
			ch->is_mixed |= ch->peer_uid != cred.uid;
		} else if (c->cmsg_type == SCM_RIGHTS) {
			size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			for (size_t i = 0; i < n; i++) {
				int fd;
				memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
				/* Which frame may bring one is its handler's affair; a client has none to
				 * give. */
				if (ch->peer != ROLE_CLIENT && ch->n_fds_in < ARRAY_LEN(ch->fds_in))
					ch->fds_in[ch->n_fds_in++] = fd;
				else
					(void)close(fd);
			}
		}
	}
}

/* >0 bytes were read, 0 nothing to read now, <0 the channel failed. */
static int channel_receive(struct channel *ch)
{
	union {
		char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 8)];
		struct cmsghdr align;
	} control;
	size_t room = ch->peer == ROLE_CLIENT ? READ_BYTES_CLIENT : READ_BYTES;
	struct iovec iov = { .iov_base = buf_reserve(&ch->in, room), .iov_len = room };
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t n;

	if (!iov.iov_base) {
		channel_fail(ch, "out of memory");
		return -1;
	}
	do
		n = recvmsg(ch->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n <= 0) {
		channel_fail(ch, n == 0 ? "closed" : why_closed(errno));
		return -1;
	}
	receive_control(ch, &mh);
	if (ch->is_mixed) {
		channel_fail(ch, "bytes of several users");
		return -1;
	}
	buf_grew(&ch->in, (size_t)n);
	return 1;
}

/* One frame; how many bytes it took, 0 when it is not all there, or the channel failed. */
static size_t channel_handle_frame(struct channel *ch, struct slice in)
{
	struct msg_header h;
	union msg_any m;
	int fd = -1;

	if (in.len < MSG_HEADER_BYTES)
		return 0;
	if (!msg_header_decode(in, &h)) {
		channel_fail(ch, "bad frame header");
		return 0;
	}
	in = slice_from(in, MSG_HEADER_BYTES);
	if (in.len < h.length)
		return 0;
	if (!msg_allowed(h.type, ch->peer, ch->self) || !ch->hooks->handlers[h.type]) {
		channel_fail(ch, "message not allowed");
		return 0;
	}
	if (!msg_decode(h.type, slice_first(in, h.length), &m)) {
		channel_fail(ch, "malformed message");
		return 0;
	}
	if (h.flags & MSG_FLAG_DESCRIPTOR) {
		if (ch->n_fds_in == 0) {
			channel_fail(ch, "descriptor missing");
			return 0;
		}
		fd = ch->fds_in[0];
		memmove(ch->fds_in, ch->fds_in + 1, --ch->n_fds_in * sizeof(int));
	}
	ch->hooks->handlers[h.type](ch, &m, &fd);
	cleanup_close(&fd);
	return MSG_HEADER_BYTES + h.length;
}

static void channel_handle_frames(struct channel *ch)
{
	size_t done = 0, n;

	ch->in_handler = true;
	while (!ch->is_closing && !ch->is_paused &&
		(n = channel_handle_frame(ch, slice_from(buf_slice(&ch->in), done))) > 0)
		done += n;
	ch->in_handler = false;
	if (ch->free_later)
		uv_close((uv_handle_t *)&ch->poll, on_poll_closed);
	else if (done == ch->in.len)
		buf_clear(&ch->in);
	else
		buf_drop_front(&ch->in, done);
}

/* ---- sending ---- */

static void on_poll(uv_poll_t *handle, int status, int events);

static void channel_update_poll(struct channel *ch)
{
	int events = (ch->is_paused ? 0 : UV_READABLE) | (ch->out.len > ch->out_done ? UV_WRITABLE : 0);

	if (ch->is_closing || events == ch->polled)
		return;
	ch->polled = events;
	if (events)
		CHECK(uv_poll_start(&ch->poll, events, on_poll) == 0);
	else
		uv_poll_stop(&ch->poll);
}

/* The bytes that may go in one call: up to the next descriptor's frame, with the descriptor first in its own
 * call. */
static ssize_t channel_send_some(struct channel *ch)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = ch->out.at + ch->out_done, .iov_len = ch->out.len - ch->out_done };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	bool with_fd = false;
	ssize_t n;

	if (ch->n_fds_out) {
		with_fd = ch->fds_out[0].at == ch->out_done;
		if (!with_fd)
			iov.iov_len = ch->fds_out[0].at - ch->out_done;
		else if (ch->n_fds_out > 1)
			iov.iov_len = ch->fds_out[1].at - ch->out_done;
	}
	if (with_fd) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = &control;
		mh.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &ch->fds_out[0].fd, sizeof(int));
	}
	do
		n = sendmsg(ch->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0 && with_fd) {
		(void)close(ch->fds_out[0].fd); /* the peer has it now */
		memmove(ch->fds_out, ch->fds_out + 1, --ch->n_fds_out * sizeof(ch->fds_out[0]));
	}
	return n;
}

static void channel_flush(struct channel *ch)
{
	while (ch->out_done < ch->out.len) {
		ssize_t n = channel_send_some(ch);
		if (n < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK) {
				channel_fail(ch, why_closed(errno));
				return;
			}
			break;
		}
		ch->out_done += (size_t)n;
	}
	if (ch->out_done == ch->out.len) {
		buf_clear(&ch->out);
		ch->out_done = 0;
	} else if (ch->out_done > ch->out.len / 2 && ch->n_fds_out == 0) {
		buf_drop_front(&ch->out, ch->out_done);
		ch->out_done = 0;
	}
	channel_update_poll(ch);
	if (ch->is_congested && channel_unsent(ch) <= LIMIT_CHANNEL_OUT / 8) {
		ch->is_congested = false;
		if (ch->hooks->on_drain)
			ch->hooks->on_drain(ch);
	}
}

void channel_flush_dirty(uv_loop_t *loop)
{
	(void)loop;
	while (!list_empty(&turn.dirty)) {
		struct channel *ch = list_first(&turn.dirty, struct channel, dirty);
		list_remove(&ch->dirty);
		if (ch->fail_why)
			channel_fail(ch, ch->fail_why);
		else if (!ch->is_closing)
			channel_flush(ch);
	}
}

static void channel_wants_flush(struct channel *ch)
{
	channel_make_dirty(ch);
	if (channel_unsent(ch) > LIMIT_CHANNEL_OUT / 2)
		ch->is_congested = true;
}

void channel_send(struct channel *ch, enum msg_type type, const void *m)
{
	channel_send_fd(ch, type, m, -1);
}

/* A role that starts late is given channels to all others in one turn: more than the list has room for. */
static bool channel_has_fd_room(struct channel *ch)
{
	while (ch->n_fds_out == ARRAY_LEN(ch->fds_out)) {
		ssize_t n = channel_send_some(ch);
		if (n < 0)
			return false;
		ch->out_done += (size_t)n;
	}
	return true;
}

void channel_send_fd(struct channel *ch, enum msg_type type, const void *m, int fd)
{
	auto_close int owned = fd;

	CHECK(msg_allowed(type, ch->self, ch->peer));
	if (ch->is_closing || ch->fail_why)
		return;
	if (fd >= 0) {
		if (!channel_has_fd_room(ch)) {
			channel_fail_later(ch, "too many descriptors under way");
			return;
		}
		ch->fds_out[ch->n_fds_out].at = ch->out.len;
		ch->fds_out[ch->n_fds_out++].fd = take_fd(&owned);
	}
	msg_encode(&ch->out, type, m, fd >= 0 ? MSG_FLAG_DESCRIPTOR : 0);
	if (!buf_ok(&ch->out))
		channel_fail_later(ch, "peer does not read");
	else
		channel_wants_flush(ch);
}

static void on_later(uv_timer_t *timer)
{
	(void)timer;
	while (!list_empty(&turn.later))
		channel_make_dirty(list_first(&turn.later, struct channel, dirty));
}

static void channel_put_off(struct channel *ch)
{
	if (list_linked(&ch->dirty))
		return;
	ch->is_later = true;
	list_push_back(&turn.later, &ch->dirty);
	if (!uv_is_active((uv_handle_t *)&turn.later_timer))
		CHECK(uv_timer_start(&turn.later_timer, on_later, LATER_MS, 0) == 0);
}

void channel_send_later(struct channel *ch, enum msg_type type, const void *m)
{
	CHECK(msg_allowed(type, ch->self, ch->peer));
	if (ch->is_closing || ch->fail_why)
		return;
	msg_encode(&ch->out, type, m, 0);
	if (!buf_ok(&ch->out))
		channel_fail_later(ch, "peer does not read");
	else if (channel_unsent(ch) >= LATER_BYTES)
		channel_wants_flush(ch);
	else
		channel_put_off(ch);
}

bool channel_congested(const struct channel *ch)
{
	return ch->is_congested;
}

size_t channel_unsent(const struct channel *ch)
{
	return ch->out.len - ch->out_done;
}

void channel_flush_blocking(struct channel *ch, unsigned timeout_ms)
{
	uint64_t deadline = clock_mono_ms() + timeout_ms;

	if (list_linked(&ch->dirty))
		list_remove(&ch->dirty);
	ch->is_later = false;
	channel_flush(ch);
	while (!ch->is_closing && channel_unsent(ch)) {
		struct pollfd p = { .fd = ch->fd, .events = POLLOUT };
		uint64_t now = clock_mono_ms();
		if (now >= deadline || poll(&p, 1, (int)(deadline - now)) <= 0)
			return;
		channel_flush(ch);
	}
}

/* ---- the loop's side ---- */

static void on_poll(uv_poll_t *handle, int status, int events)
{
	struct channel *ch = CONTAINER_OF(handle, struct channel, poll);

	if (status < 0) { /* the peer is gone; what it said last is still to be read */
		ch->polled = 0;
		while (!ch->is_closing && channel_receive(ch) > 0)
			channel_handle_frames(ch);
		if (!ch->is_closing)
			channel_fail(ch, "closed");
		return;
	}
	if (events & UV_WRITABLE)
		channel_flush(ch);
	if (!ch->is_closing && events & UV_READABLE && channel_receive(ch) > 0)
		channel_handle_frames(ch);
}

static void on_resume(uv_poll_t *handle, int status, int events)
{
	struct channel *ch = CONTAINER_OF(handle, struct channel, poll);

	(void)events;
	if (status >= 0)
		channel_handle_frames(ch);
	if (!ch->free_later)
		channel_update_poll(ch);
}

void channel_pause(struct channel *ch, bool paused)
{
	if (ch->is_paused == paused || ch->is_closing)
		return;
	ch->is_paused = paused;
	/* Frames already received must not wait for new bytes: a socket is writable soon, and that turn
	 * handles them. */
	if (!paused && !ch->in_handler && ch->in.len) {
		ch->polled = -1;
		CHECK(uv_poll_start(&ch->poll, UV_WRITABLE, on_resume) == 0);
	} else
		channel_update_poll(ch);
}

struct channel *channel_new(uv_loop_t *loop, int fd, enum role self, enum role peer, unsigned instance,
	const struct channel_hooks *hooks, void *user)
{
	struct channel *ch = mem_new(sizeof(*ch));

	channel_loop_init(loop);
	*ch = (struct channel){
		.loop = loop,
		.fd = fd,
		.self = self,
		.peer = peer,
		.instance = instance,
		.hooks = hooks,
		.user = user,
		.peer_uid = (uid_t)-1,
		.in = BUF_INIT(LIMIT_FRAME + MSG_HEADER_BYTES + READ_BYTES),
		.out = BUF_INIT(LIMIT_CHANNEL_OUT),
	};
	list_init(&ch->dirty);
	(void)fcntl(fd, F_SETFL,
		fcntl(fd, F_GETFL) | O_NONBLOCK); /* recvmsg and sendmsg say MSG_DONTWAIT anyway */
	if (uv_poll_init(loop, &ch->poll, fd) != 0) {
		(void)close(fd);
		mem_free(ch);
		return NULL;
	}
	channel_update_poll(ch);
	return ch;
}
