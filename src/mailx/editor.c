/* SPDX-License-Identifier: Apache-2.0 */
/* editor.c - see editor.h */
#include "mailx/editor.h"
#include "base/file.h"
#include "mailx/child.h"
#include <fcntl.h>

/* A file of our own, readable by nobody else; the caller removes it. */
static int editor_file(struct slice text, struct buf *path_out)
{
	const char *directory = getenv("TMPDIR");
	auto_close int fd = -1;
	int r;

	buf_printf(path_out, "%s/mail.XXXXXX", directory && *directory == '/' ? directory : "/tmp");
	if (!buf_cstr(path_out))
		return -ENAMETOOLONG;
	fd = mkostemp(path_out->at, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = file_write_all(fd, text);
	if (r < 0)
		(void)file_unlink(AT_FDCWD, buf_cstr(path_out)); /* the first failure is the one to report */
	return r;
}

static int editor_run(struct mailx *mx, enum editor_kind kind, const char *path, int *status_out)
{
	const char *editor = vars_get(&mx->vars, kind == EDITOR_LINE ? "EDITOR" : "VISUAL");
	auto_buf struct buf command = BUF_INIT(MAILX_VALUE_MAX);

	if (!editor || !*editor)
		editor = kind == EDITOR_LINE ? "ed" : "vi";
	buf_printf(&command, "%s '%s'", editor, path); /* the path is ours: no quote in it but by TMPDIR */
	if (!buf_cstr(&command) || strchr(path, '\''))
		return -EINVAL;
	return child_shell(mailx_shell(mx), buf_cstr(&command), -1, -1, status_out);
}

bool editor_change(struct mailx *mx, enum editor_kind kind, struct buf *text)
{
	auto_buf struct buf path = BUF_INIT(PATH_MAX), changed = BUF_INIT(text->max);
	int status = 0, r = editor_file(buf_slice(text), &path);

	if (r < 0) {
		mailx_error(mx, "cannot make a file for the editor: %s", strerror(-r));
		return false;
	}
	r = editor_run(mx, kind, buf_cstr(&path), &status);
	if (r == 0 && status == 0)
		r = file_read_path(AT_FDCWD, buf_cstr(&path), &changed);
	(void)file_unlink(AT_FDCWD, buf_cstr(&path)); /* ours; nothing depends on it */
	if (r < 0 || status) {
		mailx_error(mx, "the editor failed (%s); the text is as it was",
			r < 0 ? strerror(-r) : "it said so with its status");
		return false;
	}
	buf_free(text);
	*text = buf_take(&changed);
	return true;
}
