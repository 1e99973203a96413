/* SPDX-License-Identifier: Apache-2.0 */
/* test_address_list.c - address lists as people and programs write them; each row's result is one text:
 * addresses in <>, or the error's number, each with its offset and, in braces, the display name */
#include "support/test.h"
#include "mail/address.h"

static void describe(struct slice text, unsigned flags, struct buf *out)
{
	struct address_list list = ADDRESS_LIST_INIT(text, flags);
	struct address_item item;

	while (address_list_next(&list, &item)) {
		assert_true(item.offset <= text.len && item.text.at == text.at + item.offset);
		if (item.status != ADDRESS_OK) {
			buf_printf(out, "%d@%zu ", item.status, item.offset);
			continue;
		}
		if (item.name.len)
			buf_printf(out, "{%.*s}", SLICE_ARG(item.name));
		buf_printf(out, "<%.*s>%zu ", SLICE_ARG(item.text), item.offset);
	}
	assert_false(address_list_next(&list, &item));
}

static void reads_lists(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ " , ,\n ", "" },
		{ "a@b", "<a@b>0 " },
		{ "user", "<user>0 " },
		{ "a@b,c@d", "<a@b>0 <c@d>4 " },
		{ " a@b ,\n\tc@d , ", "<a@b>1 <c@d>8 " },
		{ "Joe User <joe@x>", "{Joe User}<joe@x>10 " },
		{ "\"User, Joe\" <joe@x>, b@c", "{\"User, Joe\"}<joe@x>13 <b@c>21 " },
		{ "joe@x (Joe, (the) User)", "<joe@x>0 " },
		{ "(a \\) comment) joe@x", "<joe@x>15 " },
		{ "<joe@x>", "<joe@x>1 " },
		{ "< joe@x >", "<joe@x>2 " },
		{ "<@a,@b:joe@x>", "<joe@x>7 " },
		{ "\"a b\"@c", "<\"a b\"@c>0 " },
		{ "\"a,b\"@c, d", "<\"a,b\"@c>0 <d>9 " },
		{ "a@[IPv6:::1], b@c", "<a@[IPv6:::1]>0 <b@c>14 " },
		{ "friends: a@b, Joe <c@d>;, e@f", "<a@b>9 {Joe}<c@d>19 <e@f>26 " },
		{ "undisclosed-recipients:;", "" },
		{ "a@b; c@d", "<a@b>0 <c@d>5 " },
		{ "J. \"X\" User <joe@x> (comment)", "{J. \"X\" User}<joe@x>13 " },
		{ "=?UTF-8?Q?J=C3=B6?= <joe@x>", "{=?UTF-8?Q?J=C3=B6?=}<joe@x>21 " },
		{ "J\xc3\xb6rg <joe@x>", "{J\xc3\xb6rg}<joe@x>7 " },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(1000);
		describe(slice_of(rows[i].in), ADDRESS_UNQUALIFIED, &got);
		assert_slice_equal(buf_slice(&got), slice_of(rows[i].want));
	}
}

static void reports_and_goes_on(void **state)
{
	static const struct {
		const char *in;
		enum address_status want;
		size_t offset;
	} rows[] = {
		{ "two words", ADDRESS_NO_COMMA, 0 },
		{ "a @ b", ADDRESS_NO_COMMA, 0 },
		{ "<a@b> c", ADDRESS_TRAILING, 0 },
		{ "<a@b> <c@d>", ADDRESS_TRAILING, 0 },
		{ "Joe <a@b", ADDRESS_NO_BRACKET, 0 },
		{ "Joe <>", ADDRESS_EMPTY, 0 },
		{ "Joe < >", ADDRESS_EMPTY, 0 },
		{ "a@b..c", ADDRESS_BAD_DOMAIN, 0 },
		{ "a@[b", ADDRESS_BAD_LITERAL, 0 },
		{ "<@a:b@c", ADDRESS_NO_BRACKET, 0 },
		{ "<@a b@c>", ADDRESS_BAD_ROUTE, 0 },
		{ "gr\xc3\xbc\xc3\x9f@b", ADDRESS_NOT_ASCII, 0 },
		{ "(open", ADDRESS_BAD_COMMENT, 0 },
		{ "\"open", ADDRESS_BAD_QUOTE, 0 },
		{ "a@b>", ADDRESS_BAD_DOMAIN, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf text = BUF_INIT(200), got = BUF_INIT(200), want = BUF_INIT(200);
		buf_printf(&text, "x@y, %s, good@z", rows[i].in);
		describe(buf_slice(&text), ADDRESS_UNQUALIFIED, &got);
		buf_printf(&want, "<x@y>0 %d@5 <good@z>%zu ", rows[i].want, text.len - 6);
		assert_slice_equal(buf_slice(&got), buf_slice(&want));
	}
}

static void obeys_flags(void **state)
{
	auto_buf struct buf got = BUF_INIT(200);

	(void)state;
	describe(SLICE("user, postmaster, \xc3\xbc@b"), ADDRESS_UTF8, &got);
	assert_slice_equal(buf_slice(&got), SLICE("8@0 <postmaster>6 <\xc3\xbc@b>18 "));
	static_assert(ADDRESS_NO_DOMAIN == 8, "the number above");
}

/* Many openers that never close must not cost the square of the length. */
static void stays_linear(void **state)
{
	static const char *const patterns[] = { "(,", "\\\",", "<,", "[,", "(((((", "\"\\\"," };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		auto_buf struct buf text = BUF_INIT(200000);
		struct address_item item;
		struct address_list list;
		size_t n = 0;
		while (text.len < 100000)
			buf_append_str(&text, patterns[i]);
		list = ADDRESS_LIST_INIT(buf_slice(&text), 0);
		while (address_list_next(&list, &item))
			n++;
		assert_true(n <= 100000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lists),
		cmocka_unit_test(reports_and_goes_on),
		cmocka_unit_test(obeys_flags),
		cmocka_unit_test(stays_linear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
