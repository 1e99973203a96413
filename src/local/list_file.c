/* SPDX-License-Identifier: Apache-2.0 */
/* list_file.c - see list_file.h */
#include "local/list_file.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "mail/forward_text.h"
#include <fcntl.h>
#include <sys/stat.h>

struct reading {
	gid_t private_gid;
	const struct forward_listener *listener;
	struct forward *out;
	size_t cap, depth;
	const char *file; /* that is being read; in the arena of out, for its leaves */
	size_t line;
	size_t n_refused;
	size_t n_bytes; /* of all lists so far: they may include each other many times */
};

static bool fail(struct reading *r, const char *path, const char *why)
{
	(void)snprintf(
		r->out->reason, sizeof(r->out->reason), "the list %.120s cannot be used: %s", path, why);
	return false;
}

static const char *why_unsafe(const struct reading *r, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "it is not a regular file";
	if (st->st_uid != geteuid() && st->st_uid != 0)
		return "it belongs to another user than the list that includes it";
	if (st->st_mode & S_IWOTH || (st->st_mode & S_IWGRP && st->st_gid != r->private_gid))
		return "it may be written by others: chmod go-w";
	return (uint64_t)st->st_size > LIMIT_LIST - r->n_bytes ? "it is too large" : NULL;
}

static bool read_whole(struct reading *r, const char *path, struct buf *text)
{
	auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	const char *why;
	int error;

	if (fd < 0)
		return fail(r, path,
			errno == ELOOP ? "it is a symbolic link, which is not followed" : strerror(errno));
	if (fstat(fd, &st) < 0)
		return fail(r, path, strerror(errno));
	why = why_unsafe(r, &st);
	if (why)
		return fail(r, path, why);
	error = file_read_all(fd, text);
	r->n_bytes = MIN(r->n_bytes + text->len, (size_t)LIMIT_LIST);
	return error == 0 || fail(r, path, strerror(-error));
}

static bool add(struct reading *r, const char *path, unsigned flags, struct slice address)
{
	struct forward *f = r->out;

	if (f->n_leaves == LIMIT_EXPANSION)
		return fail(r, path, "it has too many members");
	if (f->n_leaves == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct forward_leaf *grown = mem_new_array(cap, sizeof(*grown));
		if (f->n_leaves)
			memcpy(grown, f->leaves, f->n_leaves * sizeof(*grown));
		mem_free(f->leaves);
		f->leaves = grown;
		r->cap = cap;
	}
	f->leaves[f->n_leaves] = (struct forward_leaf){
		.kind = LEAF_ADDRESS, .flags = flags, .file = r->file, .line = r->line
	};
	if (!arena_copy(&f->strings, address, &f->leaves[f->n_leaves].address))
		return fail(r, path, "there is no memory for it");
	f->n_leaves++;
	return true;
}

static void refuse(struct reading *r, const char *path, size_t line, struct slice item, const char *why)
{
	item = slice_first(item, 200);
	r->n_refused++;
	if (!forward_tell(r->listener, path, line, "\"%.*s\" is ignored: %s", SLICE_ARG(item), why))
		log_warning("%s line %zu: \"%.*s\" is ignored: %s", path, line, SLICE_ARG(item), why);
}

static bool read_list(struct reading *r, const char *path);

static bool read_inner(struct reading *r, const char *outer, struct slice path)
{
	auto_free char *name = slice_dup(path);

	if (r->depth == LIMIT_LIST_DEPTH)
		return fail(r, outer, "lists include each other, or too deeply");
	return read_list(r, name);
}

static bool read_item(struct reading *r, const char *path, size_t line, const struct rhs_item *item)
{
	switch (item->kind) {
	case RHS_ADDRESS: return add(r, path, 0, item->text);
	case RHS_USER: return add(r, path, RCPT_NO_ALIAS | RCPT_NO_FORWARD, item->text);
	case RHS_INCLUDE: return read_inner(r, path, item->text);
	case RHS_BLACKHOLE: return true;
	case RHS_COMMAND:
	case RHS_FILE:
	case RHS_DIRECTORY:
		refuse(r, path, line, item->text,
			"a list has neither commands nor files; put it into the aliases");
		return true;
	case RHS_FAIL:
	case RHS_DEFER: refuse(r, path, line, item->text, "has no meaning in a list"); return true;
	case RHS_ERROR: break;
	}
	refuse(r, path, line, item->text,
		item->error == RHS_BAD_ADDRESS ? address_status_text(item->address_status)
					       : rhs_error_text(item->error));
	return true;
}

static bool read_list(struct reading *r, const char *path)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_LIST + 1);
	const char *outer = r->file;
	struct slice name = SLICE_EMPTY;
	struct forward_text items;
	struct rhs_item item;
	bool ok = read_whole(r, path, &text);

	if (!ok)
		return false;
	if (!arena_copy(&r->out->strings, (struct slice){ path, strlen(path) + 1 }, &name))
		return fail(r, path, "there is no memory for it");
	r->file = name.at;
	r->depth++;
	forward_text_init(&items, buf_slice(&text));
	while (ok && forward_text_next(&items, &item, &r->line))
		ok = read_item(r, path, r->line, &item);
	forward_text_deinit(&items);
	r->file = outer;
	r->depth--;
	return ok;
}

enum list_outcome list_file_read(
	const char *path, gid_t private_gid, const struct forward_listener *listener, struct forward *out)
{
	struct reading r = { .private_gid = private_gid, .listener = listener, .out = out };

	*out = (struct forward){ .strings = ARENA_INIT(2 * (size_t)LIMIT_LIST) };
	if (!read_list(&r, path))
		return LIST_DEFER;
	if (out->n_leaves)
		return LIST_MEMBERS;
	if (r.n_refused == 0)
		return LIST_EMPTY;
	(void)fail(&r, path, "it has no usable member; the log says why");
	return LIST_DEFER;
}
