/* SPDX-License-Identifier: Apache-2.0 */
/* folder.c - see folder.h */
#include "mailx/folder.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "mailx/journal.h"
#include "mailx/ceilings.h"
#include "mailx/lock.h"
#include "mailx/maildir.h"
#include "mailx/packed.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Reads [from, to) into the index. The map lives only under the lock, so that nobody shortens the file below
 * it. */
static int folder_scan(struct folder *f, uint64_t from, uint64_t to)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), start = from / page * page;
	struct slice bytes;
	enum mbox_result r;
	char *map;

	if (from == to)
		return FOLDER_OPEN;
	map = mmap(NULL, to - start, PROT_READ, MAP_PRIVATE, f->fd, (off_t)start);
	if (map == MAP_FAILED)
		return -errno;
	(void)madvise(map, to - start, MADV_SEQUENTIAL); /* advice only */
	bytes = (struct slice){ map + (from - start), to - from };
	r = mbox_scan(bytes, from, &f->messages);
	(void)munmap(map, to - start); /* our own map: cannot fail */
	if (r != MBOX_OK)
		return FOLDER_NOT_MBOX;
	f->size = to;
	return FOLDER_OPEN;
}

static int folder_load(struct folder *f)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return -errno;
	return folder_scan(f, 0, (uint64_t)st.st_size);
}

static int stamp_of(int fd, struct folder_stamp *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*out = (struct folder_stamp){ .device = st.st_dev,
		.inode = st.st_ino,
		.size = st.st_size,
		.changed_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec };
	return 0;
}

bool folder_is_as_read(const struct folder *f, int packed_fd)
{
	struct folder_stamp now = { 0 };

	return stamp_of(packed_fd, &now) == 0 && now.device == f->stamp.device &&
		now.inode == f->stamp.inode && now.size == f->stamp.size &&
		now.changed_ns == f->stamp.changed_ns;
}

/* The packed file is locked; *packed_out is what the lock holds on to, the caller's. */
static int folder_load_packed(struct folder *f, int *packed_out)
{
	int plain = packed_unpack(f->packer, f->fd), r = stamp_of(f->fd, &f->stamp);

	if (plain < 0)
		return plain == -EBADMSG ? FOLDER_NOT_UNPACKED : plain;
	f->kind = FOLDER_PACKED;
	*packed_out = f->fd;
	f->fd = plain;
	return r < 0 ? r : folder_load(f);
}

