/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scheduler.c - which delivery goes next: destinations take turns, letters before bulk; see core.h
 *
 * Each destination (a user of this host, or a next hop) has its own line and its own pace, so that a slow one
 * delays only itself. One that may start something stands in the ready list of the process that delivers for
 * it; one that may not stands in none, until a job's end or its timer brings it back: a turn costs the same
 * however many wait. Mail in bulk gets every eighth start while letters wait too, and never all places, so
 * that a letter finds one free.
 *
 * Mail for a destination that is held off, or whose line is long while memory is short, is parked: it rests
 * and is brought back when its time has come.
 * Tests: test_scheduler.c, tests/system/test_scheduling.py.
 */
#include "base/clock.h"
#include "config/mailbox_transport.h"
#include "queue/scheduler-private.h"

#define LOCAL_JOBS 5000	     /* in all */
#define LOCAL_RECIPIENTS 100 /* of one local job */
#define LETTERS_PER_BULK 7
#define STEPS_PER_TURN 2000 /* of the loop, for each deliverer */
#define LINE_MESSAGES 1000  /* in a remote line before more are parked, when memory is short */
#define REFILL_BELOW 200    /* messages in line */
#define REFILL_MESSAGES 100 /* brought back at a time */
#define REFILLS_PER_TURN 10 /* destinations */
#define STALE_PER_REFILL 5000
#define AGAIN_MS 10

static struct {
	struct deliverer local, smtp[ROLE_MAX_INSTANCES];
	struct list refill; /* struct destination.in_refill */
	uv_timer_t again;   /* something is left to do though nothing happens */
	bool is_pumping;
} sched;

/* ---- ready or not ---- */

static void ready_link(struct destination *d)
{
	for (size_t i = 0; i < PRIORITY_LEVELS; i++)
		if (line_has(&d->line, (enum message_priority)i) && !list_linked(&d->in_ready[i]))
			list_push_back(&d->to->ready[i], &d->in_ready[i]);
}

static void ready_unlink(struct destination *d)
{
	for (size_t i = 0; i < PRIORITY_LEVELS; i++)
		list_remove(&d->in_ready[i]);
}

static struct deliverer *deliverer_of(enum role role, struct slice name)
{
	if (role == ROLE_LOCAL)
		return &sched.local;
	/* One process keeps a destination's connections. */
	return &sched.smtp[table_hash_bytes(name) % queue.rp->config->smtp_processes];
}

struct channel *scheduler_smtp(struct slice next_hop)
{
	return role_peer(queue.rp, ROLE_SMTP, deliverer_of(ROLE_SMTP, next_hop)->instance);
}

static size_t max_recipients(const struct destination *d)
{
	return d->role == ROLE_LOCAL ? LOCAL_RECIPIENTS : (size_t)queue.rp->config->smtp_max_recipients;
}

/* ---- parking ---- */

void scheduler_wait_for(struct message *m, struct recipient *r, struct destination *d)
{
	r->waits_for = d->number;
	destination_park(d, m->entry.id, (uint32_t)(r - m->rcpts), false);
	if (d->pace.state == PACE_OPEN && !list_linked(&d->in_refill))
		list_push_back(&sched.refill, &d->in_refill);
}

static void park(struct message *m, struct recipient *r, struct destination *d)
{
	auto_buf struct buf reason = BUF_INIT(4096);
	struct cause cause;

	if (!destination_cause(d->number, &cause)) {
		buf_printf(&reason, "waits behind other mail for %s", d->text);
		cause = (struct cause){ SLICE("4.4.5"), buf_slice(&reason), SLICE_EMPTY };
	}
	recipient_set_outcome(r, cause.status, cause.reason, cause.remote);
	recipient_stage(m, r, STAGE_WAITING);
	scheduler_wait_for(m, r, d);
}

/* Brings back at most n recipients that wait for d. */
static void unpark(struct destination *d, size_t n)
{
	struct message *m = NULL, *next; /* those of one message go on together */
	uint32_t number = d->number;
	struct parked p;

	for (size_t stale = 0; n && stale < STALE_PER_REFILL && destination_unpark(d, &p);) {
		next = queue_find(p.id);
		if (!next || !message_unpark(next, p.rcpt, number)) {
			stale++;
			continue;
		}
		n--;
		if (m && m != next)
			queue_go_on(m);
		m = next;
		if (destination_numbered(number) != d)
			break; /* what came back was all that kept it */
	}
	if (m)
		queue_go_on(m);
}

static bool is_probe_wanted(const struct destination *d)
{
	return d->pace.state == PACE_PROBING && !d->pace.is_probe_under_way;
}

