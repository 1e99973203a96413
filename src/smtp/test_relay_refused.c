/* SPDX-License-Identifier: Apache-2.0 */
/* test_relay_refused.c - servers that refuse, break, and lie */
#include "smtp/test_relay_rig.h"

/* ---- servers that refuse, break, and lie ---- */

static const struct server_manners no_pipelining = { .ehlo = "250 fake.test\r\n" };

static void results_follow_replies(void **state)
{
	static const struct {
		struct server_manners manners;
		struct rig_job row;
		const char *want; /* of the only host */
	} rows[] = {
		/* the greeting and before */
		{ { .greeting = "554 5.7.1 go away\r\n" }, { 0 },
			"1 unreachable 4.3.2 host 127.0.0.1[127.0.0.1] refused to talk to me: 554 5.7.1 go "
			"away" },
		{ { .greeting = "521 5.3.2 no mail\r\n" }, { 0 },
			"1 failed 5.3.2 host 127.0.0.1[127.0.0.1] refused" },
		{ { .greeting = "421 4.3.2 busy\r\n" REPLY_CLOSE }, { 0 }, "1 unreachable 4.3.2 host" },
		{ { .greeting = REPLY_CLOSE }, { 0 },
			"1 unreachable 4.4.2 lost connection with 127.0.0.1[127.0.0.1] while receiving the "
			"initial "
			"server greeting" },
		{ { .greeting = "220-hal" REPLY_CLOSE }, { 0 }, "1 unreachable 4.4.2 lost connection with" },
		{ { .greeting = "SSH-2.0-x\r\n" }, { 0 },
			"1 unreachable 4.5.0 host 127.0.0.1[127.0.0.1]: reply that is no SMTP" },
		{ { .greeting = "220 a\r\n250 early\r\n" }, { 0 },
			"1 unreachable 4.5.0 host 127.0.0.1[127.0.0.1]: reply to nothing" },
		{ { .greeting = REPLY_SILENT }, { 0 },
			"1 unreachable 4.4.2 conversation with 127.0.0.1[127.0.0.1] timed out while "
			"receiving "
			"the initial" },
		/* EHLO and HELO */
		{ { .ehlo = "502 5.5.1 no\r\n" }, { 0 }, "1 relayed" },
		{ { .ehlo = "502 no\r\n", .helo = "550 5.7.1 no\r\n" }, { 0 }, "1 failed 5.7.1 host" },
		{ { .ehlo = "450 4.3.2 no\r\n" }, { 0 }, "1 unreachable 4.3.2 host" },
		{ { .ehlo = "421 bye\r\n" REPLY_CLOSE }, { 0 }, "1 unreachable 4.3.2 host" },
		{ { .ehlo = "354 what\r\n" }, { 0 },
			"1 unreachable 4.5.0 host 127.0.0.1[127.0.0.1]: unexpected reply" },
		{ { .ehlo = "250-a\r\n251 b\r\n" }, { 0 }, "1 unreachable 4.5.0" },
		{ { .ehlo = REPLY_CLOSE }, { 0 }, "1 unreachable 4.4.2" },
		/* MAIL */
		{ { .mail = "550 5.7.1 not you\r\n" }, { .rcpts = "a@x b@x" },
			"1 failed 5.7.1 host 127.0.0.1[127.0.0.1] said: 550 5.7.1 not you (in reply to MAIL "
			"FROM command)\n2 failed" },
		{ { .mail = "451 4.3.0 later\r\n" }, { 0 }, "1 deferred 4.3.0 host" },
		{ { .mail = "421 4.3.2 bye\r\n" REPLY_CLOSE }, { 0 },
			"1 deferred 4.3.2 host 127.0.0.1[127.0.0.1] said: 421 4.3.2 bye (in reply to MAIL "
			"FROM command)" },
		{ { .mail = REPLY_CLOSE }, { 0 },
			"1 deferred 4.4.2 lost connection with 127.0.0.1[127.0.0.1] while sending MAIL "
			"FROM" },
		{ { .mail = "rubbish\r\n" }, { 0 }, "1 deferred 4.5.0" },
		/* RCPT */
		{ { 0 }, { .rcpts = "no@x a@x later@x" },
			"1 failed 5.1.1 host 127.0.0.1[127.0.0.1] said: 550 5.1.1 no such user (in reply to "
			"RCPT TO command)\n"
			"3 deferred 4.2.1 host 127.0.0.1[127.0.0.1] said: 450 4.2.1 come back (in reply to "
			"RCPT TO command)\n2 relayed" },
		{ { 0 }, { .rcpts = "no@x no2@x" }, "1 failed 5.1.1\n2 failed 5.1.1" },
		{ { .rcpt = "421 4.7.0 bye\r\n" REPLY_CLOSE }, { .rcpts = "a@x b@x" },
			"1 deferred 4.7.0\n2 deferred 4.7.0" },
		{ { .rcpt = REPLY_CLOSE }, { 0 },
			"1 deferred 4.4.2 lost connection with 127.0.0.1[127.0.0.1] while sending RCPT TO" },
		{ { .rcpt = REPLY_SILENT }, { 0 }, "1 deferred 4.4.2 conversation with" },
		/* DATA */
		{ { .data = "554 5.7.1 no\r\n" }, { 0 },
			"1 failed 5.7.1 host 127.0.0.1[127.0.0.1] said: 554 5.7.1 no (in reply to DATA "
			"command)" },
		{ { .data = "451 no\r\n" }, { 0 }, "1 deferred 4.0.0" },
		{ { .data = "421 no\r\n" REPLY_CLOSE }, { 0 }, "1 deferred 4.4.2 host" },
		{ { .data = "250 hm\r\n" }, { 0 }, "1 deferred 4.5.0" },
		{ { .data = REPLY_CLOSE }, { 0 },
			"1 deferred 4.4.2 lost connection with 127.0.0.1[127.0.0.1] while sending DATA "
			"command" },
		/* content */
		{ { .body = "550 5.7.1 spam\r\n" }, { .rcpts = "no@x a@x" },
			"1 failed 5.1.1\n2 failed 5.7.1 host 127.0.0.1[127.0.0.1] said: 550 5.7.1 spam (in "
			"reply to end of DATA command)" },
		{ { .body = "451 4.3.0 disk\r\n" }, { 0 }, "1 deferred 4.3.0" },
		{ { .body = "421 4.3.0 disk\r\n" REPLY_CLOSE }, { 0 }, "1 deferred 4.3.0" },
		{ { .body = "250 ok\r\n421 bye\r\n" REPLY_CLOSE }, { 0 }, "1 relayed 2.0.0 250 ok" },
		{ { .body = "250-one\r\n250 2.6.0 two\r\n" }, { 0 }, "1 relayed 2.0.0 250 one two" },
		{ { .body = REPLY_CLOSE }, { 0 },
			"1 deferred 4.4.2 lost connection with 127.0.0.1[127.0.0.1] while sending end of "
			"data -- message may be sent more than once" },
		{ { .body = REPLY_SILENT }, { 0 }, "1 deferred 4.4.2 conversation with" },
		{ { .body = "!\r\n" }, { 0 }, "1 deferred 4.5.0" },
		{ { .body = "354 more\r\n" }, { 0 }, "1 deferred 4.5.0" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int pipelining = 0; pipelining < 2; pipelining++) {
			struct server_manners manners = rows[i].manners;
			if (!manners.ehlo && !pipelining)
				manners.ehlo = no_pipelining.ehlo;
			rig_run_one(&manners, &rig_good_server, "", &rows[i].row);
			if (!strstr(rows[i].want, "\n") || pipelining)
				rig_assert_lines(buf_slice(&rig.heard), rows[i].want);
			assert_int_equal(rig.server.n_connections, 1);
			rig_stop();
		}
	}
}

