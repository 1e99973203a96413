/* SPDX-License-Identifier: Apache-2.0 */
/* pool_worker.c - one worker of the pool: its record, its process, its end; see pool-private.h */
#include "local/pool-private.h"
#include "base/clock.h"
#include "base/log.h"
#include "local/doubt.h"
#include "mail/origin.h"

static void on_no_sleep(uv_idle_t *handle)
{
	(void)handle; /* that it is active is enough */
}

void pool_worker_mark(struct pool_worker *w)
{
	if (list_linked(&w->in_marked))
		return;
	list_push_back(&pool.marked, &w->in_marked);
	CHECK(uv_idle_start(&pool.no_sleep, on_no_sleep) == 0);
}

void pool_part_done(struct pool_worker *w)
{
	pool.n_under_way -= w->branch == BRANCH_MAILBOX;
	pool_worker_mark(w);
}

static char *describe(enum worker_branch branch, struct slice user)
{
	auto_buf struct buf out = BUF_INIT(2000);
	struct origin o;

	switch (branch) {
	case BRANCH_MAILBOX: buf_append_str(&out, "delivery process of user "); break;
	case BRANCH_ERRAND:
		buf_append_str(&out, "process for commands and files of ");
		buf_append_str(&out, user.len ? "user " : "aliases");
		break;
	case BRANCH_LIST:
		buf_append_str(&out, "reader of the list of alias ");
		user = origin_parse(user, &o) ? o.name : SLICE_EMPTY;
		break;
	}
	buf_append(&out, slice_first(user, 200));
	return slice_dup(buf_slice(&out));
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
	w->what = describe(branch, user);
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

void pool_worker_free(struct pool_worker *w)
{
	table_remove(&pool.by_user, &w->node);
	list_remove(&w->in_all);
	list_remove(&w->in_marked);
	list_remove(&w->in_resting);
	list_remove(&w->in_state);
	mem_free(w->user);
	mem_free(w->what);
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
	pool_worker_mark(w);
	return part;
}

void pool_answer_all(struct list *parts, enum job_outcome outcome, const char *status, const char *reason)
{
	while (!list_empty(parts))
		part_answer(list_first(parts, struct part, in_worker), outcome, status, reason);
}

/* ---- processes ---- */

void pool_worker_set_idle(struct pool_worker *w, bool idle)
{
	list_remove(&w->in_state);
	if (idle) {
		w->since_ms = clock_mono_ms();
		list_push_back(&pool.idle, &w->in_state);
	}
}

void pool_worker_set_busy(struct pool_worker *w, bool busy)
{
	if (w->is_busy == busy)
		return;
	w->is_busy = busy;
	pool.n_busy += busy ? 1 : (size_t)-1;
	if (pool.n_busy == 0)
		pool.on_idle();
}

void pool_worker_let_go(struct pool_worker *w)
{
	pool_worker_set_idle(w, false);
	list_remove(&w->in_resting);
	syncer_forget(&w->wish);
	channel_free(&w->channel);
	w->state = WORKER_WAITS;
	w->n_sent_ever = 0;
	pool.n_running--;
	pool_worker_mark(w);
}

void pool_worker_kill(struct pool_worker *w)
{
	if (nursery_kill(pool.nursery, w->number) < 0)
		log_error("cannot end the %s", w->what);
}

void pool_worker_give_up_sent(struct pool_worker *w, const char *reason)
{
	list_for_each (node, &w->sent)
		doubt_add(CONTAINER_OF(node, struct part, in_worker)->job->queue_id, slice_of(w->user));
	pool_answer_all(&w->sent, JOB_DEFERRED, "4.3.0", reason);
}

void pool_worker_lost(struct pool_worker *w)
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
	pool_worker_give_up_sent(w, "the user's delivery process ended early, twice");
	while (!list_empty(&again)) { /* before what came later */
		struct list *last = again.prev;
		list_remove(last);
		list_push_front(&w->waiting, last);
	}
	if (w->state == WORKER_STARTS)
		pool_answer_all(&w->waiting, JOB_DEFERRED, "4.3.0",
			"the user's delivery process cannot start; see the log");
	pool_worker_let_go(w);
	pool_worker_set_busy(w, false);
}

static bool make_place(void)
{
	struct pool_worker *idle = list_first(&pool.idle, struct pool_worker, in_state);

	if (pool.n_running >= pool.max_workers && idle)
		pool_worker_let_go(idle);
	return pool.n_running < pool.max_workers;
}

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
	w->channel = channel_new(pool.loop, fds[0], ROLE_LOCAL, ROLE_WORKER, 0, &pool_worker_hooks, w);
	return w->channel ? 0 : -EMFILE;
}

void pool_worker_start(struct pool_worker *w)
{
	int r;

	list_remove(&w->in_state);
	if (!make_place()) {
		list_push_back(&pool.want_place, &w->in_state);
		return;
	}
	r = start_process(w);
	if (r < 0) {
		log_error("cannot start the %s: %s", w->what, strerror(-r));
		if (r == -EPIPE || r == -ECONNRESET)
			pool.on_broken();
		pool_answer_all(&w->waiting, JOB_DEFERRED, "4.3.2", "cannot start a delivery process");
		return;
	}
	pool.n_running++;
	w->state = WORKER_STARTS;
	w->settings = pool.settings;
	w->since_ms = clock_mono_ms();
}
