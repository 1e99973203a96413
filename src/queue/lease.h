/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.h - the queue ids that one smtpd was leased: each of them makes one mail
 *
 * Pure: knows neither where ids come from nor the clock. Blocks are rationed, since the reserve of ids is
 * everybody's, and only the last LEASES_KEPT count. Layer: queue. Tests: test_lease.c.
 */
#pragma once
#include "base/std.h"

#define LEASE_COUNT 4096      /* ids in a block */
#define LEASES_PER_SECOND 100 /* 400,000 ids: far above any disk, far below what the clock adds */
#define LEASES_KEPT 64

struct lease;
struct leases {
	struct lease *kept; /* LEASES_KEPT of them, once the first was given */
	size_t n;	    /* that were ever given */
	uint64_t second_ms;
	unsigned n_this_second;
};

/* Whether another block may be given now. */
MUST_USE bool leases_may_add(struct leases *l, uint64_t now_ms);
void leases_add(struct leases *l, uint64_t first); /* a block from there on */
/* True once for each id of the blocks. */
MUST_USE bool leases_take(struct leases *l, uint64_t id);
void leases_deinit(struct leases *l);
