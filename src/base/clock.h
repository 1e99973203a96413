/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - the two clocks: monotonic for deadlines, wall time for what people and other hosts see
 *
 * Never mix them: a clock jump must expire nothing. Layer: base.
 * No test of its own: thin calls of the kernel.
 */
#pragma once
#include "base/std.h"

uint64_t clock_mono_ns(void);
uint64_t clock_mono_ms(void);
int64_t clock_wall_s(void);
uint64_t clock_wall_us(void); /* since the epoch */
