/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward.c - see forward.h
 *
 * The common case, no file, costs two system calls. Commands, files and lists become leaves as well: queue
 * keeps each with its own state and asks for its delivery, so that the other items of the file do not wait.
 */
#include "local/forward.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "mail/forward_text.h"
#include "mail/origin.h"
#include <fcntl.h>
#include <sys/stat.h>

bool forward_tell(
	const struct forward_listener *listener, const char *path, size_t line, const char *fmt, ...)
{
	char words[LIMIT_DRY_RUN_TEXT];
	va_list args;

	if (!listener)
		return false;
	va_start(args, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, args); /* cut when too long: it is for reading */
	va_end(args);
	listener->hear(listener->user, path, line, words);
	return true;
}

/* ---- may it be used? ---- */

static bool others_may_write(const struct forward_user *u, const struct stat *st)
{
	return st->st_mode & S_IWOTH || (st->st_mode & S_IWGRP && st->st_gid != u->private_gid);
}

/* NULL when the file is to be used, else why it is not. */
static const char *why_unsafe(const struct forward_user *u, const struct stat *st, const struct stat *home)
{
	if (!S_ISREG(st->st_mode))
		return "is not a regular file";
	if (st->st_uid != u->uid && st->st_uid != 0)
		return "belongs to another user";
	if (others_may_write(u, st))
		return "may be written by others: chmod go-w";
	if (others_may_write(u, home))
		return "lies in a home directory that may be written by others: chmod go-w";
	if (st->st_size > LIMIT_FORWARD_FILE)
		return "is too large";
	return NULL;
}

/* A fault of one file is told once per process: each mail would repeat it. */
static bool already_told(struct forward_user *u, const struct stat *st)
{
	uint64_t what = (uint64_t)st->st_ino * 1000003 + (uint64_t)st->st_ctim.tv_sec * 1000000007 +
		(uint64_t)st->st_ctim.tv_nsec;
	bool told = u->told == what;

	u->told = what;
	return told;
}

static void tell_ignored(struct forward_user *u, const char *path, const struct stat *st, const char *why)
{
	if (!forward_tell(u->listener, path, 0, "%s is ignored: it %s", path, why) && !already_told(u, st))
		log_warning("user %.*s: %s is ignored: it %s", SLICE_ARG(u->name), path, why);
}

static enum forward_outcome defer(struct forward *out, const char *what, const char *path, int error)
{
	(void)snprintf(out->reason, sizeof(out->reason), "cannot %s %.110s: %s", what, path,
		strerror(error)); /* cut where it does not fit */
	return FORWARD_DEFER;
}

/* The file of that path cannot be opened. */
static enum forward_outcome cannot_open(struct forward_user *u, struct forward *out, const char *path)
{
	struct stat st;
	int error = errno;

	switch (error) {
	case ELOOP:
	case ENXIO:
		if (lstat(path, &st) < 0)
			return defer(out, "read", path, errno);
		tell_ignored(u, path, &st,
			S_ISLNK(st.st_mode) ? "is a symbolic link, which is not followed"
					    : "is not a regular file");
		return FORWARD_NONE;
	default: return defer(out, "read", path, error);
	}
}

/* ---- where to? ---- */

static bool is_own_name(const struct config *c, const struct forward_user *u, const struct rhs_item *item)
{
	auto_buf struct buf local = BUF_INIT(LIMIT_ADDRESS);

	address_unquote_local(item->address.local, &local);
	return slice_eq_nocase(buf_slice(&local), u->name) &&
		(item->address.domain.len == 0 || config_is_local_domain(c, item->address.domain));
}

static bool add(struct forward *f, enum leaf_kind kind, unsigned flags, struct slice address)
{
	struct forward_leaf *leaf = &f->leaves[f->n_leaves];

	*leaf = (struct forward_leaf){
		.kind = kind, .flags = flags, .origin = SLICE_EMPTY, .text = SLICE_EMPTY
	};
	if (!arena_copy(&f->strings, address, &leaf->address))
		return false;
	f->n_leaves++;
	return true;
}

