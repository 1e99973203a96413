/* SPDX-License-Identifier: Apache-2.0 */
/* test_lmtp.c - the LMTP server of local.mailbox_transport: its greeting, verdicts, and ways to it */
#include "smtp/test_relay_rig.h"

#define UNIX "[local]\nmailbox_transport = lmtp:unix:/run/test/lmtp\n"
#define SOCKET_NAME "client.test[/run/test/lmtp]"

/* A job for mailboxes. */
#define TO(...) (&(struct rig_job){ .destination = MAILBOX_TRANSPORT_HOP, .rcpts = __VA_ARGS__ })

static void delivers_by_the_socket(void **state)
{
	(void)state;
	rig_run_one(&rig_good_server, &rig_good_server, UNIX,
		TO("a@x.test b@x.test", .reverse_path = "s@y.test"));
	rig_assert_lines(buf_slice(&rig.heard),
		"1 relayed 2.0.0 250 2.0.0 <1> Saved (" SOCKET_NAME ")\n"
		"2 relayed 2.0.0 250 2.0.0 <2> Saved (" SOCKET_NAME ")");
	rig_assert_lines(buf_slice(&rig.server.commands),
		"LHLO client.test\nMAIL FROM:<s@y.test> SIZE=27 RET=HDRS\nRCPT TO:<a@x.test>\n"
		"RCPT TO:<b@x.test>\nDATA\n(content)\n");
	assert_slice_equal(
		buf_slice(&rig.server.content), SLICE("Subject: x\r\n\r\nhello\r\n..dot\r\n.\r\n"));
	assert_int_equal(rig.n_sockets, 1);
	rig_stop();
}

/* The server is the end of the way, unless it takes over what the sender wants to know. */
static void what_is_kept_is_delivered(void **state)
{
	static const struct server_manners no_dsn = { .ehlo = "250 f\r\n" };

	(void)state;
	rig_run_one(&no_dsn, &rig_good_server, UNIX, TO("a@x"));
	rig_assert_lines(buf_slice(&rig.heard), "1 delivered 2.0.0 250 2.0.0 <1> Saved");
	assert_int_equal(rig.last_outcome, JOB_DELIVERED);
	rig_stop();
	rig_run_one(&rig_good_server, &rig_good_server, UNIX, TO("a@x", .notify = NOTIFY_SUCCESS));
	assert_int_equal(rig.last_outcome, JOB_RELAYED_DSN);
	rig_stop();
}

static void delivers_by_tcp(void **state)
{
	char setting[100];

	(void)state;
	(void)snprintf(setting, sizeof(setting), "[local]\nmailbox_transport = lmtp:inet:127.0.0.1:%u\n",
		rig.server.port);
	rig_run_one(&rig_good_server, &rig_good_server, setting, TO("a@x.test"));
	rig_assert_lines(buf_slice(&rig.heard), "1 relayed 2.0.0 250 2.0.0 <1> Saved (127.0.0.1[127.0.0.1]:");
	assert_true(slice_starts(buf_slice(&rig.server.commands), SLICE("LHLO ")));
	assert_int_equal(rig.n_sockets, 0);
	rig_stop();
}

static const struct server_manners bare = { .ehlo = "250 f\r\n" }; /* neither pipelining nor DSN */

/* What each recipient hears, whatever the others do; with pipelining and without. */
static void each_recipient_has_a_verdict(void **state)
{
	static const struct {
		struct server_manners manners;
		const char *rcpts, *want;
	} rows[] = {
		{ { .body = "250 2.0.0 saved\r\n552 5.2.2 full\r\n451 4.3.0 try again\r\n" }, "a@x b@x c@x",
			"1 delivered 2.0.0 250 2.0.0 saved\n"
			"2 failed 5.2.2 host " SOCKET_NAME
			" said: 552 5.2.2 full (in reply to end of DATA command)\n"
			"3 deferred 4.3.0 host " SOCKET_NAME " said: 451 4.3.0 try again" },
		{ { .body = "451 4.2.0 a\r\n250 2.0.0 c\r\n" }, "a@x no@x c@x",
			"2 failed 5.1.1 host\n1 deferred 4.2.0\n3 delivered 2.0.0 250 2.0.0 c" },
		{ { 0 }, "no@x later@x", "1 failed 5.1.1\n2 deferred 4.2.1" },
		{ { .data = "451 4.3.0 no\r\n" }, "a@x b@x", "1 deferred 4.3.0\n2 deferred 4.3.0" },
		/* what is short of a verdict is tried again; what has one is not */
		{ { .body = "250 2.0.0 a\r\n" REPLY_CLOSE }, "a@x b@x",
			"1 delivered 2.0.0\n2 deferred 4.4.2 lost connection with " SOCKET_NAME
			" while sending end of data" },
		{ { .body = "250 2.0.0 a\r\n421 4.3.2 bye\r\n" REPLY_CLOSE }, "a@x b@x c@x",
			"1 delivered 2.0.0\n2 deferred 4.3.2\n3 deferred 4.3.2" },
		{ { .body = "250 2.0.0 a\r\nrubbish\r\n" }, "a@x b@x",
			"1 delivered 2.0.0\n2 deferred 4.5.0 host " SOCKET_NAME ": reply that is no SMTP" },
		{ { .body = REPLY_CLOSE }, "a@x b@x", "1 deferred 4.4.2\n2 deferred 4.4.2" },
		{ { .body = "250 2.0.0 a\r\n" REPLY_SILENT }, "a@x", "1 delivered" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int pipelining = 0; pipelining < 2; pipelining++) {
			struct server_manners manners = rows[i].manners;
			manners.ehlo = pipelining ? "250-f\r\n250 PIPELINING\r\n" : bare.ehlo;
			rig_run_one(&manners, &rig_good_server, UNIX, TO(rows[i].rcpts));
			rig_assert_lines(buf_slice(&rig.heard), rows[i].want);
			rig_stop();
		}
	}
}

