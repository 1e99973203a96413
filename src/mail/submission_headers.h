/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submission_headers.h - what sendmail does to a text on standard input before it is mail
 *
 * Three steps, so that bodies stream: submission_feed() makes LF lines and finds the end of the input;
 * submission_header_find() says when the header is complete; submission_header_build() writes the header that
 * is sent. All other header fields stay byte for byte. Layer: mail. Tests: test_submission_headers.c,
 * fuzz_submission.c.
 */
#pragma once
#include "mail/address.h"

/* CRLF is a line end only when the first line ended so (one convention for the whole text). */
struct submission_input {
	bool dot_ends;	/* set by the caller: a line of one dot ends the input (no -i) */
	bool has_ended; /* that line was seen; what follows is ignored */
	int convention; /* enum in the .c file */
	unsigned held;	/* bytes held back at the end of a chunk: see the .c file */
	bool in_line;
};
/* Appends the chunk to *out with LF line ends. False when *out is full. */
MUST_USE bool submission_feed(struct submission_input *s, struct slice chunk, struct buf *out);
/* At the end of the input: what was held back. */
MUST_USE bool submission_feed_end(struct submission_input *s, struct buf *out);

struct submission_header {
	struct slice fields; /* the header's fields, without leading mbox "From " lines; may be empty */
	size_t body_at;	     /* offset in text where the body begins; the blank line is not part of it */
};
/* text: what submission_feed() made so far; at_end: there is no more. False: more is needed to say. */
MUST_USE bool submission_header_find(struct slice text, bool at_end, struct submission_header *out);

struct submission_facts {
	struct slice from_address; /* for a missing From: the sender, or MAILER-DAEMON@origin for null */
	struct slice from_name;	   /* may be empty, any bytes */
	struct slice message_id;   /* without <> */
	int64_t time_s;		   /* for a missing Date */
};
/* Appends the header to be sent and the blank line behind it: without Bcc, Resent-Bcc, Return-Path and
 * Content-Length; Message-Id, Date and From added at its end where missing (their Resent- forms when any
 * Resent- field is there). */
void submission_header_build(struct slice fields, const struct submission_facts *facts, struct buf *out);

/* Recipients for -t: To, Cc and Bcc; only Resent-To, Resent-Cc and Resent-Bcc when one of these is there. */
struct submission_recipients {
	struct slice rest;
	struct address_list list;
	struct slice field_name; /* of the item given last */
	bool is_resent;
};
void submission_recipients_init(struct submission_recipients *r, struct slice fields);
bool submission_recipients_next(struct submission_recipients *r, struct address_item *item_out);
