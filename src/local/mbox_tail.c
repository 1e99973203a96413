/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbox_tail.c - see mbox_tail.h
 *
 * A copy counts as complete when every byte is there, or when the marked part (trace headers with the queue
 * id) is there and it is not cut off at the end: mail readers add Status fields to a mail in place.
 */
#include "local/mbox_tail.h"

/* A zero: what was before it a power cut has taken. */
static bool begins_line(struct slice window, bool is_whole, size_t at)
{
	return at == 0 ? is_whole : window.at[at - 1] == '\n' || window.at[at - 1] == '\0';
}

/* Whether part, at most as long as the text, is the text's beginning, whatever its date. */
static bool is_beginning(struct slice part, const struct mbox_text *t)
{
	struct slice text = buf_slice(&t->text);
	size_t date_end = t->date_at + MBOX_DATE_BYTES;

	if (part.len > text.len || memcmp(part.at, text.at, MIN(part.len, t->date_at)) != 0)
		return false;
	return part.len <= date_end ||
		memcmp(part.at + date_end, text.at + date_end, part.len - date_end) == 0;
}

/* Where text[from, to) stands in the window as part of a copy whose From_ line is there too; window.len when
 * nowhere. The result is where the copy begins. */
static size_t find_copy(struct slice window, bool is_whole, const struct mbox_text *t, size_t to)
{
	size_t from = t->date_at + MBOX_DATE_BYTES;
	struct slice rest = slice_from(window, from);
	const char *hit;

	while ((hit = memmem(rest.at, rest.len, t->text.at + from, to - from))) {
		size_t start = (size_t)(hit - window.at) - from;
		if (begins_line(window, is_whole, start) &&
			is_beginning(slice_first(slice_from(window, start), to), t))
			return start;
		rest = slice_from(window, (size_t)(hit - window.at) + 1);
	}
	return window.len;
}

/* Where a cut-off copy begins that reaches up to the end of the window; window.len when there is none. */
static size_t find_cut_copy(struct slice window, bool is_whole, const struct mbox_text *t)
{
	size_t at = window.len > t->text.len ? window.len - t->text.len : 0;

	for (; at < window.len; at++) {
		const char *hit = memchr(window.at + at, 'F', window.len - at);
		if (!hit)
			break;
		at = (size_t)(hit - window.at);
		if (begins_line(window, is_whole, at) && is_beginning(slice_from(window, at), t))
			return at;
	}
	return window.len;
}

static struct slice without_zeros_at_end(struct slice s)
{
	while (s.len && s.at[s.len - 1] == '\0')
		s.len--;
	return s;
}

struct mbox_tail mbox_tail_examine(struct slice window, bool is_whole, const struct mbox_text *t)
{
	struct slice sound = without_zeros_at_end(window);
	size_t start = find_copy(window, is_whole, t, t->text.len);

	if (start < window.len) {
		/* Its own end may be zeros, but it ends in a line end: what follows it is not its own. */
		return (struct mbox_tail){ .is_delivered = true, .keep = sound.len };
	}
	start = find_cut_copy(sound, is_whole, t);
	if (start < sound.len)
		return (struct mbox_tail){ .keep = start };
	if (t->mark_end && find_copy(sound, is_whole, t, t->mark_end) < sound.len)
		return (struct mbox_tail){ .is_delivered = true, .keep = sound.len };
	return (struct mbox_tail){ .keep = sound.len };
}
