/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.c - see mailbox.h
 *
 * Locks in this order: fcntl, then MAILBOX.lock, neither of them waited for; who does not get the second
 * gives back the first. The checks come after the fcntl lock, on the descriptor, and once more on the name,
 * because a mail reader may have replaced or removed the file. Closing any descriptor of the file gives up
 * its fcntl lock, so there is only this one.
 */
#include "local/mailbox.h"
#include "base/file.h"
#include "local/mbox_tail.h"
#include <fcntl.h>
#include <sys/stat.h>

static const struct {
	const char *status, *words;
} explanations[MAILBOX_OUTCOME_COUNT] = {
	[MAILBOX_LOCKED] = { "2.0.0", "is locked by this delivery" },
	[MAILBOX_APPENDED] = { "2.0.0", "delivered to mailbox" },
	[MAILBOX_DELIVERED_BEFORE] = { "2.0.0", "delivered to mailbox before" },
	[MAILBOX_NOT_DELIVERED] = { "4.3.0", "the mailbox has no complete copy" },
	[MAILBOX_BUSY_FCNTL] = { "4.2.0", "another program holds a lock on the mailbox" },
	[MAILBOX_BUSY_DOTLOCK] = { "4.2.0", "another program holds the mailbox's .lock file" },
	[MAILBOX_MOVED] = { "4.2.0", "the mailbox was replaced while it was opened" },
	[MAILBOX_FULL] = { "4.2.2", "the mailbox is full (local.max_mailbox_size)" },
	[MAILBOX_NO_DOTLOCK] = { "4.2.0",
		"the .lock file cannot be created: the mail directory must be writable for "
		"security.mail_group" },
	[MAILBOX_SYMLINK] = { "4.2.0", "the mailbox is a symbolic link, which is not followed" },
	[MAILBOX_NOT_REGULAR] = { "4.2.0", "the mailbox is not a regular file" },
	[MAILBOX_HARD_LINKS] = { "4.2.0", "the mailbox file has more than one name (hard links)" },
	[MAILBOX_FOREIGN_OWNER] = { "4.2.0", "the mailbox belongs to another user" },
};

void mailbox_explain(int outcome, const char **status_out, const char **words_out)
{
	if (outcome > 0 && outcome < MAILBOX_OUTCOME_COUNT) {
		*status_out = explanations[outcome].status;
		*words_out = explanations[outcome].words;
		return;
	}
	*words_out = strerror(-outcome);
	switch (-outcome) {
	case ENOSPC: *status_out = "4.3.1"; break;
	case EDQUOT:
	case EFBIG: *status_out = "4.2.2"; break;
	case EACCES:
	case EPERM:
	case EROFS: *status_out = "4.2.0"; break;
	default: *status_out = "4.3.0"; break;
	}
}

void mailbox_init(struct mailbox *m, int dir, const char *name, uint64_t max_size)
{
	*m = (struct mailbox){
		.dir = dir,
		.name = name,
		.max_size = max_size,
		.fd = -1,
		.dotlock = DOTLOCK_INIT,
		.tail = BUF_INIT(MBOX_HISTORY_BYTES),
	};
}

/* ---- opening and locking ---- */

static int open_file(struct mailbox *m)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

	m->is_new = false;
	m->fd = openat(m->dir, m->name, flags);
	if (m->fd < 0 && errno == ENOENT) {
		m->fd = openat(m->dir, m->name, flags | O_CREAT | O_EXCL, 0600);
		m->is_new = m->fd >= 0;
	}
	if (m->fd >= 0)
		return 0;
	switch (errno) {
	case ELOOP: return MAILBOX_SYMLINK;
	case EEXIST: return MAILBOX_MOVED; /* it came into being just now */
	case EISDIR:
	case ENXIO: return MAILBOX_NOT_REGULAR;
	default: return -errno;
	}
}

static int lock_fcntl(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_SETLK, &whole) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? MAILBOX_BUSY_FCNTL : -errno;
}

static int check_file(struct mailbox *m, struct stat *st)
{
	if (fstat(m->fd, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode))
		return MAILBOX_NOT_REGULAR;
	if (st->st_nlink == 0)
		return MAILBOX_MOVED;
	if (st->st_nlink > 1)
		return MAILBOX_HARD_LINKS;
	if (!m->is_any_file && st->st_uid != geteuid())
		return MAILBOX_FOREIGN_OWNER;
	m->device = st->st_dev;
	m->size = m->old_size = (uint64_t)st->st_size;
	return 0;
}

/* What a killed process of ours appended, it never reported: its mails come again. Not cut off when the
 * mailbox is not as that process left it. */
static int undo_left_behind(struct mailbox *m, const struct stat *st, const struct dotlock_note *left)
{
	if (left->inode != st->st_ino || left->old_size >= m->size || left->planned_end < m->size)
		return 0;
	if (ftruncate(m->fd, (off_t)left->old_size) < 0)
		return -errno;
	m->size = m->old_size = left->old_size;
	return 0;
}

