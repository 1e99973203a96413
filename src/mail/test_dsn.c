/* SPDX-License-Identifier: Apache-2.0 */
/* test_dsn.c - a whole bounce byte for byte, then what differs by kind, RET, size and alphabet */
#include "support/test.h"
#include "mail/dsn.h"
#include <time.h>

static int set_zone(void **state)
{
	(void)state;
	if (setenv("TZ", "EST5EDT", 1) != 0)
		return -1;
	tzset();
	return 0;
}

static struct dsn_recipient ordinary_recipient(void)
{
	return (struct dsn_recipient){
		.address = SLICE("gone@far.test"),
		.original = SLICE("friend@localhost"),
		.orcpt = SLICE("rfc822;fri+2Bend@localhost"),
		.action = DSN_ACTION_FAILED,
		.status = SLICE("5.1.1"),
		.reason = SLICE("host mx.far.test[192.0.2.7] said: 550 5.1.1 no such user here"),
		.said = SLICE("550 5.1.1 no such user here"),
		.diagnostic = DSN_DIAGNOSTIC_SMTP,
		.remote_mta = SLICE("mx.far.test[192.0.2.7]"),
		.last_attempt_s = 1582107035,
	};
}

static struct dsn_facts ordinary(const struct dsn_recipient *recipients, size_t n)
{
	return (struct dsn_facts){
		.kind = DSN_FAILURE,
		.host = SLICE("host.test"),
		.origin = SLICE("origin.test"),
		.to = SLICE("me@origin.test"),
		.queue_id = 0x2,
		.original_queue_id = 0x1,
		.sender = SLICE("me@origin.test"),
		.envid = SLICE("env+20id"),
		.arrival_s = 1582107035,
		.now_s = 1582107036,
		.original = SLICE("Subject: x\n\nbody\n"),
		.recipients = recipients,
		.n_recipients = n,
	};
}

static bool contains(const struct buf *out, const char *text)
{
	return memmem(out->at, out->len, text, strlen(text)) != NULL;
}

static void builds_a_bounce(void **state)
{
	static const char want[] =
		"Date: Wed, 19 Feb 2020 05:10:36 -0500 (EST)\n"
		"From: MAILER-DAEMON@origin.test (Mail Delivery System)\n"
		"Subject: Undelivered Mail Returned to Sender\n"
		"To: me@origin.test\n"
		"Auto-Submitted: auto-replied\n"
		"Message-ID: <1582107036.000000000000002@host.test>\n"
		"MIME-Version: 1.0\n"
		"Content-Type: multipart/report; report-type=delivery-status;\n"
		"\tboundary=\"000000000000002.1582107036\"\n"
		"\n"
		"This is a MIME-encapsulated message.\n"
		"\n"
		"--000000000000002.1582107036\n"
		"Content-Description: Notification\n"
		"Content-Type: text/plain; charset=us-ascii\n"
		"\n"
		"This is the mail system of host host.test.\n"
		"\n"
		"Your message could not be delivered to the recipients named below, and no\n"
		"further attempt will be made for them. The reason stands behind each\n"
		"address.\n"
		"\n"
		"<gone@far.test> (you wrote to <friend@localhost>): host\n"
		"    mx.far.test[192.0.2.7] said: 550 5.1.1 no such user here\n"
		"\n"
		"    There is no such address there. Check it for typing mistakes, or ask the\n"
		"    person for the right one by other means.\n"
		"\n"
		"What you wrote comes back with this mail, as far as its size and your mail\n"
		"program's wishes allow.\n"
		"\n"
		"The message has the queue id 000000000000001 here; it came\n"
		"on Wed, 19 Feb 2020 05:10:35 -0500 (EST)\n"
		"This was written on Wed, 19 Feb 2020 05:10:36 -0500 (EST)\n"
		"\n"
		"--000000000000002.1582107036\n"
		"Content-Description: Delivery report\n"
		"Content-Type: message/delivery-status\n"
		"\n"
		"Reporting-MTA: dns; host.test\n"
		"X-Postrider-Queue-ID: 000000000000001\n"
		"X-Postrider-Sender: rfc822; me@origin.test\n"
		"Original-Envelope-Id: env id\n"
		"Arrival-Date: Wed, 19 Feb 2020 05:10:35 -0500 (EST)\n"
		"\n"
		"Original-Recipient: rfc822; fri+end@localhost\n"
		"Final-Recipient: rfc822; gone@far.test\n"
		"Action: failed\n"
		"Status: 5.1.1\n"
		"Remote-MTA: dns; mx.far.test (192.0.2.7)\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user here\n"
		"Last-Attempt-Date: Wed, 19 Feb 2020 05:10:35 -0500 (EST)\n"
		"\n"
		"--000000000000002.1582107036\n"
		"Content-Description: Undelivered Message\n"
		"Content-Type: message/rfc822\n"
		"\n"
		"Subject: x\n"
		"\n"
		"body\n"
		"\n"
		"--000000000000002.1582107036--\n";
	struct dsn_recipient r = ordinary_recipient();
	struct dsn_facts f = ordinary(&r, 1);
	auto_buf struct buf out = BUF_INIT(100000);

	(void)state;
	dsn_build(&f, &out);
	assert_slice_equal(buf_slice(&out), SLICE(want));
}

