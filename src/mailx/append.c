/* SPDX-License-Identifier: Apache-2.0 */
/* append.c - see append.h */
#include "mailx/append.h"
#include "base/file.h"
#include "mailx/ceilings.h"
#include "mailx/journal.h"
#include "mailx/lock.h"
#include "mailx/maildir.h"
#include "mailx/packed.h"
#include <fcntl.h>
#include <sys/stat.h>

static int open_for_append(const char *path, bool *is_new_out)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOCTTY, fd;

	for (;;) {
		fd = open(path, flags | O_CREAT | O_EXCL, 0600);
		*is_new_out = fd >= 0;
		if (fd >= 0 || errno != EEXIST)
			break;
		fd = open(path, flags);
		if (fd < 0 && errno == EACCES)
			fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0 || errno != ENOENT)
			break;
	}
	return fd < 0 ? -errno : fd;
}

/* What must come between the end of the folder and a From_ line. */
static struct slice append_separator(int fd, uint64_t size)
{
	char end[2] = "\n\n";

	if (size == 0)
		return SLICE_EMPTY;
	if (file_pread_all(
		    fd, end + (size == 1), (size_t)MIN(size, (uint64_t)2), size - MIN(size, (uint64_t)2)) < 0)
		return SLICE("\n"); /* not readable for us: one empty line more does no harm */
	if (end[1] != '\n')
		return SLICE("\n\n");
	return end[0] == '\n' ? SLICE_EMPTY : SLICE("\n");
}

static int append_at(int fd, struct slice separator, struct slice text, uint64_t size)
{
	int r = file_pwrite_all(fd, separator, size);

	if (r == 0)
		r = file_pwrite_all(fd, text, size + separator.len);
	if (r == 0)
		r = file_sync(fd);
	if (r < 0)
		(void)!ftruncate(fd, (off_t)size); /* as it was; the first failure is the one to report */
	return r;
}

static bool is_same_file(const char *path, const struct stat *st)
{
	struct stat there;

	return stat(path, &there) == 0 && there.st_ino == st->st_ino && there.st_dev == st->st_dev;
}

/* Messages for a packed folder become a piece of their own behind what is there, which is unpacked to see
 * that it can be and how it ends. */
static int append_packed(int fd, const struct packer *packer, struct slice text, uint64_t size)
{
	auto_close int before = packed_unpack(packer, fd), plain = packed_temporary();
	struct stat st;
	int r;

	if (before < 0 || plain < 0)
		return MIN(before, plain);
	r = fstat(before, &st) < 0 ? -errno : 0;
	if (r == 0)
		r = file_write_all(plain, append_separator(before, (uint64_t)st.st_size));
	if (r == 0)
		r = file_write_all(plain, text);
	if (r == 0)
		r = packed_pack(packer, plain, fd);
	if (r == 0)
		r = file_sync(fd);
	if (r < 0)
		(void)!ftruncate(fd, (off_t)size); /* as it was; the first failure is the one to report */
	return r;
}

static int append_locked(int fd, const char *path, enum append_kind kind, struct slice text, uint64_t size)
{
	const struct packer *packer = kind == APPEND_MESSAGES ? packer_of(fd, path) : NULL;

	if (packer)
		return append_packed(fd, packer, text, size);
	return append_at(fd, kind == APPEND_MESSAGES ? append_separator(fd, size) : SLICE_EMPTY, text, size);
}

/* -ESTALE: the file was replaced while we waited for the lock. */
static int append_regular(int fd, const char *path, enum append_kind kind, struct slice text)
{
	struct lock lock;
	struct stat st;
	int r = lock_take(&lock, fd, path, true, MAILX_LOCK_WAIT_S);

	if (r != LOCK_TAKEN)
		return r;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!is_same_file(path, &st))
		r = -ESTALE;
	else if (lock.must_keep_size)
		r = LOCK_BUSY;
	else
		r = append_locked(fd, path, kind, text, (uint64_t)st.st_size);
	lock_release(&lock);
	return r;
}

static int append_once(const char *path, enum append_kind kind, struct slice text, bool *is_new_out)
{
	bool is_new = false;
	auto_close int fd = open_for_append(path, &is_new);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	r = S_ISREG(st.st_mode) ? append_regular(fd, path, kind, text) : file_write_all(fd, text);
	if (r == 0)
		*is_new_out = is_new;
	else if (is_new)
		(void)file_unlink(AT_FDCWD, path); /* empty, and ours */
	return r;
}

static bool names_maildir(const char *path)
{
	size_t n = strlen(path);

	return (n && path[n - 1] == '/') || maildir_is(path);
}

int append_to_file(const char *path, enum append_kind kind, struct slice text, bool *is_new_out)
{
	int r = -ESTALE;

	if (kind == APPEND_MESSAGES && names_maildir(path))
		return maildir_append(path, text, is_new_out);
	for (int i = 0; i < 10 && r == -ESTALE; i++) /* replaced each time: something is wrong there */
		r = append_once(path, kind, text, is_new_out);
	return r;
}

const char *append_problem(int r)
{
	switch (r) {
	case LOCK_BUSY: return "another program keeps it locked";
	case -EBADMSG: return "the program that packs it is not installed or failed, or the file is damaged";
	case -EISDIR: return "it is a directory, and no Maildir";
	default: return strerror(-r);
	}
}

int prepend_to_folder(const char *path, struct slice text)
{
	auto_pieces struct pieces pieces = PIECES_INIT;
	bool is_new;
	auto_close int fd = names_maildir(path) ? -EISDIR : open_for_append(path, &is_new);
	struct lock lock;
	struct stat st;
	int r;

	if (fd == -EISDIR || (fd >= 0 && packer_of(fd, path)))
		return append_to_file(path, APPEND_MESSAGES, text, &is_new);
	if (fd < 0)
		return fd;
	r = lock_take(&lock, fd, path, true, MAILX_LOCK_WAIT_S);
	if (r != LOCK_TAKEN)
		return r;
	if (fstat(fd, &st) < 0) {
		r = -errno;
	} else {
		pieces_add_literal(&pieces, text);
		pieces_add_range(&pieces, 0, (uint64_t)st.st_size);
		r = journal_replace(fd, path, 0, (uint64_t)st.st_size, &pieces);
	}
	lock_release(&lock);
	return r;
}
