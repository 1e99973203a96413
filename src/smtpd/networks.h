/* SPDX-License-Identifier: Apache-2.0 */
/*
 * networks.h - client addresses, and the list of networks whose clients are trusted
 *
 * One form for both families: 16 bytes, IPv4 as ::ffff:a.b.c.d, so that a client of a dual-stack socket and
 * one of an IPv4 socket are the same client. Words: "127.0.0.0/8", "192.0.2.1", "[::1]/128", "2001:db8::/32".
 * Layer: role (smtpd). Tests: test_networks.c.
 */
#pragma once
#include "base/slice.h"
#include <sys/socket.h>

struct client_address {
	uint8_t bytes[16];
};
#define CLIENT_ADDRESS_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

/* False for what is no internet address. */
MUST_USE bool client_address_of(const struct sockaddr *from, struct client_address *out);
/* "192.0.2.1" or "2001:db8::1", ended by NUL. */
void client_address_format(const struct client_address *a, char text_out[CLIENT_ADDRESS_TEXT_MAX]);

struct network {
	struct client_address address;
	unsigned bits; /* of the 128 */
};
struct networks {
	struct network *all;
	size_t n;
};

/* One word; false when it is no network. Bits behind the prefix are ignored. */
MUST_USE bool network_parse(struct slice word, struct network *out);
/* list: words separated by blanks or commas; a word that is no network goes to *bad_out (the last one counts)
 * and is left out: fewer are trusted, never more. *out is the caller's to networks_free(). */
void networks_parse(struct slice list, struct networks *out, struct slice *bad_out);
bool networks_contain(const struct networks *nets, const struct client_address *a);
void networks_free(struct networks *nets);
