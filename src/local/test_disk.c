/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_disk.c - instead of the C library's calls that write and sync, in the test and in the role, which is
 *the same program
 *
 * Files that the test makes say what goes wrong; TEST_DISK names their directory. Nothing is really synced.
 *
 *	sync-fails	while it is there no sync succeeds
 *	syncs		gets a byte for each
 *	write-fails	holds an errno: a write to a mailbox stops half way with it
 *
 * Layer: tests of local.
 */
#include "base/slice.h"
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static int open_control(const char *name, int flags)
{
	const char *dir = getenv("TEST_DISK");
	char path[300];

	if (!dir)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
}

static int sync_result(void)
{
	auto_close int count = open_control("syncs", O_WRONLY | O_APPEND);
	auto_close int flag = open_control("sync-fails", O_RDONLY);

	if (count >= 0)
		CHECK(write(count, ".", 1) == 1);
	if (flag < 0)
		return 0;
	(void)usleep(20000); /* so that several wait, and the file system is synced for them together */
	errno = EIO;
	return -1;
}

int fdatasync(int fd)
{
	(void)fd;
	return sync_result();
}

int fsync(int fd)
{
	(void)fd;
	return sync_result();
}

int syncfs(int fd)
{
	(void)fd;
	return sync_result();
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	auto_close int flag = open_control("write-fails", O_RDONLY);
	static bool is_half;
	uint64_t error;
	char text[20];
	ssize_t got;

	if (flag < 0)
		return syscall(SYS_pwritev, fd, iov, (long)n, (long)at, 0L);
	is_half = !is_half;
	if (is_half) /* the caller comes again with the rest */
		return pwrite(fd, iov->iov_base, (iov->iov_len + 1) / 2, at);
	got = read(flag, text, sizeof(text));
	CHECK(got > 0 && slice_to_u64((struct slice){ text, (size_t)got }, INT_MAX, &error));
	errno = (int)error;
	return -1;
}
