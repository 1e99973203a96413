/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.c - see journal.h
 *
 * The order, with what a crash before the next step leaves:
 *   1. journal written and synced             file untouched; a torn journal fails its CRC and is dropped
 *   2. the file grows: its size is set first   zeros (or new bytes) behind the old end; mail comes after them
 *   3. new bytes written over the old, synced  a mixture; the journal has all of it
 *   4. the file shrinks: cut to the new size   whole
 *   5. journal marked done, synced, removed    whole
 * In a shrunk file the cut is recognised by the old bytes behind it: the journal holds their CRC.
 */
#include "mailx/journal.h"
#include "base/crc32c.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/stat.h>

#define JOURNAL_CHUNK ((size_t)1 << 20)

/* At the start of the file, in the host's byte order: it never leaves the host. */
struct journal_head {
	char magic[8];
	uint64_t inode;	      /* of the file to be changed */
	uint64_t offset;      /* where the change begins */
	uint64_t old_size;    /* of the file before it */
	uint64_t new_bytes;   /* that follow this head, and replace [offset, old_size) */
	uint32_t new_crc;     /* of those */
	uint32_t old_end_crc; /* of the old bytes that lie behind the new size */
	uint32_t is_done;
	uint32_t head_crc; /* of all above, with is_done 0 */
};
_Static_assert(sizeof(struct journal_head) == 56, "no padding: it is written as it lies in memory");

static const char journal_magic[8] = "PRMJRN1\n";

static uint64_t journal_new_size(const struct journal_head *h)
{
	return h->offset + h->new_bytes;
}

static uint32_t journal_head_crc(struct journal_head h)
{
	h.is_done = 0;
	return crc32c(0, (struct slice){ (const char *)&h, offsetof(struct journal_head, head_crc) });
}

/* CRC of [from, to) of fd. */
static int journal_range_crc(int fd, uint64_t from, uint64_t to, uint32_t *crc_out)
{
	auto_free char *chunk = mem_new(JOURNAL_CHUNK);
	uint32_t crc = 0;

	while (from < to) {
		size_t n = (size_t)MIN((uint64_t)JOURNAL_CHUNK, to - from);
		int r = file_pread_all(fd, chunk, n, from);
		if (r < 0)
			return r;
		crc = crc32c(crc, (struct slice){ chunk, n });
		from += n;
	}
	*crc_out = crc;
	return 0;
}

/* The two places of a journal: beside the file, and in the home directory. */
static bool journal_name(const char *path, unsigned place, struct buf *out)
{
	const char *base = strrchr(path, '/'), *home = getenv("HOME");

	base = base ? base + 1 : path;
	buf_clear(out);
	if (place == 0)
		buf_printf(out, "%.*s.%s.mailx-journal", (int)(base - path), path, base);
	else if (home && *home)
		buf_printf(out, "%s/.mailx-journal.%s.%08x", home, base, crc32c(0, slice_of(path)));
	return out->len && buf_cstr(out);
}

static int journal_sync_dir(const char *name)
{
	struct slice path = slice_of(name);
	size_t slash = slice_rfind(path, '/');
	auto_free char *dir = slash == path.len ? mem_dup_str(".") : slice_dup(slice_first(path, slash + 1));
	auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : file_sync_dir(fd);
}

static int journal_fill(int journal, int fd, struct journal_head *h, const struct pieces *pieces)
{
	int r = pieces_write(pieces, fd, journal, sizeof(*h), &h->new_crc);

	h->new_bytes = pieces_size(pieces);
	if (r == 0 && journal_new_size(h) < h->old_size)
		r = journal_range_crc(fd, journal_new_size(h), h->old_size, &h->old_end_crc);
	h->head_crc = journal_head_crc(*h);
	if (r == 0)
		r = file_pwrite_all(journal, (struct slice){ (const char *)h, sizeof(*h) }, 0);
	return r == 0 ? file_sync(journal) : r;
}

/* Makes the journal under the first name that can be used; *name_out is that name. */
static int journal_create(const char *path, struct buf *name_out, int *journal_out)
{
	int r = -EACCES;

	for (unsigned place = 0; place < 2 && journal_name(path, place, name_out); place++) {
		int fd = open(buf_cstr(name_out), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0) {
			*journal_out = fd;
			return 0;
		}
		r = -errno;
	}
	return r;
}

