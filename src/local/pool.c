/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - see pool.h
 *
 * A worker's record lives while it has parts or a process. What happens to a worker only marks it; once per
 * turn of the loop settle() looks at each marked one and does what its state asks for, so that no record goes
 * away under somebody's feet.
 */
#include "local/pool-private.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

#define TICK_MS 1000
#define STUCK_GRACE_S 120     /* beyond lock_timeout: the longest that writing and syncing may take */
#define BIRTH_GRACE_S 5	      /* beyond users.timeout: process start and sandbox */
#define TURN_PARTS 200	      /* after so many a worker makes room when others wait for a place */
#define REST_LOOK_MS 10	      /* how exactly the end of a mailbox's rest is kept */
#define LOG_LINES_PER_TICK 20 /* of one worker: its user must not fill the log */

struct pool pool;

size_t pool_running(void)
{
	return pool.n_running;
}

bool pool_is_idle(void)
{
	return pool.n_busy == 0;
}

/* ---- settling ---- */

static bool must_make_room(const struct pool_worker *w)
{
	return w->settings != pool.settings ||
		(w->n_sent_ever >= TURN_PARTS && !list_empty(&pool.want_place));
}

static struct rest_now rest_now(const struct pool_worker *w)
{
	struct rest_now now = { .now_ms = clock_mono_ms(), .n_under_way = pool.n_under_way };

	list_for_each (node, &w->waiting)
		if (++now.n_waiting == REST_MAILS_MAX)
			break;
	return now;
}

/* Commands and lists gain nothing by waiting for each other. */
static bool must_rest(const struct pool_worker *w)
{
	struct rest_now now = rest_now(w);

	return w->branch == BRANCH_MAILBOX && rest_is_due(&w->rest, &now);
}

static void on_rest(uv_timer_t *timer)
{
	list_for_each_safe (node, &pool.resting) {
		struct pool_worker *w = CONTAINER_OF(node, struct pool_worker, in_resting);
		if (must_rest(w))
			continue;
		list_remove(&w->in_resting);
		pool_worker_mark(w);
	}
	if (list_empty(&pool.resting))
		uv_timer_stop(timer);
}

static void rest(struct pool_worker *w)
{
	if (list_linked(&w->in_resting))
		return;
	list_push_back(&pool.resting, &w->in_resting);
	if (!uv_is_active((uv_handle_t *)&pool.rest))
		CHECK(uv_timer_start(&pool.rest, on_rest, REST_LOOK_MS, REST_LOOK_MS) == 0);
}

static void send_waiting(struct pool_worker *w)
{
	struct rest_now now;

	if (list_empty(&w->waiting) || must_make_room(w))
		return;
	if (must_rest(w)) {
		rest(w);
		return;
	}
	now = rest_now(w);
	rest_over(&w->rest, &now, !list_empty(&w->sent));
	while (!list_empty(&w->waiting) && !channel_congested(w->channel) && !must_make_room(w)) {
		struct part *part = list_first(&w->waiting, struct part, in_worker);
		list_remove(&part->in_worker);
		if (list_empty(&w->sent))
			w->since_ms = clock_mono_ms();
		list_push_back(&w->sent, &part->in_worker);
		w->n_sent_ever++;
		part_send(part, w->channel);
	}
}

static void settle_running(struct pool_worker *w)
{
	send_waiting(w);
	pool_worker_set_busy(w, !list_empty(&w->sent));
	if (w->is_busy || list_linked(&w->in_resting))
		pool_worker_set_idle(w, false);
	else if (pool.idle_ms == 0 || w->is_brief || must_make_room(w) || !list_empty(&pool.want_place))
		pool_worker_let_go(w);
	else if (!list_linked(&w->in_state))
		pool_worker_set_idle(w, true);
}

static void settle(struct pool_worker *w)
{
	switch (w->state) {
	case WORKER_WAITS:
		if (list_empty(&w->waiting))
			pool_worker_free(w);
		else if (!list_linked(&w->in_state))
			pool_worker_start(w);
		break;
	case WORKER_STARTS: break;
	case WORKER_RUNS: settle_running(w); break;
	case WORKER_STUCK:
		pool_answer_all(&w->waiting, JOB_DEFERRED, "4.3.0", "the user's delivery process hangs");
		break;
	}
}

/* Who waits longest has the first place that is free. */
static void serve_waiting(void)
{
	while (!list_empty(&pool.want_place) &&
		(pool.n_running < pool.max_workers || !list_empty(&pool.idle)))
		pool_worker_start(list_first(&pool.want_place, struct pool_worker, in_state));
}

