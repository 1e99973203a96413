/* SPDX-License-Identifier: Apache-2.0 */
/* doubt.c - see doubt.h; what is kept is a hash: taking another delivery for doubtful costs it one look */
#include "local/doubt.h"
#include "base/list.h"
#include "base/table.h"

struct doubt {
	struct table_node node;
	struct list in_all; /* oldest first */
};

static struct {
	struct table by_hash;
	struct list all;
} doubts;

void doubt_init(void)
{
	list_init(&doubts.all);
}

static uint64_t hash_of(uint64_t queue_id, struct slice user)
{
	return table_hash_u64(queue_id ^ table_hash_bytes(user));
}

static void doubt_forget(struct doubt *d)
{
	table_remove(&doubts.by_hash, &d->node);
	list_remove(&d->in_all);
	mem_free(d);
}

void doubt_add(uint64_t queue_id, struct slice user)
{
	uint64_t hash = hash_of(queue_id, user);
	struct doubt *d;

	if (table_first(&doubts.by_hash, hash))
		return;
	if (doubts.by_hash.n == DOUBT_MAX)
		doubt_forget(list_first(&doubts.all, struct doubt, in_all));
	d = mem_new(sizeof(*d));
	table_insert(&doubts.by_hash, &d->node, hash);
	list_push_back(&doubts.all, &d->in_all);
}

bool doubt_take(uint64_t queue_id, struct slice user)
{
	struct table_node *n = table_first(&doubts.by_hash, hash_of(queue_id, user));

	if (!n)
		return false;
	doubt_forget(CONTAINER_OF(n, struct doubt, node));
	return true;
}
