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
#define ID_POOL_PATIENCE_MS 1000

struct id_pool {
	struct {
		uint64_t first, count;
	} leases[ID_POOL_LEASES];
	size_t n;
	uint64_t left;	     /* in all leases */
	uint64_t last_count; /* size of the newest lease */
	uint64_t asked_ms;   /* when another lease was asked for; 0: none is under way */
};
#define ID_POOL_INIT ((struct id_pool){ 0 })

/* 0: there is none at the moment. */
uint64_t id_pool_take(struct id_pool *p);
/* Less than half of a lease is left: ask for another now. One that is under way is waited for, but not for
 * ever, since queue says nothing when it has none to give. Asking is up to the caller. */
bool id_pool_wants(struct id_pool *p, uint64_t now_ms);
/* False when the lease makes no sense (it comes from another process); then nothing changed. */
MUST_USE bool id_pool_add(struct id_pool *p, uint64_t first, uint64_t count);
void id_pool_clear(struct id_pool *p); /* queue is gone */
