/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox_transport.h - local.mailbox_transport taken apart: which LMTP server keeps the mailboxes
 *
 * "lmtp:unix:/PATH", "lmtp:inet:HOST" or "lmtp:inet:HOST:PORT" with a name, an IPv4 address or an IPv6
 * address in brackets. Who connects reads the place from here, from its own configuration; no process ever
 * tells it to another. Pure: asks no network. Layer: config. Tests: test_mailbox_transport.c.
 */
#pragma once
#include "base/slice.h"

/* What that server is called where next hops are named: no domain or host has such a name, and it says
 * nothing of where the server is. */
#define MAILBOX_TRANSPORT_HOP "lmtp:mailbox"
#define MAILBOX_TRANSPORT_PORT 24 /* of inet when none is named: where LMTP servers listen by custom */

enum mailbox_transport_kind {
	MAILBOX_TRANSPORT_NONE, /* the setting is empty: mailboxes are ours */
	MAILBOX_TRANSPORT_UNIX,
	MAILBOX_TRANSPORT_INET,
};

struct mailbox_transport {
	enum mailbox_transport_kind kind;
	struct slice place; /* path, or host without brackets; looks into the text */
	uint16_t port;
};

/* False, and *out is untouched, when it is none of these. Whether a host's name is one is not looked at. */
MUST_USE bool mailbox_transport_parse(struct slice text, struct mailbox_transport *out);
