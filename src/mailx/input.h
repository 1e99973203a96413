/* SPDX-License-Identifier: Apache-2.0 */
/*
 * input.h - lines from the person or the script at standard input, and the signals that interrupt them
 *
 * On a terminal that can do it lines are edited and remembered by libedit; on others, and for pipes, they are
 * read as they come. Layer: mailx. Tests: tests/system/test_mail_read.py.
 */
#pragma once
#include "base/buf.h"
#include "mailx/strlist.h"

/* The Tab key behind line: *word_out is the end of line that each choice could take the place of, and begins
 * with. False: Tab is an ordinary character here. */
typedef bool (*input_completer)(
	void *user, struct slice line, struct slice *word_out, struct strlist *choices_out);

struct input_editor;
struct input {
	bool is_tty;
	bool wants_editor;	     /* the terminal can do more than print */
	struct input_editor *editor; /* made for the first line */
	struct buf pending;	     /* read and not yet handed out */
	bool is_at_end;		     /* of a pipe or file */
	input_completer complete;    /* for the next lines; NULL: Tab is an ordinary character */
	void *complete_user;
};

enum input_result {
	INPUT_LINE,
	INPUT_END,	 /* end of file, or ^D */
	INPUT_INTERRUPT, /* ^C; what was typed in this line is dropped */
	INPUT_HANGUP,	 /* SIGHUP or SIGTERM */
};

void input_init(struct input *in);
void input_deinit(struct input *in);
/* The next line without its LF goes to *line_out (cleared first). The prompt is shown on a terminal only;
 * initial is text the person may change: typed already with libedit, else shown, and what is typed is added
 * to it. NULL: none. */
MUST_USE enum input_result input_line(
	struct input *in, const char *prompt, const char *initial, struct buf *line_out);
/* Puts the line that was read last into the history. */
void input_remember(struct input *in, const char *line);
/* All that is left of a pipe or file. 0 or negative errno. */
MUST_USE int input_rest(struct input *in, struct buf *out);

/* Interrupts no longer end the program but what it does. is_ignoring: -i. */
void input_catch_signals(bool is_ignoring);
bool input_take_interrupt(void); /* true once for each interrupt */
bool input_has_hangup(void);
