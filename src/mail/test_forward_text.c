/* SPDX-License-Identifier: Apache-2.0 */
/* test_forward_text.c - ~/.forward files; an item as "line:kind(text)", an error as "line:!error" */
#include "support/test.h"
#include "mail/forward_text.h"

static void describe(struct slice text, struct buf *out)
{
	struct forward_text f;
	struct rhs_item item;
	size_t line;

	forward_text_init(&f, text);
	while (forward_text_next(&f, &item, &line)) {
		if (item.kind == RHS_ERROR)
			buf_printf(out, "%zu:!%d ", line, item.error);
		else
			buf_printf(out, "%zu:%d(%.*s) ", line, item.kind, SLICE_ARG(item.text));
	}
	forward_text_deinit(&f);
}

static void reads_files(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ "# nothing\n\n   \n", "" },
		{ "user2\n", "1:1(user2) " },
		{ "user2", "1:1(user2) " },
		{ "user2\r\n\\user1\r\n", "1:1(user2) 2:2(user1) " },
		{ "\\user1, user2\n", "1:2(user1) 1:1(user2) " },
		{ "user1,\n user2\n user3\n", "1:1(user1) 2:1(user2) 3:1(user3) " },
		{ "user1 # keep, this\nuser2\n", "1:1(user1) 2:1(user2) " },
		{ "\"|exec a,\n   b\", c\nd\n", "1:5(exec a,    b) 2:1(c) 3:1(d) " },
		{ "\"|never closed\nuser2\n", "1:!2 2:1(user2) " },
		{ "\"|never closed\n still open\nuser2\n", "1:!2 2:!1 3:1(user2) " },
		{ "|cmd \"x\nuser2\n", "1:!2 2:1(user2) " },
		{ "# it's \"quoted\nuser2\n", "2:1(user2) " },
		{ "two words\n/file\n/dir/\n", "1:!1 2:3(/file) 3:4(/dir/) " },
		{ ":fail: no, thanks\nuser2\n", "1:7(no, thanks) 2:1(user2) " },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(1000);
		describe(slice_of(rows[i].in), &got);
		assert_slice_equal(buf_slice(&got), slice_of(rows[i].want));
	}
}

static void knows_filters(void **state)
{
	static const struct {
		const char *in;
		bool want;
	} rows[] = {
		{ "# Exim filter\nif true then\n", true },
		{ "#   exim   FILTER <<== do not edit", true },
		{ "#Exim filter\n", true },
		{ "# Sieve filter\n", true },
		{ "# Exim\n", false },
		{ "# Eximfilter\n", false },
		{ "\n# Exim filter\n", false },
		{ "user # Exim filter\n", false },
		{ "#\n", false },
		{ "", false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(forward_text_is_filter(slice_of(rows[i].in)), rows[i].want);
}

static void stays_linear(void **state)
{
	auto_buf struct buf text = BUF_INIT(100000);
	struct forward_text f;
	struct rhs_item item;
	size_t line, n = 0;

	(void)state;
	while (text.len < 65000)
		buf_append_str(&text, " \"\\\"\n");
	forward_text_init(&f, buf_slice(&text));
	while (forward_text_next(&f, &item, &line))
		n++;
	assert_true(n > 0 && n <= 65000 / 5 + 1);
	forward_text_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_files),
		cmocka_unit_test(knows_filters),
		cmocka_unit_test(stays_linear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
