/* SPDX-License-Identifier: Apache-2.0 */
/* test_lease.c - ids of one sender: once each, the last blocks only, not too many in a second */
#include "queue/lease.h"
#include "support/test.h"

static void an_id_is_taken_once(void **state)
{
	struct leases l = { 0 };

	(void)state;
	assert_false(leases_take(&l, 0));
	leases_add(&l, 1000);
	leases_add(&l, 1000000);
	for (uint64_t at = 0; at < LEASE_COUNT; at++) {
		assert_true(leases_take(&l, 1000 + at));
		assert_false(leases_take(&l, 1000 + at));
	}
	assert_true(leases_take(&l, 1000000));
	assert_false(leases_take(&l, 999));
	assert_false(leases_take(&l, 1000 + LEASE_COUNT));
	assert_false(leases_take(&l, UINT64_MAX));
	leases_deinit(&l);
}

static void old_blocks_are_forgotten(void **state)
{
	struct leases l = { 0 };

	(void)state;
	for (uint64_t i = 0; i <= LEASES_KEPT; i++)
		leases_add(&l, (i + 1) * LEASE_COUNT);
	assert_false(leases_take(&l, LEASE_COUNT));
	assert_true(leases_take(&l, UINT64_C(2) * LEASE_COUNT));
	assert_true(leases_take(&l, (LEASES_KEPT + UINT64_C(1)) * LEASE_COUNT));
	leases_deinit(&l);
}

static void blocks_are_rationed(void **state)
{
	struct leases l = { 0 };

	(void)state;
	for (unsigned second = 1; second <= 3; second++) {
		for (unsigned i = 0; i < LEASES_PER_SECOND; i++)
			assert_true(leases_may_add(&l, second * 1000 + i));
		assert_false(leases_may_add(&l, second * 1000 + 999));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_taken_once),
		cmocka_unit_test(old_blocks_are_forgotten),
		cmocka_unit_test(blocks_are_rationed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
