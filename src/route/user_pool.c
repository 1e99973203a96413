/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user_pool.c - see user_pool.h
 *
 * Questions for one name are asked once, however many wait for it. The deadline is pending.h's and runs from
 * the question, also while no helper is free, so nobody waits longer than the setting says.
 */
#include "route/user_pool.h"
#include "base/clock.h"

#define QUESTIONS_MAX 20000 /* open at a time; each is a few hundred bytes */
#define KNOWN_MAX 4096	    /* names remembered */
#define KNOWN_TIME_MS 5000  /* so long a user who was removed may still get mail in */
#define NOBODY ROLE_MAX_INSTANCES

struct user_question {
	struct user_pool *pool;
	struct table_node by_name;
	struct list in_waiting;
	struct list waiters;
	struct slice name;
	uint64_t request;
	unsigned helper; /* who is at it; NOBODY: still waiting */
	char bytes[];	 /* of name */
};
struct known_user {
	struct table_node by_name;
	struct list in_oldest;
	uint64_t expires_ms;
	struct slice asked, name;
	char bytes[]; /* of both */
};

static void give_work(struct user_pool *pool);

/* ---- what is remembered ---- */

static void known_remove(struct user_pool *pool, struct known_user *k)
{
	table_remove(&pool->known, &k->by_name);
	list_remove(&k->in_oldest);
	pool->n_known--;
	mem_free(k);
}

static struct known_user *known_find(struct user_pool *pool, struct slice asked)
{
	uint64_t hash = table_hash_bytes(asked), now = clock_mono_ms();
	struct known_user *k;

	/* All live equally long, so the oldest are the expired ones. */
	while ((k = list_first(&pool->known_oldest, struct known_user, in_oldest)) && k->expires_ms <= now)
		known_remove(pool, k);
	for (struct table_node *n = table_first(&pool->known, hash); n; n = table_next(n, hash)) {
		k = CONTAINER_OF(n, struct known_user, by_name);
		if (slice_eq(k->asked, asked))
			return k;
	}
	return NULL;
}

static void known_add(struct user_pool *pool, struct slice asked, struct slice name)
{
	struct known_user *k;

	if (known_find(pool, asked))
		return;
	if (pool->n_known == KNOWN_MAX)
		known_remove(pool, list_first(&pool->known_oldest, struct known_user, in_oldest));
	k = mem_new(sizeof(*k) + asked.len + name.len);
	memcpy(k->bytes, asked.at, asked.len);
	memcpy(k->bytes + asked.len, name.at, name.len);
	k->asked = (struct slice){ k->bytes, asked.len };
	k->name = (struct slice){ k->bytes + asked.len, name.len };
	k->expires_ms = clock_mono_ms() + KNOWN_TIME_MS;
	table_insert(&pool->known, &k->by_name, table_hash_bytes(asked));
	list_push_back(&pool->known_oldest, &k->in_oldest);
	pool->n_known++;
}

/* ---- questions ---- */

static struct user_question *question_find(struct user_pool *pool, struct slice name)
{
	uint64_t hash = table_hash_bytes(name);

	for (struct table_node *n = table_first(&pool->by_name, hash); n; n = table_next(n, hash)) {
		struct user_question *q = CONTAINER_OF(n, struct user_question, by_name);
		if (slice_eq(q->name, name))
			return q;
	}
	return NULL;
}

static void question_forget(struct user_question *q)
{
	table_remove(&q->pool->by_name, &q->by_name);
	list_remove(&q->in_waiting);
	if (q->helper != NOBODY && q->pool->helpers[q->helper].busy == q)
		q->pool->helpers[q->helper].busy = NULL;
}

static void question_finish(struct user_question *q, enum user_outcome outcome, struct slice name)
{
	question_forget(q); /* first: a waiter may ask for the same name again */
	while (!list_empty(&q->waiters)) {
		struct user_waiter *w = list_first(&q->waiters, struct user_waiter, in_question);
		list_remove(&w->in_question);
		w->done(w, outcome, name);
	}
	mem_free(q);
}

/* A helper that can be taken at its word in form, if not in content. */
static bool answer_is_sound(const struct msg_USER_ANSWER *a)
{
	if (a->outcome == USER_FOUND)
		return a->name.len > 0 && a->name.len <= LIMIT_LOCAL_PART;
	return a->outcome == USER_UNKNOWN;
}

/* The continuation of pending.h: an answer, or NULL when the deadline has passed or the helper died. */
static void question_done(void *owner, uint64_t argument, const union msg_any *m)
{
	struct user_question *q = owner;
	struct user_pool *pool = q->pool;

	(void)argument;
	if (!m && q->helper != NOBODY && pool->helpers[q->helper].is_there) {
		pool->helpers[q->helper].is_there = false; /* until a new one takes its place */
		pool->hooks->restart(pool->user, q->helper);
	}
	if (m && answer_is_sound(&m->USER_ANSWER)) {
		if (m->USER_ANSWER.outcome == USER_FOUND)
			known_add(pool, q->name, m->USER_ANSWER.name);
		question_finish(q, m->USER_ANSWER.outcome, m->USER_ANSWER.name);
	} else {
		question_finish(q, USER_UNAVAILABLE, SLICE_EMPTY);
	}
	give_work(pool);
}

