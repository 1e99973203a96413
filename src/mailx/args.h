/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args.h - the words of a command line of mailx: quotes, backslashes, and the command word itself
 *
 * Pure: looks at bytes only. Layer: mailx. Tests: test_args.c, fuzz/fuzz_mailx_command.c.
 */
#pragma once
#include "base/buf.h"
#include "mailx/strlist.h"

enum args_result {
	ARGS_OK,
	ARGS_END,      /* only blanks are left */
	ARGS_UNCLOSED, /* a quote has no end */
};

/* The next word without its quotes goes to *word_out (cleared first), and *line moves past it; otherwise
 * *line stays. '...' keeps everything, "..." knows backslashes, \c outside of quotes is c. */
MUST_USE enum args_result args_next(struct slice *line, struct buf *word_out);
/* All words are added to *words. ARGS_OK or ARGS_UNCLOSED. */
MUST_USE enum args_result args_split(struct slice line, struct strlist *words);
/* Cuts the command word off: letters, or one of the punctuation commands; empty when the line begins with a
 * message list. Blanks behind it are skipped. */
struct slice args_command(struct slice *line);
/* Cuts the last word, quotes and all, off *line and unquotes it to *word_out; false when there is none. */
MUST_USE bool args_last(struct slice *line, struct buf *word_out);
