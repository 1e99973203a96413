/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router.c - asks lookup where each recipient goes; see core.h
 *
 * A message waits in line until lookup has room for its questions; its recipients are delivered when all have
 * an answer, so that those for one destination go together. Messages take turns with some questions each, and
 * letters go before bulk: a list of a hundred thousand holds up nobody. When lookup dies, its questions are
 * asked again.
 * Tests: test_role.c, test_scheduler.c.
 */
#include "base/clock.h"
#include "ipc/pending.h"
#include "queue/core.h"

#define CREDITS 5000
#define BULK_CREDITS 1000
#define MESSAGE_CREDITS 200   /* of one message */
#define QUESTIONS_PER_TURN 20 /* of one message */
#define LETTERS_PER_BULK 7
#define DISPATCH_AT_ONCE 500 /* recipients; more go on in slices */
#define GATHER_MS 50	     /* the time that the processes of several users take to answer */
#define ANSWER_MS 120000     /* user database deadlines lie within; lookup answers for them */

/* One question under way; leaves gather until ROUTE_DONE. */
struct question {
	struct table_node node;
	uint64_t id;
	struct message *m;
	uint32_t rcpt;
	struct leaves leaves;
	enum message_priority level;
	bool is_overfull;
};

static struct {
	struct pending pending;
	struct table questions;
	struct list waiting[PRIORITY_LEVELS]; /* struct live.in_routing: to ask */
	struct list resolved;		      /* likewise: asked, and being dispatched */
	struct list gathering;		      /* likewise: soon to be dispatched, the first first */
	uv_timer_t gather_timer;
	size_t n_bulk;	    /* questions */
	unsigned n_letters; /* turns since the last of bulk */
	struct channel *lookup;
} router;

static void router_pump(void);

static struct question *question_find(uint64_t id)
{
	uint64_t hash = table_hash_u64(id);

	for (struct table_node *n = table_first(&router.questions, hash); n; n = table_next(n, hash)) {
		struct question *q = CONTAINER_OF(n, struct question, node);
		if (q->id == id)
			return q;
	}
	return NULL;
}

static void question_free(struct question *q)
{
	router.n_bulk -= q->level == PRIORITY_BULK;
	table_remove(&router.questions, &q->node);
	leaves_free(&q->leaves);
	mem_free(q);
}

/* ---- answers ---- */

/* The recipient itself, and no other address: nothing to record. An alias of one remote address is another.
 */
static bool is_plain(const struct recipient *r, const struct leaves *l)
{
	if (l->n == 1 && l->at[0].kind == LEAF_REMOTE && !slice_eq(l->at[0].address, r->forward_path))
		return false;
	return l->n == 1 && l->at[0].owner.len == 0 && l->at[0].kind != LEAF_COMMAND &&
		l->at[0].kind != LEAF_FILE && l->at[0].kind != LEAF_ADDRESS;
}

static void wait_in_line(struct message *m)
{
	if (!list_linked(&m->live->in_routing))
		list_push_back(&router.waiting[message_priority(m)], &m->live->in_routing);
}

/* At most n recipients, from where it stopped; false: there are more. */
static bool dispatch_some(struct message *m, uint32_t n)
{
	bool is_idle = queue_is_idle_for(m);

	for (uint32_t i; n && (i = m->live->dispatch_from) < m->n_rcpts; m->live->dispatch_from++) {
		if (m->rcpts[i].stage != STAGE_RESOLVED)
			continue;
		n--;
		if (is_idle)
			recipient_stage(m, &m->rcpts[i], STAGE_NEW);
		else
			queue_dispatch(m, &m->rcpts[i]);
	}
	return m->live->dispatch_from == m->n_rcpts;
}

/* All recipients have answers: those that know their leaf go on together, unless the mail was held or deleted
 * meanwhile. */
static void dispatch_resolved(struct message *m)
{
	if (m->live->n_in[STAGE_ROUTING] || list_linked(&m->live->in_routing))
		return;
	m->live->dispatch_from = 0;
	if (dispatch_some(m, DISPATCH_AT_ONCE))
		queue_settle(m);
	else
		list_push_back(&router.resolved, &m->live->in_routing);
}

