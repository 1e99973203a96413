/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions for mail of the queue: what is one, and what it lets through. */
#include "mail/queue_filter.h"
#include "support/test.h"

static void patterns_fit_whole_texts(void **state)
{
	static const struct {
		const char *text, *pattern;
		bool fits;
	} rows[] = {
		{ "", "", true },
		{ "", "*", true },
		{ "", "?", false },
		{ "a", "", false },
		{ "abc", "abc", true },
		{ "ABC", "abc", true },
		{ "abc", "ab", false },
		{ "abc", "a?c", true },
		{ "ac", "a?c", false },
		{ "mx.example.org", "*.org", true },
		{ "mx.example.org", "*.example", false },
		{ "mx.example.org", "mx*e*org", true },
		{ "mx.example.org", "*", true },
		{ "aab", "*ab", true },
		{ "abab", "*ab", true },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "*a*a*a*a*a*a*a*a*b", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			queue_filter_glob(slice_of(rows[i].text), slice_of(rows[i].pattern)), rows[i].fits);
}

static void filters_are_read(void **state)
{
	static const struct {
		const char *text, *wrong; /* NULL: right */
	} rows[] = {
		{ "", NULL },
		{ "from=", NULL },
		{ "from=<>", NULL },
		{ "to=a@b\nolder=2h\nstatus=held", NULL },
		{ "status=4.4.*", NULL },
		{ "status=*.1.1", NULL },
		{ "reason=a=b", NULL },
		{ "to", "is no filter" },
		{ "too=x", "is no filter" },
		{ "=x", "is no filter" },
		{ "To=x", "is no filter" },
		{ "to=", "needs an address or a part of one" },
		{ "domain=", "needs a domain" },
		{ "reason=", "needs some words of the reason" },
		{ "older=", "must be a time such as 90s, 30m, 2h or 3d" },
		{ "older=soon", "must be a time such as 90s, 30m, 2h or 3d" },
		{ "older=-1", "must be a time such as 90s, 30m, 2h or 3d" },
		{ "older=99999999999d", "must be a time such as 90s, 30m, 2h or 3d" },
		{ "status=frozen", "must be waiting, active, held, or a status code such as 4.4.1 or 4.4.*" },
		{ "status=", "must be waiting, active, held, or a status code such as 4.4.1 or 4.4.*" },
		{ "to=a\nto=b", "is given twice" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct queue_filter f;
		const char *complaint = NULL;
		bool ok = queue_filter_parse(slice_of(rows[i].text), &f, &complaint);
		assert_int_equal(ok, !rows[i].wrong);
		if (rows[i].wrong)
			assert_string_equal(complaint, rows[i].wrong);
	}
	assert_true(queue_filter_has(SLICE("domain")));
	assert_false(queue_filter_has(SLICE("all")));
}

static void times_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t s;
	} rows[] = { { "0", 0 }, { "90", 90 }, { "90s", 90 }, { "5m", 300 }, { "2h", 7200 }, { "3d", 259200 },
		{ "1w", 604800 }, { "2H", 7200 } };
	uint64_t s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(queue_filter_time(slice_of(rows[i].text), &s));
		assert_int_equal(s, rows[i].s);
	}
}

static void mail_is_let_through(void **state)
{
	static const struct {
		const char *filter, *from;
		char mail_state;
		uint64_t age_s;
		bool wanted;
	} rows[] = {
		{ "", "a@b.example", ' ', 0, true },
		{ "from=B.EXAMPLE", "a@b.example", ' ', 0, true },
		{ "from=c.example", "a@b.example", ' ', 0, false },
		{ "from=*@b.example", "a@b.example", ' ', 0, true },
		{ "from=*@example", "a@b.example", ' ', 0, false },
		{ "from=<>", "", ' ', 0, true },
		{ "from=", "", ' ', 0, true },
		{ "from=<>", "a@b.example", ' ', 0, false },
		{ "older=1m", "", ' ', 59, false },
		{ "older=1m", "", ' ', 60, true },
		{ "status=held", "", '!', 0, true },
		{ "status=held", "", ' ', 0, false },
		{ "status=Active", "", '*', 0, true },
		{ "status=deferred", "", ' ', 0, true },
		{ "status=deferred", "", '!', 0, false },
		{ "from=a\nolder=1m\nstatus=waiting", "a@b", ' ', 61, true },
		{ "from=a\nolder=1m\nstatus=waiting", "b@b", ' ', 61, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct queue_filter f;
		const char *complaint;
		assert_true(queue_filter_parse(slice_of(rows[i].filter), &f, &complaint));
		assert_int_equal(queue_filter_wants_mail(
					 &f, slice_of(rows[i].from), rows[i].mail_state, rows[i].age_s),
			rows[i].wanted);
		assert_false(queue_filter_by_rcpt(&f));
	}
}

static void recipients_are_let_through(void **state)
{
	static const struct {
		const char *filter, *to, *status, *reason;
		bool wanted;
	} rows[] = {
		{ "", "a@b.example", "", "", true },
		{ "to=A@", "a@b.example", "", "", true },
		{ "to=z", "a@b.example", "", "", false },
		{ "to=?@b*", "a@b.example", "", "", true },
		{ "domain=B.example", "a@b.example", "", "", true },
		{ "domain=example", "a@b.example", "", "", false },
		{ "domain=*.example", "a@b.example", "", "", true },
		{ "domain=a", "a", "", "", false },
		{ "reason=refused", "a@b", "4.4.1", "connect to x: Connection refused", true },
		{ "reason=refused", "a@b", "4.4.1", "connect to x: timed out", false },
		{ "reason=connect*refused", "a@b", "4.4.1", "connect to x: Connection refused", true },
		{ "status=4.4.1", "a@b", "4.4.1", "", true },
		{ "status=4.4", "a@b", "4.4.1", "", false },
		{ "status=4.4.*", "a@b", "4.4.1", "", true },
		{ "status=5.*", "a@b", "4.4.1", "", false },
		{ "status=4.*", "a@b", "", "", false },
		{ "to=a\nreason=full", "a@b", "4.2.2", "mailbox full", true },
		{ "to=b@\nreason=full", "a@b", "4.2.2", "mailbox full", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct queue_filter f;
		const char *complaint;
		assert_true(queue_filter_parse(slice_of(rows[i].filter), &f, &complaint));
		assert_int_equal(queue_filter_by_rcpt(&f), *rows[i].filter != '\0');
		assert_int_equal(queue_filter_wants_rcpt(&f, slice_of(rows[i].to), slice_of(rows[i].status),
					 slice_of(rows[i].reason)),
			rows[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_fit_whole_texts),
		cmocka_unit_test(filters_are_read),
		cmocka_unit_test(times_have_units),
		cmocka_unit_test(mail_is_let_through),
		cmocka_unit_test(recipients_are_let_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
