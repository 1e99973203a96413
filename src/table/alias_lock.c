/* SPDX-License-Identifier: Apache-2.0 */
/* alias_lock.c - see alias_lock.h */
#include "table/alias_lock.h"
#include "base/clock.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define WAIT_MS 10000
#define STEP_MS 20

/* The one who had the lock removed the file; what we hold may be without a name by now. */
static bool is_named(int fd, const char *name)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 && lstat(name, &named) == 0 && held.st_ino == named.st_ino &&
		held.st_dev == named.st_dev;
}

/* 0, or -EAGAIN: try again later, or another negative errno: it cannot be had. */
static int take_once(struct alias_lock *lock)
{
	auto_close int fd = open(lock->name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
	if (!is_named(fd, lock->name))
		return -EAGAIN;
	lock->fd = take_fd(&fd);
	return 0;
}

void alias_lock_take(struct alias_lock *lock, const char *table)
{
	static const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	uint64_t end_ms = clock_mono_ms() + WAIT_MS;

	lock->fd = -1;
	if ((size_t)snprintf(lock->name, sizeof(lock->name), "%s.lock", table) >= sizeof(lock->name))
		return;
	while (take_once(lock) == -EAGAIN && clock_mono_ms() < end_ms)
		(void)nanosleep(&step, NULL);
}

void alias_lock_drop(struct alias_lock *lock)
{
	if (lock->fd < 0)
		return;
	(void)!file_unlink(AT_FDCWD, lock->name); /* one that stays is taken over next time */
	cleanup_close(&lock->fd);
	lock->fd = -1;
}
