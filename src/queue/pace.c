/* SPDX-License-Identifier: Apache-2.0 */
/* pace.c - see pace.h */
#include "queue/pace.h"

#define ONE 1000 /* job, in a window */

void pace_init(struct pace *p, const struct pace_limits *limits)
{
	*p = (struct pace){ .window = MIN(limits->initial, limits->concurrency) * ONE };
}

enum pace_answer pace_ask(
	const struct pace *p, const struct pace_limits *limits, size_t n_jobs, uint64_t now_us)
{
	if (p->state == PACE_HELD || (p->state == PACE_PROBING && p->is_probe_under_way))
		return PACE_PARK;
	if (n_jobs >= MIN(p->window / ONE, limits->concurrency))
		return p->state == PACE_PROBING ? PACE_PARK : PACE_FULL;
	return limits->spacing_us && p->next_us > now_us ? PACE_LATER : PACE_GO;
}

void pace_started(struct pace *p, const struct pace_limits *limits, uint64_t now_us)
{
	p->next_us = MAX(now_us, p->next_us) + limits->spacing_us;
	p->is_probe_under_way = p->state == PACE_PROBING;
}

bool pace_good(struct pace *p, const struct pace_limits *limits)
{
	bool was_held = p->state != PACE_OPEN;

	p->state = PACE_OPEN;
	p->is_probe_under_way = false;
	p->n_failed = 0;
	p->n_good++;
	/* One more when as many have succeeded as may go at a time. */
	p->window = MIN(p->window + ONE * ONE / p->window, limits->concurrency * ONE);
	return was_held;
}

static uint64_t hold_ms(const struct pace *p, const struct pace_limits *limits, uint32_t dice)
{
	uint64_t ms = limits->hold_min_ms;

	for (uint32_t i = 1; i < p->n_failed && ms < limits->hold_max_ms; i++)
		ms *= 2;
	ms = MIN(ms, limits->hold_max_ms);
	return ms - ms * (dice % 100) / 1000; /* up to a tenth of jitter */
}

bool pace_bad(
	struct pace *p, const struct pace_limits *limits, uint64_t n_good, uint64_t now_ms, uint32_t dice)
{
	p->window = MAX(p->window / 2, (uint64_t)ONE);
	if (p->state == PACE_HELD)
		return true; /* of jobs that had begun before */
	if (p->state == PACE_OPEN && p->n_good != n_good)
		return false;
	p->state = PACE_HELD;
	p->is_probe_under_way = false;
	p->window = ONE;
	p->n_failed++;
	p->probe_at_ms = now_ms + hold_ms(p, limits, dice);
	return true;
}

void pace_probe_lost(struct pace *p)
{
	p->is_probe_under_way = false;
}

void pace_probe(struct pace *p)
{
	if (p->state == PACE_HELD)
		p->state = PACE_PROBING;
}
