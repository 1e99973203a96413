/* SPDX-License-Identifier: Apache-2.0 */
/* test_date.c - the three forms, in several time zones */
#include "support/test.h"
#include "mail/date.h"
#include <time.h>

static void writes_dates(void **state)
{
	static const struct {
		const char *zone;
		int64_t time_s;
		const char *rfc5322, *from_line;
	} rows[] = {
		{ "EST5EDT", 1582107035, "Wed, 19 Feb 2020 05:10:35 -0500 (EST)",
			"Wed Feb 19 05:10:35 2020" },
		{ "EST5EDT", 1593604800, "Wed, 1 Jul 2020 08:00:00 -0400 (EDT)", "Wed Jul  1 08:00:00 2020" },
		{ "UTC0", 0, "Thu, 1 Jan 1970 00:00:00 +0000 (UTC)", "Thu Jan  1 00:00:00 1970" },
		{ "IST-5:30", 1000000000, "Sun, 9 Sep 2001 07:16:40 +0530 (IST)",
			"Sun Sep  9 07:16:40 2001" },
		{ "NST3:30", 1000000000, "Sat, 8 Sep 2001 22:16:40 -0330 (NST)", "Sat Sep  8 22:16:40 2001" },
		{ "<-03>3", 1704067199, "Sun, 31 Dec 2023 20:59:59 -0300 (-03)", "Sun Dec 31 20:59:59 2023" },
		{ "UTC0", 4102444800, "Fri, 1 Jan 2100 00:00:00 +0000 (UTC)", "Fri Jan  1 00:00:00 2100" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf a = BUF_INIT(100), b = BUF_INIT(100), c = BUF_INIT(100);
		assert_int_equal(setenv("TZ", rows[i].zone, 1), 0);
		tzset();
		date_append_rfc5322(&a, rows[i].time_s);
		assert_slice_equal(buf_slice(&a), slice_of(rows[i].rfc5322));
		date_append_from_line(&b, rows[i].time_s);
		assert_slice_equal(buf_slice(&b), slice_of(rows[i].from_line));
		date_append_mailq(&c, rows[i].time_s);
		assert_slice_equal(buf_slice(&c), slice_first(slice_of(rows[i].from_line), 19));
	}
}

static void survives_any_number(void **state)
{
	static const int64_t rows[] = { INT64_MAX, INT64_MIN, -1, INT64_C(253402300800) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(100);
		date_append_rfc5322(&out, rows[i]);
		assert_true(buf_ok(&out) && out.len > 30);
	}
}

static void writes_durations(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *want;
	} rows[] = {
		{ 0, "0 seconds" },
		{ 1, "1 second" },
		{ 60, "1 minute" },
		{ 119, "119 seconds" },
		{ 120, "2 minutes" },
		{ 3599, "59 minutes" },
		{ 3600, "1 hour" },
		{ 5400, "90 minutes" },
		{ 7200, "2 hours" },
		{ 129600, "36 hours" },
		{ 86400, "1 day" },
		{ 432000, "5 days" },
		{ 431999, "4 days" },
		{ UINT64_MAX, "213503982334601 days" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(100);
		date_append_duration(&out, rows[i].seconds);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(writes_dates),
		cmocka_unit_test(writes_durations), cmocka_unit_test(survives_any_number) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