/* One goes, whichever comes first: one that waits, or one that arrives. */
static void probe(struct destination *d)
{
	uint32_t number = d->number;

	pace_probe(&d->pace);
	if (d->line.n == 0)
		unpark(d, 1);
	if (destination_numbered(number) != d)
		return;
	ready_link(d);
	/* What was brought back may have been held, deleted or led elsewhere. */
	destination_wake_at(d, clock_mono_ms() + d->limits.hold_min_ms);
}

static void on_woken(struct destination *d)
{
	uint32_t number = d->number;

	if (d->pace.state == PACE_HELD || is_probe_wanted(d))
		probe(d);
	else
		ready_link(d);
	if (destination_numbered(number) == d)
		destination_drop_if_unused(d);
}

void scheduler_is_alive(struct destination *d)
{
	destination_is_alive(d);
	if (d->n_parked && !list_linked(&d->in_refill))
		list_push_back(&sched.refill, &d->in_refill);
}

static void refill(void)
{
	for (size_t n = 0; n < REFILLS_PER_TURN && !list_empty(&sched.refill); n++) {
		struct destination *d = CONTAINER_OF(sched.refill.next, struct destination, in_refill);
		list_remove(&d->in_refill);
		list_push_back(&sched.refill, &d->in_refill);
		if (d->line.n_messages >= REFILL_BELOW || router_is_busy() || life_is_crowded())
			continue;
		if (d->n_parked) {
			unpark(d, REFILL_MESSAGES);
		} else {
			list_remove(&d->in_refill);
			destination_drop_if_unused(d);
		}
	}
}

void scheduler_lift(uint32_t number, uint64_t id, uint32_t rcpt, uint64_t flush)
{
	struct destination *d = destination_numbered(number);

	if (!d)
		return;
	if (flush == 0)
		destination_park(d, id, rcpt, true);
	else if (d->lifted_by == flush)
		return; /* its probe may have failed since: the flush is no reason for another */
	d->lifted_by = flush;
	if (d->pace.state == PACE_HELD) /* in the loop: the caller is at work on the message */
		destination_wake_at(d, clock_mono_ms());
}

/* ---- in line ---- */

static bool must_park(const struct destination *d)
{
	return d->pace.state == PACE_HELD || d->pace.is_probe_under_way ||
		(d->role == ROLE_SMTP && d->line.n_messages >= LINE_MESSAGES && life_is_crowded());
}

static enum role role_of_recipient(const struct recipient *r)
{
	return r->leaf == LEAF_REMOTE || r->by_transport ? ROLE_SMTP : ROLE_LOCAL;
}

static struct slice hop_of_recipient(const struct recipient *r)
{
	return r->by_transport ? SLICE(MAILBOX_TRANSPORT_HOP) : r->user;
}

void scheduler_add(struct message *m, struct recipient *r)
{
	enum role role = role_of_recipient(r);
	struct slice hop = hop_of_recipient(r);
	struct destination *d = destination_get(role, hop, deliverer_of(role, hop));

	if (must_park(d)) {
		park(m, r, d);
		return;
	}
	line_add(&d->line, m, (uint32_t)(r - m->rcpts), max_recipients(d));
	recipient_stage(m, r, STAGE_READY);
	ready_link(d);
}

static void put_back(struct delivery *v)
{
	for (uint32_t i = 0; i < v->n_rcpts; i++)
		recipient_stage(v->m, &v->m->rcpts[v->rcpts[i]], STAGE_NEW);
	delivery_free(v);
}

void scheduler_forget(struct message *m)
{
	struct delivery *v;

	if (!m->live || !m->live->n_in[STAGE_READY])
		return; /* in no line */
	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		const struct recipient *r = &m->rcpts[i];
		if (r->stage != STAGE_READY)
			continue;
		struct destination *d = destination_find(role_of_recipient(r), hop_of_recipient(r));
		while (d && (v = line_take_of(&d->line, m)))
			put_back(v);
		if (d)
			destination_drop_if_unused(d);
	}
}

/* ---- turns ---- */

static size_t max_jobs(const struct deliverer *to, enum message_priority level)
{
	const struct config *c = queue.rp->config;
	size_t max = to->role == ROLE_LOCAL
		? LOCAL_JOBS
		: (size_t)MAX(c->smtp_max_connections / c->smtp_processes, UINT64_C(1));

	if (level == PRIORITY_LETTER)
		return max;
	/* local works on as many at a time as it has processes; a letter does not wait behind more. */
	return to->role == ROLE_LOCAL ? MIN(max / 2, (size_t)c->local_max_workers * 2)
				      : MAX(max - max / 5, (size_t)1);
}

