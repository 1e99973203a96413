/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.c - the steps of a message's life: accepted, tried, waiting, told, removed; see core.h
 *
 * Ages are counted on the monotonic clock and times of the next attempt are kept as wall time, bounded by the
 * longest retry interval: a clock that jumps expires nothing and delays nothing for long.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "mail/queue_id.h"
#include "queue/core.h"
#include <sys/random.h>

#define RECHECK_MS 1000		 /* smallest step of the retry timer */
#define MIN_ATTEMPTS_TO_EXPIRE 3 /* age alone returns nothing: a host that slept has tried nothing */

#define RECIPIENTS_PER_ACTIVE 10 /* of live messages on average; one message alone may have more */

/* Messages that rest and want a turn. New mail has a line of its own: it takes turns with what is tried
 * again, so that neither starves behind the other. */
static struct {
	struct heap waiting; /* by the time of their next attempt; see turn_key() */
	struct heap fresh;   /* never tried, in the order of their coming */
	uint64_t n_fresh;    /* that ever came */
	uint64_t last_kick;  /* key of the last one that was kicked: they keep their order */
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

static void turn_cancel(struct message *m)
{
	heap_remove(m->was_tried ? &turns.waiting : &turns.fresh, &m->retry);
}

void queue_enter(struct message *m)
{
	table_insert(&queue.by_id, &m->by_id, table_hash_u64(m->entry.id));
	list_push_back(&queue.all, &m->in_all);
	queue.n_messages++;
}

static void message_leave(struct message *m)
{
	table_remove(&queue.by_id, &m->by_id);
	listing_message_leaves(m);
	list_remove(&m->in_all);
	turn_cancel(m);
	queue.n_messages--;
	message_free(&m);
}

bool queue_is_idle_for(const struct message *m)
{
	return m->flags & SPOOL_FLAG_HELD || m->is_deleted || queue.rp->config->queue_paused ||
		queue.is_stopping;
}

void queue_accepted(struct message *m)
{
	struct queue_id_text id = queue_id_format(m->entry.id);

	queue_enter(m);
	if (queue.is_stopping)
		return;
	queue.n_accepted++;
	log_info("%s: from=<%.*s>, size=%" PRIu64 ", nrcpt=%u (queue active)", id.at,
		SLICE_ARG(message_reverse_path(m)), m->entry.content_bytes, m->n_rcpts);
	if (queue_is_idle_for(m) || !has_room())
		spool_content_forget(queue.spool, &m->entry); /* nobody will read it soon */
	queue_kick(m);
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
	uint64_t now_us = clock_wall_us(), longest_us = queue.rp->config->queue_retry_max * 1000000;

	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		uint64_t next_us = m->rcpts[i].next_attempt_us;
		bool is_due = next_us <= now_us + RECHECK_MS * 1000 || next_us > now_us + 2 * longest_us;
		if (m->rcpts[i].stage == STAGE_WAITING && (is_kicked || is_due))
			recipient_stage(m, &m->rcpts[i], STAGE_NEW);
	}
	router_want(m);
}

void queue_kick(struct message *m)
{
	if (queue_is_idle_for(m))
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
		heap_insert(&turns.fresh, &m->retry, ++turns.n_fresh);
}

