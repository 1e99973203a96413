/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.c - see commands.h
 *
 * The order of the rows decides which name a short word means; `min' keeps it to what POSIX and the Berkeley
 * tradition say.
 */
#include "mailx/commands.h"
#include "mailx/args.h"

#define NEEDS COMMAND_NEEDS_MESSAGE | COMMAND_NEEDS_FOLDER
#define FOLDER COMMAND_NEEDS_FOLDER

/* clang-format off */
const struct command commands[] = {
	/* name, shortest, what follows, when, handler, usage, help */
	{ "print", 1, COMMAND_LIST, NEEDS, cmd_print, "[messages]", "show messages" },
	{ "type", 1, COMMAND_LIST, NEEDS, cmd_print, "[messages]", "the same as print" },
	{ "Print", 1, COMMAND_LIST, NEEDS, cmd_print_all, "[messages]", "show messages with all header fields" },
	{ "Type", 1, COMMAND_LIST, NEEDS, cmd_print_all, "[messages]", "the same as Print" },
	{ "more", 2, COMMAND_LIST, NEEDS, cmd_print, "[messages]", "the same as print" },
	{ "show", 3, COMMAND_LIST, NEEDS, cmd_show_raw, "[messages]", "show messages as they are stored, nothing decoded" },
	{ "next", 1, COMMAND_LIST, FOLDER | COMMAND_OPTIONAL_LIST, cmd_next, "[message]", "go to the next message and show it" },
	{ "top", 2, COMMAND_LIST, NEEDS, cmd_top, "[messages]", "show the first lines" },
	{ "headers", 1, COMMAND_LIST, FOLDER | COMMAND_OPTIONAL_LIST, cmd_headers, "[message]", "show the page of the summary that holds the message" },
	{ "z", 1, COMMAND_TEXT, FOLDER, cmd_scroll, "[+|-|$|^]", "show the next (previous, last, first) page of the summary" },
	{ "from", 1, COMMAND_LIST, NEEDS, cmd_from, "[messages]", "show the summary of messages" },
	{ "sort", 3, COMMAND_WORDS, FOLDER, cmd_sort, "[key]", "number the messages in the order of arrival, date, from, to, subject, size or status" },
	{ "size", 2, COMMAND_LIST, NEEDS | COMMAND_WANTS_EITHER, cmd_size, "[messages]", "show sizes in bytes" },
	{ "=", 1, COMMAND_LIST, FOLDER | COMMAND_OPTIONAL_LIST | COMMAND_WANTS_EITHER, cmd_number, "[message]", "show the number of the current message" },
	{ "delete", 1, COMMAND_LIST, NEEDS, cmd_delete, "[messages]", "delete messages" },
	{ "dp", 2, COMMAND_LIST, NEEDS, cmd_delete_print, "[messages]", "delete messages and show the next one" },
	{ "dt", 2, COMMAND_LIST, NEEDS, cmd_delete_print, "[messages]", "the same as dp" },
	{ "undelete", 1, COMMAND_LIST, NEEDS | COMMAND_WANTS_GONE, cmd_undelete, "[messages]", "take deleted messages back" },
	{ "hold", 2, COMMAND_LIST, NEEDS, cmd_hold, "[messages]", "keep messages in the system mailbox" },
	{ "preserve", 3, COMMAND_LIST, NEEDS, cmd_hold, "[messages]", "the same as hold" },
	{ "mbox", 2, COMMAND_LIST, NEEDS, cmd_mbox, "[messages]", "move messages to MBOX on leaving" },
	{ "touch", 3, COMMAND_LIST, NEEDS, cmd_touch, "[messages]", "treat messages as shown" },
	{ "seen", 3, COMMAND_LIST, NEEDS, cmd_seen, "[messages]", "mark messages as read" },
	{ "unread", 3, COMMAND_LIST, NEEDS, cmd_unread, "[messages]", "mark messages as not read" },
	{ "Unread", 1, COMMAND_LIST, NEEDS, cmd_unread, "[messages]", "the same as unread" },
	{ "new", 3, COMMAND_LIST, NEEDS, cmd_new, "[messages]", "mark messages as new" },
	{ "flag", 3, COMMAND_LIST, NEEDS, cmd_flag, "[messages]", "mark messages as important" },
	{ "unflag", 4, COMMAND_LIST, NEEDS, cmd_flag, "[messages]", "take that mark off" },
	{ "answered", 3, COMMAND_LIST, NEEDS, cmd_answered, "[messages]", "mark messages as answered" },
	{ "unanswered", 4, COMMAND_LIST, NEEDS, cmd_answered, "[messages]", "take that mark off" },
	{ "draft", 3, COMMAND_LIST, NEEDS, cmd_draft, "[messages]", "mark messages as drafts" },
	{ "undraft", 4, COMMAND_LIST, NEEDS, cmd_draft, "[messages]", "take that mark off" },
	{ "save", 1, COMMAND_LIST_WORD, NEEDS, cmd_save, "[[messages] file]", "append messages to a file (MBOX) and let them go on leaving" },
	{ "Save", 1, COMMAND_LIST, NEEDS, cmd_save_author, "[messages]", "save to a file named after the author" },
	{ "copy", 1, COMMAND_LIST_WORD, NEEDS, cmd_copy, "[[messages] file]", "append messages to a file (MBOX) and keep them" },
	{ "Copy", 1, COMMAND_LIST, NEEDS, cmd_copy_author, "[messages]", "copy to a file named after the author" },
	{ "move", 3, COMMAND_LIST_WORD, NEEDS, cmd_move, "[[messages] file]", "copy messages to a file (MBOX) and delete them" },
	{ "Move", 2, COMMAND_LIST, NEEDS, cmd_move_author, "[messages]", "move to a file named after the author" },
	{ "write", 1, COMMAND_LIST_WORD, NEEDS, cmd_write, "[messages] file", "append texts without headers to a file, attachments to files of their own" },
	{ "pipe", 2, COMMAND_LIST_WORD, NEEDS, cmd_pipe, "[[messages] command]", "give messages to a shell command" },
	{ "|", 1, COMMAND_LIST_WORD, NEEDS, cmd_pipe, "[[messages] command]", "the same as pipe" },
	{ "edit", 1, COMMAND_LIST, NEEDS, cmd_edit, "[messages]", "look at messages with EDITOR" },
	{ "visual", 1, COMMAND_LIST, NEEDS, cmd_visual, "[messages]", "look at messages with VISUAL" },
	{ "reply", 1, COMMAND_LIST, NEEDS, cmd_reply, "[messages]", "answer the author and all recipients" },
	{ "respond", 3, COMMAND_LIST, NEEDS, cmd_reply, "[messages]", "the same as reply" },
	{ "Reply", 1, COMMAND_LIST, NEEDS, cmd_reply_author, "[messages]", "answer the author only" },
	{ "Respond", 3, COMMAND_LIST, NEEDS, cmd_reply_author, "[messages]", "the same as Reply" },
	{ "replyall", 6, COMMAND_LIST, NEEDS, cmd_reply_all, "[messages]", "answer all, whatever flipr says" },
	{ "replysender", 6, COMMAND_LIST, NEEDS, cmd_reply_sender, "[messages]", "answer the author, whatever flipr says" },
	{ "followup", 2, COMMAND_LIST, NEEDS, cmd_followup, "[message]", "reply, recorded in a file named after the author" },
	{ "Followup", 1, COMMAND_LIST, NEEDS, cmd_followup_author, "[messages]", "Reply, recorded in a file named after the author" },
	{ "mail", 1, COMMAND_TEXT, FOLDER, cmd_mail, "address ...", "write a message" },
	{ "forward", 3, COMMAND_LIST_WORD, NEEDS, cmd_forward, "[messages] address", "send messages on, inside a message of yours" },
	{ "fwd", 3, COMMAND_LIST_WORD, NEEDS, cmd_forward, "[messages] address", "the same as forward" },
	{ "resend", 4, COMMAND_LIST_WORD, NEEDS, cmd_resend, "[messages] address", "send messages on as they are" },
	{ "redirect", 3, COMMAND_LIST_WORD, NEEDS, cmd_resend, "[messages] address", "the same as resend" },
	{ "bounce", 2, COMMAND_LIST_WORD, NEEDS, cmd_resend, "[messages] address", "the same as resend" },
	{ "Resend", 4, COMMAND_LIST_WORD, NEEDS, cmd_resend_unmarked, "[messages] address", "resend without Resent- fields" },
	{ "file", 2, COMMAND_WORDS, FOLDER, cmd_file, "[file]", "leave this folder as quit does and open another" },
	{ "folder", 4, COMMAND_WORDS, FOLDER, cmd_file, "[file]", "the same as file" },
	{ "folders", 7, COMMAND_ALONE, 0, cmd_folders, "", "list the folder directory" },
	{ "remove", 3, COMMAND_WORDS, 0, cmd_remove, "file ...", "remove folders, after asking" },
	{ "rename", 3, COMMAND_WORDS, 0, cmd_rename, "file file", "give a folder another name" },
	{ "newmail", 4, COMMAND_ALONE, FOLDER, cmd_newmail, "", "take in mail that has arrived" },
	{ "inc", 3, COMMAND_ALONE, FOLDER, cmd_newmail, "", "the same as newmail" },
	{ "quit", 1, COMMAND_ALONE, FOLDER, cmd_quit, "", "leave; deleted messages go, those that were read are kept as `hold' says" },
	{ "exit", 2, COMMAND_ALONE, FOLDER, cmd_exit, "", "leave and change nothing" },
	{ "xit", 1, COMMAND_ALONE, FOLDER, cmd_exit, "", "the same as exit" },
	{ "set", 2, COMMAND_WORDS, 0, cmd_set, "[name[=value] ...]", "set variables, or show all" },
	{ "unset", 3, COMMAND_WORDS, 0, cmd_unset, "name ...", "unset variables" },
	{ "alias", 1, COMMAND_WORDS, 0, cmd_alias, "[name [address ...]]", "give addresses a name, or show names" },
	{ "group", 1, COMMAND_WORDS, 0, cmd_alias, "[name [address ...]]", "the same as alias" },
	{ "unalias", 3, COMMAND_WORDS, 0, cmd_unalias, "name ...", "forget names" },
	{ "alternates", 3, COMMAND_WORDS, 0, cmd_alternates, "[address ...]", "say which addresses are also yours" },
	{ "ignore", 2, COMMAND_WORDS, 0, cmd_fields, "[field ...]", "do not show these header fields" },
	{ "discard", 2, COMMAND_WORDS, 0, cmd_fields, "[field ...]", "the same as ignore" },
	{ "retain", 3, COMMAND_WORDS, 0, cmd_fields, "[field ...]", "show these header fields only" },
	{ "unignore", 3, COMMAND_WORDS, 0, cmd_unfields, "field ...", "take fields off the list of ignore" },
	{ "unretain", 5, COMMAND_WORDS, 0, cmd_unfields, "field ...", "take fields off the list of retain" },
	{ "saveignore", 5, COMMAND_WORDS, 0, cmd_fields, "[field ...]", "do not save these header fields" },
	{ "saveretain", 5, COMMAND_WORDS, 0, cmd_fields, "[field ...]", "save these header fields only" },
	{ "fwdignore", 4, COMMAND_WORDS, 0, cmd_fields, "[field ...]", "do not forward these header fields" },
	{ "fwdretain", 4, COMMAND_WORDS, 0, cmd_fields, "[field ...]", "forward these header fields only" },
	{ "if", 1, COMMAND_WORDS, COMMAND_ALWAYS, cmd_if, "s|r|t", "what follows only when sending, reading, at a terminal" },
	{ "else", 2, COMMAND_ALONE, COMMAND_ALWAYS, cmd_else, "", "otherwise" },
	{ "endif", 2, COMMAND_ALONE, COMMAND_ALWAYS, cmd_endif, "", "the end of `if'" },
	{ "source", 2, COMMAND_WORDS, 0, cmd_source, "file", "read commands from a file" },
	{ "echo", 2, COMMAND_WORDS, 0, cmd_echo, "word ...", "print words" },
	{ "cd", 2, COMMAND_WORDS, 0, cmd_chdir, "[directory]", "change the directory" },
	{ "chdir", 2, COMMAND_WORDS, 0, cmd_chdir, "[directory]", "the same as cd" },
	{ "shell", 2, COMMAND_ALONE, 0, cmd_shell, "", "start a shell" },
	{ "!", 1, COMMAND_TEXT, 0, cmd_bang, "command", "run a shell command" },
	{ "help", 3, COMMAND_WORDS, 0, cmd_help, "[command]", "show what there is" },
	{ "?", 1, COMMAND_WORDS, 0, cmd_help, "[command]", "the same as help" },
	{ "list", 1, COMMAND_ALONE, 0, cmd_list, "", "show the names of all commands" },
	{ "version", 3, COMMAND_ALONE, 0, cmd_version, "", "show the version" },
	{ NULL, 0, COMMAND_ALONE, 0, NULL, NULL, NULL },
};
/* clang-format on */

