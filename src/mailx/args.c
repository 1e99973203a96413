/* SPDX-License-Identifier: Apache-2.0 */
/* args.c - see args.h */
#include "mailx/args.h"
#include "mailx/ceilings.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* *s stands behind the opening quote; moves behind the closing one. */
static bool args_quoted(struct slice *s, char quote, struct buf *word_out)
{
	while (s->len) {
		char c = s->at[0];
		*s = slice_from(*s, 1);
		if (c == quote)
			return true;
		if (c == '\\' && quote == '"' && s->len) {
			c = s->at[0];
			*s = slice_from(*s, 1);
		}
		buf_append_byte(word_out, c);
	}
	return false;
}

enum args_result args_next(struct slice *line, struct buf *word_out)
{
	struct slice s = *line;

	buf_clear(word_out);
	slice_skip_blanks(&s);
	if (s.len == 0)
		return ARGS_END;
	while (s.len && !is_blank(s.at[0])) {
		char c = s.at[0];
		s = slice_from(s, 1);
		if (c == '\'' || c == '"') {
			if (!args_quoted(&s, c, word_out))
				return ARGS_UNCLOSED;
			continue;
		}
		if (c == '\\' && s.len) {
			c = s.at[0];
			s = slice_from(s, 1);
		}
		buf_append_byte(word_out, c);
	}
	*line = s;
	return ARGS_OK;
}

enum args_result args_split(struct slice line, struct strlist *words)
{
	auto_buf struct buf word = BUF_INIT(MAILX_LINE_MAX);
	enum args_result r;

	while ((r = args_next(&line, &word)) == ARGS_OK)
		strlist_add_slice(words, buf_slice(&word));
	return r == ARGS_END ? ARGS_OK : r;
}

static bool is_letter(char c)
{
	return ascii_is_alnum(c) && !ascii_is_digit(c);
}

struct slice args_command(struct slice *line)
{
	struct slice word;
	size_t n = 0;

	slice_skip_blanks(line);
	if (line->len && strchr("!|?#=", line->at[0]) && line->at[0])
		n = 1;
	else
		while (n < line->len && is_letter(line->at[n]))
			n++;
	word = slice_first(*line, n);
	*line = slice_from(*line, n);
	slice_skip_blanks(line);
	return word;
}

bool args_last(struct slice *line, struct buf *word_out)
{
	struct slice rest = *line, before = *line;
	size_t start = 0;

	while (slice_skip_blanks(&rest), rest.len) {
		start = (size_t)(rest.at - line->at);
		if (args_next(&rest, word_out) != ARGS_OK)
			return false;
	}
	if (slice_trim(before).len == 0)
		return false;
	*line = slice_trim(slice_first(*line, start));
	return true;
}
