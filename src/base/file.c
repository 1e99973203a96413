/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - see file.h; tests replace the system calls (tests/support/shim.c) and fail them on purpose */
#include "base/file.h"
#include <fcntl.h>
#include <sys/stat.h>

#define RETRY_EINTR(call)                                                                                    \
	({                                                                                                   \
		long r_;                                                                                     \
		do                                                                                           \
			r_ = (call);                                                                         \
		while (r_ < 0 && errno == EINTR);                                                            \
		r_;                                                                                          \
	})

static int file_result(long r)
{
	return r < 0 ? -errno : 0;
}

int file_write_all(int fd, struct slice bytes)
{
	while (bytes.len) {
		ssize_t n = RETRY_EINTR(write(fd, bytes.at, bytes.len));
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOSPC;
		bytes = slice_from(bytes, (size_t)n);
	}
	return 0;
}

int file_pwrite_all(int fd, struct slice bytes, uint64_t offset)
{
	struct iovec iov = { .iov_base = (char *)(uintptr_t)bytes.at, .iov_len = bytes.len };

	return file_pwritev_all(fd, &iov, 1, offset);
}

int file_pwritev_all(int fd, struct iovec *iov, size_t n_iov, uint64_t offset)
{
	while (n_iov) {
		if (iov->iov_len == 0) {
			iov++, n_iov--;
			continue;
		}
		ssize_t n = RETRY_EINTR(pwritev(fd, iov, (int)MIN(n_iov, (size_t)IOV_MAX), (off_t)offset));
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENOSPC;
		offset += (uint64_t)n;
		for (size_t left = (size_t)n; left;) {
			size_t part = MIN(left, iov->iov_len);
			iov->iov_base = (char *)iov->iov_base + part;
			iov->iov_len -= part;
			left -= part;
			if (iov->iov_len == 0)
				iov++, n_iov--;
		}
	}
	return 0;
}

int file_pread_all(int fd, char *to, size_t n, uint64_t offset)
{
	while (n) {
		ssize_t got = RETRY_EINTR(pread(fd, to, n, (off_t)offset));
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ENODATA;
		to += got;
		n -= (size_t)got;
		offset += (uint64_t)got;
	}
	return 0;
}

int file_read_all(int fd, struct buf *to)
{
	for (;;) {
		char chunk[16384];
		ssize_t n = RETRY_EINTR(read(fd, chunk, sizeof(chunk)));
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		buf_append(to, (struct slice){ chunk, (size_t)n });
		if (!buf_ok(to))
			return -EFBIG;
	}
}

int file_read_path(int dirfd, const char *path, struct buf *to)
{
	auto_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : file_read_all(fd, to);
}

int file_write_zeros(int fd, uint64_t size_bytes)
{
	static const char zeros[65536];

	for (uint64_t at = 0; at < size_bytes;) {
		size_t n = (size_t)MIN((uint64_t)sizeof(zeros), size_bytes - at);
		int r = file_pwrite_all(fd, (struct slice){ zeros, n }, at);
		if (r < 0)
			return r;
		at += n;
	}
	return 0;
}

int file_sync(int fd)
{
	return file_result(RETRY_EINTR(fsync(fd)));
}

int file_sync_data(int fd)
{
	return file_result(RETRY_EINTR(fdatasync(fd)));
}

int file_sync_fs(int fd)
{
	return file_result(RETRY_EINTR(syncfs(fd)));
}

int file_sync_dir(int dirfd)
{
	return file_sync(dirfd);
}

int file_rename(int from_dir, const char *from, int to_dir, const char *to)
{
	return file_result(renameat(from_dir, from, to_dir, to));
}

int file_rename_new(int from_dir, const char *from, int to_dir, const char *to)
{
	int r = file_result(renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE));

	if (r != -EINVAL)
		return r;
	r = file_link(from_dir, from, to_dir, to); /* NFS and some others cannot do it in one step */
	return r == 0 ? file_unlink(from_dir, from) : r;
}

int file_exchange(int dir_a, const char *a, int dir_b, const char *b)
{
	return file_result(renameat2(dir_a, a, dir_b, b, RENAME_EXCHANGE));
}

int file_link(int from_dir, const char *from, int to_dir, const char *to)
{
	return file_result(linkat(from_dir, from, to_dir, to, 0));
}

int file_unlink(int dirfd, const char *name)
{
	return file_result(unlinkat(dirfd, name, 0));
}

static int file_write_aside(int dirfd, const char *aside, mode_t mode, struct slice content)
{
	auto_close int fd = openat(dirfd, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	int r;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0)
		return -errno;
	r = file_write_all(fd, content);
	return r < 0 ? r : file_sync(fd);
}

int file_replace(int dirfd, const char *name, mode_t mode, struct slice content)
{
	char aside[NAME_MAX + 1];
	int n = snprintf(aside, sizeof(aside), "%s.%d.new", name, (int)getpid());
	int r;

	if (n < 0 || (size_t)n >= sizeof(aside))
		return -ENAMETOOLONG;
	r = file_write_aside(dirfd, aside, mode, content);
	if (r == -EEXIST) { /* left by a process of our number that was killed */
		r = file_unlink(dirfd, aside);
		if (r == 0)
			r = file_write_aside(dirfd, aside, mode, content);
	}
	if (r == 0)
		r = file_rename(dirfd, aside, dirfd, name);
	if (r < 0) {
		(void)!file_unlink(dirfd, aside); /* the first failure is the one to report */
		return r;
	}
	return file_sync_dir(dirfd);
}

bool file_is_directory(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

int file_list(int dirfd, const char *name, DIR **dir_out)
{
	auto_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		return -errno;
	(void)take_fd(&fd); /* the stream's now */
	*dir_out = dir;
	return 0;
}

int file_make_dirs(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return -errno;
		part[i] = i < len ? '/' : '\0';
	}
	return 0;
}

int file_hold_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR); /* the lowest number that is free; it stays open over exec */
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	(void)close(fd); /* one more than needed */
	return 0;
}
