/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dot.c - see dot.h
 *
 * The decoder works on runs that memchr finds (to the next LF, to the next CR), never byte by byte; a state
 * is kept only for what a chunk's end can cut: a CR whose LF may follow, and a dot at the start of a line.
 */
#include "mail/dot.h"
#include "mail/chars.h"

enum dot_state {
	DOT_AT_START = 0, /* at the start of a line, behind CRLF or at the very beginning */
	DOT_AT_START_LF,  /* at the start of a line, behind a bare LF: no end of DATA may begin here */
	DOT_IN_LINE,	  /* somewhere in a line */
	DOT_IN_LINE_CR,	  /* a CR was read, held back until the next byte is seen */
	DOT_ONE,	  /* CRLF "." was read; the dot is held back */
	DOT_ONE_CR,	  /* CRLF "." CR was read; both are held back */
	DOT_ONE_LF,	  /* bare LF "." was read; the dot is held back */
};

static void emit(struct dot_decoder *d, struct slice run, struct buf *out)
{
	d->line_len += run.len;
	d->size += run.len;
	if (!out || d->findings & DOT_OUT_FULL)
		return;
	buf_append(out, run);
	if (!buf_ok(out))
		d->findings |= DOT_OUT_FULL;
}

static void emit_bare_cr(struct dot_decoder *d, struct buf *out)
{
	d->findings |= DOT_BARE_CR;
	emit(d, SLICE("\r"), out);
}

/* The line ends; the run before it has been emitted. */
static void emit_line_end(struct dot_decoder *d, bool has_cr, struct buf *out)
{
	if (d->line_max && d->line_len > d->line_max)
		d->findings |= DOT_LONG_LINE;
	if (!has_cr)
		d->findings |= DOT_BARE_LF;
	emit(d, SLICE("\n"), out);
	d->size += has_cr;
	d->line_len = 0;
	d->state = has_cr ? DOT_AT_START : DOT_AT_START_LF;
}

/* NUL and 8-bit, eight bytes at a time; what is looked at may lie behind the end of DATA, so the caller calls
 * this only for content. */
static unsigned find_odd_bytes(struct slice s)
{
	unsigned char any = 0;
	uint64_t all = 0, word;
	size_t i = 0;

	for (; i + sizeof(word) <= s.len; i += sizeof(word)) {
		memcpy(&word, s.at + i, sizeof(word));
		all |= word;
	}
	for (; i < s.len; i++)
		any |= (unsigned char)s.at[i];
	return (slice_find(s, '\0') < s.len ? DOT_NUL : 0) |
		((all & 0x8080808080808080u) || (any & 0x80) ? DOT_8BIT : 0);
}

/* A run within a line: up to the LF, or all of it. A CR at its very end is held back. */
static struct slice take_run(struct dot_decoder *d, struct slice in, struct buf *out)
{
	size_t end = slice_find(in, '\n');
	bool has_lf = end < in.len;
	struct slice run = slice_first(in, end);
	bool has_cr = run.len && run.at[run.len - 1] == '\r';

	if (has_cr)
		run.len--;
	if (slice_find(run, '\r') < run.len)
		d->findings |= DOT_BARE_CR;
	emit(d, run, out);
	if (has_lf)
		emit_line_end(d, has_cr, out);
	else
		d->state = has_cr ? DOT_IN_LINE_CR : DOT_IN_LINE;
	return slice_from(in, end + has_lf);
}

/* Behind a held back CR. */
static struct slice take_after_cr(struct dot_decoder *d, struct slice in, struct buf *out)
{
	if (slice_skip(&in, '\n')) {
		emit_line_end(d, true, out);
		return in;
	}
	emit_bare_cr(d, out);
	d->state = DOT_IN_LINE;
	return in;
}

/* Behind a held back dot at the start of a line. It is removed when something else than a line end follows,
 * as the sender doubled it; before a bare line end it is content, since this is not the end. */
