/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c - see pool.h
 *
 * A worker's record lives while it has parts or a process. What happens to a worker only marks it; once per
 * turn of the loop settle() looks at each marked one and does what its state asks for, so that no record goes
 * away under somebody's feet.
 */
#include "local/pool.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "local/doubt.h"
#include "local/rest.h"
#include "local/syncer.h"

#define TICK_MS 1000
#define STUCK_GRACE_S 120     /* beyond lock_timeout: the longest that writing and syncing may take */
#define BIRTH_GRACE_S 5	      /* beyond users.timeout: process start and sandbox */
#define TURN_PARTS 200	      /* after so many a worker makes room when others wait for a place */
#define REST_LOOK_MS 10	      /* how exactly the end of a mailbox's rest is kept */
#define LOG_LINES_PER_TICK 20 /* of one worker: its user must not fill the log */

enum worker_state {
	WORKER_WAITS,  /* no process: waits for a place */
	WORKER_STARTS, /* looks its user up, gives up root */
	WORKER_RUNS,
	WORKER_STUCK, /* was told to die and has not yet */
};

struct pool_worker {
	struct table_node node;
	struct list in_all, in_marked, in_resting, in_state; /* in_state: pool.want_place or pool.idle */
	char *user; /* empty: local.command_user, for what aliases name */
	enum worker_branch branch;
	enum worker_state state;
	struct channel *channel;   /* NULL: no process */
	uint64_t number;	   /* of the process in the nursery */
	struct list waiting, sent; /* struct part */
	bool is_brief;		   /* ends when it has nothing to do */
	bool is_busy;		   /* counted in pool.n_busy: it has something in sent */
	size_t n_sent_ever, n_log_lines;
	uint64_t since_ms; /* last sign of life, or since when it is idle */
	struct rest rest;  /* of a mailbox */
	unsigned settings; /* with which it was started */
	struct sync_wish wish;
};

static struct {
	uv_loop_t *loop;
	uv_timer_t tick;
	uv_timer_t rest;    /* active while something is in resting */
	uv_check_t check;   /* runs settle_marked() */
	uv_idle_t no_sleep; /* while something is marked, the loop must not sleep before that */
	struct nursery *nursery;
	void (*on_idle)(void), (*on_broken)(void);
	struct table by_user;
	struct list all, marked, want_place, resting, idle; /* idle: longest first */
	size_t n_running, n_busy;			    /* processes; workers with a part sent */
	size_t n_under_way;				    /* parts of mailboxes */
	size_t max_workers;
	uint64_t idle_ms, stuck_ms, errand_ms,
		birth_ms; /* errand_ms: beyond stuck_ms, for a command's time */
	unsigned settings;
	bool is_stopping;
} pool;

size_t pool_running(void)
{
	return pool.n_running;
}

bool pool_is_idle(void)
{
	return pool.n_busy == 0;
}

/* ---- records ---- */

static void on_no_sleep(uv_idle_t *handle)
{
	(void)handle; /* that it is active is enough */
}

static void mark(struct pool_worker *w)
{
	if (list_linked(&w->in_marked))
		return;
	list_push_back(&pool.marked, &w->in_marked);
	CHECK(uv_idle_start(&pool.no_sleep, on_no_sleep) == 0);
}

void pool_part_done(struct pool_worker *w)
{
	pool.n_under_way -= w->branch == BRANCH_MAILBOX;
	mark(w);
}

struct pool_worker *pool_worker_get(enum worker_branch branch, struct slice user)
{
	uint64_t hash = table_hash_bytes(user) + branch;
	struct pool_worker *w;

	for (struct table_node *n = table_first(&pool.by_user, hash); n; n = table_next(n, hash)) {
		w = CONTAINER_OF(n, struct pool_worker, node);
		if (w->branch == branch && slice_eq(slice_of(w->user), user))
			return w;
	}
	w = mem_new(sizeof(*w));
	w->user = slice_dup(user);
	w->branch = branch;
	list_init(&w->in_marked);
	list_init(&w->in_resting);
	list_init(&w->in_state);
	list_init(&w->waiting);
	list_init(&w->sent);
	sync_wish_init(&w->wish);
	table_insert(&pool.by_user, &w->node, hash);
	list_push_back(&pool.all, &w->in_all);
	return w;
}

