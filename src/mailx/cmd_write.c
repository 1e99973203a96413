/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_write.c - `write': the text of messages without header, and each attachment under a safe name
 *
 * A sender chooses the names of attachments, so they get their base name only, in the current directory, and
 * never take the place of a file that is there.
 * Tests: tests/system/test_mail_read.py.
 */
#include "base/file.h"
#include "mail/header.h"
#include "mailx/append.h"
#include "mailx/commands.h"
#include "mailx/mime_in.h"
#include "mailx/show.h"
#include <fcntl.h>

struct writing {
	struct mailx *mx;
	struct buf text; /* of all messages */
	bool has_failed;
};

/* Creates name, or name.1, name.2 … when it is taken. */
static int create_free_name(struct buf *name)
{
	size_t length = name->len;
	int fd = -1;

	for (unsigned i = 0; i < 1000; i++) {
		name->len = length;
		if (i)
			buf_printf(name, ".%u", i);
		if (!buf_cstr(name))
			return -ENAMETOOLONG;
		fd = open(buf_cstr(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0 || errno != EEXIST)
			break;
	}
	return fd < 0 ? -errno : fd;
}

static bool write_attachment(struct writing *w, const struct mime_part *part)
{
	auto_buf struct buf name = BUF_INIT(PATH_MAX);
	auto_close int fd = -1;
	int r;

	mime_safe_name(slice_of(part->file_name), &name);
	if (name.len == 0)
		buf_append_str(&name, "attachment");
	fd = create_free_name(&name);
	r = fd < 0 ? fd : file_write_all(fd, part->content);
	if (r < 0) {
		if (fd >= 0)
			(void)file_unlink(AT_FDCWD, buf_cstr(&name)); /* ours, and torn */
		mailx_error(w->mx, "cannot write \"%.*s\": %s", SLICE_ARG(buf_slice(&name)), strerror(-r));
		return false;
	}
	mailx_tell(w->mx, "\"%.*s\" [New file] %zu", SLICE_ARG(buf_slice(&name)), part->content.len);
	return true;
}

static bool write_part(const struct mime_part *part, void *user)
{
	struct writing *w = user;

	if (part->file_name)
		w->has_failed = w->has_failed || !write_attachment(w, part);
	else if (part->is_text)
		buf_append(&w->text, part->content);
	return !w->has_failed;
}

static bool is_multipart(struct slice message)
{
	struct slice header, body, rest;
	struct header_field field;

	header_split(message, &header, &body);
	rest = header;
	return header_find(&rest, SLICE("Content-Type"), &field) &&
		slice_starts_nocase(field.value, SLICE("multipart/"));
}

/* A single part is the file, decoded; of several the texts are, and the others get files of their own. */
static bool write_message(struct writing *w, size_t index)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);
	const struct message *m = &w->mx->folder.messages.at[index];
	struct message_parts parts;
	struct slice message;

	if (show_problem(w->mx, index, folder_read(&w->mx->folder, index, &text)) < 0)
		return false;
	parts = message_split(buf_slice(&text), m->head_size);
	message = slice_first(slice_from(buf_slice(&text), parts.from_line.len + 1),
		(size_t)(parts.body.at + parts.body.len - (text.at + parts.from_line.len + 1)));
	if (is_multipart(message))
		mime_walk(message, write_part, w);
	else
		mime_read_text(message, false, &w->text);
	return !w->has_failed;
}

enum command_result cmd_write(struct mailx *mx, struct command_args *args)
{
	struct writing w = { .mx = mx, .text = BUF_INIT(MAILX_TEXT_MAX) };
	auto_buf struct buf path = BUF_INIT(PATH_MAX);
	bool is_new = false, is_good = true;
	int r;

	if (args->words.n == 0) {
		mailx_error(mx, "Say where: write [messages] file");
		return COMMAND_FAILED;
	}
	if (!mailx_file_name(mx, args->words.at[0], &path) || !buf_cstr(&path))
		return COMMAND_FAILED;
	for (size_t i = 0; i < args->list.n && is_good; i++)
		is_good = write_message(&w, args->list.at[i]);
	r = is_good ? append_to_file(buf_cstr(&path), APPEND_TEXT, buf_slice(&w.text), &is_new) : -ECANCELED;
	if (r == 0) {
		mailx_tell(mx, "\"%s\" %s %u/%zu", buf_cstr(&path), is_new ? "[New file]" : "[Appended]",
			mbox_count_lines(buf_slice(&w.text)), w.text.len);
		for (size_t i = 0; i < args->list.n; i++)
			mx->folder.messages.at[args->list.at[i]].flags |= MESSAGE_SAVED;
	} else if (is_good) {
		mailx_error(mx, "cannot write \"%s\": %s", buf_cstr(&path), strerror(r < 0 ? -r : EAGAIN));
	}
	buf_free(&w.text);
	return r == 0 ? COMMAND_OK : COMMAND_FAILED;
}
