/* SPDX-License-Identifier: Apache-2.0 */
/* test_content.c - DATA: what ends it, what is refused, what queue gets, and what happens when queue fails */
#include "base/limits.h"
#include "base/log.h"
#include "smtpd/session_rig.h"
#include "support/test.h"

#define HOST "[main]\nhost_name = mx.test\n"
#define SEND(rig, text) rig_send((rig), SLICE(text))
#define QUEUED "250 2.0.0 Ok: queued as 000000000000ABC\r\n"

static bool has(struct slice in, const char *what)
{
	return memmem(in.at, in.len, what, strlen(what)) != NULL;
}

/* A session at 354. */
static void open_at_content(struct rig *rig, const char *config_text)
{
	rig_open(rig, config_text, "192.0.2.9");
	SEND(rig, "EHLO client.test\r\n");
	SEND(rig, "MAIL FROM:<a@b.test>\r\nRCPT TO:<x@mx.test>\r\nDATA\r\n");
	assert_int_equal(rig->session.state, SESSION_STATE_CONTENT);
	(void)rig_replies(rig);
}

static void hands_over_a_mail(void **state)
{
	struct rig rig;
	struct slice content, received;
	(void)state;

	rig_open(&rig, HOST, "192.0.2.9");
	SEND(&rig, "EHLO client.test\r\n");
	SEND(&rig, "MAIL FROM:<a@b.test> SIZE=99 BODY=8BITMIME RET=HDRS ENVID=QQ+2B\r\n");
	SEND(&rig, "RCPT TO:<x@mx.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@old.test\r\n");
	SEND(&rig, "RCPT TO:<@relay.test:y@mx.test>\r\nDATA\r\n");
	assert_true(has(rig_replies(&rig), "354 End data with <CR><LF>.<CR><LF>\r\n"));
	assert_int_equal(rig.to_queue.len, 0); /* queue hears of it with the first content */
	SEND(&rig, "Subject: s\r\n\r\n..dot\r\n");
	SEND(&rig, "end\r\n.\r\n");
	assert_slice_equal(buf_slice(&rig.to_queue),
		SLICE("BEGIN <a@b.test> envid=QQ+2B ret=2 body=2 utf8=0 size=99 ESMTP\n"
		      "RCPT <x@mx.test> orcpt=rfc822;x@old.test notify=6\nRCPT <y@mx.test> orcpt= notify=0\n"
		      "END\n"));
	assert_slice_equal(rig_replies(&rig), SLICE(QUEUED));
	content = buf_slice(&rig.content);
	received = slice_first(content, content.len - strlen("Subject: s\n\n.dot\nend\n"));
	assert_slice_equal(slice_from(content, received.len), SLICE("Subject: s\n\n.dot\nend\n"));
	assert_true(slice_starts(received,
		SLICE("Received: from client.test (unknown [192.0.2.9])\n\tby mx.test (Postrider) with ESMTP "
		      "id "
		      "000000000000ABC; ")));
	assert_false(has(received, "for <")); /* two recipients: none is told of the other */
	assert_int_equal(rig.session.state, SESSION_STATE_READY);
	rig_close(&rig);
}

static void names_the_single_recipient(void **state)
{
	struct rig rig;
	(void)state;

	open_at_content(&rig, HOST);
	SEND(&rig, ".\r\n");
	assert_true(has(buf_slice(&rig.content), "for <x@mx.test>; "));
	assert_slice_equal(rig_replies(&rig), SLICE(QUEUED));
	SEND(&rig, "QUIT\r\n");
	assert_slice_equal(rig_replies(&rig), SLICE("221 2.0.0 Bye\r\n"));
	rig_close(&rig);
}

