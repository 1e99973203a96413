/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim_calls.c - the stand-ins for system calls; see shim-private.h
 *
 * The functions have two names where the C library has two (with and without 64), because the daemon and its
 * libraries were built with either. Environments are emptied on the way to a role: the exec functions put
 * back what makes the loader load this library.
 */
#include "support/shim-private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* ---- writes ---- */

static size_t total(const struct iovec *iov, int n_iov)
{
	size_t n = 0;

	for (int i = 0; i < n_iov; i++)
		n += iov[i].iov_len;
	return n;
}

/* The first n bytes of iov. */
static int first_part(const struct iovec *iov, int n_iov, size_t n, struct iovec *out)
{
	int k = 0;

	for (; k < n_iov && n; k++) {
		out[k] = iov[k];
		if (out[k].iov_len > n)
			out[k].iov_len = n;
		n -= out[k].iov_len;
	}
	return k;
}

static ssize_t write_and_keep(
	int fd, const struct iovec *iov, int n_iov, off_t offset, bool is_at_end_of_call)
{
	off_t at = offset >= 0 ? offset : syscall(SYS_lseek, fd, 0, SEEK_CUR);
	ssize_t n = offset >= 0 ? syscall(SYS_pwritev, fd, iov, n_iov, offset, 0L)
				: syscall(SYS_writev, fd, iov, n_iov);

	if (n > 0 && is_at_end_of_call)
		(void)shim_keep(&(struct shim_event){ .call = SHIM_WRITE,
					.file = shim_inode(fd),
					.offset = (uint64_t)at,
					.n_bytes = (size_t)n },
			iov, n_iov);
	return n;
}

static ssize_t write_part(int fd, const struct iovec *iov, int n_iov, off_t offset)
{
	const struct shim_fault *f = &shim->fault;
	size_t n = total(iov, n_iov), part = n > 1 ? 1 + f->seed * UINT64_C(2654435761) % (n - 1) : n;
	struct iovec some[64];
	enum shim_act act = f->act;
	int n_some = first_part(iov, n_iov < 64 ? n_iov : 64, part, some);
	ssize_t r = write_and_keep(fd, some, n_some, offset, true);

	if (act == SHIM_TEAR)
		shim_stop();
	if (act == SHIM_TEAR_KILL)
		shim_die();
	errno = f->error;
	return act == SHIM_SHORT ? r : -1;
}

/* offset -1: where the descriptor stands */
static ssize_t shim_write(int fd, const struct iovec *iov, int n_iov, off_t offset)
{
	bool is_watched_call;

	switch (shim_enter_one(SHIM_WRITE, fd, NULL, &is_watched_call)) {
	case FAIL: return -1;
	case PART: return write_part(fd, iov, n_iov, offset);
	case GO_ON: break;
	}
	return write_and_keep(fd, iov, n_iov, offset, is_watched_call);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n_iov, off_t offset)
{
	return shim_write(fd, iov, n_iov, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, n };

	return shim_write(fd, &iov, 1, offset);
}

ssize_t writev(int fd, const struct iovec *iov, int n_iov)
{
	return shim_write(fd, iov, n_iov, -1);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, n };

	if (!IS_PRELOADED) /* a test's own output; src/spool writes with pwritev alone */
		return syscall(SYS_write, fd, bytes, n);
	return shim_write(fd, &iov, 1, -1);
}

int ftruncate(int fd, off_t size)
{
	bool is_watched_call;
	int r;

	if (shim_enter_one(SHIM_TRUNCATE, fd, NULL, &is_watched_call) != GO_ON)
		return -1;
	r = (int)syscall(SYS_ftruncate, fd, size);
	if (r == 0 && is_watched_call)
		(void)shim_keep(
			&(struct shim_event){
				.call = SHIM_TRUNCATE, .file = shim_inode(fd), .offset = (uint64_t)size },
			NULL, 0);
	return r;
}

int fallocate(int fd, int mode, off_t offset, off_t n)
{
	bool is_watched_call;

	if (shim_enter_one(SHIM_ALLOCATE, fd, NULL, &is_watched_call) != GO_ON)
		return -1;
	return (int)syscall(SYS_fallocate, fd, mode, offset, n);
}

/* ---- syncs ---- */

static int sync_and_keep(int fd, long number)
{
	uint64_t file = number == SYS_syncfs ? 0 : shim_inode(fd);
	bool is_watched_call;
	enum verdict verdict = shim_enter_one(SHIM_SYNC, fd, NULL, &is_watched_call);
	int error = errno;
	size_t begin;
	long r;

	if (verdict == GO_ON && !is_watched_call)
		return (int)syscall(number, fd);
	if (verdict == GO_ON)
		atomic_fetch_add(&shim->n_syncs_begun, 1);
	begin = shim_keep(&(struct shim_event){ .call = SHIM_SYNC_BEGIN, .file = file }, NULL, 0);
	if (verdict != GO_ON) {
		(void)shim_keep(
			&(struct shim_event){
				.call = SHIM_SYNC, .file = file, .begin = begin, .is_failed = true },
			NULL, 0);
		errno = error;
		return -1;
	}
	if (number == SYS_fdatasync && shim->hold_sync)
		while (sem_wait(shim->hold_sync) < 0) {
		}
	r = shim->skips_syncs ? 0 : syscall(number, fd);
	atomic_fetch_add(&shim->n_syncs_done, 1);
	(void)shim_keep(
		&(struct shim_event){ .call = SHIM_SYNC, .file = file, .begin = begin, .is_failed = r < 0 },
		NULL, 0);
	return (int)r;
}

