/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show.h - a message as people read it, quote it, pipe it
 *
 * Layer: mailx. Tests: test_summary.c, tests/system/test_mail_read.py.
 */
#pragma once
#include "mailx/mailx.h"

struct show_options {
	const struct fields *fields; /* which header fields; NULL: all */
	bool has_from_line;
	bool has_header;
	bool has_status;  /* Status: and X-Status: as they stand now */
	bool is_raw;	  /* as stored: nothing decoded */
	unsigned n_lines; /* of the body; 0: all */
};

/* Appends the message to *utf8_out; not yet made harmless. 0, or negative errno with the reason told. */
MUST_USE int show_message(
	struct mailx *mx, size_t index, const struct show_options *options, struct buf *utf8_out);
/* As `print' does on the terminal: banner, text made harmless; marks the message as read. */
MUST_USE int show_on_terminal(struct mailx *mx, size_t index, const struct show_options *options);
/* Says why a message could not be read; returns r. */
int show_problem(struct mailx *mx, size_t index, int r);
