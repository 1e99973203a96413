/* SPDX-License-Identifier: Apache-2.0 */
/* test_mailbox.c - append, unsafe mailboxes, failing writes and syncs, copies of an earlier attempt */
#include "local/test_mailbox_kit.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void appends(void **state)
{
	static const struct {
		struct slice before, want;
	} rows[] = {
		{ SLICE(""), SLICE("From 1\n\n") },
		{ SLICE("From 0\n\n"), SLICE("From 0\n\nFrom 1\n\n") },
		{ SLICE("From 0\n"), SLICE("From 0\n\nFrom 1\n\n") },
		{ SLICE("From 0"), SLICE("From 0\n\nFrom 1\n\n") },
		{ SLICE("\n"), SLICE("\nFrom 1\n\n") },
		{ SLICE("x"), SLICE("x\n\nFrom 1\n\n") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mailbox m;
		box_put("u", rows[i].before);
		mailbox_init(&m, box_dir, "u", 0);
		assert_int_equal(mailbox_lock(&m, 10), MAILBOX_LOCKED);
		assert_true(box_is_there("u.lock"));
		assert_int_equal(mailbox_append(&m, SLICE("From 1\n\n")), MAILBOX_APPENDED);
		assert_int_equal(mailbox_sync(&m), 0);
		mailbox_unlock(&m);
		assert_false(box_is_there("u.lock"));
		box_assert_content("u", rows[i].want);
	}
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

static void creates_and_takes_back(void **state)
{
	struct mailbox m;
	struct stat st;

	(void)state;
	mailbox_init(&m, box_dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 10), MAILBOX_LOCKED);
	assert_true(m.is_new);
	assert_int_equal(fstat(m.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(mailbox_append(&m, SLICE("From 1\n\n")), MAILBOX_APPENDED);
	assert_int_equal(mailbox_undo(&m), 0);
	mailbox_unlock(&m);
	assert_false(box_is_there("u"));
	assert_false(box_is_there("u.lock"));
}

static void a_failed_sync_is_undone(void **state)
{
	struct mailbox m;

	(void)state;
	box_put("u", SLICE("From 0\n\n"));
	mailbox_init(&m, box_dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 100), MAILBOX_LOCKED);
	assert_int_equal(mailbox_append(&m, SLICE("From 1\n\n")), MAILBOX_APPENDED);
	assert_int_equal(mailbox_append(&m, SLICE("From 2\n\n")), MAILBOX_APPENDED);
	box_sync_fails = true;
	assert_int_equal(mailbox_sync(&m), -EIO);
	box_sync_fails = false;
	box_n_syncs = 0;
	assert_int_equal(mailbox_undo(&m), 0);
	assert_int_equal(box_n_syncs, 1); /* of the shorter file */
	mailbox_unlock(&m);
	box_assert_content("u", SLICE("From 0\n\n"));
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

/* Neither synced nor cut off: the copy that is still there must not pass for a delivery. */
static void what_cannot_be_undone_is_cut_next_time(void **state)
{
	struct mailbox m;

	(void)state;
	box_put("u", SLICE("From 0\n\n"));
	mailbox_init(&m, box_dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 100), MAILBOX_LOCKED);
	assert_int_equal(mailbox_append(&m, SLICE("From 1\n\n")), MAILBOX_APPENDED);
	box_sync_fails = box_truncate_fails = true;
	assert_int_equal(mailbox_sync(&m), -EIO);
	assert_int_equal(mailbox_undo(&m), -EIO);
	mailbox_unlock(&m);
	assert_true(box_is_there("u.lock"));
	mailbox_init(&m, box_dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 100), -EIO);
	box_sync_fails = box_truncate_fails = false;
	mailbox_init(&m, box_dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 100), MAILBOX_LOCKED);
	box_assert_content("u", SLICE("From 0\n\n"));
	mailbox_unlock(&m);
	assert_false(box_is_there("u.lock"));
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

/* The limit lets a part of the second mail through, as a full disk does; the third fits again. */
static void a_failed_write_is_undone(void **state)
{
	struct rlimit old, small = { .rlim_cur = 30, .rlim_max = RLIM_INFINITY };
	struct mailbox m;

	(void)state;
	box_put("u", SLICE("From 0"));
	mailbox_init(&m, box_dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 100), MAILBOX_LOCKED);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(
		mailbox_append(&m, SLICE("From 1, far too long to fit into what is left\n\n")), -EFBIG);
	assert_int_equal(mailbox_append(&m, SLICE("From 2\n\n")), MAILBOX_APPENDED);
	assert_int_equal(mailbox_append(&m, SLICE("From 3, too long again\n\n")), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	mailbox_unlock(&m);
	box_assert_content("u", SLICE("From 0\n\nFrom 2\n\n"));
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

static void a_full_mailbox_stays(void **state)
{
	struct mailbox m;

	(void)state;
	box_put("u", SLICE("From 0\n\n"));
	mailbox_init(&m, box_dir, "u", 16);
	assert_int_equal(mailbox_lock(&m, 100), MAILBOX_LOCKED);
	assert_int_equal(mailbox_append(&m, SLICE("From 12\n\n")), MAILBOX_FULL);
	assert_int_equal(mailbox_append(&m, SLICE("From 1\n\n")), MAILBOX_APPENDED);
	mailbox_unlock(&m);
	box_assert_content("u", SLICE("From 0\n\nFrom 1\n\n"));
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

/* ---- unsafe mailboxes ---- */

static void make_symlink(void)
{
	box_put("target", SLICE(""));
	assert_int_equal(symlinkat("target", box_dir, "u"), 0);
}

static void make_hard_link(void)
{
	box_put("target", SLICE(""));
	assert_int_equal(linkat(box_dir, "target", box_dir, "u", 0), 0);
}

static void make_directory(void)
{
	assert_int_equal(mkdirat(box_dir, "u", 0700), 0);
}

static void make_fifo(void)
{
	assert_int_equal(mkfifoat(box_dir, "u", 0600), 0);
}

static void make_foreign(void)
{
	box_put("u", SLICE(""));
	assert_int_equal(fchownat(box_dir, "u", 12345, (gid_t)-1, 0), 0);
}

static void refuses_unsafe_mailboxes(void **state)
{
	static const struct {
		const char *what;
		void (*make)(void);
		enum mailbox_outcome want;
		bool needs_root;
	} rows[] = {
		{ "symbolic link", make_symlink, MAILBOX_SYMLINK, false },
		{ "hard link", make_hard_link, MAILBOX_HARD_LINKS, false },
		{ "directory", make_directory, MAILBOX_NOT_REGULAR, false },
		{ "FIFO", make_fifo, MAILBOX_NOT_REGULAR, false },
		{ "other owner", make_foreign, MAILBOX_FOREIGN_OWNER, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *status, *words;
		struct mailbox m;
		if (rows[i].needs_root && geteuid() != 0) {
			print_message("SKIP %s: needs root to make one\n", rows[i].what);
			continue;
		}
		rows[i].make();
		mailbox_init(&m, box_dir, "u", 0);
		assert_int_equal(mailbox_lock(&m, 10), rows[i].want);
		mailbox_explain(rows[i].want, &status, &words);
		assert_string_equal(status, "4.2.0");
		assert_true(strlen(words) > 10);
		assert_false(box_is_there("u.lock"));
		if (box_is_there("target")) {
			box_assert_content("target", SLICE(""));
			assert_int_equal(file_unlink(box_dir, "target"), 0);
		}
		assert_int_equal(
			unlinkat(box_dir, "u", rows[i].make == make_directory ? AT_REMOVEDIR : 0), 0);
	}
}

static void explains_everything(void **state)
{
	static const int errors[] = { ENOSPC, EDQUOT, EFBIG, EACCES, EPERM, EROFS, EIO, ESTALE };
	const char *status = NULL, *words = NULL;

	(void)state;
	for (int i = 1; i < MAILBOX_OUTCOME_COUNT; i++) {
		mailbox_explain(i, &status, &words);
		assert_non_null(words);
		assert_true(status[0] == (i <= MAILBOX_DELIVERED_BEFORE ? '2' : '4'));
	}
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		mailbox_explain(-errors[i], &status, &words);
		assert_true(status[0] == '4');
	}
}

/* ---- reconcile ---- */

static void reconciles(void **state)
{
	struct mbox_delivery d = { .sender = SLICE("s@h"),
		.forward_path = SLICE("p@h"),
		.content = SLICE("Received: x id 00000000000002A;\nSubject: x\n\nbody\n"),
		.queue_id = 42,
		.time_s = 1 };
	struct mbox_text old, now;

	(void)state;
	assert_true(mbox_text_build(&old, &d));
	d.time_s = 999999999;
	assert_true(mbox_text_build(&now, &d));
	for (size_t n = 0; n <= old.text.len; n++) {
		auto_buf struct buf box = BUF_INIT(10000);
		struct mailbox m;
		bool is_whole = n == old.text.len;
		buf_append_str(&box, "From 0\n\n");
		buf_append(&box, slice_first(buf_slice(&old.text), n));
		box_put("u", buf_slice(&box));
		mailbox_init(&m, box_dir, "u", 0);
		assert_int_equal(mailbox_lock(&m, now.text.len), MAILBOX_LOCKED);
		assert_int_equal(mailbox_reconcile(&m, &now),
			is_whole ? MAILBOX_DELIVERED_BEFORE : MAILBOX_NOT_DELIVERED);
		if (!is_whole)
			assert_int_equal(mailbox_append(&m, buf_slice(&now.text)), MAILBOX_APPENDED);
		mailbox_unlock(&m);
		box.len = strlen("From 0\n\n");
		buf_append(&box, is_whole ? buf_slice(&old.text) : buf_slice(&now.text));
		box_assert_content("u", buf_slice(&box));
	}
	mbox_text_free(&old);
	mbox_text_free(&now);
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

/* More than the window of the tail has been delivered since. */
/* It does not count as mended: the batch goes on as long as something is. */
static void what_cannot_be_cut_off_is_not_mended(void **state)
{
	struct mbox_delivery d = { .sender = SLICE("s@h"),
		.forward_path = SLICE("p@h"),
		.content = SLICE("Received: x id 00000000000002A;\nSubject: x\n\nbody\n"),
		.queue_id = 42,
		.time_s = 1 };
	struct mbox_text text;
	struct mailbox m;

	(void)state;
	assert_true(mbox_text_build(&text, &d));
	box_put("u", slice_first(buf_slice(&text.text), text.text.len - 10));
	mailbox_init(&m, box_dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, text.text.len), MAILBOX_LOCKED);
	box_truncate_fails = true;
	assert_int_equal(mailbox_mend(&m, &text), -EIO);
	assert_int_equal(m.n_mended, 0);
	box_truncate_fails = false;
	assert_int_equal(mailbox_mend(&m, &text), MAILBOX_NOT_DELIVERED);
	assert_int_equal(m.n_mended, 1);
	mailbox_unlock(&m);
	mbox_text_free(&text);
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

static void reconciles_what_lies_deep(void **state)
{
	struct mbox_delivery d = { .sender = SLICE("s@h"),
		.original_to = SLICE("o@h"),
		.forward_path = SLICE("p@h"),
		.content = SLICE("Received: x id 00000000000002A;\nSubject: x\n\nbody\n"),
		.queue_id = 42,
		.time_s = 1 };
	auto_buf struct buf box = BUF_INIT(8 * 1024 * 1024);
	struct mbox_text old, now, never;
	struct mailbox m;

	(void)state;
	assert_true(mbox_text_build(&old, &d));
	d.original_to = SLICE("another@h");
	assert_true(mbox_text_build(&now, &d));
	d.content = SLICE("Received: x id 00000000000002B;\nSubject: x\n\nbody\n");
	d.queue_id = 43;
	assert_true(mbox_text_build(&never, &d));
	buf_append(&box, buf_slice(&old.text));
	while (box.len < 3 * 1024 * 1024)
		buf_append_str(&box, "From 0\n\nfirst\n\n");
	box_put("u", buf_slice(&box));
	mailbox_init(&m, box_dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, now.text.len), MAILBOX_LOCKED);
	assert_int_equal(mailbox_reconcile(&m, &now), MAILBOX_DELIVERED_BEFORE);
	assert_int_equal(mailbox_reconcile(&m, &never), MAILBOX_NOT_DELIVERED);
	assert_int_equal(mailbox_append(&m, buf_slice(&never.text)), MAILBOX_APPENDED);
	assert_int_equal(mailbox_reconcile(&m, &old), MAILBOX_DELIVERED_BEFORE);
	mailbox_unlock(&m);
	mbox_text_free(&old);
	mbox_text_free(&now);
	mbox_text_free(&never);
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends),
		cmocka_unit_test(creates_and_takes_back),
		cmocka_unit_test(a_failed_sync_is_undone),
		cmocka_unit_test(what_cannot_be_undone_is_cut_next_time),
		cmocka_unit_test(a_failed_write_is_undone),
		cmocka_unit_test(a_full_mailbox_stays),
		cmocka_unit_test(refuses_unsafe_mailboxes),
		cmocka_unit_test(explains_everything),
		cmocka_unit_test(reconciles),
		cmocka_unit_test(what_cannot_be_cut_off_is_not_mended),
		cmocka_unit_test(reconciles_what_lies_deep),
	};

	return cmocka_run_group_tests(tests, box_make_dir, box_remove_dir);
}
