/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_file.c - commands that put messages into files, and that show them in an editor; leaving
 * Tests: tests/system/test_mail_folder.py.
 */
#include "base/file.h"
#include "mailx/append.h"
#include "mailx/child.h"
#include "mailx/commands.h"
#include "mailx/editor.h"
#include "mailx/keep.h"
#include "mailx/leave.h"
#include "mailx/lock.h"
#include "mailx/reply.h"
#include "mailx/show.h"
#include "mailx/summary.h"

/* Tells `"file" [New file] lines/bytes'; false, told, when it could not be written. */
static bool append_and_tell(struct mailx *mx, const char *path, enum append_kind kind, struct slice text)
{
	bool is_new = false;
	int r = append_to_file(path, kind, text, &is_new);

	if (r == 0) {
		mailx_tell(mx, "\"%s\" %s %u/%zu", path, is_new ? "[New file]" : "[Appended]",
			mbox_count_lines(text), text.len);
		return true;
	}
	mailx_error(mx, "cannot write \"%s\": %s", path, append_problem(r));
	return false;
}

/* Where a message is saved to: with `newfolders=maildir' what is not there yet is named as a Maildir. */
static bool name_target(struct mailx *mx, const char *written, struct buf *path_out)
{
	const char *kind = vars_get(&mx->vars, "newfolders");

	if (!mailx_file_name(mx, written, path_out) || !buf_cstr(path_out))
		return false;
	if (kind && strcmp(kind, "maildir") == 0 && access(buf_cstr(path_out), F_OK) < 0)
		buf_append_byte(path_out, '/');
	return buf_cstr(path_out);
}

/* Saving marks the messages; they go on leaving only after they are on disk elsewhere. */
static enum command_result keep_in_file(
	struct mailx *mx, const struct msglist *list, const char *written, unsigned mark)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX), path = BUF_INIT(PATH_MAX);

	if (!name_target(mx, written, &path))
		return COMMAND_FAILED;
	if (folder_is_at(&mx->folder, buf_cstr(&path))) {
		mailx_error(mx, "\"%s\" is the folder that is open; choose another file", buf_cstr(&path));
		return COMMAND_FAILED;
	}
	for (size_t i = 0; i < list->n; i++)
		if (keep_message(mx, list->at[i], &mx->saved_fields, &text) < 0)
			return COMMAND_FAILED;
	if (!append_and_tell(mx, buf_cstr(&path), APPEND_MESSAGES, buf_slice(&text)))
		return COMMAND_FAILED;
	for (size_t i = 0; i < list->n; i++) {
		struct message *m = &mx->folder.messages.at[list->at[i]];
		m->flags |= (uint16_t)mark;
		if (mark)
			m->flags &= (uint16_t) ~(MESSAGE_PRESERVED | MESSAGE_MBOXED);
		mx->folder.dot = list->at[i];
		mx->dot_was_shown = true;
	}
	return COMMAND_OK;
}

enum command_result cmd_save(struct mailx *mx, struct command_args *args)
{
	return keep_in_file(mx, &args->list, args->words.n ? args->words.at[0] : "&", MESSAGE_SAVED);
}

enum command_result cmd_copy(struct mailx *mx, struct command_args *args)
{
	return keep_in_file(mx, &args->list, args->words.n ? args->words.at[0] : "&", 0);
}

enum command_result cmd_move(struct mailx *mx, struct command_args *args)
{
	return keep_in_file(mx, &args->list, args->words.n ? args->words.at[0] : "&", MESSAGE_DELETED);
}

static enum command_result keep_by_author(struct mailx *mx, struct command_args *args, unsigned mark)
{
	auto_buf struct buf name = BUF_INIT(PATH_MAX), file = BUF_INIT(PATH_MAX);

	reply_author_name(mx, args->list.at[0], &name);
	if (name.len == 0) {
		mailx_error(mx, "The author has no name that a file could have");
		return COMMAND_FAILED;
	}
	buf_append_str(&file, vars_on(&mx->vars, "outfolder") ? "+" : "");
	buf_append(&file, buf_slice(&name));
	return buf_cstr(&file) ? keep_in_file(mx, &args->list, buf_cstr(&file), mark) : COMMAND_FAILED;
}

enum command_result cmd_save_author(struct mailx *mx, struct command_args *args)
{
	return keep_by_author(mx, args, MESSAGE_SAVED);
}

enum command_result cmd_copy_author(struct mailx *mx, struct command_args *args)
{
	return keep_by_author(mx, args, 0);
}

enum command_result cmd_move_author(struct mailx *mx, struct command_args *args)
{
	return keep_by_author(mx, args, MESSAGE_DELETED);
}

enum command_result cmd_chdir(struct mailx *mx, struct command_args *args)
{
	auto_buf struct buf path = BUF_INIT(PATH_MAX);

	if (!mailx_file_name(mx, args->words.n ? args->words.at[0] : "~", &path) || !buf_cstr(&path))
		return COMMAND_FAILED;
	if (chdir(buf_cstr(&path)) == 0)
		return COMMAND_OK;
	mailx_error(mx, "cannot change to \"%s\": %s", buf_cstr(&path), strerror(errno));
	return COMMAND_FAILED;
}

/* What the editor made of a message. Without `writebackedited' that was a copy: a mailbox is no scratch
 * paper. */
static void take_edited(struct mailx *mx, size_t index, struct slice text)
{
	if (!vars_on(&mx->vars, "writebackedited")) {
		mailx_error(mx,
			"%zu: changes to messages are not kept; save the text from the editor, or set the "
			"variable `writebackedited'",
			index + 1);
		return;
	}
	switch (folder_edit(&mx->folder, index, text)) {
	case FOLDER_EDITED: break;
	case FOLDER_EDIT_NOT_ONE:
		mailx_error(mx,
			"%zu: stays as it is: the text must begin with its From line and have no other",
			index + 1);
		break;
	case FOLDER_EDIT_NEVER:
		mailx_error(mx, "%zu: stays as it is: messages in a Maildir are not changed", index + 1);
		break;
	}
}

static enum command_result edit_copies(struct mailx *mx, struct command_args *args, enum editor_kind kind)
{
	static const struct show_options options = {
		.has_from_line = true, .has_header = true, .is_raw = true
	};

	for (size_t i = 0; i < args->list.n; i++) {
		auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX), before = BUF_INIT(MAILX_TEXT_MAX);
		if (show_message(mx, args->list.at[i], &options, &text) < 0)
			return COMMAND_FAILED;
		buf_append(&before, buf_slice(&text));
		if (!editor_change(mx, kind, &text))
			return COMMAND_FAILED;
		if (!slice_eq(buf_slice(&before), buf_slice(&text)))
			take_edited(mx, args->list.at[i], buf_slice(&text));
		mx->folder.messages.at[args->list.at[i]].flags |= MESSAGE_READ | MESSAGE_TOUCHED;
		mx->folder.dot = args->list.at[i];
		mx->dot_was_shown = true;
	}
	return COMMAND_OK;
}

enum command_result cmd_edit(struct mailx *mx, struct command_args *args)
{
	return edit_copies(mx, args, EDITOR_LINE);
}

enum command_result cmd_visual(struct mailx *mx, struct command_args *args)
{
	return edit_copies(mx, args, EDITOR_SCREEN);
}

enum command_result cmd_quit(struct mailx *mx, struct command_args *args)
{
	return COMMAND_QUIT;
}

enum command_result cmd_exit(struct mailx *mx, struct command_args *args)
{
	return COMMAND_EXIT;
}
