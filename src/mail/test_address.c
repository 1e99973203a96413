/* SPDX-License-Identifier: Apache-2.0 */
/* test_address.c - paths, bare addresses, canonical form, quoting, extensions */
#include "support/test.h"
#include "base/limits.h"
#include "mail/address.h"

#define ROW(literal)                                                                                         \
	{                                                                                                    \
		(literal), sizeof(literal) - 1                                                               \
	}
#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LABEL63 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void accepts_paths(void **state)
{
	static const struct {
		const char *in;
		unsigned flags;
		const char *local, *domain, *rest;
	} rows[] = {
		{ "<a@b.test>", 0, "a", "b.test", "" },
		{ "<a@b.test> SIZE=1", 0, "a", "b.test", " SIZE=1" },
		{ "<a@b.test>>", 0, "a", "b.test", ">" },
		{ "<>", ADDRESS_NULL, "", "", "" },
		{ "<> BODY=7BIT", ADDRESS_NULL, "", "", " BODY=7BIT" },
		{ "<postmaster>", 0, "postmaster", "", "" },
		{ "<PostMaster>", 0, "PostMaster", "", "" },
		{ "<user>", ADDRESS_UNQUALIFIED, "user", "", "" },
		{ "<\"a b>@\\\"c\"@b.test>", 0, "\"a b>@\\\"c\"", "b.test", "" },
		{ "<@x.test,@y.test:a@b.test>", 0, "a", "b.test", "" },
		{ "<@[IPv6:::1]:a@b.test>", 0, "a", "b.test", "" },
		{ "<a@[127.0.0.1]>", 0, "a", "[127.0.0.1]", "" },
		{ "<a@[IPv6:fe80::1]>", 0, "a", "[IPv6:fe80::1]", "" },
		{ "<a@[ipv6:::ffff:1.2.3.4]>", 0, "a", "[ipv6:::ffff:1.2.3.4]", "" },
		{ "<a+b=c_d!e%f&g'h*i/j?k^l`m{n|o}p~q#r$s-t@b>", 0, "a+b=c_d!e%f&g'h*i/j?k^l`m{n|o}p~q#r$s-t",
			"b", "" },
		{ "<a..b.@docomo.test>", 0, "a..b.", "docomo.test", "" }, /* in use, though not in the RFC */
		{ "<a@x_y.test>", 0, "a", "x_y.test", "" },
		{ "<a@b-c.1>", 0, "a", "b-c.1", "" },
		{ "<gr\xc3\xbc\xc3\x9f@b\xc3\xbc.test>", ADDRESS_UTF8, "gr\xc3\xbc\xc3\x9f", "b\xc3\xbc.test",
			"" },
		{ "<" A64 A64 A64 A64 "@" LABEL63 "." LABEL63 "." LABEL63 "." LABEL63 ">", 0, A64 A64 A64 A64,
			LABEL63 "." LABEL63 "." LABEL63 "." LABEL63, "" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice in = slice_of(rows[i].in);
		struct address out = { SLICE_EMPTY, SLICE_EMPTY };
		assert_string_equal(address_status_text(path_parse(&in, rows[i].flags, &out)), "valid");
		assert_slice_equal(out.local, slice_of(rows[i].local));
		assert_slice_equal(out.domain, slice_of(rows[i].domain));
		assert_slice_equal(in, slice_of(rows[i].rest));
		assert_int_equal(address_is_null(&out), rows[i].local[0] == '\0');
	}
}

static void refuses_paths(void **state)
{
	static const struct {
		struct slice in;
		enum address_status want;
		unsigned flags;
	} rows[] = {
		{ ROW(""), ADDRESS_NO_BRACKET },
		{ ROW("a@b.test"), ADDRESS_NO_BRACKET },
		{ ROW(" <a@b.test>"), ADDRESS_NO_BRACKET },
		{ ROW("<a@b.test"), ADDRESS_NO_BRACKET },
		{ ROW("<a"), ADDRESS_NO_BRACKET, ADDRESS_UNQUALIFIED },
		{ ROW("<>"), ADDRESS_EMPTY },
		{ ROW("<"), ADDRESS_BAD_LOCAL },
		{ ROW("<nobody>"), ADDRESS_NO_DOMAIN },
		{ ROW("<@b.test>"), ADDRESS_BAD_ROUTE },
		{ ROW("<a@>"), ADDRESS_BAD_DOMAIN },
		{ ROW("<a@b..c>"), ADDRESS_BAD_DOMAIN },
		{ ROW("<a@.b>"), ADDRESS_BAD_DOMAIN },
		{ ROW("<a@b.>"), ADDRESS_BAD_DOMAIN },
		{ ROW("<a@-b>"), ADDRESS_BAD_DOMAIN },
		{ ROW("<a@b-.c>"), ADDRESS_BAD_DOMAIN },
		{ ROW("<a@b c>"), ADDRESS_BAD_DOMAIN },
		{ ROW("<a@b@c>"), ADDRESS_BAD_DOMAIN },
		{ ROW("<a@b\0>"), ADDRESS_BAD_DOMAIN },
		{ ROW("<a@" LABEL63 "b>"), ADDRESS_BAD_DOMAIN },
		{ ROW("<a@[1.2.3]>"), ADDRESS_BAD_LITERAL },
		{ ROW("<a@[1.2.3.4>"), ADDRESS_BAD_LITERAL },
		{ ROW("<a@[]>"), ADDRESS_BAD_LITERAL },
		{ ROW("<a@[::1]>"), ADDRESS_BAD_LITERAL },
		{ ROW("<a@[IPv6:1.2.3.4]>"), ADDRESS_BAD_LITERAL },
		{ ROW("<.a@b>"), ADDRESS_BAD_LOCAL },
		{ ROW("<a b@c>"), ADDRESS_BAD_LOCAL, ADDRESS_UNQUALIFIED },
		{ ROW("<a\0@c>"), ADDRESS_BAD_LOCAL },
		{ ROW("<a\r@c>"), ADDRESS_BAD_LOCAL },
		{ ROW("<a,b@c>"), ADDRESS_BAD_LOCAL },
		{ ROW("<\"a@c>"), ADDRESS_BAD_QUOTE },
		{ ROW("<\"a\nb\"@c>"), ADDRESS_BAD_QUOTE },
		{ ROW("<\"a\\\nb\"@c>"), ADDRESS_BAD_QUOTE },
		{ ROW("<\"\"@c>"), ADDRESS_BAD_LOCAL },
		{ ROW("<\"a\"b@c>"), ADDRESS_BAD_LOCAL },
		{ ROW("<@x.test:>"), ADDRESS_BAD_LOCAL },
		{ ROW("<@x.test a@b>"), ADDRESS_BAD_ROUTE },
		{ ROW("<@x.test,y.test:a@b>"), ADDRESS_BAD_ROUTE },
		{ ROW("<@:a@b>"), ADDRESS_BAD_ROUTE },
		{ ROW("<gr\xc3\xbc@b>"), ADDRESS_NOT_ASCII },
		{ ROW("<a@b\xc3\xbc>"), ADDRESS_NOT_ASCII },
		{ ROW("<\"\xc3\xbc\"@b>"), ADDRESS_NOT_ASCII },
		{ ROW("<gr\xc3@b>"), ADDRESS_BAD_UTF8, ADDRESS_UTF8 },
		{ ROW("<a\xc0\x80@b>"), ADDRESS_BAD_UTF8, ADDRESS_UTF8 },
		{ ROW("<a\xc2\x9b@b>"), ADDRESS_BAD_UTF8, ADDRESS_UTF8 }, /* a control that terminals obey */
		{ ROW("<a\xed\xa0\x80@b>"), ADDRESS_BAD_UTF8, ADDRESS_UTF8 },
		{ ROW("<a\xf4\x90\x80\x80@b>"), ADDRESS_BAD_UTF8, ADDRESS_UTF8 },
		{ ROW("<a" A64 A64 A64 A64 "@b>"), ADDRESS_LOCAL_TOO_LONG },
		{ ROW("<a@" LABEL63 "." LABEL63 "." LABEL63 "." LABEL63 ".b>"), ADDRESS_DOMAIN_TOO_LONG },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice in = rows[i].in;
		struct address out = { .local = SLICE("untouched") };
		assert_string_equal(address_status_text(path_parse(&in, rows[i].flags, &out)),
			address_status_text(rows[i].want));
		assert_slice_equal(in, rows[i].in); /* input not consumed */
		assert_slice_equal(out.local, SLICE("untouched"));
	}
}

static void parses_bare_addresses(void **state)
{
	static const struct {
		struct slice in;
		unsigned flags;
		enum address_status want;
	} rows[] = {
		{ ROW("a@b.test"), 0, ADDRESS_OK },
		{ ROW("a"), ADDRESS_UNQUALIFIED, ADDRESS_OK },
		{ ROW("postmaster"), 0, ADDRESS_OK },
		{ ROW("\"a b\"@c"), 0, ADDRESS_OK },
		{ ROW("a>b@c"), 0, ADDRESS_BAD_LOCAL },
		{ ROW("a"), 0, ADDRESS_NO_DOMAIN },
		{ ROW(""), 0, ADDRESS_EMPTY },
		{ ROW(""), ADDRESS_NULL, ADDRESS_OK },
		{ ROW("<a@b>"), 0, ADDRESS_BAD_LOCAL },
		{ ROW("a@b "), 0, ADDRESS_BAD_DOMAIN },
		{ ROW("a "), ADDRESS_UNQUALIFIED, ADDRESS_BAD_LOCAL },
		{ ROW("a\0"), ADDRESS_UNQUALIFIED, ADDRESS_BAD_LOCAL },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf text = BUF_INIT(LIMIT_ADDRESS);
		struct address out;
		assert_int_equal(address_parse(rows[i].in, rows[i].flags, &out), rows[i].want);
		if (rows[i].want == ADDRESS_OK) {
			address_append(&out, &text);
			assert_slice_equal(buf_slice(&text), rows[i].in);
		}
	}
}

static void makes_canonical_forms(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "User@EXAMPLE.Test", "User@example.test" },
		{ "user", "user@origin.test" },
		{ "user@localhost", "user@localhost.localdomain" },
		{ "user@LocalHost", "user@localhost.localdomain" },
		{ "user@localhost.localdomain", "user@localhost.localdomain" },
		{ "\"user\"@b", "user@b" },
		{ "\"us\\er\"@b", "user@b" },
		{ "\"a b\"@b", "\"a b\"@b" },
		{ "\"a\\\"b\\\\\"@b", "\"a\\\"b\\\\\"@b" },
		{ "\".a\"@b", "\".a\"@b" },
		{ "\"a..b\"@b", "\"a..b\"@b" },
		{ "", "" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(LIMIT_ADDRESS);
		struct address a;
		assert_int_equal(address_parse(slice_of(rows[i].in), ADDRESS_UNQUALIFIED | ADDRESS_NULL, &a),
			ADDRESS_OK);
		address_canonical(&a, SLICE("Origin.test"), &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
}

static void unquotes_and_quotes(void **state)
{
	static const struct {
		const char *quoted, *plain;
	} rows[] = {
		{ "user", "user" },
		{ "\"a b\"", "a b" },
		{ "\"a\\\"b\\\\c\"", "a\"b\\c" },
		{ "\"a@b\"", "a@b" },
		{ "\"..\"", ".." },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf plain = BUF_INIT(100), quoted = BUF_INIT(100);
		address_unquote_local(slice_of(rows[i].quoted), &plain);
		assert_slice_equal(buf_slice(&plain), slice_of(rows[i].plain));
		address_quote_local(buf_slice(&plain), &quoted);
		assert_slice_equal(buf_slice(&quoted), slice_of(rows[i].quoted));
	}
}

static void splits_extensions(void **state)
{
	static const struct {
		const char *local, *delimiters, *user, *extension; /* user NULL: not split */
	} rows[] = {
		{ "user+ext", "+", "user", "ext" },
		{ "user+a+b", "+", "user", "a+b" },
		{ "user-a+b", "+-", "user", "a+b" },
		{ "user+", "+", "user", "" },
		{ "user", "+", NULL, NULL },
		{ "+user", "+", NULL, NULL },
		{ "user+ext", "", NULL, NULL },
		{ "Postmaster", "t", NULL, NULL },
		{ "MAILER-DAEMON", "-", NULL, NULL },
		{ "double-bounce", "-", NULL, NULL },
		{ "owner-list", "-", NULL, NULL },
		{ "list-request", "-", NULL, NULL },
		{ "OWNER-list-x", "-+", NULL, NULL },
		{ "list-request+x", "+", "list-request", "x" },
		{ "owner-list+x", "+", "owner-list", "x" },
		{ "user-ext", "-", "user", "ext" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice user = SLICE("untouched"), extension = SLICE("untouched");
		bool is_split = address_split_extension(
			slice_of(rows[i].local), slice_of(rows[i].delimiters), &user, &extension);
		assert_int_equal(is_split, rows[i].user != NULL);
		assert_slice_equal(user, slice_of(is_split ? rows[i].user : "untouched"));
		assert_slice_equal(extension, slice_of(is_split ? rows[i].extension : "untouched"));
	}
}

static void knows_reverse_paths(void **state)
{
	static const struct {
		const char *text;
		bool is_one;
	} rows[] = {
		{ "", true },
		{ "user", true },
		{ "user@example.org", true },
		{ "us\xc3\xa9r@example.org", true },
		{ "<user@example.org>", false },
		{ "two words", false },
		{ "a@b@c", false },
		{ "line\n@example.org", false },
	};
	static char long_one[LIMIT_FRAME];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(address_is_reverse_path(slice_of(rows[i].text)), rows[i].is_one);
	memset(long_one, 'a', sizeof(long_one));
	assert_false(address_is_reverse_path((struct slice){ long_one, sizeof(long_one) }));
}

static void names_every_status(void **state)
{
	(void)state;
	for (int s = 0; s < ADDRESS_STATUS_COUNT; s++)
		assert_true(strlen(address_status_text((enum address_status)s)) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_paths),
		cmocka_unit_test(refuses_paths),
		cmocka_unit_test(parses_bare_addresses),
		cmocka_unit_test(makes_canonical_forms),
		cmocka_unit_test(unquotes_and_quotes),
		cmocka_unit_test(splits_extensions),
		cmocka_unit_test(knows_reverse_paths),
		cmocka_unit_test(names_every_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
