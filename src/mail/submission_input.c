/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submission_input.c - standard input to LF lines; see submission_headers.h
 *
 * Works in runs up to the next LF. Held back over the end of a chunk: a CR that may belong to a line end, and
 * a dot at the start of a line that may be the end of the input.
 */
#include "mail/submission_headers.h"

enum convention { LINES_UNKNOWN = 0, LINES_LF, LINES_CRLF };
enum held { HELD_NONE = 0, HELD_CR, HELD_DOT, HELD_DOT_CR };

static void emit(struct submission_input *s, struct slice run, struct buf *out)
{
	buf_append(out, run);
	s->in_line = s->in_line || run.len > 0;
}

static void emit_line_end(struct submission_input *s, struct buf *out)
{
	buf_append_byte(out, '\n');
	s->in_line = false;
}

/* What is held back decides itself with the next byte. */
static struct slice take_held(struct submission_input *s, struct slice in, struct buf *out)
{
	static const char *const texts[] = { [HELD_CR] = "\r", [HELD_DOT] = ".", [HELD_DOT_CR] = ".\r" };
	unsigned held = s->held;

	s->held = HELD_NONE;
	if (held == HELD_DOT && in.at[0] == '\r' && s->convention != LINES_LF) {
		s->held = HELD_DOT_CR;
		return slice_from(in, 1);
	}
	if (in.at[0] == '\n' && held == HELD_CR) {
		s->convention = LINES_CRLF;
		emit_line_end(s, out);
		return slice_from(in, 1);
	}
	if (in.at[0] == '\n') {
		s->has_ended = true;
		return slice_from(in, in.len);
	}
	emit(s, slice_of(texts[held]), out);
	return in;
}

static struct slice take_run(struct submission_input *s, struct slice in, struct buf *out)
{
	size_t end = slice_find(in, '\n');
	bool has_lf = end < in.len;
	struct slice run = slice_first(in, end);
	bool has_cr = run.len && run.at[run.len - 1] == '\r';

	if (has_lf && s->convention == LINES_UNKNOWN)
		s->convention = has_cr ? LINES_CRLF : LINES_LF;
	if (has_cr && s->convention != LINES_LF) {
		run.len--;
		s->held = has_lf ? HELD_NONE : HELD_CR;
	}
	emit(s, run, out);
	if (has_lf)
		emit_line_end(s, out);
	return slice_from(in, end + has_lf);
}

bool submission_feed(struct submission_input *s, struct slice chunk, struct buf *out)
{
	while (chunk.len && !s->has_ended) {
		if (s->held != HELD_NONE) {
			chunk = take_held(s, chunk, out);
		} else if (s->dot_ends && !s->in_line && chunk.at[0] == '.') {
			s->held = HELD_DOT;
			chunk = slice_from(chunk, 1);
		} else {
			chunk = take_run(s, chunk, out);
		}
	}
	return buf_ok(out);
}

bool submission_feed_end(struct submission_input *s, struct buf *out)
{
	if (s->held == HELD_CR)
		emit(s, SLICE("\r"), out);
	s->held = HELD_NONE; /* a dot as the last line ends the input, with or without its LF */
	if (s->in_line)
		emit_line_end(s, out);
	return buf_ok(out);
}
