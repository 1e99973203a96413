/* SPDX-License-Identifier: Apache-2.0 */
/* test_relay.c - jobs through a channel, as queue gives them, to a server that does as it should */
#include "smtp/test_relay_rig.h"

/* ---- a good server ---- */

static void relays(void **state)
{
	(void)state;
	rig_run_one(&rig_good_server, &rig_good_server, "", &(struct rig_job){ .reverse_path = "s@y.test" });
	rig_assert_lines(
		buf_slice(&rig.heard), "1 relayed 2.0.0 250 2.0.0 Ok: queued as 42 (127.0.0.1[127.0.0.1]:");
	rig_assert_lines(buf_slice(&rig.server.commands),
		"EHLO client.test\nMAIL FROM:<s@y.test> SIZE=27 RET=HDRS\nRCPT "
		"TO:<a@x.test>\nDATA\n(content)\n");
	assert_slice_equal(
		buf_slice(&rig.server.content), SLICE("Subject: x\r\n\r\nhello\r\n..dot\r\n.\r\n"));
	rig_stop();
}

static void reuses_connections(void **state)
{
	(void)state;
	rig_run_one(&rig_good_server, &rig_good_server, "idle_time = 60\n", &(struct rig_job){ 0 });
	for (uint64_t i = 2; i < 20; i++) {
		rig_send_job(i, &(struct rig_job){ .rcpts = i % 3 ? "a@x.test" : "no@x.test" });
		rig_await_done(i);
	}
	assert_int_equal(rig.server.n_connections, 1);
	assert_int_equal(rig.server.n_mails, 19); /* some of them without recipients */
	rig_stop();
}

/* The job's end need not wait for RSET, so the next one may come before its reply. */
static void idle_connections_end(void **state)
{
	(void)state;
	rig_run_one(&rig_good_server, &rig_good_server, "idle_time = 0\n", &(struct rig_job){ 0 });
	while (rig.server.n_open || rig.relay.n_sessions)
		(void)uv_run(rig.loop, UV_RUN_ONCE);
	assert_int_equal(rig.relay.lanes.n, 0);
	assert_true(slice_ends_nocase(buf_slice(&rig.server.commands), SLICE("QUIT\n")));
	rig_stop();
}

static void groups_by_trail(void **state)
{
	static const struct rig_job row = {
		.rcpts = "a@x.test|u1@here^u1 b@x.test c@x.test|u1@here^u1 no@x.test "
			 "d@x.test|u2@here^u2|u1@here^u1",
	};
	(void)state;
	rig_run_one(&rig_good_server, &rig_good_server, "", &row);
	rig_assert_lines(
		buf_slice(&rig.heard), "1 relayed\n3 relayed\n4 failed 5.1.1\n2 relayed\n5 relayed\n");
	assert_int_equal(rig.server.n_connections, 1);
	assert_slice_equal(buf_slice(&rig.server.content),
		SLICE("Delivered-To: u1@here\r\nSubject: x\r\n\r\nhello\r\n..dot\r\n.\r\n"
		      "Subject: x\r\n\r\nhello\r\n..dot\r\n.\r\n"
		      "Delivered-To: u2@here\r\nDelivered-To: u1@here\r\nSubject: "
		      "x\r\n\r\nhello\r\n..dot\r\n.\r\n"));
	rig_stop();
}

