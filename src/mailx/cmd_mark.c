/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_mark.c - commands that mark messages; what the marks do happens on leaving (leave.c)
 * Tests: tests/system/test_mail_folder.py.
 */
#include "mailx/commands.h"
#include "mailx/show.h"

static void mark(struct mailx *mx, const struct msglist *list, unsigned set, unsigned clear)
{
	for (size_t i = 0; i < list->n; i++) {
		struct message *m = &mx->folder.messages.at[list->at[i]];
		m->flags = (uint16_t)((m->flags | set) & ~clear);
	}
}

/* After a deletion: the next message that is left becomes the current one, else the last before it. False:
 * none. */
static bool move_on(struct mailx *mx)
{
	const struct message *all = mx->folder.messages.at;
	size_t n = mx->folder.messages.n, i = mx->folder.dot;

	while (i < n && (all[i].flags & MESSAGE_DELETED))
		i++;
	if (i < n) {
		mx->folder.dot = i;
		mx->dot_was_shown = false;
		return true;
	}
	i = mx->folder.dot;
	while (i > 0 && (all[i].flags & MESSAGE_DELETED))
		i--;
	if (!(all[i].flags & MESSAGE_DELETED))
		mx->folder.dot = i;
	mx->dot_was_shown = true; /* there is nothing behind it */
	return false;
}

static enum command_result delete_list(struct mailx *mx, struct command_args *args, bool then_show)
{
	const struct show_options options = {
		.fields = &mx->fields, .has_from_line = true, .has_header = true, .has_status = true
	};

	mark(mx, &args->list, MESSAGE_DELETED, MESSAGE_SAVED | MESSAGE_PRESERVED | MESSAGE_MBOXED);
	mx->folder.dot = args->list.at[args->list.n - 1];
	if (!move_on(mx)) {
		if (then_show)
			(void)fputs("At EOF\n", stdout);
		return COMMAND_OK;
	}
	if (!then_show)
		return COMMAND_OK;
	mx->dot_was_shown = true;
	return show_on_terminal(mx, mx->folder.dot, &options) < 0 ? COMMAND_FAILED : COMMAND_OK;
}

enum command_result cmd_delete(struct mailx *mx, struct command_args *args)
{
	return delete_list(mx, args, vars_on(&mx->vars, "autoprint"));
}

enum command_result cmd_delete_print(struct mailx *mx, struct command_args *args)
{
	return delete_list(mx, args, true);
}

enum command_result cmd_undelete(struct mailx *mx, struct command_args *args)
{
	mark(mx, &args->list, 0, MESSAGE_DELETED);
	mx->folder.dot = args->list.at[args->list.n - 1];
	mx->dot_was_shown = false;
	return COMMAND_OK;
}

enum command_result cmd_hold(struct mailx *mx, struct command_args *args)
{
	mark(mx, &args->list, MESSAGE_PRESERVED, MESSAGE_MBOXED | MESSAGE_SAVED);
	return COMMAND_OK;
}

enum command_result cmd_mbox(struct mailx *mx, struct command_args *args)
{
	mark(mx, &args->list, MESSAGE_MBOXED, MESSAGE_PRESERVED);
	return COMMAND_OK;
}

enum command_result cmd_touch(struct mailx *mx, struct command_args *args)
{
	mark(mx, &args->list, MESSAGE_TOUCHED | MESSAGE_READ, MESSAGE_PRESERVED);
	return COMMAND_OK;
}

enum command_result cmd_seen(struct mailx *mx, struct command_args *args)
{
	mark(mx, &args->list, MESSAGE_READ, 0);
	return COMMAND_OK;
}

enum command_result cmd_unread(struct mailx *mx, struct command_args *args)
{
	mark(mx, &args->list, 0, MESSAGE_READ | MESSAGE_TOUCHED | MESSAGE_NEW);
	return COMMAND_OK;
}

enum command_result cmd_new(struct mailx *mx, struct command_args *args)
{
	mark(mx, &args->list, MESSAGE_NEW | MESSAGE_STAYS_NEW, MESSAGE_READ | MESSAGE_TOUCHED);
	return COMMAND_OK;
}

/* Each of these has a twin whose name begins with `un'. */
static void mark_or_not(struct mailx *mx, struct command_args *args, unsigned flag)
{
	bool is_off = strncmp(args->command->name, "un", 2) == 0;

	mark(mx, &args->list, is_off ? 0 : flag, is_off ? flag : 0);
}

enum command_result cmd_flag(struct mailx *mx, struct command_args *args)
{
	mark_or_not(mx, args, MESSAGE_FLAGGED);
	return COMMAND_OK;
}

enum command_result cmd_answered(struct mailx *mx, struct command_args *args)
{
	mark_or_not(mx, args, MESSAGE_ANSWERED);
	return COMMAND_OK;
}

enum command_result cmd_draft(struct mailx *mx, struct command_args *args)
{
	mark_or_not(mx, args, MESSAGE_DRAFT);
	return COMMAND_OK;
}
