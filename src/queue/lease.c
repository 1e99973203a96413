/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - see lease.h */
#include "queue/lease.h"

struct lease {
	uint64_t first;
	uint8_t used[LEASE_COUNT / 8];
};

bool leases_may_add(struct leases *l, uint64_t now_ms)
{
	if (now_ms - l->second_ms >= 1000) {
		l->second_ms = now_ms;
		l->n_this_second = 0;
	}
	return l->n_this_second++ < LEASES_PER_SECOND;
}

void leases_add(struct leases *l, uint64_t first)
{
	if (!l->kept)
		l->kept = mem_new_array(LEASES_KEPT, sizeof(*l->kept));
	l->kept[l->n++ % LEASES_KEPT] = (struct lease){ .first = first };
}

bool leases_take(struct leases *l, uint64_t id)
{
	for (size_t i = 0; i < MIN(l->n, (size_t)LEASES_KEPT); i++) {
		struct lease *block = &l->kept[i];
		uint64_t at = id - block->first;
		if (id < block->first || at >= LEASE_COUNT)
			continue;
		bool is_used = block->used[at / 8] >> (at % 8) & 1;
		block->used[at / 8] |= (uint8_t)(1u << (at % 8));
		return !is_used;
	}
	return false;
}

void leases_deinit(struct leases *l)
{
	mem_free(l->kept);
	*l = (struct leases){ 0 };
}
