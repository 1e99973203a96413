/* SPDX-License-Identifier: Apache-2.0 */
/* line.c - see line.h */
#include "queue/line.h"
#include "queue/core.h"

/* A message's place in a line. */
struct share {
	struct table_node node; /* in shares */
	struct list in_level;
	struct line *line;
	struct message *m;
	enum message_priority level;
	struct list deliveries;
};

static struct table shares; /* of all lines, by line and message */

static uint64_t share_hash(const struct line *l, const struct message *m)
{
	return table_hash_u64((uintptr_t)l ^ table_hash_u64((uintptr_t)m));
}

static struct share *share_find(const struct line *l, const struct message *m)
{
	uint64_t hash = share_hash(l, m);

	for (struct table_node *n = table_first(&shares, hash); n; n = table_next(n, hash)) {
		struct share *s = CONTAINER_OF(n, struct share, node);
		if (s->line == l && s->m == m)
			return s;
	}
	return NULL;
}

static struct share *share_new(struct line *l, struct message *m)
{
	struct share *s = mem_new(sizeof(*s));

	s->line = l;
	s->m = m;
	s->level = message_priority(m);
	list_init(&s->deliveries);
	list_push_back(&l->levels[s->level], &s->in_level);
	table_insert(&shares, &s->node, share_hash(l, m));
	l->n_messages++;
	return s;
}

/* Its next delivery; the share goes behind the others, or away. */
static struct delivery *share_take(struct share *s)
{
	struct delivery *v = list_first(&s->deliveries, struct delivery, in_share);

	list_remove(&v->in_share);
	list_remove(&s->in_level);
	s->line->n--;
	if (!list_empty(&s->deliveries)) {
		list_push_back(&s->line->levels[s->level], &s->in_level);
		return v;
	}
	table_remove(&shares, &s->node);
	s->line->n_messages--;
	mem_free(s);
	return v;
}

/* ---- deliveries ---- */

static struct delivery *delivery_new(struct message *m)
{
	struct delivery *v = mem_new(sizeof(*v));

	v->m = m;
	list_init(&v->in_share);
	return v;
}

void delivery_free(struct delivery *v)
{
	mem_free(v->rcpts);
	mem_free(v);
}

static void delivery_append(struct delivery *v, uint32_t rcpt)
{
	if (v->n_rcpts == v->cap) {
		uint32_t cap = v->cap ? v->cap * 2 : 1;
		uint32_t *grown = mem_new_array(cap, sizeof(*grown));
		if (v->n_rcpts)
			memcpy(grown, v->rcpts, v->n_rcpts * sizeof(*grown));
		mem_free(v->rcpts);
		v->rcpts = grown;
		v->cap = cap;
	}
	v->rcpts[v->n_rcpts++] = rcpt;
}

/* Recipients with reverse-paths of their own (owner-) cannot share a transaction with others. */
static bool can_join(const struct delivery *v, uint32_t rcpt)
{
	const struct recipient *first = &v->m->rcpts[v->rcpts[0]], *r = &v->m->rcpts[rcpt];

	return first->has_reverse_path == r->has_reverse_path &&
		slice_eq(recipient_reverse_path(v->m, first), recipient_reverse_path(v->m, r));
}

/* ---- the line ---- */

void line_init(struct line *l)
{
	*l = (struct line){ 0 };
	for (size_t i = 0; i < PRIORITY_LEVELS; i++)
		list_init(&l->levels[i]);
}

void line_add(struct line *l, struct message *m, uint32_t rcpt, size_t max_rcpts)
{
	struct share *s = share_find(l, m);
	struct delivery *v = s ? CONTAINER_OF(s->deliveries.prev, struct delivery, in_share) : NULL;

	if (!s)
		s = share_new(l, m);
	if (!v || v->n_rcpts >= max_rcpts || !can_join(v, rcpt)) {
		v = delivery_new(m);
		list_push_back(&s->deliveries, &v->in_share);
		l->n++;
	}
	delivery_append(v, rcpt);
}

static struct share *first_share(const struct line *l, enum message_priority level)
{
	return list_first(&l->levels[level], struct share, in_level);
}

struct message *line_first(const struct line *l, enum message_priority level)
{
	const struct share *s = first_share(l, level);

	return s ? s->m : NULL;
}

struct delivery *line_take(struct line *l, enum message_priority level)
{
	return share_take(first_share(l, level));
}

struct delivery *line_take_of(struct line *l, const struct message *m)
{
	struct share *s = share_find(l, m);

	return s ? share_take(s) : NULL;
}
