/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_refusals.c - the whole role in sandbox mode: each condition under which a mailbox takes no mail, what
 * is said of it, and that nothing was changed; foreign owners are in test_privileges.c
 */
#include "local/test_rig.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/stat.h>

static struct rig rig;
static int held = -1; /* a mailbox that this process has locked */

/* ---- unsafe and locked mailboxes ---- */

static void make_symlink(const char *path)
{
	rig_write(&rig, "target", SLICE("From x\n\n"));
	assert_int_equal(symlink(rig_path(&rig, "target"), path), 0);
}

static void make_dangling_symlink(const char *path)
{
	assert_int_equal(symlink(rig_path(&rig, "nowhere"), path), 0);
}

static void make_hard_link(const char *path)
{
	rig_write(&rig, "linked", SLICE("From x\n\n"));
	assert_int_equal(link(rig_path(&rig, "linked"), path), 0);
}

static void make_directory(const char *path)
{
	assert_int_equal(mkdir(path, 0700), 0);
}

static void make_fifo(const char *path)
{
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void make_lock_file(const char *path)
{
	char name[320];
	auto_close int fd = -1;

	(void)snprintf(name, sizeof(name), "%s.lock", path);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
}

static void make_fcntl_lock(const char *path)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	held = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(held >= 0);
	assert_int_equal(fcntl(held, F_SETLK, &whole), 0);
}

static void make_full(const char *path)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 900), 0);
}

static const struct {
	void (*make)(const char *path);
	const char *status, *words;
} unsafe[] = {
	{ make_symlink, "4.2.0", "symbolic link" },
	{ make_dangling_symlink, "4.2.0", "symbolic link" },
	{ make_hard_link, "4.2.0", "hard links" },
	{ make_directory, "4.2.0", "not a regular file" },
	{ make_fifo, "4.2.0", "not a regular file" },
	{ make_lock_file, "4.2.0", "another program holds the mailbox's .lock file" },
	{ make_fcntl_lock, "4.2.0", "another program holds a lock on the mailbox" },
	{ make_full, "4.2.2", "the mailbox is full (local.max_mailbox_size)" },
};

static size_t n_names(const char *path)
{
	DIR *dir;
	size_t n = 0;

	assert_int_equal(file_list(AT_FDCWD, rig_path(&rig, path), &dir), 0);
	for (const struct dirent *e; (e = readdir(dir));)
		n += e->d_name[0] != '.';
	(void)closedir(dir);
	return n;
}

/* An administrator's mistake bounces nothing. u0 .. have a mailbox of that kind each. */
static void unsafe_mailboxes_defer(void **state)
{
	size_t n_before;

	(void)state;
	rig_init(&rig, ARRAY_LEN(unsafe), geteuid(), true, "lock_timeout = 1s\nmax_mailbox_size = 1000\n");
	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i);
		unsafe[i].make(rig_path(&rig, path));
	}
	n_before = n_names("mail");
	rig_start(&rig);
	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
		rig_give_simple(&rig, 1 + i, rig_user(i), 0);
	rig_wait_done(&rig, ARRAY_LEN(unsafe));
	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
		rig_assert_answer(&rig, 1 + i, 0, JOB_DEFERRED, unsafe[i].status, unsafe[i].words);
	assert_int_equal(rig_count(&rig, "target", "From"), 1);
	assert_int_equal(rig_count(&rig, "linked", "From"), 1);
	assert_int_equal(access(rig_path(&rig, "nowhere"), F_OK), -1);
	assert_in_range(n_names("mail"), n_before, n_before + 1); /* the one that only had a lock file */
	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu.lock", i);
		assert_int_equal(
			access(rig_path(&rig, path), F_OK), unsafe[i].make == make_lock_file ? 0 : -1);
	}
	assert_int_equal(rig_stop(&rig), 0);
	cleanup_close(&held);
	held = -1;
	rig_deinit(&rig);
}

/* ---- disks ---- */

static void what_could_not_be_written_is_cut_off(void **state)
{
	static const struct {
		int error;
		const char *status, *words;
	} rows[] = {
		{ ENOSPC, "4.3.1", "No space left on device" },
		{ EDQUOT, "4.2.2", "Disk quota exceeded" },
		{ EFBIG, "4.2.2", "File too large" },
		{ EIO, "4.3.0", "Input/output error" },
		{ ESTALE, "4.3.0", "Stale file handle" },
	};
	uint64_t job = 1;

	(void)state;
	rig_init(&rig, 2, geteuid(), true, "");
	rig_write(&rig, "mail/u0", SLICE("From x\n\n"));
	rig_start(&rig);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char number[16];
		(void)snprintf(number, sizeof(number), "%d", rows[i].error);
		rig_write(&rig, "write-fails", slice_of(number));
		for (size_t user = 0; user < 2;
			user++, job++) { /* u1 has no mailbox yet, and has none then */
			rig_give_simple(&rig, job, rig_user(user), 0);
			rig_wait_done(&rig, rig.n_done + 1);
			rig_assert_answer(&rig, job, 0, JOB_DEFERRED, rows[i].status, rows[i].words);
		}
		assert_int_equal(n_names("mail"), 1);
		assert_int_equal(rig_size(&rig, "mail/u0"), strlen("From x\n\n"));
	}
	assert_int_equal(unlink(rig_path(&rig, "write-fails")), 0);
	for (size_t user = 0; user < 2; user++, job++)
		rig_give_simple(&rig, job, rig_user(user), 0);
	rig_wait_done(&rig, rig.n_done + 2);
	rig_assert_answer(&rig, job - 1, 0, JOB_DELIVERED, "2.0.0", "");
	assert_int_equal(rig_count(&rig, "mail/u0", "From sender@example"), 1);
	assert_int_equal(rig_count(&rig, "mail/u1", "From sender@example"), 1);
	rig_end(&rig);
}

