/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint.h - one address of one host to connect to, and how people see it: "mx.example[192.0.2.1]:25",
 * "mx.example[/run/lmtp]"
 *
 * Layer: net. Tests: test_destination.c.
 */
#pragma once
#include "base/buf.h"
#include "base/limits.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

union socket_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local; /* only shown: who may open it connects */
};

struct endpoint {
	char host[LIMIT_DOMAIN + 1]; /* the name it was found under; for a bare address its text */
	union socket_address address;
};

/* From the bytes of an A or AAAA record (4 or 16); false for any other length. */
MUST_USE bool socket_address_from_bytes(struct slice bytes, uint16_t port, union socket_address *out);
/* "192.0.2.1", "2001:db8::1" or "IPv6:2001:db8::1" (RFC 5321 4.1.3). */
MUST_USE bool socket_address_parse(struct slice text, uint16_t port, union socket_address *out);
socklen_t socket_address_size(const union socket_address *a);
uint16_t socket_address_port(const union socket_address *a);
/* "192.0.2.1", "2001:db8::1", "/run/lmtp" */
void socket_address_append(const union socket_address *a, struct buf *out);

/* "host[192.0.2.1]" */
void endpoint_append(const struct endpoint *e, struct buf *out);
/* "host[192.0.2.1]:25"; a path has no port */
void endpoint_append_port(const struct endpoint *e, struct buf *out);
