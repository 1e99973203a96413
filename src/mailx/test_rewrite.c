/* SPDX-License-Identifier: Apache-2.0 */
/* test_rewrite.c - folders and files that change: pieces, journal, rewriting, appending */
#include "mailx/append.h"
#include "mailx/journal.h"
#include "mailx/rewrite.h"
#include "mailx/test_fixture.h"
#include <sys/resource.h>
#include <sys/wait.h>

static void puts_pieces_together(void **state)
{
	auto_pieces struct pieces p = PIECES_INIT;
	auto_buf struct buf out = BUF_INIT(1000);
	struct fixture f;
	uint32_t crc;

	fixture_init(&f, NULL);
	fixture_write(f.path, SLICE("0123456789"));
	pieces_add_range(&p, 0, 3);
	pieces_add_range(&p, 3, 2); /* joins */
	pieces_add_literal(&p, SLICE("abc"));
	pieces_add_literal(&p, SLICE(""));
	pieces_add_range(&p, 8, 2);
	pieces_add_range(&p, 8, 0);
	assert_int_equal(p.n, 3);
	assert_int_equal(pieces_size(&p), 10);
	assert_int_equal(pieces_trim_unchanged(&p), 5);
	assert_int_equal(pieces_trim_unchanged(&p), 0);
	auto_close int from = open(f.path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pieces_write(&p, from, from, 20, &crc), 0);
	fixture_read(f.path, &out);
	assert_slice_equal(slice_from(buf_slice(&out), 20), SLICE("abc89"));
	fixture_deinit(&f);
}

/* Marks in order of the messages: d delete, r read, - nothing. */
static void mark(struct folder *folder, const char *marks)
{
	for (size_t i = 0; marks[i]; i++) {
		struct message *m = &folder->messages.at[i];
		if (marks[i] == 'd')
			m->flags |= MESSAGE_DELETED;
		else if (marks[i] == 'r')
			m->flags = (uint16_t)((m->flags | MESSAGE_READ) & ~MESSAGE_NEW);
	}
}

