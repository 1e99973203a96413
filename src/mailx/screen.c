/* SPDX-License-Identifier: Apache-2.0 */
/* screen.c - see screen.h */
#include "mailx/screen.h"
#include <langinfo.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <wchar.h>
#include <wctype.h>

#define CODE_BAD 0xfffd

bool utf8_next(struct slice *s, uint32_t *code_out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first;
	uint32_t code;
	size_t n;

	if (s->len == 0)
		return false;
	first = (unsigned char)s->at[0];
	n = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	code = n == 1 ? first : first & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if (i >= s->len || ((unsigned char)s->at[i] & 0xc0) != 0x80) {
			n = 0;
			break;
		}
		code = code << 6 | ((unsigned char)s->at[i] & 0x3f);
	}
	if (n == 0 || (n > 1 && first < 0xc2) || first > 0xf4 || code < least[n] || code > 0x10ffff ||
		(code >= 0xd800 && code <= 0xdfff)) {
		n = 1;
		code = CODE_BAD;
	}
	*s = slice_from(*s, n);
	*code_out = code;
	return true;
}

bool screen_is_utf8(struct slice s)
{
	struct slice before = s;
	uint32_t code;

	while (utf8_next(&s, &code)) {
		if (code == CODE_BAD && !slice_starts(before, SLICE("\xef\xbf\xbd")))
			return false;
		before = s;
	}
	return true;
}

/* Class and width of a character do not depend on the user's locale: the program's text is UTF-8 always. */
static locale_t width_locale(void)
{
	static locale_t locale;

	if (!locale)
		locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return locale;
}

static int code_width(uint32_t code)
{
	locale_t widths = code < 0x80 ? (locale_t)0 : width_locale(), before;
	int width;

	if (code < 0x80)
		return code >= 0x20 && code < 0x7f ? 1 : -1;
	if (!widths)
		return 1;
	before = uselocale(widths);
	width = iswprint((wint_t)code) ? wcwidth((wchar_t)code) : -1;
	(void)uselocale(before); /* it was in use before */
	return width;
}

/* Characters that move or reorder what stands around them. */
static bool code_is_harmful(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x61c || code == 0x200e ||
		code == 0x200f || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
		code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb) ||
		(code >= 0xe0000 && code <= 0xe0fff) || code_width(code) < 0;
}

bool screen_next_is_harmful(struct slice *s, struct slice *character_out)
{
	uint32_t code;

	*character_out = *s;
	(void)utf8_next(s, &code); /* there is one */
	character_out->len -= s->len;
	if (character_out->len > 1)
		return code_is_harmful(code);
	code = (unsigned char)character_out->at[0]; /* of ISO 8859 where it is no UTF-8 */
	return code < 0x20 || (code >= 0x7f && code <= 0x9f);
}

void screen_measure(struct screen *s)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS"), *lines = getenv("LINES");
	uint64_t number;

	s->rows = 24;
	s->columns = 80;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col) {
		s->rows = size.ws_row;
		s->columns = size.ws_col;
	}
	if (columns && slice_to_u64(slice_of(columns), 10000, &number) && number >= 20)
		s->columns = (unsigned)number;
	if (lines && slice_to_u64(slice_of(lines), 10000, &number) && number >= 2)
		s->rows = (unsigned)number;
}

static bool is_utf8_name(const char *name)
{
	struct slice s = slice_of(name);

	return slice_eq_nocase(s, SLICE("utf-8")) || slice_eq_nocase(s, SLICE("utf8"));
}

static bool is_ascii_name(const char *name)
{
	struct slice s = slice_of(name);

	return slice_eq_nocase(s, SLICE("ansi_x3.4-1968")) || slice_eq_nocase(s, SLICE("us-ascii")) ||
		slice_eq_nocase(s, SLICE("ascii")) || s.len == 0;
}

void screen_init(struct screen *s, const char *charset)
{
	*s = (struct screen){ .is_tty = isatty(STDOUT_FILENO) };
	charset = charset && *charset ? charset : nl_langinfo(CODESET);
	(void)snprintf(
		s->codeset, sizeof(s->codeset), "%s", charset); /* a longer name is none that iconv knows */
	if (is_utf8_name(charset))
		s->charset = SCREEN_UTF8;
	else if (is_ascii_name(charset))
		s->charset =
			s->is_tty ? SCREEN_ASCII : SCREEN_UTF8; /* a script in cron's C locale gets all */
	else
		s->to_terminal = iconv_open(charset, "UTF-8");
	if (s->to_terminal == (iconv_t)-1) {
		s->to_terminal = 0;
		s->charset = SCREEN_ASCII;
	} else if (s->to_terminal) {
		s->charset = SCREEN_OTHER;
	}
	screen_measure(s);
}

void screen_deinit(struct screen *s)
{
	if (s->to_terminal)
		(void)iconv_close(s->to_terminal); /* ours: cannot fail */
	s->to_terminal = 0;
}

static void put_converted(struct screen *s, struct slice character, struct buf *out)
{
	char room[16], *to = room, *from = (char *)(uintptr_t)character.at; /* iconv does not write there */
	size_t n_to = sizeof(room), n_from = character.len;

	if (iconv(s->to_terminal, &from, &n_from, &to, &n_to) == (size_t)-1 || n_from) {
		(void)iconv(s->to_terminal, NULL, NULL, NULL, NULL); /* back to the first state */
		buf_append_byte(out, '?');
		return;
	}
	buf_append(out, (struct slice){ room, sizeof(room) - n_to });
}

static void put_character(struct screen *s, struct slice character, uint32_t code, struct buf *out)
{
	if (code < 0x80 || (s->charset == SCREEN_UTF8 && code != CODE_BAD))
		buf_append(out, character);
	else if (code == CODE_BAD || s->charset == SCREEN_ASCII)
		buf_append_byte(out, '?');
	else
		put_converted(s, character, out);
}

void screen_clean(struct screen *s, struct slice utf8, enum screen_lines lines, struct buf *out)
{
	struct slice rest = utf8;
	uint32_t code;

	while (rest.len) {
		struct slice here = rest;
		(void)utf8_next(&rest, &code); /* there is one: rest is not empty */
		here.len -= rest.len;
		if (code == '\n' || code == '\t')
			buf_append_byte(out, lines == SCREEN_MANY_LINES ? (char)code : ' ');
		else if (code == '\r' && (rest.len == 0 || rest.at[0] == '\n'))
			continue; /* part of a CRLF */
		else if (code != CODE_BAD && code_is_harmful(code))
			buf_append_byte(out, '?');
		else
			put_character(s, here, code, out);
	}
}

struct slice screen_cut(const struct screen *s, struct slice clean, unsigned cells, unsigned *used_out)
{
	struct slice rest = clean;
	unsigned used = 0;
	uint32_t code;

	while (rest.len) {
		struct slice next = rest;
		int width = 1;
		if (s->charset == SCREEN_UTF8 && utf8_next(&next, &code))
			width = code == CODE_BAD ? 1 : code_width(code);
		else
			next = slice_from(rest, 1);
		width = MAX(width, 0);
		if (used + (unsigned)width > cells)
			break;
		used += (unsigned)width;
		rest = next;
	}
	*used_out = used;
	return slice_first(clean, clean.len - rest.len);
}
