/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - a command's conversation with the daemon: blocking, with a deadline
 *
 * For sendmail, mailq, postrider. Proves the real uid with SCM_CREDENTIALS. Never used by roles. Layer: ipc.
 * Tests: test_client.c.
 */
#pragma once
#include "ipc/message.h"

struct client {
	int fd;
	struct buf in, out;
	size_t in_done;	     /* bytes of in that the last message took */
	unsigned timeout_ms; /* for each wait */
	char refusal[256];   /* after -EACCES: why */
	int refusal_code;    /* and its exit status (sysexits.h), 0 when the daemon gave none */
};

#define CLIENT_TIMEOUT_MS 60000
#define CLIENT_INIT                                                                                          \
	((struct client){ .fd = -1,                                                                          \
		.in = BUF_INIT(2 * 1024 * 1024),                                                             \
		.out = BUF_INIT(4 * 1024 * 1024),                                                            \
		.timeout_ms = CLIENT_TIMEOUT_MS })

/* Connects, says HELLO and reads WELCOME. 0; -ENOENT or -ECONNREFUSED: no daemon; -EPROTO: another version's;
 * -EACCES: not welcome, and c->refusal says why; -ETIMEDOUT; other negative errno. */
MUST_USE int client_open(struct client *c, const char *socket_path);
MUST_USE int client_open_within(struct client *c, const char *socket_path, unsigned timeout_ms);
void client_close(struct client *c);
/* Gathers; client_flush sends. Sends by itself when much is gathered. 0 or negative errno. */
MUST_USE int client_send(struct client *c, enum msg_type type, const void *m);
MUST_USE int client_flush(struct client *c);
/* The next message; valid until the next call. 0, -ETIMEDOUT, -ECONNRESET, -EPROTO. */
MUST_USE int client_receive(struct client *c, enum msg_type *type_out, union msg_any *m_out);
#define CLIENT_SEND(c, NAME, ...) client_send((c), MSG_##NAME, &(struct msg_##NAME){ __VA_ARGS__ })