static int journal_copy(int journal, int fd, const struct journal_head *h)
{
	struct piece all = { .offset = sizeof(*h), .size = h->new_bytes };
	struct pieces pieces = { .at = &all, .n = 1, .cap = 1 };
	uint32_t crc;
	int r = pieces_write(&pieces, journal, fd, h->offset, &crc);

	if (r == 0 && crc != h->new_crc)
		r = -EIO;
	return r == 0 ? file_sync(fd) : r;
}

static int journal_set_size(int fd, uint64_t size)
{
	if (ftruncate(fd, (off_t)size) < 0)
		return -errno;
	return file_sync(fd);
}

/* Step 5. */
static int journal_finish(int journal, const char *name, struct journal_head *h)
{
	int r;

	h->is_done = 1;
	r = file_pwrite_all(journal, (struct slice){ (const char *)h, sizeof(*h) }, 0);
	if (r == 0)
		r = file_sync(journal);
	return r == 0 ? file_unlink(AT_FDCWD, name) : r;
}

/* Steps 2 to 5. */
static int journal_apply(int journal, const char *name, int fd, struct journal_head *h)
{
	uint64_t new_size = journal_new_size(h);
	int r = new_size > h->old_size ? journal_set_size(fd, new_size) : 0;

	if (r == 0)
		r = journal_copy(journal, fd, h);
	if (r == 0 && new_size < h->old_size)
		r = journal_set_size(fd, new_size);
	return r == 0 ? journal_finish(journal, name, h) : r;
}

int journal_replace(int fd, const char *path, uint64_t offset, uint64_t old_size, const struct pieces *pieces)
{
	struct journal_head h = { .offset = offset, .old_size = old_size };
	auto_buf struct buf name = BUF_INIT(PATH_MAX * 2);
	auto_close int journal = -1;
	struct stat st;
	int r;

	if (pieces->n == 0) /* only an end goes: the cut is one step */
		return journal_set_size(fd, offset);
	if (fstat(fd, &st) < 0)
		return -errno;
	memcpy(h.magic, journal_magic, sizeof(h.magic));
	h.inode = st.st_ino;
	r = journal_create(path, &name, &journal);
	if (r < 0)
		return r;
	r = journal_fill(journal, fd, &h, pieces);
	if (r == 0)
		r = journal_sync_dir(buf_cstr(&name));
	if (r < 0) {
		(void)file_unlink(AT_FDCWD, buf_cstr(&name)); /* the first failure is the one to report */
		return r;
	}
	return journal_apply(journal, buf_cstr(&name), fd, &h);
}

/* Written by us or by the folder's owner: in a directory that all may write to others could plant one. */
static bool journal_is_trusted(int journal, int fd)
{
	struct stat st, file;

	return fstat(journal, &st) == 0 && fstat(fd, &file) == 0 && S_ISREG(st.st_mode) &&
		(st.st_mode & 077) == 0 && (st.st_uid == geteuid() || st.st_uid == file.st_uid);
}

/* A journal that is whole, of this file and not done yet. */
static bool journal_is_valid(int journal, int fd, struct journal_head *h_out)
{
	struct stat st, file;
	uint32_t crc;

	if (fstat(journal, &st) < 0 || fstat(fd, &file) < 0)
		return false;
	if (file_pread_all(journal, (char *)h_out, sizeof(*h_out), 0) < 0 ||
		memcmp(h_out->magic, journal_magic, sizeof(journal_magic)) != 0 ||
		h_out->head_crc != journal_head_crc(*h_out) || h_out->inode != file.st_ino || h_out->is_done)
		return false;
	return (uint64_t)st.st_size == sizeof(*h_out) + h_out->new_bytes &&
		journal_range_crc(journal, sizeof(*h_out), (uint64_t)st.st_size, &crc) == 0 &&
		crc == h_out->new_crc;
}

/* Whether [old_size, new size) of the grown file is what steps 2 and 3 leave there: zeros or the new bytes.
 */
