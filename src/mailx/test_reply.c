/* SPDX-License-Identifier: Apache-2.0 */
/* test_reply.c - whom an answer goes to, its subject and thread */
#include "mailx/reply.h"
#include "mailx/test_fixture.h"

static void join(const struct strlist *l, struct buf *out)
{
	buf_clear(out);
	for (size_t i = 0; i < l->n; i++)
		buf_printf(out, "%s%s", i ? " " : "", l->at[i]);
}

static void answers(void **state)
{
	static const struct {
		const char *header;
		bool to_all;
		const char *to, *cc, *subject;
	} rows[] = {
		{ "From: a@b\nSubject: x\n", true, "a@b", "", "Re: x" },
		{ "From: a@b\nTo: me, c@d\nCc: e@f\nSubject: RE: x\n", true, "a@b c@d", "e@f", "RE: x" },
		{ "From: a@b\nTo: me, c@d\nCc: e@f\n", false, "a@b", "", NULL },
		{ "From: a@b\nReply-To: r@s\n", false, "r@s", "", NULL },
		{ "From: a@b\nReply-To: r@s, t@u\nTo: c@d\n", true, "r@s t@u c@d", "", NULL },
		{ "From: me\nTo: me\n", true, "me", "", NULL }, /* a note to oneself */
		{ "From: me\nTo: other@example.org\n", true, "other@example.org", "", NULL },
		{ "From: a@b\nTo: A@B, a@b\nCc: a@b\n", true, "a@b", "", NULL },
		{ "Subject: x\n", true, "sender@example.org", "", "Re: x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_draft struct draft d = DRAFT_INIT;
		auto_buf struct buf text = BUF_INIT(1000);
		struct fixture f;
		buf_printf(&text, "From sender@example.org  Wed Feb 19 05:10:35 2020\n%s\nx\n\n",
			rows[i].header);
		fixture_init(&f, buf_cstr(&text));
		assert_true(reply_draft(&f.mx, 0, rows[i].to_all, &d));
		join(&d.recipients[DRAFT_TO], &text);
		assert_slice_equal(buf_slice(&text), slice_of(rows[i].to));
		join(&d.recipients[DRAFT_CC], &text);
		assert_slice_equal(buf_slice(&text), slice_of(rows[i].cc));
		if (rows[i].subject)
			assert_string_equal(d.subject, rows[i].subject);
		else
			assert_null(d.subject);
		fixture_deinit(&f);
	}
}

static void nobody_to_answer(void **state)
{
	auto_draft struct draft d = DRAFT_INIT;
	struct fixture f;

	fixture_init(&f, "From  Wed Feb 19 05:10:35 2020\nSubject: x\n\nx\n\n");
	assert_false(reply_draft(&f.mx, 0, true, &d));
	fixture_deinit(&f);
}

static void prefixes_subjects(void **state)
{
	static const char *const rows[][3] = {
		{ "Re: ", "x", "Re: x" },
		{ "Re: ", "re: x", "re: x" },
		{ "Re: ", "", "Re: " },
		{ "Re: ", "Regards", "Re: Regards" },
		{ "Fwd: ", "x", "Fwd: x" },
		{ "Fwd: ", "FWD:x", "FWD:x" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000);
		reply_subject(rows[i][0], rows[i][1], &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i][2]));
	}
}

static void names_files_after_addresses(void **state)
{
	static const struct {
		const char *address, *name;
	} rows[] = {
		{ "bob@example.org", "bob" },
		{ "bob+list@example.org", "bob+list" },
		{ "bob", "bob" },
		{ "../../x@example.org", "x" },
		{ "%root@example.org", "_root" },
		{ "&@example.org", "_" },
		{ "#@example.org", "_" },
		{ "+x@example.org", "_x" },
		{ "~root@example.org", "_root" },
		{ "*@example.org", "_" },
		{ "a?[b]*@example.org", "a__b]_" },
		{ "@example.org", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf name = BUF_INIT(1000);
		reply_file_name(slice_of(rows[i].address), &name);
		assert_slice_equal(buf_slice(&name), slice_of(rows[i].name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(nobody_to_answer),
		cmocka_unit_test(prefixes_subjects),
		cmocka_unit_test(names_files_after_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
