/* SPDX-License-Identifier: Apache-2.0 */
/* test_command.c - MAIL and RCPT as sent, and what never is */
#include "smtp/command.h"
#include "mail/envelope_options.h"
#include "support/test.h"

static const struct capabilities all = { .size = true, .dsn = true, .eight_bit = true, .smtputf8 = true };

static void writes_mail(void **state)
{
	const struct {
		struct job job;
		struct capabilities can;
		struct command_mail_options options;
		const char *want;
	} rows[] = {
		{ { .reverse_path = SLICE_CONST("a@x") }, { 0 }, { .size = 5 }, "MAIL FROM:<a@x>\r\n" },
		{ { .reverse_path = SLICE_CONST("") }, all, { .size = 5 }, "MAIL FROM:<> SIZE=5\r\n" },
		{ { .reverse_path = SLICE_CONST("a@x"), .ret = RET_FULL, .envid = SLICE_CONST("i+2Bd") }, all,
			{ .size = 5, .eight_bit = true, .smtputf8 = true },
			"MAIL FROM:<a@x> SIZE=5 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=i+2Bd\r\n" },
		{ { .reverse_path = SLICE_CONST("a@x"), .ret = 77, .envid = SLICE_CONST("bad\r\nRSET") }, all,
			{ .size = 5 }, "MAIL FROM:<a@x> SIZE=5\r\n" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(4096);
		command_mail(&rows[i].job, &rows[i].can, &rows[i].options, &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
}

static void writes_rcpt(void **state)
{
	const struct {
		struct job_rcpt rcpt;
		struct capabilities can;
		const char *want;
	} rows[] = {
		{ { .forward_path = SLICE_CONST("a@x"), .notify = NOTIFY_NEVER }, { 0 },
			"RCPT TO:<a@x>\r\n" },
		{ { .forward_path = SLICE_CONST("a@x") }, all, "RCPT TO:<a@x>\r\n" },
		{ { .forward_path = SLICE_CONST("\"a b\"@x"),
			  .notify = NOTIFY_SUCCESS | NOTIFY_DELAY,
			  .orcpt = SLICE_CONST("rfc822;o+2Bo@x") },
			all, "RCPT TO:<\"a b\"@x> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o+2Bo@x\r\n" },
		{ { .forward_path = SLICE_CONST("a@x"), .original = SLICE_CONST("\"a b\"@y") }, all,
			"RCPT TO:<a@x> ORCPT=rfc822;\"a+20b\"@y\r\n" },
		{ { .forward_path = SLICE_CONST("a@x"), .original = SLICE_CONST("no-domain") }, all,
			"RCPT TO:<a@x>\r\n" },
		{ { .forward_path = SLICE_CONST("a@x"), .original = SLICE_CONST("b@y") }, { 0 },
			"RCPT TO:<a@x>\r\n" },
		{ { .forward_path = SLICE_CONST("a@x"), .orcpt = SLICE_CONST("utf-8;\xc3\xbc@y") }, all,
			"RCPT TO:<a@x> ORCPT=utf-8;\xc3\xbc@y\r\n" },
		{ { .forward_path = SLICE_CONST("a@x"), .orcpt = SLICE_CONST("utf-8;\xc3\xbc@y") },
			{ .dsn = true }, "RCPT TO:<a@x> ORCPT=utf-8;\\x{FC}@y\r\n" },
		{ { .forward_path = SLICE_CONST("a@x"), .original = SLICE_CONST("\xc3\xbc@y") }, all,
			"RCPT TO:<a@x> ORCPT=utf-8;\\x{FC}@y\r\n" },
		{ { .forward_path = SLICE_CONST("a@x"), .notify = 0xff, .orcpt = SLICE_CONST("x y") }, all,
			"RCPT TO:<a@x>\r\n" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(4096);
		command_rcpt(&rows[i].rcpt, &rows[i].can, &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
}

static void knows_safe_paths(void **state)
{
	const struct {
		const char *path;
		bool allow_null, want;
	} rows[] = {
		{ "a@x", false, true },
		{ "a", false, true },
		{ "\xc3\xa4@x", false, true },
		{ "\"a>b\"@x", false, true },
		{ "", true, true },
		{ "", false, false },
		{ "a>b@x", false, false },
		{ "a@x> SIZE=1", false, false },
		{ "a@x\r\nDATA", false, false },
		{ "a b@x", false, false },
		{ "a\tb@x", true, false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			command_path_is_safe(slice_of(rows[i].path), rows[i].allow_null), rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_mail),
		cmocka_unit_test(writes_rcpt),
		cmocka_unit_test(knows_safe_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
