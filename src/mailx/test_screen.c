/* SPDX-License-Identifier: Apache-2.0 */
/* test_screen.c - text made harmless, widths in columns */
#include "mailx/screen.h"
#include "support/test.h"

static void cleans_text(void **state)
{
	static const struct {
		const char *in;
		enum screen_charset charset;
		enum screen_lines lines;
		const char *want;
	} rows[] = {
		{ "plain ~ text", SCREEN_UTF8, SCREEN_MANY_LINES, "plain ~ text" },
		{ "a\nb\tc", SCREEN_UTF8, SCREEN_MANY_LINES, "a\nb\tc" },
		{ "a\nb\tc", SCREEN_UTF8, SCREEN_ONE_LINE, "a b c" },
		{ "a\r\nb\rc\r", SCREEN_UTF8, SCREEN_MANY_LINES, "a\nb?c" },
		{ "\x1b[31m\x07\x7f\x0c", SCREEN_UTF8, SCREEN_MANY_LINES, "?[31m???" },
		{ "gr\xc3\xbcn \xe4\xbd\xa0", SCREEN_UTF8, SCREEN_MANY_LINES, "gr\xc3\xbcn \xe4\xbd\xa0" },
		{ "gr\xc3\xbcn", SCREEN_ASCII, SCREEN_MANY_LINES, "gr?n" },
		{ "\xc2\x9b"
		  "31m",
			SCREEN_UTF8, SCREEN_MANY_LINES, "?31m" }, /* C1 */
		{ "\xe2\x80\xae"
		  "x",
			SCREEN_UTF8, SCREEN_MANY_LINES, "?x" }, /* right-to-left override */
		{ "\xe2\x81\xa6"
		  "x",
			SCREEN_UTF8, SCREEN_MANY_LINES, "?x" }, /* isolate */
		{ "\xe2\x80\xa8"
		  "x",
			SCREEN_UTF8, SCREEN_MANY_LINES, "?x" },			/* line separator */
		{ "\x9b\xff\xc0\x80", SCREEN_UTF8, SCREEN_MANY_LINES, "????" }, /* no UTF-8 */
		{ "\xc3", SCREEN_UTF8, SCREEN_MANY_LINES, "?" },		/* cut off */
		{ "\xed\xa0\x80", SCREEN_UTF8, SCREEN_MANY_LINES, "???" },	/* surrogate */
		{ "\xf4\x90\x80\x80", SCREEN_UTF8, SCREEN_MANY_LINES, "????" }, /* beyond Unicode */
		{ "\xef\xbf\xbd", SCREEN_UTF8, SCREEN_MANY_LINES, "?" }, /* what stands for bad bytes */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct screen s = { .charset = rows[i].charset };
		auto_buf struct buf out = BUF_INIT(1000);
		screen_clean(&s, slice_of(rows[i].in), rows[i].lines, &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
}

static void converts_for_other_terminals(void **state)
{
	struct screen s;
	auto_buf struct buf out = BUF_INIT(1000);

	screen_init(&s, "ISO-8859-1");
	assert_int_equal(s.charset, SCREEN_OTHER);
	screen_clean(&s, SLICE("gr\xc3\xbcn \xe4\xbd\xa0 \xc2\x85"), SCREEN_ONE_LINE, &out);
	assert_slice_equal(buf_slice(&out), SLICE("gr\xfcn ? ?"));
	screen_deinit(&s);
	screen_init(&s, "no-such-charset");
	assert_int_equal(s.charset, SCREEN_ASCII);
	screen_deinit(&s);
}

static void cuts_at_columns(void **state)
{
	static const struct {
		const char *in;
		unsigned cells;
		size_t len;
		unsigned used;
	} rows[] = {
		{ "abc", 5, 3, 3 },
		{ "abc", 2, 2, 2 },
		{ "abc", 0, 0, 0 },
		{ "\xe4\xbd\xa0\xe5\xa5\xbd", 4, 6, 4 },
		{ "\xe4\xbd\xa0\xe5\xa5\xbd", 3, 3, 2 }, /* half a character is none */
		{ "e\xcc\x81x", 1, 3, 1 },		 /* a combining accent stays with its letter */
		{ "\xc3\xbc\xc3\xbc", 1, 2, 1 },
	};
	struct screen s = { .charset = SCREEN_UTF8 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned used = 99;
		struct slice cut = screen_cut(&s, slice_of(rows[i].in), rows[i].cells, &used);
		assert_int_equal(cut.len, rows[i].len);
		assert_int_equal(used, rows[i].used);
	}
}

static void knows_utf8(void **state)
{
	assert_true(screen_is_utf8(SLICE("")));
	assert_true(screen_is_utf8(SLICE("gr\xc3\xbcn \xf0\x9f\x98\x80 \xef\xbf\xbd")));
	assert_false(screen_is_utf8(SLICE("gr\xfcn")));
	assert_false(screen_is_utf8(SLICE("\xc3")));
	assert_false(screen_is_utf8(SLICE("\xe0\x80\x80")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cleans_text),
		cmocka_unit_test(converts_for_other_terminals),
		cmocka_unit_test(cuts_at_columns),
		cmocka_unit_test(knows_utf8),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
