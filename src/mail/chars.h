/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chars.h - which characters mail's grammars allow where
 *
 * Only for src/mail. Layer: mail. No test of its own: the parsers' tests cover it.
 */
#pragma once
#include "base/slice.h"

static inline bool char_is_8bit(char c)
{
	return (unsigned char)c >= 0x80;
}
static inline bool char_is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}
static inline bool char_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
/* RFC 5322 atext; 8-bit is decided apart from it. */
static inline bool char_is_atext(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}
/* Length of the UTF-8 character at the start of s (RFC 3629: no overlong forms, no surrogates); 0 if none. */
size_t utf8_char_len(struct slice s);
bool utf8_is_valid(struct slice s);
bool utf8_has_c1(struct slice s); /* controls U+0080..U+009F, which terminals obey */
bool text_has_8bit(struct slice s);
bool text_has_control(struct slice s);
