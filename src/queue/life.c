/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.c - the steps of a message's life: accepted, tried, waiting, told, removed; see core.h
 *
 * Times of the next attempt are those of queue_now_us(), bounded by the longest retry interval. Ages: age.c.
 * Tests: test_life.c, test_role.c.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "mail/queue_id.h"
#include "queue/core.h"
#include "queue/walk.h"

#define RECHECK_MS 1000 /* smallest step of the retry timer */

#define BULK_TURN 8
#define RECIPIENTS_PER_ACTIVE 10 /* of live messages on average; one message alone may have more */

/* Messages that rest and want a turn. New mail has a line of its own: it takes turns with what is tried
 * again, so that neither starves behind the other. */
static struct {
	struct heap waiting;		    /* by the time of their next attempt; see turn_key() */
	struct heap fresh[PRIORITY_LEVELS]; /* never tried, in the order of their coming */
	uint64_t n_fresh;		    /* that ever came */
	uint64_t n_begun;		    /* of these */
	uint64_t last_kick;		    /* key of the last one that was kicked: they keep their order */
	bool waiting_is_next;
	uv_timer_t timer;
	uint64_t timer_at; /* the key it runs for; 0: it does not run */
} turns;

void life_init(void)
{
	CHECK(uv_timer_init(queue.rp->loop, &turns.timer) == 0);
}

static bool has_room(void)
{
	uint64_t max = queue.rp->config->queue_max_active;

	return message_n_live() < max && message_n_live_recipients() < max * RECIPIENTS_PER_ACTIVE;
}

bool life_is_crowded(void)
{
	uint64_t half = queue.rp->config->queue_max_active / 2;

	return message_n_live() >= half || message_n_live_recipients() >= half * RECIPIENTS_PER_ACTIVE;
}

static struct heap *fresh_of(const struct message *m)
{
	return &turns.fresh[m->priority == PRIORITY_BULK ? PRIORITY_BULK : PRIORITY_LETTER];
}

static void turn_cancel(struct message *m)
{
	heap_remove(m->was_tried ? &turns.waiting : fresh_of(m), &m->retry);
}

void queue_enter(struct message *m)
{
	by_id_add(&queue.by_id, m);
	list_push_back(&queue.all, &m->in_all);
	queue.n_messages++;
}

/* Before the spool forgets its id. */
static void message_leave(struct message *m)
{
	by_id_remove(&queue.by_id, m);
	walks_message_leaves(m);
	list_remove(&m->in_all);
	turn_cancel(m);
	queue.n_messages--;
}

bool queue_is_idle_for(const struct message *m)
{
	return m->flags & SPOOL_FLAG_HELD || m->is_deleted || queue.rp->config->queue_paused ||
		queue.is_stopping;
}

/* False when nothing is to be done with it in this process. */
static bool enter_accepted(struct message *m, struct slice message_id)
{
	queue_enter(m);
	if (queue.is_stopping)
		return false;
	queue.n_accepted++;
	history_accepted(m, message_id);
	report_accepted(m, message_id);
	if (queue_is_idle_for(m) || !has_room())
		spool_content_forget(queue.spool, &m->entry); /* nobody will read it soon */
	return true;
}

void queue_accepted(struct message *m, struct slice message_id)
{
	if (enter_accepted(m, message_id))
		queue_kick(m, m->arrival_us);
}

void queue_accepted_for_later(struct message *m, struct slice message_id)
{
	if (!enter_accepted(m, message_id))
		return;
	m->was_tried = true; /* it waits with those that were */
	message_thaw(m);
	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		m->rcpts[i].next_attempt_us = queue_now_us() + queue.rp->config->queue_retry_min * 1000000;
		recipient_stage(m, &m->rcpts[i], STAGE_WAITING);
	}
	queue_settle(m);
}

/* ---- turns ---- */

/* Of that time in the heap of waiting messages: monotonic microseconds. Times before the machine's start are
 * possible, so that what is long overdue keeps its order. */
static uint64_t turn_key(int64_t from_now_us)
{
	return (UINT64_C(1) << 62) + clock_mono_ns() / 1000 + (uint64_t)from_now_us;
}

/* A clock that was set back delays nothing beyond the longest retry interval. */
static int64_t wait_us(uint64_t next_attempt_us, uint64_t now_us)
{
	uint64_t longest_us = queue.rp->config->queue_retry_max * 1000000;

	return (int64_t)MIN(next_attempt_us, now_us + longest_us) - (int64_t)now_us;
}