const struct command *command_find(struct slice word)
{
	for (const struct command *c = commands; c->name; c++)
		if (word.len >= c->min && slice_starts(slice_of(c->name), word))
			return c;
	return NULL;
}

static bool is_live(const struct mailx *mx)
{
	for (unsigned i = 0; i <= mx->conditions.depth; i++)
		if (!mx->conditions.is_live[i])
			return false;
	return true;
}

static void args_free(struct command_args *args)
{
	strlist_free(&args->words);
	msglist_free(&args->list);
}

/* The list, or the message that the command means without one. */
static bool parse_list(struct mailx *mx, struct slice spec, struct command_args *args)
{
	unsigned flags = args->command->flags;
	enum msglist_want want = flags & COMMAND_WANTS_GONE ? MSGLIST_GONE
		: flags & COMMAND_WANTS_EITHER		    ? MSGLIST_EITHER
							    : MSGLIST_LIVE;
	auto_buf struct buf problem = BUF_INIT(MAILX_VALUE_MAX);
	enum msglist_status r = msglist_parse(mx, spec, want, &args->list, &problem);

	if (r == MSGLIST_EMPTY && (flags & COMMAND_OPTIONAL_LIST))
		return true;
	if (r == MSGLIST_EMPTY)
		r = msglist_parse(mx, SLICE("."), want, &args->list, &problem);
	if (r == MSGLIST_OK)
		return true;
	mailx_error(
		mx, "%s", buf_ok(&problem) && problem.len ? buf_cstr(&problem) : "No applicable messages");
	return false;
}