static int lock_dot(struct mailbox *m, const struct stat *st, uint64_t planned)
{
	struct dotlock_note note, left;
	int r = DOTLOCK_UNDONE;

	for (int i = 0; i < 2 && r == DOTLOCK_UNDONE; i++) {
		note = (struct dotlock_note){ st->st_ino, m->size, m->size + planned };
		r = dotlock_try(&m->dotlock, m->dir, m->name, &note, &left);
		if (r != DOTLOCK_UNDONE)
			break;
		int undone = undo_left_behind(m, st, &left);
		if (undone == 0)
			undone = dotlock_remove(&m->dotlock, m->dir);
		if (undone < 0)
			return undone;
	}
	if (r == -EACCES || r == -EPERM || r == -EROFS)
		return m->is_any_file ? 0 : MAILBOX_NO_DOTLOCK; /* the fcntl lock alone is all there can be */
	return r < 0 ? r : r == DOTLOCK_HELD ? 0 : MAILBOX_BUSY_DOTLOCK;
}

static int check_name(const struct mailbox *m, const struct stat *st)
{
	struct stat named;

	if (fstatat(m->dir, m->name, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? MAILBOX_MOVED : -errno;
	return named.st_ino == st->st_ino && named.st_dev == st->st_dev ? 0 : MAILBOX_MOVED;
}

/* An mbox's From_ line stands behind an empty line; another program may have left the end otherwise. */
static int look_at_end(struct mailbox *m)
{
	char end[2] = { '\n', '\n' };
	size_t n = (size_t)MIN(m->size, (uint64_t)2);
	int r = file_pread_all(m->fd, end + 2 - n, n, m->size - n);

	m->n_missing_line_ends = m->size == 0 ? 0 : end[1] != '\n' ? 2 : end[0] != '\n' ? 1 : 0;
	return r;
}

int mailbox_lock(struct mailbox *m, uint64_t planned)
{
	struct stat st;
	int r = open_file(m);

	if (r == 0)
		r = lock_fcntl(m->fd);
	if (r == 0)
		r = check_file(m, &st);
	if (r == 0)
		r = lock_dot(m, &st, planned);
	if (r == 0)
		r = check_name(m, &st);
	if (r == 0)
		r = look_at_end(m);
	if (r == 0)
		return MAILBOX_LOCKED;
	mailbox_unlock(m);
	return r;
}

bool mailbox_is_worth_waiting(int outcome)
{
	return outcome == MAILBOX_BUSY_FCNTL || outcome == MAILBOX_BUSY_DOTLOCK || outcome == MAILBOX_MOVED;
}

void mailbox_unlock(struct mailbox *m)
{
	mbox_history_free(&m->history);
	buf_free(&m->tail);
	if (m->is_unclean)
		dotlock_leave(&m->dotlock);
	else
		dotlock_release(&m->dotlock, m->dir);
	cleanup_close(&m->fd); /* gives up the fcntl lock */
	m->fd = -1;
}

/* ---- writing ---- */

static int cut(struct mailbox *m, uint64_t size)
{
	/* What cannot be cut off nobody may take for a delivery: the note stays, the next attempt cuts. */
	m->is_unclean = ftruncate(m->fd, (off_t)size) < 0;
	if (m->is_unclean)
		return -errno;
	m->size = size;
	m->tail.len = MIN(m->tail.len, (size_t)(size - MIN(size, m->tail_offset)));
	return look_at_end(m);
}

int mailbox_append(struct mailbox *m, struct slice text)
{
	static char line_ends[2] = { '\n', '\n' };
	struct iovec iov[] = {
		{ .iov_base = line_ends, .iov_len = m->n_missing_line_ends },
		{ .iov_base = (char *)(uintptr_t)text.at, .iov_len = text.len },
	};
	uint64_t end = m->size + m->n_missing_line_ends + text.len;
	int r;

	if (m->max_size && end > m->max_size)
		return MAILBOX_FULL;
	r = file_pwritev_all(m->fd, iov, ARRAY_LEN(iov), m->size);
	if (r < 0) {
		int undone = cut(m, m->size);
		return undone < 0 ? undone : r;
	}
	m->size = end;
	m->n_missing_line_ends = 0;
	return MAILBOX_APPENDED;
}

/* The last n bytes. */
static int read_end(const struct mailbox *m, size_t n, struct buf *to)
{
	char *room = buf_reserve(to, n);
	int r;

	if (!room)
		return -ENOMEM;
	r = file_pread_all(m->fd, room, n, m->size - n);
	if (r == 0)
		buf_grew(to, n);
	return r;
}

/* What an earlier attempt left behind that place goes. Only what is gone counts as mended: whoever goes on as
 * long as something is mended would not end on a mailbox that cannot be cut. */
static int cut_off_before(struct mailbox *m, uint64_t size)
{
	int r = cut(m, size);

	m->old_size = MIN(m->old_size, m->size);
	m->n_mended += r == 0;
	return r;
}

/* Whether the end is a copy of this very delivery, whole or cut off; then the part of it goes. */
static int look_for_tail(struct mailbox *m, const struct mbox_text *t, bool *is_delivered_out)
{
	size_t n = (size_t)MIN(m->size, (uint64_t)t->text.len + MBOX_TAIL_EXTRA + 1);
	auto_buf struct buf window = BUF_INIT(n);
	struct mbox_tail tail;
	int r = read_end(m, n, &window);

	if (r < 0)
		return r;
	tail = mbox_tail_examine(buf_slice(&window), n == m->size, t);
	r = tail.keep < n ? cut_off_before(m, m->size - n + tail.keep) : 0;
	if (r < 0)
		return r;
	*is_delivered_out = tail.is_delivered;
	return 0;
}

/* Once under a lock: what this lock's deliveries append cannot be what an earlier attempt left. */
static int load_history(struct mailbox *m)
{
	size_t n = (size_t)MIN(m->size, (uint64_t)MBOX_HISTORY_BYTES);
	int r;

	if (m->tail.at || n == 0)
		return 0; /* was read; perhaps all of it has been cut off since */
	r = read_end(m, n, &m->tail);
	if (r < 0)
		return r;
	m->tail_offset = m->size - n;
	m->first_hole = mbox_first_hole(buf_slice(&m->tail));
	mbox_history_build(&m->history, buf_slice(&m->tail), m->tail_offset == 0);
	return 0;
}

/* Puts the text where a part of it stands. MAILBOX_DELIVERED_BEFORE or negative errno. */
static int complete(struct mailbox *m, const struct mbox_text *t, size_t at)
{
	struct iovec iov = { .iov_base = t->text.at, .iov_len = t->text.len };
	int r = file_pwritev_all(m->fd, &iov, 1, m->tail_offset + at);

	if (r < 0)
		return r;
	memcpy(m->tail.at + at, t->text.at, t->text.len);
	mbox_history_free(&m->history);
	mbox_history_build(&m->history, buf_slice(&m->tail), m->tail_offset == 0);
	m->n_mended++;
	return MAILBOX_DELIVERED_BEFORE;
}

/* find: where in the mailbox's end such a copy begins. MAILBOX_DELIVERED_BEFORE: it is whole now;
 * MAILBOX_NOT_DELIVERED: there was none, or it is cut off. */
static int mend(struct mailbox *m, const struct mbox_text *t,
	size_t (*find)(const struct mbox_end *, const struct mbox_text *))
{
	const struct mbox_end end = { buf_slice(&m->tail), m->tail_offset, m->first_hole };
	size_t at;
	int r = 0;

	if (end.first_hole >= end.window.len)
		return MAILBOX_NOT_DELIVERED;
	if (mbox_whole_is_there(&end, t))
		return MAILBOX_DELIVERED_BEFORE;
	at = find(&end, t);
	if (at < end.window.len && end.window.len - at >= t->text.len)
		return complete(m, t, at);
	if (at < end.window.len) /* nothing is behind it */
		r = cut_off_before(m, m->tail_offset + at);
	return r < 0 ? r : MAILBOX_NOT_DELIVERED;
}

int mailbox_mend(struct mailbox *m, const struct mbox_text *t)
{
	bool is_delivered = false;
	int r = load_history(m);

	if (r == 0)
		r = mbox_history_has(&m->history, t) ? MAILBOX_DELIVERED_BEFORE : mend(m, t, mbox_torn_find);
	if (r != MAILBOX_NOT_DELIVERED)
		return r;
	r = m->size ? look_for_tail(m, t, &is_delivered) : 0;
	return r < 0 ? r : is_delivered ? MAILBOX_DELIVERED_BEFORE : MAILBOX_NOT_DELIVERED;
}

int mailbox_reconcile(struct mailbox *m, const struct mbox_text *t)
{
	int r = mailbox_mend(m, t);

	return r == MAILBOX_NOT_DELIVERED ? mend(m, t, mbox_gap_find) : r;
}

int mailbox_sync(struct mailbox *m)
{
	int r = file_sync_data(m->fd);

	return r == 0 && m->is_new ? file_sync_dir(m->dir) : r;
}

int mailbox_undo(struct mailbox *m)
{
	bool is_written = m->size > m->old_size;
	int r = cut(m, m->old_size);

	if (r < 0)
		return r;
	if (m->is_new && m->size == 0)
		return file_unlink(m->dir, m->name); /* it did not exist before; we hold its locks */
	/* The pages of a failed sync may be on disk all the same: the shorter length must get there, too. */
	return is_written ? file_sync_data(m->fd) : 0;
}
