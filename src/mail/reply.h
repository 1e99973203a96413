/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply.h - SMTP replies: written by a server, read by a client
 *
 * What is written never exceeds 512 octets a line and never echoes a control character, whatever text is
 * given. What is read is bounded and cleaned the same way. Layer: mail. Tests: test_reply.c, fuzz_reply.c.
 */
#pragma once
#include "base/buf.h"
#include "base/slice.h"

/* code 200..599; status ("2.1.0") may be NULL or empty (greeting, EHLO, 3xx). Each LF in text starts a new
 * line; too long ones are broken. */
void reply_append(struct buf *out, int code, const char *status, struct slice text);

#define REPLY_STATUS_MAX 12    /* "5.999.999" and its NUL */
#define REPLY_TEXT_MAX 8192    /* kept text of one reply, the largest EHLO included; the rest is left out */
#define REPLY_LINE_MAX 2048    /* a peer's line; longer is no SMTP */
#define REPLY_OCTETS_MAX 65536 /* one reply in all */

enum reply_progress {
	REPLY_MORE = 0, /* all whole lines are consumed; more bytes are needed */
	REPLY_DONE,	/* the reply is complete; *in starts behind it */
	REPLY_GARBAGE,	/* not SMTP, codes that differ between lines, or too long: close the connection */
};
/* One reply being read: zeroed memory at first, reply_init() before each reply, reply_deinit() at the end. */
struct reply {
	int code;		       /* 200..599, valid at REPLY_DONE */
	char status[REPLY_STATUS_MAX]; /* enhanced status of the same class as code, else "" */
	struct buf text; /* lines joined by LF, without code and enhanced status; controls replaced by '?' */
	size_t octets;
	size_t n_lines;
};
void reply_init(struct reply *r); /* also empties a used one */
void reply_deinit(struct reply *r);
/* in: bytes as they came; bytes of an unfinished line stay in *in and must be given again with more. */
MUST_USE enum reply_progress reply_read(struct reply *r, struct slice *in);
/* "550 5.1.1 text text" in one line, for logs, mailq and Diagnostic-Code; at most LIMIT_REASON octets. */
void reply_describe(const struct reply *r, struct buf *out);
/* What a host said, as it is kept with a recipient: "host NAME said: 550 5.1.1 text (in reply to COMMAND)".
 */
void reply_quote(const struct reply *r, struct slice host, const char *command, struct buf *out);
/* Finds such words in text, whatever stands before them ("gave up after ...: "): NAME, and the reply alone.
 * False: text has none, it is all our own. The reply may be cut short; the outputs point into text. */
MUST_USE bool reply_unquote(struct slice text, struct slice *host_out, struct slice *reply_out);
