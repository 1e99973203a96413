/* SPDX-License-Identifier: Apache-2.0 */
/* id_pool.c - see id_pool.h */
#include "smtpd/id_pool.h"

uint64_t id_pool_take(struct id_pool *p)
{
	uint64_t id;

	if (p->n == 0)
		return 0;
	id = p->leases[0].first++;
	p->left--;
	if (--p->leases[0].count == 0)
		memmove(&p->leases[0], &p->leases[1], --p->n * sizeof(p->leases[0]));
	return id;
}

bool id_pool_wants(struct id_pool *p, uint64_t now_ms)
{
	bool is_under_way = p->asked_ms && now_ms - p->asked_ms < ID_POOL_PATIENCE_MS;

	if (is_under_way || p->n == ID_POOL_LEASES || p->left * 2 > p->last_count)
		return false;
	p->asked_ms = now_ms;
	return true;
}

bool id_pool_add(struct id_pool *p, uint64_t first, uint64_t count)
{
	if (p->n == ID_POOL_LEASES || first == 0 || count == 0 || count > UINT64_MAX - first)
		return false;
	p->leases[p->n].first = first;
	p->leases[p->n++].count = count;
	p->left += count;
	p->last_count = count;
	p->asked_ms = 0;
	return true;
}

void id_pool_clear(struct id_pool *p)
{
	*p = ID_POOL_INIT;
}
