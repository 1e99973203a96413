/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_index.h - entries of an aliases file in memory, found by key: what the builder checks and writes
 *
 * Only for src/table. Owns copies of keys and right-hand sides in one block of bytes. Layer: table.
 * Tests: test_alias_build.c.
 */
#pragma once
#include "base/buf.h"
#include "table/alias_table.h"

#define ALIAS_INDEX_NONE UINT32_MAX

struct alias_entry {
	uint64_t hash;
	size_t at; /* of the key in bytes; the record's value follows it: line number, right-hand side */
	uint32_t key_len, value_len;
	uint32_t line;
	uint32_t first_edge, n_edges; /* aliases that its items name; filled in by the checks */
	bool keeps_copy;	      /* names itself: that is the user's own mailbox */
	bool is_none;		      /* :unknown: as if it was not there */
	bool counts_elsewhere; /* what the name says is in another aliases file, which is asked before this
				  one */
	bool is_own;	       /* of this file, and written to its table */
};
struct alias_index {
	struct buf bytes;
	struct buf entries; /* struct alias_entry each */
	uint64_t *slots;    /* high half of the hash, then number of the entry + 1; 0: free */
	size_t n_slots;	    /* a power of two */
	size_t n;
};

void alias_index_init(struct alias_index *x);
void alias_index_deinit(struct alias_index *x);
static inline struct alias_entry *alias_index_entry(const struct alias_index *x, size_t i)
{
	return (struct alias_entry *)(void *)x->entries.at + i;
}
/* The number of the entry with that key, or ALIAS_INDEX_NONE. */
uint32_t alias_index_find(const struct alias_index *x, struct slice key);
/* key is not there yet. False: no memory, or more than the format holds. */
MUST_USE bool alias_index_add(struct alias_index *x, struct slice key, struct slice rhs, size_t line);
struct slice alias_index_key(const struct alias_index *x, size_t i);
struct slice alias_index_value(const struct alias_index *x, size_t i); /* of the record */
struct slice alias_index_rhs(const struct alias_index *x, size_t i);
