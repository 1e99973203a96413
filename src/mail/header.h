/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header.h - header sections (LF lines, folded): walking, finding, and writing safe fields of our own
 *
 * Never changes what an author wrote. Layer: mail. Tests: test_header.c, fuzz_header.c.
 */
#pragma once
#include "base/buf.h"

struct header_field {
	struct slice name;  /* without blanks before the colon */
	struct slice value; /* behind the colon, folds included, trimmed */
	struct slice raw;   /* whole, with its line ends */
};

/* Length of the header section: up to and without the blank line, or up to the first line that can be no
 * header. 0: text without header. */
size_t header_length(struct slice message);
/* Cuts message in two; the blank line between belongs to neither. */
void header_split(struct slice message, struct slice *header_out, struct slice *body_out);
/* Whether line (one physical line) begins a field: a name of printable characters, blanks, a colon. */
bool header_is_field(struct slice line);
/* The next field from the front of *rest; false at the end, at a blank line or where no field stands. */
bool header_next(struct slice *rest, struct header_field *field_out);
/* The next field of that name (any case) from *rest on; *rest moves behind it, or to the end. */
bool header_find(struct slice *rest, struct slice name, struct header_field *field_out);
size_t header_count(struct slice header, struct slice name);
/* Whether some Delivered-To field holds exactly that address (domain and local part in any case). */
bool header_has_delivered_to(struct slice header, struct slice address);
/* The value in one line: each fold becomes what followed it. */
void header_unfold(struct slice value, struct buf *out);

/* Text for the inside of a field of ours: controls (CR, LF, NUL, DEL, U+0080 to U+009F) become blanks, bytes
 * that are no UTF-8 become '?'; trimmed. */
void header_safe_text(struct slice text, struct buf *out);
/* The same with the blanks at both ends: what a terminal may be shown of text that somebody else wrote. */
void header_mask_text(struct slice text, struct buf *out);
/* "Name: value\n" of safe text, folded at blanks towards 78 columns; words above 998 octets are cut. */
void header_append(struct buf *out, const char *name, struct slice value);
/* A display name: atoms as they are, else a quoted string, else (8-bit) RFC 2047 encoded words in UTF-8. */
void header_append_phrase(struct buf *out, struct slice name);
/* Unstructured text (Subject): as it is, or RFC 2047 encoded words where 8-bit. */
void header_append_encoded(struct buf *out, struct slice text);