static bool parse_args(struct mailx *mx, struct slice text, struct command_args *args)
{
	auto_buf struct buf word = BUF_INIT(MAILX_LINE_MAX);

	switch (args->command->kind) {
	case COMMAND_TEXT: args->text = text; return true;
	case COMMAND_ALONE:
		if (slice_trim(text).len == 0)
			return true;
		mailx_error(mx, "Nothing may follow `%s'", args->command->name);
		return false;
	case COMMAND_WORDS:
		if (args_split(text, &args->words) == ARGS_OK)
			return true;
		mailx_error(mx, "A quote has no end");
		return false;
	case COMMAND_LIST_WORD:
		if (args_last(&text, &word))
			strlist_add_slice(&args->words, buf_slice(&word));
		else if (slice_trim(text).len) {
			mailx_error(mx, "A quote has no end");
			return false;
		}
		return parse_list(mx, text, args);
	case COMMAND_LIST: return parse_list(mx, text, args);
	}
	return false;
}

static bool may_run(struct mailx *mx, const struct command *c)
{
	if ((c->flags & COMMAND_NEEDS_FOLDER) && !mx->has_folder) {
		mailx_error(mx, "`%s' can only be used while a folder is open", c->name);
		return false;
	}
	if ((c->flags & COMMAND_NEEDS_MESSAGE) && mx->folder.messages.n == 0) {
		mailx_error(mx, "No applicable messages");
		return false;
	}
	return true;
}

static enum command_result run_row(struct mailx *mx, const struct command *c, struct slice text)
{
	struct command_args args = { .command = c };
	enum command_result r = COMMAND_FAILED;

	if (may_run(mx, c) && parse_args(mx, text, &args))
		r = c->run(mx, &args);
	args_free(&args);
	return r;
}

enum command_result command_run(struct mailx *mx, struct slice line, bool is_typed)
{
	struct slice rest = slice_trim(line), word;
	const struct command *c;

	if (rest.len == 0)
		return is_typed && mx->has_folder ? run_row(mx, command_find(SLICE("next")), rest)
						  : COMMAND_OK;
	word = args_command(&rest);
	if (slice_eq(word, SLICE("#")))
		return COMMAND_OK;
	c = command_find(word.len ? word : SLICE("print"));
	if (!is_live(mx) && !(c && (c->flags & COMMAND_ALWAYS)))
		return COMMAND_OK; /* not even looked at: it may be for another mailx */
	if (!c) {
		mailx_error(mx, "Unknown command: \"%.*s\" (`?' shows the commands)", SLICE_ARG(word));
		return COMMAND_FAILED;
	}
	return run_row(mx, c, rest);
}
