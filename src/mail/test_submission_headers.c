/* SPDX-License-Identifier: Apache-2.0 */
/* test_submission_headers.c - what sendmail makes of what it reads */
#include "support/test.h"
#include "mail/submission_headers.h"
#include <time.h>

#define ROW(literal)                                                                                         \
	{                                                                                                    \
		(literal), sizeof(literal) - 1                                                               \
	}

static int set_zone(void **state)
{
	(void)state;
	if (setenv("TZ", "UTC0", 1) != 0)
		return -1;
	tzset();
	return 0;
}

static void reads_input(void **state)
{
	static const struct {
		struct slice in, want;
		bool dot_ends;
	} rows[] = {
		{ ROW(""), ROW("") },
		{ ROW("a\nb\n"), ROW("a\nb\n") },
		{ ROW("a\nb"), ROW("a\nb\n") },
		{ ROW("a\r\nb\r\n"), ROW("a\nb\n") },
		{ ROW("a\r\nb\nc\r\n"), ROW("a\nb\nc\n") },
		{ ROW("a\nb\r\nc\n"), ROW("a\nb\r\nc\n") }, /* the first line decided: LF */
		{ ROW("a\rb\r\nc\rd\r\n"), ROW("a\rb\nc\rd\n") },
		{ ROW("a\r\r\nb\r\n"), ROW("a\r\nb\n") },
		{ ROW("a\r"), ROW("a\r\n") },
		{ ROW("\r\nb\r\n"), ROW("\nb\n") },
		{ ROW("a\0b\n"), ROW("a\0b\n") },
		{ ROW("a\n.\nb\n"), ROW("a\n.\nb\n") },
		{ ROW("a\n.\nb\n"), ROW("a\n"), true },
		{ ROW("a\r\n.\r\nb\r\n"), ROW("a\n"), true },
		{ ROW(".\nb\n"), ROW(""), true },
		{ ROW(".\r\nb\n"), ROW(""), true },
		{ ROW("a\n.\r\nb\n"), ROW("a\n.\r\nb\n"), true },
		{ ROW("a\n."), ROW("a\n"), true },
		{ ROW("a.\n..\n.b\n"), ROW("a.\n..\n.b\n"), true },
		{ ROW("a\r\n.\rb\r\n"), ROW("a\n.\rb\n"), true },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t cut = 0; cut <= rows[i].in.len; cut++) {
			struct submission_input s = { .dot_ends = rows[i].dot_ends };
			auto_buf struct buf out = BUF_INIT(100);
			assert_true(submission_feed(&s, slice_first(rows[i].in, cut), &out));
			assert_true(submission_feed(&s, slice_from(rows[i].in, cut), &out));
			assert_true(submission_feed_end(&s, &out));
			assert_slice_equal(buf_slice(&out), rows[i].want);
		}
	}
}

static void finds_headers(void **state)
{
	static const struct {
		const char *in, *fields, *body;
		bool is_known_early; /* before the end of the input */
	} rows[] = {
		{ "To: a\n\nbody\n", "To: a\n", "body\n", true },
		{ "From x Mon\n>From y Tue\nTo: a\n\nbody\n", "To: a\n", "body\n", true },
		{ "body\nTo: a\n", "", "body\nTo: a\n", true },
		{ "To: a\nbody\n", "To: a\n", "body\n", true },
		{ "\nbody\n", "", "body\n", true },
		{ "To: a\n", "To: a\n", "", false },
		{ "To: a\nSubj", "To: a\n", "Subj", false },
		{ "From x", "", "From x", false },
		{ "", "", "", false },
		{ "To: a\n b\n\n", "To: a\n b\n", "", true },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice in = slice_of(rows[i].in);
		struct submission_header h;
		assert_int_equal(submission_header_find(in, false, &h), rows[i].is_known_early);
		assert_true(submission_header_find(in, true, &h));
		assert_slice_equal(h.fields, slice_of(rows[i].fields));
		assert_slice_equal(slice_from(in, h.body_at), slice_of(rows[i].body));
	}
}

