/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - see clock.h */
#include "base/clock.h"
#include <time.h>

static struct timespec clock_read(clockid_t id)
{
	struct timespec t;

	CHECK(clock_gettime(id, &t) == 0);
	return t;
}

uint64_t clock_mono_ns(void)
{
	struct timespec t = clock_read(CLOCK_MONOTONIC);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000u;
}

int64_t clock_wall_s(void)
{
	return clock_read(CLOCK_REALTIME).tv_sec;
}

uint64_t clock_wall_us(void)
{
	struct timespec t = clock_read(CLOCK_REALTIME);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}
