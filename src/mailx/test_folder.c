/* SPDX-License-Identifier: Apache-2.0 */
/* test_folder.c - opening, reading, growing folders */
#include "mailx/test_fixture.h"

static void opens_folders(void **state)
{
	static const struct {
		const char *content; /* NULL: no file */
		int want;
		size_t n;
	} rows[] = {
		{ FIRST_MESSAGE SECOND_MESSAGE, FOLDER_OPEN, 2 },
		{ "", FOLDER_OPEN, 0 },
		{ "text\n", FOLDER_NOT_MBOX, 0 },
		{ NULL, FOLDER_MISSING, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		struct folder folder;
		fixture_init(&f, NULL);
		if (rows[i].content)
			fixture_write(f.path, slice_of(rows[i].content));
		assert_int_equal(folder_open(&folder, f.path, "x", false), rows[i].want);
		assert_int_equal(folder.messages.n, rows[i].n);
		assert_int_equal(folder.fd >= 0, rows[i].want == FOLDER_OPEN);
		folder_close(&folder);
		assert_int_equal(folder_open(&folder, f.directory, "x", false), FOLDER_NOT_FILE);
		fixture_deinit(&f);
	}
}

static void reads_messages(void **state)
{
	auto_buf struct buf text = BUF_INIT(10000);
	struct message_parts parts;
	struct fixture f;

	fixture_init(&f, FIRST_MESSAGE SECOND_MESSAGE);
	assert_int_equal(folder_read(&f.mx.folder, 1, &text), 0);
	assert_slice_equal(buf_slice(&text), SLICE(SECOND_MESSAGE));
	assert_int_equal(folder_count_lines(&f.mx.folder, 0), 10);
	buf_clear(&text);
	assert_int_equal(folder_read(&f.mx.folder, 0, &text), 0);
	parts = message_split(buf_slice(&text), f.mx.folder.messages.at[0].head_size);
	assert_slice_equal(parts.from_line, SLICE("From user1@host.example.net  Wed Feb 19 05:10:35 2020"));
	assert_true(slice_starts(parts.header, SLICE("Received:")));
	assert_slice_equal(parts.body, SLICE("Hi this is my first email.\n"));
	fixture_deinit(&f);
}

static void splits_at_the_edges(void **state)
{
	static const struct {
		const char *text;
		size_t head_size;
		const char *header, *body;
	} rows[] = {
		{ "From x\nA: b\n\n\n", 12, "A: b\n", "" },
		{ "From x\nA: b\n\n", 12, "A: b\n", "" },
		{ "From x\nA: b\n", 12, "A: b\n", "" },
		{ "From x\n\ntext\n\n", 7, "", "text\n" },
		{ "From x\n\ntext", 7, "", "text" },
		{ "From x\n\n\n\n", 7, "", "\n" },
		{ "From x", 6, "", "" },
		{ "", 0, "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct message_parts parts = message_split(slice_of(rows[i].text), rows[i].head_size);
		assert_slice_equal(parts.header, slice_of(rows[i].header));
		assert_slice_equal(parts.body, slice_of(rows[i].body));
	}
}

static void takes_in_what_arrives(void **state)
{
	struct fixture f;
	size_t n_new;

	fixture_init(&f, FIRST_MESSAGE);
	assert_false(folder_has_grown(&f.mx.folder));
	fixture_write(f.path, SLICE(FIRST_MESSAGE SECOND_MESSAGE THIRD_MESSAGE));
	assert_true(folder_has_grown(&f.mx.folder));
	assert_int_equal(folder_extend(&f.mx.folder, &n_new), FOLDER_OPEN);
	assert_int_equal(n_new, 2);
	assert_int_equal(f.mx.folder.messages.at[2].offset, strlen(FIRST_MESSAGE SECOND_MESSAGE));
	fixture_deinit(&f);
}

static void notices_that_it_was_rewritten(void **state)
{
	auto_buf struct buf text = BUF_INIT(10000);
	struct fixture f;

	fixture_init(&f, FIRST_MESSAGE SECOND_MESSAGE);
	fixture_write(f.path, SLICE(SECOND_MESSAGE FIRST_MESSAGE));
	assert_int_equal(folder_read_head(&f.mx.folder, 0, &text), -ESTALE);
	fixture_write(f.path, SLICE(""));
	assert_int_equal(folder_read(&f.mx.folder, 0, &text), -ESTALE);
	assert_int_equal(text.len, 0);
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_folders),
		cmocka_unit_test(reads_messages),
		cmocka_unit_test(splits_at_the_edges),
		cmocka_unit_test(takes_in_what_arrives),
		cmocka_unit_test(notices_that_it_was_rewritten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
