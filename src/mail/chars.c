/* SPDX-License-Identifier: Apache-2.0 */
/* chars.c - see chars.h */
#include "mail/chars.h"

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* Second bytes that RFC 3629 excludes: overlong forms, surrogates, above U+10FFFF. */
static bool is_second(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0: return second >= 0xa0 && second <= 0xbf;
	case 0xed: return second >= 0x80 && second <= 0x9f;
	case 0xf0: return second >= 0x90 && second <= 0xbf;
	case 0xf4: return second >= 0x80 && second <= 0x8f;
	default: return is_tail(second);
	}
}

size_t utf8_char_len(struct slice s)
{
	unsigned char c = s.len ? (unsigned char)s.at[0] : 0xff;
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (n == 0 || n > s.len)
		return 0;
	if (n > 1 && !is_second(c, (unsigned char)s.at[1]))
		return 0;
	for (size_t i = 2; i < n; i++)
		if (!is_tail((unsigned char)s.at[i]))
			return 0;
	return n;
}

bool utf8_is_valid(struct slice s)
{
	while (s.len) {
		size_t n = utf8_char_len(s);
		if (n == 0)
			return false;
		s = slice_from(s, n);
	}
	return true;
}

bool text_has_8bit(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (char_is_8bit(s.at[i]))
			return true;
	return false;
}

bool utf8_has_c1(struct slice s)
{
	for (size_t i = 1; i < s.len; i++)
		if ((unsigned char)s.at[i - 1] == 0xc2 && (unsigned char)s.at[i] <= 0x9f)
			return true;
	return false;
}

bool text_has_control(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (char_is_control(s.at[i]))
			return true;
	return false;
}
