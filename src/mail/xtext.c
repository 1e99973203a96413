/* SPDX-License-Identifier: Apache-2.0 */
/* xtext.c - see xtext.h */
#include "mail/xtext.h"

static bool is_xchar(char c)
{
	return c >= '!' && c <= '~' && c != '+' && c != '=';
}

static int hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One character from the front of *text; -1 when there is none. */
static int xtext_next(struct slice *text)
{
	char c = text->at[0];

	if (c == '+') {
		int high = text->len > 2 ? hex_value(text->at[1]) : -1;
		int low = text->len > 2 ? hex_value(text->at[2]) : -1;
		if (high < 0 || low < 0)
			return -1;
		*text = slice_from(*text, 3);
		return high << 4 | low;
	}
	if (!is_xchar(c))
		return -1;
	*text = slice_from(*text, 1);
	return (unsigned char)c;
}

bool xtext_is_valid(struct slice text)
{
	while (text.len)
		if (xtext_next(&text) < 0)
			return false;
	return true;
}

void xtext_encode(struct slice plain, struct buf *out)
{
	for (size_t i = 0; i < plain.len; i++) {
		if (is_xchar(plain.at[i]))
			buf_append_byte(out, plain.at[i]);
		else
			buf_printf(out, "+%02X", (unsigned char)plain.at[i]);
	}
}

bool xtext_decode(struct slice text, struct buf *out)
{
	if (!xtext_is_valid(text))
		return false;
	while (text.len)
		buf_append_byte(out, (char)xtext_next(&text));
	return buf_ok(out);
}
