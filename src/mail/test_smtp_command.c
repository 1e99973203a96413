/* SPDX-License-Identifier: Apache-2.0 */
/* test_smtp_command.c - command lines, parameters, every fault and its reply, and what the client writes */
#include "support/test.h"
#include "base/limits.h"
#include "mail/smtp_command.h"

#define ROW(literal)                                                                                         \
	{                                                                                                    \
		(literal), sizeof(literal) - 1                                                               \
	}
#define ALL 0xffffu

static void splits_commands(void **state)
{
	static const struct {
		struct slice in;
		enum smtp_fault fault;
		enum smtp_verb verb;
		const char *args;
	} rows[] = {
		{ ROW("EHLO host.test"), SMTP_FAULT_NONE, SMTP_VERB_EHLO, "host.test" },
		{ ROW("helo [127.0.0.1]  "), SMTP_FAULT_NONE, SMTP_VERB_HELO, "[127.0.0.1]" },
		{ ROW("LHLO x"), SMTP_FAULT_NONE, SMTP_VERB_LHLO, "x" },
		{ ROW("mAiL FROM:<> SIZE=1"), SMTP_FAULT_NONE, SMTP_VERB_MAIL, "FROM:<> SIZE=1" },
		{ ROW("RCPT\tTO:<a@b>"), SMTP_FAULT_NONE, SMTP_VERB_RCPT, "TO:<a@b>" },
		{ ROW("DATA"), SMTP_FAULT_NONE, SMTP_VERB_DATA, "" },
		{ ROW("DATA "), SMTP_FAULT_NONE, SMTP_VERB_DATA, "" },
		{ ROW("BDAT 86 LAST"), SMTP_FAULT_NONE, SMTP_VERB_BDAT, "86 LAST" },
		{ ROW("NOOP x y"), SMTP_FAULT_NONE, SMTP_VERB_NOOP, "x y" },
		{ ROW("AUTH PLAIN ="), SMTP_FAULT_NONE, SMTP_VERB_AUTH, "PLAIN =" },
		{ ROW("VRFY a"), SMTP_FAULT_NONE, SMTP_VERB_VRFY, "a" },
		{ ROW("STARTTLS"), SMTP_FAULT_NONE, SMTP_VERB_STARTTLS, "" },
		{ ROW(""), SMTP_FAULT_NONE, SMTP_VERB_UNKNOWN, "" },
		{ ROW("GET / HTTP/1.0"), SMTP_FAULT_NONE, SMTP_VERB_UNKNOWN, "/ HTTP/1.0" },
		{ ROW("DATAX"), SMTP_FAULT_NONE, SMTP_VERB_UNKNOWN, "" },
		{ ROW("RSET now"), SMTP_FAULT_UNWANTED_ARGUMENT, 0, NULL },
		{ ROW("QUIT x"), SMTP_FAULT_UNWANTED_ARGUMENT, 0, NULL },
		{ ROW("STARTTLS x"), SMTP_FAULT_UNWANTED_ARGUMENT, 0, NULL },
		{ ROW("EHLO"), SMTP_FAULT_NO_HELO_NAME, 0, NULL },
		{ ROW("EHLO  "), SMTP_FAULT_NO_HELO_NAME, 0, NULL },
		{ ROW("EHLO a b"), SMTP_FAULT_BAD_HELO_NAME, 0, NULL },
		{ ROW("EHLO b\xc3\xbc"), SMTP_FAULT_BAD_HELO_NAME, 0, NULL },
		{ ROW("NOOP\r"), SMTP_FAULT_BAD_CHARACTER, 0, NULL },
		{ ROW("NO\0OP"), SMTP_FAULT_BAD_CHARACTER, 0, NULL },
		{ ROW("MAIL FROM:<a\x01@b>"), SMTP_FAULT_BAD_CHARACTER, 0, NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtp_command c;
		assert_int_equal(smtp_command_parse(rows[i].in, &c), rows[i].fault);
		if (rows[i].fault == SMTP_FAULT_NONE) {
			assert_int_equal(c.verb, rows[i].verb);
			assert_slice_equal(c.args, slice_of(rows[i].args));
		}
	}
}

static void limits_lines(void **state)
{
	auto_buf struct buf line = BUF_INIT(LIMIT_COMMAND_LINE + 1);
	struct smtp_command c;

	(void)state;
	buf_printf(&line, "NOOP %0*d", LIMIT_COMMAND_LINE - 5, 0);
	assert_int_equal(line.len, LIMIT_COMMAND_LINE);
	assert_int_equal(smtp_command_parse(buf_slice(&line), &c), SMTP_FAULT_NONE);
	buf_append_byte(&line, '0');
	assert_int_equal(smtp_command_parse(buf_slice(&line), &c), SMTP_FAULT_LINE_TOO_LONG);
	buf_clear(&line);
	buf_printf(&line, "EHLO %0*d", LIMIT_DOMAIN + 1, 0);
	assert_int_equal(smtp_command_parse(buf_slice(&line), &c), SMTP_FAULT_BAD_HELO_NAME);
}

static void accepts_mail(void **state)
{
	static const struct {
		const char *args;
		const char *local;
		struct smtp_mail want;
	} rows[] = {
		{ "FROM:<a@b>", "a", { .size = 0 } },
		{ "from: <a@b>", "a", { .size = 0 } },
		{ "FROM:<>", "", { .size = 0 } },
		{ "FROM:<a@b>  SIZE=0", "a", { .size = 0 } },
		{ "FROM:<a@b> SIZE=00012345", "a", { .size = 12345 } },
		{ "FROM:<a@b> SIZE=18446744073709551615", "a", { .size = UINT64_MAX } },
		{ "FROM:<a@b> SIZE=99999999999999999999", "a", { .size = UINT64_MAX } },
		{ "FROM:<a@b> body=8bitmime size=7", "a", { .size = 7, .body = BODY_8BITMIME } },
		{ "FROM:<a@b> BODY=7BIT", "a", { .body = BODY_7BIT } },
		{ "FROM:<a@b> RET=HDRS ENVID=x+2By", "a", { .ret = RET_HDRS, .envid = ROW("x+2By") } },
		{ "FROM:<a@b> RET=FULL", "a", { .ret = RET_FULL } },
		{ "FROM:<a@b> AUTH=<>", "a", { .auth = ROW("<>") } },
		{ "FROM:<a@b> AUTH=e+3Dmc2@example.com", "a", { .auth = ROW("e+3Dmc2@example.com") } },
		{ "FROM:<\xc3\xbc@b> SMTPUTF8", "\xc3\xbc", { .smtputf8 = true } },
		{ "FROM:<a@b>\tSMTPUTF8", "a", { .smtputf8 = true } },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct smtp_mail *want = &rows[i].want;
		struct smtp_mail m;
		assert_int_equal(smtp_mail_parse(slice_of(rows[i].args), ALL, 0, &m), SMTP_FAULT_NONE);
		assert_slice_equal(m.from.local, slice_of(rows[i].local));
		assert_true(m.size == want->size);
		assert_int_equal(m.body, want->body);
		assert_int_equal(m.ret, want->ret);
		assert_slice_equal(m.envid, want->envid);
		assert_slice_equal(m.auth, want->auth);
		assert_int_equal(m.smtputf8, want->smtputf8);
	}
}

static void refuses_mail(void **state)
{
	static const struct {
		const char *args;
		enum smtp_fault want;
		unsigned without; /* extensions not offered */
	} rows[] = {
		{ "", SMTP_FAULT_NO_FROM },
		{ "TO:<a@b>", SMTP_FAULT_NO_FROM },
		{ "FROM <a@b>", SMTP_FAULT_NO_FROM },
		{ "FROM:", SMTP_FAULT_PATH_BRACKETS },
		{ "FROM:a@b", SMTP_FAULT_PATH_BRACKETS },
		{ "FROM:<a@b", SMTP_FAULT_PATH_BRACKETS },
		{ "FROM:<a b@c>", SMTP_FAULT_BAD_SENDER },
		{ "FROM:<a@b..c>", SMTP_FAULT_BAD_SENDER },
		{ "FROM:<user>", SMTP_FAULT_SENDER_UNQUALIFIED },
		{ "FROM:<a@b>SIZE=1", SMTP_FAULT_TRAILING_TEXT },
		{ "FROM:<a@b>>", SMTP_FAULT_TRAILING_TEXT },
		{ "FROM:<\xc3\xbc@b>", SMTP_FAULT_SENDER_NOT_ASCII },
		{ "FROM:<\xc3\xbc@b>", SMTP_FAULT_SENDER_NOT_ASCII, SMTP_EXT_SMTPUTF8 },
		{ "FROM:<\xc3@b> SMTPUTF8", SMTP_FAULT_BAD_UTF8 },
		{ "FROM:<a@b> SMTPUTF8", SMTP_FAULT_UNKNOWN_PARAMETER, SMTP_EXT_SMTPUTF8 },
		{ "FROM:<a@b> SMTPUTF8=1", SMTP_FAULT_UNWANTED_VALUE },
		{ "FROM:<a@b> SIZE", SMTP_FAULT_TRAILING_TEXT },
		{ "FROM:<a@b> SIZE=", SMTP_FAULT_BAD_SIZE },
		{ "FROM:<a@b> SIZE=1x", SMTP_FAULT_BAD_SIZE },
		{ "FROM:<a@b> SIZE=-1", SMTP_FAULT_BAD_SIZE },
		{ "FROM:<a@b> SIZE=+1", SMTP_FAULT_BAD_SIZE },
		{ "FROM:<a@b> SIZE=000000000000000000001", SMTP_FAULT_BAD_SIZE },
		{ "FROM:<a@b> SIZE=1 size=1", SMTP_FAULT_REPEATED_PARAMETER },
		{ "FROM:<a@b> BODY=BINARYMIME", SMTP_FAULT_BAD_BODY },
		{ "FROM:<a@b> BODY=7BIT BODY=8BITMIME", SMTP_FAULT_REPEATED_PARAMETER },
		{ "FROM:<a@b> RET=NONE", SMTP_FAULT_BAD_RET },
		{ "FROM:<a@b> RET=FULL", SMTP_FAULT_UNKNOWN_PARAMETER, SMTP_EXT_DSN },
		{ "FROM:<a@b> ENVID=", SMTP_FAULT_BAD_ENVID },
		{ "FROM:<a@b> ENVID=a+2", SMTP_FAULT_BAD_ENVID },
		{ "FROM:<a@b> AUTH=", SMTP_FAULT_BAD_AUTH },
		{ "FROM:<a@b> AUTH=a=b", SMTP_FAULT_BAD_AUTH },
		{ "FROM:<a@b> XYZ=1", SMTP_FAULT_UNKNOWN_PARAMETER },
		{ "FROM:<a@b> =1", SMTP_FAULT_UNKNOWN_PARAMETER },
		{ "FROM:<a@b> NOTIFY=NEVER", SMTP_FAULT_UNKNOWN_PARAMETER },
		{ "FROM:<a@b> SIZ=1", SMTP_FAULT_UNKNOWN_PARAMETER },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtp_mail m = { .size = 42 };
		assert_int_equal(
			smtp_mail_parse(slice_of(rows[i].args), ALL & ~rows[i].without, 0, &m), rows[i].want);
		assert_true(m.size == 42);
	}
}

static void reads_rcpt(void **state)
{
	static const struct {
		const char *args;
		enum smtp_fault fault;
		unsigned notify;
		const char *orcpt;
		bool smtputf8;
	} rows[] = {
		{ "TO:<a@b>", SMTP_FAULT_NONE, 0, "" },
		{ "TO: <a@b>", SMTP_FAULT_NONE, 0, "" },
		{ "TO:<postmaster>", SMTP_FAULT_NONE, 0, "" },
		{ "TO:<@x:a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c@d", SMTP_FAULT_NONE, 10, "rfc822;c@d" },
		{ "TO:<\xc3\xbc@b> ORCPT=utf-8;\xc3\xbc@b", SMTP_FAULT_NONE, 0, "utf-8;\xc3\xbc@b", true },
		{ "TO:<a@b> ORCPT=utf-8;\xc3\xbc@b", SMTP_FAULT_BAD_ORCPT },
		{ "TO:<\xc3\xbc@b>", SMTP_FAULT_RECIPIENT_NOT_ASCII },
		{ "TO:<>", SMTP_FAULT_BAD_RECIPIENT },
		{ "TO:<a>", SMTP_FAULT_RECIPIENT_UNQUALIFIED },
		{ "TO:a@b", SMTP_FAULT_PATH_BRACKETS },
		{ "FROM:<a@b>", SMTP_FAULT_NO_TO },
		{ "TO:<a@b> NOTIFY=", SMTP_FAULT_BAD_NOTIFY },
		{ "TO:<a@b> NOTIFY=NEVER,SUCCESS", SMTP_FAULT_BAD_NOTIFY },
		{ "TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER", SMTP_FAULT_REPEATED_PARAMETER },
		{ "TO:<a@b> ORCPT=a@b", SMTP_FAULT_BAD_ORCPT },
		{ "TO:<a@b> SIZE=1", SMTP_FAULT_UNKNOWN_PARAMETER },
		{ "TO:<a@b>,<c@d>", SMTP_FAULT_TRAILING_TEXT },
	};
	struct smtp_rcpt r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
			smtp_rcpt_parse(slice_of(rows[i].args), ALL, 0, rows[i].smtputf8, &r), rows[i].fault);
		if (rows[i].fault == SMTP_FAULT_NONE) {
			assert_int_equal(r.notify, rows[i].notify);
			assert_slice_equal(r.orcpt, slice_of(rows[i].orcpt));
		}
	}
	assert_int_equal(
		smtp_rcpt_parse(SLICE("TO:<a>"), ALL, ADDRESS_UNQUALIFIED, false, &r), SMTP_FAULT_NONE);
	assert_int_equal(smtp_rcpt_parse(SLICE("TO:<a@b> NOTIFY=NEVER"), 0, 0, false, &r),
		SMTP_FAULT_UNKNOWN_PARAMETER);
}

