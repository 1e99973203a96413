/* SPDX-License-Identifier: Apache-2.0 */
/* test_complete.c - what Tab offers */
#include "mailx/complete.h"
#include "mailx/test_fixture.h"

static void join(const struct strlist *l, struct buf *out)
{
	for (size_t i = 0; i < l->n; i++)
		buf_printf(out, "%s%s", i ? "|" : "", l->at[i]);
}

static void offers_what_fits(void **state)
{
	static const struct {
		input_completer complete;
		const char *line, *word, *choices; /* choices NULL: Tab is a Tab */
	} rows[] = {
		{ complete_command, "und", "und", "undelete|undraft" },
		{ complete_command, "  fold", "fold", "folder|folders" },
		{ complete_command, "no", "no", "" },
		{ complete_command, "set asks", "asks", "asksub" },
		{ complete_command, "uns toplin", "toplin", "toplines" },
		{ complete_command, "set mi", "mi", "mine" },
		{ complete_command, "help undel", "undel", "undelete" },
		{ complete_command, "mail f", "f", "family|friend@example.org|friends" },
		{ complete_command, "mail a@b,fr", "fr", "friend@example.org|friends" },
		{ complete_command, "unalias f", "f", "family|friends" },
		{ complete_command, "s 1 fo", "fo", "folder" },
		{ complete_command, "s 1 ", "", "a\\ b|folder|sub/" },
		{ complete_command, "s 1 .", ".", ".hidden" },
		{ complete_command, "s 1 a\\ ", "a\\ ", "a\\ b" },
		{ complete_command, "file ~/su", "~/su", "~/sub/" },
		{ complete_command, "file sub/", "sub/", "sub/inner" },
		{ complete_command, "file +in", "+in", "+inner" },
		{ complete_command, "file +", "+", "+inner" },
		{ complete_command, "print 1", "1", "" },
		{ complete_command, "file /nonexistent/x", "/nonexistent/x", "" },
		{ complete_address, "fa", "fa", "family" },
		{ complete_address, "x, fam", "fam", "family" },
		{ complete_address, "", "", "family|friend@example.org|friends|me@example.org" },
		{ complete_text, "~r su", "su", "sub/" },
		{ complete_text, "~@su", "su", "sub/" },
		{ complete_text, "~t fam", "fam", "family" },
		{ complete_text, "su", "", NULL },
		{ complete_text, "~p su", "", NULL },
		{ complete_text, "", "", NULL },
	};
	char inner[96];
	struct fixture f;

	fixture_init(&f, FIRST_MESSAGE);
	assert_int_equal(chdir(f.directory), 0);
	assert_int_equal(mkdir("sub", 0700), 0);
	(void)snprintf(inner, sizeof(inner), "%s/sub/inner", f.directory);
	fixture_write(inner, SLICE(""));
	fixture_write("a b", SLICE(""));
	fixture_write(".hidden", SLICE(""));
	fixture_write("line\nfeed", SLICE(""));
	fixture_write("c1\xc2\x9b", SLICE("")); /* what a terminal would obey is not offered */
	fixture_write("c1\x9b", SLICE(""));
	fixture_write("turned\xe2\x80\xae", SLICE(""));
	vars_set(&f.mx.vars, "folder", "sub");
	vars_set(&f.mx.vars, "mine", "");
	aliases_add(&f.mx.aliases, "friends", "friend@example.org");
	aliases_add(&f.mx.aliases, "friends", "colleague");
	aliases_add(&f.mx.aliases, "family", "me@example.org");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_strlist struct strlist choices = STRLIST_INIT;
		auto_buf struct buf joined = BUF_INIT(10000);
		struct slice word = SLICE_EMPTY;
		assert_int_equal(rows[i].complete(&f.mx, slice_of(rows[i].line), &word, &choices),
			rows[i].choices != NULL);
		join(&choices, &joined);
		assert_slice_equal(buf_slice(&joined), slice_of(rows[i].choices));
		assert_slice_equal(word, slice_of(rows[i].word));
	}
	assert_int_equal(chdir("/"), 0);
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offers_what_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
