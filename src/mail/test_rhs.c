/* SPDX-License-Identifier: Apache-2.0 */
/* test_rhs.c - right-hand sides; each row's result is one text, an item as "Kind(text)", an error as
 * "!error@offset" */
#include "support/test.h"
#include "mail/rhs.h"

static const char *const kinds[] = {
	[RHS_ADDRESS] = "A",
	[RHS_USER] = "U",
	[RHS_FILE] = "F",
	[RHS_DIRECTORY] = "D",
	[RHS_COMMAND] = "C",
	[RHS_INCLUDE] = "I",
	[RHS_FAIL] = "X",
	[RHS_DEFER] = "T",
	[RHS_BLACKHOLE] = "B",
};

static void describe(struct slice text, unsigned flags, struct buf *out)
{
	struct rhs r;
	struct rhs_item item;

	rhs_init(&r, text, flags);
	while (rhs_next(&r, &item)) {
		if (item.kind == RHS_ERROR)
			buf_printf(out, "!%d@%zu ", item.error, item.offset);
		else if (item.kind == RHS_FAIL || item.kind == RHS_DEFER)
			buf_printf(out, "%s%d(%.*s) ", kinds[item.kind], item.code, SLICE_ARG(item.text));
		else
			buf_printf(out, "%s(%.*s) ", kinds[item.kind], SLICE_ARG(item.text));
	}
	rhs_deinit(&r);
}

static void reads_items(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ " , ,\n", "" },
		{ "root", "A(root) " },
		{ "\troot, user@b.test ,", "A(root) A(user@b.test) " },
		{ "\"Display, Name\" <a@b>, c", "A(a@b) A(c) " },
		{ "Joe User <joe>", "A(joe) " },
		{ "a (a, comment), <b@c>", "A(a) A(b@c) " },
		{ "\"user\"", "A(user) " },
		{ "\"a b\"@c", "A(\"a b\"@c) " },
		{ "gr\xc3\xbc\xc3\x9f@b", "A(gr\xc3\xbc\xc3\x9f@b) " },
		{ "\\user1, user2", "U(user1) A(user2) " },
		{ "\"\\user1\", \"\\\\user2\"", "U(user1) U(user2) " },
		{ "/var/mail/x", "F(/var/mail/x) " },
		{ "/home/x/Maildir/", "D(/home/x/Maildir/) " },
		{ "\"/a, b\"", "F(/a, b) " },
		{ "/dev/null", "B(/dev/null) " },
		{ "|/bin/cat -n, b", "C(/bin/cat -n) A(b) " },
		{ "\"|cat > \\\"/tmp/a b\\\", # x\", b", "C(cat > \"/tmp/a b\", # x) A(b) " },
		{ "|\"/usr/bin/vacation a, b\"", "C(/usr/bin/vacation a, b) " },
		{ "\"| IFS=' ' && exec /usr/bin/procmail || exit 75\"",
			"C(IFS=' ' && exec /usr/bin/procmail || exit 75) " },
		{ "| cmd \"a, b\" c", "C(cmd \"a, b\" c) " },
		{ "|cmd (a, b", "C(cmd (a) A(b) " },
		{ "|cmd a\\, b", "C(cmd a\\, b) " },
		{ "|cut -d'\t'", "C(cut -d'\t') " },
		{ "\"|one \\\\n two\"", "C(one \\n two) " },
		{ "\"|one\n  two\"", "C(one   two) " },
		{ "|one\r\n two", "C(one  two) " },
		{ ":include:/etc/list", "I(/etc/list) " },
		{ ":Include: /etc/list , b", "I(/etc/list) A(b) " },
		{ "\":include:/etc/a b\"", "I(/etc/a b) " },
		{ ":include:\"/etc/a, b\"", "I(/etc/a, b) " },
		{ ":fail: no such user, sorry", "X550(no such user, sorry) " },
		{ "a, :fail:", "A(a) X550() " },
		{ "\":fail: gone, away\", b", "X550(gone, away) A(b) " },
		{ ":defer: later", "T451(later) " },
		{ ":blackhole: and, text", "B() " },
		{ "error:550 gone", "X550(gone) " },
		{ "error:421 later, please", "T421(later, please) " },
		{ "a#b", "A(a#b) " },
		{ "undisclosed:;", "!1@0 " },
		{ ":unknown: a, b", "!9@0 " },
		{ "a, :UNKNOWN:", "A(a) !9@3 " },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(1000);
		describe(slice_of(rows[i].in), 0, &got);
		assert_slice_equal(buf_slice(&got), slice_of(rows[i].want));
	}
}

