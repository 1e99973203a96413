/* SPDX-License-Identifier: Apache-2.0 */
/* test_xtext.c - RFC 3461 4 */
#include "support/test.h"
#include "mail/xtext.h"

static void converts_both_ways(void **state)
{
	static const struct {
		struct slice plain, encoded;
	} rows[] = {
		{ { "", 0 }, { "", 0 } },
		{ { "abc@d.e", 7 }, { "abc@d.e", 7 } },
		{ { "a+b=c d", 7 }, { "a+2Bb+3Dc+20d", 13 } },
		{ { "\0\xff\n", 3 }, { "+00+FF+0A", 9 } },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf encoded = BUF_INIT(100), plain = BUF_INIT(100);
		xtext_encode(rows[i].plain, &encoded);
		assert_slice_equal(buf_slice(&encoded), rows[i].encoded);
		assert_true(xtext_is_valid(rows[i].encoded));
		assert_true(xtext_decode(rows[i].encoded, &plain));
		assert_slice_equal(buf_slice(&plain), rows[i].plain);
	}
}

static void refuses(void **state)
{
	static const char *const rows[] = { "+", "+4", "+4g", "+2b", "a=b", "a b", "a\tb", "\x7f", "\xc3\xbc",
		"a+", "+-1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf plain = BUF_INIT(100);
		assert_false(xtext_is_valid(slice_of(rows[i])));
		assert_false(xtext_decode(slice_of(rows[i]), &plain));
		assert_int_equal(plain.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(converts_both_ways), cmocka_unit_test(refuses) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
