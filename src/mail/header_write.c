/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header_write.c - fields that we write ourselves: safe, folded, encoded where ASCII does not do; see
 * header.h
 */
#include "base/limits.h"
#include "mail/chars.h"
#include "mail/header.h"

#define FOLD_COLUMN 78	    /* RFC 5322 2.1.1: should */
#define ENCODED_WORD_MAX 75 /* RFC 2047 2: one encoded word, "=?UTF-8?Q?" and "?=" included */

static bool is_plain(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_print(text.at[i]))
			return false;
	return true;
}

void header_mask_text(struct slice text, struct buf *out)
{
	if (is_plain(text)) {
		buf_append(out, text);
		return;
	}
	while (text.len) {
		size_t n = utf8_char_len(text);
		if (n == 0)
			buf_append_byte(out, '?');
		else if (char_is_control(text.at[0]) || utf8_has_c1(slice_first(text, n)))
			buf_append_byte(out, ' ');
		else
			buf_append(out, slice_first(text, n));
		text = slice_from(text, n ? n : 1);
	}
}

void header_safe_text(struct slice text, struct buf *out)
{
	header_mask_text(slice_trim(text), out);
}

/* Words separated by single or several blanks: a fold takes the place of a line break before the blanks, so
 * that unfolding gives the same text again. */
void header_append(struct buf *out, const char *name, struct slice value)
{
	auto_buf struct buf safe = BUF_INIT(out->max);
	size_t column = strlen(name) + 1;
	struct slice rest;

	header_safe_text(value, &safe);
	rest = buf_slice(&safe);
	buf_append_str(out, name);
	buf_append_byte(out, ':');
	for (bool is_first = true; rest.len; is_first = false) {
		size_t blanks = 0, n;
		while (blanks < rest.len && rest.at[blanks] == ' ')
			blanks++;
		n = blanks + slice_find(slice_from(rest, blanks), ' ');
		if (!is_first && column + n > FOLD_COLUMN) {
			buf_append_byte(out, '\n');
			column = 0;
		}
		if (is_first)
			buf_append_byte(out, ' ');
		buf_append(out, slice_first(rest, MIN(n, (size_t)LIMIT_TEXT_LINE - FOLD_COLUMN)));
		column += n + is_first;
		rest = slice_from(rest, n);
	}
	buf_append_byte(out, '\n');
	out->failed = out->failed || !buf_ok(&safe);
}

/* Stands in an encoded word for itself, in phrases too (RFC 2047 5 (3)). */
static bool is_q_plain(char c)
{
	return ascii_is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

/* Appends one character (n bytes) to an encoded word; the first one or one that does not fit opens a word. */
static void append_q_char(struct slice c, size_t *word_len, struct buf *out)
{
	size_t cost = c.len > 1 || (!is_q_plain(c.at[0]) && c.at[0] != ' ') ? 3 * c.len : 1;

	if (*word_len == 0 || *word_len + cost + 2 > ENCODED_WORD_MAX) {
		buf_append_str(out, *word_len ? "?= =?UTF-8?Q?" : "=?UTF-8?Q?");
		*word_len = sizeof("=?UTF-8?Q?") - 1;
	}
	for (size_t i = 0; i < c.len; i++) {
		if (c.at[i] == ' ')
			buf_append_byte(out, '_');
		else if (cost == 1)
			buf_append_byte(out, c.at[i]);
		else
			buf_printf(out, "=%02X", (unsigned char)c.at[i]);
	}
	*word_len += cost;
}

static void append_encoded_words(struct slice text, struct buf *out)
{
	size_t word_len = 0;

	while (text.len) {
		size_t n = utf8_char_len(text);
		CHECK(n > 0); /* the text has been made safe */
		append_q_char(slice_first(text, n), &word_len, out);
		text = slice_from(text, n);
	}
	if (word_len)
		buf_append_str(out, "?=");
}

void header_append_encoded(struct buf *out, struct slice text)
{
	auto_buf struct buf safe = BUF_INIT(out->max);

	header_safe_text(text, &safe);
	if (text_has_8bit(buf_slice(&safe)))
		append_encoded_words(buf_slice(&safe), out);
	else
		buf_append(out, buf_slice(&safe));
	out->failed = out->failed || !buf_ok(&safe);
}

static bool is_phrase_of_atoms(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!char_is_atext(name.at[i]) && name.at[i] != ' ')
			return false;
	return true;
}

void header_append_phrase(struct buf *out, struct slice name)
{
	auto_buf struct buf safe = BUF_INIT(out->max);
	struct slice text;

	header_safe_text(name, &safe);
	text = buf_slice(&safe);
	out->failed = out->failed || !buf_ok(&safe);
	if (text_has_8bit(text)) {
		append_encoded_words(text, out);
	} else if (is_phrase_of_atoms(text)) {
		buf_append(out, text);
	} else {
		buf_append_byte(out, '"');
		for (size_t i = 0; i < text.len; i++) {
			if (text.at[i] == '"' || text.at[i] == '\\')
				buf_append_byte(out, '\\');
			buf_append_byte(out, text.at[i]);
		}
		buf_append_byte(out, '"');
	}
}
