/* SPDX-License-Identifier: Apache-2.0 */
/* test_rest.c - which mail waits for more to come, and how long */
#include "local/rest.h"
#include "support/test.h"

/* A mail every few milliseconds, in each way that mail comes to one mailbox. */
static void only_overlapping_mail_under_load_waits(void **state)
{
	static const struct {
		const char *what;
		bool is_busy;	    /* the one before is not delivered */
		size_t n_together;  /* that were given last time */
		size_t n_under_way; /* of all mailboxes */
		size_t n_waiting;   /* now */
		uint64_t since_ms;  /* last time */
		bool want;
	} rows[] = {
		{ "who waits for each delivery, on a quiet host", false, 1, 1, 1, 2, false },
		{ "who waits for each delivery, on a busy host", false, 1, 5000, 1, 2, false },
		{ "two at a time on a quiet host", true, 1, 2, 1, 2, false },
		{ "a few at a time on a quiet host", true, 5, REST_LOAD - 1, 1, 2, false },
		{ "a stream to one mailbox", false, 30, REST_LOAD, 12, 2, true },
		{ "one of many mailboxes", true, 1, 300, 1, 20, true },
		{ "the same, just before the end", true, 1, 300, 5, REST_MS - 1, true },
		{ "the same, when it is over", true, 1, 300, 5, REST_MS, false },
		{ "nearly too many wait", true, 1, 300, REST_MAILS_MAX - 1, 2, true },
		{ "too many wait", true, 1, 300, REST_MAILS_MAX, 2, false },
		{ "the load is gone", true, 20, REST_LOAD - 1, 5, 2, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rest rest = { 0 };
		struct rest_now now = {
			.now_ms = 1000000, .n_waiting = rows[i].n_together, .n_under_way = rows[i].n_under_way
		};
		assert_false(rest_is_due(&rest, &now)); /* its first mail */
		rest_over(&rest, &now, rows[i].is_busy);
		now.now_ms += rows[i].since_ms;
		now.n_waiting = rows[i].n_waiting;
		if (rest_is_due(&rest, &now) != rows[i].want)
			fail_msg("%s: %s", rows[i].what, rows[i].want ? "does not wait" : "waits");
	}
}

/* Once the stream has dried up, the next single mail ends the habit. */
static void a_mailbox_gets_back_to_normal(void **state)
{
	struct rest_now now = { .now_ms = 1000, .n_waiting = 20, .n_under_way = 100 };
	struct rest rest = { 0 };

	(void)state;
	rest_over(&rest, &now, false);
	now.n_waiting = 1;
	now.now_ms += 5;
	assert_true(rest_is_due(&rest, &now));
	now.now_ms += REST_MS;
	assert_false(rest_is_due(&rest, &now));
	rest_over(&rest, &now, false);
	now.now_ms += 5;
	assert_false(rest_is_due(&rest, &now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_overlapping_mail_under_load_waits),
		cmocka_unit_test(a_mailbox_gets_back_to_normal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
