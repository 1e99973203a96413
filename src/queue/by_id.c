/* SPDX-License-Identifier: Apache-2.0 */
/* by_id.c - see by_id.h */
#include "queue/by_id.h"

static struct message **bucket_of(const struct by_id *all, uint64_t id)
{
	return &all->buckets[table_hash_u64(id) & (all->n_buckets - 1)];
}

static void push(struct message **bucket, struct message *m)
{
	m->next_by_id = *bucket;
	*bucket = m;
}

static void grow(struct by_id *all)
{
	struct by_id grown = { .n_buckets = all->n_buckets ? all->n_buckets * 2 : 16, .n = all->n };

	grown.buckets = mem_new_array(grown.n_buckets, sizeof(struct message *));
	for (size_t i = 0; i < all->n_buckets; i++) {
		for (struct message *m = all->buckets[i], *next; m; m = next) {
			next = m->next_by_id;
			push(bucket_of(&grown, m->entry.id), m);
		}
	}
	mem_free(all->buckets);
	*all = grown;
}

void by_id_add(struct by_id *all, struct message *m)
{
	if (all->n >= all->n_buckets)
		grow(all);
	push(bucket_of(all, m->entry.id), m);
	all->n++;
}

void by_id_remove(struct by_id *all, struct message *m)
{
	struct message **link = bucket_of(all, m->entry.id);

	while (*link != m) {
		CHECK(*link != NULL);
		link = &(*link)->next_by_id;
	}
	*link = m->next_by_id;
	m->next_by_id = NULL;
	all->n--;
}

struct message *by_id_find(const struct by_id *all, uint64_t id)
{
	struct message *m = all->n ? *bucket_of(all, id) : NULL;

	while (m && m->entry.id != id)
		m = m->next_by_id;
	return m;
}
