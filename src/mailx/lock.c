/* SPDX-License-Identifier: Apache-2.0 */
/* lock.c - see lock.h */
#include "mailx/lock.h"
#include "base/clock.h"
#include "base/file.h"
#include "mailx/ceilings.h"
#include "mailx/leftover.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

static int lock_kernel(int fd, bool is_exclusive)
{
	struct flock range = { .l_type = is_exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &range) == 0)
		return LOCK_TAKEN;
	return errno == EAGAIN || errno == EACCES ? LOCK_BUSY : -errno;
}

/* The process whose number stands in a lock file; 0 when there is none in it. */
static pid_t dotlock_owner(const char *name)
{
	auto_buf struct buf text = BUF_INIT(64);
	uint64_t pid = 0;

	if (file_read_path(AT_FDCWD, name, &text) < 0 ||
		!slice_to_u64(slice_trim(buf_slice(&text)), INT_MAX, &pid))
		return 0;
	return (pid_t)pid;
}

static bool dotlock_is_stale(const char *name)
{
	struct stat st;
	pid_t owner;

	if (stat(name, &st) < 0 || clock_wall_s() - st.st_mtime < MAILX_LOCK_STALE_S)
		return false;
	owner = dotlock_owner(name);
	return owner == 0 || (kill(owner, 0) < 0 && errno == ESRCH);
}

/* Made under a name of our own and linked: link(2) is atomic everywhere, NFS included. */
static int dotlock_make(const char *name)
{
	auto_buf struct buf aside = BUF_INIT(PATH_MAX * 2);
	char pid[16];
	auto_close int fd = -1;
	int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid()), r;

	buf_printf(&aside, "%s.%d", name, (int)getpid());
	if (!buf_cstr(&aside))
		return -ENAMETOOLONG;
	fd = open(buf_cstr(&aside), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (fd < 0)
		return -errno;
	r = file_write_all(fd, (struct slice){ pid, (size_t)n });
	if (r == 0)
		r = file_link(AT_FDCWD, buf_cstr(&aside), AT_FDCWD, name);
	(void)file_unlink(AT_FDCWD, buf_cstr(&aside)); /* our own name; the link is what counts */
	return r;
}

/* LOCK_TAKEN also where the directory does not let us: the fcntl lock is all there is then. */
static int lock_dotlock(struct lock *l, const char *name)
{
	int r = dotlock_make(name);

	if (r == -EEXIST && dotlock_is_stale(name) && file_unlink(AT_FDCWD, name) == 0)
		r = dotlock_make(name);
	if (r == 0)
		l->dotlock = mem_dup_str(name);
	if (r == 0 || r == -EACCES || r == -EPERM || r == -EROFS || r == -ENAMETOOLONG || l->must_keep_size)
		return LOCK_TAKEN;
	return r == -EEXIST ? LOCK_BUSY : r;
}

/* The fcntl lock is held. */
static int lock_name(struct lock *l, int fd, const char *path, bool is_exclusive)
{
	auto_buf struct buf name = BUF_INIT(PATH_MAX * 2);
	int r = LEFTOVER_NONE;

	buf_printf(&name, "%s.lock", path);
	if (!buf_cstr(&name))
		return -ENAMETOOLONG;
	if (is_exclusive)
		r = leftover_settle(fd, buf_cstr(&name));
	if (r < 0)
		return r;
	l->must_keep_size = r == LEFTOVER_STAYS;
	return lock_dotlock(l, buf_cstr(&name));
}

static int lock_try(struct lock *l, int fd, const char *path, bool is_exclusive)
{
	int r = lock_kernel(fd, is_exclusive);

	if (r != LOCK_TAKEN)
		return r;
	l->fd = fd;
	r = lock_name(l, fd, path, is_exclusive);
	if (r != LOCK_TAKEN)
		lock_release(l); /* whoever holds the file may want the other lock */
	return r;
}

int lock_take(struct lock *l, int fd, const char *path, bool is_exclusive, unsigned wait_s)
{
	static const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	uint64_t deadline_ms = clock_mono_ms() + wait_s * 1000ULL;
	bool told = false;
	int r;

	*l = LOCK_NONE;
	while ((r = lock_try(l, fd, path, is_exclusive)) == LOCK_BUSY && clock_mono_ms() < deadline_ms) {
		if (!told)
			(void)fprintf(stderr, "%s is locked by another program; waiting up to %u seconds\n",
				path, wait_s);
		told = true;
		(void)nanosleep(&pause, NULL); /* an early end only means an earlier try */
	}
	return r;
}

void lock_release(struct lock *l)
{
	struct flock range = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	if (l->dotlock)
		(void)file_unlink(AT_FDCWD, l->dotlock); /* gone already: nothing lost */
	mem_free(l->dotlock);
	if (l->fd >= 0)
		(void)fcntl(l->fd, F_OFD_SETLK, &range); /* closing the file releases it too */
	*l = LOCK_NONE;
}
