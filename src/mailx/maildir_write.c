/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maildir_write.c - see maildir.h
 *
 * Every step is one rename or unlink of a whole message, so that a crash anywhere leaves each message as it
 * was or as it shall be.
 */
#include "base/clock.h"
#include "base/file.h"
#include "mail/header.h"
#include "mailx/maildir-private.h"
#include "mailx/maildir_name.h"
#include <fcntl.h>
#include <sys/stat.h>

static int sync_part(int root, const char *part)
{
	auto_close int fd = openat(root, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : file_sync_dir(fd);
}

/* What the name says now, which another reader may have changed, with what was changed in this session. */
static unsigned flags_to_be(const char *file, const struct message *m)
{
	unsigned changed = (m->flags ^ m->stored) & MESSAGE_IN_NAME;

	return (maildir_flags(file) & ~changed) | (m->flags & changed);
}

static int change_file(struct folder *f, size_t index)
{
	const struct message *m = &f->messages.at[index];
	auto_buf struct buf name = BUF_INIT(PATH_MAX);
	int r;

	if (m->flags & MESSAGE_DELETED)
		return file_unlink(f->fd, f->files.at[index]);
	maildir_rename_for(f->files.at[index], flags_to_be(f->files.at[index], m), &name);
	if (!buf_cstr(&name))
		return -ENAMETOOLONG;
	if (strcmp(buf_cstr(&name), f->files.at[index]) == 0)
		return 0;
	r = file_rename_new(f->fd, f->files.at[index], f->fd, buf_cstr(&name));
	return r == -EEXIST ? 0 : r; /* a message under a double name: both stay as they are */
}

/* A message that is gone altogether was deleted by another reader: nothing is left to do for it. */
static int settle_message(struct folder *f, size_t index)
{
	int r = change_file(f, index);

	if (r == -ENOENT)
		r = maildir_find_again(f, index) ? change_file(f, index) : 0;
	return r;
}

int maildir_rewrite(struct folder *f, struct rewrite_outcome *outcome_out)
{
	size_t n_before = f->messages.n;
	int r = maildir_extend(f);

	outcome_out->has_new_mail = f->messages.n > n_before; /* stays as it is */
	for (size_t i = 0; r >= 0 && i < n_before; i++)
		r = settle_message(f, i);
	if (r >= 0)
		r = sync_part(f->fd, "cur");
	if (r >= 0)
		r = sync_part(f->fd, "new");
	return r < 0 ? r : REWRITE_DONE;
}

/* Makes what is missing of the Maildir; *is_new_out: all of it. */
static int open_or_make(const char *path, bool *is_new_out)
{
	static const char *const needed[] = { "tmp", "new", "cur" };
	bool is_new = mkdir(path, 0700) == 0;
	auto_close int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -errno;
	if (!is_new && !maildir_is(path))
		return -EISDIR; /* somebody's directory, which is to become no Maildir by a slip */
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (mkdirat(root, needed[i], 0700) < 0 && errno != EEXIST)
			return -errno;
	*is_new_out = is_new;
	return take_fd(&root);
}

/* One > less before each line that has some and "From " behind them: the mbox form undone (mbox_quote). */
static void put_unquoted(struct slice text, struct buf *out)
{
	while (text.len) {
		size_t n = MIN(slice_find(text, '\n') + 1, text.len);
		struct slice line = slice_first(text, n);
		if (line.at[0] == '>' && mbox_needs_quote(line))
			line = slice_from(line, 1);
		buf_append(out, line);
		text = slice_from(text, n);
	}
}

/* The message as a file: no From_ line, no Status: fields (the name has them), no closing empty line. */
static void put_content(struct slice mbox_text, const struct message *m, struct buf *out)
{
	struct message_parts parts =
		message_split(slice_first(slice_from(mbox_text, m->offset), m->size), m->head_size);
	struct slice rest = parts.header;
	struct header_field field;

	while (header_next(&rest, &field))
		if (!mbox_is_status_line(field.raw))
			buf_append(out, field.raw);
	buf_append(out, rest);
	buf_append_byte(out, '\n');
	put_unquoted(parts.body, out);
}

static void make_unique(struct buf *out)
{
	static unsigned n_made;
	char host[HOST_NAME_MAX + 1] = "localhost";
	uint64_t now_us = clock_wall_us();

	(void)gethostname(host, sizeof(host) - 1); /* any word will do */
	for (char *c = host; *c; c++)
		if (*c == '/' || *c == ':')
			*c = '_';
	buf_printf(out, "%" PRIu64 ".M%06" PRIu64 "P%dQ%u.%.64s", now_us / 1000000, now_us % 1000000,
		(int)getpid(), n_made++, host);
}

static int write_aside(int root, const char *name, struct slice content)
{
	auto_close int fd = openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : file_write_all(fd, content);

	return r == 0 ? file_sync(fd) : r;
}

/* *name_out: where it is now. */
static int add_one(int root, struct slice mbox_text, const struct message *m, struct buf *name_out)
{
	auto_buf struct buf unique = BUF_INIT(NAME_MAX), aside = BUF_INIT(PATH_MAX),
			    content = BUF_INIT(mbox_text.len + 1);
	int r;

	make_unique(&unique);
	buf_printf(&aside, "tmp/%s", buf_cstr(&unique));
	maildir_rename_for(buf_cstr(&aside), m->flags, name_out);
	put_content(mbox_text, m, &content);
	if (!buf_ok(&content) || !buf_cstr(&aside) || !buf_cstr(name_out))
		return -ENAMETOOLONG;
	r = write_aside(root, buf_cstr(&aside), buf_slice(&content));
	if (r == 0)
		r = file_rename_new(root, buf_cstr(&aside), root, buf_cstr(name_out));
	if (r < 0)
		(void)file_unlink(root, buf_cstr(&aside)); /* the first failure is what counts */
	return r;
}

static int add_all(int root, struct slice mbox_text, const struct mbox_index *messages, struct strlist *added)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < messages->n; i++) {
		auto_buf struct buf name = BUF_INIT(PATH_MAX);
		r = add_one(root, mbox_text, &messages->at[i], &name);
		if (r == 0)
			strlist_add(added, buf_cstr(&name));
	}
	if (r == 0)
		r = sync_part(root, "cur");
	if (r == 0)
		r = sync_part(root, "new");
	return r;
}

int maildir_append(const char *path, struct slice mbox_text, bool *is_new_out)
{
	auto_close int root = open_or_make(path, is_new_out);
	auto_strlist struct strlist added = STRLIST_INIT;
	struct mbox_index messages = { 0 };
	int r;

	if (root < 0)
		return root;
	r = mbox_scan(mbox_text, 0, &messages) == MBOX_OK ? add_all(root, mbox_text, &messages, &added)
							  : -EINVAL;
	mbox_index_free(&messages);
	for (size_t i = 0; r < 0 && i < added.n; i++)
		(void)file_unlink(root, added.at[i]); /* all or nothing */
	return r;
}
