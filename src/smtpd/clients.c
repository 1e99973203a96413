/* SPDX-License-Identifier: Apache-2.0 */
/* clients.c - see clients.h */
#include "smtpd/clients.h"

struct client_sessions {
	struct table_node node;
	struct client_address address; /* shortened to what counts */
	uint64_t n_sessions;
};

static struct client_address shortened(const struct client_address *a)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	struct client_address s = *a;

	if (memcmp(s.bytes, mapped, sizeof(mapped)) != 0)
		memset(s.bytes + 8, 0, 8);
	return s;
}

static struct client_sessions *clients_find(
	const struct clients *cs, const struct client_address *a, uint64_t hash)
{
	for (struct table_node *n = table_first(&cs->by_address, hash); n; n = table_next(n, hash)) {
		struct client_sessions *c = CONTAINER_OF(n, struct client_sessions, node);
		if (memcmp(&c->address, a, sizeof(*a)) == 0)
			return c;
	}
	return NULL;
}

struct client_sessions *clients_enter(struct clients *cs, const struct client_address *a, uint64_t max)
{
	const struct client_address address = shortened(a);
	uint64_t hash =
		table_hash_bytes((struct slice){ (const char *)address.bytes, sizeof(address.bytes) });
	struct client_sessions *c = clients_find(cs, &address, hash);

	if (max == 0 || (c && c->n_sessions >= max))
		return NULL;
	if (!c) {
		c = mem_new(sizeof(*c));
		c->address = address;
		table_insert(&cs->by_address, &c->node, hash);
	}
	c->n_sessions++;
	return c;
}

void clients_leave(struct clients *cs, struct client_sessions **cp)
{
	struct client_sessions *c = take_ptr(cp);

	if (!c || --c->n_sessions)
		return;
	table_remove(&cs->by_address, &c->node);
	mem_free(c);
}
