/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue_id.c - 15 digits, node first */
#include "support/test.h"
#include "mail/queue_id.h"

static void formats_and_parses(void **state)
{
	static const struct {
		uint8_t node;
		uint64_t number;
		const char *text;
	} rows[] = {
		{ 0, 1, "000000000000001" },
		{ 0x1a, 0xabcdef, "1A0000000ABCDEF" },
		{ 0xff, QUEUE_ID_NUMBER_MAX, "FFFFFFFFFFFFFFF" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t id = queue_id_make(rows[i].node, rows[i].number), back = 0;
		auto_buf struct buf out = BUF_INIT(100);
		assert_string_equal(queue_id_format(id).at, rows[i].text);
		queue_id_append(&out, id);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].text));
		assert_true(queue_id_parse(slice_of(rows[i].text), &back));
		assert_true(back == id);
		assert_int_equal(queue_id_node(back), rows[i].node);
		assert_true(queue_id_number(back) == rows[i].number);
	}
}

static void refuses(void **state)
{
	static const char *const rows[] = { "", "00000000000001", "0000000000000001", "00000000000000G",
		"0x0000000000001", " 00000000000001", "-00000000000001" };
	uint64_t id = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_false(queue_id_parse(slice_of(rows[i]), &id));
	assert_true(id == 7);
	assert_true(queue_id_parse(SLICE("00000000000abcD"), &id));
	assert_true(id == 0xabcd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(formats_and_parses), cmocka_unit_test(refuses) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