static void reports_bad_items(void **state)
{
	static const struct {
		struct slice in;
		enum rhs_error want;
	} rows[] = {
		{ { "two words", 9 }, RHS_BAD_ADDRESS },
		{ { "a@b..c", 6 }, RHS_BAD_ADDRESS },
		{ { "<>", 2 }, RHS_BAD_ADDRESS },
		{ { "\"\"", 2 }, RHS_BAD_ADDRESS },
		{ { "<a", 2 }, RHS_BAD_ADDRESS },
		{ { "(comment)", 9 }, RHS_BAD_ADDRESS },
		{ { "(open", 5 }, RHS_BAD_ADDRESS },
		{ { "root ###", 8 }, RHS_BAD_ADDRESS },
		{ { "\\", 1 }, RHS_BAD_USER },
		{ { "\\user@b", 7 }, RHS_BAD_USER },
		{ { "\\a b", 4 }, RHS_BAD_USER },
		{ { "|", 1 }, RHS_EMPTY_COMMAND },
		{ { "\"| \"", 4 }, RHS_EMPTY_COMMAND },
		{ { "|\"\"", 3 }, RHS_EMPTY_COMMAND },
		{ { ":include:", 9 }, RHS_BAD_PATH },
		{ { ":include:list", 13 }, RHS_BAD_PATH },
		{ { ":include:/dir/", 14 }, RHS_BAD_PATH },
		{ { ":include:/", 10 }, RHS_BAD_PATH },
		{ { ":nonsense:", 10 }, RHS_UNKNOWN_SPECIAL },
		{ { ":faill: x", 9 }, RHS_UNKNOWN_SPECIAL },
		{ { "\"error:250 x\"", 13 }, RHS_BAD_CODE },
		{ { "\"error:5500\"", 12 }, RHS_BAD_CODE },
		{ { "\"error:\"", 8 }, RHS_BAD_CODE },
		{ { "a\x01", 2 }, RHS_CONTROL },
		{ { "|a\0b", 4 }, RHS_CONTROL },
		{ { "/a\x1b", 3 }, RHS_CONTROL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf text = BUF_INIT(200), got = BUF_INIT(200), want = BUF_INIT(200);
		buf_append_str(&text, "x, ");
		buf_append(&text, rows[i].in);
		buf_append_str(&text, ", good");
		describe(buf_slice(&text), 0, &got);
		buf_printf(&want, "A(x) !%d@3 A(good) ", rows[i].want);
		assert_slice_equal(buf_slice(&got), buf_slice(&want));
		assert_true(strlen(rhs_error_text(rows[i].want)) > 5);
	}
}

static void goes_on_behind_open_quotes(void **state)
{
	auto_buf struct buf got = BUF_INIT(200);

	(void)state;
	describe(SLICE("a, \"|open, b, /c"), 0, &got);
	assert_slice_equal(buf_slice(&got), SLICE("A(a) !2@3 A(b) F(/c) "));
	static_assert(RHS_OPEN_QUOTE == 2, "the number above");
}

static void reads_hash_comments(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "# all of it", "" },
		{ "user1 # one\nuser2,# two\n#three\nuser4", "A(user1) A(user2) A(user4) " },
		{ "a#b, c", "A(a#b) A(c) " },
		{ "|cmd # not a comment, b", "C(cmd # not a comment) A(b) " },
		{ "\"|cmd # x\" # comment", "C(cmd # x) " },
		{ "/file # comment", "F(/file) " },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(1000);
		describe(slice_of(rows[i].in), RHS_HASH_COMMENTS, &got);
		assert_slice_equal(buf_slice(&got), slice_of(rows[i].want));
	}
}

static void counts_lines(void **state)
{
	struct rhs r;
	struct rhs_item item;
	size_t lines[] = { 7, 8, 10 };

	(void)state;
	rhs_init(&r, SLICE("a,\n b,\n\n\tc"), 0);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		assert_true(rhs_next(&r, &item));
		assert_int_equal(rhs_line(&r, item.offset, 7), lines[i]);
	}
	rhs_deinit(&r);
}

static void splits_addresses(void **state)
{
	struct rhs r;
	struct rhs_item item;

	(void)state;
	rhs_init(&r, SLICE("Joe <joe@b.test>"), 0);
	assert_true(rhs_next(&r, &item));
	assert_slice_equal(item.address.local, SLICE("joe"));
	assert_slice_equal(item.address.domain, SLICE("b.test"));
	assert_false(rhs_next(&r, &item));
	rhs_deinit(&r);
}

/* Openers that never close must not cost the square of the length. */
static void stays_linear(void **state)
{
	static const char *const patterns[] = { "(,", "\\\",", "<,", "\"\\\",", "|\"\\\",", "(<" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		auto_buf struct buf text = BUF_INIT(300000);
		struct rhs_item item;
		struct rhs r;
		while (text.len < 200000)
			buf_append_str(&text, patterns[i]);
		rhs_init(&r, buf_slice(&text), 0);
		while (rhs_next(&r, &item))
			assert_true(item.offset < text.len);
		rhs_deinit(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_items),
		cmocka_unit_test(reports_bad_items),
		cmocka_unit_test(goes_on_behind_open_quotes),
		cmocka_unit_test(reads_hash_comments),
		cmocka_unit_test(counts_lines),
		cmocka_unit_test(splits_addresses),
		cmocka_unit_test(stays_linear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