static void builds_headers(void **state)
{
	static const struct {
		const char *fields, *name, *want;
	} rows[] = {
		{ "Date: d\nTo: b\nMessage-ID: <m>\nFrom: f\n", "",
			"Date: d\nTo: b\nMessage-ID: <m>\nFrom: f\n\n" },
		{ "", "",
			"Message-ID: <id@host>\nDate: Thu, 1 Jan 1970 00:00:00 +0000 (UTC)\nFrom: "
			"me@host\n\n" },
		{ "date: d\nmessage-id: <m>\n", "Joe User",
			"date: d\nmessage-id: <m>\nFrom: Joe User <me@host>\n\n" },
		{ "Date: d\nMessage-ID: <m>\n", "Joe\nBcc: x",
			"Date: d\nMessage-ID: <m>\nFrom: \"Joe Bcc: x\" <me@host>\n\n" },
		{ "Date: d\nMessage-ID: <m>\n", " ", "Date: d\nMessage-ID: <m>\nFrom: me@host\n\n" },
		{ "Date: d\nFrom: f\nMessage-Id: <m>\nBcc: secret,\n more\nReturn-Path: <x>\ncontent-length: "
		  "3\nResent-Bcc : y\n"
		  "Resent-From: f\nResent-Date: d\nResent-Message-ID: m\n",
			"",
			"Date: d\nFrom: f\nMessage-Id: <m>\nResent-From: f\nResent-Date: "
			"d\nResent-Message-ID: m\n\n" },
		{ "Resent-To: b\nSubject: x\n", "",
			"Resent-To: b\nSubject: x\nResent-Message-ID: <id@host>\n"
			"Resent-Date: Thu, 1 Jan 1970 00:00:00 +0000 (UTC)\nResent-From: me@host\n\n" },
		{ "X-Odd :  kept  as\n\tit is \nDate: d\nFrom: f\nMessage-ID: <m>\n", "",
			"X-Odd :  kept  as\n\tit is \nDate: d\nFrom: f\nMessage-ID: <m>\n\n" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct submission_facts facts = {
			.from_address = SLICE("me@host"),
			.from_name = slice_of(rows[i].name),
			.message_id = SLICE("id@host"),
		};
		auto_buf struct buf out = BUF_INIT(2000);
		submission_header_build(slice_of(rows[i].fields), &facts, &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
}

static void collects_recipients(void **state)
{
	static const struct {
		const char *fields, *want;
	} rows[] = {
		{ "Subject: x\n", "" },
		{ "To: a, Joe <b@c>\nSubject: x@y\ncc: (d) d@e,\n f\nBcc: g\n",
			"To:a To:b@c cc:d@e cc:f Bcc:g " },
		{ "To: a\nResent-To: b\nResent-Cc: c\nCc: d\nResent-Bcc: e\n",
			"Resent-To:b Resent-Cc:c Resent-Bcc:e " },
		{ "To: a\nResent-From: b\n", "To:a " },
		{ "To: undisclosed-recipients:;\nBcc: a\n", "Bcc:a " },
		{ "To: two words, a\n", "To:! To:a " },
		{ "To:\nCc: ,\n", "" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(1000);
		struct submission_recipients r;
		struct address_item item;
		submission_recipients_init(&r, slice_of(rows[i].fields));
		while (submission_recipients_next(&r, &item)) {
			struct slice text = item.status == ADDRESS_OK ? item.text : SLICE("!");
			buf_printf(&got, "%.*s:%.*s ", SLICE_ARG(r.field_name), SLICE_ARG(text));
		}
		assert_slice_equal(buf_slice(&got), slice_of(rows[i].want));
	}
}

static void says_when_full(void **state)
{
	struct submission_input s = { 0 };
	auto_buf struct buf out = BUF_INIT(3);

	(void)state;
	assert_true(submission_feed(&s, SLICE("abc"), &out));
	assert_false(submission_feed(&s, SLICE("d"), &out));
	assert_false(submission_feed_end(&s, &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_input),
		cmocka_unit_test(finds_headers),
		cmocka_unit_test(builds_headers),
		cmocka_unit_test(collects_recipients),
		cmocka_unit_test(says_when_full),
	};
	return cmocka_run_group_tests(tests, set_zone, NULL);
}