static void sends_what_is_offered(void **state)
{
	static const struct server_manners bare = { .ehlo = "250 fake.test\r\n" };
	static const struct server_manners all = {
		.ehlo = "250-fake.test\r\n250-pipelining\r\n250-8bitmime\r\n250-SIZE\r\n250-DSN\r\n250 "
			"SMTPUTF8\r\n"
	};
	static const struct {
		const struct server_manners *manners;
		struct rig_job row;
		const char *mail, *rcpt;
	} rows[] = {
		{ &bare, { .envid = "e", .notify = NOTIFY_NEVER, .orcpt = "rfc822;o@x" }, "MAIL FROM:<>",
			"RCPT TO:<a@x.test>" },
		{ &all, { .envid = "e", .notify = NOTIFY_NEVER, .orcpt = "rfc822;o@x" },
			"MAIL FROM:<> SIZE=27 RET=HDRS ENVID=e",
			"RCPT TO:<a@x.test> NOTIFY=NEVER ORCPT=rfc822;o@x" },
		{ &all, { .content = SLICE("\n\xc3\xa4\n"), .body = BODY_8BITMIME },
			"MAIL FROM:<> SIZE=6 BODY=8BITMIME RET=HDRS", "RCPT TO:<a@x.test>" },
		{ &bare, { .content = SLICE("\n\xc3\xa4\n"), .body = BODY_8BITMIME }, "MAIL FROM:<>",
			"RCPT TO:<a@x.test>" },
		{ &all, { .rcpts = "\xc3\xa4@x.test" }, "MAIL FROM:<> SIZE=27 SMTPUTF8 RET=HDRS",
			"RCPT TO:<\xc3\xa4@x.test>" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf want = BUF_INIT(1024);
		rig_run_one(rows[i].manners, &rig_good_server, "", &rows[i].row);
		buf_printf(&want, "EHLO client.test\n%s\n%s\nDATA\n(content)\n", rows[i].mail, rows[i].rcpt);
		assert_slice_equal(buf_slice(&rig.server.commands), buf_slice(&want));
		rig_assert_lines(buf_slice(&rig.heard), "1 relayed 2.0.0");
		assert_int_equal(rig.last_outcome, rows[i].manners == &bare ? JOB_RELAYED : JOB_RELAYED_DSN);
		rig_stop();
	}
}

/* ---- content ---- */

static void large_content_comes_in_chunks(void **state)
{
	size_t size = 3 * 1000 * 1000 + 1;
	auto_free char *large = mem_new(size);
	uint64_t n_lines = 0;

	(void)state;
	for (size_t i = 0; i < size; i++) {
		large[i] = i % 71 == 70 ? '\n' : 'x';
		n_lines += large[i] == '\n';
	}
	rig_run_one(&(struct server_manners){ .ehlo = "250 fake\r\n" }, &rig_good_server, "",
		&(struct rig_job){ .content = { large, size } });
	rig_assert_lines(buf_slice(&rig.heard), "1 relayed");
	assert_int_equal(rig.n_asked, size / RIG_CHUNK);
	assert_int_equal(rig.server.content.len, size + n_lines + 2 + 3);
	rig_stop();
}

static void missing_content_defers(void **state)
{
	auto_free char *large = mem_new(100000);

	(void)state;
	memset(large, 'x', 100000);
	rig_start("");
	rig.answers_more = false;
	server_reset(&rig.server, &rig_good_server, &rig_good_server);
	rig_send_job(1, &(struct rig_job){ .content = { large, 100000 } });
	while (rig.n_asked == 0)
		(void)uv_run(rig.loop, UV_RUN_ONCE);
	SEND(rig.queue_end, JOB_CONTENT, .job = 1, .offset = 65536, .chunk = SLICE_EMPTY);
	rig_await_done(1);
	rig_assert_lines(buf_slice(&rig.heard), "1 deferred 4.3.0 the message could not be read ()");
	while (rig.server.n_open)
		(void)uv_run(rig.loop, UV_RUN_ONCE);
	assert_int_equal(rig.server.n_mails, 0); /* half a message was not taken for a whole one */
	rig_stop();
}

static void empty_content(void **state)
{
	(void)state;
	rig_start("");
	server_reset(&rig.server, &rig_good_server, &rig_good_server);
	SEND(rig.queue_end, JOB_BEGIN, .job = 1, .queue_id = 7, .destination = SLICE("[127.0.0.1]:1"),
		.reverse_path = SLICE_EMPTY, .envid = SLICE_EMPTY, .size = 0, .n_rcpts = 1);
	rig_send_rcpts(1, &(struct rig_job){ 0 }, SLICE("a@x.test"));
	SEND(rig.queue_end, JOB_CONTENT, .job = 1, .offset = 0, .chunk = SLICE_EMPTY);
	rig_await_done(1);
	rig_assert_lines(buf_slice(&rig.heard),
		"1 unreachable 4.4.1 connect to 127.0.0.1[127.0.0.1]:1: Connection refused");
	rig_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(relays),
		RIG_TEST(reuses_connections),
		RIG_TEST(idle_connections_end),
		RIG_TEST(groups_by_trail),
		RIG_TEST(sends_what_is_offered),
		RIG_TEST(large_content_comes_in_chunks),
		RIG_TEST(missing_content_defers),
		RIG_TEST(empty_content),
	};
	return cmocka_run_group_tests(tests, rig_set_up_group, rig_tear_down_group);
}
