/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dot.h - message content on the wire: DATA with CRLF and dot stuffing, against LF lines inside
 *
 * The decoder ends at CRLF.CRLF and nowhere else (RFC 5321 4.1.1.4; smuggling), also when the content is bad:
 * faults are noted and the session stays in step. Both take chunks split anywhere. Layer: mail.
 * Tests: test_dot.c, fuzz_dot.c.
 */
#pragma once
#include "base/buf.h"

enum dot_finding { /* bits */
	DOT_BARE_CR = 1,
	DOT_BARE_LF = 2,
	DOT_NUL = 4,
	DOT_LONG_LINE = 8, /* above line_max; the line is kept whole */
	DOT_8BIT = 16,
	DOT_OUT_FULL = 32, /* *out did not take everything: its ceiling or memory */
};

struct dot_decoder {
	int state;	   /* enum dot_state in dot.c; 0 at the beginning */
	unsigned findings; /* enum dot_finding */
	uint64_t size;	   /* octets as RFC 1870 counts them: with CRLF, without stuffed dots and the end */
	uint64_t line_len; /* of the line being read, without its end */
	size_t line_max;   /* octets without CRLF; 0 = no limit */
};
#define DOT_DECODER_INIT(max_line) ((struct dot_decoder){ .line_max = (max_line) })

/* True when the end was found: *in starts behind it. False: *in is used up. Content is appended to *out with
 * LF line ends (also for a bare LF; a bare CR is kept); out NULL: it is read past. After DOT_OUT_FULL the
 * rest is read past too. */
MUST_USE bool dot_decode(struct dot_decoder *d, struct slice *in, struct buf *out);

/* LF content to the wire. A lone CR and a NUL become a space, a CR before LF is dropped, lines above
 * line_max are broken with CRLF and a space: nothing that another host could take for a line end gets out. */
struct dot_encoder {
	bool in_line; /* something stands in the current line */
	bool held_cr; /* the chunk ended in a CR whose sense the next byte decides */
	size_t line_len;
	size_t line_max; /* 0 = no limit; LIMIT_TEXT_LINE for hosts that keep to the RFC */
};
#define DOT_ENCODER_INIT(max_line) ((struct dot_encoder){ .line_max = (max_line) })
void dot_encode(struct dot_encoder *e, struct slice in, struct buf *out);
void dot_encode_end(struct dot_encoder *e, struct buf *out); /* ends an open line, then ".CRLF" */
