/* SPDX-License-Identifier: Apache-2.0 */
#include "support/test.h"
#include "base/fields.h"

static void numbers_come_back(void **state)
{
	static const struct {
		uint64_t value;
		size_t bytes;
	} rows[] = { { 0, 1 }, { 1, 1 }, { 127, 1 }, { 128, 2 }, { 16383, 2 }, { 16384, 3 },
		{ UINT32_MAX, 5 }, { UINT64_MAX >> 1, 9 }, { UINT64_MAX, 10 } };
	auto_buf struct buf b = BUF_INIT(64);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&b);
		fields_put_number(&b, rows[i].value);
		assert_int_equal(b.len, rows[i].bytes);
		struct fields f = { .rest = buf_slice(&b) };
		assert_true(fields_number(&f, UINT64_MAX) == rows[i].value);
		assert_true(fields_at_end(&f));
	}
}

static void differences_come_back(void **state)
{
	static const struct {
		int64_t value;
		uint64_t folded;
	} rows[] = { { 0, 0 }, { -1, 1 }, { 1, 2 }, { -2, 3 }, { INT64_MAX, UINT64_MAX - 1 },
		{ INT64_MIN, UINT64_MAX } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(fields_fold((uint64_t)rows[i].value) == rows[i].folded);
		assert_true(fields_unfold(rows[i].folded) == (uint64_t)rows[i].value);
	}
}

static void malformed_fields_fail_and_stay_failed(void **state)
{
	static const struct {
		struct slice bytes;
		uint64_t max;
	} rows[] = {
		{ SLICE_CONST(""), UINT64_MAX },
		{ SLICE_CONST("\x80"), UINT64_MAX },	 /* no end */
		{ SLICE_CONST("\x80\x00"), UINT64_MAX }, /* longer than need be */
		{ SLICE_CONST("\x05"), 4 },
		{ SLICE_CONST("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), UINT64_MAX }, /* 65 bits */
		{ SLICE_CONST("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80\x01"), UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fields f = { .rest = rows[i].bytes };
		assert_true(fields_number(&f, rows[i].max) == 0);
		assert_true(f.failed);
		assert_false(fields_at_end(&f));
		f.rest = SLICE("\x01");
		assert_true(fields_number(&f, UINT64_MAX) == 0);
	}
}

static void strings_end_where_they_end(void **state)
{
	struct fields f = { .rest = SLICE("\x03"
					  "abc"
					  "\x00"
					  "\x04"
					  "abc") };

	(void)state;
	assert_slice_equal(fields_string(&f, 3), SLICE("abc"));
	assert_slice_equal(fields_string(&f, 3), SLICE_EMPTY);
	assert_false(f.failed);
	assert_slice_equal(fields_string(&f, 10), SLICE_EMPTY); /* one byte is missing */
	assert_true(f.failed);
	f = (struct fields){ .rest = SLICE("\x03"
					   "abc") };
	assert_slice_equal(fields_string(&f, 2), SLICE_EMPTY);
	assert_true(f.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_come_back),
		cmocka_unit_test(differences_come_back),
		cmocka_unit_test(malformed_fields_fail_and_stay_failed),
		cmocka_unit_test(strings_end_where_they_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