/* Refusals before the content that a server would not have to send. */
static void refuses_in_advance(void **state)
{
	static const struct {
		struct server_manners manners;
		struct rig_job row;
		const char *want;
	} rows[] = {
		{ { .ehlo = "250-f\r\n250 SIZE 10\r\n" }, { .rcpts = "a@x b@x" },
			"1 failed 5.3.4 message size 23 exceeds size limit 10 of server "
			"127.0.0.1[127.0.0.1]\n2 failed 5.3.4" },
		{ { 0 }, { .reverse_path = "\xc3\xa4@x" },
			"1 failed 5.6.7 SMTPUTF8 is required, but was not offered by host "
			"127.0.0.1[127.0.0.1]" },
		{ { 0 }, { .rcpts = "\xc3\xa4@x a@x" }, "1 failed 5.6.7\n2 relayed" },
		{ { 0 }, { .smtputf8 = true }, "1 relayed" }, /* asked for, not needed */
		{ { 0 }, { .smtputf8 = true, .content = SLICE("Subject: \xc3\xa4\n\nx\n") },
			"1 failed 5.6.7" },
		{ { 0 }, { .rcpts = "a>b@x c@x" }, "1 failed 5.1.3\n2 relayed" },
		{ { 0 }, { .reverse_path = "a b" }, "1 failed 5.1.7" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rig_run_one(&rows[i].manners, &rig_good_server, "", &rows[i].row);
		rig_assert_lines(buf_slice(&rig.heard), rows[i].want);
		rig_stop();
	}
}

static void early_verdict_counts(void **state)
{
	size_t size = 8 * 1000 * 1000;
	auto_free char *large = mem_new(size);

	(void)state;
	memset(large, 'x', size);
	rig_run_one(&(struct server_manners){ .ehlo = "250 f\r\n",
			    .in_body = "552 5.3.4 enough\r\n" REPLY_CLOSE },
		&rig_good_server, "", &(struct rig_job){ .content = { large, size } });
	rig_assert_lines(buf_slice(&rig.heard), "1 failed 5.3.4 host");
	rig_stop();
	rig_run_one(&(struct server_manners){ .ehlo = "250 f\r\n", .in_body = "250 lovely\r\n" },
		&rig_good_server, "", &(struct rig_job){ .content = { large, size } });
	rig_assert_lines(buf_slice(&rig.heard),
		"1 deferred 4.5.0 host 127.0.0.1[127.0.0.1]: reply before the end of the message");
	rig_stop();
}

static void deaf_server_times_out(void **state)
{
	size_t size = 16 * 1000 * 1000;
	auto_free char *large = mem_new(size);

	(void)state;
	memset(large, 'x', size);
	rig_run_one(&(struct server_manners){ .ehlo = "250 f\r\n", .in_body = REPLY_DEAF }, &rig_good_server,
		"", &(struct rig_job){ .content = { large, size } });
	rig_assert_lines(buf_slice(&rig.heard),
		"1 deferred 4.4.2 conversation with 127.0.0.1[127.0.0.1] timed out while sending message "
		"body");
	server_hang_up(&rig.server);
	rig_stop();
}

static void trickling_server(void **state)
{
	(void)state;
	rig_run_one(&(struct server_manners){ .trickles = true }, &rig_good_server, "",
		&(struct rig_job){ .rcpts = "a@x no@x b@x" });
	rig_assert_lines(buf_slice(&rig.heard), "2 failed\n1 relayed\n3 relayed");
	rig_stop();
}

static void nobody_is_left_after_354(void **state)
{
	(void)state;
	rig_run_one(&rig_good_server, &rig_good_server, "", &(struct rig_job){ .rcpts = "no@x" });
	rig_assert_lines(buf_slice(&rig.heard), "1 failed 5.1.1");
	while (rig.server.n_mails == 0) /* the dot that the server waits for */
		(void)uv_run(rig.loop, UV_RUN_ONCE);
	assert_slice_equal(buf_slice(&rig.server.content), SLICE(".\r\n"));
	rig_send_job(2, &(struct rig_job){ 0 });
	rig_await_done(2);
	assert_int_equal(rig.server.n_connections, 1);
	rig_stop();
}

static void too_many_go_again(void **state)
{
	static const struct server_manners limits = {
		.ehlo = "250-f\r\n250-PIPELINING\r\n250 LIMITS X=1 RCPTMAX=2\r\n"
	};
	(void)state;
	rig_run_one(&rig_good_server, &rig_good_server, "", &(struct rig_job){ .rcpts = "a@x many@x" });
	rig_assert_lines(buf_slice(&rig.heard), "1 relayed\n2 deferred 4.5.3");
	assert_int_equal(rig.server.n_mails, 2); /* the second with nobody left */
	rig_stop();
	rig_run_one(&limits, &rig_good_server, "", &(struct rig_job){ .rcpts = "a@x b@x c@x d@x e@x" });
	rig_assert_lines(buf_slice(&rig.heard), "1 relayed\n2 relayed\n3 relayed\n4 relayed\n5 relayed");
	assert_int_equal(rig.server.n_mails, 3);
	rig_stop();
	rig_run_one(&rig_good_server, &rig_good_server, "max_recipients = 1\n",
		&(struct rig_job){ .rcpts = "a@x b@x" });
	assert_int_equal(rig.server.n_mails, 2);
	rig_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(results_follow_replies),
		RIG_TEST(refuses_in_advance),
		RIG_TEST(early_verdict_counts),
		RIG_TEST(deaf_server_times_out),
		RIG_TEST(trickling_server),
		RIG_TEST(nobody_is_left_after_354),
		RIG_TEST(too_many_go_again),
	};
	return cmocka_run_group_tests(tests, rig_set_up_group, rig_tear_down_group);
}
