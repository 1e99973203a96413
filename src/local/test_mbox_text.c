/* SPDX-License-Identifier: Apache-2.0 */
/* test_mbox_text.c - headers and their order, quoting, line ends */
#include "support/test.h"
#include "local/mbox_text.h"
#include "mail/queue_id.h"
#include <time.h>

#define QUEUE_ID UINT64_C(0x1000000000002a)
#define RECEIVED                                                                                             \
	"Received: by host.example (Postrider, from userid 1000)\n\tid 01000000000002A; Wed, 19 Feb 2020\n"

static bool is_mboxrd;

static struct mbox_text build(
	const char *sender, const char *original, const char *trail, struct slice content)
{
	struct mbox_delivery d = { .is_mboxrd = is_mboxrd,
		.sender = slice_of(sender),
		.original_to = slice_of(original),
		.forward_path = SLICE("path@example"),
		.trail = slice_of(trail),
		.content = content,
		.queue_id = QUEUE_ID,
		.time_s = 1582107035 };
	struct mbox_text t;

	assert_true(mbox_text_build(&t, &d));
	return t;
}

static void writes_headers_in_order(void **state)
{
	static const struct {
		const char *sender, *original, *trail, *want;
	} rows[] = {
		{ "user1@centos7-1.localdomain", "lpic1@localhost", "lpic1@localhost.localdomain",
			"From user1@centos7-1.localdomain  Wed Feb 19 10:10:35 2020\n"
			"Return-Path: <user1@centos7-1.localdomain>\n"
			"X-Original-To: lpic1@localhost\n"
			"Delivered-To: lpic1@localhost.localdomain\n" },
		{ "payam@h", "user1@localhost",
			"user2@centos7-1.localdomain\nuser1@localhost.localdomain\tuser1",
			"From payam@h  Wed Feb 19 10:10:35 2020\n"
			"Return-Path: <payam@h>\n"
			"X-Original-To: user1@localhost\n"
			"Delivered-To: user2@centos7-1.localdomain\n"
			"Delivered-To: user1@localhost.localdomain\n" },
		{ "", "", "",
			"From MAILER-DAEMON  Wed Feb 19 10:10:35 2020\n"
			"Return-Path: <>\n"
			"Delivered-To: path@example\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mbox_text t = build(rows[i].sender, rows[i].original, rows[i].trail,
			SLICE(RECEIVED "Subject: x\n\nbody\n"));
		auto_buf struct buf want = BUF_INIT(10000);
		buf_append_str(&want, rows[i].want);
		buf_append_str(&want, RECEIVED "Subject: x\n\nbody\n\n");
		assert_slice_equal(buf_slice(&t.text), buf_slice(&want));
		assert_slice_equal(((struct slice){ t.text.at + t.date_at, MBOX_DATE_BYTES }),
			SLICE("Wed Feb 19 10:10:35 2020"));
		assert_slice_equal(((struct slice){ t.text.at + t.mark_end - QUEUE_ID_LEN, QUEUE_ID_LEN }),
			SLICE("01000000000002A"));
		mbox_text_free(&t);
	}
}

