/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expansion.c - one recipient becomes several: an alias list, a ~/.forward; see core.h
 *
 * The new recipients are on disk, and the old one marked as replaced, before any of them is delivered: a
 * crash in the middle of a list of ten thousand resumes and does not start again.
 * Tests: test_role.c.
 */
#include "base/limits.h"
#include "mail/address.h"
#include "mail/trail.h"
#include "queue/core.h"

bool leaves_add(struct leaves *l, const struct leaf *leaf)
{
	if (l->n == LIMIT_EXPANSION)
		return false;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 4;
		struct leaf *grown = mem_new_array(cap, sizeof(*grown));
		if (l->n)
			memcpy(grown, l->at, l->n * sizeof(*grown));
		mem_free(l->at);
		l->at = grown;
		l->cap = cap;
	}
	struct leaf *to = &l->at[l->n++];
	*to = *leaf;
	const struct packed parts[] = {
		{ &to->address, leaf->address },
		{ &to->destination, leaf->destination },
		{ &to->owner, leaf->owner },
		{ &to->origin, leaf->origin },
		{ &to->status, leaf->status },
		{ &to->reason, leaf->reason },
	};
	to->text = packed_copy(parts, ARRAY_LEN(parts));
	return true;
}

void leaves_free(struct leaves *l)
{
	for (size_t i = 0; i < l->n; i++)
		mem_free(l->at[i].text);
	mem_free(l->at);
	*l = (struct leaves){ 0 };
}

struct expansion {
	struct message *m;
	uint32_t rcpt;
	struct leaves leaves;
	struct spool_recipient *rcpts;
	char **trails;
};

/* Of what a ~/.forward names, with the steps that led here. */
static char *forward_trail(const struct recipient *r, const struct leaf *leaf, struct slice by_user)
{
	auto_buf struct buf own = BUF_INIT(2 * LIMIT_PATH);
	auto_buf struct buf trail = BUF_INIT(LIMIT_TRAIL * 2 * LIMIT_ADDRESS + LIMIT_PATH);
	struct address a;

	if (by_user.len == 0 || leaf->flags & RCPT_NO_FORWARD)
		return slice_dup(r->trail);
	if (leaf->kind != LEAF_COMMAND && leaf->kind != LEAF_FILE) {
		if (address_parse(leaf->address, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a) == ADDRESS_OK)
			address_canonical(&a, slice_of(queue.rp->config->main_origin), &own);
		else
			buf_append(&own, leaf->address);
	}
	trail_append_forward(r->trail, by_user, buf_slice(&own), &trail);
	return slice_dup(buf_ok(&own) && buf_ok(&trail) ? buf_slice(&trail) : r->trail);
}

static void expansion_free(struct expansion *x)
{
	for (size_t i = 0; i < x->leaves.n; i++)
		mem_free(x->trails[i]);
	leaves_free(&x->leaves);
	mem_free(x->trails);
	mem_free(x->rcpts);
	mem_free(x);
}

/* Which reports a leaf still owes the sender. An address that stands for one other hands on all that was
 * asked for (RFC 3461 5.2.7.2). Where there are several, success has been told of the address itself (5.2.7.3
 * c). A list's members owe the sender nothing: they are the owner's (5.2.7.1). */
static uint8_t leaf_notify(const struct recipient *r, const struct leaf *leaf, bool is_alone)
{
	if (leaf->owner.len)
		return 0;
	if (is_alone)
		return r->notify;
	return r->notify == NOTIFY_SUCCESS ? NOTIFY_NEVER /* nothing else was asked for */
					   : (uint8_t)(r->notify & ~NOTIFY_SUCCESS);
}

static void fill_recipient(const struct message *m, const struct expansion *x, const struct leaf *leaf,
	struct slice trail, bool by_alias, struct spool_recipient *out)
{
	uint32_t parent = x->rcpt;
	const struct recipient *r = &m->rcpts[parent];
	bool has_owner = leaf->owner.len > 0 || r->has_reverse_path;
	bool is_forward = !by_alias && leaf->kind == LEAF_ADDRESS && !(leaf->flags & RCPT_NO_FORWARD);

	*out = (struct spool_recipient){
		.forward_path = is_forward ? trail_delivered_to(trail, leaf->address) : leaf->address,
		.original = r->original,
		.orcpt = leaf->owner.len ? SLICE_EMPTY : r->orcpt,
		.reverse_path = leaf->owner.len ? leaf->owner : r->reverse_path,
		.has_reverse_path = has_owner,
		.trail = trail,
		.parent = parent,
		.notify = leaf_notify(r, leaf, x->leaves.n == 1),
		.progress = { .status = leaf->status, .reason = leaf->reason },
		.flags = leaf->flags & (RCPT_NO_ALIAS | RCPT_NO_FORWARD),
	};
	if ((leaf->kind == LEAF_DEFER || leaf->kind == LEAF_FAIL) && slice_eq(leaf->address, r->forward_path))
		out->flags |= RECIPIENT_VERDICT; /* asking again would expand the whole list again */
	if (by_alias && leaf->kind == LEAF_USER)
		out->flags |= RCPT_NO_ALIAS; /* a name found in its own expansion is the user of that name */
	if (leaf->kind == LEAF_COMMAND || leaf->kind == LEAF_FILE) {
		out->kind = leaf->kind == LEAF_COMMAND ? SPOOL_RCPT_COMMAND : SPOOL_RCPT_FILE;
		out->origin = by_alias ? SPOOL_ORIGIN_ALIAS : SPOOL_ORIGIN_USER;
		out->origin_key = leaf->origin;
	}
}