static void has_a_reply_for_every_fault(void **state)
{
	(void)state;
	for (int f = SMTP_FAULT_NONE + 1; f < SMTP_FAULT_COUNT; f++) {
		const struct smtp_fault_reply *r = smtp_fault_reply((enum smtp_fault)f);
		assert_true(r->code >= 500 && r->code <= 599);
		assert_non_null(r->status);
		assert_true(r->status[0] == '5' && r->status[1] == '.');
		assert_true(strlen(r->text) > 10 && strlen(r->text) < 200);
	}
}

static void writes_what_it_reads(void **state)
{
	static const struct {
		const char *args;
		unsigned extensions;
		const char *want;
	} rows[] = {
		{ "FROM:<a@b> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x AUTH=<>", ALL,
			"MAIL FROM:<a@b> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x AUTH=<>\r\n" },
		{ "FROM:<a@b> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x AUTH=<>", SMTP_EXT_SIZE,
			"MAIL FROM:<a@b> SIZE=10\r\n" },
		{ "FROM:<>", ALL, "MAIL FROM:<>\r\n" },
		{ "FROM:<@r.test:\"a b\"@c>", ALL, "MAIL FROM:<\"a b\"@c>\r\n" },
	};
	auto_buf struct buf out = BUF_INIT(1000);
	struct smtp_rcpt r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtp_mail m;
		assert_int_equal(smtp_mail_parse(slice_of(rows[i].args), ALL, 0, &m), SMTP_FAULT_NONE);
		buf_clear(&out);
		smtp_mail_append(&m, rows[i].extensions, &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
	assert_int_equal(
		smtp_rcpt_parse(SLICE("TO:<a@b> NOTIFY=DELAY,SUCCESS ORCPT=rfc822;c@d"), ALL, 0, false, &r),
		SMTP_FAULT_NONE);
	buf_clear(&out);
	smtp_rcpt_append(&r, ALL, &out);
	smtp_rcpt_append(&r, 0, &out);
	assert_slice_equal(buf_slice(&out),
		SLICE("RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c@d\r\nRCPT TO:<a@b>\r\n"));
}

static void knows_extensions(void **state)
{
	uint64_t size = 7;

	(void)state;
	assert_int_equal(smtp_extension_parse(SLICE("PIPELINING"), &size), SMTP_EXT_PIPELINING);
	assert_int_equal(smtp_extension_parse(SLICE("auth PLAIN LOGIN"), &size), SMTP_EXT_AUTH);
	assert_int_equal(smtp_extension_parse(SLICE("SIZE"), &size), SMTP_EXT_SIZE);
	assert_int_equal(smtp_extension_parse(SLICE("SIZE many"), &size), SMTP_EXT_SIZE);
	assert_true(size == 7);
	assert_int_equal(smtp_extension_parse(SLICE("SIZE 35882577"), &size), SMTP_EXT_SIZE);
	assert_true(size == 35882577);
	assert_int_equal(smtp_extension_parse(SLICE("XCLIENT NAME"), &size), 0);
	assert_int_equal(smtp_extension_parse(SLICE(""), &size), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_commands),
		cmocka_unit_test(limits_lines),
		cmocka_unit_test(accepts_mail),
		cmocka_unit_test(refuses_mail),
		cmocka_unit_test(reads_rcpt),
		cmocka_unit_test(has_a_reply_for_every_fault),
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(knows_extensions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
