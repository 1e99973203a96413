/* SPDX-License-Identifier: Apache-2.0 */
/* test_pace.c - concurrency, rate and hold-off of one destination, by a clock of the test's own */
#include "queue/pace.h"
#include "support/test.h"

static const struct pace_limits limits = {
	.initial = 5, .concurrency = 20, .hold_min_ms = 1000, .hold_max_ms = 8000
};

static size_t window(const struct pace *p, const struct pace_limits *l)
{
	size_t n = 0;

	while (pace_ask(p, l, n, 0) == PACE_GO)
		n++;
	return n;
}

static void rises_with_success_up_to_the_limit(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, &limits);
	assert_int_equal(window(&p, &limits), 5);
	for (size_t i = 0; i < 6; i++) /* as many as may go at a time, and what rounding loses */
		assert_false(pace_good(&p, &limits));
	assert_int_equal(window(&p, &limits), 6);
	for (size_t i = 0; i < 1000; i++)
		(void)pace_good(&p, &limits);
	assert_int_equal(window(&p, &limits), 20);
	assert_int_equal(window(&p, &(struct pace_limits){ .concurrency = 2 }), 2); /* a reload */
}

static void too_many_connections_are_halved(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, &limits);
	for (size_t i = 0; i < 1000; i++)
		(void)pace_good(&p, &limits);
	/* Others of that time had success. */
	assert_false(pace_bad(&p, &limits, p.n_good - 1, 0, 0));
	assert_int_equal(window(&p, &limits), 10);
	for (size_t i = 0; i < 20; i++)
		assert_false(pace_bad(&p, &limits, p.n_good - 1, 0, 0));
	assert_int_equal(window(&p, &limits), 1);
}

static void a_dead_destination_is_probed_ever_less_often(void **state)
{
	static const uint64_t pauses_ms[] = { 1000, 2000, 4000, 8000, 8000 };
	struct pace p;
	uint64_t now_ms = 50;

	(void)state;
	pace_init(&p, &limits);
	for (size_t i = 0; i < ARRAY_LEN(pauses_ms); i++) {
		assert_true(pace_bad(&p, &limits, p.n_good, now_ms, 0));
		assert_true(pace_bad(&p, &limits, p.n_good, now_ms + 1, 0)); /* one that had begun before */
		assert_int_equal(p.probe_at_ms, now_ms + pauses_ms[i]);
		assert_int_equal(pace_ask(&p, &limits, 0, 0), PACE_PARK);
		now_ms = p.probe_at_ms;
		pace_probe(&p);
		assert_int_equal(pace_ask(&p, &limits, 0, 0), PACE_GO);
		pace_started(&p, &limits, 0);
		assert_int_equal(pace_ask(&p, &limits, 1, 0), PACE_PARK);
	}
	pace_probe_lost(&p);
	assert_int_equal(pace_ask(&p, &limits, 0, 0), PACE_GO);
	pace_started(&p, &limits, 0);
	assert_true(pace_good(&p, &limits));
	assert_int_equal(window(&p, &limits), 2);
	assert_true(pace_bad(&p, &limits, p.n_good, now_ms, 0));
	assert_int_equal(p.probe_at_ms, now_ms + 1000); /* as at first */
}

static void pauses_have_jitter(void **state)
{
	(void)state;
	for (uint32_t dice = 0; dice < 1000; dice += 7) {
		struct pace p;
		pace_init(&p, &limits);
		assert_true(pace_bad(&p, &limits, 0, 0, dice));
		assert_in_range(p.probe_at_ms, 900, 1000);
		if (dice % 100 == 50)
			assert_int_equal(p.probe_at_ms, 950);
	}
}

static void a_rate_spaces_messages_evenly(void **state)
{
	const struct pace_limits l = { .initial = 100, .concurrency = 100, .spacing_us = 36000000 };
	uint64_t now_us = 1000;
	struct pace p;

	(void)state;
	pace_init(&p, &l);
	for (size_t i = 0; i < 10; i++) { /* after a long pause too it is one at a time */
		assert_int_equal(pace_ask(&p, &l, 0, now_us), PACE_GO);
		pace_started(&p, &l, now_us);
		assert_int_equal(p.next_us, now_us + 36000000);
		assert_int_equal(pace_ask(&p, &l, 0, now_us + 35999999), PACE_LATER);
		now_us += i == 5 ? 360000000 : 36000000;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rises_with_success_up_to_the_limit),
		cmocka_unit_test(too_many_connections_are_halved),
		cmocka_unit_test(a_dead_destination_is_probed_ever_less_often),
		cmocka_unit_test(pauses_have_jitter),
		cmocka_unit_test(a_rate_spaces_messages_evenly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