/* Its recipients go on: those that are due, or all of them. */
static void recipients_go_on(struct message *m, bool is_kicked)
{
	uint64_t now_us = queue_now_us(), longest_us = queue.rp->config->queue_retry_max * 1000000;

	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		struct recipient *r = &m->rcpts[i];
		bool is_due = r->next_attempt_us <= now_us + RECHECK_MS * 1000 ||
			r->next_attempt_us > now_us + 2 * longest_us;
		if (r->stage != STAGE_WAITING)
			continue;
		if (r->waits_for) { /* nothing is asked, nothing tried */
			recipient_take_cause(r);
			(void)age_expire(m, r, r->last_attempt_us, LIFETIME_ORDINARY);
		} else if (is_kicked || is_due)
			recipient_stage(m, r, STAGE_NEW);
	}
	router_want(m);
}

/* Those that wait for destinations come back with them, which are probed now. True when others wait too. */
static bool lift_hold_offs(struct message *m, uint64_t flush)
{
	struct recipient_cursor c = message_cursor(m);
	struct recipient_view v;
	bool has_others = false;

	while (recipient_next(&c, &v)) {
		if (v.stage == STAGE_NEW || (v.stage == STAGE_WAITING && !v.waits_for))
			has_others = true;
		else if (v.stage == STAGE_WAITING)
			scheduler_lift(v.waits_for, m->entry.id, c.next - 1, flush);
	}
	return has_others;
}

void queue_kick(struct message *m, uint64_t flush)
{
	if (queue_is_idle_for(m) || !lift_hold_offs(m, flush))
		return;
	turn_cancel(m);
	if (m->live) {
		recipients_go_on(m, true);
		return;
	}
	m->is_kicked = true;
	if (m->was_tried)
		heap_insert(
			&turns.waiting, &m->retry, turns.last_kick = MAX(turn_key(0), turns.last_kick + 1));
	else
		heap_insert(fresh_of(m), &m->retry, ++turns.n_fresh);
}

void queue_give_up(struct message *m)
{
	router_forget(m);
	scheduler_forget(m);
	turn_cancel(m);
	m->was_tried = true;
	message_thaw(m);
	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		struct recipient *r = &m->rcpts[i];
		if (r->stage == STAGE_NEW || r->stage == STAGE_WAITING)
			age_give_up(m, r);
	}
	queue_settle(m);
}

static bool waits_for(const struct message *m, uint32_t rcpt, uint32_t destination)
{
	struct recipient_cursor c = message_cursor(m);
	struct recipient_view v;

	if (rcpt >= m->n_rcpts)
		return false;
	if (m->live)
		return m->rcpts[rcpt].stage == STAGE_WAITING && m->rcpts[rcpt].waits_for == destination;
	while (recipient_next(&c, &v) && c.next <= rcpt)
		;
	return v.stage == STAGE_WAITING && v.waits_for == destination;
}

bool message_unpark(struct message *m, uint32_t rcpt, uint32_t destination)
{
	struct recipient *r;

	if (!waits_for(m, rcpt, destination))
		return false;
	turn_cancel(m);
	m->was_tried = true;
	message_thaw(m);
	r = &m->rcpts[rcpt];
	r->waits_for = 0;
	if (queue_is_idle_for(m))
		r->next_attempt_us = queue_now_us(); /* when that ends */
	else
		recipient_stage(m, r, STAGE_NEW);
	return true;
}

void queue_go_on(struct message *m)
{
	if (queue_is_idle_for(m))
		queue_settle(m);
	else
		router_want(m);
}

/* The time of its next turn: the earliest that one of its recipients wants. */
static void wait_for_turn(struct message *m)
{
	uint64_t now_us = queue_now_us();
	int64_t earliest_us = INT64_MAX;
	struct recipient_cursor c = message_cursor(m);
	struct recipient_view v;

	while (recipient_next(&c, &v))
		if (v.stage == STAGE_WAITING && v.waits_for)
			earliest_us = MIN(earliest_us, (int64_t)age_next_event_us(m, &v));
		else if (v.stage == STAGE_WAITING)
			earliest_us = MIN(earliest_us, wait_us(v.spool.progress.next_attempt_us, now_us));
		else if (v.stage == STAGE_NEW)
			earliest_us = MIN(earliest_us, 0);
	turn_cancel(m);
	if (!m->was_tried)
		heap_insert(fresh_of(m), &m->retry, ++turns.n_fresh);
	else if (earliest_us != INT64_MAX)
		heap_insert(&turns.waiting, &m->retry, turn_key(earliest_us));
}

void queue_resume(struct message *m)
{
	if (message_n_open(m) == 0)
		queue_settle(m);
	else
		wait_for_turn(m);
}

