/* SPDX-License-Identifier: Apache-2.0 */
/* mbox_text.c - see mbox_text.h */
#include "local/mbox_text.h"
#include "base/limits.h"
#include "mail/trail.h"
#include "mail/header.h"
#include "mail/queue_id.h"
#include "mail/trace.h"

#define HEADERS_MAX ((LIMIT_TRAIL + 4) * (LIMIT_PATH + 32)) /* what we put before the content */

/* s begins at the start of a line. A run of '>' is looked at once: it ends at the hit. */
static void append_quoted(struct buf *out, const struct mbox_delivery *d, struct slice s)
{
	static const char from[] = "From ";
	const size_t n = sizeof(from) - 1;
	const char *done = s.at, *end = s.at + s.len, *hit = s.at;

	while ((hit = memmem(hit, (size_t)(end - hit), from, n))) {
		const char *line = hit;
		while (d->is_mboxrd && line > s.at && line[-1] == '>')
			line--;
		if (line == s.at || line[-1] == '\n') {
			buf_append(out, (struct slice){ done, (size_t)(line - done) });
			buf_append_byte(out, '>');
			done = line;
		}
		hit += n;
	}
	buf_append(out, (struct slice){ done, (size_t)(end - done) });
}

static void append_piece(struct buf *out, const struct mbox_delivery *d, const char *from, const char *to)
{
	struct slice piece = { from, (size_t)(to - from) };

	if (d->style == MBOX_STYLE_MBOX)
		append_quoted(out, d, piece);
	else
		buf_append(out, piece);
}

/* The content without a Return-Path of another host: ours above is the one that counts (RFC 5321 4.4). */
static void append_content(struct buf *out, const struct mbox_delivery *d)
{
	struct slice rest = d->content;
	struct header_field field;
	const char *from = d->content.at;

	while (header_find(&rest, SLICE("Return-Path"), &field)) {
		append_piece(out, d, from, field.raw.at);
		from = field.raw.at + field.raw.len;
	}
	append_piece(out, d, from, d->content.at + d->content.len);
	if (d->style != MBOX_STYLE_MBOX)
		return;
	if (out->len && out->at[out->len - 1] != '\n')
		buf_append_byte(out, '\n');
	buf_append_byte(out, '\n');
}

static void append_trace(struct buf *out, const struct mbox_delivery *d)
{
	struct slice older[LIMIT_TRAIL], rest = d->trail;
	struct trail_step step;
	struct trace_delivery t = { .sender = d->sender,
		.original_to = d->original_to,
		.delivered_to = trail_delivered_to(d->trail, d->forward_path),
		.trail = older };

	(void)trail_next(&rest, &step); /* the first one is in delivered_to already */
	while (t.n_trail < ARRAY_LEN(older) && trail_next(&rest, &step))
		older[t.n_trail++] = step.address;
	trace_append_delivery(out, &t);
}

/* Where the queue id in the Received field at the start of content ends in the text, which has content's
 * first lines unchanged from content_at on. */
static size_t find_mark_end(const struct mbox_delivery *d, size_t content_at)
{
	struct slice rest = d->content, id;
	struct queue_id_text text = queue_id_format(d->queue_id);
	struct header_field field;
	const char *hit;

	id = (struct slice){ text.at, QUEUE_ID_LEN };
	if (!header_next(&rest, &field) || !slice_eq_nocase(field.name, SLICE("Received")))
		return 0;
	hit = memmem(field.raw.at, field.raw.len, id.at, id.len);
	return hit ? content_at + (size_t)(hit - d->content.at) + id.len : 0;
}

bool mbox_text_build(struct mbox_text *t, const struct mbox_delivery *d)
{
	struct buf *out = &t->text;
	/* Quoting adds a byte to at most every sixth. */
	*t = (struct mbox_text){ .text = BUF_INIT(HEADERS_MAX + d->content.len + d->content.len / 4 + 2),
		.queue_id = d->queue_id };
	if (buf_reserve(out, d->content.len + 1024) == NULL)
		return false;
	if (d->style != MBOX_STYLE_MAILDIR)
		trace_append_from_line(out, d->sender, d->time_s);
	if (out->len > MBOX_DATE_BYTES)
		t->date_at = out->len - 1 - MBOX_DATE_BYTES;
	append_trace(out, d);
	t->content_at = out->len;
	append_content(out, d);
	t->mark_end = find_mark_end(d, t->content_at);
	return buf_ok(out);
}

void mbox_text_free(struct mbox_text *t)
{
	buf_free(&t->text);
}
