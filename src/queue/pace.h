/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace.h - how fast one destination is served: how many jobs at a time, how often, and whether it is held off
 *
 * Pure: knows no clock, no message and no process. More jobs with each success, half as many with trouble,
 * never less than one. When no host of the destination can be reached it is held off: then one job at a time
 * is a probe, with longer pauses after each that fails; the first sign of life opens it again.
 * Layer: queue. Tests: test_pace.c.
 */
#pragma once
#include "base/std.h"

struct pace_limits {
	uint64_t initial, concurrency;	   /* jobs at a time, at first and at most */
	uint64_t spacing_us;		   /* between two messages; 0: no rate */
	uint64_t hold_min_ms, hold_max_ms; /* to the first probe, and between later ones */
};

enum pace_state {
	PACE_OPEN,
	PACE_HELD,    /* nothing goes until pace_probe() */
	PACE_PROBING, /* one job may go, or is under way */
};

enum pace_answer {
	PACE_GO,
	PACE_FULL,  /* when a job has ended */
	PACE_LATER, /* at next_us */
	PACE_PARK,  /* held off: do not wait in line for it */
};

struct pace {
	enum pace_state state;
	uint32_t n_failed;    /* attempts in a row that reached no host */
	uint64_t window;      /* jobs at a time, in thousandths */
	uint64_t n_good;      /* signs of life so far */
	uint64_t next_us;     /* the rate lets the next one go then */
	uint64_t probe_at_ms; /* HELD: then it is tried again */
	bool is_probe_under_way;
};

void pace_init(struct pace *p, const struct pace_limits *limits);
enum pace_answer pace_ask(
	const struct pace *p, const struct pace_limits *limits, size_t n_jobs, uint64_t now_us);
void pace_started(struct pace *p, const struct pace_limits *limits, uint64_t now_us);
/* A host spoke with us. True when that ends a hold-off. */
bool pace_good(struct pace *p, const struct pace_limits *limits);
/* No host was to be had for a job that began when n_good was what is given: if others have succeeded since,
 * there are only too many jobs. True when a hold-off begins or goes on; dice is any random number. */
bool pace_bad(
	struct pace *p, const struct pace_limits *limits, uint64_t n_good, uint64_t now_ms, uint32_t dice);
/* The probe ended and told nothing. */
void pace_probe_lost(struct pace *p);
void pace_probe(struct pace *p); /* HELD: its time has come, or somebody wants it at once */
