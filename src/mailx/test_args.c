/* SPDX-License-Identifier: Apache-2.0 */
/* test_args.c - words of command lines */
#include "mailx/args.h"
#include "support/test.h"

static void splits_words(void **state)
{
	static const struct {
		const char *in, *words; /* joined by | */
		enum args_result want;
	} rows[] = {
		{ "", "", ARGS_OK },
		{ "  \t ", "", ARGS_OK },
		{ "a b  c", "a|b|c", ARGS_OK },
		{ "'a b' c", "a b|c", ARGS_OK },
		{ "\"a b\"c", "a bc", ARGS_OK },
		{ "a\\ b", "a b", ARGS_OK },
		{ "'a\\b'", "a\\b", ARGS_OK },
		{ "\"a\\\"b\"", "a\"b", ARGS_OK },
		{ "''", "", ARGS_OK },
		{ "x=\"a b\"", "x=a b", ARGS_OK },
		{ "a\\", "a\\", ARGS_OK },
		{ "'a", "", ARGS_UNCLOSED },
		{ "a \"b", "a", ARGS_UNCLOSED },
		{ "\"a\\\"", "", ARGS_UNCLOSED },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_strlist struct strlist words = STRLIST_INIT;
		auto_buf struct buf joined = BUF_INIT(1000);
		assert_int_equal(args_split(slice_of(rows[i].in), &words), rows[i].want);
		for (size_t k = 0; k < words.n; k++)
			buf_printf(&joined, "%s%s", k ? "|" : "", words.at[k]);
		assert_slice_equal(buf_slice(&joined), slice_of(rows[i].words));
	}
}

static void cuts_the_command(void **state)
{
	static const struct {
		const char *in, *command, *rest;
	} rows[] = {
		{ "print 3", "print", "3" },
		{ "d2", "d", "2" },
		{ "p*", "p", "*" },
		{ " z+", "z", "+" },
		{ "!ls -l", "!", "ls -l" },
		{ "| \"x\"", "|", "\"x\"" },
		{ "?", "?", "" },
		{ "# text", "#", "text" },
		{ "3-5", "", "3-5" },
		{ "$", "", "$" },
		{ "=4", "=", "4" },
		{ "", "", "" },
		{ "/sub", "", "/sub" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice line = slice_of(rows[i].in);
		assert_slice_equal(args_command(&line), slice_of(rows[i].command));
		assert_slice_equal(line, slice_of(rows[i].rest));
	}
}

static void cuts_the_last_word(void **state)
{
	static const struct {
		const char *in, *word, *before; /* word NULL: there is none */
	} rows[] = {
		{ "1 2 file", "file", "1 2" },
		{ "file", "file", "" },
		{ "3 'a b'", "a b", "3" },
		{ "", NULL, "" },
		{ "   ", NULL, "   " },
		{ "1 'x", NULL, "1 'x" },
		{ "1 ''", "", "1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice line = slice_of(rows[i].in);
		auto_buf struct buf word = BUF_INIT(1000);
		assert_int_equal(args_last(&line, &word), rows[i].word != NULL);
		assert_slice_equal(line, slice_of(rows[i].before));
		if (rows[i].word)
			assert_slice_equal(buf_slice(&word), slice_of(rows[i].word));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_words),
		cmocka_unit_test(cuts_the_command),
		cmocka_unit_test(cuts_the_last_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
