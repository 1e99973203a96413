/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resume.c - all mail gets its turn again: after a pause, and after the start when the spool has handed over
 * all that it has; see core.h. In steps, so that a million messages hold up nobody. Tests: test_role.c,
 * test_life.c.
 */
#include "base/clock.h"
#include "queue/walk.h"
#include "queue/core.h"

static bool resume_paused(struct walk *w, struct message *m)
{
	(void)w;
	if (queue_is_idle_for(m))
		return true;
	if (m->live && m->live->n_in[STAGE_NEW]) /* put back by a pause, whatever the others do */
		router_want(m);
	else if (message_n_moving(m) == 0 && !heap_linked(&m->retry))
		queue_kick(m, clock_wall_us());
	return true;
}

/* What a command has set in motion meanwhile goes its way already. */
static bool resume_recovered(struct walk *w, struct message *m)
{
	(void)w;
	if (m->was_recovered && !m->live && !heap_linked(&m->retry))
		queue_resume(m);
	return true;
}

static bool end(struct walk *w)
{
	walk_stop(w);
	mem_free(w);
	return true;
}

static void start(const struct walk_hooks *hooks)
{
	walk_start(mem_new(sizeof(struct walk)), hooks, NULL);
}

void queue_resume_recovered(void)
{
	static const struct walk_hooks hooks = { resume_recovered, end, NULL };

	start(&hooks);
}

void queue_resume_paused(void)
{
	static const struct walk_hooks hooks = { resume_paused, end, NULL };

	start(&hooks);
}
