/* SPDX-License-Identifier: Apache-2.0 */
/* pending.c - see pending.h */
#include "ipc/pending.h"
#include "base/clock.h"

static void pending_watch(struct pending *p);

static struct pending_request *pending_find(struct pending *p, uint64_t id)
{
	uint64_t hash = table_hash_u64(id);

	for (struct table_node *n = table_first(&p->by_id, hash); n; n = table_next(n, hash)) {
		struct pending_request *r = CONTAINER_OF(n, struct pending_request, node);
		if (r->id == id)
			return r;
	}
	return NULL;
}

static void pending_remove(struct pending *p, struct pending_request *r)
{
	table_remove(&p->by_id, &r->node);
	list_remove(&r->in_deadlines);
	list_remove(&r->in_owner);
	p->n--;
	mem_free(r);
}

static void pending_finish(struct pending *p, struct pending_request *r, const union msg_any *m)
{
	struct pending_request copy = *r;

	pending_remove(p, r); /* first: the continuation may ask again or free its owner */
	copy.done(copy.owner, copy.argument, m);
}

static void on_deadline(uv_timer_t *timer)
{
	struct pending *p = CONTAINER_OF(timer, struct pending, timer);
	uint64_t now = clock_mono_ms();

	while (!list_empty(&p->by_deadline)) {
		struct pending_request *r = list_first(&p->by_deadline, struct pending_request, in_deadlines);
		if (r->deadline_ms > now)
			break;
		pending_finish(p, r, NULL);
	}
	pending_watch(p);
}

static void pending_watch(struct pending *p)
{
	struct pending_request *r = list_first(&p->by_deadline, struct pending_request, in_deadlines);
	uint64_t now = clock_mono_ms();

	if (!r)
		(void)uv_timer_stop(&p->timer);
	else
		CHECK(uv_timer_start(&p->timer, on_deadline, r->deadline_ms > now ? r->deadline_ms - now : 0,
			      0) == 0);
}

void pending_init(struct pending *p, uv_loop_t *loop, size_t credits, unsigned timeout_ms)
{
	*p = (struct pending){ .next_id = 1, .credits = credits, .timeout_ms = timeout_ms };
	list_init(&p->by_deadline);
	CHECK(uv_timer_init(loop, &p->timer) == 0);
	uv_unref((uv_handle_t *)&p->timer);
}

uint64_t pending_add(struct pending *p, pending_done done, void *owner, uint64_t argument, struct list *owned)
{
	struct pending_request *r;

	if (p->n >= p->credits)
		return 0;
	r = mem_new(sizeof(*r));
	r->id = p->next_id++;
	r->deadline_ms = clock_mono_ms() + p->timeout_ms;
	r->argument = argument;
	r->done = done;
	r->owner = owner;
	list_init(&r->in_owner);
	if (owned)
		list_push_back(owned, &r->in_owner);
	list_push_back(&p->by_deadline, &r->in_deadlines);
	table_insert(&p->by_id, &r->node, table_hash_u64(r->id));
	p->n++;
	if (!uv_is_active((uv_handle_t *)&p->timer))
		pending_watch(p);
	return r->id;
}

bool pending_answer(struct pending *p, uint64_t id, const union msg_any *m)
{
	struct pending_request *r = pending_find(p, id);

	if (r)
		pending_finish(p, r, m);
	return r != NULL;
}

void pending_renew(struct pending *p, uint64_t id)
{
	struct pending_request *r = pending_find(p, id);

	if (!r)
		return;
	r->deadline_ms = clock_mono_ms() + p->timeout_ms;
	list_remove(&r->in_deadlines);
	list_push_back(&p->by_deadline, &r->in_deadlines);
}

void pending_cancel_all(struct pending *p, struct list *owned)
{
	while (!list_empty(owned))
		pending_remove(p, CONTAINER_OF(owned->next, struct pending_request, in_owner));
}

void pending_fail_all(struct pending *p)
{
	uint64_t first_new = p->next_id; /* a continuation may ask again: that one is not ours */

	while (!list_empty(&p->by_deadline)) {
		struct pending_request *r = list_first(&p->by_deadline, struct pending_request, in_deadlines);
		if (r->id >= first_new)
			break;
		pending_finish(p, r, NULL);
	}
}
