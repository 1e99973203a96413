/* SPDX-License-Identifier: Apache-2.0 */
/* Below 2 * STEPS every microsecond has its bucket; above, each power of two is cut into STEPS equal parts.
 */
#include "bench/loadstats.h"

static size_t bucket_of(uint64_t us)
{
	unsigned shift = 0;

	while (us >> shift >= 2 * LOADSTATS_STEPS)
		shift++;
	return shift * LOADSTATS_STEPS + (size_t)(us >> shift);
}

static uint64_t bucket_top(size_t bucket)
{
	unsigned shift = bucket < 2 * LOADSTATS_STEPS ? 0 : (unsigned)(bucket / LOADSTATS_STEPS) - 1;

	return ((bucket - shift * LOADSTATS_STEPS + 1) << shift) - 1;
}

void loadstats_add(struct loadstats *s, uint64_t us)
{
	s->n++;
	s->max_us = MAX(s->max_us, us);
	s->buckets[bucket_of(us)]++;
}

uint64_t loadstats_quantile(const struct loadstats *s, double share)
{
	double wanted = share * (double)s->n;
	uint64_t seen = 0;

	for (size_t i = 0; i < LOADSTATS_BUCKETS && s->n > 0; i++) {
		seen += s->buckets[i];
		if ((double)seen >= wanted && seen > 0)
			return MIN(bucket_top(i), s->max_us);
	}
	return s->max_us;
}
