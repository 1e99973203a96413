/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_mailbox.c - append, locks of others, unsafe mailboxes, failing writes and syncs, leftovers of killed
 * processes
 */
#include "support/test.h"
#include "base/file.h"
#include "local/mailbox.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char dir_name[] = "/tmp/test_mailbox.XXXXXX";
static int dir = -1;
static bool sync_fails, truncate_fails;
static unsigned n_syncs;

/* Instead of the C library's. */
int ftruncate(int fd, off_t size)
{
	if (truncate_fails)
		errno = EIO;
	return truncate_fails ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

/* Instead of the C library's. */
int fdatasync(int fd)
{
	(void)fd;
	n_syncs++;
	if (sync_fails)
		errno = EIO;
	return sync_fails ? -1 : 0;
}

static time_t lock_age_s; /* how much older a lock file looks than it is: its ctime cannot be set */

/* Instead of the C library's. */
int fstatat(int at, const char *name, struct stat *st, int flags)
{
	int r = (int)syscall(SYS_newfstatat, at, name, st, flags);

	if (r == 0 && slice_ends_nocase(slice_of(name), SLICE(".lock")))
		st->st_ctim.tv_sec -= lock_age_s;
	return r;
}

static int make_dir(void **state)
{
	(void)state;
	dotlock_init();
	(void)signal(SIGXFSZ, SIG_IGN);
	if (!mkdtemp(dir_name))
		return -1;
	dir = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)close(dir);
	return rmdir(dir_name); /* fails when a test left something */
}

static void put(const char *name, struct slice text)
{
	auto_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text), 0);
}

static void assert_content(const char *name, struct slice want)
{
	auto_buf struct buf got = BUF_INIT(1 << 20);

	assert_int_equal(file_read_path(dir, name, &got), 0);
	assert_slice_equal(buf_slice(&got), want);
}

static bool is_there(const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_free(const char *name)
{
	struct mailbox m;

	mailbox_init(&m, dir, name, 0);
	assert_int_equal(mailbox_lock(&m, 10), MAILBOX_LOCKED);
	mailbox_unlock(&m);
	assert_false(is_there("u.lock"));
}

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
		put("u", rows[i].before);
		mailbox_init(&m, dir, "u", 0);
		assert_int_equal(mailbox_lock(&m, 10), MAILBOX_LOCKED);
		assert_true(is_there("u.lock"));
		assert_int_equal(mailbox_append(&m, SLICE("From 1\n\n")), MAILBOX_APPENDED);
		assert_int_equal(mailbox_sync(&m), 0);
		mailbox_unlock(&m);
		assert_false(is_there("u.lock"));
		assert_content("u", rows[i].want);
	}
	assert_int_equal(file_unlink(dir, "u"), 0);
}

static void creates_and_takes_back(void **state)
{
	struct mailbox m;
	struct stat st;

	(void)state;
	mailbox_init(&m, dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 10), MAILBOX_LOCKED);
	assert_true(m.is_new);
	assert_int_equal(fstat(m.fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(mailbox_append(&m, SLICE("From 1\n\n")), MAILBOX_APPENDED);
	assert_int_equal(mailbox_undo(&m), 0);
	mailbox_unlock(&m);
	assert_false(is_there("u"));
	assert_false(is_there("u.lock"));
}

static void a_failed_sync_is_undone(void **state)
{
	struct mailbox m;

	(void)state;
	put("u", SLICE("From 0\n\n"));
	mailbox_init(&m, dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 100), MAILBOX_LOCKED);
	assert_int_equal(mailbox_append(&m, SLICE("From 1\n\n")), MAILBOX_APPENDED);
	assert_int_equal(mailbox_append(&m, SLICE("From 2\n\n")), MAILBOX_APPENDED);
	sync_fails = true;
	assert_int_equal(mailbox_sync(&m), -EIO);
	sync_fails = false;
	n_syncs = 0;
	assert_int_equal(mailbox_undo(&m), 0);
	assert_int_equal(n_syncs, 1); /* of the shorter file */
	mailbox_unlock(&m);
	assert_content("u", SLICE("From 0\n\n"));
	assert_int_equal(file_unlink(dir, "u"), 0);
}

