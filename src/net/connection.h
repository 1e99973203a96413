/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.h - one outgoing connection: opened, read, written, timed, told in words how it ended
 *
 * Never blocks. What is to be sent is written into connection_out() and goes with connection_send(); the
 * owner stops producing above CONNECTION_OUT_HIGH until on_drain. No hook is ever called from inside one of
 * these functions, so an owner may do everything in a hook, also connection_close(). This is the layer where
 * TLS belongs: bytes in, bytes out. Layer: net. Tests: test_connection.c.
 */
#pragma once
#include "net/endpoint.h"
#include <uv.h>

#define CONNECTION_OUT_HIGH (256 * 1024) /* several chunks of content, so that a fast peer never waits */
#define CONNECTION_OUT_MAX (1024 * 1024) /* room above it for a pipeline of commands */
#define CONNECTION_IN_MAX (64 * 1024)	 /* unconsumed; whoever reads replies consumes whole lines */

struct connection;

enum connection_end {
	CONNECTION_FAILED = 1, /* it could not be opened; also when that took too long */
	CONNECTION_LOST,       /* the peer closed it, or the network broke it */
	CONNECTION_TIMED_OUT,  /* the owner's deadline passed; the connection itself still works */
};

struct connection_hooks {
	void (*on_open)(struct connection *c);
	/* The owner consumes from the front; the rest is given again with more. */
	void (*on_bytes)(struct connection *c, struct slice *in);
	void (*on_drain)(
		struct connection *c); /* what was sent is gone, after it was above CONNECTION_OUT_HIGH */
	/* Nothing follows; the owner closes. why: "Connection refused" and the like. */
	void (*on_end)(struct connection *c, enum connection_end end, const char *why);
};

/* Starts to connect; an immediate failure is told by on_end too. */
struct connection *connection_open(uv_loop_t *loop, const struct endpoint *to, unsigned timeout_s,
	const struct connection_hooks *hooks, void *user);
/* The same with a socket that is connected already, by somebody who could; takes fd, which does not block. */
struct connection *connection_adopt(
	uv_loop_t *loop, int fd, const struct connection_hooks *hooks, void *user);
/* Closes at once; unsent bytes are lost. Its hooks are not called any more. */
void connection_close(struct connection **c);

void *connection_user(const struct connection *c);
/* To append to; never read or shortened by the owner. */
struct buf *connection_out(struct connection *c);
void connection_send(struct connection *c);
size_t connection_unsent(const struct connection *c);
bool connection_congested(const struct connection *c); /* after connection_send(): on_drain will come */
/* From now; replaces the one before; 0: none. */
void connection_deadline(struct connection *c, uint64_t seconds);
