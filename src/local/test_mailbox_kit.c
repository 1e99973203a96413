/* SPDX-License-Identifier: Apache-2.0 */
/* test_mailbox_kit.c - see test_mailbox_kit.h */
#include "local/test_mailbox_kit.h"
#include "base/file.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char dir_name[] = "/tmp/test_mailbox.XXXXXX";
int box_dir = -1;
bool box_sync_fails, box_truncate_fails;
unsigned box_n_syncs;

/* Instead of the C library's. */
int ftruncate(int fd, off_t size)
{
	if (box_truncate_fails)
		errno = EIO;
	return box_truncate_fails ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

/* Instead of the C library's. */
int fdatasync(int fd)
{
	(void)fd;
	box_n_syncs++;
	if (box_sync_fails)
		errno = EIO;
	return box_sync_fails ? -1 : 0;
}

time_t box_lock_age_s;

/* Instead of the C library's. */
int fstatat(int at, const char *name, struct stat *st, int flags)
{
	int r = (int)syscall(SYS_newfstatat, at, name, st, flags);

	if (r == 0 && slice_ends_nocase(slice_of(name), SLICE(".lock")))
		st->st_ctim.tv_sec -= box_lock_age_s;
	return r;
}

int box_make_dir(void **state)
{
	(void)state;
	dotlock_init();
	(void)signal(SIGXFSZ, SIG_IGN);
	if (!mkdtemp(dir_name))
		return -1;
	box_dir = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return box_dir < 0;
}

int box_remove_dir(void **state)
{
	(void)state;
	(void)close(box_dir);
	return rmdir(dir_name); /* fails when a test left something */
}

void box_put(const char *name, struct slice text)
{
	auto_close int fd = openat(box_dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text), 0);
}

void box_assert_content(const char *name, struct slice want)
{
	auto_buf struct buf got = BUF_INIT(1 << 20);

	assert_int_equal(file_read_path(box_dir, name, &got), 0);
	assert_slice_equal(buf_slice(&got), want);
}

bool box_is_there(const char *name)
{
	return faccessat(box_dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void box_assert_free(const char *name)
{
	struct mailbox m;

	mailbox_init(&m, box_dir, name, 0);
	assert_int_equal(mailbox_lock(&m, 10), MAILBOX_LOCKED);
	mailbox_unlock(&m);
	assert_false(box_is_there("u.lock"));
}
