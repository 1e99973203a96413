/* SPDX-License-Identifier: Apache-2.0 */
/* test_trace.c - trace lines byte for byte, and that a peer cannot forge any */
#include "support/test.h"
#include "mail/trace.h"
#include "base/limits.h"
#include <time.h>

static int set_zone(void **state)
{
	(void)state;
	if (setenv("TZ", "EST5EDT", 1) != 0)
		return -1;
	tzset();
	return 0;
}

static struct trace_smtp ordinary(void)
{
	return (struct trace_smtp){
		.helo = SLICE("client.test"),
		.client_name = SLICE("rdns.test"),
		.client_ip = SLICE("192.0.2.1"),
		.tls = SLICE_EMPTY,
		.host = SLICE("host.test"),
		.protocol = SLICE("ESMTP"),
		.queue_id = 0xabc,
		.rcpt = SLICE("a@b.test"),
		.time_s = 1582107035,
	};
}

static void check(const struct trace_smtp *t, const char *want)
{
	auto_buf struct buf out = BUF_INIT(2000);

	trace_append_received_smtp(&out, t);
	assert_slice_equal(buf_slice(&out), slice_of(want));
}

static void writes_received(void **state)
{
	struct trace_smtp t = ordinary();

	(void)state;
	check(&t,
		"Received: from client.test (rdns.test [192.0.2.1])\n"
		"\tby host.test (Postrider) with ESMTP id 000000000000ABC\n"
		"\tfor <a@b.test>; Wed, 19 Feb 2020 05:10:35 -0500 (EST)\n");
	t.client_name = t.rcpt = SLICE_EMPTY;
	t.client_ip = SLICE("::1");
	t.helo = SLICE("[IPv6:::1]");
	t.tls = SLICE("TLSv1.3 with cipher X (256 bits)");
	check(&t,
		"Received: from [IPv6:::1] (unknown [IPv6:::1])\n"
		"\t(using TLSv1.3 with cipher X (256 bits))\n"
		"\tby host.test (Postrider) with ESMTP id 000000000000ABC; Wed, 19 Feb 2020 05:10:35 -0500 "
		"(EST)\n");
}

static void cannot_be_forged(void **state)
{
	struct trace_smtp t = ordinary();

	(void)state;
	t.helo = SLICE("x (real.test [1.2.3.4])\n\tby y;");
	t.client_name = SLICE("a)b");
	t.rcpt = SLICE("\"a\nb\"@c");
	check(&t,
		"Received: from x??real.test??1.2.3.4????by?y? (a?b [192.0.2.1])\n"
		"\tby host.test (Postrider) with ESMTP id 000000000000ABC\n"
		"\tfor <\"a b\"@c>; Wed, 19 Feb 2020 05:10:35 -0500 (EST)\n");
	t = ordinary();
	t.helo = SLICE("");
	t.rcpt = SLICE_EMPTY;
	check(&t,
		"Received: from unknown (rdns.test [192.0.2.1])\n"
		"\tby host.test (Postrider) with ESMTP id 000000000000ABC; Wed, 19 Feb 2020 05:10:35 -0500 "
		"(EST)\n");
}

static void writes_local_received(void **state)
{
	auto_buf struct buf out = BUF_INIT(2000);

	(void)state;
	struct trace_local t = {
		.host = SLICE("host.test"), .uid = 1000, .queue_id = 0xabc, .time_s = 1582107035
	};

	trace_append_received_local(&out, &t);
	assert_slice_equal(buf_slice(&out),
		SLICE("Received: by host.test (Postrider, from userid 1000)\n"
		      "\tid 000000000000ABC; Wed, 19 Feb 2020 05:10:35 -0500 (EST)\n"));
	buf_clear(&out);
	t.client = (struct trace_client){
		.protocol = SLICE("http"),
		.address = SLICE("192.0.2.1"),
		.name = SLICE("web\nBcc: evil"),
		.interface = SLICE("2001:db8::1"),
	};
	trace_append_received_local(&out, &t);
	assert_slice_equal(buf_slice(&out),
		SLICE("Received: from web?Bcc:?evil ([192.0.2.1])\n"
		      "\tby host.test ([IPv6:2001:db8::1]) (Postrider, from userid 1000) with http\n"
		      "\tid 000000000000ABC; Wed, 19 Feb 2020 05:10:35 -0500 (EST)\n"));
}

static void writes_delivery_headers(void **state)
{
	static const struct slice trail[] = { { "user1@localhost.localdomain", 27 }, { "list@x", 6 } };
	struct trace_delivery t = {
		.sender = SLICE("payam@host.test"),
		.original_to = SLICE("user1@localhost"),
		.delivered_to = SLICE("user2@host.test"),
		.trail = trail,
		.n_trail = ARRAY_LEN(trail),
	};
	auto_buf struct buf out = BUF_INIT(2000);

	(void)state;
	trace_append_from_line(&out, t.sender, 1582107035);
	trace_append_delivery(&out, &t);
	assert_slice_equal(buf_slice(&out),
		SLICE("From payam@host.test  Wed Feb 19 05:10:35 2020\n"
		      "Return-Path: <payam@host.test>\n"
		      "X-Original-To: user1@localhost\n"
		      "Delivered-To: user2@host.test\n"
		      "Delivered-To: user1@localhost.localdomain\n"
		      "Delivered-To: list@x\n"));
	buf_clear(&out);
	t = (struct trace_delivery){
		.sender = SLICE_EMPTY, .original_to = SLICE_EMPTY, .delivered_to = SLICE("a@b")
	};
	trace_append_from_line(&out, t.sender, 1582107035);
	trace_append_delivery(&out, &t);
	assert_slice_equal(buf_slice(&out),
		SLICE("From MAILER-DAEMON  Wed Feb 19 05:10:35 2020\n"
		      "Return-Path: <>\n"
		      "Delivered-To: a@b\n"));
}

static void words_of_commands(void **state)
{
	static const struct {
		const char *text;
		bool is_valid;
	} rows[] = { { "esmtp", true }, { "2001:db8::1", true }, { "", false }, { "a b", false },
		{ "a\nb", false }, { "\xc3\xa9", false } };
	char longest[LIMIT_DOMAIN + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(trace_word_is_valid(slice_of(rows[i].text)), rows[i].is_valid);
	memset(longest, 'a', sizeof(longest));
	assert_true(trace_word_is_valid((struct slice){ longest, LIMIT_DOMAIN }));
	assert_false(trace_word_is_valid((struct slice){ longest, LIMIT_DOMAIN + 1 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_commands),
		cmocka_unit_test(writes_received),
		cmocka_unit_test(cannot_be_forged),
		cmocka_unit_test(writes_local_received),
		cmocka_unit_test(writes_delivery_headers),
	};
	return cmocka_run_group_tests(tests, set_zone, NULL);
}
