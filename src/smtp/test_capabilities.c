/* SPDX-License-Identifier: Apache-2.0 */
/* test_capabilities.c - replies to EHLO, good and odd */
#include "smtp/capabilities.h"
#include "support/test.h"

static void reads_offers(void **state)
{
	static const struct {
		const char *text;
		struct capabilities want;
	} rows[] = {
		{ "", { 0 } },
		{ "mx.test", { 0 } },
		{ "PIPELINING", { 0 } }, /* that is the greeting */
		{ "mx.test\nPIPELINING\n8BITMIME\nSMTPUTF8\nDSN",
			{ .pipelining = true, .eight_bit = true, .smtputf8 = true, .dsn = true } },
		{ "mx.test\npipelining \r\n 8bitmime x", { .pipelining = true, .eight_bit = true } },
		{ "mx.test\nPIPELININGS\n8BIT MIME\n\n-\nX-DSN", { 0 } },
		{ "mx.test\nSIZE", { .size = true } },
		{ "mx.test\nSIZE 0", { .size = true } },
		{ "mx.test\nSIZE 52428800", { .size = true, .size_limit = 52428800 } },
		{ "mx.test\nSIZE=52428800", { 0 } },
		{ "mx.test\nSIZE -1", { .size = true } },
		{ "mx.test\nSIZE 18446744073709551616", { .size = true } },
		{ "mx.test\nLIMITS MAILMAX=5 RCPTMAX=20 RCPTDOMAINMAX=1", { .rcpt_limit = 20 } },
		{ "mx.test\nLIMITS RCPTMAX=", { 0 } },
		{ "mx.test\nLIMITS RCPTMAX=x", { 0 } },
		{ "mx.test\nAUTH PLAIN\nSTARTTLS", { 0 } },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct capabilities can = { .pipelining = true, .size_limit = 7 };
		capabilities_parse(slice_of(rows[i].text), &can);
		assert_int_equal(can.pipelining, rows[i].want.pipelining);
		assert_int_equal(can.eight_bit, rows[i].want.eight_bit);
		assert_int_equal(can.smtputf8, rows[i].want.smtputf8);
		assert_int_equal(can.dsn, rows[i].want.dsn);
		assert_int_equal(can.size, rows[i].want.size);
		assert_int_equal(can.size_limit, rows[i].want.size_limit);
		assert_int_equal(can.rcpt_limit, rows[i].want.rcpt_limit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads_offers) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
