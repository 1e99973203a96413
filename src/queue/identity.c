/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c - see identity.h */
#include "queue/identity.h"
#include "mail/origin.h"

static uint64_t identity_hash(const struct recipient *r)
{
	return table_hash_bytes(r->leaf == LEAF_USER ? r->user : r->forward_path) + r->leaf +
		((r->flags & RCPT_NO_FORWARD) ? 0x10000 : 0);
}

static bool identity_equal(const struct recipient *a, const struct recipient *b)
{
	if (a->leaf != b->leaf || (a->flags & RCPT_NO_FORWARD) != (b->flags & RCPT_NO_FORWARD))
		return false;
	if (a->leaf == LEAF_USER)
		return slice_eq(a->user, b->user);
	return slice_eq(a->forward_path, b->forward_path) && slice_eq(a->origin_key, b->origin_key) &&
		a->origin_item == b->origin_item && slice_eq(a->trail, b->trail);
}

static bool is_taken(const struct message *m, const struct recipient *r)
{
	uint64_t hash = identity_hash(r);

	for (struct table_node *n = table_first(&m->live->identities, hash); n; n = table_next(n, hash)) {
		const struct recipient *other = CONTAINER_OF(n, struct recipient, identity);
		/* What was replaced by others is no delivery: a mail that comes back to it is one. */
		if (other != r && other->state != SPOOL_RCPT_EXPANDED && identity_equal(other, r))
			return true;
	}
	return false;
}

void identity_enter(struct live *live, struct recipient *r)
{
	table_insert(&live->identities, &r->identity, identity_hash(r));
	r->has_identity = true;
}

void identity_leave(struct live *live, struct recipient *r)
{
	if (r->has_identity)
		table_remove(&live->identities, &r->identity);
	r->has_identity = false;
}

bool recipient_resolve(struct message *m, struct recipient *r, enum leaf_kind leaf, struct slice destination)
{
	char *old = r->leaf_text;

	identity_leave(m->live, r);
	r->leaf = (uint8_t)leaf;
	r->by_transport = false;
	r->leaf_text = slice_dup(destination);
	mem_free(old); /* destination may have been in it */
	r->user = (struct slice){ r->leaf_text, destination.len };
	if (m->n_rcpts == 1)
		return true;
	if (is_taken(m, r))
		return false;
	identity_enter(m->live, r);
	return true;
}

bool recipient_resolve_item(struct message *m, struct recipient *r)
{
	enum leaf_kind leaf = r->kind == SPOOL_RCPT_COMMAND ? LEAF_COMMAND : LEAF_FILE;

	return recipient_resolve(m, r, leaf, origin_group(r->origin_key));
}
