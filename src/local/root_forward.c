/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root_forward.c - see root_forward.h
 *
 * Which extension will be asked for is not known yet when root is given up: all files there are are read.
 */
#include "local/root_forward.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include <fcntl.h>

#define FILES_MAX 200 /* .forward+ext of root */

struct source {
	char *extension; /* as in the file's name */
	struct forward forward;
	bool is_unreadable;
};

static struct {
	struct source sources[FILES_MAX];
	size_t n;
	bool is_read;
} files;

static void read_one(const struct config *c, struct forward_user *root, struct slice extension)
{
	struct source *s = &files.sources[files.n++];

	s->extension = slice_dup(extension);
	s->is_unreadable = forward_read(c, root, extension, &s->forward) == FORWARD_DEFER;
}

void root_forward_read(const struct config *c, struct forward_user *root)
{
	struct slice prefix = SLICE(".forward+");
	DIR *dir;

	files.is_read = true;
	read_one(c, root, SLICE_EMPTY);
	if (file_list(AT_FDCWD, root->home, &dir) < 0)
		return; /* then there is no .forward either */
	for (const struct dirent *e; (e = readdir(dir));) {
		struct slice name = slice_of(e->d_name);
		if (!slice_starts(name, prefix) || name.len == prefix.len)
			continue;
		if (files.n == FILES_MAX) {
			log_warning("%s has more than %d .forward+ext files: commands in some of them wait",
				root->home, FILES_MAX - 1);
			break;
		}
		read_one(c, root, slice_from(name, prefix.len));
	}
	(void)closedir(dir);
}

bool root_forward_is_read(void)
{
	return files.is_read;
}

static const struct source *find_source(struct slice extension)
{
	auto_free char *name = mem_new(extension.len + 1);

	forward_name_extension(extension, name);
	for (size_t i = 0; i < files.n; i++)
		if (strcmp(files.sources[i].extension, name) == 0)
			return &files.sources[i];
	return NULL;
}

enum root_forward_outcome root_forward_find(const struct origin *o, const struct forward_leaf **leaf_out)
{
	auto_buf struct buf origin = BUF_INIT(LIMIT_PATH);
	const struct source *s = find_source(o->extension);
	const struct forward_leaf *leaf;
	struct origin there = *o;

	if (!s)
		return files.n == FILES_MAX ? ROOT_FORWARD_UNREADABLE : ROOT_FORWARD_NONE;
	there.extension = slice_of(s->extension);
	origin_append(&there, &origin);
	leaf = forward_find(&s->forward, buf_slice(&origin));
	if (!leaf)
		return s->is_unreadable ? ROOT_FORWARD_UNREADABLE : ROOT_FORWARD_NONE;
	*leaf_out = leaf;
	return ROOT_FORWARD_FOUND;
}
