/* SPDX-License-Identifier: Apache-2.0 */
/* test_packed.c - compressed folders: opening, adding, rewriting, and what is damaged or not theirs */
#include "mailx/append.h"
#include "mailx/packed.h"
#include "mailx/rewrite.h"
#include "mailx/test_fixture.h"

static const char *const suffixes[] = { "gz", "bz2", "xz", "zst" };

static void path_with(struct fixture *f, const char *suffix)
{
	(void)snprintf(f->path, sizeof(f->path), "%s/folder.%s", f->directory, suffix);
}

static void expect(struct fixture *f, struct slice want)
{
	auto_buf struct buf all = BUF_INIT(10000);

	folder_close(&f->mx.folder);
	assert_int_equal(folder_open(&f->mx.folder, f->path, "x", false), FOLDER_OPEN);
	for (size_t i = 0; i < f->mx.folder.messages.n; i++)
		assert_int_equal(folder_read(&f->mx.folder, i, &all), 0);
	assert_slice_equal(buf_slice(&all), want);
}

static void adds_reads_and_rewrites(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		struct rewrite_outcome outcome;
		auto_close int fd = -1;
		struct fixture f;
		bool is_new;
		fixture_init(&f, NULL);
		path_with(&f, suffixes[i]);
		assert_int_equal(append_to_file(f.path, APPEND_MESSAGES, SLICE(FIRST_MESSAGE), &is_new), 0);
		assert_true(is_new);
		fd = open(f.path, O_RDONLY | O_CLOEXEC);
		assert_non_null(packer_of(fd, "by its bytes, not its name"));
		assert_int_equal(append_to_file(f.path, APPEND_MESSAGES, SLICE(SECOND_MESSAGE), &is_new), 0);
		assert_false(is_new);
		expect(&f, SLICE(FIRST_MESSAGE SECOND_MESSAGE));
		assert_int_equal(prepend_to_folder(f.path, SLICE(THIRD_MESSAGE)), 0);
		assert_int_equal(
			rewrite_folder(&f.mx.folder, false, &outcome), REWRITE_DONE); /* nothing to do */
		f.mx.folder.messages.at[0].flags |= MESSAGE_DELETED;
		assert_int_equal(rewrite_folder(&f.mx.folder, false, &outcome), REWRITE_CHANGED);
		expect(&f, SLICE(FIRST_MESSAGE SECOND_MESSAGE THIRD_MESSAGE));
		f.mx.folder.messages.at[0].flags |= MESSAGE_DELETED;
		assert_int_equal(rewrite_folder(&f.mx.folder, false, &outcome), REWRITE_DONE);
		expect(&f, SLICE(SECOND_MESSAGE THIRD_MESSAGE));
		for (size_t k = 0; k < 2; k++)
			f.mx.folder.messages.at[k].flags |= MESSAGE_DELETED;
		assert_int_equal(rewrite_folder(&f.mx.folder, false, &outcome), REWRITE_DONE);
		expect(&f, SLICE_EMPTY);
		fixture_deinit(&f);
	}
}

static void ends_the_last_message_before_the_next(void **state)
{
	struct fixture f;
	bool is_new;

	fixture_init(&f, NULL);
	path_with(&f, "gz");
	fixture_write(f.path, SLICE(""));
	expect(&f, SLICE_EMPTY);
	assert_int_equal(append_to_file(f.path, APPEND_MESSAGES,
				 SLICE("From a@b  Wed Feb 19 05:10:35 2020\n\nx\n"), &is_new),
		0);
	assert_int_equal(append_to_file(f.path, APPEND_MESSAGES, SLICE(SECOND_MESSAGE), &is_new), 0);
	expect(&f, SLICE("From a@b  Wed Feb 19 05:10:35 2020\n\nx\n\n" SECOND_MESSAGE));
	fixture_deinit(&f);
}

/* What cannot be unpacked is neither read nor added to. */
static void keeps_off_damaged_files(void **state)
{
	static const struct slice rows[] = { SLICE_CONST("\x1f\x8b\x08 no gzip at all"),
		SLICE_CONST("BZh91AY&SY"),
		SLICE_CONST("\xfd"
			    "7zXZ") };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf after = BUF_INIT(1000);
		struct fixture f;
		bool is_new;
		fixture_init(&f, NULL);
		fixture_write(f.path, rows[i]);
		assert_int_equal(folder_open(&f.mx.folder, f.path, "x", false), FOLDER_NOT_UNPACKED);
		assert_int_equal(
			append_to_file(f.path, APPEND_MESSAGES, SLICE(FIRST_MESSAGE), &is_new), -EBADMSG);
		fixture_read(f.path, &after);
		assert_slice_equal(buf_slice(&after), rows[i]);
		fixture_deinit(&f);
	}
}

static void says_when_the_program_is_missing(void **state)
{
	auto_free char *path = mem_dup_str(getenv("PATH"));
	struct fixture f;
	bool is_new;

	fixture_init(&f, NULL);
	path_with(&f, "xz");
	assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
	assert_int_equal(append_to_file(f.path, APPEND_MESSAGES, SLICE(FIRST_MESSAGE), &is_new), -EBADMSG);
	assert_int_equal(setenv("PATH", path, 1), 0);
	assert_int_not_equal(access(f.path, F_OK), 0);
	fixture_deinit(&f);
}

static void does_not_take_the_place_of_linked_files(void **state)
{
	char other[128];
	struct rewrite_outcome outcome;
	struct fixture f;
	bool is_new;

	fixture_init(&f, NULL);
	path_with(&f, "gz");
	(void)snprintf(other, sizeof(other), "%s/other", f.directory);
	assert_int_equal(append_to_file(f.path, APPEND_MESSAGES, SLICE(FIRST_MESSAGE), &is_new), 0);
	assert_int_equal(link(f.path, other), 0);
	expect(&f, SLICE(FIRST_MESSAGE));
	f.mx.folder.messages.at[0].flags |= MESSAGE_DELETED;
	assert_int_equal(rewrite_folder(&f.mx.folder, false, &outcome), REWRITE_NO_PLACE);
	expect(&f, SLICE(FIRST_MESSAGE));
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_reads_and_rewrites),
		cmocka_unit_test(ends_the_last_message_before_the_next),
		cmocka_unit_test(keeps_off_damaged_files),
		cmocka_unit_test(says_when_the_program_is_missing),
		cmocka_unit_test(does_not_take_the_place_of_linked_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
