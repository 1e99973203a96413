/* SPDX-License-Identifier: Apache-2.0 */
/* test_envelope_options.c - the words of NOTIFY, RET, BODY, and what ENVID and ORCPT may be */
#include "support/test.h"
#include "mail/envelope_options.h"

static void reads_notify(void **state)
{
	static const struct {
		const char *in;
		int want; /* -1: refused */
		const char *written;
	} rows[] = {
		{ "NEVER", NOTIFY_NEVER, "NEVER" },
		{ "success", NOTIFY_SUCCESS, "SUCCESS" },
		{ "DELAY,Failure", NOTIFY_DELAY | NOTIFY_FAILURE, "FAILURE,DELAY" },
		{ "SUCCESS,FAILURE,DELAY", 14, "SUCCESS,FAILURE,DELAY" },
		{ "", -1, NULL },
		{ "NEVER,SUCCESS", -1, NULL },
		{ "SUCCESS,", -1, NULL },
		{ ",SUCCESS", -1, NULL },
		{ "SUCCESS,SUCCESS", -1, NULL },
		{ "SUCCESS, DELAY", -1, NULL },
		{ "ALWAYS", -1, NULL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(100);
		unsigned notify = 99;
		assert_int_equal(notify_parse(slice_of(rows[i].in), &notify), rows[i].want >= 0);
		assert_int_equal(notify, rows[i].want >= 0 ? rows[i].want : 99);
		if (rows[i].want >= 0) {
			notify_append(notify, &out);
			assert_slice_equal(buf_slice(&out), slice_of(rows[i].written));
		}
	}
	for (unsigned n = 0; n < 40; n++)
		assert_int_equal(notify_is_valid(n), n < 16 && (n == 1 || !(n & 1)));
}

static void reads_words(void **state)
{
	enum ret ret = RET_DEFAULT;
	enum body_type body = BODY_DEFAULT;

	(void)state;
	assert_true(ret_parse(SLICE("full"), &ret));
	assert_int_equal(ret, RET_FULL);
	assert_true(ret_parse(SLICE("HDRS"), &ret));
	assert_string_equal(ret_name(ret), "HDRS");
	assert_false(ret_parse(SLICE(""), &ret));
	assert_false(ret_parse(SLICE("HDR"), &ret));
	assert_true(body_type_parse(SLICE("8bitmime"), &body));
	assert_string_equal(body_type_name(body), "8BITMIME");
	assert_true(body_type_parse(SLICE("7BIT"), &body));
	assert_false(body_type_parse(SLICE("BINARYMIME"), &body));
	assert_false(body_type_parse(SLICE(""), &body));
	assert_int_equal(body, BODY_7BIT);
	assert_string_equal(body_type_name(BODY_DEFAULT), "");
	assert_string_equal(ret_name(RET_DEFAULT), "");
}

static void checks_ids(void **state)
{
	static const struct {
		const char *in;
		bool envid, orcpt;
	} rows[] = {
		{ "", false, false },
		{ "QQ314159", true, false },
		{ "a+20b", true, false },
		{ "a+2", false, false },
		{ "a b", false, false },
		{ "rfc822;a@b", true, true },
		{ "rfc822;a+20b@c", true, true },
		{ "rfc822;a b@c", false, false },
		{ "rfc822;", true, false },
		{ ";a@b", true, false },
		{ "x-y;z", true, true },
		{ "x_y;z", true, false },
		{ "utf-8;gr\xc3\xbc\xc3\x9f@b", false, true },
		{ "utf-8;a\xff@b", false, false },
		{ "utf-8;a\nb", false, false },
		{ "rfc822;gr\xc3\xbc\xc3\x9f@b", false, false },
	};
	auto_buf struct buf text = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(envid_is_valid(slice_of(rows[i].in)), rows[i].envid);
		assert_int_equal(orcpt_is_valid(slice_of(rows[i].in)), rows[i].orcpt);
	}
	buf_append_str(&text, "rfc822;");
	while (text.len < ORCPT_MAX)
		buf_append_byte(&text, 'a');
	assert_true(orcpt_is_valid(buf_slice(&text)));
	buf_append_byte(&text, 'a');
	assert_false(orcpt_is_valid(buf_slice(&text)));
	assert_true(envid_is_valid(slice_first(buf_slice(&text), ENVID_MAX)));
	assert_false(envid_is_valid(slice_first(buf_slice(&text), ENVID_MAX + 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_notify),
		cmocka_unit_test(reads_words),
		cmocka_unit_test(checks_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
