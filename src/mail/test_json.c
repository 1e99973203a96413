/* SPDX-License-Identifier: Apache-2.0 */
/* JSON that any reader takes, whatever bytes the text has. */
#include "mail/json.h"
#include "support/test.h"

static void text_is_always_utf8(void **state)
{
	static const struct {
		struct slice text;
		const char *want;
	} rows[] = {
		{ SLICE_CONST(""), "{\"a\": \"\"}" },
		{ SLICE_CONST("x y"), "{\"a\": \"x y\"}" },
		{ SLICE_CONST("\"\\"), "{\"a\": \"\\\"\\\\\"}" },
		{ SLICE_CONST("\n\0\x1b\x7f"), "{\"a\": \"\\u000a\\u0000\\u001b\\u007f\"}" },
		{ SLICE_CONST("gr\xc3\xbc\xc3\x9f"), "{\"a\": \"gr\xc3\xbc\xc3\x9f\"}" },
		{ SLICE_CONST("\xe2\x82\xac\xf0\x9f\x93\xa8"), "{\"a\": \"\xe2\x82\xac\xf0\x9f\x93\xa8\"}" },
		{ SLICE_CONST("\xff"), "{\"a\": \"\\ufffd\"}" },
		{ SLICE_CONST("\xc3"), "{\"a\": \"\\ufffd\"}" },
		{ SLICE_CONST("\xc0\x80"), "{\"a\": \"\\ufffd\\ufffd\"}" },
		{ SLICE_CONST("\xe0\x80\x80"), "{\"a\": \"\\ufffd\\ufffd\\ufffd\"}" },
		{ SLICE_CONST("\xed\xa0\x80"), "{\"a\": \"\\ufffd\\ufffd\\ufffd\"}" },
		{ SLICE_CONST("\xf4\x90\x80\x80x"), "{\"a\": \"\\ufffd\\ufffd\\ufffd\\ufffdx\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000);
		struct json j = JSON_INIT(&out);
		json_put_object(&j, NULL);
		json_put_text(&j, "a", rows[i].text);
		json_put_object_end(&j);
		assert_string_equal(buf_cstr(&out), rows[i].want);
	}
}

static void members_have_commas_between_them(void **state)
{
	auto_buf struct buf out = BUF_INIT(1000);
	struct json j = JSON_INIT(&out);

	(void)state;
	json_put_object(&j, NULL);
	json_put_number(&j, "n", UINT64_MAX);
	json_put_array(&j, "list");
	json_put_object(&j, NULL);
	json_put_object_end(&j);
	json_put_object(&j, NULL);
	json_put_bool(&j, "yes", true);
	json_put_bool(&j, "no", false);
	json_put_object_end(&j);
	json_put_array_end(&j);
	json_put_array(&j, "empty");
	json_put_array_end(&j);
	json_put_object_end(&j);
	assert_string_equal(buf_cstr(&out),
		"{\"n\": 18446744073709551615, \"list\": [{}, {\"yes\": true, \"no\": false}], \"empty\": "
		"[]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_always_utf8),
		cmocka_unit_test(members_have_commas_between_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
