/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_walk.c - over the mail in the queue, a few steps in each turn of the loop; see control-private.h
 *
 * However many messages there are and however slowly a command reads, mail goes on between two steps: all
 * walks together make at most STEPS_PER_TURN in one turn. The loop does not sleep while one of them could go
 * on; one whose client does not read costs nothing.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "queue/control-private.h"

#define STEPS_PER_TURN 1000	 /* about a millisecond */
#define STEPS_MIN 50		 /* of each walk, when there are many */
#define WALK_UNSENT (256 * 1024) /* a walk pauses above this */
#define FILTER_BYTES 8192	 /* each of its conditions is one argument of a command */

static struct list walks = { &walks, &walks }; /* struct walk.in_walks */
static uv_idle_t busy;

bool walk_spend(struct walk *w, size_t n)
{
	w->budget -= MIN(w->budget, n);
	return w->budget > 0;
}

bool walk_has_room(const struct walk *w)
{
	return channel_unsent(w->client->ch) < WALK_UNSENT;
}

static void walk_go_to(struct walk *w, struct list *next)
{
	w->next = next;
	w->rcpt = 0;
	w->is_wanted = w->is_mail_sent = false;
}

void walk_stop(struct walk *w)
{
	acts_walk_gone(w);
	list_remove(&w->in_walks);
	w->client->walk = NULL;
	w->client->active_ms = clock_mono_ms();
	groups_free(&w->groups);
	mem_free(w->text);
	mem_free(w);
}

void walk_message_leaves(const struct message *m)
{
	list_for_each (node, &walks) {
		struct walk *w = CONTAINER_OF(node, struct walk, in_walks);
		if (w->next == &m->in_all)
			walk_go_to(w, w->is_single ? &queue.all : m->in_all.next);
	}
}

/* ---- what the filter wants ---- */

bool walk_wants_rcpt(const struct walk *w, const struct recipient_view *v)
{
	return v->stage != STAGE_DONE &&
		queue_filter_wants_rcpt(&w->filter, v->spool.forward_path, v->spool.progress.status,
			v->spool.progress.reason);
}

bool walk_next(struct walk *w, struct recipient_cursor *at, struct recipient_view *out)
{
	while (recipient_next(at, out)) {
		if (at->next <= w->rcpt)
			continue; /* of an earlier turn */
		return true;
	}
	return false;
}

static bool wants_mail(const struct queue_filter *f, const struct message *m)
{
	return queue_filter_wants_mail(f, message_reverse_path(m), (char)mail_state(m), message_age_s(m));
}

bool filter_wants(const struct queue_filter *f, const struct message *m)
{
	struct recipient_cursor at = message_cursor(m);
	const struct walk w = { .filter = *f };
	struct recipient_view v;
	bool wanted = !queue_filter_by_rcpt(f);

	while (!wanted && recipient_next(&at, &v))
		wanted = walk_wants_rcpt(&w, &v);
	return wanted && wants_mail(f, m);
}

static bool is_out_of_question(const struct walk *w, const struct message *m)
{
	return m->is_deleted || (w->hooks->changes_mail && m->arrival_us > w->started_us) ||
		!wants_mail(&w->filter, m) || !client_may_see(w->client, m);
}

/* True when it is known whether m is wanted; false when the turn's steps ended before that. */
static bool walk_decide(struct walk *w, const struct message *m)
{
	struct recipient_cursor at = message_cursor(m);
	struct recipient_view v;

	if (w->rcpt == 0 && is_out_of_question(w, m))
		return true;
	w->is_wanted = !queue_filter_by_rcpt(&w->filter);
	while (!w->is_wanted && walk_next(w, &at, &v)) {
		w->rcpt = at.next;
		w->is_wanted = walk_wants_rcpt(w, &v);
		if (!walk_spend(w, 1) && !w->is_wanted && w->rcpt < m->n_rcpts)
			return false;
	}
	w->rcpt = 0;
	return true;
}

/* ---- steps ---- */

