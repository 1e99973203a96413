/* SPDX-License-Identifier: Apache-2.0 */
/* test_order.c - lines leave in the order of their times, when they are old enough, and are bounded */
#include "logd/order.h"
#include "support/test.h"

#define NOW 1000000

static void put(struct order *o, uint64_t wall_us, const char *text)
{
	const struct order_line line = { .wall_us = wall_us, .tag = "queue", .text = slice_of(text) };

	assert_true(order_put(o, &line, NOW));
}

static void takes(struct order *o, uint64_t until_us, const char *text)
{
	struct order_line *line = order_take(o, until_us);

	assert_non_null(line);
	assert_slice_equal(line->text, slice_of(text));
	mem_free(line);
}

static void lines_are_sorted_by_time(void **state)
{
	struct order o = { .max_bytes = 10000 };

	(void)state;
	put(&o, 900, "second");
	put(&o, 900, "third");
	put(&o, 800, "first");
	put(&o, UINT64_MAX, "of a clock that is wrong");
	put(&o, NOW + 1, "of another one");
	assert_null(order_take(&o, 799));
	takes(&o, 800, "first");
	assert_null(order_take(&o, 899));
	takes(&o, 900, "second");
	takes(&o, 900, "third");
	assert_null(order_take(&o, NOW - 1));
	takes(&o, NOW, "of a clock that is wrong");
	takes(&o, NOW, "of another one");
	assert_int_equal(o.bytes, 0);
	heap_deinit(&o.lines);
}

static void there_is_an_end_to_it(void **state)
{
	const struct order_line line = { .wall_us = 1, .text = SLICE_CONST("12345678") };
	struct order o = { .max_bytes = 3 * (sizeof(line) + 8) };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_true(order_put(&o, &line, NOW));
	assert_false(order_put(&o, &line, NOW));
	takes(&o, NOW, "12345678");
	assert_true(order_put(&o, &line, NOW));
	for (size_t i = 0; i < 3; i++)
		takes(&o, NOW, "12345678");
	heap_deinit(&o.lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_sorted_by_time),
		cmocka_unit_test(there_is_an_end_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
