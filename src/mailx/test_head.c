/* SPDX-License-Identifier: Apache-2.0 */
/* test_head.c - authors, addresses and texts of headers; which addresses are one's own */
#include "mailx/head.h"
#include "mailx/identity.h"
#include "mailx/test_fixture.h"

static void finds_the_author(void **state)
{
	static const struct {
		const char *header, *address, *name;
	} rows[] = {
		{ "From: a@b\n", "a@b", "" },
		{ "From: A B <a@b>\n", "a@b", "A B" },
		{ "From: \"B, \\\"A\\\"\" <a@b>, c@d\n", "a@b", "B, \"A\"" },
		{ "From: =?utf-8?Q?Gr=C3=BCn?= <a@b>\n", "a@b", "Gr\xc3\xbcn" },
		{ "From: a@b (comment)\n", "a@b", "" },
		{ "Subject: x\n", "sender@example.org", "" },
		{ "From: <>\n", "sender@example.org", "" },
		{ "From:\n", "sender@example.org", "" },
		{ "", "sender@example.org", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf address = BUF_INIT(1000), name = BUF_INIT(1000);
		head_author(SLICE("From sender@example.org  Wed Feb 19 05:10:35 2020"),
			slice_of(rows[i].header), &address, &name);
		assert_slice_equal(buf_slice(&address), slice_of(rows[i].address));
		assert_slice_equal(buf_slice(&name), slice_of(rows[i].name));
	}
}

static void reads_texts(void **state)
{
	static const struct {
		const char *header, *text; /* NULL: no such field */
	} rows[] = {
		{ "Subject: plain\n", "plain" },
		{ "SUBJECT:plain\n", "plain" },
		{ "Subject: fol\n ded\n", "fol ded" },
		{ "Subject: =?iso-8859-1?Q?gr=FCn?= =?utf-8?B?w7w=?= x\n", "gr\xc3\xbcn\xc3\xbc x" },
		{ "Subject: gr\xfcn\n", "gr\xc3\xbcn" },
		{ "Subject: =?x?y?z\n", "=?x?y?z" },
		{ "Subject:\n", "" },
		{ "X: y\n", NULL },
		{ "Subjects: y\n", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf text = BUF_INIT(1000);
		assert_int_equal(head_text(slice_of(rows[i].header), "Subject", &text), rows[i].text != NULL);
		assert_slice_equal(buf_slice(&text), slice_of(rows[i].text ? rows[i].text : ""));
	}
}

static void lists_addresses(void **state)
{
	static const char header[] =
		"To: A <a@b>, c@d,\n e@f\nCc: x@y\nTo: group: g@h;, not an address, i@j\n";
	static const char *const bare[] = { "a@b", "c@d", "e@f", "g@h", "i@j" };
	auto_strlist struct strlist found = STRLIST_INIT, named = STRLIST_INIT;

	head_addresses(SLICE(header), "To", false, &found);
	assert_int_equal(found.n, ARRAY_LEN(bare));
	for (size_t i = 0; i < found.n; i++)
		assert_string_equal(found.at[i], bare[i]);
	head_addresses(SLICE(header), "To", true, &named);
	assert_string_equal(named.at[0], "A <a@b>");
}

static void knows_oneself(void **state)
{
	static const struct {
		const char *address;
		bool is_own;
	} rows[] = {
		{ "me", true },
		{ "me@host.example.net", true },
		{ "me@HOST.example.net", true },
		{ "me@localhost", true },
		{ "me@localhost.localdomain", true },
		{ "other", false },
		{ "me@example.org", false },
		{ "from@example.org", true },
		{ "alt@example.org", true },
		{ "any@example.com", false },
		{ "nick@anywhere.example", true },
		{ "", false },
	};
	struct fixture f;

	fixture_init(&f, NULL);
	vars_set(&f.mx.vars, "from", "My Name <from@example.org>");
	strlist_add(&f.mx.alternates, "alt@example.org");
	strlist_add(&f.mx.alternates, "nick");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(identity_is_own(&f.mx, slice_of(rows[i].address)), rows[i].is_own);
	fixture_deinit(&f);
}

static void qualifies(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "root", "root@host.example.net" },
		{ "lpic1@localhost", "lpic1@localhost.localdomain" },
		{ "A@Example.ORG", "A@example.org" },
		{ "what is this", "what is this" },
	};
	auto_buf struct buf author = BUF_INIT(1000);
	struct fixture f;

	fixture_init(&f, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000);
		identity_qualify(&f.mx, slice_of(rows[i].in), &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].out));
	}
	identity_author(&f.mx, &author);
	assert_slice_equal(buf_slice(&author), SLICE("me@host.example.net"));
	buf_clear(&author);
	vars_set(&f.mx.vars, "hostname", "other.example");
	identity_author(&f.mx, &author);
	assert_slice_equal(buf_slice(&author), SLICE("me@other.example"));
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_author),
		cmocka_unit_test(reads_texts),
		cmocka_unit_test(lists_addresses),
		cmocka_unit_test(knows_oneself),
		cmocka_unit_test(qualifies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
