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
		.reason = SLICE("550 5.1.1 no such user here"),
		.diagnostic = DSN_DIAGNOSTIC_SMTP,
		.remote_mta = SLICE("mx.far.test"),
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
		"further attempt will be made. The reason stands behind each address.\n"
		"\n"
		"<gone@far.test> (sent to <friend@localhost>): host mx.far.test said: 550\n"
		"    5.1.1 no such user here\n"
		"\n"
		"What you wrote comes back with this mail. If you cannot tell from the reason\n"
		"what to do, forward this whole mail to the postmaster.\n"
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
		"Final-Recipient: rfc822; gone@far.test\n"
		"Original-Recipient: rfc822; fri+end@localhost\n"
		"Action: failed\n"
		"Status: 5.1.1\n"
		"Remote-MTA: dns; mx.far.test\n"
		"Diagnostic-Code: smtp; 550 5.1.1 no such user here\n"
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
		{ DSN_POSTMASTER, DSN_ACTION_FAILED, "Subject: Postmaster Copy: Undelivered Mail\n",
			"Action: failed\n", "Status: 5.0.0\n" },
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
		assert_int_equal(contains(&out, "only its beginning"), rows[i].says_truncated);
	}
}

static void labels_8bit_and_utf8(void **state)
{
	struct dsn_recipient r = ordinary_recipient();
	struct dsn_facts f = ordinary(&r, 1);
	auto_buf struct buf out = BUF_INIT(100000);

	(void)state;
	f.original = SLICE("Subject: x\n\n\xe4\n"); /* Latin-1, without SMTPUTF8 */
	dsn_build(&f, &out);
	assert_true(contains(&out,
		"Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: x\n\n\xe4\n"));
	assert_true(contains(
		&out, "boundary=\"000000000000002.1582107036\"\nContent-Transfer-Encoding: 8bit\n\n"));
	buf_clear(&out);
	r.address = SLICE("gr\xc3\xbc\xc3\x9f"
			  "e@far.test");
	r.orcpt = SLICE("utf-8;gr\xc3\xbc@x");
	f.smtputf8 = true;
	dsn_build(&f, &out);
	assert_true(contains(&out, "Content-Type: message/global-delivery-status\n"));
	assert_true(contains(&out, "Content-Type: message/global\n"));
	assert_true(contains(&out,
		"Final-Recipient: utf-8; gr\xc3\xbc\xc3\x9f"
		"e@far.test\n"));
	assert_true(contains(&out, "Original-Recipient: utf-8; gr\xc3\xbc@x\n"));
}

static void cannot_be_forged(void **state)
{
	struct dsn_recipient r = ordinary_recipient();
	struct dsn_facts f = ordinary(&r, 1);
	auto_buf struct buf out = BUF_INIT(100000);

	(void)state;
	r.reason = SLICE("550 a\r\nAction: delivered\n\n--000000000000002.1582107036--");
	r.remote_mta = SLICE("mx\nX: y");
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
			.remote_mta = SLICE_EMPTY },
		{ .address = SLICE("b"),
			.original = SLICE("c"),
			.orcpt = SLICE_EMPTY,
			.status = SLICE("5.3.0"),
			.reason = SLICE("no space"),
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
	assert_true(contains(&out, "<b> (sent to <c>): the command said: no space\n"));
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
		cmocka_unit_test(labels_8bit_and_utf8),
		cmocka_unit_test(cannot_be_forged),
		cmocka_unit_test(works_with_little),
	};
	return cmocka_run_group_tests(tests, set_zone, NULL);
}
