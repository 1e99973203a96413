/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why.h - why mail waits, in plain words: what happened, whose problem it is, what would help
 *
 * One table from status code and reason to words; the first row that fits counts. Layer: program.
 * Tests: test_why.c, which reaches every row.
 */
#pragma once
#include "base/buf.h"

struct why_facts {
	struct slice status, reason;
	struct slice remote; /* "name[address]:port" or empty */
	struct slice recipient;
	uint64_t id;
	bool is_held, is_active;
	uint32_t attempts;
};
struct why_words {
	const char *what, *whose, *help; /* help: with {id}, {host}, {port}, {domain}, {user} */
	bool ends_early;		 /* at an age that help names: not at that of other mail */
};

extern const size_t n_why_rows;
/* Never NULL. *row_out: its place in the table, below n_why_rows; may be NULL. */
const struct why_words *why_find(const struct why_facts *f, size_t *row_out);
/* The help with the names of this mail; what a shell would not take for a name is left a word in capitals. */
void why_append_help(struct buf *out, const struct why_words *w, const struct why_facts *f);