static void without_a_mail_directory_mail_waits(void **state)
{
	(void)state;
	rig_init(&rig, 1, geteuid(), true, "");
	assert_int_equal(rmdir(rig_path(&rig, "mail")), 0);
	rig_start(&rig);
	rig_give_simple(&rig, 1, "u0", 0);
	rig_wait_done(&rig, 1);
	rig_assert_answer(&rig, 1, 0, JOB_DEFERRED, "4.3.0", "No such file or directory");
	rig_end(&rig);
}

/* ---- who and what ---- */

static void no_mailbox_is_meant(void **state)
{
	(void)state;
	rig_init(&rig, 1, geteuid(), true, "");
	rig_start(&rig);
	rig_give(
		&rig, &(struct rig_mail){ .job = 1, .queue_id = 1, .users = { "u0" }, .kind = LEAF_COMMAND });
	rig_give(&rig, &(struct rig_mail){ .job = 2, .queue_id = 2, .users = { "u0" }, .kind = LEAF_FILE });
	rig_give(&rig, &(struct rig_mail){ .job = 3, .queue_id = 3, .users = { "u0" }, .kind = LEAF_REMOTE });
	rig_give_simple(&rig, 4, "nobody-here", 0);
	rig_wait_done(&rig, 4);
	for (uint64_t job = 1; job < 4; job++) /* without a reference, or no delivery of ours at all */
		rig_assert_answer(&rig, job, 0, JOB_DEFERRED, "4.3.3", "not a local delivery");
	rig_assert_answer(&rig, 4, 0, JOB_FAILED, "5.1.1", "unknown user: \"nobody-here\"");
	rig_write(&rig, "etc/users", SLICE("u9:broken\n"));
	rig_give_simple(&rig, 6, "u9", 0);
	rig_wait_done(&rig, 5);
	rig_assert_answer(&rig, 6, 0, JOB_DEFERRED, "4.3.0", "user database");
	rig_end(&rig);
}

/* ---- bytes ---- */

/* Whatever the bytes: a mailbox has them as they came, and the mail behind begins where it begins. */
static void every_byte_passes(void **state)
{
	static const struct slice bodies[] = {
		SLICE("a\rb\r\r\nc\r"),
		SLICE("nul\0and\0\0\n\0"),
		SLICE("\x01\x07\x1b[2J\x7f\x80\xff\xfe\n"),
		SLICE("\n\n\n"),
		SLICE("."),
		SLICE(""),
	};
	auto_buf struct buf line = BUF_INIT(200000);

	(void)state;
	rig_init(&rig, 1, geteuid(), true, "mbox_quoting = mboxrd\n");
	rig_start(&rig);
	while (line.len < 100000)
		buf_append_str(&line, "From x");
	buf_append_byte(&line, '\n');
	for (uint64_t i = 0; i <= ARRAY_LEN(bodies); i++) {
		struct slice body = i < ARRAY_LEN(bodies) ? bodies[i] : buf_slice(&line);
		auto_buf struct buf content = rig_content(i + 1, "", body), box, want = BUF_INIT(1 << 20);
		size_t n = rig_size(&rig, "mail/u0");
		rig_give(&rig,
			&(struct rig_mail){ .job = i + 1,
				.queue_id = i + 1,
				.users = { "u0" },
				.content = buf_slice(&content) });
		rig_wait_done(&rig, (size_t)i + 1);
		if (i == ARRAY_LEN(bodies))
			buf_append_byte(&want, '>');
		buf_append(&want, body);
		if (body.len == 0 || body.at[body.len - 1] != '\n')
			buf_append_str(&want, body.len ? "\n" : "");
		buf_append_byte(&want, '\n');
		box = rig_read(&rig, "mail/u0");
		assert_true(box.len >= n + want.len);
		assert_slice_equal(slice_from(buf_slice(&box), box.len - want.len), buf_slice(&want));
		assert_true(slice_starts(slice_from(buf_slice(&box), n), SLICE("From sender@example  ")));
	}
	rig_end(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsafe_mailboxes_defer),
		cmocka_unit_test(what_could_not_be_written_is_cut_off),
		cmocka_unit_test(without_a_mail_directory_mail_waits),
		cmocka_unit_test(no_mailbox_is_meant),
		cmocka_unit_test(every_byte_passes),
	};
	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
