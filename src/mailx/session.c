/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - see session.h */
#include "mailx/session.h"
#include "mailx/commands.h"
#include "mailx/complete.h"
#include "mailx/leave.h"
#include "mailx/summary.h"

static void show_start(struct mailx *mx)
{
	auto_buf struct buf out = BUF_INIT(MAILX_VALUE_MAX);

	if (!vars_on(&mx->vars, "quiet"))
		(void)puts("Postrider mail version " POSTRIDER_VERSION ".  Type ? for help.");
	summary_folder(mx, &out);
	(void)fwrite(out.at, 1, out.len, stdout);
	if (vars_on(&mx->vars, "header") && mx->folder.messages.n)
		(void)command_run(mx, SLICE("headers"), false); /* it shows what there is */
}

/* A command with its continuation lines. */
static enum input_result read_command(struct mailx *mx, struct buf *command)
{
	const char *prompt = vars_get(&mx->vars, "prompt");
	auto_buf struct buf line = BUF_INIT(MAILX_LINE_MAX);
	enum input_result r;

	mx->input.complete = complete_command;
	mx->input.complete_user = mx;
	r = input_line(&mx->input, prompt ? prompt : "", NULL, &line);
	screen_measure(&mx->screen); /* the window may have another size by now */

	buf_clear(command);
	while (r == INPUT_LINE && line.len && line.at[line.len - 1] == '\\') {
		buf_append(command, slice_first(buf_slice(&line), line.len - 1));
		r = input_line(&mx->input, "", NULL, &line);
	}
	buf_append(command, buf_slice(&line));
	return r;
}

/* What the next line says to do; the end of the input is `quit'. */
static enum command_result serve_line(struct mailx *mx, struct buf *command)
{
	enum input_result r;

	if (vars_on(&mx->vars, "newmail") && mx->input.is_tty)
		(void)leave_take_new_mail(mx); /* it tells */
	r = read_command(mx, command);
	switch (r) {
	case INPUT_HANGUP: return COMMAND_EXIT;
	case INPUT_INTERRUPT: return COMMAND_OK;
	case INPUT_END:
		if (!mx->input.is_tty || !vars_on(&mx->vars, "ignoreeof"))
			return COMMAND_QUIT;
		(void)puts("Use \"quit\" to quit.");
		return COMMAND_OK;
	case INPUT_LINE: break;
	}
	if (!buf_ok(command) || !buf_cstr(command)) {
		mailx_error(mx, "The line is too long");
		return COMMAND_FAILED;
	}
	input_remember(&mx->input, buf_cstr(command));
	return command_run(mx, buf_slice(command), mx->input.is_tty);
}

static int session_loop(struct mailx *mx)
{
	auto_buf struct buf command = BUF_INIT(MAILX_LINE_MAX);
	unsigned n_refused = 0;

	for (;;) {
		enum command_result r = serve_line(mx, &command);
		(void)fflush(stdout);
		if (r == COMMAND_EXIT || input_has_hangup())
			return 0;
		if (r != COMMAND_QUIT)
			continue;
		if (leave_with_changes(mx))
			return 0;
		/* A person can repair what is wrong and try again, or leave with `x'; a script cannot. */
		if (!mx->input.is_tty || ++n_refused >= 3)
			return 1;
	}
}

int session_run(struct mailx *mx, const char *folder)
{
	(void)leave_open_folder(mx, folder); /* it told */
	if (!mx->has_folder)
		return 1;
	show_start(mx);
	return session_loop(mx);
}

/* The messages that -H and -e look at. */
static bool select_messages(struct mailx *mx, const char *spec, struct msglist *list)
{
	auto_buf struct buf problem = BUF_INIT(MAILX_VALUE_MAX);

	return msglist_parse(mx, slice_of(spec ? spec : "*"), MSGLIST_LIVE, list, &problem) == MSGLIST_OK;
}

int session_summary(struct mailx *mx, const char *folder, const char *spec)
{
	auto_buf struct buf out = BUF_INIT(MAILX_TEXT_MAX);
	struct msglist list = { 0 };
	bool has_any;

	if (leave_open_folder(mx, folder) != LEAVE_OPENED)
		return 1;
	has_any = select_messages(mx, spec, &list);
	for (size_t i = 0; i < list.n; i++)
		summary_row(mx, list.at[i], &out);
	(void)fwrite(out.at, 1, out.len, stdout);
	msglist_free(&list);
	return has_any ? 0 : 1;
}

int session_exists(struct mailx *mx, const char *folder, const char *spec)
{
	auto_buf struct buf path = BUF_INIT(PATH_MAX);
	struct msglist list = { 0 };
	bool has_any;

	if (!mailx_file_name(mx, folder, &path) || !buf_cstr(&path) ||
		folder_open(&mx->folder, buf_cstr(&path), buf_cstr(&path), true) != FOLDER_OPEN)
		return 1;
	has_any = select_messages(mx, spec, &list);
	msglist_free(&list);
	return has_any ? 0 : 1;
}
