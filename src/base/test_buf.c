/* SPDX-License-Identifier: Apache-2.0 */
/* test_buf.c - growing bytes and arenas: content, ceilings, what a failure leaves */
#include "support/test.h"
#include "base/arena.h"
#include "base/buf.h"

static void grows(void **state)
{
	auto_buf struct buf b = BUF_INIT(100000);

	(void)state;
	assert_slice_equal(buf_slice(&b), SLICE_EMPTY);
	buf_append(&b, SLICE_EMPTY);
	buf_append_str(&b, "ab");
	buf_append_byte(&b, '\0');
	buf_printf(&b, "%d-%s", 42, "x");
	assert_slice_equal(buf_slice(&b),
		SLICE("ab\0"
		      "42-x"));
	for (int i = 0; i < 5000; i++)
		buf_append_str(&b, "0123456789");
	assert_true(buf_ok(&b));
	assert_int_equal(b.len, 7 + 50000);
	assert_memory_equal(b.at + b.len - 10, "0123456789", 10);
}

static void keeps_its_ceiling(void **state)
{
	auto_buf struct buf b = BUF_INIT(4);

	(void)state;
	buf_append_str(&b, "abcd");
	assert_true(buf_ok(&b));
	buf_append_byte(&b, 'e');
	assert_false(buf_ok(&b));
	assert_slice_equal(buf_slice(&b), SLICE("abcd"));
	buf_drop_front(&b, 2);
	buf_append_byte(&b, 'x'); /* a failure sticks, although it would fit now */
	assert_slice_equal(buf_slice(&b), SLICE("cd"));
	buf_clear(&b);
	assert_true(buf_ok(&b));
	buf_append_str(&b, "abcde");
	assert_false(buf_ok(&b));
	assert_int_equal(b.len, 0);
	buf_free(&b);
	assert_true(buf_ok(&b));
	assert_int_equal(b.max, 4);
}

static void refuses_what_overflows(void **state)
{
	auto_buf struct buf b = BUF_INIT(SIZE_MAX);

	(void)state;
	buf_append_byte(&b, 'a');
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_false(buf_ok(&b));
	assert_slice_equal(buf_slice(&b), SLICE("a"));
}

static void formats_long_text(void **state)
{
	auto_buf struct buf b = BUF_INIT(4096), small = BUF_INIT(600);

	(void)state;
	buf_printf(&b, "%0*d", 511, 1);
	assert_int_equal(b.len, 511);
	buf_clear(&b);
	buf_printf(&b, "%0*d|", 1000, 7);
	assert_int_equal(b.len, 1001);
	assert_memory_equal(b.at + 998, "07|", 3);
	buf_printf(&small, "%0*d", 1000, 7);
	assert_false(buf_ok(&small));
	assert_int_equal(small.len, 0);
}

static void lends_room(void **state)
{
	auto_buf struct buf b = BUF_INIT(10);
	char *room = buf_reserve(&b, 10);

	(void)state;
	assert_non_null(room);
	memcpy(room, "hello", 5);
	buf_grew(&b, 5);
	assert_slice_equal(buf_slice(&b), SLICE("hello"));
	assert_string_equal(buf_cstr(&b), "hello");
	assert_int_equal(b.len, 5);
	buf_drop_front(&b, 0);
	buf_drop_front(&b, 5);
	assert_slice_equal(buf_slice(&b), SLICE_EMPTY);
}

static void terminates_without_counting(void **state)
{
	auto_buf struct buf empty = BUF_INIT(1), full = BUF_INIT(2), none = BUF_INIT(0);

	(void)state;
	assert_string_equal(buf_cstr(&empty), "");
	buf_append_str(&full, "ab");
	assert_null(buf_cstr(&full)); /* no room for the NUL */
	buf_append(&none, SLICE_EMPTY);
	assert_true(buf_ok(&none));
	buf_append_byte(&none, 'x');
	assert_false(buf_ok(&none));
}

static void moves_out(void **state)
{
	auto_buf struct buf b = BUF_INIT(10);

	(void)state;
	buf_append_str(&b, "abc");
	auto_buf struct buf taken = buf_take(&b);
	assert_slice_equal(buf_slice(&taken), SLICE("abc"));
	assert_int_equal(b.len, 0);
	assert_int_equal(b.max, 10);
	buf_append_str(&b, "new");
	assert_slice_equal(buf_slice(&taken), SLICE("abc"));
}

static void hands_out_from_an_arena(void **state)
{
	struct arena a = ARENA_INIT(20000);
	struct slice copy = SLICE("untouched");
	char *first = arena_alloc(&a, 1), *second = arena_alloc(&a, 40), *large;

	(void)state;
	assert_non_null(first);
	assert_non_null(second);
	assert_int_equal((uintptr_t)first % 16, 0);
	assert_int_equal((uintptr_t)second % 16, 0);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(second[i], 0);
	memset(second, 'x', 40);
	assert_int_equal(*first, 0);
	large = arena_alloc(&a, 10000);
	assert_non_null(large);
	memset(large, 'y', 10000);
	assert_int_equal(second[39], 'x');
	assert_true(arena_copy(&a, SLICE("text"), &copy));
	assert_slice_equal(copy, SLICE("text"));
	assert_int_equal(copy.at[4], '\0');
	assert_null(arena_alloc(&a, 10000)); /* its ceiling counts all of them */
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_false(arena_copy(&a, (struct slice){ large, 10000 }, &copy));
	assert_slice_equal(copy, SLICE("text"));
	arena_reset(&a);
	assert_int_equal(a.used, 0);
	assert_non_null(arena_alloc(&a, 20000));
	arena_reset(&a);
	arena_reset(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows),
		cmocka_unit_test(keeps_its_ceiling),
		cmocka_unit_test(refuses_what_overflows),
		cmocka_unit_test(formats_long_text),
		cmocka_unit_test(lends_room),
		cmocka_unit_test(terminates_without_counting),
		cmocka_unit_test(moves_out),
		cmocka_unit_test(hands_out_from_an_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
