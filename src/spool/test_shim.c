/* SPDX-License-Identifier: Apache-2.0 */
/* test_shim.c - stands in for the system calls by which the spool changes files; see test_kit.h */
#include "spool/test_kit.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

struct shim shim;

static void shim_init(void) __attribute__((constructor));
static void shim_init(void)
{
	CHECK(uv_mutex_init(&shim.lock) == 0);
}

void shim_reset(void)
{
	uv_mutex_t lock = shim.lock;

	for (size_t i = 0; i < shim.n_events; i++)
		mem_free(shim.events[i].bytes);
	mem_free(shim.events);
	shim = (struct shim){ .lock = lock };
}

size_t shim_n_events(void)
{
	size_t n;

	uv_mutex_lock(&shim.lock);
	n = shim.n_events;
	uv_mutex_unlock(&shim.lock);
	return n;
}

static bool shim_fails(enum shim_call call)
{
	bool fails = false;

	uv_mutex_lock(&shim.lock);
	if (shim.counts && (!shim.fail_calls || shim.fail_calls & 1U << call)) {
		shim.n_calls++;
		fails = shim.fail_at && shim.n_calls >= shim.fail_at &&
			shim.n_calls < shim.fail_at + shim.fail_n;
	}
	uv_mutex_unlock(&shim.lock);
	if (fails)
		errno = shim.fail_error;
	return fails;
}

static uint64_t shim_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static size_t shim_record(struct shim_event event, const char *name, const char *to)
{
	size_t index = 0;

	uv_mutex_lock(&shim.lock);
	if (shim.records) {
		if (shim.n_events == shim.cap) {
			size_t cap = shim.cap ? shim.cap * 2 : 256;
			struct shim_event *grown = mem_new_array(cap, sizeof(*grown));
			if (shim.n_events)
				memcpy(grown, shim.events, shim.n_events * sizeof(*grown));
			mem_free(shim.events);
			shim.events = grown;
			shim.cap = cap;
		}
		if (name)
			(void)snprintf(event.name, sizeof(event.name), "%s", name); /* ours are short */
		if (to)
			(void)snprintf(event.to, sizeof(event.to), "%s", to);
		index = shim.n_events;
		shim.events[shim.n_events++] = event;
	} else {
		mem_free(event.bytes);
	}
	uv_mutex_unlock(&shim.lock);
	return index;
}

static bool shim_is_recording(void)
{
	bool is;

	uv_mutex_lock(&shim.lock);
	is = shim.records;
	uv_mutex_unlock(&shim.lock);
	return is;
}

static char *shim_gather(const struct iovec *iov, int n_iov, size_t n_bytes)
{
	char *bytes = mem_new(n_bytes);
	size_t at = 0;

	for (int i = 0; i < n_iov && at < n_bytes; i++) {
		size_t part = MIN(iov[i].iov_len, n_bytes - at);
		memcpy(bytes + at, iov[i].iov_base, part);
		at += part;
	}
	return bytes;
}

ssize_t pwritev(int fd, const struct iovec *iov, int n_iov, off_t offset)
{
	bool fails = shim_fails(SHIM_PWRITE);
	struct iovec half = iov[0];
	ssize_t n;

	if (fails && !shim.is_partial)
		return -1;
	if (fails) {
		half.iov_len /= 2;
		(void)!syscall(SYS_pwritev, fd, &half, 1, offset, 0L);
		errno = shim.fail_error;
		return -1;
	}
	n = syscall(SYS_pwritev, fd, iov, n_iov, offset, 0L);
	if (n > 0 && shim_is_recording())
		shim_record((struct shim_event){ .call = SHIM_PWRITE,
				    .file = shim_inode(fd),
				    .offset = (uint64_t)offset,
				    .n_bytes = (size_t)n,
				    .bytes = shim_gather(iov, n_iov, (size_t)n) },
			NULL, NULL);
	return n;
}

static int shim_sync(int fd, long number)
{
	size_t begin;
	long r;

	if (shim_fails(SHIM_SYNC))
		return -1;
	uv_mutex_lock(&shim.lock);
	shim.n_syncs_begun++;
	uv_mutex_unlock(&shim.lock);
	begin = shim_record(
		(struct shim_event){ .call = SHIM_SYNC_BEGIN, .file = shim_inode(fd) }, NULL, NULL);
	if (number == SYS_fdatasync && shim.hold_sync)
		uv_sem_wait(shim.hold_sync);
	r = shim.skips_syncs ? 0 : syscall(number, fd);
	uv_mutex_lock(&shim.lock);
	shim.n_syncs_done++;
	uv_mutex_unlock(&shim.lock);
	shim_record(
		(struct shim_event){ .call = SHIM_SYNC, .file = shim_inode(fd), .begin = begin }, NULL, NULL);
	return (int)r;
}

int fsync(int fd)
{
	return shim_sync(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return shim_sync(fd, SYS_fdatasync);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	int r;

	if (shim_fails(SHIM_RENAME))
		return -1;
	r = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
	if (r == 0)
		shim_record(
			(struct shim_event){ .call = SHIM_RENAME, .dir = shim_inode(from_dir) }, from, to);
	return r;
}

int unlinkat(int dir, const char *name, int flags)
{
	int r;

	if (shim_fails(SHIM_UNLINK))
		return -1;
	r = (int)syscall(SYS_unlinkat, dir, name, flags);
	if (r == 0)
		shim_record((struct shim_event){ .call = SHIM_UNLINK, .dir = shim_inode(dir) }, name, NULL);
	return r;
}

int openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list args;
	int fd;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	if (flags & O_CREAT && flags & O_EXCL && shim_fails(SHIM_CREATE))
		return -1;
	fd = (int)syscall(SYS_openat, dir, name, flags, mode);
	if (fd >= 0 && flags & O_CREAT && flags & O_EXCL)
		shim_record(
			(struct shim_event){
				.call = SHIM_CREATE, .file = shim_inode(fd), .dir = shim_inode(dir) },
			name, NULL);
	return fd;
}