static struct user_question *question_new(struct user_pool *pool, struct slice name)
{
	struct user_question *q = mem_new(sizeof(*q) + name.len);

	q->pool = pool;
	q->helper = NOBODY;
	q->request = pending_add(&pool->questions, question_done, q, 0, NULL);
	if (q->request == 0) {
		mem_free(q);
		return NULL;
	}
	memcpy(q->bytes, name.at, name.len);
	q->name = (struct slice){ q->bytes, name.len };
	list_init(&q->waiters);
	list_init(&q->in_waiting);
	list_push_back(&pool->waiting, &q->in_waiting);
	table_insert(&pool->by_name, &q->by_name, table_hash_bytes(name));
	return q;
}

/* The oldest waiting questions to the helpers that have none. */
static void give_work(struct user_pool *pool)
{
	for (unsigned i = 0; i < ROLE_MAX_INSTANCES && !list_empty(&pool->waiting); i++) {
		struct user_question *q;
		if (!pool->helpers[i].is_there || pool->helpers[i].busy)
			continue;
		q = list_first(&pool->waiting, struct user_question, in_waiting);
		list_remove(&q->in_waiting);
		q->helper = i;
		pool->helpers[i].busy = q;
		pool->hooks->ask(pool->user, i, q->request, q->name);
	}
}

bool user_pool_ask(struct user_pool *pool, struct slice name, struct user_waiter *w,
	enum user_outcome *outcome_out, struct slice *name_out)
{
	struct known_user *k = known_find(pool, name);
	struct user_question *q;

	if (k) {
		*outcome_out = USER_FOUND;
		*name_out = k->name;
		return true;
	}
	q = question_find(pool, name);
	if (!q)
		q = question_new(pool, name);
	if (!q) {
		*outcome_out = USER_UNAVAILABLE;
		*name_out = SLICE_EMPTY;
		return true;
	}
	list_init(&w->in_question);
	list_push_back(&q->waiters, &w->in_question);
	give_work(pool);
	return false;
}

void user_pool_cancel(struct user_waiter *w)
{
	if (w->in_question.next && list_linked(&w->in_question))
		list_remove(&w->in_question);
}

/* ---- helpers ---- */

void user_pool_helper_up(struct user_pool *pool, unsigned helper)
{
	CHECK(helper < ROLE_MAX_INSTANCES);
	user_pool_helper_down(pool, helper);
	pool->helpers[helper].is_there = true;
	give_work(pool);
}

void user_pool_helper_down(struct user_pool *pool, unsigned helper)
{
	struct user_question *q = pool->helpers[helper].busy;

	pool->helpers[helper].is_there = false;
	if (q) /* not asked again: it may be what killed the helper */
		(void)pending_answer(&pool->questions, q->request, NULL);
}

void user_pool_answer(struct user_pool *pool, unsigned helper, uint64_t request, const union msg_any *m)
{
	struct user_question *q = helper < ROLE_MAX_INSTANCES ? pool->helpers[helper].busy : NULL;

	if (q && q->request == request)
		(void)pending_answer(&pool->questions, request, m);
}

/* ---- start and end ---- */

void user_pool_init(struct user_pool *pool, uv_loop_t *loop, unsigned timeout_ms,
	const struct user_pool_hooks *hooks, void *user)
{
	*pool = (struct user_pool){ .hooks = hooks, .user = user };
	pending_init(&pool->questions, loop, QUESTIONS_MAX, timeout_ms);
	list_init(&pool->waiting);
	list_init(&pool->known_oldest);
}

void user_pool_set_timeout(struct user_pool *pool, unsigned timeout_ms)
{
	pool->questions.timeout_ms = timeout_ms;
}

static void forget_waiters(struct table_node *node, void *user)
{
	struct user_question *q = CONTAINER_OF(node, struct user_question, by_name);

	(void)user;
	while (!list_empty(&q->waiters))
		list_remove(q->waiters.next);
}

void user_pool_deinit(struct user_pool *pool)
{
	table_each(&pool->by_name, forget_waiters, NULL);
	for (size_t i = 0; i < ROLE_MAX_INSTANCES; i++)
		pool->helpers[i].is_there = false; /* nothing is given out again */
	pending_fail_all(&pool->questions);
	while (!list_empty(&pool->known_oldest))
		known_remove(pool, list_first(&pool->known_oldest, struct known_user, in_oldest));
	table_deinit(&pool->by_name);
	table_deinit(&pool->questions.by_id);
	table_deinit(&pool->known);
	if (!uv_is_closing((uv_handle_t *)&pool->questions.timer))
		uv_close((uv_handle_t *)&pool->questions.timer, NULL);
}