static void differs_by_kind(void **state)
{
	static const struct {
		enum dsn_kind kind;
		enum dsn_action action;
		const char *subject, *action_line, *status_line;
	} rows[] = {
		{ DSN_DELAY, DSN_ACTION_DELAYED, "Subject: Delayed Mail (still being retried)\n",
			"Action: delayed\n", "Status: 4.0.0\n" },
		{ DSN_SUCCESS, DSN_ACTION_RELAYED, "Subject: Successful Mail Delivery Report\n",
			"Action: relayed\n", "Status: 2.0.0\n" },
		{ DSN_SUCCESS, DSN_ACTION_EXPANDED, "Subject: Successful Mail Delivery Report\n",
			"Action: expanded\n", "Status: 2.0.0\n" },
		{ DSN_SUCCESS, DSN_ACTION_DELIVERED, "Subject: Successful Mail Delivery Report\n",
			"Action: delivered\n", "Status: 2.0.0\n" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dsn_recipient r = ordinary_recipient();
		struct dsn_facts f = ordinary(&r, 1);
		auto_buf struct buf out = BUF_INIT(100000);
		r.action = rows[i].action;
		r.status = SLICE_EMPTY;
		r.retry_until_s = 1582539035;
		f.kind = rows[i].kind;
		dsn_build(&f, &out);
		assert_true(contains(&out, rows[i].subject));
		assert_true(contains(&out, rows[i].action_line));
		assert_true(contains(&out, rows[i].status_line));
		assert_true(contains(&out, "Content-Type: text/rfc822-headers\n\nSubject: x\n\n--"));
		assert_false(contains(&out, "body\n"));
		assert_int_equal(
			contains(&out, "Will-Retry-Until: Mon, 24 Feb 2020"), rows[i].kind == DSN_DELAY);
	}
}

static void obeys_ret_and_size(void **state)
{
	static const struct {
		enum ret ret;
		size_t max;
		uint64_t whole;
		const char *tail; /* from the third part's type on */
		bool says_truncated;
	} rows[] = {
		{ RET_FULL, 0, 0, "message/rfc822\n\nA: b\n\none\ntwo\nthree\n\n--", false },
		{ RET_HDRS, 0, 0, "text/rfc822-headers\n\nA: b\n\n--", false },
		{ RET_FULL, 12, 0, "message/rfc822\n\nA: b\n\none\n\n--", true },
		{ RET_FULL, 14, 0, "message/rfc822\n\nA: b\n\none\ntwo\n\n--", true },
		{ RET_FULL, 2, 0, "message/rfc822\n\nA: b\n\n--", true },
		{ RET_FULL, 0, 99999, "message/rfc822\n\nA: b\n\none\ntwo\nthree\n\n--", true },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dsn_recipient r = ordinary_recipient();
		struct dsn_facts f = ordinary(&r, 1);
		auto_buf struct buf out = BUF_INIT(100000);
		f.original = SLICE("A: b\n\none\ntwo\nthree\n");
		f.ret = rows[i].ret;
		f.original_max = rows[i].max;
		f.original_size = rows[i].whole;
		dsn_build(&f, &out);
		assert_true(contains(&out, rows[i].tail));
		assert_int_equal(contains(&out, "only the\nbeginning"), rows[i].says_truncated);
	}
}

static void labels_what_is_not_ascii(void **state)
{
	static const struct {
		const char *address, *orcpt, *reason, *original, *to;
		bool smtputf8;
		enum ret ret;
		const char *want[7]; /* all are there */
		const char *not_there;
	} rows[] = {
		/* Latin-1 without SMTPUTF8: passed on as it is, said to be 8-bit */
		{ "a@b", "", "no", "S: x\n\n\xe4\n", "me@x", false, RET_DEFAULT,
			{ "\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nS: x\n\n\xe4\n",
				"boundary=\"000000000000002.1582107036\"\nContent-Transfer-Encoding: "
				"8bit\n\n",
				"Content-Type: text/plain; charset=us-ascii\n\n",
				"Content-Type: message/delivery-status\n\n" },
			"global" },
		{ "a@b", "", "no", "S: \xe4\n\nb\n", "me@x", false, RET_HDRS,
			{ "\nContent-Type: text/rfc822-headers\nContent-Transfer-Encoding: 8bit\n\nS: "
			  "\xe4\n" },
			"global" },
		/* SMTPUTF8 with nothing but ASCII is ordinary mail */
		{ "a@b", "", "no", "S: x\n\nb\n", "me@x", true, RET_DEFAULT,
			{ "Content-Type: message/rfc822\n\n", "report-type=delivery-status" }, "8bit" },
		/* UTF-8 in a reply: words for people keep it, the ASCII part does not */
		{ "a@b", "", "550 kein Empf\xc3\xa4nger", "S: x\n\nb\n", "me@x", false, RET_DEFAULT,
			{ "<a@b>: 550 kein Empf\xc3\xa4nger\n", "X-Postrider; 550 kein Empf?nger\n",
				"Content-Type: message/delivery-status\n\n",
				"text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" },
			"global" },
		/* a UTF-8 address: the form of RFC 6533 */
		{ "gr\xc3\xbc@b", "utf-8;\\x{FC}b@x", "f\xc3\xbcr", "S: \xc3\xbc\n\nb\n", "me@x", true,
			RET_DEFAULT,
			{ "report-type=global-delivery-status",
				"Content-Type: message/global-delivery-status\nContent-Transfer-Encoding: "
				"8bit\n",
				"Content-Type: message/global\nContent-Transfer-Encoding: 8bit\n",
				"Final-Recipient: utf-8; gr\xc3\xbc@b\n",
				"Original-Recipient: utf-8; \xc3\xbc"
				"b@x\n",
				"Diagnostic-Code: X-Postrider; f\xc3\xbcr\n", "Action: failed\n" },
			"message/rfc822" },
		{ "gr\xc3\xbc@b", "", "no", "S: \xc3\xbc\n\nb\n", "me@x", true, RET_HDRS,
			{ "Content-Type: message/global-headers\nContent-Transfer-Encoding: 8bit\n" },
			"rfc822-headers" },
		/* utf-8 that came in ASCII stays ASCII in an ASCII report */
		{ "a@b", "utf-8;\\x{FC}b@x", "no", "S: x\n\nb\n", "me@x", false, RET_DEFAULT,
			{ "Original-Recipient: utf-8; \\x{FC}b@x\n",
				"Content-Type: message/delivery-status\n\n" },
			"8bit" },
		/* what is no encoding stays what it is */
		{ "gr\xc3\xbc@b", "utf-8;\\x{zz}", "no", "S: x\n\nb\n", "me@x", true, RET_DEFAULT,
			{ "Original-Recipient: utf-8; \\x{zz}\n" }, "message/global\n" },
		{ "a@b", "", "no", "S: x\n\nb\n", "j\xc3\xbcrgen@x", true, RET_DEFAULT,
			{ "To: j\xc3\xbcrgen@x\n" }, "message/global\n" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dsn_recipient r = { .address = slice_of(rows[i].address),
			.original = SLICE_EMPTY,
			.orcpt = slice_of(rows[i].orcpt),
			.status = SLICE("5.1.1"),
			.reason = slice_of(rows[i].reason),
			.said = SLICE_EMPTY,
			.remote_mta = SLICE_EMPTY };
		struct dsn_facts f = ordinary(&r, 1);
		auto_buf struct buf out = BUF_INIT(100000);
		f.original = slice_of(rows[i].original);
		f.to = slice_of(rows[i].to);
		f.smtputf8 = rows[i].smtputf8;
		f.ret = rows[i].ret;
		dsn_build(&f, &out);
		for (size_t k = 0; k < ARRAY_LEN(rows[i].want) && rows[i].want[k]; k++)
			if (!contains(&out, rows[i].want[k]))
				fail_msg("row %zu: no %s in\n%.*s", i, rows[i].want[k],
					SLICE_ARG(buf_slice(&out)));
		if (contains(&out, rows[i].not_there))
			fail_msg("row %zu: %s in\n%.*s", i, rows[i].not_there, SLICE_ARG(buf_slice(&out)));
	}
}

/* The class of the status is that of the action, whatever was given; people are told what to do. */
static void advises_by_status(void **state)
{
	static const struct {
		enum dsn_action action;
		const char *status, *line, *advice;
	} rows[] = {
		{ DSN_ACTION_FAILED, "5.1.1", "Status: 5.1.1\n", "no such address there" },
		{ DSN_ACTION_FAILED, "5.1.10", "Status: 5.1.10\n", "takes no mail at all" },
		{ DSN_ACTION_FAILED, "5.1.99", "Status: 5.1.99\n", "trouble is the recipient's address" },
		{ DSN_ACTION_FAILED, "4.2.2", "Status: 5.2.2\n", "mailbox is full. Send" },
		{ DSN_ACTION_FAILED, "5.2.1", "Status: 5.2.1\n", "only its owner" },
		{ DSN_ACTION_FAILED, "5.3.4", "Status: 5.3.4\n", "too large" },
		{ DSN_ACTION_FAILED, "5.4.7", "Status: 5.4.7\n", "in the time there was" },
		{ DSN_ACTION_FAILED, "5.6.7", "Status: 5.6.7\n", "letters beyond ASCII" },
		{ DSN_ACTION_FAILED, "5.7.26", "Status: 5.7.26\n", "by its own rules" },
		{ DSN_ACTION_FAILED, "", "Status: 5.0.0\n", "all that is known" },
		{ DSN_ACTION_FAILED, "5", "Status: 5\n", "" },
		{ DSN_ACTION_DELAYED, "4.7.1", "Status: 4.7.1\n", "see it a second time" },
		{ DSN_ACTION_DELAYED, "5.4.1", "Status: 4.4.1\n", "cannot be reached for now" },
		{ DSN_ACTION_DELAYED, "4.1.1", "Status: 4.1.1\n", "cannot be checked at" },
		{ DSN_ACTION_DELAYED, "4.6.0", "Status: 4.6.0\n", "nothing for you to do" },
		{ DSN_ACTION_DELIVERED, "2.1.5", "Status: 2.1.5\n", "does not mean that anyone has read it" },
		{ DSN_ACTION_RELAYED, "2.0.0", "Status: 2.0.0\n", "sends no reports of success" },
		{ DSN_ACTION_EXPANDED, "2.0.0", "Status: 2.0.0\n", "stands for several others" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dsn_recipient r = ordinary_recipient();
		struct dsn_facts f = ordinary(&r, 1);
		auto_buf struct buf out = BUF_INIT(100000);
		static const enum dsn_kind kinds[] = { [DSN_ACTION_FAILED] = DSN_FAILURE,
			[DSN_ACTION_DELAYED] = DSN_DELAY,
			[DSN_ACTION_DELIVERED] = DSN_SUCCESS,
			[DSN_ACTION_RELAYED] = DSN_SUCCESS,
			[DSN_ACTION_EXPANDED] = DSN_SUCCESS };
		r.action = rows[i].action;
		r.status = slice_of(rows[i].status);
		f.kind = kinds[r.action];
		dsn_build(&f, &out);
		if (!contains(&out, rows[i].line) || !contains(&out, rows[i].advice))
			fail_msg("row %zu:\n%.*s", i, SLICE_ARG(buf_slice(&out)));
	}
}

static void gives_postmaster_the_whole(void **state)
{
	struct dsn_recipient r = ordinary_recipient();
	struct dsn_facts f = ordinary(&r, 1);
	auto_buf struct buf out = BUF_INIT(100000);

	(void)state;
	f.kind = DSN_POSTMASTER;
	dsn_build(&f, &out);
	assert_true(contains(&out, "Subject: Postmaster Copy: Undelivered Mail\n"));
	assert_true(contains(&out, "Auto-Submitted: auto-generated\n"));
	assert_true(contains(&out, "Content-Type: message/rfc822\n\nSubject: x\n\nbody\n"));
	assert_false(contains(&out, "typing")); /* advice is for senders */
}

static void refers_to_the_original(void **state)
{
	static const struct {
		const char *original;
		bool is_quoted;
	} rows[] = {
		{ "Message-ID: <a@b>\n\nx\n", true },
		{ "message-id:\n <a@b>\n\nx\n", true },
		{ "Message-ID: a@b\n\nx\n", false },
		{ "Message-ID: <a b@c>\n\nx\n", false },
		{ "Message-ID: <a@b>\n <c@d>\n\nx\n", false },
		{ "Message-ID: <\xc3\xbc@b>\n\nx\n", false },
		{ "S: x\n\nMessage-ID: <a@b>\n", false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dsn_recipient r = ordinary_recipient();
		struct dsn_facts f = ordinary(&r, 1);
		auto_buf struct buf out = BUF_INIT(100000);
		f.original = slice_of(rows[i].original);
		dsn_build(&f, &out);
		if (contains(&out, "\nIn-Reply-To: <a@b>\nReferences: <a@b>\nMIME-") != rows[i].is_quoted ||
			contains(&out, "References:") != rows[i].is_quoted)
			fail_msg("row %zu:\n%.*s", i, SLICE_ARG(buf_slice(&out)));
	}
}

/* A host may say what it likes, as long as it likes. */
static void breaks_long_words(void **state)
{
	struct dsn_recipient r = ordinary_recipient();
	struct dsn_facts f = ordinary(&r, 1);
	auto_buf struct buf out = BUF_INIT(100000), words = BUF_INIT(10000);
	struct slice rest, line;

	(void)state;
	for (int i = 0; i < 1500; i++)
		buf_append_str(&words, "\xc3\xbc");
	r.reason = r.said = buf_slice(&words);
	dsn_build(&f, &out);
	assert_true(contains(&out, "\xc3\xbc\n    \xc3\xbc"));
	rest = buf_slice(&out);
	while (slice_next_line(&rest, &line))
		assert_true(line.len <= 998);
}

static void cannot_be_forged(void **state)
{
	struct dsn_recipient r = ordinary_recipient();
	struct dsn_facts f = ordinary(&r, 1);
	auto_buf struct buf out = BUF_INIT(100000);

	(void)state;
	r.reason = SLICE("550 a\r\nAction: delivered\n\n--000000000000002.1582107036--");
	r.said = SLICE("550 a\nAction: delivered");
	r.remote_mta = SLICE("mx\nX: y[1]");
	r.orcpt = SLICE("rfc822;a+0AAction:+20relayed");
	f.to = SLICE("a@b\nBcc: c@d");
	f.sender = SLICE("\"a\nb\"@c");
	f.original = SLICE("A: b\n\n--000000000000002.1582107036\n--000000000000002.1582107036.1\n");
	dsn_build(&f, &out);
	assert_false(contains(&out, "\nAction: delivered"));
	assert_false(contains(&out, "\nAction: relayed"));
	assert_false(contains(&out, "\nX: y"));
	assert_false(contains(&out, "\nBcc"));
	assert_true(contains(&out, "boundary=\"000000000000002.1582107036.2\""));
}

static void works_with_little(void **state)
{
	struct dsn_recipient r[] = {
		{ .address = SLICE("a"),
			.original = SLICE_EMPTY,
			.orcpt = SLICE_EMPTY,
			.status = SLICE_EMPTY,
			.reason = SLICE_EMPTY,
			.said = SLICE_EMPTY,
			.remote_mta = SLICE_EMPTY },
		{ .address = SLICE("b"),
			.original = SLICE("c"),
			.orcpt = SLICE_EMPTY,
			.status = SLICE("5.3.0"),
			.reason = SLICE("the command said: no space"),
			.said = SLICE("no space"),
			.diagnostic = DSN_DIAGNOSTIC_UNIX,
			.remote_mta = SLICE_EMPTY },
	};
	struct dsn_facts f = ordinary(r, 2);
	auto_buf struct buf out = BUF_INIT(100000), small = BUF_INIT(500);

	(void)state;
	f.original = f.envid = f.sender = SLICE_EMPTY;
	dsn_build(&f, &out);
	assert_true(buf_ok(&out));
	assert_true(contains(&out, "<a>: no further reason was given\n"));
	assert_true(contains(&out, "<b> (you wrote to <c>): the command said: no space\n"));
	assert_true(contains(&out, "nothing of it is returned"));
	assert_false(contains(&out, "rfc822\n"));
	assert_true(contains(&out, "Diagnostic-Code: x-unix; no space\n"));
	assert_true(contains(&out, "Original-Recipient: rfc822; c\n"));
	assert_false(contains(&out, "Original-Envelope-Id"));
	assert_false(contains(&out, "X-Postrider-Sender"));
	dsn_build(&f, &small);
	assert_false(buf_ok(&small));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_a_bounce),
		cmocka_unit_test(differs_by_kind),
		cmocka_unit_test(obeys_ret_and_size),
		cmocka_unit_test(labels_what_is_not_ascii),
		cmocka_unit_test(advises_by_status),
		cmocka_unit_test(gives_postmaster_the_whole),
		cmocka_unit_test(refers_to_the_original),
		cmocka_unit_test(breaks_long_words),
		cmocka_unit_test(cannot_be_forged),
		cmocka_unit_test(works_with_little),
	};
	return cmocka_run_group_tests(tests, set_zone, NULL);
}
