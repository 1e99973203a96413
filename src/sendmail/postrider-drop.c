/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postrider-drop.c - the only set-id program: copies standard input to a new file in the drop directory
 *
 * Runs setgid to the group of that directory, for a user who may do anything to it: takes no arguments,
 * believes no environment (in a set-id process POSTRIDER_SANDBOX is ignored), parses nothing, follows
 * nothing. Exit 0 means: file, name and directory are on stable storage. Who sent the mail is the file's
 * owner, which the kernel sets.
 * Tests: tests/system/test_submission.py, tests/system/test_sync_order.py,
 * tests/system/test_system_setup.py.
 */
#include "base/file.h"
#include "config/paths.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>

#define BYTES_MAX                                                                                            \
	(UINT64_C(1) << 30) /* above any message.max_size that is usual; the queue checks the real one */
#define FILES_PER_USER 1000 /* a user cannot fill the directory while the daemon is down */
#define BYTES_RESERVED (UINT64_C(16) << 20) /* the disk's last space is the queue's */

static int fail(int status, const char *what, int error)
{
	(void)fprintf(
		stderr, "postrider-drop: %s%s%s\n", what, error ? ": " : "", error ? strerror(error) : "");
	return status;
}

/* A limit that the user set for other files is not meant for mail; above the hard one nobody gets. */
static void raise_file_size(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_FSIZE, &limit); /* else writing says what is wrong */
	}
}

static bool user_has_too_many(int dir)
{
	const struct dirent *e;
	unsigned n = 0;
	DIR *d;

	if (file_list(dir, ".", &d) < 0)
		return true;
	while ((e = readdir(d))) {
		struct stat st;
		if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == getuid())
			n++;
	}
	(void)closedir(d);
	return getuid() != 0 && n > FILES_PER_USER;
}

static bool disk_is_full(int dir)
{
	struct statvfs fs;

	return fstatvfs(dir, &fs) < 0 || (uint64_t)fs.f_bavail * fs.f_frsize < BYTES_RESERVED;
}

static char chunk[65536];

/* The next bytes of the input; empty at its end. 0, or negative errno. */
static int read_chunk(struct slice *out)
{
	ssize_t n;

	do
		n = read(STDIN_FILENO, chunk, sizeof(chunk));
	while (n < 0 && errno == EINTR);
	*out = (struct slice){ chunk, (size_t)MAX(n, 0) };
	return n < 0 ? -errno : 0;
}

/* Copies the bytes that were read and everything behind them. 0, or negative errno; -EMSGSIZE above
 * BYTES_MAX. */
static int copy(int to, struct slice bytes)
{
	uint64_t total = 0;
	int r = 0;

	while (r == 0 && bytes.len) {
		total += bytes.len;
		if (total > BYTES_MAX)
			return -EMSGSIZE;
		r = file_write_all(to, bytes);
		if (r == 0)
			r = read_chunk(&bytes);
	}
	return r;
}

/* Unfinished files have a name that begins with a dot; the queue passes over them. */
static int drop(int dir, const char *unfinished, const char *name, struct slice first)
{
	auto_close int fd =
		openat(dir, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = copy(fd, first);
	if (r == 0 &&
		fchmod(fd, 0644) <
			0) /* for the queue, which is another user; the directory keeps others out */
		r = -errno;
	if (r == 0)
		r = file_sync(fd);
	/* A rename and no link: the queue refuses a file with two names, and may look at any moment. */
	if (r == 0)
		r = file_rename(dir, unfinished, dir, name);
	if (r < 0) {
		(void)file_unlink(dir, unfinished); /* the first failure is the one to report */
		return r;
	}
	return file_sync_dir(dir);
}

int main(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGXFSZ, SIGALRM };
	auto_close int dir = -1;
	char name[40], unfinished[48];
	struct slice first;
	struct paths paths;
	uint64_t dice[2];
	int r;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		(void)signal(ignored[i], SIG_IGN); /* a half-written file helps nobody */
	umask(022);
	if (file_hold_standard() < 0 || !paths_init_from_environment(&paths))
		return EX_OSERR;
	r = read_chunk(&first);
	if (r < 0)
		return fail(EX_IOERR, "standard input", -r);
	if (first.len == 0)
		return fail(
			EX_DATAERR, "standard input is empty; sendmail(8) is the command that sends mail", 0);
	raise_file_size();
	dir = open(paths.drop_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0) {
		bool is_forbidden = errno == EACCES;
		(void)fail(EX_TEMPFAIL, paths.drop_dir, errno);
		return is_forbidden
			? fail(EX_TEMPFAIL,
				  "is it setgid, as it must be? As root: `postrider setup` mends that", 0)
			: EX_TEMPFAIL;
	}
	if (disk_is_full(dir))
		return fail(EX_TEMPFAIL, "the disk is full", 0);
	if (user_has_too_many(dir))
		return fail(EX_TEMPFAIL, "too much of your mail waits for the daemon's start", 0);
	if (getrandom(dice, sizeof(dice), 0) != (ssize_t)sizeof(dice))
		return fail(EX_TEMPFAIL, "no random numbers", errno);
	(void)snprintf(name, sizeof(name), "%016" PRIX64 "%016" PRIX64, dice[0], dice[1]);
	(void)snprintf(unfinished, sizeof(unfinished), ".%s", name);
	r = drop(dir, unfinished, name, first);
	if (r < 0)
		return fail(
			r == -EMSGSIZE ? EX_UNAVAILABLE : EX_TEMPFAIL, "the mail could not be written", -r);
	return EX_OK;
}
