/* SPDX-License-Identifier: Apache-2.0 */
/* mbox_history.c - see mbox_history.h; one pass over the window, then a search in sorted ids for each mail */
#include "local/mbox_history.h"
#include "mail/queue_id.h"

struct mbox_mail {
	uint64_t queue_id;
	size_t received_at, end; /* in the window */
};

/* What we put above a mail's own header; see trace_append_delivery(). */
static const char *const trace_fields[] = { "Return-Path:", "X-Original-To:", "Delivered-To:" };

static bool is_trace_line(struct slice line)
{
	for (size_t i = 0; i < ARRAY_LEN(trace_fields); i++)
		if (slice_starts(line, slice_of(trace_fields[i])))
			return true;
	return false;
}

/* The id behind the word "id" in the field that *rest begins with. */
static bool received_id(struct slice rest, uint64_t *id_out)
{
	struct slice line, word = SLICE("id ");
	bool is_first = true;

	while (slice_next_line(&rest, &line) && (is_first || slice_starts(line, SLICE("\t")))) {
		const char *hit;
		struct slice left = line;
		is_first = false;
		while ((hit = memmem(left.at, left.len, word.at, word.len))) {
			left = slice_from(left, (size_t)(hit - left.at) + word.len);
			if (queue_id_parse(slice_first(left, QUEUE_ID_LEN), id_out))
				return true;
		}
	}
	return false;
}

/* mail begins with its From_ line. */
static bool mail_identify(struct slice window, struct slice mail, struct mbox_mail *out)
{
	struct slice rest = mail, line, before;

	(void)slice_next_line(&rest, &line); /* the From_ line */
	do
		before = rest;
	while (slice_next_line(&rest, &line) && is_trace_line(line));
	if (memchr(mail.at, '\0', (size_t)(before.at - mail.at)))
		return false; /* what is there are parts of two */
	if (!slice_starts(before, SLICE("Received: ")) || !received_id(before, &out->queue_id))
		return false;
	out->received_at = (size_t)(before.at - window.at);
	while (mail.at[mail.len - 1] == '\0') /* room of one behind it that a power cut has taken */
		mail.len--;
	out->end = (size_t)(mail.at + mail.len - window.at);
	return true;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct mbox_mail *)a)->queue_id, y = ((const struct mbox_mail *)b)->queue_id;

	return x < y ? -1 : x > y;
}

/* The next place behind from where a From_ line begins; window.len when there is none. A zero before it: what
 * was there a power cut has taken. */
static size_t next_start(struct slice window, size_t from)
{
	static const char start[] = "From ";
	const char *hit;

	for (size_t at = from + 1; at < window.len; at++) {
		hit = memmem(window.at + at, window.len - at, start, sizeof(start) - 1);
		if (!hit)
			break;
		at = (size_t)(hit - window.at);
		if (hit[-1] == '\n' || hit[-1] == '\0')
			return at;
	}
	return window.len;
}

static void history_add(struct mbox_history *h, size_t *cap, const struct mbox_mail *mail)
{
	if (h->n == *cap) {
		size_t more = *cap ? *cap * 2 : 256;
		struct mbox_mail *grown = mem_new_array(more, sizeof(*grown));
		if (h->n)
			memcpy(grown, h->mails, h->n * sizeof(*grown));
		mem_free(h->mails);
		h->mails = grown;
		*cap = more;
	}
	h->mails[h->n++] = *mail;
}

void mbox_history_build(struct mbox_history *h, struct slice window, bool is_whole)
{
	size_t cap = 0, at = is_whole && slice_starts(window, SLICE("From ")) ? 0 : next_start(window, 0);

	*h = (struct mbox_history){ .window = window };
	while (at < window.len) {
		size_t end = next_start(window, at);
		struct mbox_mail mail;
		if (mail_identify(window, slice_from(slice_first(window, end), at), &mail))
			history_add(h, &cap, &mail);
		at = end;
	}
	if (h->n)
		qsort(h->mails, h->n, sizeof(*h->mails), by_id);
}

/* The text behind the header, with the empty line before it. */
static struct slice body_of(struct slice text)
{
	const char *hit = memmem(text.at, text.len, "\n\n", 2);

	return hit ? slice_from(text, (size_t)(hit - text.at)) : SLICE_EMPTY;
}

static bool is_copy(const struct mbox_history *h, const struct mbox_mail *mail, const struct mbox_text *t)
{
	struct slice there = slice_from(slice_first(h->window, mail->end), mail->received_at);
	struct slice text = buf_slice(&t->text), body = body_of(text);
	struct slice mark = slice_from(slice_first(text, t->mark_end), t->content_at);

	return slice_starts(there, mark) && there.len >= mark.len + body.len && body.len &&
		memcmp(there.at + there.len - body.len, body.at, body.len) == 0;
}

bool mbox_history_has(const struct mbox_history *h, const struct mbox_text *t)
{
	size_t low = 0, high = h->n;

	if (t->mark_end == 0)
		return false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (h->mails[middle].queue_id < t->queue_id)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < h->n && h->mails[low].queue_id == t->queue_id; low++)
		if (is_copy(h, &h->mails[low], t))
			return true;
	return false;
}

void mbox_history_free(struct mbox_history *h)
{
	mem_free(h->mails);
	*h = (struct mbox_history){ 0 };
}