static void on_gather_timer(uv_timer_t *timer)
{
	(void)timer; /* router_turn() follows */
}

static void dispatch_gathered(void)
{
	uint64_t now_ms = clock_mono_ms();
	struct live *live;

	while ((live = list_first(&router.gathering, struct live, in_routing)) &&
		live->gather_until_ms <= now_ms) {
		list_remove(&live->in_routing);
		dispatch_resolved(live->m);
	}
	if (live)
		CHECK(uv_timer_start(
			      &router.gather_timer, on_gather_timer, live->gather_until_ms - now_ms, 0) == 0);
}

void router_gather(struct message *m)
{
	struct live *live = m->live;
	const uint32_t *n = live->n_in;
	bool is_last =
		n[STAGE_NEW] + n[STAGE_ROUTING] + n[STAGE_RECORDING] + n[STAGE_READY] + n[STAGE_ACTIVE] == 0;

	live->dispatch_from = 0; /* if it is being dispatched */
	if (n[STAGE_ROUTING] || (list_linked(&live->in_routing) && !is_last))
		return; /* it goes on with the others as it is */
	live->gather_until_ms = is_last ? 0 : clock_mono_ms() + GATHER_MS;
	list_remove(&live->in_routing);
	if (is_last)
		list_push_front(&router.gathering, &live->in_routing);
	else
		list_push_back(&router.gathering, &live->in_routing);
}

bool router_turn(void)
{
	struct live *live;

	if (queue.is_stopping)
		return false;
	dispatch_gathered();
	live = list_first(&router.resolved, struct live, in_routing);
	if (!live)
		return false;
	list_remove(&live->in_routing);
	if (dispatch_some(live->m, DISPATCH_AT_ONCE))
		queue_settle(live->m);
	else
		list_push_back(&router.resolved, &live->in_routing);
	return !list_empty(&router.resolved);
}

enum routed router_resolve(struct message *m, struct recipient *r, const struct leaves *l)
{
	const struct leaf *leaf = l->at;

	if (l->n && !is_plain(r, l))
		return ROUTED_TO_OTHERS;
	recipient_stage(m, r, STAGE_RESOLVED);
	if (l->n == 0) {
		recipient_set_outcome(r, SLICE("4.3.0"), SLICE("the address leads nowhere"), SLICE_EMPTY);
		return ROUTED_NOWHERE;
	}
	r->flags |= leaf->flags & RCPT_NO_FORWARD;
	if (leaf->kind == LEAF_FAIL || leaf->kind == LEAF_DEFER)
		recipient_set_outcome(r, leaf->status, leaf->reason, SLICE_EMPTY);
	return recipient_resolve(m, r, leaf->kind, leaf->destination) ? ROUTED_TO_ITSELF : ROUTED_TWICE;
}

static void answer_leaves(struct message *m, struct recipient *r, struct leaves *l)
{
	switch (router_resolve(m, r, l)) {
	case ROUTED_NOWHERE: recipient_deferred(m, r); break;
	case ROUTED_TO_OTHERS: queue_expand(m, r, l, SLICE_EMPTY); break;
	case ROUTED_TWICE: recipient_finish(m, r, SPOOL_RCPT_DUPLICATE); break;
	case ROUTED_TO_ITSELF: break;
	}
}

