/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel.h - one end of a stream between two processes: frames in, frames out, never blocking
 *
 * What is sent in one turn of the event loop leaves in one system call. The out-queue is bounded: when
 * channel_congested() says so, stop producing (stop reading your own source) until on_drain. A frame that is
 * malformed or that the peer may not send ends the channel, never the process; so does a peer that leaves a
 * full out-queue unread. Layer: ipc. Tests: test_channel.c.
 */
#pragma once
#include "base/list.h"
#include "ipc/message.h"
#include <sys/types.h>
#include <uv.h>

struct channel;

/* m lives until the handler returns. fd is the descriptor that came with the frame, or -1; the handler takes
 * it with take_fd() or it is closed afterwards. */
typedef void (*msg_handler)(struct channel *ch, const union msg_any *m, int *fd);

struct channel_hooks {
	const msg_handler
		*handlers; /* MSG_TYPE_COUNT entries; NULL entry: not expected here, ends the channel */
	void (*on_drain)(struct channel *ch); /* may be NULL: congestion is over */
	/* The peer is gone or misbehaved; why is for the log ("closed", "bad frame"...). The hook may
	 * channel_free(ch). */
	void (*on_closed)(struct channel *ch, const char *why);
};

struct channel {
	uv_poll_t poll;
	uv_loop_t *loop;
	int fd;
	enum role self, peer;
	unsigned instance; /* which of several peers of that role */
	void *user;	   /* the owner's */
	void *attached;	   /* the owner's too: what belongs to this one peer; NULL at first */
	uid_t peer_uid;	   /* from SCM_CREDENTIALS, the same in all bytes; (uid_t)-1 until known */
	const struct channel_hooks *hooks;
	struct buf in, out;
	int polled;	   /* what the loop watches; -1: something else for one turn */
	size_t out_done;   /* bytes of out already sent */
	struct list dirty; /* among those with something to send this turn, or soon: is_later */
	int fds_in[8];	   /* received, not yet claimed by a frame */
	size_t n_fds_in;
	struct {
		int fd;
		size_t at; /* goes with the byte of out at this place */
	} fds_out[8];
	size_t n_fds_out;
	const char *fail_why; /* to be told in the next turn */
	bool is_mixed;	      /* bytes of another uid came */
	bool is_congested, is_paused, is_closing, in_handler, free_later, is_later;
};

/* Takes fd (made non-blocking). Returns NULL when the loop cannot poll it. */
struct channel *channel_new(uv_loop_t *loop, int fd, enum role self, enum role peer, unsigned instance,
	const struct channel_hooks *hooks, void *user);
void channel_free(struct channel **ch); /* closes; safe inside a handler; what is unsent is lost */

/* m: struct msg_NAME of that type. A channel whose out-queue is full of unread data is closed (on_closed
 * follows in the next turn): a peer that never reads costs only itself. */
void channel_send(struct channel *ch, enum msg_type type, const void *m);
/* Takes fd; it travels with this frame and is closed here afterwards. */
void channel_send_fd(struct channel *ch, enum msg_type type, const void *m, int fd);
/* For what nobody waits for: it leaves, in order, with the channel's next channel_send(), after 10 ms at the
 * latest, so that the peer is not woken for every line. What is killed meanwhile has not said it. */
void channel_send_later(struct channel *ch, enum msg_type type, const void *m);
#define SEND(ch, NAME, ...) channel_send((ch), MSG_##NAME, &(struct msg_##NAME){ __VA_ARGS__ })

bool channel_congested(const struct channel *ch);
size_t channel_unsent(const struct channel *ch);
/* No frames are handled while paused; the peer's sends pile up at its end. */
void channel_pause(struct channel *ch, bool paused);
/* Tries to send everything now, waiting at most timeout_ms for a slow peer: for the last words before exit.
 */
void channel_flush_blocking(struct channel *ch, unsigned timeout_ms);
/* Sends what this turn of the loop gathered; called by the role's loop and by tests. */
void channel_flush_dirty(uv_loop_t *loop);
/* Installs the once-per-turn flush on a loop; before the first channel_new. */
void channel_loop_init(uv_loop_t *loop);

/* A connected pair of stream sockets, close-on-exec. */
MUST_USE int channel_pair(int fds_out[2]);
