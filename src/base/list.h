/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.h - intrusive doubly linked list: the node lives in the object, the list owns nothing
 *
 * A node or list is initialised before use; list_remove leaves the node usable again. Layer: base. Tests:
 * test_containers.c.
 */
#pragma once
#include "base/std.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}
/* Says whether a node is in some list (after list_init or list_remove it is not). */
static inline bool list_linked(const struct list *node)
{
	return node->next != node;
}
static inline void list_insert_before(struct list *at, struct list *node)
{
	node->prev = at->prev;
	node->next = at;
	at->prev->next = node;
	at->prev = node;
}
static inline void list_push_back(struct list *l, struct list *node)
{
	list_insert_before(l, node);
}
static inline void list_push_front(struct list *l, struct list *node)
{
	list_insert_before(l->next, node);
}
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}
/* The first object, or NULL when the list is empty. */
#define list_first(l, type, member) (list_empty(l) ? NULL : CONTAINER_OF((l)->next, type, member))
#define list_for_each(node, l) for (struct list *node = (l)->next; node != (l); node = node->next)
/* The current node may be removed in the loop. */
#define list_for_each_safe(node, l)                                                                          \
	for (struct list *node = (l)->next, *node##_next = node->next; node != (l);                          \
		node = node##_next, node##_next = node->next)
