/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.c - walks over the whole queue, for what concerns many messages: a flush, the end of a pause; see
 * core.h
 *
 * In slices, so that a million messages hold up nobody. A message that leaves the queue moves the walks that
 * stand at it.
 */
#include "queue/core.h"

#define MESSAGES_PER_TURN 2000
#define WALKS_MAX 100 /* flushes at a time; more are told to come again */

struct walk {
	struct list in_walks;
	struct list *next; /* in queue.all; the message that comes next */
	bool (*wants)(const struct message *m, struct slice argument);
	char *argument;
	void (*visit)(struct message *m);
};

static struct list walks = { &walks, &walks };
static size_t n_walks;

static bool has_recipient_in(const struct message *m, struct slice domain)
{
	struct recipient_cursor c = message_cursor(m);
	struct recipient_view v;

	while (recipient_next(&c, &v)) {
		struct slice path = v.spool.forward_path;
		if (v.stage != STAGE_DONE &&
			slice_eq_nocase(slice_from(path, slice_rfind(path, '@') + 1), domain))
			return true;
	}
	return false;
}

static bool is_from(const struct message *m, struct slice sender)
{
	return slice_eq_nocase(message_reverse_path(m), sender);
}

static bool is_any(const struct message *m, struct slice argument)
{
	(void)m, (void)argument;
	return true;
}

static void walk_end(struct walk *w)
{
	list_remove(&w->in_walks);
	n_walks--;
	mem_free(w->argument);
	mem_free(w);
}

static void walk_on(struct walk *w)
{
	for (size_t n = 0; n < MESSAGES_PER_TURN && w->next != &queue.all; n++) {
		struct message *m = CONTAINER_OF(w->next, struct message, in_all);
		w->next = w->next->next;
		if (w->wants(m, slice_of(w->argument)))
			w->visit(m);
	}
	if (w->next == &queue.all)
		walk_end(w);
}

static void walk_start(bool (*wants)(const struct message *m, struct slice argument), struct slice argument,
	void (*visit)(struct message *m))
{
	struct walk *w = mem_new(sizeof(*w));

	w->next = queue.all.next;
	w->wants = wants;
	w->argument = slice_dup(argument);
	w->visit = visit;
	list_push_back(&walks, &w->in_walks);
	n_walks++;
	walk_on(w);
}

bool walks_turn(void)
{
	list_for_each_safe (node, &walks) {
		if (!queue.is_stopping)
			walk_on(CONTAINER_OF(node, struct walk, in_walks));
	}
	return !list_empty(&walks) && !queue.is_stopping;
}

void walks_message_leaves(const struct message *m)
{
	list_for_each (node, &walks) {
		struct walk *w = CONTAINER_OF(node, struct walk, in_walks);
		if (w->next == &m->in_all)
			w->next = m->in_all.next;
	}
}

static void try_again(struct message *m)
{
	queue_kick(m, false);
}

bool queue_flush(enum queue_action action, struct slice argument)
{
	bool (*wants)(const struct message *m, struct slice argument) = action == QUEUE_ACT_FLUSH_DOMAIN
		? has_recipient_in
		: action == QUEUE_ACT_FLUSH_SENDER ? is_from
						   : is_any;

	if (n_walks >= WALKS_MAX)
		return false;
	walk_start(wants, argument, try_again);
	return true;
}

static void resume(struct message *m)
{
	if (queue_is_idle_for(m))
		return;
	if (m->live && m->live->n_in[STAGE_NEW]) /* put back by a pause, whatever the others do */
		router_want(m);
	else if (message_n_moving(m) == 0 && !heap_linked(&m->retry))
		queue_kick(m, false);
}

void queue_resume_paused(void)
{
	walk_start(is_any, SLICE_EMPTY, resume);
}