/* A command, file or list: queue gets a reference to it, and whoever delivers reads the file again. */
static bool add_reference(struct forward *f, enum leaf_kind kind, const struct forward_user *u,
	struct slice extension, const struct rhs_item *item)
{
	auto_buf struct buf origin = BUF_INIT(LIMIT_PATH);
	const struct origin o = {
		.kind = ORIGIN_FORWARD, .name = u->name, .extension = extension, .check = origin_check(item)
	};
	struct forward_leaf *leaf = &f->leaves[f->n_leaves];

	origin_append(&o, &origin);
	*leaf = (struct forward_leaf){ .kind = kind, .address = SLICE_EMPTY, .item = item->kind };
	if (!buf_ok(&origin) || !arena_copy(&f->strings, buf_slice(&origin), &leaf->origin) ||
		!arena_copy(&f->strings, item->text, &leaf->text))
		return false;
	f->n_leaves++;
	return true;
}

/* False when the item is of no use. */
static bool add_item(const struct config *c, const struct forward_user *u, struct slice extension,
	const struct rhs_item *item, struct forward *f)
{
	const unsigned own = RCPT_NO_ALIAS | RCPT_NO_FORWARD;

	switch (item->kind) {
	case RHS_ADDRESS:
		return is_own_name(c, u, item) ? add(f, LEAF_ADDRESS, own, u->name)
					       : add(f, LEAF_ADDRESS, 0, item->text);
	case RHS_USER: return add(f, LEAF_ADDRESS, own, item->text);
	case RHS_BLACKHOLE: return add(f, LEAF_DISCARD, 0, SLICE("/dev/null"));
	case RHS_FILE:
	case RHS_DIRECTORY:
	case RHS_INCLUDE: return add_reference(f, LEAF_FILE, u, extension, item);
	case RHS_COMMAND: return add_reference(f, LEAF_COMMAND, u, extension, item);
	case RHS_FAIL:
	case RHS_DEFER:
	case RHS_ERROR: break;
	}
	return false;
}

static const char *fault_of(const struct rhs_item *item)
{
	if (item->kind != RHS_ERROR)
		return "has no meaning in a .forward file";
	return item->error == RHS_BAD_ADDRESS ? address_status_text(item->address_status)
					      : rhs_error_text(item->error);
}

/* The file that is read. */
struct source {
	char path[PATH_MAX];
	struct slice extension; /* in its name */
};

static void read_items(const struct config *c, const struct forward_user *u, const struct source *from,
	struct slice text, bool is_quiet, struct forward *out)
{
	struct forward_text items;
	struct rhs_item item;
	size_t line;

	forward_text_init(&items, text);
	while (forward_text_next(&items, &item, &line)) {
		struct slice shown = slice_first(item.text, 200);
		if (add_item(c, u, from->extension, &item, out)) {
			out->leaves[out->n_leaves - 1].file = out->path;
			out->leaves[out->n_leaves - 1].line = line;
		} else if (!forward_tell(u->listener, from->path, line, "\"%.*s\" is ignored: %s",
				   SLICE_ARG(shown), fault_of(&item)) &&
			!is_quiet) {
			log_warning("user %.*s: %s line %zu: \"%.*s\" is ignored: %s", SLICE_ARG(u->name),
				from->path, line, SLICE_ARG(shown), fault_of(&item));
		}
	}
	forward_text_deinit(&items);
}

/* More items than separators and one there cannot be. */
static size_t count_separators(struct slice text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.at[i] == ',' || text.at[i] == '\n';
	return n;
}

static enum forward_outcome read_file(const struct config *c, struct forward_user *u,
	const struct source *from, int fd, const struct stat *st, struct forward *out)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_FORWARD_FILE);
	int r = file_read_all(fd, &text);
	size_t n_max;

	if (r < 0)
		return defer(out, "read", from->path, -r);
	if (forward_text_is_filter(buf_slice(&text))) {
		tell_ignored(u, from->path, st, "is an Exim or Sieve filter, which is not supported");
		return FORWARD_NONE;
	}
	n_max = count_separators(buf_slice(&text)) + 1;
	out->strings = ARENA_INIT(2 * LIMIT_FORWARD_FILE + n_max * (LIMIT_ADDRESS + 64));
	out->leaves = mem_new_array(n_max, sizeof(*out->leaves));
	out->path = mem_dup_str(from->path);
	(void)forward_tell(u->listener, from->path, 0, "%s is used", from->path);
	read_items(c, u, from, buf_slice(&text), !u->listener && already_told(u, st), out);
	return out->n_leaves ? FORWARD_LEAVES : FORWARD_NONE;
}

