/* SPDX-License-Identifier: Apache-2.0 */
/*
 * move.c - queued mail takes another way: another next hop, or another address; see control-private.h
 *
 * Each recipient that is not served yet is replaced by a new one, in a record of its own, as an alias is:
 * what was done before stays done, and after a crash the mail has some old and some new ways, never none.
 * Tests: tests/system/test_queue_commands.py.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "mail/address.h"
#include "net/destination.h"
#include "queue/control-private.h"

#define SMTP_PORT 25

const char *move_check(enum queue_action action, struct slice argument)
{
	struct destination d;
	struct address a;

	if (action == QUEUE_ACT_MOVE_HOST && argument.len &&
		destination_parse(argument, SMTP_PORT, &d) != DESTINATION_OK)
		return "the next hop must be a domain, [host], [host]:port, or default";
	if (action == QUEUE_ACT_MOVE_ADDRESS &&
		address_parse(argument, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a) != ADDRESS_OK)
		return "the new recipient must be an address";
	return NULL;
}

/* One recipient that gets a new way. */
struct detour {
	uint64_t mail;
	uint32_t rcpt;
	struct spool_recipient to;
	char *text; /* of its strings */
	struct detours *all;
};
/* Those of one mail; the last record that comes back ends it. */
struct detours {
	struct act *act;
	size_t n_left;
	int result;
};

/* The same recipient, not tried yet. It keeps what the sender asked for: it is still the sender's. */
static void fill(struct detour *d, const struct recipient *r, enum queue_action action, struct slice argument)
{
	auto_buf struct buf canonical = BUF_INIT(2 * LIMIT_PATH);
	struct address a;

	recipient_view(r, &d->to);
	d->to.parent = d->rcpt;
	d->to.progress = (struct spool_progress){ .state = SPOOL_RCPT_PENDING };
	if (d->to.flags & RECIPIENT_NEXT_HOP) /* the one before */
		d->to.origin_key = SLICE_EMPTY;
	d->to.flags &= ~(uint32_t)(RECIPIENT_NEXT_HOP | RECIPIENT_VERDICT);
	if (action == QUEUE_ACT_MOVE_HOST && argument.len) {
		d->to.kind = SPOOL_RCPT_ADDRESS;
		d->to.flags |= RECIPIENT_NEXT_HOP;
		d->to.origin_key = argument;
	} else if (action == QUEUE_ACT_MOVE_ADDRESS) {
		CHECK(address_parse(argument, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a) == ADDRESS_OK);
		address_canonical(&a, slice_of(queue.rp->config->main_origin), &canonical);
		d->to.kind = SPOOL_RCPT_ADDRESS;
		d->to.origin = SPOOL_ORIGIN_NONE;
		d->to.origin_key = SLICE_EMPTY;
		d->to.flags &= ~(uint32_t)(RCPT_NO_ALIAS | RCPT_NO_FORWARD);
		d->to.forward_path = d->to.trail = buf_slice(&canonical);
	}
	const struct packed parts[] = {
		{ &d->to.forward_path, d->to.forward_path },
		{ &d->to.original, d->to.original },
		{ &d->to.orcpt, d->to.orcpt },
		{ &d->to.reverse_path, d->to.reverse_path },
		{ &d->to.trail, d->to.trail },
		{ &d->to.origin_key, d->to.origin_key },
	};
	d->text = packed_copy(parts, ARRAY_LEN(parts));
}

static void all_done(struct detours *all, struct message *m)
{
	act_done(all->act, all->result);
	mem_free(all);
	if (m)
		router_want(m); /* or it rests, when it is held */
}

static void on_moved(void *user, int result)
{
	struct detour *d = user;
	struct detours *all = d->all;
	struct message *m = queue_find(d->mail);

	if (result < 0) {
		all->result = result;
		if (m)
			recipient_stage(m, &m->rcpts[d->rcpt], STAGE_NEW);
	} else if (m) {
		uint32_t added = message_add(m, &d->to);
		m->rcpts[added].reconcile = m->rcpts[d->rcpt].reconcile;
		m->rcpts[d->rcpt].state = SPOOL_RCPT_EXPANDED;
		recipient_stage(m, &m->rcpts[d->rcpt], STAGE_DONE);
	}
	mem_free(d->text);
	mem_free(d);
	if (--all->n_left == 0)
		all_done(all, m);
}

static bool moves(const struct recipient *r, enum queue_action action, struct slice argument)
{
	if (r->stage != STAGE_NEW && r->stage != STAGE_WAITING)
		return false;
	/* The usual way is what those have already that were never moved. */
	return action == QUEUE_ACT_MOVE_ADDRESS || argument.len || r->flags & RECIPIENT_NEXT_HOP;
}

const char *move_mail(struct message *m, enum queue_action action, struct slice argument, struct act *act)
{
	uint32_t n = m->n_rcpts, n_moving = 0;
	struct detours *all;

	router_forget(m);
	scheduler_forget(m);
	message_thaw(m);
	if (message_n_moving(m)) {
		queue_kick(m, clock_wall_us());
		return "a delivery is under way; try again when it has ended, or hold the mail first";
	}
	for (uint32_t i = 0; i < n; i++)
		n_moving += moves(&m->rcpts[i], action, argument);
	if (n_moving == 0) {
		queue_settle(m);
		return "no recipient goes another way than the usual one";
	}
	all = mem_new(sizeof(*all));
	*all = (struct detours){ .act = act, .n_left = n_moving };
	for (uint32_t i = 0; i < n; i++) {
		struct recipient *r = &m->rcpts[i];
		if (!moves(r, action, argument))
			continue;
		struct detour *d = mem_new(sizeof(*d));
		*d = (struct detour){ .mail = m->entry.id, .rcpt = i, .all = all };
		fill(d, r, action, argument);
		recipient_stage(m, r, STAGE_RECORDING);
		spool_expand(queue.spool, &m->entry, i, &d->to, 1, on_moved, d);
	}
	return NULL;
}
