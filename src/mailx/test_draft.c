/* SPDX-License-Identifier: Apache-2.0 */
/* test_draft.c - addressees, fields and templates of messages that are being written */
#include "mailx/draft.h"
#include "mailx/test_fixture.h"

static void collects_addressees(void **state)
{
	static const struct {
		const char *text, *want; /* joined by |; NULL: refused */
	} rows[] = {
		{ "", "" },
		{ "a", "a" },
		{ "a b,c\td", "a|b|c|d" },
		{ "a@b, A@B", "a@b" },
		{ "A B <a@b>, c", "A B <a@b>|c" },
		{ "\"B, A\" <a@b>", "\"B, A\" <a@b>" },
		{ "a@b (comment)", "a@b" },
		{ "team", "x@example.org|Y <y@example.org>" },
		{ "<team>", "x@example.org|Y <y@example.org>" },
		{ "a\nBcc: b", NULL },
		{ "a\rb", "a|b" },
		{ "a@b@c", NULL },
		{ "|cmd", NULL },
		{ "/file", NULL },
		{ "+folder", NULL },
		{ "/with@domain", "/with@domain" },
		{ "A <a@b", NULL },
		{ "good bad@", NULL },
		{ "-x", "-x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_draft struct draft d = DRAFT_INIT;
		auto_buf struct buf joined = BUF_INIT(1000);
		struct fixture f;
		fixture_init(&f, NULL);
		aliases_add(&f.mx.aliases, "team", "x@example.org");
		aliases_add(&f.mx.aliases, "team", "Y <y@example.org>");
		assert_int_equal(
			draft_add_recipients(&f.mx, &d, DRAFT_CC, rows[i].text), rows[i].want != NULL);
		for (size_t k = 0; k < d.recipients[DRAFT_CC].n; k++)
			buf_printf(&joined, "%s%s", k ? "|" : "", d.recipients[DRAFT_CC].at[k]);
		assert_slice_equal(buf_slice(&joined), slice_of(rows[i].want ? rows[i].want : ""));
		fixture_deinit(&f);
	}
}

static void one_address_once_over_all_fields(void **state)
{
	auto_draft struct draft d = DRAFT_INIT;
	auto_strlist struct strlist envelope = STRLIST_INIT;
	struct fixture f;

	fixture_init(&f, NULL);
	assert_true(draft_add_recipients(&f.mx, &d, DRAFT_TO, "A <a@b>"));
	assert_true(draft_add_recipients(&f.mx, &d, DRAFT_BCC, "a@b, c@d"));
	assert_int_equal(draft_count_recipients(&d), 2);
	draft_envelope(&d, &envelope);
	assert_int_equal(envelope.n, 2);
	assert_string_equal(envelope.at[0], "a@b");
	assert_string_equal(envelope.at[1], "c@d");
	fixture_deinit(&f);
}

static void sets_strings_without_line_ends(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ NULL, NULL },
		{ "", NULL },
		{ "  ", NULL },
		{ " a ", "a" },
		{ "a\nb\r\tc\x7f!", "a b  c !" },
		{ "\n", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *slot = mem_dup_str("before");
		draft_set(&slot, rows[i].text);
		if (rows[i].want)
			assert_string_equal(slot, rows[i].want);
		else
			assert_null(slot);
		mem_free(slot);
	}
}

static void templates_come_back_as_they_went(void **state)
{
	static const char text[] =
		"From: me@example.org\nTo: a@b,\n C D <c@d>\nBcc: x@y\nSubject: sub\nReply-To: r@s\n"
		"In-Reply-To: <1@2>\nReferences: <0@2> <1@2>\nX-Other: value\n\nbody\n\nmore\n";
	auto_draft struct draft d = DRAFT_INIT;
	auto_buf struct buf out = BUF_INIT(10000);
	struct fixture f;

	fixture_init(&f, NULL);
	assert_true(draft_read_template(&f.mx, &d, SLICE(text)));
	assert_string_equal(draft_field(&d, "x-other"), "value");
	assert_null(draft_field(&d, "X-Othe"));
	draft_write_template(&d, &out);
	assert_slice_equal(buf_slice(&out), SLICE(text));
	fixture_deinit(&f);
}

static void takes_texts_without_header(void **state)
{
	static const struct {
		const char *text, *body;
		bool want;
	} rows[] = {
		{ "just text\nmore\n", "just text\nmore\n", true },
		{ "\nA: b\n", "A: b\n", true },
		{ "", "", true },
		{ "Subject: x\nno field\n", "no field\n", true },
		{ "To: |cmd\n\nx\n", "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_draft struct draft d = DRAFT_INIT;
		struct fixture f;
		fixture_init(&f, NULL);
		assert_int_equal(draft_read_template(&f.mx, &d, slice_of(rows[i].text)), rows[i].want);
		assert_slice_equal(buf_slice(&d.text), slice_of(rows[i].body));
		fixture_deinit(&f);
	}
}

static void takes_fields(void **state)
{
	auto_draft struct draft d = DRAFT_INIT;
	struct fixture f;

	fixture_init(&f, NULL);
	assert_true(draft_take_field(&f.mx, &d, "X-A: one\nInjected: two"));
	assert_int_equal(d.fields.n, 1);
	assert_string_equal(d.fields.at[0], "X-A: one Injected: two");
	assert_true(draft_take_field(&f.mx, &d, "Subject: s"));
	assert_string_equal(d.subject, "s");
	assert_true(draft_take_field(&f.mx, &d, "Cc: c@d"));
	assert_int_equal(d.recipients[DRAFT_CC].n, 1);
	assert_false(draft_take_field(&f.mx, &d, "no field"));
	assert_false(draft_take_field(&f.mx, &d, ""));
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(collects_addressees),
		cmocka_unit_test(one_address_once_over_all_fields),
		cmocka_unit_test(sets_strings_without_line_ends),
		cmocka_unit_test(templates_come_back_as_they_went),
		cmocka_unit_test(takes_texts_without_header),
		cmocka_unit_test(takes_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
