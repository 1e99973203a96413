/* SPDX-License-Identifier: Apache-2.0 */
/* permission.c - what a user may do, and how often; see core.h */
#include "base/clock.h"
#include "queue/core.h"

bool control_is_administrator(uid_t uid)
{
	return uid == 0 || (*queue.rp->config->paths.sandbox && uid == getuid());
}

/* ---- mails per minute ---- */

struct submitter {
	struct table_node node;
	uid_t uid;
	uint64_t minute_ms, n;
};
static struct table submitters;

bool control_may_submit(uid_t uid)
{
	uint64_t now = clock_mono_ms(), hash = table_hash_u64(uid);
	struct submitter *s = NULL;

	if (control_is_administrator(uid))
		return true;
	for (struct table_node *n = table_first(&submitters, hash); n && !s; n = table_next(n, hash))
		if (CONTAINER_OF(n, struct submitter, node)->uid == uid)
			s = CONTAINER_OF(n, struct submitter, node);
	if (!s) {
		s = mem_new(sizeof(*s));
		s->uid = uid;
		table_insert(&submitters, &s->node, hash);
	}
	if (now - s->minute_ms > 60000) {
		s->minute_ms = now;
		s->n = 0;
	}
	return s->n++ < queue.rp->config->queue_max_per_uid;
}