static void on_answer(void *owner, uint64_t argument, const union msg_any *m_done)
{
	struct question *q = owner;
	struct message *m = q->m;
	struct recipient *r = &m->rcpts[q->rcpt];
	const struct msg_ROUTE_DONE *done = m_done ? &m_done->ROUTE_DONE : NULL;

	(void)argument;
	if (!done && !router.lookup) {
		recipient_stage(m, r, STAGE_NEW); /* it died; the next one is asked */
		m->live->ask_from = 0;
		wait_in_line(m);
		question_free(q);
		return;
	}
	if (done && done->outcome == JOB_DELIVERED && !q->is_overfull) {
		answer_leaves(m, r, &q->leaves);
	} else {
		recipient_stage(m, r, STAGE_RESOLVED);
		if (q->is_overfull)
			recipient_set_outcome(r, SLICE("5.5.3"),
				SLICE("the address leads to too many recipients"), SLICE_EMPTY);
		else if (done)
			recipient_set_outcome(r, done->status, done->reason, SLICE_EMPTY);
		else
			recipient_set_outcome(r, SLICE("4.3.0"),
				SLICE("no answer from address look-up in time"), SLICE_EMPTY);
		if (q->is_overfull || (done && done->outcome == JOB_FAILED))
			recipient_failed(m, r);
		else
			recipient_deferred(m, r);
	}
	question_free(q);
	if (m->live->ask_from < m->n_rcpts)
		wait_in_line(m); /* it had as many questions as it may have */
	dispatch_resolved(m);
	router_pump();
}

void router_leaf(struct channel *ch, const union msg_any *m, int *fd)
{
	const struct msg_ROUTE_LEAF *l = &m->ROUTE_LEAF;
	struct question *q;
	const struct leaf leaf = {
		.kind = l->kind,
		.flags = l->flags,
		.address = l->address,
		.destination = l->destination,
		.owner = l->owner,
		.origin = l->origin,
		.status = l->status,
		.reason = l->reason,
	};

	(void)fd;
	if (explain_leaf(ch, l->request, &leaf, l->node))
		return;
	q = question_find(l->request);
	pending_renew(&router.pending, l->request); /* a long list takes its time */
	if (q && l->kind >= LEAF_ADDRESS && l->kind <= LEAF_DEFER && !leaves_add(&q->leaves, &leaf))
		q->is_overfull = true;
}

void router_done(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	if (queue.is_stopping || explain_answered(ch, m->ROUTE_DONE.request, m))
		return;
	(void)pending_answer(
		&router.pending, m->ROUTE_DONE.request, m); /* late or forgotten: nothing to do */
}

/* ---- questions ---- */

static bool ask(struct message *m, uint32_t rcpt)
{
	struct recipient *r = &m->rcpts[rcpt];
	struct question *q = mem_new(sizeof(*q));

	q->id = pending_add(&router.pending, on_answer, q, 0, NULL);
	if (q->id == 0) {
		mem_free(q);
		return false;
	}
	q->m = m;
	q->rcpt = rcpt;
	q->level = message_priority(m);
	router.n_bulk += q->level == PRIORITY_BULK;
	table_insert(&router.questions, &q->node, table_hash_u64(q->id));
	recipient_stage(m, r, STAGE_ROUTING);
	SEND(router.lookup, ROUTE_ASK, .request = q->id, .address = r->forward_path,
		.flags = (uint8_t)r->flags, .trail = r->trail);
	return true;
}

/* A command or file of an alias or ~/.forward is no address: its origin says what it is. */
static void resolve_by_origin(struct message *m, struct recipient *r)
{
	recipient_stage(m, r, STAGE_RESOLVED);
	if (!recipient_resolve_item(m, r))
		recipient_finish(m, r, SPOOL_RCPT_DUPLICATE);
}

/* :defer: and its like stay what they are, with the reason they came with. */
static void resolve_verdict(struct message *m, struct recipient *r)
{
	enum leaf_kind leaf = slice_starts(r->status, SLICE("5")) ? LEAF_FAIL : LEAF_DEFER;

	recipient_stage(m, r, STAGE_RESOLVED);
	if (!recipient_resolve(m, r, leaf, SLICE_EMPTY))
		recipient_finish(m, r, SPOOL_RCPT_DUPLICATE);
}

static void resolve_next_hop(struct message *m, struct recipient *r)
{
	recipient_stage(m, r, STAGE_RESOLVED);
	if (!recipient_resolve(m, r, LEAF_REMOTE, r->origin_key))
		recipient_finish(m, r, SPOOL_RCPT_DUPLICATE);
}

enum asked {
	ASKED_ALL,
	ASKED_SOME, /* its turn is over */
	ASKED_MUCH, /* it goes on when answers come */
	ASKED_FULL, /* lookup has no room for more */
};

