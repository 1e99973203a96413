/* SPDX-License-Identifier: Apache-2.0 */
/* test_doubt.c - doubtful deliveries are remembered once, and no more than fit */
#include "support/test.h"
#include "local/doubt.h"

static void remembers_once(void **state)
{
	(void)state;
	assert_false(doubt_take(1, SLICE("a")));
	doubt_add(1, SLICE("a"));
	doubt_add(1, SLICE("a"));
	assert_false(doubt_take(1, SLICE("b")));
	assert_false(doubt_take(2, SLICE("a")));
	assert_true(doubt_take(1, SLICE("a")));
	assert_false(doubt_take(1, SLICE("a")));
}

static void forgets_the_oldest(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= DOUBT_MAX + 10; i++)
		doubt_add(i, SLICE("a"));
	for (uint64_t i = 1; i <= 10; i++)
		assert_false(doubt_take(i, SLICE("a")));
	for (uint64_t i = 11; i <= DOUBT_MAX + 10; i++)
		assert_true(doubt_take(i, SLICE("a")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembers_once),
		cmocka_unit_test(forgets_the_oldest),
	};

	doubt_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
