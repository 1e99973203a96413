/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mime_out.h - a draft as a message: header in the order that readers know, text in a safe encoding,
 * attachments
 *
 * Date, To, Cc, Subject, … User-Agent, MIME-Version, Content-Type, Content-Transfer-Encoding, From; LF line
 * ends; Bcc never. Text stays text whatever bytes it has. Layer: mailx. Tests: test_mime.c,
 * tests/system/test_mail_send.py.
 */
#pragma once
#include "mailx/draft.h"

struct attachment {
	const char *name; /* as the receiver sees it */
	struct slice content;
	bool is_message; /* message/rfc822, as it is (RFC 2046, 5.2.1: no encoding) */
};

/* n attachments have been read already. False when it does not fit in memory. */
MUST_USE bool mime_write(struct mailx *mx, const struct draft *d, const struct attachment *attachments,
	size_t n, int64_t now_s, struct buf *out);

/* What bytes are like, which decides how they travel. */
struct text_traits {
	bool has_8bit, has_nul, has_cr, has_control;
	bool has_from;	/* a line begins with "From " */
	bool is_utf8;	/* also when it is ASCII */
	bool ends_line; /* the last byte is LF, or there is none */
	size_t longest; /* line, in bytes */
};
struct text_traits mime_traits(struct slice bytes);
/* The type of a file by its name, else by its content; valid until the next call. */
const char *mime_type_of_file(struct mailx *mx, const char *name, struct slice content);
