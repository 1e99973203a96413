/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - chained hash table with seeded XXH3; grows to keep chains short, never shrinks; see table.h */
#include "base/table.h"
#include <sys/random.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t table_seed(void)
{
	static uint64_t seed;

	if (seed == 0) {
		CHECK(getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
		seed |= 1; /* 0 means not yet drawn */
	}
	return seed;
}

uint64_t table_hash_bytes(struct slice key)
{
	return XXH3_64bits_withSeed(key.at, key.len, table_seed());
}

uint64_t table_hash_nocase(struct slice key)
{
	char folded[64];
	uint64_t hash = table_seed();

	for (size_t done = 0; done < key.len; done += sizeof(folded)) {
		size_t n = MIN(sizeof(folded), key.len - done);
		for (size_t i = 0; i < n; i++)
			folded[i] = ascii_lower(key.at[done + i]);
		hash = XXH3_64bits_withSeed(folded, n, hash);
	}
	return hash;
}

uint64_t table_hash_u64(uint64_t key)
{
	return XXH3_64bits_withSeed(&key, sizeof(key), table_seed());
}

static void table_grow(struct table *t)
{
	size_t n_buckets = t->n_buckets ? t->n_buckets * 2 : 16;
	struct table_node **buckets = mem_new_array(n_buckets, sizeof(*buckets));

	for (size_t i = 0; i < t->n_buckets; i++) {
		struct table_node *next;
		for (struct table_node *node = t->buckets[i]; node; node = next) {
			next = node->next;
			node->next = buckets[node->hash & (n_buckets - 1)];
			buckets[node->hash & (n_buckets - 1)] = node;
		}
	}
	mem_free(t->buckets);
	t->buckets = buckets;
	t->n_buckets = n_buckets;
}

void table_insert(struct table *t, struct table_node *node, uint64_t hash)
{
	struct table_node **bucket;

	if (t->n >= t->n_buckets)
		table_grow(t);
	bucket = &t->buckets[hash & (t->n_buckets - 1)];
	*node = (struct table_node){ .next = *bucket, .hash = hash };
	*bucket = node;
	t->n++;
}

void table_remove(struct table *t, struct table_node *node)
{
	struct table_node **link = &t->buckets[node->hash & (t->n_buckets - 1)];

	while (*link != node) {
		CHECK(*link != NULL);
		link = &(*link)->next;
	}
	*link = node->next;
	node->next = NULL;
	t->n--;
}

static struct table_node *table_match(struct table_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct table_node *table_first(const struct table *t, uint64_t hash)
{
	return t->n_buckets ? table_match(t->buckets[hash & (t->n_buckets - 1)], hash) : NULL;
}

struct table_node *table_next(const struct table_node *node, uint64_t hash)
{
	return table_match(node->next, hash);
}

void table_each(const struct table *t, table_visit visit, void *user)
{
	for (size_t i = 0; i < t->n_buckets; i++) {
		struct table_node *next;
		for (struct table_node *node = t->buckets[i]; node; node = next) {
			next = node->next;
			visit(node, user);
		}
	}
}

void table_deinit(struct table *t)
{
	mem_free(t->buckets);
	*t = TABLE_INIT;
}
