/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward_text.c - see forward_text.h
 *
 * A line is a list of its own. Only when a quote is open at its end do following lines that begin with white
 * space belong to it: people break long commands so.
 */
#include "mail/forward_text.h"
#include "mail/chars.h"

#define JOINED_LINES_MAX 100 /* of one item; bounds the time for a quote that never closes */

void forward_text_init(struct forward_text *f, struct slice text)
{
	*f = (struct forward_text){ .rest = text, .line = 1 };
	rhs_init(&f->rhs, SLICE_EMPTY, RHS_HASH_COMMENTS);
}

void forward_text_deinit(struct forward_text *f)
{
	rhs_deinit(&f->rhs);
}

static struct slice first_line(struct slice s) /* with its LF */
{
	size_t n = slice_find(s, '\n');

	return slice_first(s, n < s.len ? n + 1 : n);
}

/* Whether a quote is open behind this line. A comment may hold an apostrophe's worth of quotes. */
static bool leaves_quote_open(struct slice line, bool is_open)
{
	for (size_t i = 0; i < line.len; i++) {
		char before = i ? line.at[i - 1] : ' ';
		if (line.at[i] == '#' && !is_open && (char_is_space(before) || before == ','))
			return false;
		if (line.at[i] == '\\' && is_open)
			i++;
		else if (line.at[i] == '"')
			is_open = !is_open;
	}
	return is_open;
}

/* The next logical line; when the quote never closes, the first physical line alone. */
static struct slice take_lines(struct forward_text *f)
{
	struct slice line = first_line(f->rest);
	size_t used = line.len, lines = 1;
	bool is_open = leaves_quote_open(line, false);

	while (is_open) {
		line = first_line(slice_from(f->rest, used));
		if (lines == JOINED_LINES_MAX || line.len == 0 || (line.at[0] != ' ' && line.at[0] != '\t')) {
			used = first_line(f->rest).len;
			lines = 1;
			break;
		}
		is_open = leaves_quote_open(line, true);
		used += line.len;
		lines++;
	}
	line = slice_first(f->rest, used);
	f->rest = slice_from(f->rest, used);
	f->rhs_line = f->line;
	f->line += lines;
	return line;
}

bool forward_text_next(struct forward_text *f, struct rhs_item *item_out, size_t *line_out)
{
	while (!rhs_next(&f->rhs, item_out)) {
		if (f->rest.len == 0)
			return false;
		f->rhs.text = take_lines(f);
		f->rhs.at = 0;
		f->rhs.has_open_quote = false;
	}
	*line_out = rhs_line(&f->rhs, item_out->offset, f->rhs_line);
	return true;
}

bool forward_text_is_filter(struct slice text)
{
	struct slice line = first_line(text), word;
	bool is_language;

	if (!slice_next_word(&line, &word) || !slice_starts(word, SLICE("#")))
		return false;
	if (word.len == 1 && !slice_next_word(&line, &word))
		return false;
	(void)slice_skip(&word, '#'); /* "#Exim filter" without the blank */
	is_language = slice_eq_nocase(word, SLICE("Exim")) || slice_eq_nocase(word, SLICE("Sieve"));
	return is_language && slice_next_word(&line, &word) && slice_eq_nocase(word, SLICE("filter"));
}
