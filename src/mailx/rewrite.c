/* SPDX-License-Identifier: Apache-2.0 */
/* rewrite.c - see rewrite.h */
#include "mailx/rewrite.h"
#include "base/file.h"
#include "mailx/ceilings.h"
#include "mailx/journal.h"
#include "mailx/lock.h"
#include "mailx/maildir.h"
#include "mailx/packed.h"
#include "mailx/pieces.h"
#include <fcntl.h>
#include <sys/stat.h>

static bool message_needs_writing(const struct message *m)
{
	return (m->flags & MESSAGE_DELETED) || (m->flags & MESSAGE_STORED) != m->stored || m->edited;
}

static bool folder_needs_writing(const struct folder *f)
{
	for (size_t i = 0; i < f->messages.n; i++)
		if (message_needs_writing(&f->messages.at[i]))
			return true;
	return false;
}

/* The head with its Status: lines replaced by the present flags; they stand where the first of them stood,
 * else at the end. */
static void new_head(struct slice head, unsigned flags, struct buf *out)
{
	bool is_done = false, is_dropping = false;
	struct slice rest = head;

	while (rest.len) {
		size_t n = MIN(slice_find(rest, '\n') + 1, rest.len);
		struct slice line = slice_first(rest, n);
		bool is_status = mbox_is_status_line(line);
		rest = slice_from(rest, n);
		if (is_status && !is_done)
			mbox_status_lines(flags, out);
		is_done = is_done || is_status;
		is_dropping = is_status || (is_dropping && (line.at[0] == ' ' || line.at[0] == '\t'));
		if (!is_dropping)
			buf_append(out, line);
	}
	if (!is_done)
		mbox_status_lines(flags, out);
}

/* One kept message; its head is checked in any case, so that we never cut a file that changed under us. */
static int plan_message(const struct folder *f, size_t index, struct buf *head, struct pieces *plan)
{
	const struct message *m = &f->messages.at[index];
	auto_buf struct buf changed = BUF_INIT(MAILX_TEXT_MAX);
	int r;

	buf_clear(head);
	r = folder_read_stored_head(f, index, head);
	if (r < 0 || (m->flags & MESSAGE_DELETED))
		return r;
	if (!message_needs_writing(m)) {
		pieces_add_range(plan, m->offset, m->size);
		return 0;
	}
	new_head(m->edited ? slice_first(buf_slice(&m->edited->text), m->head_size) : buf_slice(head),
		m->flags, &changed);
	if (m->edited)
		buf_append(&changed, slice_from(buf_slice(&m->edited->text), m->head_size));
	if (!buf_ok(&changed))
		return -EFBIG;
	pieces_add_literal(plan, buf_slice(&changed));
	if (m->edited)
		return 0;
	pieces_add_range(plan, m->offset + m->head_size, m->size - m->head_size);
	return 0;
}

static int compare_offsets(const void *a, const void *b, void *folder)
{
	const struct folder *f = folder;
	uint64_t left = f->messages.at[*(const size_t *)a].offset,
		 right = f->messages.at[*(const size_t *)b].offset;

	return left < right ? -1 : left > right;
}

/* In the order of the file, whatever the numbers are (sort.h). */
static int plan_folder(struct folder *f, uint64_t size, struct pieces *plan)
{
	auto_buf struct buf head = BUF_INIT(MAILX_TEXT_MAX);
	auto_free size_t *order = mem_new_array(f->messages.n + 1, sizeof(*order));

	for (size_t i = 0; i < f->messages.n; i++)
		order[i] = i;
	qsort_r(order, f->messages.n, sizeof(*order), compare_offsets, f);
	for (size_t i = 0; i < f->messages.n; i++) {
		int r = plan_message(f, order[i], &head, plan);
		if (r < 0)
			return r;
	}
	pieces_add_range(plan, f->size, size - f->size);
	return 0;
}

/* The open file is still the one at path, and at least as long as we know it. */
static bool folder_is_same(const struct folder *f, uint64_t *size_out)
{
	struct stat there, ours;

	if (stat(f->path, &there) < 0 || fstat(f->fd, &ours) < 0 || there.st_ino != ours.st_ino ||
		there.st_dev != ours.st_dev || (uint64_t)ours.st_size < f->size)
		return false;
	*size_out = (uint64_t)ours.st_size;
	return true;
}

/* A file (fd) that is ours alone, in a directory where we may make and replace files. */
static bool may_rename(const struct folder *f, int fd)
{
	struct slice path = slice_of(f->path);
	auto_free char *dir = slice_dup(slice_first(path, slice_rfind(path, '/')));
	struct stat file, parent;

	if (f->is_system || path.at[0] != '/' || fstat(fd, &file) < 0 || stat(*dir ? dir : "/", &parent) < 0)
		return false;
	return file.st_nlink == 1 && file.st_uid == geteuid() && parent.st_uid == geteuid() &&
		faccessat(AT_FDCWD, *dir ? dir : "/", W_OK | X_OK, AT_EACCESS) == 0;
}

