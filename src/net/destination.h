/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination.h - the text of a next hop taken apart: "domain", "[host]:port", "[192.0.2.1]",
 * "[IPv6:2001:db8::1]"
 *
 * A name without brackets means that domain's MX hosts, one in brackets that host itself (no MX look-up).
 * Internationalised names become A-labels here (RFC 5890), because the DNS knows no others. Pure: asks no
 * network. Layer: net. Tests: test_destination.c, fuzz_destination.c.
 */
#pragma once
#include "net/endpoint.h"

enum destination_kind {
	DESTINATION_MX,	     /* name: a mail domain */
	DESTINATION_HOST,    /* name: a host */
	DESTINATION_ADDRESS, /* address; name is its text */
};

struct destination {
	enum destination_kind kind;
	uint16_t port;
	char name[LIMIT_DOMAIN + 1]; /* lower case, A-labels, no dot at the end */
	union socket_address address;
};

enum destination_status {
	DESTINATION_OK = 0,
	DESTINATION_EMPTY,
	DESTINATION_BAD_NAME,	 /* no host name: a bad character, an empty or too long label */
	DESTINATION_BAD_BRACKET, /* '[' without ']', or something other than :port behind it */
	DESTINATION_BAD_PORT,	 /* not 1..65535 */
};

/* Plain words for a log line or a bounce, without full stop. */
const char *destination_status_text(enum destination_status status);
MUST_USE enum destination_status destination_parse(
	struct slice text, uint16_t default_port, struct destination *out);