/* Neither synced nor cut off: the copy that is still there must not pass for a delivery. */
static void what_cannot_be_undone_is_cut_next_time(void **state)
{
	struct mailbox m;

	(void)state;
	put("u", SLICE("From 0\n\n"));
	mailbox_init(&m, dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 100), MAILBOX_LOCKED);
	assert_int_equal(mailbox_append(&m, SLICE("From 1\n\n")), MAILBOX_APPENDED);
	sync_fails = truncate_fails = true;
	assert_int_equal(mailbox_sync(&m), -EIO);
	assert_int_equal(mailbox_undo(&m), -EIO);
	mailbox_unlock(&m);
	assert_true(is_there("u.lock"));
	mailbox_init(&m, dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 100), -EIO);
	sync_fails = truncate_fails = false;
	mailbox_init(&m, dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 100), MAILBOX_LOCKED);
	assert_content("u", SLICE("From 0\n\n"));
	mailbox_unlock(&m);
	assert_false(is_there("u.lock"));
	assert_int_equal(file_unlink(dir, "u"), 0);
}

/* The limit lets a part of the second mail through, as a full disk does; the third fits again. */
static void a_failed_write_is_undone(void **state)
{
	struct rlimit old, small = { .rlim_cur = 30, .rlim_max = RLIM_INFINITY };
	struct mailbox m;

	(void)state;
	put("u", SLICE("From 0"));
	mailbox_init(&m, dir, "u", 0);
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
	assert_content("u", SLICE("From 0\n\nFrom 2\n\n"));
	assert_int_equal(file_unlink(dir, "u"), 0);
}

static void a_full_mailbox_stays(void **state)
{
	struct mailbox m;

	(void)state;
	put("u", SLICE("From 0\n\n"));
	mailbox_init(&m, dir, "u", 16);
	assert_int_equal(mailbox_lock(&m, 100), MAILBOX_LOCKED);
	assert_int_equal(mailbox_append(&m, SLICE("From 12\n\n")), MAILBOX_FULL);
	assert_int_equal(mailbox_append(&m, SLICE("From 1\n\n")), MAILBOX_APPENDED);
	mailbox_unlock(&m);
	assert_content("u", SLICE("From 0\n\nFrom 1\n\n"));
	assert_int_equal(file_unlink(dir, "u"), 0);
}

/* ---- unsafe mailboxes ---- */

static void make_symlink(void)
{
	put("target", SLICE(""));
	assert_int_equal(symlinkat("target", dir, "u"), 0);
}

static void make_hard_link(void)
{
	put("target", SLICE(""));
	assert_int_equal(linkat(dir, "target", dir, "u", 0), 0);
}

static void make_directory(void)
{
	assert_int_equal(mkdirat(dir, "u", 0700), 0);
}

static void make_fifo(void)
{
	assert_int_equal(mkfifoat(dir, "u", 0600), 0);
}