static void worker_free(struct pool_worker *w)
{
	table_remove(&pool.by_user, &w->node);
	list_remove(&w->in_all);
	list_remove(&w->in_marked);
	list_remove(&w->in_resting);
	list_remove(&w->in_state);
	mem_free(w->user);
	mem_free(w);
}

struct part *pool_part(struct pool_worker *w, struct job *job)
{
	struct part *part =
		list_empty(&w->waiting) ? NULL : CONTAINER_OF(w->waiting.prev, struct part, in_worker);

	if (part && part->job == job && !part->was_lost)
		return part;
	part = part_new(job, w);
	pool.n_under_way += w->branch == BRANCH_MAILBOX;
	list_push_back(&w->waiting, &part->in_worker);
	mark(w);
	return part;
}

static void answer_all(struct list *parts, enum job_outcome outcome, const char *status, const char *reason)
{
	while (!list_empty(parts))
		part_answer(list_first(parts, struct part, in_worker), outcome, status, reason);
}

/* ---- processes ---- */

static void set_idle(struct pool_worker *w, bool idle)
{
	list_remove(&w->in_state);
	if (idle) {
		w->since_ms = clock_mono_ms();
		list_push_back(&pool.idle, &w->in_state);
	}
}

static void set_busy(struct pool_worker *w, bool busy)
{
	if (w->is_busy == busy)
		return;
	w->is_busy = busy;
	pool.n_busy += busy ? 1 : (size_t)-1;
	if (pool.n_busy == 0)
		pool.on_idle();
}

/* The process is gone, or ends because its channel is closed. */
static void let_go(struct pool_worker *w)
{
	set_idle(w, false);
	list_remove(&w->in_resting);
	syncer_forget(&w->wish);
	channel_free(&w->channel);
	w->state = WORKER_WAITS;
	w->n_sent_ever = 0;
	pool.n_running--;
	mark(w);
}

static void kill_worker(struct pool_worker *w)
{
	if (nursery_kill(pool.nursery, w->number) < 0)
		log_error("cannot end the delivery process of user %s", w->user);
}

/* What it was given and has not answered for has an unknown outcome. */
static void give_up_sent(struct pool_worker *w, const char *reason)
{
	list_for_each (node, &w->sent)
		doubt_add(CONTAINER_OF(node, struct part, in_worker)->job->queue_id, slice_of(w->user));
	answer_all(&w->sent, JOB_DEFERRED, "4.3.0", reason);
}

/* It died. What it had goes to its successor, which looks at the mailbox first; what has been lost twice is
 * given up: whoever kills it can do so again. */
static void worker_lost(struct pool_worker *w)
{
	struct list again;

	list_init(&again);
	list_for_each_safe (node, &w->sent) {
		struct part *part = CONTAINER_OF(node, struct part, in_worker);
		if (part->was_lost || !part->job->queue || pool.is_stopping)
			continue;
		part_lost(part);
		list_remove(node);
		list_push_back(&again, node);
	}
	give_up_sent(w, "the user's delivery process ended early, twice");
	while (!list_empty(&again)) { /* before what came later */
		struct list *last = again.prev;
		list_remove(last);
		list_push_front(&w->waiting, last);
	}
	if (w->state == WORKER_STARTS)
		answer_all(&w->waiting, JOB_DEFERRED, "4.3.0",
			"the user's delivery process cannot start; see the log");
	let_go(w);
	set_busy(w, false);
}

static bool make_place(void)
{
	struct pool_worker *idle = list_first(&pool.idle, struct pool_worker, in_state);

	if (pool.n_running >= pool.max_workers && idle)
		let_go(idle);
	return pool.n_running < pool.max_workers;
}

static const struct channel_hooks worker_hooks;

static int start_process(struct pool_worker *w)
{
	int fds[2];
	int r = channel_pair(fds);

	if (r < 0)
		return r;
	r = nursery_worker(pool.nursery, w->branch, slice_of(w->user), fds[1], &w->number);
	if (r < 0) {
		(void)close(fds[0]);
		return r;
	}
	w->channel = channel_new(pool.loop, fds[0], ROLE_LOCAL, ROLE_WORKER, 0, &worker_hooks, w);
	return w->channel ? 0 : -EMFILE;
}

