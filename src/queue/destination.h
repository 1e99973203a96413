/* SPDX-License-Identifier: Apache-2.0 */
/*
 * destination.h - one for each user of this host and each next hop that has mail: its line, its pace, and the
 * recipients that wait for it without being in line
 *
 * Those are known by queue id and number alone: their messages rest, may be deleted or tried meanwhile, and
 * cost a few bytes here. Who finds them again checks that they still wait for this destination. A destination
 * exists while it has a job, a line or somebody who waits. Layer: queue, for scheduler.c and job.c.
 * Tests: test_scheduler.c.
 */
#pragma once
#include "queue/core.h"
#include "queue/line.h"
#include "queue/pace.h"

/* The process that its jobs go to. */
struct deliverer {
	enum role role;
	unsigned instance;
	struct list ready[PRIORITY_LEVELS]; /* struct destination.in_ready: may have something to start */
	size_t n_jobs, n_bulk;
	unsigned n_letters; /* that started since the last mail in bulk */
};

struct parked {
	uint64_t id; /* of the message */
	uint32_t rcpt;
};

struct destination {
	struct table_node by_name, by_number;
	uint32_t number; /* struct recipient.waits_for; never 0 */
	enum role role;
	struct slice name;
	char *text;
	struct deliverer *to;
	struct list in_ready[PRIORITY_LEVELS];
	struct line line;
	size_t n_jobs;
	struct pace pace;
	struct pace_limits limits;
	struct heap_node wake; /* monotonic ms: the next probe, or when the rate allows more */
	struct parked *parked; /* a ring, the oldest first */
	size_t parked_at, n_parked, parked_cap;
	struct list in_refill;		   /* open, and somebody waits for it */
	uint64_t held_since_ms, lifted_by; /* lifted_by: the last flush that had it probed */
	struct cause trouble;		   /* what the last probe met */
	char *trouble_text;		   /* of its strings */
};

typedef void (*destination_woken)(struct destination *d);
void destinations_init(destination_woken woken);
struct destination *destination_get(enum role role, struct slice name, struct deliverer *to);
struct destination *destination_find(enum role role, struct slice name);
struct destination *destination_numbered(uint32_t number); /* NULL: there is no such any more */
void destination_drop_if_unused(struct destination *d);
void destination_wake_at(struct destination *d, uint64_t at_ms);
void destinations_reload(void); /* the limits are in the settings */
void destinations_each(void (*visit)(struct destination *d, void *user), void *user);

void destination_park(struct destination *d, uint64_t id, uint32_t rcpt, bool is_first);
bool destination_unpark(struct destination *d, struct parked *out); /* false: nobody waits */
/* What a job of it met: a sign of life, or none of its hosts (true: it is held off). n_good: the pace's, when
 * the job began. */
void destination_is_alive(struct destination *d);
bool destination_is_unreachable(struct destination *d, uint64_t n_good, const struct cause *why);
