/* SPDX-License-Identifier: Apache-2.0 */
/*
 * id_pool.h - queue ids that queue has leased to this process and that are not used yet
 *
 * An id is handed out once. Leases end with the queue process that gave them. Layer: role (smtpd).
 * Tests: test_id_pool.c.
 */
#pragma once
#include "base/std.h"

#define ID_POOL_LEASES 4 /* that may wait; queue gives one at a time, so more are of no use */

struct id_pool {
	struct {
		uint64_t first, count;
	} leases[ID_POOL_LEASES];
	size_t n;
	uint64_t left;	     /* in all leases */
	uint64_t last_count; /* size of the newest lease */
	bool has_asked;	     /* another lease is under way */
};
#define ID_POOL_INIT ((struct id_pool){ 0 })

/* 0: there is none at the moment. */
uint64_t id_pool_take(struct id_pool *p);
/* Less than half of a lease is left, and no other is under way: ask, and say so with has_asked. */
bool id_pool_wants(const struct id_pool *p);
/* False when the lease makes no sense (it comes from another process); then nothing changed. */
MUST_USE bool id_pool_add(struct id_pool *p, uint64_t first, uint64_t count);
void id_pool_clear(struct id_pool *p); /* queue is gone */
