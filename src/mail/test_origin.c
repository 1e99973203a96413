/* SPDX-License-Identifier: Apache-2.0 */
/* test_origin.c - references to items are written and read back; anything else is none */
#include "mail/origin.h"
#include "support/test.h"

static void reads_what_it_writes(void **state)
{
	static const struct {
		const char *text;
		struct origin want;
	} rows[] = {
		{ "aliases:a:1:7", { .kind = ORIGIN_ALIAS, .name = SLICE("a"), .item = 1, .check = 7 } },
		{ "aliases:a:b:12:0", { .kind = ORIGIN_ALIAS, .name = SLICE("a:b"), .item = 12 } },
		{ "list:l:3:4294967295",
			{ .kind = ORIGIN_LIST, .name = SLICE("l"), .item = 3, .check = UINT32_MAX } },
		{ "forward:user1::9", { .kind = ORIGIN_FORWARD, .name = SLICE("user1"), .check = 9 } },
		{ "forward:user1:a:b:9",
			{ .kind = ORIGIN_FORWARD,
				.name = SLICE("user1"),
				.extension = SLICE("a:b"),
				.check = 9 } },
		{ "mailbox:user1", { .kind = ORIGIN_MAILBOX_COMMAND, .name = SLICE("user1") } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf made = BUF_INIT(1000);
		struct origin o;
		assert_true(origin_parse(slice_of(rows[i].text), &o));
		assert_int_equal(o.kind, rows[i].want.kind);
		assert_slice_equal(o.name, rows[i].want.name);
		assert_slice_equal(o.extension, rows[i].want.extension);
		assert_int_equal(o.item, rows[i].want.item);
		assert_int_equal(o.check, rows[i].want.check);
		origin_append(&o, &made);
		assert_slice_equal(buf_slice(&made), slice_of(rows[i].text));
	}
}

static void refuses_anything_else(void **state)
{
	static const char *const rows[] = { "", "aliases", "aliases:", "aliases:a", "aliases:a:1",
		"aliases:a:0:7", "aliases::1:7", "aliases:a:x:7", "aliases:a:1:", "aliases:a:1:4294967296",
		"aliases:a:-1:7", "aliases:a:99999999999999999999:7", "list:a:1", "forward:", "forward:u",
		"forward:u:9", "forward:::9", "forward:u:x:y", "mailbox:", "commands:a:1:7",
		"Aliases:a:1:7" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct origin o = { .item = 4711 };
		assert_false(origin_parse(slice_of(rows[i]), &o));
		assert_int_equal(o.item, 4711);
	}
}

static void knows_whose_it_is(void **state)
{
	(void)state;
	assert_slice_equal(origin_user(SLICE("forward:user1::9")), SLICE("user1"));
	assert_slice_equal(origin_user(SLICE("mailbox:user1")), SLICE("user1"));
	assert_slice_equal(origin_user(SLICE("aliases:user1:1:9")), SLICE(""));
	assert_slice_equal(origin_user(SLICE("nonsense")), SLICE(""));
}

static void items_of_a_user_are_one_group(void **state)
{
	(void)state;
	assert_slice_equal(origin_group(SLICE("forward:user1::9")), SLICE("forward:user1"));
	assert_slice_equal(origin_group(SLICE("forward:user1:a:b:7")), SLICE("forward:user1"));
	assert_slice_equal(origin_group(SLICE("mailbox:user1")), SLICE("mailbox:user1"));
	assert_slice_equal(origin_group(SLICE("aliases:user1:1:9")), SLICE("aliases:user1:1:9"));
	assert_slice_equal(origin_group(SLICE("list:user1:1:9")), SLICE("list:user1:1:9"));
	assert_slice_equal(origin_group(SLICE("nonsense")), SLICE("nonsense"));
}

static void a_changed_item_is_another(void **state)
{
	const struct rhs_item a = { .kind = RHS_COMMAND, .text = SLICE("/bin/a") },
			      b = { .kind = RHS_FILE, .text = SLICE("/bin/a") },
			      c = { .kind = RHS_COMMAND, .text = SLICE("/bin/b") };

	(void)state;
	assert_int_not_equal(origin_check(&a), origin_check(&b));
	assert_int_not_equal(origin_check(&a), origin_check(&c));
	assert_int_equal(origin_check(&a), origin_check(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_writes),
		cmocka_unit_test(refuses_anything_else),
		cmocka_unit_test(knows_whose_it_is),
		cmocka_unit_test(items_of_a_user_are_one_group),
		cmocka_unit_test(a_changed_item_is_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
