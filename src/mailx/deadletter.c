/* SPDX-License-Identifier: Apache-2.0 */
/* deadletter.c - see deadletter.h */
#include "mailx/deadletter.h"
#include "base/file.h"
#include "mailx/append.h"
#include <fcntl.h>
#include <sys/stat.h>

static bool deadletter_path(struct mailx *mx, struct buf *path_out)
{
	const char *dead = vars_get(&mx->vars, "DEAD");

	return mailx_file_name(mx, dead && *dead ? dead : "~/dead.letter", path_out) && buf_cstr(path_out);
}

static int deadletter_write(const char *path, struct slice text)
{
	auto_free char *dir = NULL;
	auto_close int dirfd = -1;
	const char *base;
	struct stat st;
	bool is_new;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return append_to_file(path, APPEND_TEXT, text, &is_new); /* /dev/null stays what it is */
	dir = slice_dup(slice_first(slice_of(path), slice_rfind(slice_of(path), '/') + 1));
	base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	dirfd = open(base == path ? "." : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd < 0 ? -errno : file_replace(dirfd, base, 0600, text);
}

void deadletter_save(struct mailx *mx, const struct draft *d, const char *note)
{
	auto_buf struct buf path = BUF_INIT(PATH_MAX), text = BUF_INIT(MAILX_TEXT_MAX);
	int r;

	if (!vars_on(&mx->vars, "save") || (d->text.len == 0 && !note) || !deadletter_path(mx, &path))
		return;
	draft_write_template(d, &text);
	if (text.len && text.at[text.len - 1] != '\n')
		buf_append_byte(&text, '\n');
	if (note)
		buf_printf(&text, "\n[%s]\n", note);
	r = deadletter_write(buf_cstr(&path), buf_slice(&text));
	if (r == 0)
		mailx_error(
			mx, "\"%s\" %u/%zu", buf_cstr(&path), mbox_count_lines(buf_slice(&text)), text.len);
	else
		mailx_error(mx, "the text could not be saved in \"%s\": %s", buf_cstr(&path), strerror(-r));
}
