/* SPDX-License-Identifier: Apache-2.0 */
/* test_deadlines.c - who has waited too long, and when to look again */
#include "smtpd/deadlines.h"
#include "support/test.h"

static void expires_in_order(void **state)
{
	struct deadlines d;
	struct deadline a, b, c;
	(void)state;

	deadlines_init(&d);
	d.timeout_ms[DEADLINE_CLIENT] = 100;
	d.timeout_ms[DEADLINE_CLOSE] = 10;
	deadline_init(&a);
	deadline_init(&b);
	deadline_init(&c);
	assert_true(deadlines_next_ms(&d) == UINT64_MAX);
	deadline_set(&d, &a, DEADLINE_CLIENT, 1000);
	deadline_set(&d, &b, DEADLINE_CLIENT, 1010);
	deadline_set(&d, &c, DEADLINE_CLOSE, 1050);
	assert_int_equal(deadlines_next_ms(&d), 1060);
	assert_null(deadlines_next_expired(&d, 1059));
	deadline_set(&d, &a, DEADLINE_CLIENT, 1055); /* progress: now behind b */
	assert_ptr_equal(deadlines_next_expired(&d, 1060), &c);
	assert_int_equal(c.kind, DEADLINE_CLOSE); /* says what it waited for */
	assert_null(deadlines_next_expired(&d, 1060));
	assert_int_equal(deadlines_next_ms(&d), 1110);
	deadline_set(&d, &b, DEADLINE_NONE, 1100);
	assert_null(deadlines_next_expired(&d, 1154));
	assert_ptr_equal(deadlines_next_expired(&d, 1155), &a);
	assert_null(deadlines_next_expired(&d, 99999));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expires_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