static void one_verdict_too_many(void **state)
{
	static const struct server_manners chatty = { .ehlo = "250 f\r\n", .body = "250 a\r\n250 b\r\n" };

	(void)state;
	rig_run_one(&chatty, &rig_good_server, UNIX "[smtp]\nidle_time = 60\n", TO("a@x"));
	rig_assert_lines(buf_slice(&rig.heard), "1 delivered");
	rig_send_job(2, TO("b@x")); /* not on that connection */
	rig_await_done(2);
	rig_assert_lines(buf_slice(&rig.heard), "1 delivered\n1 relayed");
	assert_int_equal(rig.n_sockets, 2);
	rig_stop();
}

/* A 354 though no recipient was accepted: there would be nothing to wait for after the dot. */
static void content_for_nobody(void **state)
{
	(void)state;
	rig_run_one(
		&(struct server_manners){ .ehlo = "250-f\r\n250 PIPELINING\r\n", .data = "354 go on\r\n" },
		&rig_good_server, UNIX, TO("no@x"));
	rig_assert_lines(buf_slice(&rig.heard), "1 failed 5.1.1");
	rig_send_job(2, TO("a@x"));
	rig_await_done(2);
	rig_assert_lines(buf_slice(&rig.heard), "1 failed 5.1.1\n1 relayed");
	rig_stop();
}

static void early_refusal_is_for_all(void **state)
{
	size_t size = 8 * 1000 * 1000;
	auto_free char *large = mem_new(size);

	(void)state;
	memset(large, 'x', size);
	rig_run_one(&(struct server_manners){ .ehlo = "250 f\r\n",
			    .in_body = "552 5.3.4 enough\r\n" REPLY_CLOSE },
		&rig_good_server, UNIX, TO("a@x b@x", .content = { large, size }));
	rig_assert_lines(buf_slice(&rig.heard), "1 failed 5.3.4 host\n2 failed 5.3.4 host");
	rig_stop();
}

