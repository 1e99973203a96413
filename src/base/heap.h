/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.h - intrusive binary heap on a 64-bit key: the object with the smallest key first
 *
 * Used for times: the queue's retries and other deadlines by the million, where a timer each would cost too
 * much. Layer: base. Tests: test_containers.c.
 */
#pragma once
#include "base/std.h"

struct heap_node {
	uint64_t key;
	size_t index; /* place in the heap + 1; 0 while in none */
};
struct heap {
	struct heap_node **nodes;
	size_t n, cap;
};

#define HEAP_INIT ((struct heap){ 0 })

void heap_insert(struct heap *h, struct heap_node *node, uint64_t key); /* node is in no heap */
void heap_remove(struct heap *h, struct heap_node *node);		/* does nothing when it is in none */
struct heap_node *heap_min(const struct heap *h);			/* NULL when empty */
static inline bool heap_linked(const struct heap_node *node)
{
	return node->index != 0;
}
void heap_deinit(struct heap *h); /* not the objects */
