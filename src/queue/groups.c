/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups.c - the queue by cause: how much mail waits for the same reason, for one domain, of one sender; see
 * control-private.h
 *
 * What a million messages have in common is counted here, and only the sums travel.
 * Tests: test_groups.c, tests/system/test_queue_commands.py.
 */
#include "base/limits.h"
#include "queue/control-private.h"

#define GROUPS_MAX 10000   /* of different keys; what comes after them is counted as one more */
#define COUNTERS_AT_ONCE 8 /* each may hold that many keys, and every user may count */

struct group {
	struct table_node node;
	char *text;
	struct slice key;
	uint64_t n_mails, n_rcpts, bytes, oldest_s, example;
	uint64_t last; /* mail that was counted last: a mail counts once */
};

struct groups {
	enum queue_by by;
	struct table table;
	struct group **all; /* filled when all are counted, the largest first */
	size_t n, n_sent;
};

static unsigned n_counters;

struct groups *groups_new(enum queue_by by)
{
	struct groups *g;

	if (n_counters == COUNTERS_AT_ONCE)
		return NULL;
	n_counters++;
	g = mem_new(sizeof(*g));
	g->by = by;
	return g;
}

static void collect(struct table_node *node, void *user)
{
	struct groups *g = user;

	g->all[g->n++] = CONTAINER_OF(node, struct group, node);
}

/* A table with its members in a row. */
static void groups_gather(struct groups *g)
{
	if (g->all)
		return;
	g->all = mem_new_array(MAX(g->table.n, (size_t)1), sizeof(struct group *));
	g->n = 0;
	table_each(&g->table, collect, g);
}

void groups_free(struct groups **gp)
{
	struct groups *g = take_ptr(gp);

	if (!g)
		return;
	n_counters--;
	groups_gather(g);
	for (size_t i = 0; i < g->n; i++) {
		mem_free(g->all[i]->text);
		mem_free(g->all[i]);
	}
	mem_free(g->all);
	table_deinit(&g->table);
	mem_free(g);
}

/* ---- counting ---- */

static struct group *group_find(const struct groups *g, struct slice key, uint64_t hash)
{
	for (struct table_node *n = table_first(&g->table, hash); n; n = table_next(n, hash)) {
		struct group *x = CONTAINER_OF(n, struct group, node);
		if (slice_eq_nocase(x->key, key))
			return x;
	}
	return NULL;
}

static struct group *group_get(struct groups *g, struct slice key)
{
	uint64_t hash = table_hash_nocase(key);
	struct group *x = group_find(g, key, hash);

	if (!x && g->table.n >= GROUPS_MAX) {
		key = SLICE("(others)");
		hash = table_hash_nocase(key);
		x = group_find(g, key, hash);
	}
	if (x)
		return x;
	x = mem_new(sizeof(*x));
	x->text = slice_dup(key);
	x->key = (struct slice){ x->text, key.len };
	table_insert(&g->table, &x->node, hash);
	return x;
}

static void count(struct groups *g, struct slice key, const struct message *m, uint64_t n_rcpts)
{
	struct group *x = group_get(g, key);
	uint64_t arrival_s = m->arrival_us / 1000000;

	x->n_rcpts += n_rcpts;
	if (x->last == m->entry.id)
		return;
	x->last = m->entry.id;
	x->n_mails++;
	x->bytes += m->entry.content_bytes;
	if (x->example && x->oldest_s <= arrival_s)
		return;
	x->oldest_s = arrival_s;
	x->example = m->entry.id;
}

static struct slice mail_key(const struct groups *g, const struct message *m)
{
	return g->by == QUEUE_BY_SENDER ? message_reverse_path(m) : SLICE_EMPTY;
}

static struct slice rcpt_key(const struct groups *g, const struct message *m, const struct recipient_view *v)
{
	struct slice path = v->spool.forward_path;
	const struct spool_progress *p = &v->spool.progress;

	if (g->by == QUEUE_BY_ALL || g->by == QUEUE_BY_SENDER)
		return mail_key(g, m);
	if (g->by == QUEUE_BY_DOMAIN)
		return slice_from(path, slice_rfind(path, '@') + 1);
	return p->reason.len ? slice_first(p->reason, QUEUE_GROUP_KEY) : SLICE("(not tried yet)");
}

/* By what each of a mail's recipients has: each is looked at. By what the mail has: unless filters choose
 * recipients. */
static bool is_by_rcpt(const struct client_walk *w)
{
	enum queue_by by = w->groups->by;

	return by == QUEUE_BY_DOMAIN || by == QUEUE_BY_REASON || queue_filter_by_rcpt(&w->filter);
}

bool groups_visit(struct client_walk *w, struct message *m)
{
	struct recipient_view v;
	struct groups *g = w->groups;

	if (!is_by_rcpt(w)) {
		count(g, mail_key(g, m), m, message_n_open(m));
		return true;
	}
	while (walk_spend(&w->walk, 2)) {
		if (!client_walk_next(w, m, &v))
			return true;
		if (client_walk_wants_rcpt(w, &v))
			count(g, rcpt_key(g, m, &v), m, 1);
	}
	return false;
}

/* ---- telling ---- */

static int by_size(const void *a, const void *b)
{
	const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;

	if (x->n_mails != y->n_mails)
		return x->n_mails > y->n_mails ? -1 : 1;
	if (x->n_rcpts != y->n_rcpts)
		return x->n_rcpts > y->n_rcpts ? -1 : 1;
	return slice_cmp(x->key, y->key);
}

bool groups_end(struct client_walk *w)
{
	struct groups *g = w->groups;

	if (!g->all) {
		groups_gather(g);
		if (g->n > 1)
			qsort(g->all, g->n, sizeof(*g->all), by_size);
	}
	for (; g->n_sent < g->n; g->n_sent++) {
		const struct group *x = g->all[g->n_sent];
		if (!client_walk_has_room(w))
			return false;
		SEND(w->client->ch, QUEUE_GROUP, .request = w->request, .key = x->key, .n_mails = x->n_mails,
			.n_rcpts = x->n_rcpts, .bytes = x->bytes, .oldest_s = x->oldest_s,
			.example = x->example);
	}
	client_reply(w->client->ch, w->request, EX_OK, "");
	return true;
}
