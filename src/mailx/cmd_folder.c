/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_folder.c - commands about folders as a whole: changing to one, listing, removing, renaming
 * Tests: tests/system/test_mail_read.py, tests/system/test_mail_variables.py.
 */
#include "base/file.h"
#include "mailx/child.h"
#include "mailx/commands.h"
#include "mailx/leave.h"
#include "mailx/maildir.h"
#include "mailx/summary.h"
#include <fcntl.h>
#include <sys/stat.h>

enum command_result cmd_folders(struct mailx *mx, struct command_args *args)
{
	auto_buf struct buf path = BUF_INIT(PATH_MAX), command = BUF_INIT(PATH_MAX * 2);
	const char *lister = vars_get(&mx->vars, "LISTER");
	const char *argv[] = { mailx_shell(mx), "-c", NULL, "sh", NULL, NULL };
	int r, status;

	if (!mailx_file_name(mx, "+", &path) || !buf_cstr(&path))
		return COMMAND_FAILED;
	buf_printf(&command, "%s \"$1\"", lister && *lister ? lister : "ls");
	argv[2] = buf_cstr(&command);
	argv[4] = buf_cstr(&path);
	r = argv[2] ? child_run(&(struct child){ .argv = argv, .in = -1, .out = -1 }, &status)
		    : -ENAMETOOLONG;
	if (r < 0)
		mailx_error(mx, "cannot list the folders: %s", strerror(-r));
	return r < 0 ? COMMAND_FAILED : COMMAND_OK;
}

/* The open folder is left before the other one is known to open: its path brings us back. */
static enum command_result change_folder(struct mailx *mx, const char *written)
{
	auto_buf struct buf path = BUF_INIT(PATH_MAX), out = BUF_INIT(MAILX_VALUE_MAX);
	auto_free char *before = NULL;

	if (!mailx_file_name(mx, written, &path) || !buf_cstr(&path))
		return COMMAND_FAILED;
	if (access(buf_cstr(&path), R_OK) < 0) {
		mailx_error(mx, "cannot open \"%s\": %s", buf_cstr(&path), strerror(errno));
		return COMMAND_FAILED;
	}
	before = mem_dup_str(mx->folder.path);
	if (!leave_with_changes(mx))
		return COMMAND_FAILED;
	(void)leave_open_folder(mx, buf_cstr(&path)); /* it told */
	if (!mx->has_folder) {
		(void)leave_open_folder(mx, before);
		return mx->has_folder ? COMMAND_FAILED : COMMAND_EXIT;
	}
	summary_folder(mx, &out);
	(void)fwrite(out.at, 1, out.len, stdout);
	return vars_on(&mx->vars, "header") && mx->folder.messages.n
		? command_run(mx, SLICE("headers"), false)
		: COMMAND_OK;
}

enum command_result cmd_file(struct mailx *mx, struct command_args *args)
{
	auto_buf struct buf out = BUF_INIT(MAILX_VALUE_MAX);

	if (args->words.n)
		return change_folder(mx, args->words.at[0]);
	summary_folder(mx, &out);
	(void)fwrite(out.at, 1, out.len, stdout);
	return COMMAND_OK;
}

enum command_result cmd_newmail(struct mailx *mx, struct command_args *args)
{
	if (!leave_take_new_mail(mx))
		(void)puts("No new mail.");
	return COMMAND_OK;
}

/* A path that is not the open folder's, which would be changed below our hands. */
static bool name_other_folder(struct mailx *mx, const char *written, struct buf *path_out)
{
	if (!mailx_file_name(mx, written, path_out) || !buf_cstr(path_out))
		return false;
	if (!mx->has_folder || !folder_is_at(&mx->folder, buf_cstr(path_out)))
		return true;
	mailx_error(mx, "\"%s\" is the folder that is open; change to another one first", buf_cstr(path_out));
	return false;
}

/* A person is asked; a script has said what it wants. */
static bool is_confirmed(struct mailx *mx, const char *path)
{
	auto_buf struct buf prompt = BUF_INIT(PATH_MAX * 2), answer = BUF_INIT(MAILX_LINE_MAX);

	if (!mx->input.is_tty)
		return true;
	buf_printf(&prompt, "Remove \"%s\" (y/n)? ", path);
	mx->input.complete = NULL;
	return buf_cstr(&prompt) && input_line(&mx->input, buf_cstr(&prompt), NULL, &answer) == INPUT_LINE &&
		(slice_eq_nocase(slice_trim(buf_slice(&answer)), SLICE("y")) ||
			slice_eq_nocase(slice_trim(buf_slice(&answer)), SLICE("yes")));
}

/* The messages of a Maildir and its directories; what else lies there stays, and the Maildir with it. */
static int remove_maildir(const char *path)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	auto_close int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		auto_close int part = openat(root, parts[i], O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		DIR *dir;
		int r = part < 0 ? -errno : file_list(part, ".", &dir);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r; /* a symbolic link too: what it leads to is somebody else's */
		for (const struct dirent *e; (e = readdir(dir));)
			if (e->d_name[0] != '.')
				(void)file_unlink(dirfd(dir), e->d_name); /* what stays is told by rmdir */
		(void)closedir(dir);					  /* was only read */
		if (unlinkat(root, parts[i], AT_REMOVEDIR) < 0)
			return -errno;
	}
	return rmdir(path) < 0 ? -errno : 0;
}

enum command_result cmd_remove(struct mailx *mx, struct command_args *args)
{
	if (args->words.n == 0) {
		mailx_error(mx, "Say which folders: remove file ...");
		return COMMAND_FAILED;
	}
	for (size_t i = 0; i < args->words.n; i++) {
		auto_buf struct buf path = BUF_INIT(PATH_MAX);
		int r;
		if (!name_other_folder(mx, args->words.at[i], &path))
			return COMMAND_FAILED;
		if (!is_confirmed(mx, buf_cstr(&path)))
			continue;
		r = maildir_is(buf_cstr(&path)) ? remove_maildir(buf_cstr(&path))
						: file_unlink(AT_FDCWD, buf_cstr(&path));
		if (r < 0) {
			mailx_error(mx, "cannot remove \"%s\": %s", buf_cstr(&path), strerror(-r));
			return COMMAND_FAILED;
		}
	}
	return COMMAND_OK;
}

enum command_result cmd_rename(struct mailx *mx, struct command_args *args)
{
	auto_buf struct buf from = BUF_INIT(PATH_MAX), to = BUF_INIT(PATH_MAX);
	int r;

	if (args->words.n != 2) {
		mailx_error(mx, "Say which folder and its new name: rename file file");
		return COMMAND_FAILED;
	}
	if (!name_other_folder(mx, args->words.at[0], &from) ||
		!mailx_file_name(mx, args->words.at[1], &to) || !buf_cstr(&to))
		return COMMAND_FAILED;
	r = file_rename_new(AT_FDCWD, buf_cstr(&from), AT_FDCWD, buf_cstr(&to));
	if (r < 0)
		mailx_error(mx, "cannot rename \"%s\" to \"%s\": %s", buf_cstr(&from), buf_cstr(&to),
			strerror(-r));
	return r < 0 ? COMMAND_FAILED : COMMAND_OK;
}
