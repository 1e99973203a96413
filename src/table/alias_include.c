/* SPDX-License-Identifier: Apache-2.0 */
/* alias_include.c - see alias_include.h */
#include "table/alias_include.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/userdb.h"
#include <fcntl.h>
#include <sys/stat.h>

static const char *why_unsafe(const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return "it is a symbolic link, which is not followed; name the file itself";
	if (!S_ISREG(st->st_mode))
		return "it is not a regular file";
	if (st->st_mode & S_IWOTH)
		return "everybody may write it: chmod o-w";
	if (st->st_mode & S_IWGRP)
		return "its group may write it: chmod g-w";
	if (!(st->st_mode & S_IRUSR) && st->st_uid != 0)
		return "its owner may not read it: chmod u+r";
	return (uint64_t)st->st_size > LIMIT_LIST ? "it is larger than 32 MB" : NULL;
}

const char *alias_include_why(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return why_unsafe(&st);
	if (errno == EACCES)
		return NULL; /* delivery may see more than we do */
	return errno == ENOENT ? "there is no such file; create it" : strerror(errno);
}

const char *alias_include_read(const char *path, struct buf *text)
{
	const char *why = alias_include_why(path);
	auto_close int fd = -1;
	int r;

	if (why)
		return why;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return strerror(errno);
	r = file_read_all(fd, text);
	return r < 0 ? strerror(-r) : NULL;
}
