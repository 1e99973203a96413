/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c - blocks of 4 KiB or one block per larger request; see arena.h */
#include "base/arena.h"

#define BLOCK_BYTES 4064

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	_Alignas(16) char bytes[];
};

void *arena_alloc(struct arena *a, size_t size)
{
	size_t need = (MAX(size, (size_t)1) + 15) & ~(size_t)15;
	struct arena_block *b = a->blocks;
	char *at;

	if (need < size || need > a->max || a->used > a->max - need)
		return NULL;
	if (!b || b->cap - b->used < need) {
		size_t cap = MAX(need, (size_t)BLOCK_BYTES);
		b = calloc(1, sizeof(*b) + cap);
		if (!b)
			return NULL;
		b->cap = cap;
		b->next = a->blocks;
		a->blocks = b;
	}
	at = b->bytes + b->used;
	b->used += need;
	a->used += need;
	return at;
}

bool arena_copy(struct arena *a, struct slice s, struct slice *copy_out)
{
	char *copy = arena_alloc(a, s.len + 1);

	if (!copy)
		return false;
	if (s.len)
		memcpy(copy, s.at, s.len);
	*copy_out = (struct slice){ copy, s.len };
	return true;
}

void arena_reset(struct arena *a)
{
	struct arena_block *next;

	for (struct arena_block *b = a->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	*a = ARENA_INIT(a->max);
}
