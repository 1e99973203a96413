/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbox_torn.c - see mbox_torn.h
 *
 * Each hole gives guesses where a copy begins: at the hole; at a From_ line before it; as far before its end
 * as the bytes behind it stand in the text; a text's length before the next mail. A guess is compared with
 * the text byte by byte.
 */
#include "local/mbox_torn.h"
#include "mail/queue_id.h"

#define SECTOR 512
#define ANCHOR 64    /* bytes behind a hole that are looked for in the text */
#define OWN_BYTES 64 /* behind the queue id: as many are no other mail's */
#define GUESSES 1000 /* in all: lines that repeat are no way to find a place */

static const struct slice from_word = SLICE("From ");

/* ---- holes ---- */

struct hole {
	size_t from, to; /* in the window */
};

static size_t zeros_end(struct slice window, size_t at)
{
	while (at < window.len && window.at[at] == '\0')
		at++;
	return at;
}

/* The first one that ends behind at. */
static bool next_hole(struct slice window, size_t at, struct hole *out)
{
	const char *hit = at < window.len ? memchr(window.at + at, '\0', window.len - at) : NULL;

	if (!hit)
		return false;
	out->from = (size_t)(hit - window.at);
	out->to = zeros_end(window, out->from);
	return true;
}

size_t mbox_first_hole(struct slice window)
{
	struct hole first;

	return next_hole(window, 0, &first) ? first.from : window.len;
}

/* ---- one guess ---- */

static bool begins_line(const struct mbox_end *end, size_t at)
{
	return at == 0 ? end->offset == 0 : end->window.at[at - 1] == '\n';
}

static bool is_sector_edge(const struct mbox_end *end, size_t at)
{
	return (end->offset + at) % SECTOR == 0;
}

static bool is_of_text(const struct mbox_text *t, size_t i, char c)
{
	return c == t->text.at[i] || (i >= t->date_at && i < t->date_at + MBOX_DATE_BYTES);
}

/* The text stands at start, but for holes of whole sectors, and for what is behind the window's end. What is
 * left may fit many texts, whose first lines are alike: *is_sure_out: it is this one, or of its length. */
static bool is_torn_copy(
	const struct mbox_end *end, size_t start, const struct mbox_text *t, bool *is_sure_out)
{
	struct slice copy = slice_first(slice_from(end->window, start), t->text.len);
	size_t n_left = 0, n_own = 0, n_id = 0, n_holes = 0, i = 0;

	while (i < copy.len) {
		size_t hole_end = zeros_end(copy, i);
		if (hole_end == i) {
			if (!is_of_text(t, i, copy.at[i]))
				return false;
			n_left++;
			n_own += i >= t->mark_end;
			n_id += i < t->mark_end && i + QUEUE_ID_LEN >= t->mark_end;
			i++;
			continue;
		}
		if ((i && !is_sector_edge(end, start + i)) ||
			(hole_end < copy.len && !is_sector_edge(end, start + hole_end)))
			return false;
		n_holes++;
		i = hole_end;
	}
	*is_sure_out = n_id == QUEUE_ID_LEN || n_own >= OWN_BYTES || start + t->text.len == end->window.len ||
		slice_starts(slice_from(end->window, start + t->text.len), from_word);
	return n_left && n_holes;
}

/* ---- guesses ---- */

struct guesses {
	const struct mbox_end *end;
	const struct mbox_text *t;
	size_t lines_seen; /* From_ lines before it have been tried */
	unsigned n_left;
	bool must_be_sure;
};

static bool is_right(struct guesses *g, size_t start)
{
	bool is_sure;

	if (g->n_left == 0)
		return false;
	g->n_left--;
	return is_torn_copy(g->end, start, g->t, &is_sure) && (is_sure || !g->must_be_sure);
}

static size_t at_a_line_before(struct guesses *g, const struct hole *hole)
{
	struct slice window = g->end->window;
	size_t at = MAX(g->lines_seen, hole->from > g->t->text.len ? hole->from - g->t->text.len : 0);
	const char *hit;

	g->lines_seen = hole->from;
	while (at < hole->from &&
		(hit = memmem(window.at + at, hole->from - at, from_word.at, from_word.len))) {
		at = (size_t)(hit - window.at);
		if (begins_line(g->end, at) && is_right(g, at))
			return at;
		at++;
	}
	return window.len;
}

