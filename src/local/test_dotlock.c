/* SPDX-License-Identifier: Apache-2.0 */
/* test_dotlock.c - locks of others, both kinds, and what killed processes of ours left */
#include "local/test_mailbox_kit.h"
#include "base/file.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- locks of others ---- */

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
	int fd = openat(box_dir, "u", O_RDWR | O_CLOEXEC);
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
	box_put("u", SLICE("From 0\n\n"));
	pid = other_process(take_fcntl, &stop);
	mailbox_init(&m, box_dir, "u", 0);
	assert_int_equal(mailbox_lock(&m, 10), MAILBOX_BUSY_FCNTL);
	assert_false(box_is_there("u.lock"));
	end_process(pid, stop);
	box_assert_free("u");
	assert_int_equal(file_unlink(box_dir, "u"), 0);
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
	box_put("u", SLICE("From 0\n\n"));
	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		box_put("u.lock", notes[i]);
		mailbox_init(&m, box_dir, "u", 0);
		assert_int_equal(mailbox_lock(&m, 10), MAILBOX_BUSY_DOTLOCK);
		assert_true(box_is_there("u.lock"));
		assert_int_equal(file_unlink(box_dir, "u.lock"), 0);
		box_assert_free("u");
	}
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

/* A process of ours was killed between creating its lock file and the end of writing the note. */
static void removes_a_lock_file_without_its_note(void **state)
{
	static const struct slice notes[] = { SLICE(""), SLICE("postrider ho"),
		SLICE("postrider host boot 1 2 3 4") };
	struct mailbox m;

	(void)state;
	box_put("u", SLICE("From 0\n\n"));
	for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
		box_put("u.lock", notes[i]);
		assert_int_equal(fchmodat(box_dir, "u.lock", S_ISVTX | 0600, 0), 0);
		mailbox_init(&m, box_dir, "u", 0);
		assert_int_equal(mailbox_lock(&m, 10), MAILBOX_LOCKED);
		mailbox_unlock(&m);
		assert_false(box_is_there("u.lock"));
	}
	box_put("u.lock", SLICE("1234\n"));
	assert_int_equal(fchmodat(box_dir, "u.lock", S_ISVTX | 0600, 0), 0);
	assert_int_equal(mailbox_lock(&m, 10), MAILBOX_BUSY_DOTLOCK);
	assert_int_equal(file_unlink(box_dir, "u.lock"), 0);
	box_assert_content("u", SLICE("From 0\n\n"));
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

static void removes_an_old_lock_file(void **state)
{
	struct mailbox m;

	(void)state;
	box_put("u", SLICE("From 0\n\n"));
	box_put("u.lock", SLICE("1234\n"));
	mailbox_init(&m, box_dir, "u", 0);
	box_lock_age_s = DOTLOCK_STALE_S - 5;
	assert_int_equal(mailbox_lock(&m, 10), MAILBOX_BUSY_DOTLOCK);
	box_lock_age_s = DOTLOCK_STALE_S + 5;
	box_assert_free("u");
	box_lock_age_s = 0;
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

/* ---- killed in the middle ---- */

static void write_and_die(void)
{
	struct mailbox m;

	mailbox_init(&m, box_dir, "u", 0);
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
	box_put("u", SLICE("From 0\n\n"));
	kill_one();
	box_assert_content("u", SLICE("From 0\n\nFrom 1\n\nFrom 2, cut o"));
	assert_true(box_is_there("u.lock"));
	box_assert_free("u");
	box_assert_content("u", SLICE("From 0\n\n"));
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

/* Another program that knows no lock files has written since, or has replaced the mailbox. */
static void leaves_what_others_wrote(void **state)
{
	static const char more[] = "From 3, from another program, and quite long; "
				   "longer than what the killed process had wanted to write\n\n";
	auto_buf struct buf want = BUF_INIT(1000);

	(void)state;
	box_put("u", SLICE("From 0\n\n"));
	kill_one();
	buf_append_str(&want, "From 0\n\nFrom 1\n\nFrom 2, cut o");
	buf_append_str(&want, more);
	box_put("u", buf_slice(&want));
	box_assert_free("u");
	box_assert_content("u", buf_slice(&want));

	kill_one();
	box_put("new", SLICE("From 0\n\nFrom 9\n\n"));
	assert_int_equal(file_rename(box_dir, "new", box_dir, "u"), 0);
	box_assert_free("u");
	box_assert_content("u", SLICE("From 0\n\nFrom 9\n\n"));
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

static void a_note_of_another_boot_cuts_nothing(void **state)
{
	auto_buf struct buf note = BUF_INIT(1000);
	struct stat st;
	char host[HOST_NAME_MAX + 1];

	(void)state;
	box_put("u", SLICE("From 0\n\nFrom 1\n\n"));
	assert_int_equal(fstatat(box_dir, "u", &st, 0), 0);
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	buf_printf(&note, "postrider %s 00000000-dead-beef 1 %" PRIu64 " 8 100\n", host, (uint64_t)st.st_ino);
	box_put("u.lock", buf_slice(&note));
	box_assert_free("u");
	box_assert_content("u", SLICE("From 0\n\nFrom 1\n\n"));
	assert_int_equal(file_unlink(box_dir, "u"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honours_an_fcntl_lock),
		cmocka_unit_test(honours_a_lock_file),
		cmocka_unit_test(removes_a_lock_file_without_its_note),
		cmocka_unit_test(removes_an_old_lock_file),
		cmocka_unit_test(cuts_off_what_a_killed_process_wrote),
		cmocka_unit_test(leaves_what_others_wrote),
		cmocka_unit_test(a_note_of_another_boot_cuts_nothing),
	};

	return cmocka_run_group_tests(tests, box_make_dir, box_remove_dir);
}
