/* SPDX-License-Identifier: Apache-2.0 */
/* deadlines.c - see deadlines.h */
#include "smtpd/deadlines.h"

void deadlines_init(struct deadlines *d)
{
	*d = (struct deadlines){ 0 };
	for (size_t i = 0; i < DEADLINE_COUNT; i++)
		list_init(&d->kinds[i]);
}

void deadline_init(struct deadline *node)
{
	*node = (struct deadline){ .kind = DEADLINE_NONE };
	list_init(&node->in_kind);
}

void deadline_set(struct deadlines *d, struct deadline *node, enum deadline_kind kind, uint64_t now_ms)
{
	list_remove(&node->in_kind);
	node->kind = kind;
	node->since_ms = now_ms;
	if (kind != DEADLINE_NONE)
		list_push_back(&d->kinds[kind], &node->in_kind);
}

struct deadline *deadlines_next_expired(struct deadlines *d, uint64_t now_ms)
{
	for (size_t i = DEADLINE_NONE + 1; i < DEADLINE_COUNT; i++) {
		struct deadline *node = list_first(&d->kinds[i], struct deadline, in_kind);
		if (node && node->since_ms + d->timeout_ms[i] <= now_ms) {
			list_remove(&node->in_kind);
			return node;
		}
	}
	return NULL;
}

uint64_t deadlines_next_ms(const struct deadlines *d)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = DEADLINE_NONE + 1; i < DEADLINE_COUNT; i++) {
		struct deadline *node = list_first(&d->kinds[i], struct deadline, in_kind);
		if (node)
			next = MIN(next, node->since_ms + d->timeout_ms[i]);
	}
	return next;
}
