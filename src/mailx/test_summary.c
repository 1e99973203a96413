/* SPDX-License-Identifier: Apache-2.0 */
/* test_summary.c - rows of the summary, the line about the folder, messages as they are shown */
#include "mailx/show.h"
#include "mailx/summary.h"
#include "mailx/test_fixture.h"

#define LONG_SUBJECT                                                                                         \
	"From a@b  Wed Feb 19 05:10:35 2020\nFrom: a@b\nSubject: "                                           \
	"0123456789012345678901234567890123456789\n\nx\n\n"
#define NO_SUBJECT "From a@b  Wed Feb 19 05:10:35 2020\nFrom: me\nTo: other@example.org\n\nx\n\n"

static void writes_rows(void **state)
{
	static const struct {
		const char *folder;
		unsigned flags, columns;
		const char *variable, *row;
	} rows[] = {
		{ FIRST_MESSAGE, 0, 80, "",
			">N  1 user1@host.example.n  Wed Feb 19 05:10  10/220   \"test lpic1\"\n" },
		{ FIRST_MESSAGE, 0, 80, "showname",
			">N  1 User One              Wed Feb 19 05:10  10/220   \"test lpic1\"\n" },
		{ FIRST_MESSAGE, MESSAGE_SAVED, 80, "",
			">*  1 user1@host.example.n  Wed Feb 19 05:10  10/220   \"test lpic1\"\n" },
		{ FIRST_MESSAGE, MESSAGE_READ, 80, "",
			">   1 user1@host.example.n  Wed Feb 19 05:10  10/220   \"test lpic1\"\n" },
		{ FIRST_MESSAGE, 0, 60, "",
			">N  1 user1@host.example.n  Wed Feb 19 05:10  10/220   \"tes\"\n" },
		{ FIRST_MESSAGE, 0, 40, "", ">N  1 user1@host.example.n  Wed Feb 19 05:10  10/220\n" },
		{ SECOND_MESSAGE, 0, 80, "",
			">F  1 payam@example.org     Wed Feb 19 06:33   9/179   \"second\"\n" },
		{ THIRD_MESSAGE, 0, 80, "",
			">U  1 third@example.org     Wed Feb 19 07:33   7/89    \"Re: third\"\n" },
		{ LONG_SUBJECT, 0, 80, "",
			">N  1 a@b                   Wed Feb 19 05:10   6/99    "
			"\"01234567890123456789012\"\n" },
		{ NO_SUBJECT, 0, 80, "", ">N  1 me                    Wed Feb 19 05:10   6/70\n" },
		{ NO_SUBJECT, 0, 80, "showto", ">N  1 To other@example.org  Wed Feb 19 05:10   6/70\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000);
		struct fixture f;
		fixture_init(&f, rows[i].folder);
		f.mx.screen.columns = rows[i].columns;
		f.mx.folder.messages.at[0].flags |= (uint16_t)rows[i].flags;
		if (*rows[i].variable)
			vars_set(&f.mx.vars, rows[i].variable, "");
		summary_row(&f.mx, 0, &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].row));
		fixture_deinit(&f);
	}
}

static void counts_messages(void **state)
{
	static const struct {
		const char *folder, *text;
	} rows[] = {
		{ FIRST_MESSAGE, "1 message 1 new" },
		{ FIRST_MESSAGE THIRD_MESSAGE SECOND_MESSAGE, "3 messages 1 new 2 unread" },
		{ SECOND_MESSAGE SECOND_MESSAGE, "2 messages" },
		{ THIRD_MESSAGE, "1 message 1 unread" },
		{ "", "0 messages" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000), want = BUF_INIT(1000);
		struct fixture f;
		fixture_init(&f, rows[i].folder);
		buf_printf(&want, "\"%s\": %s\n", f.path, rows[i].text);
		summary_folder(&f.mx, &out);
		assert_slice_equal(buf_slice(&out), buf_slice(&want));
		fixture_deinit(&f);
	}
}

static void shows_messages(void **state)
{
	struct fields no_received = { 0 };
	const struct {
		struct show_options options;
		const char *text;
	} rows[] = {
		{ { .n_lines = 0 }, "Hi this is my first email.\n" },
		{ { .has_from_line = true, .n_lines = 1 },
			"From user1@host.example.net  Wed Feb 19 05:10:35 2020\nHi this is my first "
			"email.\n" },
		{ { .fields = &no_received, .has_header = true, .has_status = true },
			"To: lpic1@localhost\nSubject: test lpic1\nMessage-Id: <1@host>\nFrom: User One "
			"<user1@host.example.net>\nStatus: R\n\nHi this is my first email.\n" },
	};
	struct fixture f;

	strlist_add(&no_received.ignored, "received");
	fixture_init(&f, FIRST_MESSAGE);
	f.mx.folder.messages.at[0].flags |= MESSAGE_READ;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000);
		assert_int_equal(show_message(&f.mx, 0, &rows[i].options, &out), 0);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].text));
	}
	fixture_deinit(&f);
	fields_deinit(&no_received);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_rows),
		cmocka_unit_test(counts_messages),
		cmocka_unit_test(shows_messages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
