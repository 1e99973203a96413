/* SPDX-License-Identifier: Apache-2.0 */
/* test_slice.c - every function of slice.h, at its edges */
#include "support/test.h"
#include "base/slice.h"

#define S(literal) SLICE(literal)
/* For tables with static storage. */
#define ROW(literal)                                                                                         \
	{                                                                                                    \
		(literal), sizeof(literal) - 1                                                               \
	}

static void compares(void **state)
{
	static const struct {
		struct slice a, b;
		bool eq, eq_nocase;
		int order; /* sign */
	} rows[] = {
		{ ROW(""), ROW(""), true, true, 0 },
		{ ROW("a"), ROW("a"), true, true, 0 },
		{ ROW("a"), ROW("A"), false, true, 1 },
		{ ROW("a"), ROW("ab"), false, false, -1 },
		{ ROW("ab"), ROW("b"), false, false, -1 },
		{ ROW("a\0b"), ROW("a\0c"), false, false, -1 },
		{ ROW("[@"), ROW("{`"), false, false, -1 }, /* neighbours of the letters are not folded */
		{ ROW("\xc4"), ROW("\xe4"), false, false, -1 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int order = slice_cmp(rows[i].a, rows[i].b);
		assert_int_equal(slice_eq(rows[i].a, rows[i].b), rows[i].eq);
		assert_int_equal(slice_eq_nocase(rows[i].a, rows[i].b), rows[i].eq_nocase);
		assert_int_equal((order > 0) - (order < 0), rows[i].order);
		order = slice_cmp(rows[i].b, rows[i].a);
		assert_int_equal((order > 0) - (order < 0), -rows[i].order);
	}
}

static void finds_ends(void **state)
{
	(void)state;
	assert_true(slice_starts(S("abc"), S("ab")));
	assert_true(slice_starts(S("abc"), S("")));
	assert_false(slice_starts(S("a"), S("ab")));
	assert_false(slice_starts(S("Abc"), S("ab")));
	assert_true(slice_starts_nocase(S("Abc"), S("aB")));
	assert_false(slice_starts_nocase(S("A"), S("aB")));
	assert_true(slice_ends_nocase(S("x-REQUEST"), S("-request")));
	assert_true(slice_ends_nocase(S("-request"), S("-request")));
	assert_false(slice_ends_nocase(S("request"), S("-request")));
	assert_int_equal(slice_find(S("a,b,c"), ','), 1);
	assert_int_equal(slice_rfind(S("a,b,c"), ','), 3);
	assert_int_equal(slice_find(S("abc"), ','), 3);
	assert_int_equal(slice_rfind(S("abc"), ','), 3);
	assert_int_equal(slice_find((struct slice){ NULL, 0 }, 'x'), 0);
	assert_int_equal(slice_find(S("a\0b"), 'b'), 2);
}

static void cuts_parts(void **state)
{
	(void)state;
	assert_slice_equal(slice_from(S("abc"), 1), S("bc"));
	assert_slice_equal(slice_from(S("abc"), 9), S(""));
	assert_slice_equal(slice_first(S("abc"), 2), S("ab"));
	assert_slice_equal(slice_first(S("abc"), 9), S("abc"));
	assert_slice_equal(slice_trim(S(" \t\r\na b\n ")), S("a b"));
	assert_slice_equal(slice_trim(S(" \n ")), S(""));
	assert_slice_equal(slice_of(NULL), S(""));
	assert_slice_equal(slice_of("ab"), S("ab"));
}

static void consumes_only_on_success(void **state)
{
	struct slice s = S("  key=value"), head = S("untouched");

	(void)state;
	assert_false(slice_skip(&s, 'k'));
	assert_int_equal(slice_skip_blanks(&s), 2);
	assert_int_equal(slice_skip_blanks(&s), 0);
	assert_false(slice_skip_prefix_nocase(&s, S("keys")));
	assert_slice_equal(s, S("key=value"));
	assert_false(slice_cut(&s, ';', &head));
	assert_slice_equal(head, S("untouched"));
	assert_slice_equal(s, S("key=value"));
	assert_true(slice_cut(&s, '=', &head));
	assert_slice_equal(head, S("key"));
	assert_true(slice_skip_prefix_nocase(&s, S("VAL")));
	assert_true(slice_skip(&s, 'u'));
	assert_slice_equal(s, S("e"));
	assert_true(slice_skip(&s, 'e'));
	assert_false(slice_skip(&s, 'e'));
}

static void walks_lines_and_words(void **state)
{
	static const char *const lines[] = { "one", "", "two\rx", "three" };
	static const char *const words[] = { "a", "bc", "d" };
	struct slice s = S("one\r\n\ntwo\rx\nthree"), got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		assert_true(slice_next_line(&s, &got));
		assert_slice_equal(got, slice_of(lines[i]));
	}
	assert_false(slice_next_line(&s, &got));
	s = S(" a\tbc  d ");
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		assert_true(slice_next_word(&s, &got));
		assert_slice_equal(got, slice_of(words[i]));
	}
	assert_false(slice_next_word(&s, &got));
	assert_slice_equal(s, S(" "));
}

static void reads_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t value;
	} rows[] = {
		{ "0", 0, true, 0 },
		{ "007", 7, true, 7 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "99999999999999999999", UINT64_MAX, false, 0 },
		{ "8", 7, false, 0 },
		{ "", 7, false, 0 },
		{ "-1", 7, false, 0 },
		{ "+1", 7, false, 0 },
		{ " 1", 7, false, 0 },
		{ "1 ", 7, false, 0 },
		{ "0x1", 7, false, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t value = 42;
		assert_int_equal(slice_to_u64(slice_of(rows[i].text), rows[i].max, &value), rows[i].ok);
		assert_true(value == (rows[i].ok ? rows[i].value : 42));
	}
}

static void copies(void **state)
{
	auto_free char *copy = slice_dup(S("a\0b"));
	auto_free char *empty = slice_dup(SLICE_EMPTY);

	(void)state;
	assert_memory_equal(copy, "a\0b", 4);
	assert_string_equal(empty, "");
}

static void classifies_ascii_only(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		char c = (char)i;
		bool is_upper = i >= 'A' && i <= 'Z', is_lower = i >= 'a' && i <= 'z';
		assert_int_equal((unsigned char)ascii_lower(c), is_upper ? i + 32 : i);
		assert_int_equal(ascii_is_digit(c), i >= '0' && i <= '9');
		assert_int_equal(ascii_is_alnum(c), is_upper || is_lower || (i >= '0' && i <= '9'));
		assert_int_equal(ascii_is_print(c), i >= 32 && i <= 126);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares),
		cmocka_unit_test(finds_ends),
		cmocka_unit_test(cuts_parts),
		cmocka_unit_test(consumes_only_on_success),
		cmocka_unit_test(walks_lines_and_words),
		cmocka_unit_test(reads_numbers),
		cmocka_unit_test(copies),
		cmocka_unit_test(classifies_ascii_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