/* Letters before bulk, which gets every eighth turn, and no more than half of the room. */
static struct heap_node *next_fresh(void)
{
	struct heap_node *letter = heap_min(&turns.fresh[PRIORITY_LETTER]);
	struct heap_node *bulk = life_is_crowded() ? NULL : heap_min(&turns.fresh[PRIORITY_BULK]);

	return letter && (!bulk || turns.n_begun % BULK_TURN) ? letter : bulk;
}

static struct message *next_in_turn(uint64_t now)
{
	struct heap_node *fresh = next_fresh(), *waiting = heap_min(&turns.waiting);

	if (waiting && waiting->key > now)
		waiting = NULL;
	if (!fresh && !waiting)
		return NULL;
	bool is_waiting = waiting && (turns.waiting_is_next || !fresh);
	turns.waiting_is_next = !is_waiting;
	turns.n_begun += !is_waiting;
	return CONTAINER_OF(is_waiting ? waiting : fresh, struct message, retry);
}

static void on_retry_time(uv_timer_t *timer)
{
	(void)timer; /* life_turn() follows before the loop waits again */
	turns.timer_at = 0;
}

static void retry_timer_set(void)
{
	const struct heap_node *first = heap_min(&turns.waiting);
	uint64_t now = turn_key(0), at = first ? MAX(first->key, now) : 0;

	if (first && !has_room()) /* what makes room comes with a turn of the loop, as a rule */
		at = MAX(turns.timer_at, now + RECHECK_MS * 1000);
	if (at == turns.timer_at)
		return;
	turns.timer_at = at;
	if (!first)
		(void)uv_timer_stop(&turns.timer);
	else
		CHECK(uv_timer_start(&turns.timer, on_retry_time, (at - now + 999) / 1000, 0) == 0);
}

void life_turn(void)
{
	uint64_t now = turn_key(0);
	struct message *m;

	while (!queue.is_stopping && has_room() && (m = next_in_turn(now))) {
		bool is_kicked = m->is_kicked;
		turn_cancel(m);
		m->is_kicked = false;
		if (queue_is_idle_for(m))
			continue; /* whatever ends that gives it a turn */
		m->was_tried = true;
		message_thaw(m);
		recipients_go_on(m, is_kicked);
	}
	retry_timer_set();
}

static void on_removed(void *user, int result)
{
	struct queue_id_text *id = user;

	if (result < 0)
		log_error("%s: its end could not be recorded: %s; it may be delivered again", id->at,
			strerror(-result));
	mem_free(id);
}

void queue_forget(struct message *m)
{
	struct queue_id_text *id;

	if (m->has_drop_file) {
		drop_stuck_finished(m);
		return;
	}
	id = mem_new(sizeof(*id));
	*id = queue_id_format(m->entry.id);
	spool_remove(queue.spool, &m->entry, on_removed, id);
	message_free(&m);
}

static void queue_remove(struct message *m)
{
	log_info("%s: removed", queue_id_format(m->entry.id).at);
	history_removed(m->entry.id);
	message_leave(m);
	queue_forget(m);
}

/* The one place that decides whether a message may go: nobody holds a question, a job, a record or a report
 * of it. */
void queue_settle(struct message *m)
{
	if (queue.is_stopping)
		return; /* the spool takes no more; the next start goes on from what it has */
	if (m->live && !m->live->n_in[STAGE_ROUTING] && !m->live->n_in[STAGE_ACTIVE]) { /* told together */
		if (m->live->n_in[STAGE_FAILED])
			report_failures(m);
		report_delays(m);
	}
	if (m->live && (message_n_moving(m) || m->live->n_jobs || m->live->n_reports))
		return;
	if (message_n_open(m) == 0 || m->is_deleted) {
		router_forget(m);
		queue_remove(m);
		return;
	}
	if (!m->live || list_linked(&m->live->in_routing))
		return; /* it rests already, or waits for lookup */
	spool_content_forget(queue.spool, &m->entry);
	message_freeze(m);
	walks_message_froze(m);
	wait_for_turn(m);
}

/* ---- its leaf is known ---- */

void queue_dispatch(struct message *m, struct recipient *r)
{
	switch ((enum leaf_kind)r->leaf) {
	case LEAF_USER:
	case LEAF_REMOTE:
	case LEAF_COMMAND:
	case LEAF_FILE: scheduler_add(m, r); break;
	case LEAF_DISCARD:
		recipient_set_outcome(
			r, SLICE("2.0.0"), SLICE("discarded, as the address says"), SLICE("none"));
		recipient_delivered(m, r, JOB_DELIVERED);
		break;
	case LEAF_FAIL: recipient_failed(m, r); break;
	case LEAF_ADDRESS:
	case LEAF_DEFER: recipient_deferred(m, r); break;
	}
}
