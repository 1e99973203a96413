/* SPDX-License-Identifier: Apache-2.0 */
/* destination.c - see destination.h */
#include "queue/destination.h"
#include "base/clock.h"
#include "config/pacing.h"

#define LOCAL_JOBS_OF_USER                                                                                   \
	100 /* mailboxes are written in batches; one that is locked stops only its own mail */

static struct {
	struct table by_name, by_number;
	uint32_t last_number;
	struct heap wakes;
	uv_timer_t timer;
	destination_woken woken;
} destinations;

/* ---- time ---- */

static void timer_set(void);

static void on_timer(uv_timer_t *timer)
{
	uint64_t now_ms = clock_mono_ms();
	struct heap_node *first;

	(void)timer;
	while ((first = heap_min(&destinations.wakes)) && first->key <= now_ms) {
		heap_remove(&destinations.wakes, first);
		destinations.woken(CONTAINER_OF(first, struct destination, wake));
	}
	timer_set();
}

static void timer_set(void)
{
	const struct heap_node *first = heap_min(&destinations.wakes);
	uint64_t now_ms = clock_mono_ms();

	if (first)
		CHECK(uv_timer_start(&destinations.timer, on_timer,
			      first->key > now_ms ? first->key - now_ms : 0, 0) == 0);
	else
		(void)uv_timer_stop(&destinations.timer);
}

void destination_wake_at(struct destination *d, uint64_t at_ms)
{
	heap_remove(&destinations.wakes, &d->wake);
	heap_insert(&destinations.wakes, &d->wake, at_ms);
	timer_set();
}

void destinations_init(destination_woken woken)
{
	destinations.woken = woken;
	CHECK(uv_timer_init(queue.rp->loop, &destinations.timer) == 0);
}

/* ---- all of them ---- */

static void read_limits(struct destination *d)
{
	const struct config *c = queue.rp->config;
	struct pacing p = { 0 };

	d->limits = (struct pace_limits){ .initial = LOCAL_JOBS_OF_USER, .concurrency = LOCAL_JOBS_OF_USER };
	if (d->role != ROLE_SMTP)
		return;
	if (*c->smtp_destination_rate)
		(void)pacing_parse_rate(slice_of(c->smtp_destination_rate), &p); /* was checked when read */
	(void)pacing_find(slice_of(c->smtp_destination_limits), d->name, &p);
	d->limits = (struct pace_limits){
		.initial = c->smtp_initial_concurrency,
		.concurrency = p.concurrency ? p.concurrency : c->smtp_destination_concurrency,
		.spacing_us = p.n_messages ? p.interval_s * 1000000 / p.n_messages : 0,
		.hold_min_ms = c->queue_hold_off_min * 1000,
		.hold_max_ms = c->queue_hold_off_max * 1000,
	};
}

static uint64_t name_hash(enum role role, struct slice name)
{
	return table_hash_bytes(name) + role;
}

struct destination *destination_find(enum role role, struct slice name)
{
	uint64_t hash = name_hash(role, name);

	for (struct table_node *n = table_first(&destinations.by_name, hash); n; n = table_next(n, hash)) {
		struct destination *d = CONTAINER_OF(n, struct destination, by_name);
		if (d->role == role && slice_eq(d->name, name))
			return d;
	}
	return NULL;
}

struct destination *destination_numbered(uint32_t number)
{
	uint64_t hash = table_hash_u64(number);

	for (struct table_node *n = table_first(&destinations.by_number, hash); n; n = table_next(n, hash)) {
		struct destination *d = CONTAINER_OF(n, struct destination, by_number);
		if (d->number == number)
			return d;
	}
	return NULL;
}

struct destination *destination_get(enum role role, struct slice name, struct deliverer *to)
{
	struct destination *d = destination_find(role, name);

	if (d)
		return d;
	d = mem_new(sizeof(*d));
	d->role = role;
	d->to = to;
	d->text = slice_dup(name);
	d->name = (struct slice){ d->text, name.len };
	for (size_t i = 0; i < PRIORITY_LEVELS; i++)
		list_init(&d->in_ready[i]);
	list_init(&d->in_refill);
	line_init(&d->line);
	read_limits(d);
	pace_init(&d->pace, &d->limits);
	do
		d->number = ++destinations.last_number;
	while (d->number == 0 || destination_numbered(d->number));
	table_insert(&destinations.by_name, &d->by_name, name_hash(role, name));
	table_insert(&destinations.by_number, &d->by_number, table_hash_u64(d->number));
	return d;
}

void destination_drop_if_unused(struct destination *d)
{
	uint64_t now_us = clock_mono_ns() / 1000;

	if (d->n_jobs || d->line.n || d->n_parked)
		return;
	if (d->pace.next_us > now_us) { /* the rate outlives its mail: what comes next waits for it too */
		destination_wake_at(d, d->pace.next_us / 1000 + 1);
		return;
	}
	for (size_t i = 0; i < PRIORITY_LEVELS; i++)
		list_remove(&d->in_ready[i]);
	list_remove(&d->in_refill);
	heap_remove(&destinations.wakes, &d->wake);
	table_remove(&destinations.by_name, &d->by_name);
	table_remove(&destinations.by_number, &d->by_number);
	mem_free(d->text);
	mem_free(d->parked);
	mem_free(d->trouble_text);
	mem_free(d);
}

struct visit {
	void (*visit)(struct destination *d, void *user);
	void *user;
};

static void visit_node(struct table_node *node, void *user)
{
	const struct visit *v = user;

	v->visit(CONTAINER_OF(node, struct destination, by_number), v->user);
}

