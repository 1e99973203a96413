/* SPDX-License-Identifier: Apache-2.0 */
/*
 * permission.c - what a user may do, and how often; see core.h
 * Tests: tests/system/test_submission.py, tests/system/test_queue_commands.py.
 */
#include "base/clock.h"
#include "base/userdb.h"
#include "queue/core.h"
#include <sys/socket.h>

#define GROUPS_MAX 65536 /* of one process, the kernel's limit */

static struct {
	bool is_known;
	gid_t gid;
} admin_group;

void permission_init(void)
{
	const char *name = queue.rp->config->security_admin_group;

	if (!*name)
		return;
	admin_group.is_known = userdb_find_group(name, &admin_group.gid) == USERDB_FOUND;
	if (!admin_group.is_known)
		log_warning(
			"security.admin_group: there is no group %s; only root administers the queue", name);
}

/* The kernel says which supplementary groups the other end had when it connected; a login gives it the
 * primary group among them. */
bool control_in_admin_group(int socket)
{
	auto_free gid_t *groups = NULL;
	socklen_t size = 0;

	if (!admin_group.is_known ||
		(getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) < 0 && errno != ERANGE) ||
		size == 0 || size > GROUPS_MAX * sizeof(gid_t))
		return false;
	groups = mem_new(size);
	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(gid_t); i++)
		if (groups[i] == admin_group.gid)
			return true;
	return false;
}

bool control_is_administrator(uid_t uid)
{
	return uid == 0 || (*queue.rp->config->paths.sandbox && uid == getuid());
}

/* ---- where mail came from ---- */

void control_may_say(uid_t uid, struct trace_client *given, struct trace_client *record_out)
{
	bool may_all = control_is_administrator(uid);
	struct slice *words[] = { &given->protocol, &given->address, &given->name, &given->interface };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!trace_word_is_valid(*words[i]) || !(may_all || words[i] == &given->protocol))
			*words[i] = SLICE_EMPTY;
	if (slice_eq_nocase(given->protocol, SLICE(REPORT_PROTOCOL)))
		given->protocol = SLICE_EMPTY; /* reports are made here alone */
	*record_out = *given;
	if (!may_all || given->protocol.len == 0)
		record_out->protocol = SLICE("local");
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
