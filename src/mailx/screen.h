/* SPDX-License-Identifier: Apache-2.0 */
/*
 * screen.h - what reaches the terminal: size, widths in cells, and text made harmless
 *
 * Everything from a message goes through screen_clean(): no control character, C1, bidirectional override or
 * byte that is no character of the terminal's set gets through. Text inside the program is UTF-8. Layer:
 * mailx. Tests: test_screen.c.
 */
#pragma once
#include "base/buf.h"
#include <iconv.h>

enum screen_charset {
	SCREEN_UTF8,
	SCREEN_ASCII, /* what is not ASCII is shown as ? */
	SCREEN_OTHER, /* through iconv */
};

struct screen {
	bool is_tty; /* standard output is a terminal */
	unsigned rows, columns;
	enum screen_charset charset;
	iconv_t to_terminal; /* SCREEN_OTHER only */
	char codeset[64];    /* the terminal's, as iconv names it */
};

enum screen_lines {
	SCREEN_MANY_LINES, /* LF and tab stay */
	SCREEN_ONE_LINE,   /* they become blanks */
};

/* charset: NULL for that of the locale, which setlocale() has set. */
void screen_init(struct screen *s, const char *charset);
void screen_deinit(struct screen *s);
void screen_measure(struct screen *s); /* after a change of the window */

void screen_clean(struct screen *s, struct slice utf8, enum screen_lines lines, struct buf *out);
/* The start of clean text that fills at most `cells` columns; *used_out says how many it fills. */
struct slice screen_cut(const struct screen *s, struct slice clean, unsigned cells, unsigned *used_out);

/* Decodes one character from the front of *s: false when there is none; a byte that is no UTF-8 gives U+FFFD.
 */
bool utf8_next(struct slice *s, uint32_t *code_out);
bool screen_is_utf8(struct slice s);
/* Takes one character (or byte that is none) off *s, which is not empty: true when a terminal would obey it
 * or text around it would move. For names that strangers chose, which are shown elsewhere too. */
bool screen_next_is_harmful(struct slice *s, struct slice *character_out);
