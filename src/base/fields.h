/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields.h - numbers and strings one behind the other in few bytes: LEB128, and strings behind their length
 *
 * Readers never look past the end and accept only what the writers write: a number in its shortest form. A
 * failure sticks, and every later field is zero or empty, so that a sequence needs one check at its end.
 * Layer: base. Tests: test_fields.c; fuzz_spool_format.c.
 */
#pragma once
#include "base/buf.h"

struct fields {
	struct slice rest;
	bool failed;
};

void fields_put_number(struct buf *to, uint64_t value);
void fields_put_string(struct buf *to, struct slice s);
/* The next one; above max is a failure. */
uint64_t fields_number(struct fields *f, uint64_t max);
struct slice fields_string(struct fields *f, size_t max);
static inline bool fields_at_end(const struct fields *f)
{
	return !f->failed && f->rest.len == 0;
}

/* Numbers that may be negative, small ones in few bytes. */
static inline uint64_t fields_fold(uint64_t difference)
{
	return (difference << 1) ^ (0 - (difference >> 63));
}
static inline uint64_t fields_unfold(uint64_t folded)
{
	return (folded >> 1) ^ (0 - (folded & 1));
}
