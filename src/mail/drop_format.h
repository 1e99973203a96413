/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop_format.h - a message in the drop directory: envelope lines, content, proof of completeness
 *
 *	postrider-drop 1
 *	id SUBMISSION-ID
 *	sender REVERSE-PATH             (bare; nothing behind the blank for null)
 *	ret FULL | envid XTEXT | body 8BITMIME | smtputf8      (each at most once, may be missing)
 *	protocol WORD | client ADDRESS | name HOST | interface ADDRESS               (the same)
 *	to NOTIFY ORCPT FORWARD-PATH    (one or more; NOTIFY a number, "-" without ORCPT)
 *	content
 *	...the content, LF lines...
 *	end LENGTH CRC32C               (preceded by a LF of its own; LENGTH of the content in decimal, CRC in
 *	                                 8 hexadecimal digits over everything before that LF)
 *
 * Written by sendmail, read by queue, which believes nothing of it without the owner's uid. Layer: mail.
 * Tests: test_drop_format.c, fuzz_drop_format.c.
 */
#pragma once
#include "mail/envelope_options.h"
#include "mail/trace.h"

#define DROP_ID_MAX 64		   /* submission id: 1..64 of [0-9A-Za-z.-] */
#define DROP_RECIPIENTS_MAX 100000 /* of one message */

struct drop_envelope {
	struct slice submission_id;
	struct slice sender; /* empty: null */
	enum ret ret;
	struct slice envid; /* xtext; empty: none */
	enum body_type body;
	bool smtputf8;
	struct trace_client client; /* words without blanks */
};
struct drop_recipient {
	struct slice address;
	unsigned notify;
	struct slice orcpt; /* "type;xtext"; empty: none */
};

/* Writing, in this order: begin, recipient (one or more), content, data..., end. What a call appends to *out
 * goes to the file as it is; content bytes are written by the caller and shown to drop_encode_data(). The
 * fields are the caller's checked values: control characters in them are a bug (CHECK). */
struct drop_encoder {
	uint32_t crc;
	uint64_t content_len;
};
#define DROP_ENCODER_INIT ((struct drop_encoder){ 0 })
void drop_encode_begin(struct drop_encoder *e, const struct drop_envelope *envelope, struct buf *out);
void drop_encode_recipient(struct drop_encoder *e, const struct drop_recipient *rcpt, struct buf *out);
void drop_encode_content(struct drop_encoder *e, struct buf *out);
void drop_encode_data(struct drop_encoder *e, struct slice bytes);
void drop_encode_end(const struct drop_encoder *e, struct buf *out);

enum drop_status {
	DROP_OK = 0,
	DROP_NOT_OURS,	  /* no "postrider-drop" line */
	DROP_BAD_VERSION, /* a version that this program does not know */
	DROP_BAD_LINE,	  /* an envelope line that is unknown, repeated, out of order or has a bad value */
	DROP_BAD_ADDRESS, /* an address with control characters or above LIMIT_ADDRESS */
	DROP_NO_RECIPIENT,
	DROP_TOO_MANY,	 /* DROP_RECIPIENTS_MAX */
	DROP_INCOMPLETE, /* no end line, or the length differs */
	DROP_DAMAGED,	 /* CRC differs */
	DROP_STATUS_COUNT
};
const char *drop_status_text(enum drop_status status);

struct drop_message {
	struct drop_envelope envelope;
	struct slice recipients; /* the "to" lines, for drop_recipient_next() */
	size_t n_recipients;
	struct slice content;
};
/* file: the whole file. Checks everything, recipients included. */
MUST_USE enum drop_status drop_decode(struct slice file, struct drop_message *out);
/* Walks drop_message.recipients; false at the end. */
bool drop_recipient_next(struct slice *recipients, struct drop_recipient *rcpt_out);
