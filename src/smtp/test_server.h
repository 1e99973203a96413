/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_server.h - an SMTP and LMTP server in the test's own loop that answers as it is told, however wrongly
 *
 * Only for tests of the smtp role. Replies are text; some words in them do something instead: see below.
 */
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include <uv.h>

#define REPLY_CLOSE "<close>"	/* at the end of a reply or alone: closes then */
#define REPLY_SILENT "<silent>" /* says nothing any more, and goes on reading */
#define REPLY_DEAF "<deaf>"	/* never reads again */

/* What one connection is answered; NULL: what a good server says. */
struct server_manners {
	const char *greeting, *ehlo, *helo, *mail, *data, *rset; /* ehlo: to LHLO too */
	const char *body;    /* after LHLO the replies for all recipients; NULL: they are good */
	const char *rcpt;    /* NULL: no… 550, later… 450, many… 452, others 250 */
	const char *in_body; /* said as soon as content begins */
	bool trickles;	     /* one byte at a time */
};

struct server {
	uv_tcp_t listener;
	uint16_t port;
	const struct server_manners *first, *later; /* of the first connection, of those after it */
	size_t n_connections, n_open, n_mails;
	struct list peers;
	struct buf commands; /* of all connections, each ended by LF; the content as one line "(content)" */
	struct buf content;  /* as it came, with its end */
};

void server_start(struct server *s, uv_loop_t *loop);
void server_reset(struct server *s, const struct server_manners *first, const struct server_manners *later);
void server_hang_up(struct server *s); /* on all its peers */
void server_stop(struct server *s);    /* the loop must turn afterwards */
