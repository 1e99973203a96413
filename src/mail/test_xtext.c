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

static void writes_utf8_addresses_in_ascii(void **state)
{
	static const struct {
		const char *utf8, *encoded;
	} rows[] = {
		{ "", "" },
		{ "abc@d.e", "abc@d.e" },
		{ "gr\xc3\xbc\xc3\x9f@x", "gr\\x{FC}\\x{DF}@x" },
		{ "\xe4\xb8\xad@\xf0\x9f\x98\x80.x", "\\x{4E2D}@\\x{1F600}.x" },
		{ "a+b=c d\\e\x7f\n", "a\\x{2B}b\\x{3D}c\\x{20}d\\x{5C}e\\x{7F}\\x{0A}" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf encoded = BUF_INIT(100), utf8 = BUF_INIT(100);
		utf8_address_encode(slice_of(rows[i].utf8), &encoded);
		assert_slice_equal(buf_slice(&encoded), slice_of(rows[i].encoded));
		assert_true(utf8_address_decode(slice_of(rows[i].encoded), &utf8));
		assert_slice_equal(buf_slice(&utf8), slice_of(rows[i].utf8));
	}
}

static void refuses_bad_utf8_addresses(void **state)
{
	static const char *const rows[] = { "\\", "\\x", "\\x{", "\\x{}", "\\x{4", "\\x{4e}", "\\x{00}",
		"\\x{D800}", "\\x{110000}", "\\x{0000041}", "\\x{41", "a\\b", "\xff", "\xc3" };
	auto_buf struct buf out = BUF_INIT(100);

	(void)state;
	buf_append_str(&out, "kept");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (utf8_address_decode(slice_of(rows[i]), &out))
			fail_msg("row %zu", i);
	assert_true(utf8_address_decode(SLICE("\xc3\xbc"), &out)); /* raw */
	assert_slice_equal(buf_slice(&out), SLICE("kept\xc3\xbc"));
	buf_clear(&out);
	utf8_address_encode(SLICE("a\xff\xc3"), &out);
	assert_slice_equal(buf_slice(&out), SLICE("a??"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(converts_both_ways),
		cmocka_unit_test(refuses),
		cmocka_unit_test(writes_utf8_addresses_in_ascii),
		cmocka_unit_test(refuses_bad_utf8_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
