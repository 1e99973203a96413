/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why.h - why mail waits, in plain words: what happened, whose problem it is, what would help
 *
 * One table from status code and reason to words; the first row that fits counts. Layer: program.
 * Tests: test_why.c, which reaches every row.
 */
#pragma once
#include "base/slice.h"

struct why_facts {
	struct slice status, reason;
	bool is_held, is_active;
	uint32_t attempts;
};
struct why_words {
	const char *what, *whose, *help;
};

extern const size_t n_why_rows;
/* Never NULL. *row_out: its place in the table, below n_why_rows; may be NULL. */
const struct why_words *why_find(const struct why_facts *f, size_t *row_out);
