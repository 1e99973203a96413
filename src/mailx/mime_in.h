/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mime_in.h - what a message says, as UTF-8 text: decoded, converted, one of several alternatives, a line for
 * each attachment
 *
 * The result still holds whatever characters the author chose: screen_clean() comes behind it. Text in a set
 * that nobody knows is shown as it is, as far as it is ASCII. Layer: mailx. Tests: test_mime.c,
 * fuzz/fuzz_mailx_mime.c.
 */
#pragma once
#include "base/buf.h"

/* The body of a message as people read it. message: header and body, without From_ line. */
void mime_read_text(struct slice message, bool all_alternatives, struct buf *utf8_out);
/* The time that a Date: field says; false when it says none. */
bool mime_read_date(struct slice value, int64_t *time_s_out);
/* An unstructured or structured field's value with its encoded words decoded and its folds joined. */
void mime_read_header(struct slice value, struct buf *utf8_out);

struct mime_part {
	const char *file_name; /* decoded; NULL: it has none. May be anything: see mime_safe_name() */
	const char *type;      /* "text/plain", in lower case */
	bool is_text;	       /* and then content is UTF-8 */
	struct slice content;  /* decoded */
};
/* Called for each leaf in order; false ends the walk. */
typedef bool (*mime_visit)(const struct mime_part *part, void *user);
void mime_walk(struct slice message, mime_visit visit, void *user);

/* Base name of what a sender called a file: never a path, hidden file or pipe, no control characters; empty
 * when nothing is left of it. */
void mime_safe_name(struct slice file_name, struct buf *out);
/* Bytes in charset as UTF-8; what cannot be converted becomes U+FFFD. */
void mime_to_utf8(struct slice bytes, const char *charset, struct buf *utf8_out);