static void settle_marked(uv_check_t *handle)
{
	(void)handle;
	while (!list_empty(&pool.marked)) {
		struct pool_worker *w = list_first(&pool.marked, struct pool_worker, in_marked);
		list_remove(&w->in_marked);
		if (pool.is_stopping) {
			pool_worker_set_busy(w, !list_empty(&w->sent));
			continue;
		}
		serve_waiting();
		settle(w);
	}
	uv_idle_stop(&pool.no_sleep);
}

/* ---- what workers say ---- */

/* The part that m speaks of, when this worker has it. */
static struct part *its_part(struct pool_worker *w, uint64_t id)
{
	struct part *part = part_find(id);

	w->since_ms = clock_mono_ms();
	return part && part->worker == w && part->sent_to == w->channel ? part : NULL;
}

static void on_ready(struct channel *ch, const union msg_any *m, int *fd)
{
	struct pool_worker *w = ch->user;
	char reason[300];

	(void)fd;
	if (w->state != WORKER_STARTS)
		return;
	w->state = WORKER_RUNS;
	w->is_brief = m->WORKER_READY.is_brief;
	w->since_ms = clock_mono_ms();
	pool_worker_mark(w);
	switch ((enum user_outcome)m->WORKER_READY.outcome) {
	case USER_FOUND: return;
	case USER_UNKNOWN:
		(void)snprintf(reason, sizeof(reason), "unknown user: \"%s\"", w->user);
		pool_answer_all(&w->waiting, JOB_FAILED, "5.1.1", reason);
		break;
	case USER_UNAVAILABLE:
		pool_answer_all(&w->waiting, JOB_DEFERRED, "4.3.0", "the user database cannot be asked now");
		break;
	}
	pool_worker_let_go(w);
}

static void on_forward(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_JOB_FORWARD *m = &any->JOB_FORWARD;
	struct part *part = its_part(ch->user, m->job);

	(void)fd;
	if (part && part->job->queue && part_rcpt(part, m->rcpt))
		SEND(part->job->queue, JOB_FORWARD, .job = part->job->id, .rcpt = m->rcpt, .kind = m->kind,
			.flags = m->flags, .address = m->address, .origin = m->origin);
}

/* Of a dry run. */
static void on_step(struct channel *ch, const union msg_any *any, int *fd)
{
	struct msg_EXPLAIN_STEP step = any->EXPLAIN_STEP;
	struct part *part = its_part(ch->user, step.request);

	(void)fd;
	if (!part || !part->job->queue || part->job->dry_run == DRY_RUN_NO ||
		channel_congested(part->job->queue))
		return;
	step.request = part->job->id;
	channel_send(part->job->queue, MSG_EXPLAIN_STEP, &step);
}

static void on_result(struct channel *ch, const union msg_any *m, int *fd)
{
	struct part *part = its_part(ch->user, m->JOB_RESULT.job);
	struct job_rcpt *r = part ? part_rcpt(part, m->JOB_RESULT.rcpt) : NULL;
	struct pool_worker *w = ch->user;

	(void)fd;
	syncer_forget(&w->wish); /* a result of what was written comes after its sync */
	if (!r)
		return;
	job_result(part->job, r, &m->JOB_RESULT);
	(void)part_finish(part);
}

static void on_done(struct channel *ch, const union msg_any *m, int *fd)
{
	struct part *part = its_part(ch->user, m->JOB_DONE.job);

	(void)fd;
	if (part) /* what has no result yet never gets one */
		part_answer(part, JOB_DEFERRED, "4.3.0", "the delivery ended without a result");
}

static void on_more(struct channel *ch, const union msg_any *m, int *fd)
{
	struct part *part = its_part(ch->user, m->JOB_MORE.job);

	(void)fd;
	if (part && m->JOB_MORE.offset > 0 && m->JOB_MORE.offset < part->job->size)
		part_more(part, m->JOB_MORE.offset);
}

static void on_written(struct channel *ch, const union msg_any *m, int *fd)
{
	struct pool_worker *w = ch->user;

	(void)fd;
	w->since_ms = clock_mono_ms();
	syncer_forget(&w->wish); /* one batch at a time: an earlier one that is still open is its own fault */
	syncer_want(&w->wish, ch, m->WRITTEN.batch, m->WRITTEN.device);
}

static void on_log_line(struct channel *ch, const union msg_any *m, int *fd)
{
	struct pool_worker *w = ch->user;

	(void)fd;
	if (m->LOG_LINE.level < LOG_LEVEL_COUNT && w->n_log_lines++ < LOG_LINES_PER_TICK)
		log_line(m->LOG_LINE.level, "%.*s", SLICE_ARG(m->LOG_LINE.line));
}

