/* SPDX-License-Identifier: Apache-2.0 */
/* alias_index.c - open addressing over one block of bytes: a million entries in a fraction of a second */
#include "table/alias_index.h"
#include <sys/mman.h>
#include <xxhash.h>

#define BYTES_MAX ((size_t)UINT32_MAX) /* what a constant database can hold */
#define ENTRIES_MAX ((size_t)64 * 1024 * 1024 * sizeof(struct alias_entry))
#define FIRST_SLOTS 1024

void alias_index_init(struct alias_index *x)
{
	*x = (struct alias_index){ .bytes = BUF_INIT(BYTES_MAX), .entries = BUF_INIT(ENTRIES_MAX) };
}

void alias_index_deinit(struct alias_index *x)
{
	buf_free(&x->bytes);
	buf_free(&x->entries);
	mem_free(x->slots);
	*x = (struct alias_index){ 0 };
}

struct slice alias_index_key(const struct alias_index *x, size_t i)
{
	const struct alias_entry *e = alias_index_entry(x, i);
	return (struct slice){ x->bytes.at + e->at, e->key_len };
}

struct slice alias_index_value(const struct alias_index *x, size_t i)
{
	const struct alias_entry *e = alias_index_entry(x, i);
	return (struct slice){ x->bytes.at + e->at + e->key_len, e->value_len };
}

struct slice alias_index_rhs(const struct alias_index *x, size_t i)
{
	return slice_from(alias_index_value(x, i), ALIAS_LINE_BYTES);
}

/* Half of the hash stands in the slot, so that a miss costs one line of the cache and not two. */
#define TAG_MASK 0xffffffff00000000u

static uint64_t slot_value(uint64_t hash, size_t i)
{
	return (hash & TAG_MASK) | (uint32_t)(i + 1);
}

static size_t slot_entry(uint64_t slot)
{
	return (uint32_t)slot - 1;
}

/* The slot where hash and key are, or the free one where they belong. */
static size_t slot_of(const struct alias_index *x, uint64_t hash, struct slice key)
{
	size_t mask = x->n_slots - 1, slot = (size_t)hash & mask;

	for (; x->slots[slot]; slot = (slot + 1) & mask)
		if ((x->slots[slot] & TAG_MASK) == (hash & TAG_MASK) &&
			slice_eq(alias_index_key(x, slot_entry(x->slots[slot])), key))
			break;
	return slot;
}

uint32_t alias_index_find(const struct alias_index *x, struct slice key)
{
	uint64_t found;

	if (x->n == 0)
		return ALIAS_INDEX_NONE;
	found = x->slots[slot_of(x, XXH3_64bits(key.at, key.len), key)];
	return found ? (uint32_t)slot_entry(found) : ALIAS_INDEX_NONE;
}

#define HUGE_PAGE ((size_t)2 * 1024 * 1024)

/* Looked into at random: with pages of 4 KiB most looks would wait for the page table, too. */
static void ask_for_huge_pages(void *at, size_t size)
{
	uintptr_t start = ((uintptr_t)at + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
	uintptr_t end = ((uintptr_t)at + size) & ~(uintptr_t)(HUGE_PAGE - 1);

	if (start < end)
		(void)madvise((void *)start, end - start, MADV_HUGEPAGE); /* a hint, and not everywhere */
}

static void grow(struct alias_index *x)
{
	size_t n_slots = x->n_slots ? x->n_slots * 2 : FIRST_SLOTS;

	mem_free(x->slots);
	x->slots = mem_new_array(n_slots, sizeof(*x->slots));
	ask_for_huge_pages(x->slots, n_slots * sizeof(*x->slots));
	x->n_slots = n_slots;
	for (size_t i = 0; i < x->n; i++) {
		uint64_t hash = alias_index_entry(x, i)->hash;
		size_t slot = (size_t)hash & (n_slots - 1);
		while (x->slots[slot])
			slot = (slot + 1) & (n_slots - 1);
		x->slots[slot] = slot_value(hash, i);
	}
}

bool alias_index_add(struct alias_index *x, struct slice key, struct slice rhs, size_t line)
{
	struct alias_entry e = { .hash = XXH3_64bits(key.at, key.len),
		.at = x->bytes.len,
		.key_len = (uint32_t)key.len,
		.value_len = (uint32_t)(ALIAS_LINE_BYTES + rhs.len),
		.line = (uint32_t)MIN(line, (size_t)UINT32_MAX) };
	char line_bytes[ALIAS_LINE_BYTES];

	if ((x->n + 1) * 2 > x->n_slots)
		grow(x);
	for (size_t i = 0; i < sizeof(line_bytes); i++)
		line_bytes[i] = (char)(unsigned char)(e.line >> (8 * i));
	buf_append(&x->bytes, key);
	buf_append(&x->bytes, (struct slice){ line_bytes, sizeof(line_bytes) });
	buf_append(&x->bytes, rhs);
	buf_append(&x->entries, (struct slice){ (const char *)&e, sizeof(e) });
	if (!buf_ok(&x->bytes) || !buf_ok(&x->entries))
		return false;
	x->slots[slot_of(x, e.hash, key)] = slot_value(e.hash, x->n++);
	return true;
}
