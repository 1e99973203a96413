/* SPDX-License-Identifier: Apache-2.0 */
/* rcfile.c - see rcfile.h */
#include "mailx/rcfile.h"
#include "base/file.h"
#include "base/limits.h"
#include "mailx/commands.h"
#include "mailx/default_rc.h"
#include <fcntl.h>

bool rcfile_next_line(struct slice *text, struct buf *line_out, unsigned *n_lines_out)
{
	struct slice line;

	buf_clear(line_out);
	*n_lines_out = 0;
	while (slice_next_line(text, &line)) {
		(*n_lines_out)++;
		if (line.len == 0 || line.at[line.len - 1] != '\\') {
			buf_append(line_out, line);
			return true;
		}
		buf_append(line_out, slice_first(line, line.len - 1));
	}
	return *n_lines_out > 0;
}

enum rcfile_result rcfile_run_text(struct mailx *mx, const char *name, struct slice text)
{
	struct source outer = mx->source;
	struct conditions conditions = mx->conditions;
	auto_buf struct buf line = BUF_INIT(MAILX_LINE_MAX);
	unsigned n_lines, next = 1;

	if (mx->sources.n >= MAILX_SOURCE_DEPTH) {
		mailx_error(mx, "\"%s\" is not read: more than %d files inside each other", name,
			MAILX_SOURCE_DEPTH);
		return RCFILE_FAILED;
	}
	strlist_add(&mx->sources, name);
	mx->source.file = mx->sources.at[mx->sources.n - 1];
	mx->conditions = (struct conditions){ .is_live[0] = true };
	while (rcfile_next_line(&text, &line, &n_lines)) {
		mx->source.line = next;
		next += n_lines;
		if (!buf_ok(&line))
			mailx_error(mx, "the line is too long");
		else
			(void)command_run(
				mx, buf_slice(&line), false); /* it told; the file goes on (POSIX) */
	}
	if (mx->conditions.depth)
		mailx_error(mx, "an `if' has no `endif'");
	mx->conditions = conditions;
	mx->source = outer;
	strlist_remove(&mx->sources, mx->sources.n - 1);
	return RCFILE_DONE;
}

enum rcfile_result rcfile_run(struct mailx *mx, const char *path)
{
	auto_buf struct buf text = BUF_INIT(MAILX_LINE_MAX);
	int r = file_read_path(AT_FDCWD, path, &text);

	if (r == -ENOENT || r == -ENOTDIR)
		return RCFILE_MISSING;
	if (r < 0) {
		mailx_error(mx, "cannot read \"%s\": %s", path, strerror(-r));
		return RCFILE_FAILED;
	}
	return rcfile_run_text(mx, path, buf_slice(&text));
}

void rcfile_start(struct mailx *mx, bool without_system)
{
	const char *own = getenv("MAILRC");
	auto_buf struct buf path = BUF_INIT(PATH_MAX);

	if (!without_system) {
		if (mx->paths.sandbox[0])
			buf_printf(&path, "%s/etc/mail.rc", mx->paths.sandbox);
		else
			buf_append_str(&path, PATH_SYSCONF "/mail.rc");
		if (buf_cstr(&path) && rcfile_run(mx, buf_cstr(&path)) == RCFILE_MISSING)
			(void)rcfile_run_text(mx, "mail.rc (built in)", slice_of(default_rc));
	}
	buf_clear(&path);
	if (own && *own)
		buf_append_str(&path, own);
	else
		buf_printf(&path, "%s/.mailrc", mx->home);
	if (buf_cstr(&path))
		(void)rcfile_run(mx, buf_cstr(&path)); /* most people have none; other problems are told */
}
