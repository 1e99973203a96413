/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward_text.h - the items of a ~/.forward or :include: file
 *
 * One or more items a line, '#' comments, blank lines; a quoted item may go on in a following line that
 * begins with white space. An error costs its item only. Layer: mail. Tests: test_forward_text.c, fuzz_rhs.c.
 */
#pragma once
#include "mail/rhs.h"

struct forward_text {
	struct slice rest;
	size_t line; /* of the start of rest */
	size_t rhs_line;
	struct rhs rhs;
};
/* text stays the caller's. */
void forward_text_init(struct forward_text *f, struct slice text);
void forward_text_deinit(struct forward_text *f);
/* *line_out (1 is the first) is where the item stands; item_out->text is valid until the next call. */
bool forward_text_next(struct forward_text *f, struct rhs_item *item_out, size_t *line_out);
/* "# Exim filter", "# Sieve filter" in line 1: a program, not a list of addresses (such a file must not be
 * parsed by forward_text_next). */
bool forward_text_is_filter(struct slice text);
