/* SPDX-License-Identifier: Apache-2.0 */
/* drop.c - candidates of the drop directory: listed, opened without trust, copied, removed; see drop.h */
#include "spool/drop.h"
#include "base/clock.h"
#include "base/file.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

const char *drop_outcome_text(enum drop_outcome outcome)
{
	switch (outcome) {
	case DROP_READ_OK: return "taken in";
	case DROP_READ_GONE: return "removed meanwhile";
	case DROP_READ_NOT_OURS: return "not a plain file with one name that only its owner can write";
	case DROP_READ_TOO_LARGE: return "larger than a message may be";
	case DROP_READ_CHANGED: return "changed while it was read";
	}
	return "unknown outcome";
}

int drop_open(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

/* Letters, digits and a few signs; no leading dot (unfinished files), nothing a log line could trip over. */
static bool drop_name_is_ours(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > DROP_NAME_MAX || name[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!ascii_is_alnum(name[i]) && !strchr("-_.", name[i]))
			return false;
	return true;
}

int drop_list(int dirfd, size_t max, void (*found)(void *user, const char *name), void *user)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int n = 0;

	if (!dir) {
		int r = -errno;
		cleanup_close(&fd);
		return r;
	}
	max = MIN(max, (size_t)INT_MAX);
	while ((size_t)n < max && (e = readdir(dir)) != NULL) {
		if (!drop_name_is_ours(e->d_name))
			continue;
		found(user, e->d_name);
		n++;
	}
	(void)closedir(dir); /* was only read */
	return n;
}

static bool drop_file_is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && st->st_nlink == 1 && !(st->st_mode & (S_IWGRP | S_IWOTH | S_ISUID));
}

static bool drop_is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_nlink == b->st_nlink &&
		a->st_uid == b->st_uid;
}

static struct drop_file drop_describe(const char *name, const struct stat *st)
{
	struct drop_file file = {
		.owner = st->st_uid,
		.bytes = (uint64_t)st->st_size,
		.modified_us = (uint64_t)st->st_mtim.tv_sec * 1000000 + (uint64_t)st->st_mtim.tv_nsec / 1000,
		.inode = st->st_ino,
		.device = st->st_dev,
	};

	memcpy(file.name, name, strlen(name) + 1); /* drop_name_is_ours: it fits */
	return file;
}

/* Exactly the size that was seen: a file that grows meanwhile is not followed. */
static int drop_copy(int fd, const struct stat *st, struct buf *content)
{
	struct stat after;
	char *room = buf_reserve(content, (size_t)st->st_size);
	int r;

	if (!room)
		return -ENOMEM;
	r = file_pread_all(fd, room, (size_t)st->st_size, 0);
	if (r == -ENODATA)
		return DROP_READ_CHANGED;
	if (r < 0)
		return r;
	buf_grew(content, (size_t)st->st_size);
	if (fstat(fd, &after) < 0)
		return -errno;
	return drop_is_unchanged(st, &after) ? DROP_READ_OK : DROP_READ_CHANGED;
}

int drop_read(
	int dirfd, const char *name, uint64_t max_bytes, struct buf *content, struct drop_file *file_out)
{
	auto_close int fd = -1;
	struct stat st;
	int r;

	buf_clear(content);
	if (!drop_name_is_ours(name))
		return DROP_READ_NOT_OURS;
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return DROP_READ_GONE;
	if (fd < 0) /* a link, a socket, a device without a driver */
		return errno == ELOOP || errno == ENXIO || errno == ENODEV ? DROP_READ_NOT_OURS : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!drop_file_is_ours(&st))
		return DROP_READ_NOT_OURS;
	r = (uint64_t)st.st_size > max_bytes ? DROP_READ_TOO_LARGE : drop_copy(fd, &st, content);
	if (r >= 0)
		*file_out = drop_describe(name, &st);
	return r;
}

int drop_remove(int dirfd, const struct drop_file *file, bool sync)
{
	struct stat st;
	int r;

	if (fstatat(dirfd, file->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (st.st_ino != file->inode || st.st_dev != file->device)
		return 0; /* the name stands for another file now */
	r = file_unlink(dirfd, file->name);
	if (r < 0 && r != -ENOENT)
		return r;
	return sync ? file_sync_dir(dirfd) : 0;
}

int drop_set_aside(int dirfd, const char *name)
{
	char aside[DROP_NAME_MAX + 8];

	if (!drop_name_is_ours(name))
		return -EINVAL;
	(void)snprintf(aside, sizeof(aside), ".bad-%s", name); /* fits: 5 more bytes */
	return file_rename(dirfd, name, dirfd, aside);
}

int drop_remove_unfinished(int dirfd, int64_t age_s)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int64_t now = clock_wall_s();
	struct dirent *e;
	int n = 0;

	if (!dir) {
		int r = -errno;
		cleanup_close(&fd);
		return r;
	}
	while ((e = readdir(dir)) != NULL) {
		struct stat st;
		if (e->d_name[0] != '.' || strncmp(e->d_name, ".bad-", 5) == 0 ||
			fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
			now - st.st_mtime < age_s)
			continue;
		n += file_unlink(dirfd, e->d_name) == 0;
	}
	(void)closedir(dir); /* was only read */
	return n;
}
