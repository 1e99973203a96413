/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.h - bytes that grow: owns its memory, is born with a ceiling, never exceeds it
 *
 * Appending past the ceiling (or without memory) fails with BUF_FULL set and changes nothing; the failure
 * sticks, so that a sequence of appends needs one check at its end (buf_ok). Not terminated by NUL. A slice
 * taken from a buf is valid until the next append or free. Layer: base. Tests: test_buf.c.
 */
#pragma once
#include "base/slice.h"

struct buf {
	char *at;
	size_t len;
	size_t cap;
	size_t max;  /* ceiling in bytes */
	bool failed; /* an append did not fit */
};

#define BUF_INIT(max_bytes) ((struct buf){ .max = (max_bytes) })

void buf_free(struct buf *b);  /* also resets failed; the ceiling stays */
void buf_clear(struct buf *b); /* length 0, memory kept, failed reset */
void buf_append(struct buf *b, struct slice s);
void buf_append_str(struct buf *b, const char *s);
void buf_append_byte(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list args) PRINTF_LIKE(2, 0);
/* Room for n more bytes, to be filled and then counted with buf_grew(); NULL when it does not fit. */
MUST_USE char *buf_reserve(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);
void buf_drop_front(struct buf *b, size_t n); /* removes the first n bytes */
static inline bool buf_ok(const struct buf *b)
{
	return !b->failed;
}
static inline struct slice buf_slice(const struct buf *b)
{
	return b->len ? (struct slice){ b->at, b->len } : SLICE_EMPTY;
}
/* The content as a C string (a NUL is kept behind it, not counted); NULL only when that byte does not fit. */
const char *buf_cstr(struct buf *b);
/* Moves the content out; b is empty afterwards, with the same ceiling. */
struct buf buf_take(struct buf *b);
#define auto_buf __attribute__((cleanup(buf_free)))