/* One mail. An act may take it, and others, out of the queue: the place is moved on before. */
static void walk_step(struct walk *w)
{
	struct message *m = CONTAINER_OF(w->next, struct message, in_all);
	struct list *after = w->is_single ? &queue.all : w->next->next;

	(void)walk_spend(w, 1);
	if (!w->is_wanted) {
		if (!walk_decide(w, m))
			return;
		if (!w->is_wanted) {
			walk_go_to(w, after);
			return;
		}
		w->n_wanted++;
	}
	if (w->hooks->changes_mail) {
		walk_go_to(w, after);
		(void)w->hooks->visit(w, m);
	} else if (w->hooks->visit(w, m)) {
		walk_go_to(w, after);
	}
}

/* False when it has ended, or waits for its client. */
static bool walk_some(struct walk *w)
{
	while (w->budget > 0) {
		if (queue.is_stopping) {
			client_reply(w->client->ch, w->request, EX_TEMPFAIL, "the daemon is stopping");
			walk_stop(w);
			return false;
		}
		if (!walk_has_room(w))
			return false;
		if (w->next != &queue.all) {
			walk_step(w);
			continue;
		}
		if (!w->hooks->end(w))
			return false;
		walk_stop(w);
		return false;
	}
	return true;
}

static void on_idle(uv_idle_t *handle)
{
	(void)handle; /* that it is active keeps the loop from sleeping */
}

/* What has no room waits for its client. One that reads at once would leave nothing for the loop to wait for:
 * true, go on. */
static bool wait_for_room(uv_loop_t *loop)
{
	if (list_empty(&walks))
		return false;
	channel_flush_dirty(loop);
	list_for_each (node, &walks) {
		const struct walk *w = CONTAINER_OF(node, struct walk, in_walks);
		if (walk_has_room(w) && !w->n_pending)
			return true;
	}
	return false;
}

static void on_turn(uv_check_t *check)
{
	size_t n = 0, share;
	bool is_busy = false;

	list_for_each (node, &walks)
		n++;
	share = MAX(STEPS_PER_TURN / MAX(n, (size_t)1), (size_t)STEPS_MIN);
	list_for_each_safe (node, &walks) {
		struct walk *w = CONTAINER_OF(node, struct walk, in_walks);
		w->budget = share;
		is_busy |= walk_some(w);
	}
	if (is_busy || wait_for_room(check->loop))
		(void)uv_idle_start(&busy, on_idle);
	else
		(void)uv_idle_stop(&busy);
}

void walks_init(void)
{
	static uv_check_t turn;

	CHECK(uv_idle_init(queue.rp->loop, &busy) == 0);
	CHECK(uv_check_init(queue.rp->loop, &turn) == 0);
	CHECK(uv_check_start(&turn, on_turn) == 0);
}

struct walk *walk_start(struct client_state *c, const struct walk_request *r, const struct walk_hooks *hooks)
{
	struct message *m = r->queue_id ? queue_find(r->queue_id) : NULL;
	const char *complaint = NULL;
	struct slice filter;
	struct walk *w;

	if (c->walk) {
		client_reply(c->ch, r->request, EX_TEMPFAIL, "one request about many messages at a time");
		return NULL;
	}
	if (r->filter.len > FILTER_BYTES || r->argument.len > LIMIT_PATH) {
		client_reply(c->ch, r->request, EX_DATAERR, "the filters are too long");
		return NULL;
	}
	w = mem_new(sizeof(*w));
	const struct packed parts[] = { { &filter, r->filter }, { &w->argument, r->argument } };
	w->text = packed_copy(parts, ARRAY_LEN(parts));
	if (!queue_filter_parse(filter, &w->filter, &complaint)) {
		client_reply(c->ch, r->request, EX_DATAERR, complaint);
		mem_free(w->text);
		mem_free(w);
		return NULL;
	}
	w->hooks = hooks;
	w->client = c;
	w->request = r->request;
	w->is_single = r->queue_id != 0;
	w->started_us = clock_wall_us();
	w->next = !w->is_single ? queue.all.next : m ? &m->in_all : &queue.all;
	c->walk = w;
	list_push_back(&walks, &w->in_walks);
	return w;
}
