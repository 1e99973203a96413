/* SPDX-License-Identifier: Apache-2.0 */
/* test_rcpt_check.c - every verdict, and every way around the relay rule that is known */
#include "route/rcpt_check.h"
#include "support/test.h"

static const struct {
	const char *key, *rhs;
} aliases[] = {
	{ "lpic1", "root" },
	{ "list+x", "a@far.test" },
	{ "gone", ":fail: moved to Mars" },
	{ "full", "error:452 4.2.2 no room" },
	{ "mixed", "root, :fail: never said at RCPT" },
	{ "hole", "/dev/null" },
};

static enum alias_status find(void *user, struct slice key, struct alias_value *out)
{
	if (*(const bool *)user)
		return ALIAS_BROKEN;
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		if (slice_eq(key, slice_of(aliases[i].key))) {
			*out = (struct alias_value){ .text = slice_of(aliases[i].rhs), .line = i };
			return ALIAS_FOUND;
		}
	}
	return ALIAS_NONE;
}

static bool is_local(void *user, struct slice domain)
{
	(void)user;
	return slice_eq_nocase(domain, SLICE("here.test")) || slice_eq_nocase(domain, SLICE("localhost"));
}

static void check(const char *path, bool may_relay, bool is_broken, struct buf *out)
{
	struct route_rules rules = { .origin = SLICE("here.test"),
		.names = { .delimiters = SLICE("+"),
			.is_local_domain = is_local,
			.find = find,
			.user = &is_broken } };
	struct rcpt_check c;

	memset(&c, 'x', sizeof(c));
	if (rcpt_check_start(&c, &rules, slice_of(path), may_relay) == RCPT_STEP_ASK_USER)
		buf_printf(out, "ask %s", c.user);
	else
		buf_printf(out, "%d %s %s", c.code, c.status, c.text);
}

#define OK "250 2.1.5 Ok"
#define REJECTED "Recipient address rejected: "

static void verdicts(void **state)
{
	static const struct {
		const char *path;
		bool may_relay, is_broken;
		const char *want;
	} rows[] = {
		{ "payam@here.test", false, false, "ask payam" },
		{ "payam+x@LOCALHOST", false, false, "ask payam" },
		{ "\"payam\"@here.test", false, false, "ask payam" },
		{ "payam@[127.0.0.1]", false, false, "ask payam" },
		{ "lpic1@localhost", false, false, OK },
		{ "LPIC1+ext@here.test", false, false, OK },
		{ "list+X@here.test", false, false, OK },
		{ "list+y@here.test", false, false, "ask list" },
		{ "hole@here.test", false, false, OK },
		{ "mixed@here.test", false, false, OK },
		{ "gone@here.test", true, false, "550 5.1.1 <gone@here.test>: " REJECTED "moved to Mars" },
		{ "full@here.test", true, false, "452 4.2.2 <full@here.test>: " REJECTED "no room" },
		{ "postmaster", false, false, OK },
		{ "PostMaster", false, false, OK },
		{ "postmaster@here.test", false, false, OK },
		{ "Mailer-Daemon@here.test", false, false, OK },
		{ "abuse@here.test", false, false, OK },
		{ "payam", false, false, "504 5.5.2 <payam>: " REJECTED "need fully-qualified address" },
		{ "payam", true, false, "ask payam" },
		{ "u@far.test", true, false, OK },
		{ "u@far.test", false, false, "554 5.7.1 <u@far.test>: Relay access denied" },
		/* what looks local but asks to be sent on */
		{ "u%far.test@here.test", false, false, "ask u%far.test" },
		{ "far.test!u@here.test", false, false, "ask far.test!u" },
		{ "\"u@far.test\"@here.test", false, false, "ask u@far.test" },
		{ "u@far.test@here.test", false, false,
			"501 5.1.3 <u@far.test@here.test>: " REJECTED "Bad recipient address syntax" },
		{ "@here.test:u@far.test", false, false,
			"501 5.1.3 <@here.test:u@far.test>: " REJECTED "Bad recipient address syntax" },
		{ "u@[192.0.2.1]", false, false, "554 5.7.1 <u@[192.0.2.1]>: Relay access denied" },
		{ "", false, false, "501 5.1.3 <>: " REJECTED "Bad recipient address syntax" },
		{ "a b@here.test", true, false,
			"501 5.1.3 <a b@here.test>: " REJECTED "Bad recipient address syntax" },
		{ "a\r\n250 b", true, false,
			"501 5.1.3 <a??250 b>: " REJECTED "Bad recipient address syntax" },
		{ "payam@here.test", false, true,
			"451 4.3.0 <payam@here.test>: " REJECTED
			"the alias table cannot be used, try again later" },
		{ "u@far.test", false, true, "554 5.7.1 <u@far.test>: Relay access denied" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(4096);
		check(rows[i].path, rows[i].may_relay, rows[i].is_broken, &got);
		assert_slice_equal(buf_slice(&got), slice_of(rows[i].want));
	}
}

static void answers(void **state)
{
	static const struct {
		enum user_outcome outcome;
		int code;
		const char *status, *text;
	} rows[] = {
		{ USER_FOUND, 250, "2.1.5", "Ok" },
		{ USER_UNKNOWN, 550, "5.1.1",
			"<n@here.test>: Recipient address rejected: User unknown in local recipient table" },
		{ USER_UNAVAILABLE, 451, "4.3.0",
			"<n@here.test>: Recipient address rejected: the user database does not answer, try "
			"again later" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rcpt_check c = { .path = "n@here.test" };
		rcpt_check_answer(&c, rows[i].outcome);
		assert_int_equal(c.code, rows[i].code);
		assert_string_equal(c.status, rows[i].status);
		assert_string_equal(c.text, rows[i].text);
	}
}

static void long_recipients_fit_the_reply(void **state)
{
	char path[2 * LIMIT_REPLY_LINE];
	auto_buf struct buf got = BUF_INIT(4096);

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	check(path, false, false, &got);
	assert_true(slice_starts(buf_slice(&got), SLICE("501 5.1.3 <aaaa")));
	assert_true(got.len < LIMIT_REPLY_LINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(answers),
		cmocka_unit_test(long_recipients_fit_the_reply),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
