/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailx.h - the state of one run of mail(1), and what nearly every part of it asks for
 *
 * One struct, made by main.c and handed to everything; there are no other globals but the signal flags of
 * input.c. Layer: mailx. Tests: tests/system/test_mail_*.py.
 */
#pragma once
#include "config/paths.h"
#include "mailx/alias.h"
#include "mailx/fields.h"
#include "mailx/folder.h"
#include "mailx/input.h"
#include "mailx/ceilings.h"
#include "mailx/screen.h"
#include "mailx/vars.h"

enum mailx_mode {
	MAILX_READING,
	MAILX_SENDING, /* `mail address' */
};

/* The start-up or sourced file that is being read. */
struct source {
	const char *file;
	unsigned line;
};
/* if inside if: commands run while every level is live. */
struct conditions {
	unsigned depth;
	bool is_live[MAILX_IF_DEPTH + 1]; /* [0] is the file itself */
	bool had_else[MAILX_IF_DEPTH + 1];
};

struct mailx {
	enum mailx_mode mode;
	struct vars vars;
	struct aliases aliases;
	struct strlist alternates;
	struct fields fields;	      /* ignore and retain: what `print' shows */
	struct fields saved_fields;   /* saveignore and saveretain: what `save' keeps */
	struct fields forward_fields; /* fwdignore and fwdretain */
	struct input input;
	struct screen screen;
	struct paths paths;
	struct folder folder;
	bool has_folder;
	bool dot_was_shown; /* then `next' moves on; else it shows the current message */
	bool is_read_only;  /* -R */
	bool has_escapes;   /* -~, -#, or standard input is a terminal */
	char *user;	    /* the login name */
	char *mailbox_user; /* -u, else the same */
	char *home;
	char *origin;	    /* domain of unqualified addresses */
	char *home_mailbox; /* local.home_mailbox: below the home directory; empty: in the mail directory */
	char *previous_folder;	/* #; NULL: there was none */
	char *last_shell;	/* ! in !; NULL: there was none */
	char *last_search;	/* of /; NULL: there was none */
	size_t page;		/* first message of the summary page shown last */
	struct strlist sources; /* files that are being read, outermost first */
	struct source source;	/* file NULL: a person or a pipe */
	struct conditions conditions;
};

/* A problem that the user must know, on standard error: "mail: …", or "FILE:LINE: …" while a file is read. */
void mailx_error(struct mailx *mx, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* What was done, as a line on standard output; names in it are made harmless. */
void mailx_tell(struct mailx *mx, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* User, home, places, origin, variables from the environment; start-up files come later. False: no user. */
MUST_USE bool mailx_init(struct mailx *mx);
void mailx_deinit(struct mailx *mx);
/* The mailbox that a user's mail is delivered to. */
void mailx_mailbox(const struct mailx *mx, const char *user, struct buf *path_out);
/* What a person writes for a file: ~, ~user, +name, %, %user, #, &; false with the reason told. */
MUST_USE bool mailx_file_name(struct mailx *mx, const char *written, struct buf *path_out);
const char *mailx_shell(const struct mailx *mx);
/* Text for the terminal through the pager where it is longer than the screen and `crt' says so. */
void mailx_show(struct mailx *mx, struct slice text);