static enum asked ask_some(struct message *m)
{
	unsigned n = 0;

	for (uint32_t i; (i = m->live->ask_from) < m->n_rcpts; m->live->ask_from++) {
		if (m->rcpts[i].stage != STAGE_NEW)
			continue;
		if (m->live->n_in[STAGE_ROUTING] >= MESSAGE_CREDITS)
			return ASKED_MUCH;
		if (n++ == QUESTIONS_PER_TURN)
			return ASKED_SOME;
		if (m->rcpts[i].flags & RECIPIENT_VERDICT)
			resolve_verdict(m, &m->rcpts[i]);
		else if (m->rcpts[i].flags & RECIPIENT_NEXT_HOP)
			resolve_next_hop(m, &m->rcpts[i]);
		else if (m->rcpts[i].kind != SPOOL_RCPT_ADDRESS)
			resolve_by_origin(m, &m->rcpts[i]);
		else if (channel_congested(router.lookup) || !ask(m, i))
			return ASKED_FULL;
	}
	return ASKED_ALL;
}

static struct message *next_in_line(void)
{
	struct live *letter = list_first(&router.waiting[PRIORITY_LETTER], struct live, in_routing);
	struct live *bulk = router.n_bulk < BULK_CREDITS
		? list_first(&router.waiting[PRIORITY_BULK], struct live, in_routing)
		: NULL;
	struct live *next = letter && (!bulk || router.n_letters < LETTERS_PER_BULK) ? letter : bulk;

	if (!next)
		return NULL;
	router.n_letters = next == letter ? router.n_letters + 1 : 0;
	list_remove(&next->in_routing);
	return next->m;
}

static void router_pump(void)
{
	struct message *m;

	while (router.lookup && (m = next_in_line())) {
		enum asked asked = queue_is_idle_for(m) ? ASKED_ALL : ask_some(m);
		if (asked == ASKED_FULL) {
			list_push_front(&router.waiting[message_priority(m)], &m->live->in_routing);
			return;
		}
		if (asked == ASKED_SOME)
			wait_in_line(m);
		else if (asked == ASKED_ALL)
			dispatch_resolved(m); /* if nothing was to be asked */
	}
}

void router_want(struct message *m)
{
	if (list_linked(&m->live->in_routing))
		list_remove(&m->live->in_routing); /* what was being dispatched goes on with the others */
	if (queue_is_idle_for(m)) {
		dispatch_resolved(m); /* nothing is asked; what was known rests */
		return;
	}
	m->live->ask_from = 0;
	wait_in_line(m);
	router_pump();
}

void router_forget(struct message *m)
{
	if (!m->live || !list_linked(&m->live->in_routing))
		return;
	list_remove(&m->live->in_routing);
	m->live->ask_from = m->n_rcpts;
	if (m->live->n_in[STAGE_ROUTING])
		return; /* the last answer puts the others back */
	for (uint32_t i = 0; i < m->n_rcpts; i++)
		if (m->rcpts[i].stage == STAGE_RESOLVED)
			recipient_stage(m, &m->rcpts[i], STAGE_NEW);
}

bool router_is_busy(void)
{
	return router.questions.n >= BULK_CREDITS || !list_empty(&router.waiting[PRIORITY_LETTER]);
}

struct channel *router_lookup(void)
{
	return router.lookup;
}

void router_peer(struct channel *ch)
{
	if (ch->peer != ROLE_LOOKUP)
		return;
	router.lookup = ch;
	router_pump();
}

void router_peer_gone(struct channel *ch)
{
	if (ch != router.lookup)
		return;
	router.lookup = NULL;
	if (queue.is_stopping)
		return;
	pending_fail_all(&router.pending);
}

void router_init(void)
{
	for (size_t i = 0; i < PRIORITY_LEVELS; i++)
		list_init(&router.waiting[i]);
	list_init(&router.resolved);
	list_init(&router.gathering);
	CHECK(uv_timer_init(queue.rp->loop, &router.gather_timer) == 0);
	pending_init(&router.pending, queue.rp->loop, CREDITS, ANSWER_MS);
}
