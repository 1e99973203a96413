/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dotlock.c - see dotlock.h
 *
 * The file is created with O_EXCL, which is atomic on every local file system and on NFS since version 3; the
 * older way by link(2) costs two more changes of the directory for each delivery.
 *
 * The note names the boot. After a power cut a lock file may come back whose removal was not yet on disk,
 * although its delivery was: such a note must not cut anything off.
 */
#include "local/dotlock.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/stat.h>

#define NOTE_MAX 400
/* A mode that no other program gives its lock file: one of ours is known even before its note is written. */
#define LOCK_MODE (S_ISVTX | 0600)

static char self_host[HOST_NAME_MAX + 1];
static char self_boot[64]; /* empty: unknown, then nothing is undone */

void dotlock_init(void)
{
	auto_buf struct buf text = BUF_INIT(sizeof(self_boot));
	struct slice word, rest;

	if (gethostname(self_host, sizeof(self_host)) < 0 || self_host[0] == '\0')
		memcpy(self_host, "?", 2);
	self_host[sizeof(self_host) - 1] = '\0';
	if (file_read_path(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text) < 0)
		return;
	rest = buf_slice(&text);
	if (slice_next_word(&rest, &word) && word.len < sizeof(self_boot)) {
		memcpy(self_boot, word.at, word.len);
		self_boot[word.len] = '\0';
	}
}

/* "postrider HOST BOOT PID INODE OLD-SIZE PLANNED-END" */
static int note_write(int fd, const struct dotlock_note *note)
{
	char text[NOTE_MAX];
	int n = snprintf(text, sizeof(text), "postrider %s %s %d %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
		self_host, self_boot[0] ? self_boot : "-", (int)getpid(), note->inode, note->old_size,
		note->planned_end);

	CHECK(n > 0 && n < (int)sizeof(text));
	return file_write_all(fd, (struct slice){ text, (size_t)n });
}

enum note_kind {
	NOTE_FOREIGN, /* no note of ours, or of another host */
	NOTE_OLD,     /* ours, but from before the last boot, or before anything was done */
	NOTE_OURS,    /* ours and of this boot: *out is filled */
};

static enum note_kind note_parse(struct slice text, struct dotlock_note *out)
{
	enum { PROGRAM, HOST, BOOT, PID, INODE, OLD_SIZE, PLANNED_END, N_WORDS };
	struct slice word[N_WORDS];

	for (size_t i = 0; i < N_WORDS; i++)
		if (!slice_next_word(&text, &word[i]))
			return NOTE_FOREIGN;
	if (!slice_eq(word[PROGRAM], SLICE("postrider")) || !slice_eq(word[HOST], slice_of(self_host)))
		return NOTE_FOREIGN;
	if (!self_boot[0] || !slice_eq(word[BOOT], slice_of(self_boot)))
		return NOTE_OLD;
	if (!slice_to_u64(word[INODE], UINT64_MAX, &out->inode) ||
		!slice_to_u64(word[OLD_SIZE], UINT64_MAX, &out->old_size) ||
		!slice_to_u64(word[PLANNED_END], UINT64_MAX, &out->planned_end))
		return NOTE_FOREIGN;
	return NOTE_OURS;
}

/* Whose is the lock file that is in the way? Only a plain file of our own uid can be a note of ours. */
static enum note_kind examine(int dir, const char *name, struct dotlock_note *out)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	auto_buf struct buf text = BUF_INIT(NOTE_MAX);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
		st.st_nlink != 1 || file_read_all(fd, &text) < 0)
		return NOTE_FOREIGN;
	if ((st.st_mode & 07777) == LOCK_MODE && (text.len == 0 || text.at[text.len - 1] != '\n'))
		return NOTE_OLD; /* killed while it wrote the note, before it changed the mailbox */
	return note_parse(buf_slice(&text), out);
}

static bool is_old(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		clock_wall_s() - st.st_ctim.tv_sec > DOTLOCK_STALE_S;
}

static int create(struct dotlock *l, int dir, const struct dotlock_note *note)
{
	int r;

	l->fd = openat(dir, l->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, LOCK_MODE);
	if (l->fd < 0)
		return -errno;
	r = note_write(l->fd, note);
	if (r < 0) {
		dotlock_release(l, dir);
		return r;
	}
	return DOTLOCK_HELD;
}

int dotlock_try(struct dotlock *l, int dir, const char *mailbox, const struct dotlock_note *note,
	struct dotlock_note *left_out)
{
	int n = snprintf(l->name, sizeof(l->name), "%s.lock", mailbox);
	int r;

	if (n < 0 || (size_t)n >= sizeof(l->name))
		return -ENAMETOOLONG;
	r = create(l, dir, note);
	if (r != -EEXIST)
		return r;
	switch (examine(dir, l->name, left_out)) {
	case NOTE_OURS: return DOTLOCK_UNDONE;
	case NOTE_OLD: break;
	case NOTE_FOREIGN:
		if (!is_old(dir, l->name))
			return DOTLOCK_BUSY;
		break;
	}
	r = dotlock_remove(l, dir);
	if (r < 0)
		return r;
	r = create(l, dir, note);
	return r == -EEXIST ? DOTLOCK_BUSY : r;
}

int dotlock_remove(struct dotlock *l, int dir)
{
	int r = file_unlink(dir, l->name);

	return r == -ENOENT ? 0 : r;
}

void dotlock_leave(struct dotlock *l)
{
	cleanup_close(&l->fd);
	l->fd = -1;
}

void dotlock_release(struct dotlock *l, int dir)
{
	struct stat st;

	if (l->fd < 0)
		return;
	/* Somebody may have found it stale, removed it, and have his own there now. */
	if (fstat(l->fd, &st) == 0 && st.st_nlink > 0 && file_unlink(dir, l->name) < 0 &&
		ftruncate(l->fd, 0) < 0) {
		/* It can be neither removed nor emptied: others wait until it is old. */
	}
	cleanup_close(&l->fd);
	l->fd = -1;
}