/* The pieces through an unpacked file to the packed one. */
static int write_packed(const struct packer *packer, const struct pieces *pieces, int from, int to)
{
	auto_close int plain = packed_temporary();
	uint32_t crc;
	int r = plain < 0 ? plain : pieces_write(pieces, from, plain, 0, &crc);

	return r < 0 ? r : packed_pack(packer, plain, to);
}

static int rewrite_aside(const struct folder *f, int file, const char *aside, const struct pieces *pieces)
{
	auto_close int to = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;
	uint32_t crc;
	int r;

	if (to < 0)
		return -errno;
	if (fstat(file, &st) < 0)
		return -errno;
	(void)!fchown(to, (uid_t)-1, st.st_gid); /* a group we are not in cannot be kept */
	if (fchmod(to, st.st_mode & 07777) < 0)
		return -errno;
	r = f->packer ? write_packed(f->packer, pieces, f->fd, to) : pieces_write(pieces, f->fd, to, 0, &crc);
	return r == 0 ? file_sync(to) : r;
}

/* file: what lies at the path now, whose mode is kept. */
static int rewrite_by_rename(const struct folder *f, int file, const struct pieces *pieces)
{
	auto_buf struct buf aside = BUF_INIT(PATH_MAX * 2);
	struct slice name = slice_of(f->path);
	auto_free char *dir = slice_dup(slice_first(name, slice_rfind(name, '/') + 1));
	auto_close int dirfd = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	buf_printf(&aside, "%s.%d.new", f->path, (int)getpid());
	if (!buf_cstr(&aside))
		return -ENAMETOOLONG;
	r = dirfd < 0 ? -errno : rewrite_aside(f, file, buf_cstr(&aside), pieces);
	if (r == 0)
		r = file_rename(AT_FDCWD, buf_cstr(&aside), AT_FDCWD, f->path);
	if (r < 0) {
		if (r != -EEXIST)
			(void)file_unlink(AT_FDCWD, buf_cstr(&aside)); /* the first failure is what counts */
		return r;
	}
	return file_sync_dir(dirfd);
}

static int rewrite_apply(struct folder *f, int file, struct pieces *plan, uint64_t old_size)
{
	uint64_t offset;

	if (f->packer || may_rename(f, file))
		return rewrite_by_rename(f, file, plan);
	offset = pieces_trim_unchanged(plan);
	return journal_replace(file, f->path, offset, old_size, plan);
}

/* file: what lies at the path, locked: the open folder itself, or the packed file, which is only replaced
 * whole. */
static int rewrite_locked(struct folder *f, int file, bool remove_empty, struct rewrite_outcome *outcome)
{
	auto_pieces struct pieces plan = PIECES_INIT;
	uint64_t size = f->size;
	int r;

	if (f->packer ? !folder_is_as_read(f, file) : !folder_is_same(f, &size))
		return REWRITE_CHANGED;
	if (f->packer && !may_rename(f, file))
		return REWRITE_NO_PLACE;
	r = plan_folder(f, size, &plan);
	if (r < 0)
		return r == -ESTALE ? REWRITE_CHANGED : r;
	outcome->has_new_mail = size > f->size;
	outcome->was_removed = plan.n == 0 && remove_empty && file_unlink(AT_FDCWD, f->path) == 0;
	if (outcome->was_removed)
		return REWRITE_DONE;
	r = rewrite_apply(f, file, &plan, size);
	return r < 0 ? r : REWRITE_DONE;
}

static int rewrite_file(struct folder *f, bool remove_empty, struct rewrite_outcome *outcome)
{
	auto_close int packed = f->packer ? open(f->path, O_RDWR | O_CLOEXEC) : -1;
	int file = f->packer ? packed : f->fd, r;
	struct lock lock;

	if (file < 0)
		return errno == ENOENT ? REWRITE_CHANGED : -errno;
	r = lock_take(&lock, file, f->path, true, MAILX_LOCK_WAIT_S);
	if (r != LOCK_TAKEN)
		return r == LOCK_BUSY ? REWRITE_BUSY : r;
	r = lock.must_keep_size ? REWRITE_UNFINISHED : rewrite_locked(f, file, remove_empty, outcome);
	lock_release(&lock);
	return r;
}

int rewrite_folder(struct folder *f, bool remove_empty, struct rewrite_outcome *outcome_out)
{
	struct rewrite_outcome outcome = { .has_new_mail = f->kind == FOLDER_MBOX && folder_has_grown(f) };
	int r = REWRITE_DONE;

	if (folder_needs_writing(f)) {
		if (f->is_read_only)
			r = -EROFS;
		else if (f->kind == FOLDER_MAILDIR)
			r = maildir_rewrite(f, &outcome);
		else
			r = rewrite_file(f, remove_empty, &outcome);
	}
	if (r == REWRITE_DONE)
		*outcome_out = outcome;
	return r;
}
