/* SPDX-License-Identifier: Apache-2.0 */
/* intern.c - see intern.h */
#include "base/intern.h"

static size_t interned_size(size_t len)
{
	return offsetof(struct interned, text) + len;
}

struct interned *intern(struct interner *in, struct slice text)
{
	uint64_t hash = table_hash_bytes(text);
	struct interned *i;

	if (text.len > UINT32_MAX)
		return NULL;
	for (struct table_node *n = table_first(&in->table, hash); n; n = table_next(n, hash)) {
		i = CONTAINER_OF(n, struct interned, node);
		if (slice_eq(interned_slice(i), text))
			return intern_ref(i);
	}
	i = slab_new(in->memory, interned_size(text.len));
	if (!i)
		return NULL;
	i->n_refs = 1;
	i->len = (uint32_t)text.len;
	if (text.len)
		memcpy(i->text, text.at, text.len);
	table_insert(&in->table, &i->node, hash);
	return i;
}

struct interned *intern_ref(struct interned *i)
{
	if (i)
		i->n_refs++;
	return i;
}

void intern_unref(struct interner *in, struct interned **ip)
{
	struct interned *i = take_ptr(ip);

	if (!i || --i->n_refs)
		return;
	table_remove(&in->table, &i->node);
	slab_free(in->memory, i, interned_size(i->len));
}

void interner_deinit(struct interner *in)
{
	CHECK(in->table.n == 0);
	table_deinit(&in->table);
}