static bool resolve(struct message *m, struct recipient *r, const struct leaf *leaf)
{
	return r->kind == SPOOL_RCPT_ADDRESS ? recipient_resolve(m, r, leaf->kind, leaf->destination)
					     : recipient_resolve_item(m, r);
}

/* The leaves become recipients. twice: of one that is the same delivery as another. */
static void expansion_apply(struct expansion *x, void (*twice)(struct message *m, struct recipient *r))
{
	struct message *m = x->m;

	for (size_t i = 0; i < x->leaves.n; i++) {
		uint32_t n = message_add(m, &x->rcpts[i]);
		/* Before a crash its mailbox may have had the mail by another of its addresses. */
		m->rcpts[n].reconcile = m->was_recovered;
	}
	m->rcpts[x->rcpt].state = SPOOL_RCPT_EXPANDED;
	recipient_stage(m, &m->rcpts[x->rcpt], STAGE_DONE);
	for (size_t i = 0; i < x->leaves.n; i++) {
		struct recipient *r = &m->rcpts[m->n_rcpts - x->leaves.n + i];
		const struct leaf *leaf = &x->leaves.at[i];
		if (leaf->kind == LEAF_ADDRESS)
			continue; /* STAGE_NEW: routed below */
		recipient_set_outcome(r, leaf->status, leaf->reason, SLICE_EMPTY);
		recipient_stage(m, r, STAGE_RESOLVED);
		if (!resolve(m, r, leaf))
			twice(m, r);
	}
}

static void finish_twice(struct message *m, struct recipient *r)
{
	recipient_finish(m, r, SPOOL_RCPT_DUPLICATE);
}

static void expansion_done(void *user, int result)
{
	struct expansion *x = user;
	struct message *m = x->m;

	if (result < 0) {
		struct recipient *r = &m->rcpts[x->rcpt];
		recipient_set_outcome(
			r, SLICE("4.3.0"), SLICE("the expansion could not be recorded on disk"), SLICE_EMPTY);
		recipient_deferred(m, r);
		expansion_free(x);
		queue_settle(m);
		return;
	}
	expansion_apply(x, finish_twice);
	history_expanded(
		m, &m->rcpts[x->rcpt], x->leaves.n, x->leaves.n ? x->leaves.at[0].address : SLICE_EMPTY);
	expansion_free(x);
	router_want(m);
}

/* Its own success: as a list that all leaves belong to, or as several addresses. One other is no end. */
static void tell_success(struct message *m, const struct recipient *r, const struct leaves *l)
{
	size_t n_owned = 0;

	for (size_t i = 0; i < l->n; i++)
		n_owned += l->at[i].owner.len > 0;
	if (n_owned == l->n)
		report_expansion(m, r, true);
	else if (l->n > 1)
		report_expansion(m, r, false);
}

/* Lists and .forward files that lead to each other, each read in another process, would go on for ever. */
static bool is_too_deep(const struct message *m, const struct recipient *r)
{
	uint32_t n = 0;

	while (n <= LIMIT_ALIAS_DEPTH && &m->rcpts[r->parent] != r) {
		r = &m->rcpts[r->parent];
		n++;
	}
	return n > LIMIT_ALIAS_DEPTH;
}

/* Too much: r says why. */
static bool is_refused(struct message *m, struct recipient *r, const struct leaves *l)
{
	if (is_too_deep(m, r))
		recipient_set_outcome(r, SLICE("5.4.6"),
			SLICE("mail loop: lists or .forward files lead to each other"), SLICE_EMPTY);
	else if (!message_has_room(m, r, l->n))
		recipient_set_outcome(
			r, SLICE("5.5.3"), SLICE("the address leads to too many recipients"), SLICE_EMPTY);
	else
		return false;
	return true;
}

/* Takes the leaves. */
static struct expansion *expansion_new(
	struct message *m, const struct recipient *r, struct leaves *l, struct slice by_user)
{
	struct expansion *x = mem_new(sizeof(*x));

	x->m = m;
	x->rcpt = (uint32_t)(r - m->rcpts);
	x->leaves = *l;
	*l = (struct leaves){ 0 };
	x->rcpts = mem_new_array(x->leaves.n, sizeof(*x->rcpts));
	x->trails = mem_new_array(x->leaves.n, sizeof(*x->trails));
	for (size_t i = 0; i < x->leaves.n; i++) {
		x->trails[i] = forward_trail(r, &x->leaves.at[i], by_user);
		fill_recipient(
			m, x, &x->leaves.at[i], slice_of(x->trails[i]), by_user.len == 0, &x->rcpts[i]);
	}
	return x;
}

void queue_expand(struct message *m, struct recipient *r, struct leaves *l, struct slice by_user)
{
	struct expansion *x;

	if (is_refused(m, r, l)) {
		leaves_free(l);
		recipient_failed(m, r);
		return;
	}
	x = expansion_new(m, r, l, by_user);
	tell_success(m, r, &x->leaves);
	recipient_stage(m, r, STAGE_RECORDING);
	spool_expand(queue.spool, &m->entry, x->rcpt, x->rcpts, x->leaves.n, expansion_done, x);
}

static void mark_twice(struct message *m, struct recipient *r)
{
	r->state = SPOOL_RCPT_DUPLICATE;
	recipient_stage(m, r, STAGE_DONE);
}

bool queue_expand_dry(struct message *m, struct recipient *r, struct leaves *l, struct slice by_user)
{
	struct expansion *x;

	if (is_refused(m, r, l)) {
		leaves_free(l);
		return false;
	}
	x = expansion_new(m, r, l, by_user);
	expansion_apply(x, mark_twice);
	expansion_free(x);
	return true;
}
