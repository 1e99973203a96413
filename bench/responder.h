/* SPDX-License-Identifier: Apache-2.0 */
/*
 * responder.h - the SMTP answering machine that nullsmtp and probe share: says yes to everything
 *
 * One thread, epoll, no timeouts, no routing, no checks: it shows what the machine allows, it is not a mail
 * server, and nothing of Postrider may use it. The verb XCOUNT answers "250 messages=N recipients=N syncs=N
 * last_s=TIME", the wall clock at the end of the last content. Layer: above base only. Tests: bench/run
 * --self-check.
 */
#pragma once
#include "base/buf.h"

#define RESPONDER_MAX_CONTENT                                                                                \
	(64u * 1024 * 1024) /* octets of one message; larger ones end the connection                         \
			     */

struct responder_conn {
	int fd;
	struct buf in;	/* bytes not yet looked at; during DATA the content so far */
	struct buf out; /* replies not yet taken by the kernel */
	size_t scanned; /* of in: has no end of content before here */
	size_t n_rcpts;
	bool in_data;
	bool waiting;	 /* its 250 is owed; nothing of in is looked at before responder_release() */
	bool wants_out;	 /* registered for EPOLLOUT */
	bool is_closing; /* closed as soon as out is empty and nothing is owed */
	bool is_gone;	 /* the peer left while its 250 was owed; no longer polled */
	struct responder_conn *next; /* for whoever keeps it waiting */
};

struct responder {
	const char *refusal; /* reply to every RCPT; NULL: yes */
	int wake_fd;	     /* readable when on_wake is to be called; -1: never */
	void (*on_wake)(struct responder *r);
	/* Content without its final dot line, still dot-stuffed. True: the 250 goes out at once. False: c is
	 * kept until responder_release(). */
	bool (*on_message)(struct responder *r, struct responder_conn *c, struct slice content);
	uint64_t n_messages, n_recipients, n_syncs;
	uint64_t last_us; /* wall clock at the end of the last content */
	int epoll_fd;	  /* these three are set by responder_open */
	int listen_fd;
	int signal_fd;
};

/* Listens, and blocks SIGTERM and SIGINT: call it before the first thread. A negative errno on failure. */
MUST_USE int responder_open(struct responder *r, const char *address, uint16_t port);

/* Serves until SIGTERM or SIGINT. */
void responder_run(struct responder *r);
/* Sends the 250 that c waited for and goes on with what c sent meanwhile; c may be gone afterwards. */
void responder_release(struct responder *r, struct responder_conn *c);
