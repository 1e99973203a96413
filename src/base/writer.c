/* SPDX-License-Identifier: Apache-2.0 */
/* writer.c - see writer.h */
#include "base/writer.h"
#include <sys/stat.h>

static void set(struct file_writer *out, const char *who, const char *mend)
{
	out->who = who;
	out->mend = mend;
}

/* In a directory with the sticky bit nobody replaces the files of others. */
static bool others_write(const struct stat *st, struct file_writer *out)
{
	bool is_sticky = S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX;

	out->is_directory = S_ISDIR(st->st_mode);
	set(out, NULL, NULL);
	if (st->st_mode & S_IWOTH && !is_sticky)
		set(out, "everybody", "chmod o-w");
	else if (st->st_mode & S_IWGRP && st->st_gid != 0 && !is_sticky)
		set(out, "its group", "chmod g-w");
	else if (st->st_uid != 0 && st->st_uid != geteuid())
		set(out, "its owner, who is not root,", "chown root");
	return out->who != NULL;
}

bool file_other_writer(const char *path, struct file_writer *out)
{
	struct stat st;
	char *slash;

	if (!realpath(path, out->where))
		return false;
	do {
		if (stat(out->where, &st) < 0)
			return false;
		if (others_write(&st, out))
			return true;
		slash = strrchr(out->where, '/');
		if (slash)
			*slash = '\0';
	} while (slash && slash != out->where);
	return false;
}
