/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.h - the commands of mailx as one table: name, shortest form, what follows it, when it may be used
 *
 * The manual page and `help' come from the same rows (tests compare the manual with them). Layer: mailx.
 * Tests: test_commands.c, fuzz/fuzz_mailx_command.c, tests/system/test_mail_read.py.
 */
#pragma once
#include "mailx/msglist.h"

enum command_result {
	COMMAND_OK,
	COMMAND_FAILED, /* the reason has been told */
	COMMAND_QUIT,	/* leave, with what was done to the messages */
	COMMAND_EXIT,	/* leave, and change nothing */
};

enum command_kind {
	COMMAND_ALONE,	   /* nothing follows */
	COMMAND_TEXT,	   /* the rest of the line as it is */
	COMMAND_WORDS,	   /* words */
	COMMAND_LIST,	   /* a message list */
	COMMAND_LIST_WORD, /* a message list, and one last word: a file, a shell command, addresses */
};

enum command_flag {
	COMMAND_NEEDS_MESSAGE = 1,  /* there must be one */
	COMMAND_WANTS_GONE = 2,	    /* its list means deleted messages */
	COMMAND_WANTS_EITHER = 4,   /* deleted or not */
	COMMAND_ALWAYS = 8,	    /* also in the branch of an `if' that does not run */
	COMMAND_NEEDS_FOLDER = 16,  /* not in start-up files */
	COMMAND_OPTIONAL_LIST = 32, /* without a list: the handler decides; args->list is empty */
};

struct command_args {
	const struct command *command;
	struct slice text;    /* COMMAND_TEXT */
	struct strlist words; /* COMMAND_WORDS; of COMMAND_LIST_WORD the last word, if any */
	struct msglist list;  /* never empty where the command needs a message */
};

struct command {
	const char *name;
	unsigned char min; /* letters that are enough */
	enum command_kind kind;
	unsigned flags;
	enum command_result (*run)(struct mailx *mx, struct command_args *args);
	const char *usage; /* what follows the name */
	const char *help;  /* one line */
};
extern const struct command commands[]; /* the last row has no name */

/* The first row that word is a long enough start of; NULL: none. */
const struct command *command_find(struct slice word);
/* Runs one line, typed or from a file. An empty line is `next' when a person typed it. */
enum command_result command_run(struct mailx *mx, struct slice line, bool is_typed);

/* The handlers, by file. Each tells its own problems. */
#define COMMAND_HANDLER(name) enum command_result name(struct mailx *mx, struct command_args *args)
/* cmd_show.c */
COMMAND_HANDLER(cmd_print);
COMMAND_HANDLER(cmd_print_all);
COMMAND_HANDLER(cmd_show_raw);
COMMAND_HANDLER(cmd_next);
COMMAND_HANDLER(cmd_top);
COMMAND_HANDLER(cmd_pipe);
COMMAND_HANDLER(cmd_headers);
COMMAND_HANDLER(cmd_scroll);
COMMAND_HANDLER(cmd_from);
COMMAND_HANDLER(cmd_size);
COMMAND_HANDLER(cmd_number);
COMMAND_HANDLER(cmd_sort);
/* cmd_mark.c */
COMMAND_HANDLER(cmd_delete);
COMMAND_HANDLER(cmd_delete_print);
COMMAND_HANDLER(cmd_undelete);
COMMAND_HANDLER(cmd_hold);
COMMAND_HANDLER(cmd_mbox);
COMMAND_HANDLER(cmd_touch);
COMMAND_HANDLER(cmd_unread);
COMMAND_HANDLER(cmd_new);
COMMAND_HANDLER(cmd_seen);
COMMAND_HANDLER(cmd_flag);
COMMAND_HANDLER(cmd_answered);
COMMAND_HANDLER(cmd_draft);
/* cmd_file.c */
COMMAND_HANDLER(cmd_save);
COMMAND_HANDLER(cmd_copy);
COMMAND_HANDLER(cmd_move);
COMMAND_HANDLER(cmd_save_author);
COMMAND_HANDLER(cmd_copy_author);
COMMAND_HANDLER(cmd_move_author);
COMMAND_HANDLER(cmd_write);
COMMAND_HANDLER(cmd_chdir);
COMMAND_HANDLER(cmd_edit);
COMMAND_HANDLER(cmd_visual);
COMMAND_HANDLER(cmd_quit);
COMMAND_HANDLER(cmd_exit);
/* cmd_folder.c */
COMMAND_HANDLER(cmd_file);
COMMAND_HANDLER(cmd_folders);
COMMAND_HANDLER(cmd_newmail);
COMMAND_HANDLER(cmd_remove);
COMMAND_HANDLER(cmd_rename);
/* cmd_send.c */
COMMAND_HANDLER(cmd_mail);
COMMAND_HANDLER(cmd_reply);
COMMAND_HANDLER(cmd_reply_author);
COMMAND_HANDLER(cmd_reply_all);
COMMAND_HANDLER(cmd_reply_sender);
COMMAND_HANDLER(cmd_followup);
COMMAND_HANDLER(cmd_followup_author);
COMMAND_HANDLER(cmd_forward);
COMMAND_HANDLER(cmd_resend);
COMMAND_HANDLER(cmd_resend_unmarked);
/* cmd_set.c */
COMMAND_HANDLER(cmd_set);
COMMAND_HANDLER(cmd_unset);
COMMAND_HANDLER(cmd_alias);
COMMAND_HANDLER(cmd_unalias);
COMMAND_HANDLER(cmd_alternates);
COMMAND_HANDLER(cmd_fields);
COMMAND_HANDLER(cmd_unfields);
COMMAND_HANDLER(cmd_if);
COMMAND_HANDLER(cmd_else);
COMMAND_HANDLER(cmd_endif);
COMMAND_HANDLER(cmd_echo);
COMMAND_HANDLER(cmd_source);
COMMAND_HANDLER(cmd_shell);
COMMAND_HANDLER(cmd_bang);
COMMAND_HANDLER(cmd_help);
COMMAND_HANDLER(cmd_list);
COMMAND_HANDLER(cmd_version);
#undef COMMAND_HANDLER