static int journal_has_grown_file(int journal, int fd, const struct journal_head *h, bool *is_grown_out)
{
	auto_free char *mine = mem_new(JOURNAL_CHUNK), *there = mem_new(JOURNAL_CHUNK);
	uint64_t at = h->old_size, end = journal_new_size(h);

	*is_grown_out = true;
	while (at < end) {
		size_t n = (size_t)MIN((uint64_t)JOURNAL_CHUNK, end - at);
		int r = file_pread_all(fd, there, n, at);
		if (r == 0)
			r = file_pread_all(journal, mine, n, sizeof(*h) + (at - h->offset));
		if (r < 0)
			return r;
		for (size_t i = 0; i < n; i++)
			if (there[i] && there[i] != mine[i])
				*is_grown_out = false;
		at += n;
	}
	return 0;
}

/* The file was to shrink and still has its old end, perhaps with new mail behind it: the change is made anew
 * with that mail as part of it. */
static int journal_redo_with_tail(
	int journal, const char *name, int fd, struct journal_head *h, uint64_t size)
{
	auto_buf struct buf next = BUF_INIT(PATH_MAX * 2);
	auto_pieces struct pieces pieces = PIECES_INIT;
	struct journal_head redo = *h;
	auto_close int both = -1;
	uint32_t crc;
	int r;

	if (size == h->old_size)
		return journal_apply(journal, name, fd, h);
	buf_printf(&next, "%s.new", name);
	both = open(buf_cstr(&next), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (both < 0)
		return -errno;
	/* Both parts come from different files: the journal's bytes are copied behind the head first. */
	pieces_add_range(&pieces, sizeof(*h), h->new_bytes);
	r = pieces_write(&pieces, journal, both, sizeof(*h), &crc);
	pieces_free(&pieces);
	pieces_add_range(&pieces, h->old_size, size - h->old_size);
	if (r == 0)
		r = pieces_write(&pieces, fd, both, sizeof(*h) + h->new_bytes, &crc);
	redo.new_bytes = h->new_bytes + (size - h->old_size);
	redo.old_size = size;
	if (r == 0)
		r = journal_range_crc(both, sizeof(redo), sizeof(redo) + redo.new_bytes, &redo.new_crc);
	if (r == 0)
		r = journal_range_crc(fd, journal_new_size(&redo), redo.old_size, &redo.old_end_crc);
	redo.head_crc = journal_head_crc(redo);
	if (r == 0)
		r = file_pwrite_all(both, (struct slice){ (const char *)&redo, sizeof(redo) }, 0);
	if (r == 0)
		r = file_sync(both);
	if (r == 0)
		r = file_rename(AT_FDCWD, buf_cstr(&next), AT_FDCWD, name);
	if (r == 0)
		r = journal_sync_dir(name);
	return r == 0 ? journal_apply(both, name, fd, &redo) : r;
}

/* h is valid: what the file's present state needs. */
static int journal_resume(int journal, const char *name, int fd, struct journal_head *h)
{
	uint64_t new_size = journal_new_size(h);
	struct stat st;
	uint32_t crc;
	bool is_grown;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size < h->old_size || (uint64_t)st.st_size < new_size)
		return file_unlink(AT_FDCWD, name); /* cut already (step 4), or not grown yet (step 1) */
	if (new_size < h->old_size) {
		r = journal_range_crc(fd, new_size, h->old_size, &crc);
		if (r < 0)
			return r;
		if (crc != h->old_end_crc)
			return journal_finish(journal, name, h); /* cut, and mail came after it */
		return journal_redo_with_tail(journal, name, fd, h, (uint64_t)st.st_size);
	}
	r = journal_has_grown_file(journal, fd, h, &is_grown);
	if (r < 0)
		return r;
	if (!is_grown)
		return file_unlink(AT_FDCWD, name); /* untouched, only mail came */
	r = journal_copy(journal, fd, h);
	return r == 0 ? journal_finish(journal, name, h) : r;
}

int journal_recover(int fd, const char *path)
{
	auto_buf struct buf name = BUF_INIT(PATH_MAX * 2);

	for (unsigned place = 0; place < 2 && journal_name(path, place, &name); place++) {
		auto_close int journal = open(buf_cstr(&name), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		struct journal_head h;
		int r;
		if (journal < 0 || !journal_is_trusted(journal, fd))
			continue;
		r = journal_is_valid(journal, fd, &h) ? journal_resume(journal, buf_cstr(&name), fd, &h)
						      : file_unlink(AT_FDCWD, buf_cstr(&name));
		if (r < 0 && r != -EACCES && r != -EPERM)
			return r;
	}
	return 0;
}