static void quotes_and_ends_lines(void **state)
{
	static const struct {
		struct slice content, want;
	} rows[] = {
		{ SLICE("A: b\n\nFrom here\n"), SLICE("A: b\n\n>From here\n\n") },
		{ SLICE("From x y\nA: b\n\n"), SLICE(">From x y\nA: b\n\n\n") },
		{ SLICE("A: b\n\nFrom 1\nFrom 2\n\nFrom 3\n"),
			SLICE("A: b\n\n>From 1\n>From 2\n\n>From 3\n\n") },
		{ SLICE("A: b\n\n>From x\n"), SLICE("A: b\n\n>From x\n\n") },
		{ SLICE("A: b\n\nfrom x\n From y\nFrom\nFrom:\n"),
			SLICE("A: b\n\nfrom x\n From y\nFrom\nFrom:\n\n") },
		{ SLICE("A: b\n\nno end"), SLICE("A: b\n\nno end\n\n") },
		{ SLICE("A: b\n\nFrom "), SLICE("A: b\n\n>From \n\n") },
		{ SLICE(""), SLICE("\n") },
		{ SLICE("A: b\n\nnul\0and\xff\rFrom x\n"), SLICE("A: b\n\nnul\0and\xff\rFrom x\n\n") },
		{ SLICE("A: b\n\n\0From x\n\0\n"), SLICE("A: b\n\n\0From x\n\0\n\n") },
		{ SLICE("A: b\n\n\r\r\n\rFrom x\r"), SLICE("A: b\n\n\r\r\n\rFrom x\r\n\n") },
		{ SLICE("A: b\n\n.\n..\n\x01\x1b[m\x7f\xe4\n"),
			SLICE("A: b\n\n.\n..\n\x01\x1b[m\x7f\xe4\n\n") },
		{ SLICE("Return-Path: <x>\nA: b\n\nReturn-Path: body\n"),
			SLICE("A: b\n\nReturn-Path: body\n\n") },
		{ SLICE("A: b\nreturn-path:\n\t<x>\nReturn-path: y\nB: c\n\nFrom z\n"),
			SLICE("A: b\nB: c\n\n>From z\n\n") },
	};
	const struct slice head =
		SLICE("From s  Wed Feb 19 10:10:35 2020\nReturn-Path: <s>\nDelivered-To: path@example\n");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mbox_text t = build("s", "", "", rows[i].content);
		assert_true(slice_starts(buf_slice(&t.text), head));
		assert_slice_equal(slice_from(buf_slice(&t.text), head.len), rows[i].want);
		assert_int_equal(t.mark_end, 0);
		mbox_text_free(&t);
	}
}

/* Each can be taken back, whatever the author wrote. */
static void mboxrd_quotes_the_quoted(void **state)
{
	static const struct {
		struct slice content, want;
	} rows[] = {
		{ SLICE("A: b\n\nFrom x\n>From y\n>>From z\n"),
			SLICE("A: b\n\n>From x\n>>From y\n>>>From z\n\n") },
		{ SLICE(">From x\nA: b\n\n"), SLICE(">>From x\nA: b\n\n\n") },
		{ SLICE("A: b\n\n> From x\n>>from\n>Fromage\n"),
			SLICE("A: b\n\n> From x\n>>from\n>Fromage\n\n") },
		{ SLICE("A: b\n\na >From x\n>>From y From z\n"),
			SLICE("A: b\n\na >From x\n>>>From y From z\n\n") },
		{ SLICE("A: b\n\n>>>"), SLICE("A: b\n\n>>>\n\n") },
	};
	const struct slice head =
		SLICE("From s  Wed Feb 19 10:10:35 2020\nReturn-Path: <s>\nDelivered-To: path@example\n");

	(void)state;
	is_mboxrd = true;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mbox_text t = build("s", "", "", rows[i].content);
		assert_slice_equal(slice_from(buf_slice(&t.text), head.len), rows[i].want);
		mbox_text_free(&t);
	}
	is_mboxrd = false;
}

static void long_lines_pass(void **state)
{
	static const char bytes[] = { 'x', '\0', '\r', '>', (char)0xff };
	auto_buf struct buf content = BUF_INIT(200000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
		struct mbox_text t;
		struct slice text;
		buf_clear(&content);
		buf_append_str(&content, "A: b\n\n");
		for (int k = 0; k < 100000; k++)
			buf_append_byte(&content, bytes[i]);
		buf_append_str(&content, "\n");
		is_mboxrd = i % 2;
		t = build("s", "", "", buf_slice(&content));
		text = buf_slice(&t.text);
		assert_slice_equal(slice_first(slice_from(text, text.len - content.len - 1), content.len),
			buf_slice(&content));
		mbox_text_free(&t);
	}
	is_mboxrd = false;
}

static void a_body_of_from_lines_fits(void **state)
{
	auto_buf struct buf body = BUF_INIT(1000000);
	struct mbox_text t;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_append_str(&body, "From \n");
	t = build("s", "o", "", buf_slice(&body));
	assert_true(t.text.len > 700000);
	mbox_text_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_headers_in_order),
		cmocka_unit_test(quotes_and_ends_lines),
		cmocka_unit_test(mboxrd_quotes_the_quoted),
		cmocka_unit_test(long_lines_pass),
		cmocka_unit_test(a_body_of_from_lines_fits),
	};

	(void)setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