void destinations_each(void (*visit)(struct destination *d, void *user), void *user)
{
	table_each(&destinations.by_number, visit_node, &(struct visit){ visit, user });
}

static void reload(struct destination *d, void *user)
{
	(void)user;
	read_limits(d);
}

void destinations_reload(void)
{
	destinations_each(reload, NULL);
}

/* ---- those that wait for it ---- */

static void parked_grow(struct destination *d)
{
	size_t cap = d->parked_cap ? d->parked_cap * 2 : 4;
	struct parked *grown = mem_new_array(cap, sizeof(*grown));

	for (size_t i = 0; i < d->n_parked; i++)
		grown[i] = d->parked[(d->parked_at + i) % d->parked_cap];
	mem_free(d->parked);
	d->parked = grown;
	d->parked_cap = cap;
	d->parked_at = 0;
}

void destination_park(struct destination *d, uint64_t id, uint32_t rcpt, bool is_first)
{
	if (d->n_parked == d->parked_cap)
		parked_grow(d);
	if (is_first)
		d->parked_at = (d->parked_at + d->parked_cap - 1) % d->parked_cap;
	d->parked[(d->parked_at + (is_first ? 0 : d->n_parked)) % d->parked_cap] =
		(struct parked){ .id = id, .rcpt = rcpt };
	d->n_parked++;
}

bool destination_unpark(struct destination *d, struct parked *out)
{
	if (d->n_parked == 0)
		return false;
	*out = d->parked[d->parked_at];
	d->parked_at = (d->parked_at + 1) % d->parked_cap;
	if (--d->n_parked)
		return true;
	mem_free(take_ptr(&d->parked)); /* that of a recovered host is not needed again soon */
	d->parked_cap = d->parked_at = 0;
	return true;
}

/* ---- hold-off ---- */

void destination_is_alive(struct destination *d)
{
	if (!pace_good(&d->pace, &d->limits))
		return;
	log_info("%s answers again after %" PRIu64 " seconds; %zu recipients waited", d->text,
		(clock_mono_ms() - d->held_since_ms) / 1000, d->n_parked);
	heap_remove(&destinations.wakes, &d->wake);
}

static void remember_trouble(struct destination *d, const struct cause *why)
{
	char *old = d->trouble_text;
	const struct packed parts[] = { { &d->trouble.status, why->status },
		{ &d->trouble.reason, why->reason }, { &d->trouble.remote, why->remote } };

	d->trouble_text = packed_copy(parts, ARRAY_LEN(parts));
	mem_free(old); /* why may have been in it */
}

bool destination_is_unreachable(struct destination *d, uint64_t n_good, const struct cause *why)
{
	enum pace_state before = d->pace.state;
	uint64_t now_ms = clock_mono_ms();

	if (!pace_bad(&d->pace, &d->limits, n_good, now_ms, queue_dice()))
		return false;
	if (before == PACE_HELD)
		return true;
	if (before == PACE_OPEN)
		d->held_since_ms = now_ms;
	remember_trouble(d, why);
	list_remove(&d->in_refill);
	destination_wake_at(d, d->pace.probe_at_ms);
	log_info("%s is held off: %.*s; next probe in %" PRIu64 " s", d->text, SLICE_ARG(why->reason),
		(d->pace.probe_at_ms - now_ms + 999) / 1000);
	return true;
}

/* ---- what others know of a hold-off ---- */

bool destination_cause(uint32_t number, struct cause *out)
{
	const struct destination *d = destination_numbered(number);

	if (!d || d->pace.state == PACE_OPEN)
		return false;
	*out = d->trouble;
	return true;
}

void recipient_take_cause(struct recipient *r)
{
	struct cause cause;

	if (destination_cause(r->waits_for, &cause))
		recipient_set_outcome(r, cause.status, cause.reason, cause.remote);
}

uint32_t destination_probes(uint32_t number)
{
	const struct destination *d = destination_numbered(number);

	return d ? d->pace.n_failed : 0;
}

uint64_t destination_next_probe_us(uint32_t number)
{
	const struct destination *d = destination_numbered(number);
	uint64_t now_ms = clock_mono_ms(), now_us = queue_now_us();

	if (!d || d->pace.state != PACE_HELD || d->pace.probe_at_ms < now_ms)
		return now_us;
	return now_us + (d->pace.probe_at_ms - now_ms) * 1000;
}

/* ---- what people see ---- */

#define STATUS_LINES 20

struct status {
	struct buf *out;
	size_t n_busy, n_held, n_jobs;
};

static void count(struct destination *d, void *user)
{
	struct status *s = user;

	if (d->role != ROLE_SMTP)
		return;
	s->n_busy += d->n_jobs > 0;
	s->n_jobs += d->n_jobs;
	if (d->pace.state == PACE_OPEN || s->n_held++ >= STATUS_LINES)
		return;
	uint64_t now_ms = clock_mono_ms();
	buf_printf(s->out, "held off: %s for %" PRIu64 " s, %zu recipients wait, ", d->text,
		(now_ms - d->held_since_ms) / 1000, d->n_parked);
	if (d->pace.state == PACE_HELD && d->pace.probe_at_ms > now_ms)
		buf_printf(s->out, "next probe in %" PRIu64 " s: %.*s\n",
			(d->pace.probe_at_ms - now_ms + 999) / 1000, SLICE_ARG(d->trouble.reason));
	else
		buf_printf(s->out, "is being probed: %.*s\n", SLICE_ARG(d->trouble.reason));
}

void destinations_describe(struct buf *out)
{
	struct status s = { .out = out };

	destinations_each(count, &s);
	buf_printf(out, "destinations: %zu connections to %zu in use, %zu held off\n", s.n_jobs, s.n_busy,
		s.n_held);
}