void forward_name_extension(struct slice extension, char *out)
{
	for (size_t i = 0; i < extension.len; i++) {
		char c = extension.at[i];
		bool is_harmless = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || slice_find(SLICE("_=.,:@%+-"), c) < 9;
		out[i] = is_harmless ? c : '_';
	}
	out[extension.len] = '\0';
}

static bool name_source(const struct forward_user *u, struct slice extension, struct source *out)
{
	int n = snprintf(out->path, sizeof(out->path), "%s/.forward%s", u->home, extension.len ? "+" : "");

	if (u->home[0] != '/' || n < 0 || (size_t)n + extension.len >= sizeof(out->path))
		return false;
	forward_name_extension(extension, out->path + n);
	out->extension = extension;
	return true;
}

/* A home that is there, or surely not, is FORWARD_NONE. Who edits these files may set the sticky bit
 * meanwhile, as qmail's users do; a directory that all may write to has it for another reason. */
static enum forward_outcome check_home(const struct forward_user *u, struct forward *out)
{
	struct stat st;

	if (stat(u->home, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG
			? FORWARD_NONE
			: defer(out, "look at the home directory", u->home, errno);
	if (!(st.st_mode & S_ISVTX) || st.st_mode & S_IWOTH || !S_ISDIR(st.st_mode))
		return FORWARD_NONE;
	(void)snprintf(out->reason, sizeof(out->reason),
		"mail waits while the home directory %.110s is sticky: chmod -t", u->home);
	return FORWARD_DEFER;
}

/* *is_there_out: the file can be opened or its fault was told: no other one is to be looked for. */
static enum forward_outcome read_source(const struct config *c, struct forward_user *u,
	const struct source *from, bool *is_there_out, struct forward *out)
{
	auto_close int fd = open(from->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st, home;
	const char *why;

	*is_there_out = fd >= 0 || (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG);
	if (*is_there_out && fd < 0)
		return cannot_open(u, out, from->path);
	if (fd < 0) {
		(void)forward_tell(u->listener, from->path, 0, "there is no %s", from->path);
		return FORWARD_NONE;
	}
	if (fstat(fd, &st) < 0 || stat(u->home, &home) < 0)
		return defer(out, "read", from->path, errno);
	why = why_unsafe(u, &st, &home);
	if (why) {
		tell_ignored(u, from->path, &st, why);
		return FORWARD_NONE;
	}
	return read_file(c, u, from, fd, &st, out);
}

enum forward_outcome forward_read(
	const struct config *c, struct forward_user *u, struct slice extension, struct forward *out)
{
	struct source from;
	enum forward_outcome outcome;
	bool is_there = false;

	*out = (struct forward){ 0 };
	if (u->home[0] == '/' && check_home(u, out) == FORWARD_DEFER)
		return FORWARD_DEFER;
	if (extension.len && name_source(u, extension, &from)) {
		outcome = read_source(c, u, &from, &is_there, out);
		if (is_there)
			return outcome;
	}
	return name_source(u, SLICE_EMPTY, &from) ? read_source(c, u, &from, &is_there, out) : FORWARD_NONE;
}

const struct forward_leaf *forward_find(const struct forward *f, struct slice origin)
{
	for (size_t i = 0; i < f->n_leaves; i++)
		if (f->leaves[i].origin.len && slice_eq(f->leaves[i].origin, origin))
			return &f->leaves[i];
	return NULL;
}

struct slice forward_extension(const struct config *c, struct slice address)
{
	struct slice local = slice_first(address, slice_rfind(address, '@')), user, extension;

	return address_split_extension(local, slice_of(c->aliases_delimiter), &user, &extension)
		? extension
		: SLICE_EMPTY;
}

void forward_free(struct forward *f)
{
	arena_reset(&f->strings);
	mem_free(f->leaves);
	mem_free(f->path);
	*f = (struct forward){ 0 };
}