int fsync(int fd)
{
	return sync_and_keep(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return sync_and_keep(fd, SYS_fdatasync);
}

int syncfs(int fd)
{
	return sync_and_keep(fd, SYS_syncfs);
}

/* ---- names ---- */

static uint64_t dir_inode(int dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	char *end;

	if (name[0] != '/')
		return dir == AT_FDCWD ? (stat(".", &st) == 0 ? st.st_ino : 0) : shim_inode(dir);
	(void)snprintf(path, sizeof(path), "%s", name);
	end = strrchr(path, '/');
	*(end == path ? end + 1 : end) = '\0';
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static uint64_t named_inode(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

static const char *last_part(const char *name)
{
	return strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
}

static int two_names(
	enum shim_call call, int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	bool is_watched_call;
	int r;

	if (shim_enter(call, from_dir, from, to_dir, to, &is_watched_call) != GO_ON)
		return -1;
	r = (int)syscall(call == SHIM_LINK ? SYS_linkat : SYS_renameat2, from_dir, from, to_dir, to, flags);
	if (r == 0 && is_watched_call)
		(void)shim_keep_names(&(struct shim_event){ .call = call,
					      .file = named_inode(to_dir, to),
					      .dir = dir_inode(from_dir, from),
					      .to_dir = dir_inode(to_dir, to) },
			last_part(from), last_part(to));
	return r;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return two_names(SHIM_RENAME, from_dir, from, to_dir, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return two_names(SHIM_RENAME, from_dir, from, to_dir, to, (int)flags);
}

int rename(const char *from, const char *to)
{
	return two_names(SHIM_RENAME, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	return two_names(SHIM_LINK, from_dir, from, to_dir, to, flags);
}

int unlinkat(int dir, const char *name, int flags)
{
	bool is_watched_call;
	int r;

	if (shim_enter_one(SHIM_UNLINK, dir, name, &is_watched_call) != GO_ON)
		return -1;
	r = (int)syscall(SYS_unlinkat, dir, name, flags);
	if (r == 0 && is_watched_call)
		(void)shim_keep_names(
			&(struct shim_event){ .call = SHIM_UNLINK, .dir = dir_inode(dir, name) },
			last_part(name), NULL);
	return r;
}

int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

/* ---- opening ---- */

static void keep_created(int fd, int dir, const char *name)
{
	struct stat st = { 0 };

	(void)fstat(fd, &st); /* a descriptor that was just opened */
	(void)shim_keep_names(&(struct shim_event){ .call = SHIM_CREATE,
				      .file = st.st_ino,
				      .dir = dir_inode(dir, name),
				      .offset = st.st_mode },
		last_part(name), NULL);
}

static int open_and_keep(int dir, const char *name, int flags, mode_t mode)
{
	bool is_watched_call = false, is_new;
	int fd;

	if (IS_PRELOADED && shim && shim->boot[0] && strcmp(name, BOOT_ID) == 0)
		name = shim->boot;
	if (flags & O_CREAT && shim_enter_one(SHIM_CREATE, dir, name, &is_watched_call) != GO_ON)
		return -1;
	is_new = is_watched_call && (flags & O_EXCL || faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0);
	fd = (int)syscall(SYS_openat, dir, name, flags, mode);
	if (fd >= 0 && is_new)
		keep_created(fd, dir, name);
	return fd;
}

int openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	return open_and_keep(dir, name, flags, mode);
}

#if defined(SHIM_PRELOADED)
int open(const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	return open_and_keep(AT_FDCWD, name, flags, mode);
}

/* The other names: this file is compiled with _FILE_OFFSET_BITS=64, a library perhaps not. */
#define ALSO(type, name, other, parameters)                                                                  \
	type shim_##other parameters __asm__(#other) __attribute__((alias(#name)));
ALSO(ssize_t, pwritev64, pwritev, (int, const struct iovec *, int, off_t))
ALSO(ssize_t, pwrite64, pwrite, (int, const void *, size_t, off_t))
ALSO(int, ftruncate64, ftruncate, (int, off_t))
ALSO(int, fallocate64, fallocate, (int, int, off_t, off_t))
ALSO(int, openat64, openat, (int, const char *, int, ...))
ALSO(int, open64, open, (const char *, int, ...))

/* ---- on the way to a role ---- */

static char **with_shim(char *const envp[], char **room, size_t size)
{
	size_t n = 0;

	for (; envp && envp[n] && n + 3 < size; n++)
		room[n] = envp[n];
	room[n++] = (char *)(uintptr_t)shim_environment[0];
	room[n++] = (char *)(uintptr_t)shim_environment[1];
	room[n] = NULL;
	return room;
}

int execve(const char *path, char *const argv[], char *const envp[])
{
	char *room[128];

	return (int)syscall(
		SYS_execve, path, argv, shim ? with_shim(envp, room, 128) : (char **)(uintptr_t)envp);
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
	char *room[128];

	return (int)syscall(SYS_execveat, fd, "", argv,
		shim ? with_shim(envp, room, 128) : (char **)(uintptr_t)envp, AT_EMPTY_PATH);
}
#endif
