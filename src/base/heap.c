/* SPDX-License-Identifier: Apache-2.0 */
/* heap.c - binary heap of pointers; see heap.h */
#include "base/heap.h"

static void heap_place(struct heap *h, size_t i, struct heap_node *node)
{
	h->nodes[i] = node;
	node->index = i + 1;
}

static void heap_sift_up(struct heap *h, size_t i)
{
	struct heap_node *node = h->nodes[i];

	while (i > 0 && h->nodes[(i - 1) / 2]->key > node->key) {
		heap_place(h, i, h->nodes[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_place(h, i, node);
}

static void heap_sift_down(struct heap *h, size_t i)
{
	struct heap_node *node = h->nodes[i];

	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= h->n)
			break;
		if (child + 1 < h->n && h->nodes[child + 1]->key < h->nodes[child]->key)
			child++;
		if (h->nodes[child]->key >= node->key)
			break;
		heap_place(h, i, h->nodes[child]);
		i = child;
	}
	heap_place(h, i, node);
}

void heap_insert(struct heap *h, struct heap_node *node, uint64_t key)
{
	CHECK(node->index == 0);
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 64;
		struct heap_node **nodes = mem_new_array(cap, sizeof(*nodes));
		if (h->n)
			memcpy(nodes, h->nodes, h->n * sizeof(*nodes));
		mem_free(h->nodes);
		h->nodes = nodes;
		h->cap = cap;
	}
	node->key = key;
	h->nodes[h->n++] = node;
	heap_sift_up(h, h->n - 1);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	size_t i = node->index;
	struct heap_node *last;

	if (i == 0)
		return;
	i--;
	CHECK(i < h->n && h->nodes[i] == node);
	last = h->nodes[--h->n];
	node->index = 0;
	if (last == node)
		return;
	heap_place(h, i, last);
	heap_sift_up(h, i);
	heap_sift_down(h, last->index - 1);
}

struct heap_node *heap_min(const struct heap *h)
{
	return h->n ? h->nodes[0] : NULL;
}

void heap_deinit(struct heap *h)
{
	mem_free(h->nodes);
	*h = HEAP_INIT;
}
