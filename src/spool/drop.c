/* SPDX-License-Identifier: Apache-2.0 */
/* drop.c - candidates of the drop directory: listed, opened without trust, copied, removed; see drop.h */
#include "spool/drop.h"
#include "base/clock.h"
#include "base/file.h"
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

bool drop_file_is_same(const struct drop_file *a, const struct drop_file *b)
{
	return a->inode == b->inode && a->device == b->device && strcmp(a->name, b->name) == 0;
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

struct drop_walk {
	DIR *dir;
};

int drop_walk_open(int dirfd, struct drop_walk **walk_out)
{
	DIR *dir;
	int r = file_list(dirfd, ".", &dir);

	if (r < 0)
		return r;
	*walk_out = mem_new(sizeof(**walk_out));
	(*walk_out)->dir = dir;
	return 0;
}

int drop_walk_next(struct drop_walk *walk, char name_out[DROP_NAME_MAX + 1])
{
	struct dirent *e;

	while (errno = 0, (e = readdir(walk->dir)) != NULL) {
		if (!drop_name_is_ours(e->d_name))
			continue;
		memcpy(name_out, e->d_name, strlen(e->d_name) + 1); /* drop_name_is_ours: it fits */
		return 1;
	}
	return -errno; /* 0 at the end */
}

void drop_walk_close(struct drop_walk **walk)
{
	struct drop_walk *w = take_ptr(walk);

	if (!w)
		return;
	(void)closedir(w->dir); /* was only read */
	mem_free(w);
}

int drop_list(int dirfd, void (*found)(void *user, const char *name), void *user)
{
	char name[DROP_NAME_MAX + 1];
	struct drop_walk *walk = NULL;
	int r = drop_walk_open(dirfd, &walk), n = 0;

	while (r == 0 && (r = drop_walk_next(walk, name)) > 0) {
		found(user, name);
		n++;
		r = 0;
	}
	drop_walk_close(&walk);
	return r < 0 ? r : n;
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

/* The descriptor of a candidate that is a plain file of its owner's alone; else an outcome in *outcome_out
 * and -1, or negative errno there. */
static int drop_open_ours(int dirfd, const char *name, struct stat *st, int *outcome_out)
{
	auto_close int fd = -1;

	*outcome_out = DROP_READ_NOT_OURS;
	if (!drop_name_is_ours(name))
		return -1;
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		*outcome_out = DROP_READ_GONE;
	else if (fd < 0 && errno != ELOOP && errno != ENXIO && errno != ENODEV)
		*outcome_out = -errno; /* those three: a link, a socket, a device without a driver */
	if (fd < 0)
		return -1;
	if (fstat(fd, st) < 0) {
		*outcome_out = -errno;
		return -1;
	}
	if (!drop_file_is_ours(st))
		return -1;
	*outcome_out = DROP_READ_OK;
	return take_fd(&fd);
}

int drop_read(
	int dirfd, const char *name, uint64_t max_bytes, struct buf *content, struct drop_file *file_out)
{
	struct stat st;
	int r;
	auto_close int fd = drop_open_ours(dirfd, name, &st, &r);

	buf_clear(content);
	if (fd < 0)
		return r;
	r = (uint64_t)st.st_size > max_bytes ? DROP_READ_TOO_LARGE : drop_copy(fd, &st, content);
	if (r >= 0)
		*file_out = drop_describe(name, &st);
	return r;
}

int drop_read_head(
	int dirfd, const char *name, size_t max_bytes, struct buf *content, struct drop_file *file_out)
{
	struct stat st;
	int r;
	auto_close int fd = drop_open_ours(dirfd, name, &st, &r);
	size_t n;
	char *room;

	buf_clear(content);
	if (fd < 0)
		return r;
	n = (size_t)MIN((uint64_t)st.st_size, (uint64_t)max_bytes);
	room = buf_reserve(content, n);
	if (!room)
		return -ENOMEM;
	r = file_pread_all(fd, room, n, 0);
	if (r < 0 && r != -ENODATA)
		return r;
	*file_out = drop_describe(name, &st);
	if (r == -ENODATA)
		return DROP_READ_CHANGED;
	buf_grew(content, n);
	return DROP_READ_OK;
}

int drop_remove(int dirfd, const struct drop_file *file, bool sync)
{
	struct stat st;
	int r;

	if (fstatat(dirfd, file->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	else if (st.st_ino != file->inode || st.st_dev != file->device)
		r = 0; /* the name stands for another file now */
	else
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
	int64_t now = clock_wall_s();
	struct dirent *e;
	DIR *dir;
	int n = 0, r = file_list(dirfd, ".", &dir);

	if (r < 0)
		return r;
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