/* Each goes in whole and split at every byte; QUIT behind it must be the next command in all cases. */
static void ends_only_at_the_true_end(void **state)
{
	static const struct {
		struct slice content;
		const char *reply;
	} rows[] = {
		{ SLICE("a\r\n.\r\n"), QUEUED },
		{ SLICE(".\r\n"), QUEUED },
		{ SLICE("a\r\n..\r\n.\r\n"), QUEUED },
		{ SLICE("a\r\n.b\r\n.\r\n"), QUEUED },
		{ SLICE("\xc3\xa4\r\n.\r\n"), QUEUED },
		{ SLICE("a\n.\nMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\n.\r\nMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\r\n.\nMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\r.\rMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\r.\r\nMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\r\n.\rMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\r\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\r\n.\r\r\nMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\r\n\r.\r\nMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\n\n.\r\nMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\r\n.\0\r\nMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\r\n\0.\r\nMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\r\n.\r\0\nMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\0b\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\rb\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("a\nb\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("\n.\r\nMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
		{ SLICE("\r.\r\nMAIL FROM:<e@b.test>\r\n.\r\n"), "550 5.6.11" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t at = 0; at <= rows[i].content.len; at++) {
			struct rig rig;
			struct slice got;
			open_at_content(&rig, HOST);
			rig_send(&rig, slice_first(rows[i].content, at));
			rig_send(&rig, slice_from(rows[i].content, at));
			SEND(&rig, "QUIT\r\n");
			got = rig_replies(&rig);
			if (!slice_starts(got, slice_of(rows[i].reply)) ||
				!has(got, "\r\n221 2.0.0 Bye\r\n") || has(got, "250 2.1.0"))
				fail_msg("row %zu split at %zu: %.*s", i, at, SLICE_ARG(got));
			rig_close(&rig);
		}
	}
}

static void takes_single_bytes(void **state)
{
	static const char flight[] = "EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@mx.test>\r\nDATA\r\n"
				     "Subject: x\r\n\r\n..\r\n.\r\nNOOP\r\n";
	struct rig rig;
	(void)state;

	rig_open(&rig, HOST, "192.0.2.9");
	for (size_t i = 0; i < sizeof(flight) - 1; i++)
		rig_send(&rig, (struct slice){ &flight[i], 1 });
	assert_true(has(rig_replies(&rig), QUEUED "250 2.0.0 Ok\r\n"));
	assert_true(has(buf_slice(&rig.content), "\nSubject: x\n\n.\n"));
	rig_close(&rig);
}

/* Bad only after queue has heard of it. */
static void withdraws_what_turns_bad(void **state)
{
	struct rig rig;
	(void)state;

	open_at_content(&rig, HOST);
	SEND(&rig, "good\r\n");
	SEND(&rig, "bad\n");
	SEND(&rig, "good\r\n.\r\n");
	assert_true(has(buf_slice(&rig.to_queue), "\nABORT\n"));
	assert_false(has(buf_slice(&rig.to_queue), "END\n"));
	assert_slice_equal(
		rig_replies(&rig), SLICE("550 5.6.11 Message has a bare CR or LF; lines end with CRLF\r\n"));
	assert_int_equal(rig.session.state, SESSION_STATE_READY);
	rig_close(&rig);
}

static void limits_size(void **state)
{
	struct rig rig;
	char line[1000];
	(void)state;

	memset(line, 'x', sizeof(line));
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	rig_open(&rig, HOST "[message]\nmax_size = 100k\n", "192.0.2.9");
	SEND(&rig, "EHLO c\r\n");
	(void)rig_replies(&rig);
	SEND(&rig, "MAIL FROM:<a@b.test> SIZE=102401\r\n");
	assert_slice_equal(rig_replies(&rig), SLICE("552 5.3.4 Message size exceeds fixed limit\r\n"));
	SEND(&rig, "MAIL FROM:<a@b.test> SIZE=102400\r\nRCPT TO:<x@mx.test>\r\nDATA\r\n");
	(void)rig_replies(&rig);
	for (int i = 0; i < 103; i++)
		rig_send(&rig, (struct slice){ line, sizeof(line) });
	SEND(&rig, ".\r\n");
	assert_slice_equal(rig_replies(&rig), SLICE("552 5.3.4 Message size exceeds fixed limit\r\n"));
	assert_true(has(buf_slice(&rig.to_queue), "\nABORT\n"));
	rig_close(&rig);
}

static void sends_chunks(void **state)
{
	struct rig rig;
	auto_buf struct buf all = BUF_INIT(1024 * 1024);
	(void)state;

	open_at_content(&rig, HOST);
	while (all.len < 5 * LIMIT_CHUNK)
		buf_append_str(&all, "0123456789 0123456789 0123456789\r\n");
	rig_send(&rig, buf_slice(&all));
	assert_true(rig.content.len > 4 * LIMIT_CHUNK);
	SEND(&rig, ".\r\n");
	assert_slice_equal(rig_replies(&rig), SLICE(QUEUED));
	rig_close(&rig);
}

static void long_lines(void **state)
{
	struct rig rig;
	static char x[64 * 1024];
	(void)state;

	memset(x, 'x', sizeof(x));
	for (size_t n = 15; n <= 17; n += 2) {
		open_at_content(&rig, HOST);
		for (size_t i = 0; i < n; i++)
			rig_send(&rig, (struct slice){ x, sizeof(x) });
		SEND(&rig, "\r\n.\r\n");
		if (n == 15)
			assert_slice_equal(rig_replies(&rig), SLICE(QUEUED));
		else
			assert_slice_equal(
				rig_replies(&rig), SLICE("550 5.6.11 Message has a line above 1 MiB\r\n"));
		rig_close(&rig);
	}
}

static void finds_loops(void **state)
{
	struct rig rig;
	(void)state;

	for (int n = 10; n <= 11; n++) {
		open_at_content(&rig, HOST "[message]\nmax_hops = 10\n");
		for (int i = 0; i < n; i++)
			SEND(&rig, "Received: from a\r\n\tby b\r\n");
		SEND(&rig, "\r\nReceived: in the body\r\n.\r\n");
		assert_true(slice_starts(rig_replies(&rig), n == 10 ? SLICE("250 ") : SLICE("554 5.4.6 ")));
		rig_close(&rig);
	}
}

/* ---- queue ---- */

static void queue_is_not_there(void **state)
{
	struct rig rig;
	(void)state;

	rig_open(&rig, HOST, "192.0.2.9");
	rig.next_id = 0;
	SEND(&rig, "EHLO c\r\n");
	SEND(&rig, "MAIL FROM:<>\r\nRCPT TO:<x@mx.test>\r\n");
	(void)rig_replies(&rig);
	SEND(&rig, "DATA\r\n");
	assert_slice_equal(
		rig_replies(&rig), SLICE("451 4.3.0 The queue is not available; try again later\r\n"));
	assert_int_equal(rig.session.state, SESSION_STATE_RCPT); /* DATA may be tried again */
	rig.next_id = 0xABC;
	SEND(&rig, "DATA\r\n");
	(void)rig_replies(&rig);
	rig.has_queue = false;
	SEND(&rig, "x\r\n");
	assert_int_equal(rig_replies(&rig).len, 0); /* said at the end */
	SEND(&rig, "x\r\n.\r\nNOOP\r\n");
	assert_slice_equal(rig_replies(&rig),
		SLICE("451 4.3.0 The queue is not available; try again later\r\n250 2.0.0 Ok\r\n"));
	rig_close(&rig);
}

static void queue_dies(void **state)
{
	struct rig rig;
	(void)state;

	for (int at_end = 0; at_end <= 1; at_end++) {
		open_at_content(&rig, HOST);
		rig.is_manual = true;
		SEND(&rig, "x\r\n");
		if (at_end)
			SEND(&rig, ".\r\n");
		rig.has_queue = false;
		session_queue_gone(&rig.world);
		if (!at_end)
			SEND(&rig, ".\r\n");
		assert_slice_equal(rig_replies(&rig),
			SLICE("451 4.3.0 The queue is not available; try again later\r\n"));
		assert_int_equal(rig.session.state, SESSION_STATE_READY);
		rig_close(&rig);
	}
}

/* After DATA, before its first content: the mail goes to the next queue with an id that this one leased. */
static void queue_dies_before_it_hears_of_a_mail(void **state)
{
	struct rig rig;
	uint64_t before;
	(void)state;

	open_at_content(&rig, HOST);
	before = rig.session.mail->queue_id;
	session_queue_gone(&rig.world);
	SEND(&rig, "x\r\n");
	assert_true(rig.session.mail->queue_id > before);
	SEND(&rig, ".\r\n");
	assert_true(slice_starts(rig_replies(&rig), SLICE("250 2.0.0 Ok: queued as ")));
	rig_close(&rig);
}

static void understands_results(void **state)
{
	static const struct {
		unsigned code;
		const char *status, *text, *want;
	} rows[] = {
		{ 250, "2.0.0", "x", QUEUED },
		{ 452, "4.3.1", "Insufficient disk space", "452 4.3.1 Insufficient disk space\r\n" },
		{ 554, "5.6.0", "No", "554 5.6.0 No\r\n" },
		{ 251, "2.0.0", "x", "451 4.3.0 Temporary failure of the mail system\r\n" },
		{ 0, "", "", "451 4.3.0 Temporary failure of the mail system\r\n" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig rig;
		open_at_content(&rig, HOST);
		rig.is_manual = true;
		SEND(&rig, "x\r\n.\r\nNOOP\r\n");
		assert_int_equal(rig_replies(&rig).len, 0); /* nothing before queue's word */
		assert_int_equal(rig.session.state, SESSION_STATE_RESULT);
		rig_result(&rig, rows[i].code, rows[i].status, rows[i].text);
		struct slice got = rig_replies(&rig);
		assert_slice_equal(slice_first(got, strlen(rows[i].want)), slice_of(rows[i].want));
		assert_slice_equal(slice_from(got, strlen(rows[i].want)), SLICE("250 2.0.0 Ok\r\n"));
		rig_result(&rig, 250, "2.0.0", "a second one"); /* is passed over */
		assert_int_equal(rig_replies(&rig).len, 0);
		rig_close(&rig);
	}
}

static void queue_refuses_early(void **state)
{
	static const unsigned codes[] = { 452, 250 }; /* a yes before the end is nonsense */
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct rig rig;
		open_at_content(&rig, HOST);
		rig.is_manual = true;
		SEND(&rig, "x\r\n");
		rig_result(&rig, codes[i], "4.3.1", "disk full");
		assert_int_equal(rig_replies(&rig).len, 0);
		SEND(&rig, "y\r\n.\r\n");
		assert_true(slice_starts(rig_replies(&rig),
			codes[i] == 452 ? SLICE("452 4.3.1 disk full") : SLICE("451 4.3.0 ")));
		assert_false(has(buf_slice(&rig.to_queue), "END\n"));
		rig_close(&rig);
	}
}

static void queue_is_slow(void **state)
{
	struct rig rig;
	(void)state;

	open_at_content(&rig, HOST);
	rig.is_full = true;
	SEND(&rig, "x\r\n.\r\n");
	assert_true(session_has_enough(&rig.session)); /* the client is held back */
	assert_int_equal(rig.to_queue.len, 0);
	assert_int_equal(rig.session.deadline.kind, DEADLINE_NONE); /* and is not blamed */
	rig.is_full = false;
	rig.is_manual = true;
	session_proceed(&rig.session);
	assert_false(session_has_enough(&rig.session));
	assert_int_equal(rig.session.state, SESSION_STATE_RESULT);
	rig.world.now_ms += 300000;
	assert_non_null(deadlines_next_expired(&rig.world.deadlines, rig.world.now_ms));
	session_expired(&rig.session);
	assert_true(slice_starts(rig_replies(&rig), SLICE("451 4.3.0 ")));
	rig_result(&rig, 250, "2.0.0", "too late");
	assert_int_equal(rig_replies(&rig).len, 0);
	rig_close(&rig);
}

/* ---- the client ---- */

static void client_leaves(void **state)
{
	struct rig rig;
	(void)state;

	open_at_content(&rig, HOST);
	SEND(&rig, "x\r\n");
	session_eof(&rig.session);
	assert_true(has(buf_slice(&rig.to_queue), "\nABORT\n"));
	assert_int_equal(rig.session.state, SESSION_STATE_CLOSED);
	rig_close(&rig);

	/* With the whole mail at queue it stays there. */
	open_at_content(&rig, HOST);
	rig.is_manual = true;
	SEND(&rig, "x\r\n.\r\n");
	session_broken(&rig.session);
	session_deinit(&rig.session);
	rig.is_open = false;
	assert_false(has(buf_slice(&rig.to_queue), "ABORT\n"));
	rig_result(&rig, 250, "2.0.0", "nobody is there");
	rig_close(&rig);
}

static void client_trickles(void **state)
{
	struct rig rig;
	(void)state;

	open_at_content(&rig, HOST "[smtpd]\ncommand_timeout = 10s\ndata_timeout = 60s\n");
	for (int i = 0; i < 12; i++) {
		rig.world.now_ms += 5000;
		assert_null(deadlines_next_expired(&rig.world.deadlines, rig.world.now_ms));
		SEND(&rig, "x");
	}
	assert_int_equal(rig.session.state, SESSION_STATE_CONTENT);
	rig.world.now_ms += 5000;
	SEND(&rig, "x");
	assert_true(slice_starts(rig_replies(&rig), SLICE("421 4.4.2 ")));
	assert_true(has(buf_slice(&rig.to_queue), "\nABORT\n"));
	rig_close(&rig);
}

static void stops_after_the_mail(void **state)
{
	struct rig rig;
	(void)state;

	open_at_content(&rig, HOST);
	rig.is_manual = true;
	SEND(&rig, "x\r\n.\r\nNOOP\r\n");
	rig.world.is_stopping = true;
	session_stop(&rig.session);
	assert_int_equal(rig_replies(&rig).len, 0);
	rig_result(&rig, 250, "2.0.0", "Ok");
	assert_slice_equal(rig_replies(&rig),
		SLICE(QUEUED "421 4.3.2 mx.test Service is stopping, try again later\r\n"));
	assert_int_equal(rig.session.state, SESSION_STATE_CLOSING);
	rig_close(&rig);
}

static void be_quiet(enum log_level level, const char *program, struct slice line, void *user)
{
	(void)program;
	(void)level, (void)line, (void)user;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hands_over_a_mail),
		cmocka_unit_test(names_the_single_recipient),
		cmocka_unit_test(ends_only_at_the_true_end),
		cmocka_unit_test(takes_single_bytes),
		cmocka_unit_test(withdraws_what_turns_bad),
		cmocka_unit_test(limits_size),
		cmocka_unit_test(sends_chunks),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(finds_loops),
		cmocka_unit_test(queue_is_not_there),
		cmocka_unit_test(queue_dies),
		cmocka_unit_test(queue_dies_before_it_hears_of_a_mail),
		cmocka_unit_test(understands_results),
		cmocka_unit_test(queue_refuses_early),
		cmocka_unit_test(queue_is_slow),
		cmocka_unit_test(client_leaves),
		cmocka_unit_test(client_trickles),
		cmocka_unit_test(stops_after_the_mail),
	};

	log_set_sink(be_quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
