/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slice.h - a borrowed view of bytes: pointer and length, no terminator
 *
 * Owns nothing, allocates nothing; valid while the buffer it looks into is. Parsers take and return slices,
 * so input is never copied to be examined. Layer: base. Tests: test_slice.c.
 */
#pragma once
#include "base/std.h"

struct slice {
	const char *at;
	size_t len;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })
/* The same as an initialiser of static data. */
#define SLICE_CONST(literal)                                                                                 \
	{                                                                                                    \
		(literal), sizeof(literal) - 1                                                               \
	}
#define SLICE_EMPTY ((struct slice){ "", 0 })
/* For printf: "%.*s", SLICE_ARG(s) */
#define SLICE_ARG(s) (int)MIN((s).len, (size_t)INT_MAX), (s).at

struct slice slice_of(const char *s); /* s ends with NUL; NULL gives an empty slice */
bool slice_eq(struct slice a, struct slice b);
bool slice_eq_nocase(struct slice a, struct slice b); /* ASCII only */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends_nocase(struct slice s, struct slice suffix);
int slice_cmp(struct slice a, struct slice b);	    /* byte order, shorter first */
struct slice slice_from(struct slice s, size_t n);  /* without its first n bytes; empty when shorter */
struct slice slice_first(struct slice s, size_t n); /* at most n bytes */
struct slice slice_trim(struct slice s);	    /* blanks, tabs, CR and LF off both ends */
/* Index of the first (last) c, or s.len. */
size_t slice_find(struct slice s, char c);
size_t slice_rfind(struct slice s, char c);

/* Parsing: each consumes from the front of *s only when it succeeds. */
bool slice_skip(struct slice *s, char c);
bool slice_skip_prefix_nocase(struct slice *s, struct slice prefix);
size_t slice_skip_blanks(struct slice *s); /* space and tab; says how many */
/* Everything before the first c goes to *head_out, and *s moves past c; false when there is no c. */
bool slice_cut(struct slice *s, char c, struct slice *head_out);
/* The next line without its LF or CRLF; the last one may lack the end. False at the end of *s. */
bool slice_next_line(struct slice *s, struct slice *line_out);
/* The next run of bytes that are not blank; false when only blanks are left. */
bool slice_next_word(struct slice *s, struct slice *word_out);
/* The whole of s is decimal digits and the value is at most max. */
bool slice_to_u64(struct slice s, uint64_t max, uint64_t *value_out);
/* A copy with a terminating NUL, the caller's to mem_free; NULs inside stay. */
char *slice_dup(struct slice s);
/* ASCII case folding, independent of the locale. */
char ascii_lower(char c);
bool ascii_is_alnum(char c);
bool ascii_is_digit(char c);
bool ascii_is_print(char c); /* 0x20..0x7e */