static void rewrites_folders(void **state)
{
	static const struct {
		const char *before, *marks, *arrived, *after;
	} rows[] = {
		{ FIRST_MESSAGE SECOND_MESSAGE, "--", "", FIRST_MESSAGE SECOND_MESSAGE },
		{ FIRST_MESSAGE SECOND_MESSAGE, "d-", "", SECOND_MESSAGE },
		{ FIRST_MESSAGE SECOND_MESSAGE, "-d", "", FIRST_MESSAGE },
		{ FIRST_MESSAGE SECOND_MESSAGE, "dd", "", "" },
		{ FIRST_MESSAGE SECOND_MESSAGE, "dd", THIRD_MESSAGE, THIRD_MESSAGE },
		{ SECOND_MESSAGE FIRST_MESSAGE SECOND_MESSAGE, "-d-", THIRD_MESSAGE,
			SECOND_MESSAGE SECOND_MESSAGE THIRD_MESSAGE },
		{ "From a@b  Wed Feb 19 05:10:35 2020\nA: b\n\nx\n\n", "r", "",
			"From a@b  Wed Feb 19 05:10:35 2020\nA: b\nStatus: RO\n\nx\n\n" },
		{ "From a@b  Wed Feb 19 05:10:35 2020\nStatus: O\n\tfolded\nA: b\nX-Status: F\n\nx\n\n", "r",
			THIRD_MESSAGE,
			"From a@b  Wed Feb 19 05:10:35 2020\nStatus: RO\nX-Status: F\nA: "
			"b\n\nx\n\n" THIRD_MESSAGE },
		{ "From a@b  Wed Feb 19 05:10:35 2020\n", "r", "",
			"From a@b  Wed Feb 19 05:10:35 2020\nStatus: RO\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		const struct rewrite_outcome nothing = { 0 };
		struct rewrite_outcome outcome = nothing;
		auto_buf struct buf all = BUF_INIT(10000);
		size_t row = i / 2;
		struct fixture f;
		fixture_init(&f, rows[row].before);
		f.mx.folder.is_system = i % 2; /* in place, else by renaming */
		mark(&f.mx.folder, rows[row].marks);
		buf_printf(&all, "%s%s", rows[row].before, rows[row].arrived);
		fixture_write(f.path, buf_slice(&all));
		assert_int_equal(rewrite_folder(&f.mx.folder, false, &outcome), REWRITE_DONE);
		fixture_read(f.path, &all);
		assert_slice_equal(buf_slice(&all), slice_of(rows[row].after));
		assert_int_equal(outcome.has_new_mail, *rows[row].arrived != '\0');
		assert_false(outcome.was_removed);
		fixture_deinit(&f);
	}
}

static void removes_empty_folders_when_asked_to(void **state)
{
	struct rewrite_outcome outcome;
	struct fixture f;

	fixture_init(&f, FIRST_MESSAGE);
	mark(&f.mx.folder, "d");
	assert_int_equal(rewrite_folder(&f.mx.folder, true, &outcome), REWRITE_DONE);
	assert_true(outcome.was_removed);
	assert_int_not_equal(access(f.path, F_OK), 0);
	fixture_deinit(&f);
}

static void touches_nothing_that_others_changed(void **state)
{
	static const char *const changed[] = { SECOND_MESSAGE FIRST_MESSAGE, FIRST_MESSAGE, "",
		"rubbish that is longer than the "
		"folder was before, so that only what stands in it can tell the difference from what we know "
		"of it; more "
		"and more of it, until it is long enough for both of the messages, and then some, and then "
		"some, and some "
		"and then some, and then some, and then some, and then some, and then some, and then some, "
		"and then some "
		"and then some, and then some, and then some, and then some, and then some, and then some, "
		"and then some" };

	for (size_t i = 0; i < ARRAY_LEN(changed); i++) {
		auto_buf struct buf after = BUF_INIT(10000);
		struct rewrite_outcome outcome;
		struct fixture f;
		fixture_init(&f, FIRST_MESSAGE SECOND_MESSAGE);
		mark(&f.mx.folder, "-d");
		fixture_write(f.path, slice_of(changed[i]));
		assert_int_equal(rewrite_folder(&f.mx.folder, false, &outcome), REWRITE_CHANGED);
		fixture_read(f.path, &after);
		assert_slice_equal(buf_slice(&after), slice_of(changed[i]));
		fixture_deinit(&f);
	}
}

/* Runs a change in a child that the kernel kills when the file would grow past a size: the journal is whole,
 * the file is changed in part. */
static void crash_while_changing(const char *path, uint64_t offset, const char *replacement, uint64_t limit)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit size = { limit, limit };
		auto_pieces struct pieces p = PIECES_INIT;
		int fd = open(path, O_RDWR | O_CLOEXEC);
		struct stat st;
		pieces_add_literal(&p, slice_of(replacement));
		if (fstat(fd, &st) < 0 || setrlimit(RLIMIT_FSIZE, &size) < 0)
			_exit(2);
		(void)!journal_replace(fd, path, offset, (uint64_t)st.st_size, &p);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void drops_a_change_that_was_not_begun(void **state)
{
	static char old[4096], new[8192 + 1];
	static const char *const arrived[] = { "", "From late\n" };

	memset(old, 'o', sizeof(old));
	memset(new, 'n', sizeof(new) - 1);
	for (size_t i = 0; i < ARRAY_LEN(arrived); i++) {
		auto_buf struct buf text = BUF_INIT(100000), want = BUF_INIT(100000);
		struct fixture f;
		fixture_init(&f, NULL);
		fixture_write(f.path, (struct slice){ old, sizeof(old) });
		/* The journal (8192 and its head) fits, the grown file does not: killed as step 2 sets its
		 * size. */
		crash_while_changing(f.path, 1000, new, 1000 + 8192 - 100);
		fixture_read(f.path, &text);
		buf_append_str(&text, arrived[i]);
		fixture_write(f.path, buf_slice(&text));
		auto_close int fd = open(f.path, O_RDWR | O_CLOEXEC);
		assert_int_equal(journal_recover(fd, f.path), 0);
		fixture_read(f.path, &text);
		buf_append(&want, (struct slice){ old, sizeof(old) }); /* not begun: as it was */
		buf_append_str(&want, arrived[i]);
		assert_slice_equal(buf_slice(&text), buf_slice(&want));
		assert_int_equal(journal_recover(fd, f.path), 0);
		fixture_deinit(&f);
	}
}

/* As for an ordinary user in /var/mail: the mailbox is his, the directory is not. Runs the rest in a child,
 * without root's rights; what it returns is the child's. */
static int in_a_closed_spool(struct fixture *f, const char *home, int (*rest)(struct fixture *f))
{
	const uid_t nobody = 65534;
	bool is_root = geteuid() == 0;
	int status;
	pid_t pid;

	assert_int_equal(mkdir(home, 0700), 0);
	assert_int_equal(setenv("HOME", home, 1), 0);
	if (is_root)
		assert_int_equal(chown(f->path, nobody, nobody) | chown(home, nobody, nobody), 0);
	assert_int_equal(chmod(f->directory, 0555), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(is_root && setresuid(nobody, nobody, nobody) < 0 ? 99 : rest(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(chmod(f->directory, 0755), 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int rewrite_there(struct fixture *f)
{
	struct rewrite_outcome outcome;

	f->mx.folder.is_system = true;
	mark(&f->mx.folder, "d-");
	return rewrite_folder(&f->mx.folder, false, &outcome);
}

static void journals_at_home_where_the_spool_is_closed(void **state)
{
	auto_buf struct buf text = BUF_INIT(10000);
	char home[] = "/tmp/mailx-home.XXXXXX";
	struct fixture f;

	fixture_init(&f, FIRST_MESSAGE SECOND_MESSAGE);
	assert_non_null(mkdtemp(home));
	assert_int_equal(rmdir(home), 0);
	assert_int_equal(in_a_closed_spool(&f, home, rewrite_there), REWRITE_DONE);
	fixture_read(f.path, &text);
	assert_slice_equal(buf_slice(&text), SLICE(SECOND_MESSAGE));
	assert_int_equal(rmdir(home), 0); /* empty again */
	fixture_deinit(&f);
}

static void waits_for_a_delivery_that_was_cut_short(void **state)
{
	auto_buf struct buf text = BUF_INIT(10000), boot = BUF_INIT(1000);
	char home[] = "/tmp/mailx-home.XXXXXX", host[HOST_NAME_MAX + 1], dotlock[128];
	struct fixture f;
	struct stat st;

	fixture_init(&f, FIRST_MESSAGE SECOND_MESSAGE);
	assert_int_equal(stat(f.path, &st), 0);
	assert_non_null(mkdtemp(home));
	assert_int_equal(rmdir(home), 0);
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_int_equal(file_read_path(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot), 0);
	buf_printf(
		&text, "postrider %s %.*s 1 %" PRIu64 " 10 100000\n", host, 36, boot.at, (uint64_t)st.st_ino);
	(void)snprintf(dotlock, sizeof(dotlock), "%s.lock", f.path);
	fixture_write(dotlock, buf_slice(&text));
	assert_int_equal(chmod(dotlock, 0644), 0);
	assert_int_equal(in_a_closed_spool(&f, home, rewrite_there), REWRITE_UNFINISHED);
	fixture_read(f.path, &text);
	assert_slice_equal(buf_slice(&text), SLICE(FIRST_MESSAGE SECOND_MESSAGE));
	assert_int_equal(rmdir(home), 0);
	fixture_deinit(&f);
}

static void drops_what_is_no_journal(void **state)
{
	static const char *const contents[] = { "", "rubbish",
		"PRMJRN1\nand then rubbish of more than fifty-six bytes, really so" };

	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		auto_buf struct buf text = BUF_INIT(1000);
		char journal[128];
		struct fixture f;
		fixture_init(&f, NULL);
		fixture_write(f.path, SLICE("content"));
		(void)snprintf(journal, sizeof(journal), "%s/.folder.mailx-journal", f.directory);
		fixture_write(journal, slice_of(contents[i]));
		auto_close int fd = open(f.path, O_RDWR | O_CLOEXEC);
		assert_int_equal(journal_recover(fd, f.path), 0);
		assert_int_not_equal(access(journal, F_OK), 0);
		fixture_read(f.path, &text);
		assert_slice_equal(buf_slice(&text), SLICE("content"));
		fixture_deinit(&f);
	}
}

static void appends(void **state)
{
	static const struct {
		const char *before; /* NULL: no file */
		enum append_kind kind;
		const char *after;
		bool is_new;
	} rows[] = {
		{ NULL, APPEND_MESSAGES, "From x\n", true },
		{ "", APPEND_MESSAGES, "From x\n", false },
		{ "a\n\n", APPEND_MESSAGES, "a\n\nFrom x\n", false },
		{ "a\n", APPEND_MESSAGES, "a\n\nFrom x\n", false },
		{ "a", APPEND_MESSAGES, "a\n\nFrom x\n", false },
		{ "\n", APPEND_MESSAGES, "\nFrom x\n", false },
		{ "a", APPEND_TEXT, "aFrom x\n", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf text = BUF_INIT(1000);
		bool is_new = !rows[i].is_new;
		struct fixture f;
		fixture_init(&f, NULL);
		if (rows[i].before)
			fixture_write(f.path, slice_of(rows[i].before));
		assert_int_equal(append_to_file(f.path, rows[i].kind, SLICE("From x\n"), &is_new), 0);
		assert_int_equal(is_new, rows[i].is_new);
		fixture_read(f.path, &text);
		assert_slice_equal(buf_slice(&text), slice_of(rows[i].after));
		assert_int_equal(prepend_to_folder(f.path, SLICE("first\n\n")), 0);
		fixture_read(f.path, &text);
		assert_true(slice_starts(buf_slice(&text), SLICE("first\n\n")));
		assert_slice_equal(slice_from(buf_slice(&text), 7), slice_of(rows[i].after));
		fixture_deinit(&f);
	}
}

static void failed_appends_leave_the_file(void **state)
{
	bool is_new;

	assert_int_equal(append_to_file("/dev/full", APPEND_TEXT, SLICE("x"), &is_new), -ENOSPC);
	assert_int_equal(append_to_file("/nonexistent/x", APPEND_TEXT, SLICE("x"), &is_new), -ENOENT);
	assert_int_equal(append_to_file("/tmp", APPEND_TEXT, SLICE("x"), &is_new), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_pieces_together),
		cmocka_unit_test(rewrites_folders),
		cmocka_unit_test(removes_empty_folders_when_asked_to),
		cmocka_unit_test(touches_nothing_that_others_changed),
		cmocka_unit_test(drops_a_change_that_was_not_begun),
		cmocka_unit_test(journals_at_home_where_the_spool_is_closed),
		cmocka_unit_test(waits_for_a_delivery_that_was_cut_short),
		cmocka_unit_test(drops_what_is_no_journal),
		cmocka_unit_test(appends),
		cmocka_unit_test(failed_appends_leave_the_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