/* at: where bytes of the text stand, up to the next hole. */
static size_t before_an_anchor(struct guesses *g, size_t at)
{
	struct slice window = g->end->window, text = buf_slice(&g->t->text);
	struct slice anchor = slice_first(slice_from(window, at), ANCHOR);
	size_t from = 1;
	const char *hit;

	anchor.len = strnlen(anchor.at, anchor.len);
	while (anchor.len && g->n_left && from < text.len &&
		(hit = memmem(text.at + from, text.len - from, anchor.at, anchor.len))) {
		size_t before = (size_t)(hit - text.at);
		if (before <= at && is_right(g, at - before))
			return at - before;
		from = before + 1;
	}
	return window.len;
}

/* Of that word a part may be left. */
static size_t at_hole(struct guesses *g, const struct hole *hole)
{
	struct slice window = g->end->window;

	for (size_t n = 0; n < from_word.len && n <= hole->from; n++) {
		size_t at = hole->from - n;
		if (memcmp(window.at + at, from_word.at, n) == 0 && begins_line(g->end, at) &&
			is_right(g, at))
			return at;
	}
	return window.len;
}

/* What is left of its end is short, and another mail stands behind it, or nothing. */
static size_t before_its_end(struct guesses *g, const struct hole *hole)
{
	struct slice window = g->end->window, rest = slice_from(window, hole->to);
	const char *hit = memmem(rest.at, rest.len, "\nFrom ", from_word.len + 1);
	size_t end = hit ? (size_t)(hit - window.at) + 1 : window.len;

	return end >= g->t->text.len && is_right(g, end - g->t->text.len) ? end - g->t->text.len : window.len;
}

/* Of the guesses the first that is right. */
static size_t guess(struct guesses *g, const struct hole *hole)
{
	struct slice window = g->end->window, behind = slice_from(window, hole->to);
	size_t start = at_a_line_before(g, hole);

	if (start == window.len)
		start = at_hole(g, hole);
	if (start == window.len)
		start = before_an_anchor(g, hole->to);
	if (start == window.len) /* the rest of that line may be a date */
		start = before_an_anchor(g, hole->to + MIN(slice_find(behind, '\n') + 1, behind.len));
	if (start == window.len)
		start = before_its_end(g, hole);
	return start;
}

static size_t find(struct guesses *g)
{
	struct slice window = g->end->window;
	struct hole hole;

	for (size_t at = g->end->first_hole; g->n_left && next_hole(window, at, &hole); at = hole.to) {
		size_t start = guess(g, &hole);
		if (start < window.len)
			return start;
	}
	return window.len;
}

bool mbox_whole_is_there(const struct mbox_end *end, const struct mbox_text *t)
{
	size_t date_end = t->date_at + MBOX_DATE_BYTES;
	struct slice own = slice_from(buf_slice(&t->text), date_end),
		     rest = slice_from(end->window, date_end);
	const char *hit;

	while ((hit = memmem(rest.at, rest.len, own.at, own.len))) {
		if (memcmp(hit - date_end, t->text.at, t->date_at) == 0)
			return true;
		rest = slice_from(rest, (size_t)(hit - rest.at) + 1);
	}
	return false;
}

size_t mbox_torn_find(const struct mbox_end *end, const struct mbox_text *t)
{
	struct guesses g = { .end = end, .t = t, .n_left = GUESSES, .must_be_sure = true };

	return find(&g);
}

/* Zeros alone, with a mail behind them. */
static bool is_gap(const struct mbox_end *end, const struct hole *hole, size_t n)
{
	return begins_line(end, hole->from) && hole->to - hole->from >= n &&
		slice_starts(slice_from(end->window, hole->to), from_word);
}

size_t mbox_gap_find(const struct mbox_end *end, const struct mbox_text *t)
{
	struct guesses g = { .end = end, .t = t, .n_left = GUESSES };
	size_t start = find(&g);
	struct hole hole;

	for (size_t at = end->first_hole; start == end->window.len && next_hole(end->window, at, &hole);
		at = hole.to)
		if (is_gap(end, &hole, t->text.len))
			start = hole.from;
	return start;
}