/* One that speaks SMTP only, or refuses LHLO for another reason: nothing stands in for it. */
static void lhlo_is_needed(void **state)
{
	static const struct {
		const char *reply, *want;
	} rows[] = {
		{ "502 5.5.2 what?\r\n",
			"1 unreachable 4.3.2 host " SOCKET_NAME " refused to talk to me: 502" },
		{ "421 4.3.2 later\r\n", "1 unreachable 4.3.2" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rig_run_one(
			&(struct server_manners){ .ehlo = rows[i].reply }, &rig_good_server, UNIX, TO("a@x"));
		rig_assert_lines(buf_slice(&rig.heard), rows[i].want);
		assert_slice_equal(buf_slice(&rig.server.commands), SLICE("LHLO client.test\n"));
		rig_stop();
	}
}

static void reuses_connections(void **state)
{
	(void)state;
	rig_run_one(&bare, &bare, UNIX "[smtp]\nidle_time = 60\n", TO("a@x"));
	for (uint64_t i = 2; i < 10; i++) {
		rig_send_job(i, TO("a@x no@x b@x"));
		rig_await_done(i);
	}
	assert_int_equal(rig.server.n_connections, 1);
	assert_int_equal(rig.n_sockets, 1);
	assert_int_equal(rig.server.n_mails, 9);
	rig_stop();
}

/* A kept connection that the server closed meanwhile costs nothing but another socket. */
static void stale_connections(void **state)
{
	static const struct server_manners once = { .ehlo = "250 f\r\n",
		.body = "250 2.0.0 Ok\r\n" REPLY_CLOSE };

	(void)state;
	rig_run_one(&once, &once, UNIX, TO("a@x"));
	for (uint64_t i = 2; i < 5; i++) {
		rig_send_job(i, TO("a@x"));
		rig_await_done(i);
	}
	rig_assert_lines(buf_slice(&rig.heard), "1 delivered\n1 delivered\n1 delivered\n1 delivered");
	rig_stop();
}

static void a_socket_that_is_not_there(void **state)
{
	(void)state;
	rig_start(UNIX);
	rig.socket_error = ENOENT;
	server_reset(&rig.server, &rig_good_server, &rig_good_server);
	rig_send_job(1, TO("a@x b@x"));
	rig_await_done(1);
	rig_assert_lines(buf_slice(&rig.heard),
		"1 unreachable 4.4.1 connect to " SOCKET_NAME ": No such file or directory (" SOCKET_NAME
		")\n"
		"2 unreachable 4.4.1");
	rig_stop();
}

/* An answer that comes when nobody waits any more is closed. */
static void an_answer_that_comes_late(void **state)
{
	(void)state;
	rig_start(UNIX);
	rig.keeps_sockets = true;
	server_reset(&rig.server, &rig_good_server, &rig_good_server);
	rig_send_job(1, TO("a@x"));
	while (rig.n_wanted == 0)
		rig_turn();
	SEND(rig.queue_end, JOB_CANCEL, .job = 1);
	rig_await_done(1);
	assert_int_equal(rig.relay.n_sessions, 0);
	rig.keeps_sockets = false;
	while (rig.server.n_connections == 0 || rig.server.n_open)
		rig_turn();
	assert_slice_equal(buf_slice(&rig.server.commands), SLICE_EMPTY);
	rig_stop();
}

static void only_what_is_configured(void **state)
{
	static const struct {
		const char *destination, *want;
	} rows[] = {
		{ MAILBOX_TRANSPORT_HOP,
			"1 deferred 4.3.5 local.mailbox_transport names no LMTP server any more" },
		{ "lmtp:unix:/run/other", "1 deferred 4.3.5 bad next hop" },
		{ "/run/other", "1 failed 5.1.2 bad next hop" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rig_run_to(rows[i].destination);
		rig_assert_lines(buf_slice(&rig.heard), rows[i].want);
		assert_int_equal(rig.n_sockets, 0);
		rig_stop();
	}
}

static void reload(const char *text)
{
	struct config *fresh = config_parse(slice_of(text), NULL, NULL);

	assert_non_null(fresh);
	relay_reload(&rig.relay, fresh);
	config_free(&rig.config);
	rig.config = fresh;
}

/* After a change of the settings neither a kept connection nor a job that waits uses the place of before. */
static void reloading(void **state)
{
	(void)state;
	rig_run_one(&rig_good_server, &rig_good_server, UNIX "[smtp]\nidle_time = 60\n", TO("a@x"));
	reload("[main]\nhost_name = client.test\n[local]\nmailbox_transport = lmtp:unix:/run/new\n");
	rig_send_job(2, TO("b@x"));
	rig_await_done(2);
	rig_assert_lines(buf_slice(&rig.heard),
		"1 relayed 2.0.0 250 2.0.0 <1> Saved (" SOCKET_NAME ")\n"
		"1 relayed 2.0.0 250 2.0.0 <1> Saved (client.test[/run/new])");
	assert_int_equal(rig.n_sockets, 2);
	rig_stop();

	rig_start("destination_concurrency = 1\n" UNIX);
	rig.keeps_sockets = true;
	server_reset(&rig.server, &rig_good_server, &rig_good_server);
	rig_send_job(1, TO("a@x"));
	rig_send_job(2, TO("b@x"));
	while (rig.n_wanted == 0)
		rig_turn();
	reload("[main]\nhost_name = client.test\n");
	rig.keeps_sockets = false;
	rig_await_done(2);
	rig_assert_lines(buf_slice(&rig.heard), "1 deferred 4.3.5 local.mailbox_transport\n1 relayed");
	rig_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(delivers_by_the_socket),
		RIG_TEST(what_is_kept_is_delivered),
		RIG_TEST(delivers_by_tcp),
		RIG_TEST(each_recipient_has_a_verdict),
		RIG_TEST(one_verdict_too_many),
		RIG_TEST(content_for_nobody),
		RIG_TEST(early_refusal_is_for_all),
		RIG_TEST(lhlo_is_needed),
		RIG_TEST(reuses_connections),
		RIG_TEST(stale_connections),
		RIG_TEST(a_socket_that_is_not_there),
		RIG_TEST(an_answer_that_comes_late),
		RIG_TEST(only_what_is_configured),
		RIG_TEST(reloading),
	};
	return cmocka_run_group_tests(tests, rig_set_up_group, rig_tear_down_group);
}