static const msg_handler worker_handlers[MSG_TYPE_COUNT] = {
	[MSG_WORKER_READY] = on_ready,
	[MSG_JOB_FORWARD] = on_forward,
	[MSG_EXPLAIN_STEP] = on_step,
	[MSG_JOB_RESULT] = on_result,
	[MSG_JOB_DONE] = on_done,
	[MSG_JOB_MORE] = on_more,
	[MSG_WRITTEN] = on_written,
	[MSG_LOG_LINE] = on_log_line,
};

static void on_drain(struct channel *ch)
{
	struct pool_worker *w = ch->user;

	list_for_each (node, &w->sent)
		part_resume(CONTAINER_OF(node, struct part, in_worker));
	pool_worker_mark(w);
}

static void on_closed(struct channel *ch, const char *why)
{
	struct pool_worker *w = ch->user;

	if (w->state != WORKER_STUCK && !pool.is_stopping)
		log_warning("the %s ended early (%s)", w->what, why);
	if (strcmp(why, "closed") != 0) { /* it said what it must not say, and may still be at it */
		pool_worker_kill(w);
		pool_worker_give_up_sent(w, "the user's delivery process misbehaved; see the log");
	}
	pool_worker_lost(w);
}

const struct channel_hooks pool_worker_hooks = { worker_handlers, on_drain, on_closed };

/* ---- deadlines ---- */

static uint64_t stuck_ms(const struct pool_worker *w)
{
	return pool.stuck_ms + (w->branch == BRANCH_ERRAND ? pool.errand_ms : 0);
}

static void look_at(struct pool_worker *w, uint64_t now_ms)
{
	uint64_t silent_ms = now_ms - w->since_ms;

	w->n_log_lines = 0;
	if (w->state == WORKER_STARTS && silent_ms > pool.birth_ms) {
		log_warning("the %s takes too long to start", w->what);
		pool_answer_all(&w->waiting, JOB_DEFERRED, "4.3.0", "looking the user up took too long");
	} else if (w->state == WORKER_RUNS && w->is_busy && silent_ms > stuck_ms(w)) {
		log_warning("the %s hangs", w->what);
		pool_worker_give_up_sent(w, "the user's delivery process hangs");
	} else if (w->state == WORKER_RUNS && !w->is_busy && silent_ms > pool.idle_ms) {
		pool_worker_let_go(w);
		return;
	} else {
		return;
	}
	pool_worker_kill(w);
	w->state = WORKER_STUCK; /* until its channel closes */
	pool_worker_mark(w);
}

static void on_tick(uv_timer_t *timer)
{
	uint64_t now_ms = clock_mono_ms();

	(void)timer;
	list_for_each_safe (node, &pool.all)
		look_at(CONTAINER_OF(node, struct pool_worker, in_all), now_ms);
}

/* ---- the whole ---- */

void pool_init(uv_loop_t *loop, struct nursery *nursery, void (*on_idle)(void), void (*on_broken)(void))
{
	pool.loop = loop;
	pool.nursery = nursery;
	pool.on_idle = on_idle;
	pool.on_broken = on_broken;
	list_init(&pool.all);
	list_init(&pool.marked);
	list_init(&pool.want_place);
	list_init(&pool.resting);
	list_init(&pool.idle);
	CHECK(uv_check_init(loop, &pool.check) == 0 && uv_check_start(&pool.check, settle_marked) == 0);
	CHECK(uv_idle_init(loop, &pool.no_sleep) == 0);
	CHECK(uv_timer_init(loop, &pool.rest) == 0);
	CHECK(uv_timer_init(loop, &pool.tick) == 0 &&
		uv_timer_start(&pool.tick, on_tick, TICK_MS, TICK_MS) == 0);
}

void pool_settings(const struct config *c)
{
	pool.settings++;
	pool.max_workers = (size_t)c->local_max_workers;
	pool.idle_ms = c->local_worker_idle_time * 1000;
	pool.stuck_ms = (c->local_lock_timeout + STUCK_GRACE_S) * 1000;
	pool.errand_ms = c->local_command_timeout * 1000;
	pool.birth_ms = (c->users_timeout + BIRTH_GRACE_S) * 1000;
	list_for_each (node, &pool.all)
		pool_worker_mark(CONTAINER_OF(node, struct pool_worker, in_all));
}

void pool_stop(void)
{
	pool.is_stopping = true;
}