static struct slice take_after_dot(struct dot_decoder *d, struct slice in, struct buf *out)
{
	if (d->state == DOT_ONE && slice_skip(&in, '\r')) {
		d->state = DOT_ONE_CR;
		return in;
	}
	if (in.at[0] == '\n' || in.at[0] == '\r')
		emit(d, SLICE("."), out);
	d->state = DOT_IN_LINE;
	return in;
}

static struct slice take_at_start(struct dot_decoder *d, struct slice in)
{
	enum dot_state dotted = d->state == DOT_AT_START ? DOT_ONE : DOT_ONE_LF;

	d->state = slice_skip(&in, '.') ? dotted : DOT_IN_LINE;
	return in;
}

/* Behind CRLF "." CR: true when this is the end. Otherwise both held back bytes are content. */
static bool take_end(struct dot_decoder *d, struct slice *in, struct buf *out)
{
	if (slice_skip(in, '\n'))
		return true;
	emit(d, SLICE("."), out);
	emit_bare_cr(d, out);
	d->state = DOT_IN_LINE;
	return false;
}

bool dot_decode(struct dot_decoder *d, struct slice *in, struct buf *out)
{
	const char *start = in->at;
	bool has_ended = false;

	while (in->len && !has_ended) {
		switch ((enum dot_state)d->state) {
		case DOT_AT_START:
		case DOT_AT_START_LF: *in = take_at_start(d, *in); break;
		case DOT_IN_LINE: *in = take_run(d, *in, out); break;
		case DOT_IN_LINE_CR: *in = take_after_cr(d, *in, out); break;
		case DOT_ONE:
		case DOT_ONE_LF: *in = take_after_dot(d, *in, out); break;
		case DOT_ONE_CR: has_ended = take_end(d, in, out); break;
		}
	}
	d->findings |= find_odd_bytes((struct slice){ start, (size_t)(in->at - start) });
	return has_ended;
}

/* The part of a line that has neither CR, LF nor NUL, broken where the line would get too long. */
static void encode_run(struct dot_encoder *e, struct slice run, struct buf *out)
{
	while (run.len) {
		size_t n = run.len;
		if (!e->in_line) {
			if (run.at[0] == '.')
				buf_append_byte(out, '.');
			e->in_line = true;
			e->line_len = 0;
		}
		if (e->line_max && e->line_len == e->line_max) {
			buf_append_str(out, "\r\n ");
			e->line_len = 1;
		}
		if (e->line_max)
			n = MIN(n, e->line_max - e->line_len);
		buf_append(out, slice_first(run, n));
		e->line_len += n;
		run = slice_from(run, n);
	}
}

static void encode_line_end(struct dot_encoder *e, struct buf *out)
{
	buf_append_str(out, "\r\n");
	e->in_line = false;
	e->line_len = 0;
}

/* A line's inside: each CR and NUL becomes a space. The common line has none. */
static void encode_line(struct dot_encoder *e, struct slice line, struct buf *out)
{
	while (line.len) {
		size_t cr = slice_find(line, '\r');
		size_t n = slice_find(slice_first(line, cr), '\0');
		encode_run(e, slice_first(line, n), out);
		if (n < line.len)
			encode_run(e, SLICE(" "), out);
		line = slice_from(line, n + 1);
	}
}

void dot_encode(struct dot_encoder *e, struct slice in, struct buf *out)
{
	while (in.len) {
		size_t end = slice_find(in, '\n');
		bool has_lf = end < in.len;
		struct slice line = slice_first(in, end);
		if (e->held_cr && line.len)
			encode_run(e, SLICE(" "), out);
		e->held_cr = e->held_cr && line.len == 0;
		if (line.len && line.at[line.len - 1] == '\r') {
			line.len--;
			e->held_cr = true;
		}
		encode_line(e, line, out);
		if (has_lf) {
			encode_line_end(e, out);
			e->held_cr = false; /* dropped: it belonged to the line end */
		}
		in = slice_from(in, end + has_lf);
	}
}

void dot_encode_end(struct dot_encoder *e, struct buf *out)
{
	if (e->in_line || e->held_cr)
		encode_line_end(e, out);
	e->held_cr = false;
	buf_append_str(out, ".\r\n");
}