static void start_worker(struct pool_worker *w)
{
	int r;

	list_remove(&w->in_state);
	if (!make_place()) {
		list_push_back(&pool.want_place, &w->in_state);
		return;
	}
	r = start_process(w);
	if (r < 0) {
		log_error("cannot start a delivery process for user %s: %s", w->user, strerror(-r));
		if (r == -EPIPE || r == -ECONNRESET)
			pool.on_broken();
		answer_all(&w->waiting, JOB_DEFERRED, "4.3.2", "cannot start a delivery process");
		return;
	}
	pool.n_running++;
	w->state = WORKER_STARTS;
	w->settings = pool.settings;
	w->since_ms = clock_mono_ms();
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
		mark(w);
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
	set_busy(w, !list_empty(&w->sent));
	if (w->is_busy || list_linked(&w->in_resting))
		set_idle(w, false);
	else if (pool.idle_ms == 0 || w->is_brief || must_make_room(w) || !list_empty(&pool.want_place))
		let_go(w);
	else if (!list_linked(&w->in_state))
		set_idle(w, true);
}

static void settle(struct pool_worker *w)
{
	switch (w->state) {
	case WORKER_WAITS:
		if (list_empty(&w->waiting))
			worker_free(w);
		else if (!list_linked(&w->in_state))
			start_worker(w);
		break;
	case WORKER_STARTS: break;
	case WORKER_RUNS: settle_running(w); break;
	case WORKER_STUCK:
		answer_all(&w->waiting, JOB_DEFERRED, "4.3.0", "the user's delivery process hangs");
		break;
	}
}

/* Who waits longest has the first place that is free. */
static void serve_waiting(void)
{
	while (!list_empty(&pool.want_place) &&
		(pool.n_running < pool.max_workers || !list_empty(&pool.idle)))
		start_worker(list_first(&pool.want_place, struct pool_worker, in_state));
}

static void settle_marked(uv_check_t *handle)
{
	(void)handle;
	while (!list_empty(&pool.marked)) {
		struct pool_worker *w = list_first(&pool.marked, struct pool_worker, in_marked);
		list_remove(&w->in_marked);
		if (pool.is_stopping) {
			set_busy(w, !list_empty(&w->sent));
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
	mark(w);
	switch ((enum user_outcome)m->WORKER_READY.outcome) {
	case USER_FOUND: return;
	case USER_UNKNOWN:
		(void)snprintf(reason, sizeof(reason), "unknown user: \"%s\"", w->user);
		answer_all(&w->waiting, JOB_FAILED, "5.1.1", reason);
		break;
	case USER_UNAVAILABLE:
		answer_all(&w->waiting, JOB_DEFERRED, "4.3.0", "the user database cannot be asked now");
		break;
	}
	let_go(w);
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
	mark(w);
}

static void on_closed(struct channel *ch, const char *why)
{
	struct pool_worker *w = ch->user;

	if (w->state != WORKER_STUCK && !pool.is_stopping)
		log_warning("the delivery process of user %s ended early (%s)", w->user, why);
	if (strcmp(why, "closed") != 0)
		kill_worker(w); /* it said what it must not say */
	worker_lost(w);
}

static const struct channel_hooks worker_hooks = { worker_handlers, on_drain, on_closed };

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
		log_warning("looking up user %s takes too long", w->user);
		answer_all(&w->waiting, JOB_DEFERRED, "4.3.0", "looking the user up took too long");
	} else if (w->state == WORKER_RUNS && w->is_busy && silent_ms > stuck_ms(w)) {
		log_warning("the delivery process of user %s hangs", w->user);
		give_up_sent(w, "the user's delivery process hangs");
	} else if (w->state == WORKER_RUNS && !w->is_busy && silent_ms > pool.idle_ms) {
		let_go(w);
		return;
	} else {
		return;
	}
	kill_worker(w);
	w->state = WORKER_STUCK; /* until its channel closes */
	mark(w);
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
		mark(CONTAINER_OF(node, struct pool_worker, in_all));
}

void pool_stop(void)
{
	pool.is_stopping = true;
}