/* False: nothing can start. */
static bool next_level(const struct deliverer *to, enum message_priority *level_out)
{
	bool letters = !list_empty(&to->ready[PRIORITY_LETTER]);
	bool bulk = !list_empty(&to->ready[PRIORITY_BULK]) && to->n_bulk < max_jobs(to, PRIORITY_BULK);

	if (to->n_jobs >= max_jobs(to, PRIORITY_LETTER) || (!letters && !bulk))
		return false;
	*level_out = letters && (!bulk || to->n_letters < LETTERS_PER_BULK) ? PRIORITY_LETTER : PRIORITY_BULK;
	return true;
}

/* Held, deleted or paused while it waited in line: it goes back to be routed when that ends. */
static void rest(struct destination *d, struct message *m)
{
	struct delivery *v;

	while ((v = line_take_of(&d->line, m)))
		put_back(v);
	ready_link(d);
	destination_drop_if_unused(d);
	queue_settle(m);
}

static void park_delivery(struct destination *d, enum message_priority level)
{
	struct delivery *v = line_take(&d->line, level);
	struct message *m = v->m;

	for (uint32_t i = 0; i < v->n_rcpts; i++)
		park(m, &m->rcpts[v->rcpts[i]], d);
	delivery_free(v);
	ready_link(d);
	queue_settle(m);
}

static void start(struct channel *ch, struct destination *d, enum message_priority level, uint64_t now_us)
{
	struct delivery *v = line_take(&d->line, level);

	v->to = d;
	pace_started(&d->pace, &d->limits, now_us);
	d->to->n_letters = level == PRIORITY_BULK ? 0 : d->to->n_letters + 1;
	ready_link(d);
	job_start(ch, v, level);
}

/* One destination starts one job, then the next destination has its turn. */
static void turn(struct channel *ch, struct deliverer *to, enum message_priority level)
{
	struct destination *d = CONTAINER_OF(to->ready[level].next, struct destination, in_ready[level]);
	struct message *m = line_first(&d->line, level);
	uint64_t now_us = clock_mono_ns() / 1000;

	list_remove(&d->in_ready[level]);
	if (!m) {
		destination_drop_if_unused(d);
		return;
	}
	if (queue_is_idle_for(m)) {
		rest(d, m);
		return;
	}
	switch (pace_ask(&d->pace, &d->limits, d->n_jobs, now_us)) {
	case PACE_GO: start(ch, d, level, now_us); return;
	case PACE_PARK: park_delivery(d, level); return;
	case PACE_FULL: ready_unlink(d); return; /* the end of one of its jobs brings it back */
	case PACE_LATER:
		ready_unlink(d);
		destination_wake_at(d, d->pace.next_us / 1000 + 1);
		return;
	}
}

static void again(void);

static void pump(struct deliverer *to)
{
	struct channel *ch = role_peer(queue.rp, to->role, to->instance);
	enum message_priority level;

	for (unsigned n = 0; ch && !channel_congested(ch) && next_level(to, &level); n++) {
		if (n == STEPS_PER_TURN) {
			again();
			return;
		}
		turn(ch, to, level);
	}
}

void scheduler_pump(void)
{
	if (sched.is_pumping || queue.is_stopping)
		return;
	sched.is_pumping = true;
	refill();
	pump(&sched.local);
	for (unsigned i = 0; i < queue.rp->config->smtp_processes; i++)
		pump(&sched.smtp[i]);
	if (!list_empty(&sched.refill))
		again();
	sched.is_pumping = false;
}

static void on_again(uv_timer_t *timer)
{
	(void)timer; /* scheduler_pump() follows before the loop waits again */
}

static void again(void)
{
	CHECK(uv_timer_start(&sched.again, on_again, AGAIN_MS, 0) == 0);
}

void scheduler_job_ended(struct destination *d)
{
	ready_link(d);
	if (is_probe_wanted(d)) /* it told nothing */
		destination_wake_at(d, clock_mono_ms() + d->limits.hold_min_ms);
	destination_drop_if_unused(d);
}

/* ---- the role ---- */

static void reload(struct destination *d, void *user)
{
	(void)user;
	ready_link(d); /* there may be room now */
}

void scheduler_reload(void)
{
	destinations_reload();
	destinations_each(reload, NULL);
}

static void deliverer_init(struct deliverer *to, enum role role, unsigned instance)
{
	to->role = role;
	to->instance = instance;
	for (size_t i = 0; i < PRIORITY_LEVELS; i++)
		list_init(&to->ready[i]);
}

void scheduler_init(void)
{
	list_init(&sched.refill);
	deliverer_init(&sched.local, ROLE_LOCAL, 0);
	for (unsigned i = 0; i < ROLE_MAX_INSTANCES; i++)
		deliverer_init(&sched.smtp[i], ROLE_SMTP, i);
	CHECK(uv_timer_init(queue.rp->loop, &sched.again) == 0);
	destinations_init(on_woken);
	jobs_init();
}
