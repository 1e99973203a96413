/* SPDX-License-Identifier: Apache-2.0 */
/* test_id_pool.c - leased queue ids: each once, and another lease in time */
#include "smtpd/id_pool.h"
#include "support/test.h"

static void gives_each_id_once(void **state)
{
	struct id_pool p = ID_POOL_INIT;
	(void)state;

	assert_int_equal(id_pool_take(&p), 0);
	assert_true(id_pool_wants(&p, 1000));
	assert_false(id_pool_wants(&p, 1000 + ID_POOL_PATIENCE_MS - 1)); /* under way */
	assert_true(id_pool_wants(&p, 1000 + ID_POOL_PATIENCE_MS));
	assert_true(id_pool_add(&p, 100, 4));
	assert_false(id_pool_wants(&p, 9000));
	assert_int_equal(id_pool_take(&p), 100);
	assert_int_equal(id_pool_take(&p), 101);
	assert_true(id_pool_wants(&p, 9000)); /* half is gone */
	assert_true(id_pool_add(&p, 7, 1));
	assert_int_equal(id_pool_take(&p), 102);
	assert_int_equal(id_pool_take(&p), 103);
	assert_int_equal(id_pool_take(&p), 7);
	assert_int_equal(id_pool_take(&p), 0);
	assert_int_equal(p.left, 0);
}

static void refuses_nonsense(void **state)
{
	struct id_pool p = ID_POOL_INIT;
	(void)state;

	assert_false(id_pool_add(&p, 0, 5));
	assert_false(id_pool_add(&p, 5, 0));
	assert_false(id_pool_add(&p, UINT64_MAX, 2));
	for (size_t i = 0; i < ID_POOL_LEASES; i++)
		assert_true(id_pool_add(&p, 10 * (i + 1), 10));
	assert_false(id_pool_add(&p, 1000, 10));
	assert_false(id_pool_wants(&p, 9000));
	id_pool_clear(&p);
	assert_int_equal(id_pool_take(&p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_each_id_once),
		cmocka_unit_test(refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
