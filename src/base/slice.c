/* SPDX-License-Identifier: Apache-2.0 */
/* slice.c - looking at borrowed bytes; see slice.h */
#include "base/slice.h"

char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool ascii_is_alnum(char c)
{
	char l = ascii_lower(c);
	return ascii_is_digit(c) || (l >= 'a' && l <= 'z');
}

bool ascii_is_print(char c)
{
	return c >= 0x20 && c <= 0x7e;
}

struct slice slice_of(const char *s)
{
	return s ? (struct slice){ s, strlen(s) } : SLICE_EMPTY;
}

bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
			return false;
	return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_eq(slice_first(s, prefix.len), prefix);
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_eq_nocase(slice_first(s, prefix.len), prefix);
}

bool slice_ends_nocase(struct slice s, struct slice suffix)
{
	return s.len >= suffix.len && slice_eq_nocase(slice_from(s, s.len - suffix.len), suffix);
}

int slice_cmp(struct slice a, struct slice b)
{
	size_t n = MIN(a.len, b.len);
	int order = n ? memcmp(a.at, b.at, n) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

struct slice slice_from(struct slice s, size_t n)
{
	n = MIN(n, s.len);
	return (struct slice){ s.at + n, s.len - n };
}

struct slice slice_first(struct slice s, size_t n)
{
	return (struct slice){ s.at, MIN(n, s.len) };
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
	while (s.len && is_space(s.at[0]))
		s = slice_from(s, 1);
	while (s.len && is_space(s.at[s.len - 1]))
		s.len--;
	return s;
}

size_t slice_find(struct slice s, char c)
{
	const char *p = s.len ? memchr(s.at, c, s.len) : NULL;

	return p ? (size_t)(p - s.at) : s.len;
}

size_t slice_rfind(struct slice s, char c)
{
	const char *p = s.len ? memrchr(s.at, c, s.len) : NULL;

	return p ? (size_t)(p - s.at) : s.len;
}

bool slice_skip(struct slice *s, char c)
{
	if (s->len == 0 || s->at[0] != c)
		return false;
	*s = slice_from(*s, 1);
	return true;
}

bool slice_skip_prefix_nocase(struct slice *s, struct slice prefix)
{
	if (!slice_starts_nocase(*s, prefix))
		return false;
	*s = slice_from(*s, prefix.len);
	return true;
}

size_t slice_skip_blanks(struct slice *s)
{
	size_t n = 0;

	while (n < s->len && (s->at[n] == ' ' || s->at[n] == '\t'))
		n++;
	*s = slice_from(*s, n);
	return n;
}

bool slice_cut(struct slice *s, char c, struct slice *head_out)
{
	size_t i = slice_find(*s, c);

	if (i == s->len)
		return false;
	*head_out = slice_first(*s, i);
	*s = slice_from(*s, i + 1);
	return true;
}

bool slice_next_line(struct slice *s, struct slice *line_out)
{
	size_t i;

	if (s->len == 0)
		return false;
	i = slice_find(*s, '\n');
	*line_out = slice_first(*s, i);
	*s = slice_from(*s, i + 1);
	if (line_out->len && line_out->at[line_out->len - 1] == '\r')
		line_out->len--;
	return true;
}

bool slice_next_word(struct slice *s, struct slice *word_out)
{
	struct slice rest = *s;
	size_t n = 0;

	slice_skip_blanks(&rest);
	while (n < rest.len && !is_space(rest.at[n]))
		n++;
	if (n == 0)
		return false;
	*word_out = slice_first(rest, n);
	*s = slice_from(rest, n);
	return true;
}

bool slice_to_u64(struct slice s, uint64_t max, uint64_t *value_out)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_digit(s.at[i]) || __builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(s.at[i] - '0'), &value) || value > max)
			return false;
	}
	*value_out = value;
	return true;
}

char *slice_dup(struct slice s)
{
	char *copy = mem_new(s.len + 1);

	if (s.len)
		memcpy(copy, s.at, s.len);
	return copy;
}