static void make_foreign(void)
{
	put("u", SLICE(""));
	assert_int_equal(fchownat(dir, "u", 12345, (gid_t)-1, 0), 0);
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
		mailbox_init(&m, dir, "u", 0);
		assert_int_equal(mailbox_lock(&m, 10), rows[i].want);
		mailbox_explain(rows[i].want, &status, &words);
		assert_string_equal(status, "4.2.0");
		assert_true(strlen(words) > 10);
		assert_false(is_there("u.lock"));
		if (is_there("target")) {
			assert_content("target", SLICE(""));
			assert_int_equal(file_unlink(dir, "target"), 0);
		}
		assert_int_equal(unlinkat(dir, "u", rows[i].make == make_directory ? AT_REMOVEDIR : 0), 0);
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

/* ---- locks ---- */

/* A process that runs body and then waits until it is told to end. */
static pid_t other_process(void (*body)(void), int *stop_out)
{
	int ready[2], stop[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(stop[1]);
		body();
		(void)!write(ready[1], "r", 1);
		(void)!read(stop[0], &c, 1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	(void)close(stop[0]);
	*stop_out = stop[1];
	return pid;
}

static void end_process(pid_t pid, int stop)
{
	int status;

	(void)close(stop);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void take_fcntl(void)
{
	int fd = openat(dir, "u", O_RDWR | O_CLOEXEC);
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fd < 0 || fcntl(fd, F_SETLK, &whole) < 0)
		_exit(1);
}

static void honours_an_fcntl_lock(void **state)
{
	struct mailbox m;
	int stop;
	pid_t pid;

	(void)state;
	put("u", SLICE("From 0\n\n"));
	pid = other_process(take_fcntl, &stop);
	mailbox_init(&m, dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 10), MAILBOX_BUSY_FCNTL);
	assert_false(is_there("u.lock"));
	end_process(pid, stop);
	assert_free("u");
	assert_int_equal(file_unlink(dir, "u"), 0);
}

static void honours_a_lock_file(void **state)
{
	static const struct slice notes[] = {
		SLICE(""),
		SLICE("1234\n"),
		SLICE("postrider otherhost boot 1 1 1 1\n"),
		SLICE("postrider\n"),
	};
	struct mailbox m;

	(void)state;
	put("u", SLICE("From 0\n\n"));
	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		put("u.lock", notes[i]);
		mailbox_init(&m, dir, "u", 0);
		assert_int_equal(mailbox_lock(&m, 10), MAILBOX_BUSY_DOTLOCK);
		assert_true(is_there("u.lock"));
		assert_int_equal(file_unlink(dir, "u.lock"), 0);
		assert_free("u");
	}
	assert_int_equal(file_unlink(dir, "u"), 0);
}

/* A process of ours was killed between creating its lock file and the end of writing the note. */
static void removes_a_lock_file_without_its_note(void **state)
{
	static const struct slice notes[] = { SLICE(""), SLICE("postrider ho"),
		SLICE("postrider host boot 1 2 3 4") };
	struct mailbox m;

	(void)state;
	put("u", SLICE("From 0\n\n"));
	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		put("u.lock", notes[i]);
		assert_int_equal(fchmodat(dir, "u.lock", S_ISVTX | 0600, 0), 0);
		mailbox_init(&m, dir, "u", 0);
		assert_int_equal(mailbox_lock(&m, 10), MAILBOX_LOCKED);
		mailbox_unlock(&m);
		assert_false(is_there("u.lock"));
	}
	put("u.lock", SLICE("1234\n"));
	assert_int_equal(fchmodat(dir, "u.lock", S_ISVTX | 0600, 0), 0);
	assert_int_equal(mailbox_lock(&m, 10), MAILBOX_BUSY_DOTLOCK);
	assert_int_equal(file_unlink(dir, "u.lock"), 0);
	assert_content("u", SLICE("From 0\n\n"));
	assert_int_equal(file_unlink(dir, "u"), 0);
}

static void removes_an_old_lock_file(void **state)
{
	struct mailbox m;

	(void)state;
	put("u", SLICE("From 0\n\n"));
	put("u.lock", SLICE("1234\n"));
	mailbox_init(&m, dir, "u", 0);
	lock_age_s = DOTLOCK_STALE_S - 5;
	assert_int_equal(mailbox_lock(&m, 10), MAILBOX_BUSY_DOTLOCK);
	lock_age_s = DOTLOCK_STALE_S + 5;
	assert_free("u");
	lock_age_s = 0;
	assert_int_equal(file_unlink(dir, "u"), 0);
}

/* ---- killed in the middle ---- */

static void write_and_die(void)
{
	struct mailbox m;

	mailbox_init(&m, dir, "u", 0);
	if (mailbox_lock(&m, 100) != MAILBOX_LOCKED ||
		mailbox_append(&m, SLICE("From 1\n\n")) != MAILBOX_APPENDED ||
		mailbox_append(&m, SLICE("From 2, cut o")) != MAILBOX_APPENDED)
		_exit(1);
	(void)kill(getpid(), SIGKILL);
}