/* The time of its next turn: the earliest that one of its recipients wants. */
static void wait_for_turn(struct message *m)
{
	uint64_t now_us = clock_wall_us();
	int64_t earliest_us = INT64_MAX;
	struct recipient_cursor c = message_cursor(m);
	struct recipient_view v;

	while (recipient_next(&c, &v))
		if (v.stage == STAGE_WAITING)
			earliest_us = MIN(earliest_us, wait_us(v.spool.progress.next_attempt_us, now_us));
		else if (v.stage == STAGE_NEW)
			earliest_us = MIN(earliest_us, 0);
	turn_cancel(m);
	if (!m->was_tried)
		heap_insert(&turns.fresh, &m->retry, ++turns.n_fresh);
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

static struct message *next_in_turn(uint64_t now)
{
	struct heap_node *fresh = heap_min(&turns.fresh), *waiting = heap_min(&turns.waiting);

	if (waiting && waiting->key > now)
		waiting = NULL;
	if (!fresh && !waiting)
		return NULL;
	bool is_waiting = waiting && (turns.waiting_is_next || !fresh);
	turns.waiting_is_next = !is_waiting;
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

static void queue_remove(struct message *m)
{
	struct queue_id_text *id = mem_new(sizeof(*id));

	*id = queue_id_format(m->entry.id);
	log_info("%s: removed", id->at);
	spool_remove(queue.spool, &m->entry, on_removed, id);
	message_leave(m);
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
	wait_for_turn(m);
}

/* ---- what became of a recipient ---- */

void recipient_record(struct message *m, struct recipient *r)
{
	struct spool_progress p;

	if (message_n_open(m) == 0 || m->is_deleted || queue.is_stopping)
		return; /* the last one: the removal of the whole message says it */
	recipient_progress(r, &p);
	spool_record_result(queue.spool, &m->entry, (uint32_t)(r - m->rcpts), &p, NULL, NULL);
}

void recipient_finish(struct message *m, struct recipient *r, enum spool_rcpt_state state)
{
	r->state = state;
	recipient_stage(m, r, STAGE_DONE);
	recipient_record(m, r);
}

static void count_attempt(struct recipient *r)
{
	uint64_t now = clock_wall_us();

	r->attempts++;
	r->last_attempt_us = now;
	if (!r->first_attempt_us)
		r->first_attempt_us = now;
}

void recipient_delivered(struct message *m, struct recipient *r, enum job_outcome how)
{
	count_attempt(r);
	queue.n_delivered++;
	report_log(m, r, "sent", NULL);
	if (!report_success(m, r, how))
		recipient_finish(m, r, SPOOL_RCPT_DELIVERED);
}

void recipient_failed(struct message *m, struct recipient *r)
{
	count_attempt(r);
	queue.n_bounced++;
	report_log(m, r, "bounced", NULL);
	recipient_stage(m, r, STAGE_FAILED);
}

/* Exponential, with a tenth of jitter so that what failed together does not come back together. */
static uint64_t retry_delay_us(uint32_t attempts)
{
	const struct config *c = queue.rp->config;
	uint64_t delay_s = c->queue_retry_min;
	uint32_t dice = 0;

	for (uint32_t i = 1; i < attempts && delay_s < c->queue_retry_max; i++)
		delay_s *= 2;
	delay_s = MIN(delay_s, c->queue_retry_max);
	(void)!getrandom(&dice, sizeof(dice), GRND_NONBLOCK); /* without randomness there is no jitter */
	return delay_s * 1000000 - delay_s * (dice % 100000);
}

static bool has_expired(const struct message *m, const struct recipient *r)
{
	const struct config *c = queue.rp->config;
	uint64_t lifetime = message_reverse_path(m).len ? c->queue_lifetime : c->queue_bounce_lifetime;

	return r->attempts >= MIN_ATTEMPTS_TO_EXPIRE && message_age_s(m) > lifetime;
}

static void expire(struct message *m, struct recipient *r)
{
	auto_buf struct buf reason = BUF_INIT(2 * LIMIT_REASON);

	buf_printf(&reason, "gave up after %u attempts in %" PRIu64 " seconds: %.*s", r->attempts,
		message_age_s(m), SLICE_ARG(r->reason));
	recipient_set_outcome(r, SLICE("5.4.7"), buf_slice(&reason), r->remote);
	queue.n_bounced++;
	report_log(m, r, "expired", "returned to sender");
	recipient_stage(m, r, STAGE_FAILED);
}

void recipient_postponed(struct message *m, struct recipient *r)
{
	r->next_attempt_us = clock_wall_us() + retry_delay_us(r->attempts);
	recipient_stage(m, r, STAGE_WAITING);
	recipient_record(m, r);
}

void recipient_deferred(struct message *m, struct recipient *r)
{
	count_attempt(r);
	queue.n_deferred++;
	report_log(m, r, "deferred", NULL);
	if (has_expired(m, r)) {
		expire(m, r);
		return;
	}
	recipient_postponed(m, r);
}

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