static int folder_open_file(struct folder *f, const char *path)
{
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK; /* a pipe of that name must not hang us */
	struct stat st;

	f->fd = f->is_read_only ? -1 : open(path, O_RDWR | flags);
	if (f->fd < 0) {
		f->fd = open(path, O_RDONLY | flags);
		f->is_read_only = true;
	}
	if (f->fd < 0)
		return errno == ENOENT ? FOLDER_MISSING : -errno;
	if (fstat(f->fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return FOLDER_OPEN;
	f->is_read_only = true;
	return S_ISCHR(st.st_mode) && st.st_size == 0 ? FOLDER_OPEN
						      : FOLDER_NOT_FILE; /* /dev/null is empty */
}

static int folder_open_locked(struct folder *f)
{
	auto_close int packed = -1;
	struct lock lock;
	int r = lock_take(&lock, f->fd, f->path, !f->is_read_only, MAILX_LOCK_WAIT_S);

	if (r != LOCK_TAKEN)
		return r == LOCK_BUSY ? FOLDER_BUSY : r;
	r = f->is_read_only ? 0 : journal_recover(f->fd, f->path);
	f->packer = packer_of(f->fd, f->path);
	if (r == 0)
		r = f->packer ? folder_load_packed(f, &packed) : folder_load(f);
	lock_release(&lock);
	return r;
}

int folder_open(struct folder *f, const char *path, const char *name, bool is_read_only)
{
	char real[PATH_MAX];
	int r;

	*f = FOLDER_CLOSED;
	f->is_read_only = is_read_only;
	f->path = mem_dup_str(realpath(path, real) ? real : path);
	f->name = mem_dup_str(name);
	if (maildir_is(f->path)) {
		r = maildir_open(f);
	} else {
		r = folder_open_file(f, f->path);
		if (r == FOLDER_OPEN)
			r = folder_open_locked(f);
	}
	if (r != FOLDER_OPEN)
		folder_close(f);
	return r;
}

bool folder_is_at(const struct folder *f, const char *path)
{
	char real[PATH_MAX];

	return f->path && strcmp(realpath(path, real) ? real : path, f->path) == 0;
}

void folder_close(struct folder *f)
{
	mem_free(f->path);
	mem_free(f->name);
	mbox_index_free(&f->messages);
	strlist_free(&f->files);
	cleanup_close(&f->fd);
	*f = FOLDER_CLOSED;
}

bool folder_has_grown(const struct folder *f)
{
	struct stat st;

	if (f->kind == FOLDER_MAILDIR)
		return maildir_has_grown(f);
	return f->fd >= 0 && fstat(f->fd, &st) == 0 && (uint64_t)st.st_size > f->size;
}

static int folder_extend_file(struct folder *f)
{
	struct lock lock;
	struct stat st;
	int r = lock_take(&lock, f->fd, f->path, !f->is_read_only, MAILX_LOCK_WAIT_S);

	if (r != LOCK_TAKEN)
		return r == LOCK_BUSY ? FOLDER_BUSY : r;
	r = fstat(f->fd, &st) < 0 ? -errno : folder_scan(f, f->size, (uint64_t)st.st_size);
	lock_release(&lock);
	return r;
}

int folder_extend(struct folder *f, size_t *n_new_out)
{
	size_t before = f->messages.n;
	int r = FOLDER_OPEN;

	if (folder_has_grown(f))
		r = f->kind == FOLDER_MAILDIR ? maildir_extend(f) : folder_extend_file(f);
	*n_new_out = f->messages.n - before;
	return r;
}

static int folder_read_part(const struct folder *f, size_t index, uint64_t size, struct buf *out)
{
	const struct message *m = &f->messages.at[index];
	uint32_t head_size = m->edited ? m->edited->stored_head_size : m->head_size;
	char *room = buf_reserve(out, size);
	int r;

	if (!room)
		return -EFBIG;
	r = file_pread_all(f->fd, room, size, m->offset);
	if (r == -ENODATA)
		return -ESTALE;
	if (r < 0)
		return r;
	if (crc32c(0, (struct slice){ room, head_size }) != m->head_crc)
		return -ESTALE;
	buf_grew(out, size);
	return 0;
}

int folder_read(struct folder *f, size_t index, struct buf *out)
{
	const struct message *m = &f->messages.at[index];

	if (f->kind == FOLDER_MAILDIR)
		return maildir_read(f, index, false, out);
	if (m->edited) {
		buf_append(out, buf_slice(&m->edited->text));
		return buf_ok(out) ? 0 : -EFBIG;
	}
	return folder_read_part(f, index, f->messages.at[index].size, out);
}

int folder_read_head(struct folder *f, size_t index, struct buf *out)
{
	const struct message *m = &f->messages.at[index];

	if (f->kind == FOLDER_MAILDIR)
		return maildir_read(f, index, true, out);
	if (m->edited) {
		buf_append(out, slice_first(buf_slice(&m->edited->text), m->head_size));
		return buf_ok(out) ? 0 : -EFBIG;
	}
	return folder_read_part(f, index, m->head_size, out);
}

int folder_read_stored_head(const struct folder *f, size_t index, struct buf *out)
{
	const struct message *m = &f->messages.at[index];

	return folder_read_part(f, index, m->edited ? m->edited->stored_head_size : m->head_size, out);
}

/* What begins at the next From_ line in text: all there is behind the message. */
static bool is_one_message(struct slice text, struct message *scanned_out)
{
	struct mbox_index index = { 0 };
	bool is_one = mbox_scan(text, 0, &index) == MBOX_OK && index.n == 1 && index.at[0].offset == 0;

	if (is_one)
		*scanned_out = index.at[0];
	mbox_index_free(&index);
	return is_one;
}

enum folder_edit folder_edit(struct folder *f, size_t index, struct slice text)
{
	struct message *m = &f->messages.at[index], scanned;
	struct edited *edited;

	if (f->kind == FOLDER_MAILDIR)
		return FOLDER_EDIT_NEVER;
	if (!is_one_message(text, &scanned))
		return FOLDER_EDIT_NOT_ONE;
	edited = mem_new(sizeof(*edited));
	*edited = (struct edited){ .text = BUF_INIT(text.len + 2),
		.stored_head_size = m->edited ? m->edited->stored_head_size : m->head_size };
	buf_append(&edited->text, text);
	while (edited->text.len < 2 || memcmp(edited->text.at + edited->text.len - 2, "\n\n", 2) != 0)
		buf_append_byte(&edited->text, '\n');
	if (m->edited)
		buf_free(&m->edited->text);
	mem_free(m->edited);
	m->edited = edited;
	m->head_size = scanned.head_size;
	m->n_lines = 0;
	return FOLDER_EDITED;
}

uint32_t folder_count_lines(struct folder *f, size_t index)
{
	struct message *m = &f->messages.at[index];
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);

	if (m->n_lines == 0 && folder_read(f, index, &text) == 0)
		m->n_lines = mbox_count_lines(buf_slice(&text)) -
			(f->kind == FOLDER_MAILDIR
					? 2
					: 0); /* From_ line and closing line are not stored there */
	return m->n_lines;
}

struct message_parts message_split(struct slice text, size_t head_size)
{
	struct slice head = slice_first(text, head_size), body = slice_from(text, head_size);
	struct message_parts parts = { .from_line = slice_first(head, slice_find(head, '\n')) };

	parts.header = slice_from(head, parts.from_line.len + 1);
	slice_skip(&body, '\r');
	slice_skip(&body, '\n');
	if (body.len == 1 && body.at[0] == '\n')
		body.len = 0;
	else if (body.len >= 2 && body.at[body.len - 1] == '\n' && body.at[body.len - 2] == '\n')
		body.len--;
	parts.body = body;
	return parts;
}
