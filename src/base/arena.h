/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - many small allocations with one lifetime: freed or emptied together
 *
 * One arena per lifetime (a connection, a transaction); the caller passes it. Born with a ceiling:
 * arena_alloc returns NULL above it, which is a temporary failure for that mail, never an abort. Layer: base.
 * Tests: test_buf.c.
 */
#pragma once
#include "base/slice.h"

struct arena_block;
struct arena {
	struct arena_block *blocks; /* newest first */
	size_t used;		    /* bytes handed out */
	size_t max;		    /* ceiling in bytes */
};

#define ARENA_INIT(max_bytes) ((struct arena){ .max = (max_bytes) })

MUST_USE void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned to 16 bytes */
MUST_USE bool arena_copy(
	struct arena *a, struct slice s, struct slice *copy_out); /* a NUL follows, not counted */
void arena_reset(struct arena *a);				  /* everything handed out is gone */
