/* SPDX-License-Identifier: Apache-2.0 */
/*
 * next_hop.h - where a job's destination leads: to hosts of the network, or to the LMTP server that keeps the
 * mailboxes
 *
 * queue names that server by MAILBOX_TRANSPORT_HOP and nothing else; its place is read here, in our own
 * configuration, so that a queue gone mad cannot choose it. Layer: role smtp. Tests: test_lmtp.c,
 * test_relay.c.
 */
#pragma once
#include "config/config.h"
#include "net/hosts.h"

enum next_hop_kind {
	NEXT_HOP_SMTP,
	NEXT_HOP_LMTP_INET,
	NEXT_HOP_LMTP_UNIX, /* a socket that only the supervisor may open */
};

struct next_hop {
	enum next_hop_kind kind;
	struct destination destination; /* unless NEXT_HOP_LMTP_UNIX */
};

enum next_hop_status {
	NEXT_HOP_OK = 0,
	NEXT_HOP_BAD_NAME, /* never a name: the mail is returned */
	NEXT_HOP_MISTAKE,  /* in the configuration, which somebody mends */
};

/* reason: for a log line or a bounce, when it is not NEXT_HOP_OK. */
MUST_USE enum next_hop_status next_hop_parse(
	const struct config *c, struct slice text, struct next_hop *out, struct buf *reason);
/* The "hosts" of NEXT_HOP_LMTP_UNIX: this one, at the socket's path. The caller's to mem_free. */
struct hosts_answer *next_hop_socket(const struct config *c);
