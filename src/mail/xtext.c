/* SPDX-License-Identifier: Apache-2.0 */
/* xtext.c - see xtext.h */
#include "mail/xtext.h"
#include "mail/chars.h"

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

/* ---- RFC 6533 ---- */

#define POINT_MAX 0x10ffff
#define POINT_DIGITS 6

static bool point_is_valid(uint32_t point)
{
	return point > 0 && point <= POINT_MAX && (point < 0xd800 || point > 0xdfff);
}

static uint32_t point_of(struct slice utf8)
{
	static const unsigned char first_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t point = (unsigned char)utf8.at[0] & first_mask[utf8.len];

	for (size_t i = 1; i < utf8.len; i++)
		point = point << 6 | ((unsigned char)utf8.at[i] & 0x3f);
	return point;
}

static void append_point(uint32_t point, struct buf *out)
{
	unsigned n_more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
	static const unsigned char first[] = { 0, 0xc0, 0xe0, 0xf0 };

	buf_append_byte(out, (char)(first[n_more] | point >> (6 * n_more)));
	while (n_more-- > 0)
		buf_append_byte(out, (char)(0x80 | (point >> (6 * n_more) & 0x3f)));
}

void utf8_address_encode(struct slice utf8, struct buf *out)
{
	while (utf8.len) {
		size_t n = utf8_char_len(utf8);
		if (n == 0 || utf8.at[0] == '\0')
			buf_append_byte(out, '?');
		else if (is_xchar(utf8.at[0]) && utf8.at[0] != '\\')
			buf_append_byte(out, utf8.at[0]);
		else
			buf_printf(out, "\\x{%02" PRIX32 "}", point_of(slice_first(utf8, n)));
		utf8 = slice_from(utf8, n ? n : 1);
	}
}

/* "\x{HEX}" from the front of *text. */
static bool take_point(struct slice *text, uint32_t *point_out)
{
	struct slice rest = slice_from(*text, 3);
	uint32_t point = 0;
	size_t n = 0;

	if (!slice_starts(*text, SLICE("\\x{")))
		return false;
	for (; n < rest.len && n < POINT_DIGITS && hex_value(rest.at[n]) >= 0; n++)
		point = point << 4 | (uint32_t)hex_value(rest.at[n]);
	rest = slice_from(rest, n);
	if (n == 0 || !point_is_valid(point) || !slice_skip(&rest, '}'))
		return false;
	*text = rest;
	*point_out = point;
	return true;
}

bool utf8_address_decode(struct slice text, struct buf *out)
{
	auto_buf struct buf plain = BUF_INIT(out->max);
	uint32_t point;

	while (text.len) {
		if (text.at[0] == '\\' && take_point(&text, &point)) {
			append_point(point, &plain);
			continue;
		}
		size_t n = utf8_char_len(text);
		if (n == 0 || text.at[0] == '\\')
			return false;
		buf_append(&plain, slice_first(text, n));
		text = slice_from(text, n);
	}
	if (!buf_ok(&plain))
		return false;
	buf_append(out, buf_slice(&plain));
	return buf_ok(out);
}
