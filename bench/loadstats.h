/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loadstats.h - latencies of millions of messages in fixed memory: a histogram with steps of 1.6 %
 *
 * Layer: above base only. Tests: bench/run --self-check.
 */
#pragma once
#include "base/std.h"

#define LOADSTATS_STEPS 64 /* per power of two */
#define LOADSTATS_BUCKETS (64 * LOADSTATS_STEPS)

struct loadstats {
	uint64_t n, max_us;
	uint64_t buckets[LOADSTATS_BUCKETS];
};

void loadstats_add(struct loadstats *s, uint64_t us);
/* The latency in microseconds that this share (0 to 1) of the messages did not exceed; 0 without messages. */
uint64_t loadstats_quantile(const struct loadstats *s, double share);
