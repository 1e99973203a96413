/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.c - walks over the whole queue, for what concerns many messages: the end of a pause; see core.h.
 * Those that a command wants are in client_walk.c
 *
 * In slices, so that a million messages hold up nobody. A message that leaves the queue moves the walks that
 * stand at it.
 */
#include "base/clock.h"
#include "queue/core.h"

#define MESSAGES_PER_TURN 2000

struct walk {
	struct list in_walks;
	struct list *next; /* in queue.all; the message that comes next */
	void (*visit)(struct message *m);
};

static struct list walks = { &walks, &walks };

static void walk_end(struct walk *w)
{
	list_remove(&w->in_walks);
	mem_free(w);
}

static void walk_on(struct walk *w)
{
	for (size_t n = 0; n < MESSAGES_PER_TURN && w->next != &queue.all; n++) {
		struct message *m = CONTAINER_OF(w->next, struct message, in_all);
		w->next = w->next->next;
		w->visit(m);
	}
	if (w->next == &queue.all)
		walk_end(w);
}

static void walk_start(void (*visit)(struct message *m))
{
	struct walk *w = mem_new(sizeof(*w));

	w->next = queue.all.next;
	w->visit = visit;
	list_push_back(&walks, &w->in_walks);
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

static void resume(struct message *m)
{
	if (queue_is_idle_for(m))
		return;
	if (m->live && m->live->n_in[STAGE_NEW]) /* put back by a pause, whatever the others do */
		router_want(m);
	else if (message_n_moving(m) == 0 && !heap_linked(&m->retry))
		queue_kick(m, clock_wall_us());
}

/* What a command has set in motion meanwhile goes its way already. */
static void resume_recovered(struct message *m)
{
	if (m->was_recovered && !m->live && !heap_linked(&m->retry))
		queue_resume(m);
}

void queue_resume_recovered(void)
{
	walk_start(resume_recovered);
}

void queue_resume_paused(void)
{
	walk_start(resume);
}