static void kill_one(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		write_and_die();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void cuts_off_what_a_killed_process_wrote(void **state)
{
	(void)state;
	put("u", SLICE("From 0\n\n"));
	kill_one();
	assert_content("u", SLICE("From 0\n\nFrom 1\n\nFrom 2, cut o"));
	assert_true(is_there("u.lock"));
	assert_free("u");
	assert_content("u", SLICE("From 0\n\n"));
	assert_int_equal(file_unlink(dir, "u"), 0);
}

/* Another program that knows no lock files has written since, or has replaced the mailbox. */
static void leaves_what_others_wrote(void **state)
{
	static const char more[] = "From 3, from another program, and quite long; "
				   "longer than what the killed process had wanted to write\n\n";
	auto_buf struct buf want = BUF_INIT(1000);

	(void)state;
	put("u", SLICE("From 0\n\n"));
	kill_one();
	buf_append_str(&want, "From 0\n\nFrom 1\n\nFrom 2, cut o");
	buf_append_str(&want, more);
	put("u", buf_slice(&want));
	assert_free("u");
	assert_content("u", buf_slice(&want));

	kill_one();
	put("new", SLICE("From 0\n\nFrom 9\n\n"));
	assert_int_equal(file_rename(dir, "new", dir, "u"), 0);
	assert_free("u");
	assert_content("u", SLICE("From 0\n\nFrom 9\n\n"));
	assert_int_equal(file_unlink(dir, "u"), 0);
}

static void a_note_of_another_boot_cuts_nothing(void **state)
{
	auto_buf struct buf note = BUF_INIT(1000);
	struct stat st;
	char host[HOST_NAME_MAX + 1];

	(void)state;
	put("u", SLICE("From 0\n\nFrom 1\n\n"));
	assert_int_equal(fstatat(dir, "u", &st, 0), 0);
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	buf_printf(&note, "postrider %s 00000000-dead-beef 1 %" PRIu64 " 8 100\n", host, (uint64_t)st.st_ino);
	put("u.lock", buf_slice(&note));
	assert_free("u");
	assert_content("u", SLICE("From 0\n\nFrom 1\n\n"));
	assert_int_equal(file_unlink(dir, "u"), 0);
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
		put("u", buf_slice(&box));
		mailbox_init(&m, dir, "u", 0);
		assert_int_equal(mailbox_lock(&m, now.text.len), MAILBOX_LOCKED);
		assert_int_equal(mailbox_reconcile(&m, &now),
			is_whole ? MAILBOX_DELIVERED_BEFORE : MAILBOX_NOT_DELIVERED);
		if (!is_whole)
			assert_int_equal(mailbox_append(&m, buf_slice(&now.text)), MAILBOX_APPENDED);
		mailbox_unlock(&m);
		box.len = strlen("From 0\n\n");
		buf_append(&box, is_whole ? buf_slice(&old.text) : buf_slice(&now.text));
		assert_content("u", buf_slice(&box));
	}
	mbox_text_free(&old);
	mbox_text_free(&now);
	assert_int_equal(file_unlink(dir, "u"), 0);
}

/* More than the window of the tail has been delivered since. */
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
	put("u", buf_slice(&box));
	mailbox_init(&m, dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, now.text.len), MAILBOX_LOCKED);
	assert_int_equal(mailbox_reconcile(&m, &now), MAILBOX_DELIVERED_BEFORE);
	assert_int_equal(mailbox_reconcile(&m, &never), MAILBOX_NOT_DELIVERED);
	assert_int_equal(mailbox_append(&m, buf_slice(&never.text)), MAILBOX_APPENDED);
	assert_int_equal(mailbox_reconcile(&m, &old), MAILBOX_DELIVERED_BEFORE);
	mailbox_unlock(&m);
	mbox_text_free(&old);
	mbox_text_free(&now);
	mbox_text_free(&never);
	assert_int_equal(file_unlink(dir, "u"), 0);
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
		cmocka_unit_test(honours_an_fcntl_lock),
		cmocka_unit_test(honours_a_lock_file),
		cmocka_unit_test(removes_a_lock_file_without_its_note),
		cmocka_unit_test(removes_an_old_lock_file),
		cmocka_unit_test(cuts_off_what_a_killed_process_wrote),
		cmocka_unit_test(leaves_what_others_wrote),
		cmocka_unit_test(a_note_of_another_boot_cuts_nothing),
		cmocka_unit_test(reconciles),
		cmocka_unit_test(reconciles_what_lies_deep),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
