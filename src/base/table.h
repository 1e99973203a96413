/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - intrusive hash table: finds an object by bytes or by a number, owns neither keys nor objects
 *
 * The object embeds a struct table_node; the caller compares keys. Hashes are seeded per process, so that a
 * peer cannot choose colliding keys. Layer: base. Tests: test_containers.c.
 */
#pragma once
#include "base/slice.h"

struct table_node {
	struct table_node *next;
	uint64_t hash;
};
struct table {
	struct table_node **buckets;
	size_t n_buckets; /* a power of two, or 0 before the first insert */
	size_t n;
};

#define TABLE_INIT ((struct table){ 0 })

uint64_t table_hash_bytes(struct slice key);
uint64_t table_hash_nocase(struct slice key); /* ASCII case does not count */
uint64_t table_hash_u64(uint64_t key);
void table_insert(struct table *t, struct table_node *node, uint64_t hash); /* may hold several of one hash */
void table_remove(struct table *t, struct table_node *node);		    /* node is in t */
/* First node of that hash, and the next one after a node; NULL at the end. Compare the key yourself. */
struct table_node *table_first(const struct table *t, uint64_t hash);
struct table_node *table_next(const struct table_node *node, uint64_t hash);
/* Walk over all: bucket order; the table must not change meanwhile. */
typedef void (*table_visit)(struct table_node *node, void *user);
void table_each(const struct table *t, table_visit visit, void *user);
void table_deinit(struct table *t); /* frees the buckets, not the objects */
