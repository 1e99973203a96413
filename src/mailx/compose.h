/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compose.h - a person (or a script) writes the text of a draft: prompts for header fields, lines, tilde
 * escapes
 *
 * Layer: mailx. Tests: tests/system/test_mail_compose.py.
 */
#pragma once
#include "mailx/draft.h"

enum compose_result {
	COMPOSE_DONE,	 /* the draft is to be sent */
	COMPOSE_ABORTED, /* ~q or two interrupts (then it is in dead.letter), or ~x */
	COMPOSE_HANGUP,	 /* the terminal went away; the text is in dead.letter */
};

struct compose {
	struct draft *draft;
	const size_t *quoted; /* messages that ~f and ~m mean without a list: those that are answered */
	size_t n_quoted;
};

/* Asks for what the variables say and has_subject etc. leave open, then reads the text behind what is in the
 * draft. */
MUST_USE enum compose_result compose_draft(struct mailx *mx, struct compose *c);
/* "Name: " with the present value; the answer replaces it. Outcome of input_line(). */
MUST_USE enum input_result compose_ask(struct mailx *mx, struct draft *d, const char *name);

/* MAILX_HEAD before the text, MAILX_TAIL behind it; compose_draft() does both itself. */
void compose_head(struct mailx *mx, struct draft *d);
void compose_tail(struct mailx *mx, struct draft *d);

enum escape_result {
	ESCAPE_GO_ON,
	ESCAPE_END,	/* ~. : send */
	ESCAPE_QUIT,	/* ~q : save in dead.letter and give up */
	ESCAPE_DISCARD, /* ~x : give up */
};
struct escape {
	char letter;
	enum escape_result (*run)(struct mailx *mx, struct compose *c, struct slice rest);
	const char *usage; /* what follows the letter */
	const char *help;  /* one line */
};
extern const struct escape escapes[]; /* the last row has letter 0 */
/* line begins behind the escape character. */
enum escape_result escape_run(struct mailx *mx, struct compose *c, struct slice line);
