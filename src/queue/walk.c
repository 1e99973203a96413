/* SPDX-License-Identifier: Apache-2.0 */
/* walk.c - see walk.h */
#include "queue/walk.h"
#include "queue/core.h"

static struct {
	struct list all; /* struct walk.in_walks */
	uv_idle_t busy;	 /* active: the loop does not sleep */
} walks = { .all = { &walks.all, &walks.all } };

bool walk_spend(struct walk *w, size_t n)
{
	w->budget -= MIN(w->budget, n);
	return w->budget > 0;
}

/* ---- the place ---- */

void walk_rewind(struct walk *w)
{
	w->at = (struct recipient_cursor){ 0 };
}

static void go_to(struct walk *w, struct list *next)
{
	w->next = next;
	walk_rewind(w);
}

bool walk_is_at_end(const struct walk *w)
{
	return w->next == &queue.all;
}

static struct list *behind(const struct walk *w, const struct list *node)
{
	return w->is_single || node == w->last ? &queue.all : node->next;
}

/* Recipients keep their numbers, and none goes away. */
static void find_place(struct walk *w, const struct message *m)
{
	uint32_t n_seen = w->at.next;
	struct recipient_view v;

	w->at = message_cursor(m);
	while (w->at.next < n_seen && recipient_next(&w->at, &v))
		;
}

bool walk_next(struct walk *w, const struct message *m, struct recipient_view *out)
{
	if (!w->at.m)
		find_place(w, m);
	return recipient_next(&w->at, out);
}

void walks_message_leaves(const struct message *m)
{
	list_for_each (node, &walks.all) {
		struct walk *w = CONTAINER_OF(node, struct walk, in_walks);
		if (w->next == &m->in_all)
			go_to(w, behind(w, w->next));
		if (w->last == &m->in_all)
			w->last = m->in_all.prev;
	}
}

void walks_message_froze(const struct message *m)
{
	list_for_each (node, &walks.all) {
		struct walk *w = CONTAINER_OF(node, struct walk, in_walks);
		if (w->at.m == m)
			w->at.m = NULL;
	}
}

/* ---- steps ---- */

static bool may_go_on(struct walk *w)
{
	return !w->hooks->may_go_on || w->hooks->may_go_on(w);
}

/* One mail. What visit() does may take it, and others, out of the queue: the place is moved on before. */
static void step(struct walk *w)
{
	struct list *here = w->next;

	w->next = behind(w, here);
	(void)walk_spend(w, 1);
	if (w->hooks->visit(w, CONTAINER_OF(here, struct message, in_all)))
		walk_rewind(w);
	else
		w->next = here;
}

static void go_on(struct walk *w)
{
	if (queue.is_stopping)
		w->next = &queue.all;
	while (w->budget > 0 && may_go_on(w)) {
		if (walk_is_at_end(w)) {
			(void)w->hooks->end(w);
			return;
		}
		step(w);
	}
}

static bool is_any_ready(void)
{
	list_for_each (node, &walks.all) {
		if (may_go_on(CONTAINER_OF(node, struct walk, in_walks)))
			return true;
	}
	return false;
}

static void on_idle(uv_idle_t *handle)
{
	(void)handle;
}

static void stay_awake(bool is_busy)
{
	if (is_busy)
		(void)uv_idle_start(&walks.busy, on_idle);
	else
		(void)uv_idle_stop(&walks.busy);
}

static void on_turn(uv_check_t *check)
{
	size_t n = 0, share;

	list_for_each (node, &walks.all)
		n++;
	share = MAX(WALK_STEPS / MAX(n, (size_t)1), (size_t)WALK_STEPS_MIN);
	list_for_each_safe (node, &walks.all) {
		struct walk *w = CONTAINER_OF(node, struct walk, in_walks);
		w->budget = share;
		go_on(w);
	}
	/* A client that reads at once would leave nothing for the loop to wait for. */
	if (!is_any_ready())
		channel_flush_dirty(check->loop);
	stay_awake(is_any_ready());
}

void walk_start(struct walk *w, const struct walk_hooks *hooks, struct message *only)
{
	w->hooks = hooks;
	w->is_single = only != NULL;
	w->last = NULL;
	go_to(w, only ? &only->in_all : queue.all.next);
	list_push_back(&walks.all, &w->in_walks);
	stay_awake(true);
}

void walk_end_here(struct walk *w)
{
	w->last = queue.all.prev;
}

void walk_start_nowhere(struct walk *w, const struct walk_hooks *hooks)
{
	walk_start(w, hooks, NULL);
	w->next = &queue.all;
}

void walk_stop(struct walk *w)
{
	list_remove(&w->in_walks);
}

void walks_init(void)
{
	static uv_check_t turn;

	CHECK(uv_idle_init(queue.rp->loop, &walks.busy) == 0);
	CHECK(uv_check_init(queue.rp->loop, &turn) == 0);
	CHECK(uv_check_start(&turn, on_turn) == 0);
}
