/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.c - see message.h; strings of one lifetime share one allocation
 *
 * A live message keeps the bytes it was thawed from: its envelope is read there, and the strings of its
 * recipients point there. Their counted references to shared texts belong to the recipients while it is live,
 * to the bytes while it is frozen.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "queue/frozen.h"
#include "queue/identity.h"

/* ---- strings packed into one block ---- */

char *packed_copy(const struct packed *parts, size_t n)
{
	size_t total = 0;
	char *text, *at;

	for (size_t i = 0; i < n; i++)
		total += parts[i].from.len;
	text = at = mem_new(total);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].from.len)
			memcpy(at, parts[i].from.at, parts[i].from.len);
		*parts[i].to = (struct slice){ at, parts[i].from.len };
		at += parts[i].from.len;
	}
	return text;
}

/* ---- recipients ---- */

static void recipient_init(struct recipient *r, const struct spool_recipient *from)
{
	*r = (struct recipient){
		.forward_path = from->forward_path,
		.original = from->original,
		.orcpt = from->orcpt,
		.reverse_path = from->reverse_path,
		.trail = from->trail,
		.origin_key = from->origin_key,
		.has_reverse_path = from->has_reverse_path,
		.notify = from->notify,
		.flags = from->flags,
		.parent = from->parent,
		.kind = from->kind,
		.origin = from->origin,
		.origin_item = from->origin_item,
		.origin_uid = from->origin_uid,
		.state = from->progress.state,
		.attempts = from->progress.attempts,
		.progress_flags = from->progress.flags,
		.first_attempt_us = from->progress.first_attempt_us,
		.last_attempt_us = from->progress.last_attempt_us,
		.next_attempt_us = from->progress.next_attempt_us,
	};
}

static void recipient_copy_strings(struct recipient *r)
{
	const struct packed parts[] = {
		{ &r->forward_path, r->forward_path },
		{ &r->original, r->original },
		{ &r->orcpt, r->orcpt },
		{ &r->reverse_path, r->reverse_path },
		{ &r->trail, r->trail },
		{ &r->origin_key, r->origin_key },
	};

	r->text = packed_copy(parts, ARRAY_LEN(parts));
}

/* Takes the reference. */
static void recipient_take_outcome(struct recipient *r, struct interned *outcome)
{
	r->outcome = outcome;
	outcome_texts(outcome, &r->status, &r->reason, &r->remote);
}

void recipient_set_outcome(struct recipient *r, struct slice status, struct slice reason, struct slice remote)
{
	struct interned *old = r->outcome, *outcome;

	CHECK(outcome_new(status, reason, remote, &outcome)); /* as mem_new: a small object or none */
	recipient_take_outcome(r, outcome);		      /* the old texts may have been among the new */
	intern_unref(&message_texts, &old);
	r->setup_us = r->transmission_us = 0;
}

void recipient_progress(const struct recipient *r, struct spool_progress *out)
{
	*out = (struct spool_progress){
		.state = r->state,
		.attempts = r->attempts,
		.flags = r->progress_flags,
		.first_attempt_us = r->first_attempt_us,
		.last_attempt_us = r->last_attempt_us,
		.next_attempt_us = r->next_attempt_us,
		.status = r->status,
		.reason = r->reason,
	};
}

void recipient_view(const struct recipient *r, struct spool_recipient *out)
{
	*out = (struct spool_recipient){
		.forward_path = r->forward_path,
		.original = r->original,
		.orcpt = r->orcpt,
		.reverse_path = r->reverse_path,
		.has_reverse_path = r->has_reverse_path,
		.trail = r->trail,
		.parent = r->parent,
		.notify = r->notify,
		.kind = r->kind,
		.flags = r->flags,
		.origin = r->origin,
		.origin_key = r->origin_key,
		.origin_item = r->origin_item,
		.origin_uid = r->origin_uid,
	};
	recipient_progress(r, &out->progress);
}

void recipient_stage(struct message *m, struct recipient *r, enum recipient_stage stage)
{
	m->live->n_in[r->stage]--;
	m->live->n_in[stage]++;
	r->stage = (uint8_t)stage;
}

struct slice recipient_reverse_path(const struct message *m, const struct recipient *r)
{
	return r->has_reverse_path ? r->reverse_path : message_reverse_path(m);
}

#define TRAILS_BYTES ((size_t)64 * 1024 * 1024) /* each new recipient has a trail of its own */

bool message_has_room(const struct message *m, const struct recipient *r, size_t n)
{
	return n <= LIMIT_RECIPIENTS && m->n_rcpts <= LIMIT_RECIPIENTS - n &&
		n * (r->trail.len + 1) <= TRAILS_BYTES;
}

/* ---- live messages ---- */

static struct {
	size_t n, n_recipients;
} living;

size_t message_n_live(void)
{
	return living.n;
}

size_t message_n_live_recipients(void)
{
	return living.n_recipients;
}

/* The array moves when it grows, and the identity nodes lie in it: they are entered again. */
static void recipients_grow(struct message *m)
{
	uint32_t cap = MAX(m->live->cap * 2, 1U);
	struct recipient *grown = mem_new_array(cap, sizeof(*grown));

	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		grown[i] = m->rcpts[i];
		if (!m->rcpts[i].has_identity)
			continue;
		identity_leave(m->live, &m->rcpts[i]);
		identity_enter(m->live, &grown[i]);
	}
	mem_free(m->rcpts);
	m->rcpts = grown;
	m->live->cap = cap;
}

uint32_t message_add(struct message *m, const struct spool_recipient *rcpt)
{
	struct recipient *r;

	if (m->n_rcpts == m->live->cap)
		recipients_grow(m);
	r = &m->rcpts[m->n_rcpts];
	recipient_init(r, rcpt);
	recipient_copy_strings(r);
	recipient_set_outcome(r, rcpt->progress.status, rcpt->progress.reason, SLICE_EMPTY);
	r->stage = spool_rcpt_state_is_final(r->state) ? STAGE_DONE : STAGE_NEW;
	m->live->n_in[r->stage]++;
	living.n_recipients++;
	return m->n_rcpts++;
}

static void recipient_thaw(struct live *live, struct recipient *r, const struct recipient_view *v)
{
	recipient_init(r, &v->spool);
	recipient_take_outcome(r, v->outcome);
	r->reconcile = v->reconcile;
	r->waits_for = v->waits_for;
	r->stage = (uint8_t)v->stage;
	live->n_in[r->stage]++;
	if (!v->has_identity)
		return;
	r->leaf = v->leaf;
	r->user = v->user;
	identity_enter(live, r);
}

void message_thaw(struct message *m)
{
	struct recipient_cursor c = message_cursor(m);
	struct recipient *rcpts;
	struct recipient_view v;
	struct live *live;

	if (m->live)
		return;
	live = mem_new(sizeof(*live));
	live->m = m;
	live->since_us = clock_wall_us();
	live->cap = m->n_rcpts;
	list_init(&live->in_routing);
	rcpts = mem_new_array(m->n_rcpts, sizeof(*rcpts));
	for (uint32_t i = 0; recipient_next(&c, &v); i++)
		recipient_thaw(live, &rcpts[i], &v);
	m->live = live;
	m->rcpts = rcpts;
	living.n++;
	living.n_recipients += m->n_rcpts;
}

static void live_free(struct message *m)
{
	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		mem_free(m->rcpts[i].text);
		mem_free(m->rcpts[i].leaf_text);
	}
	living.n--;
	living.n_recipients -= m->n_rcpts;
	table_deinit(&m->live->identities);
	mem_free(take_ptr(&m->live));
	mem_free(take_ptr(&m->rcpts));
}

/* ---- frozen messages ---- */

#define SCRATCH_KEPT ((size_t)64 * 1024)

static struct buf scratch = BUF_INIT(SIZE_MAX / 2);

static void scratch_clear(void)
{
	if (scratch.cap > SCRATCH_KEPT)
		buf_free(&scratch); /* a list of ten thousands is a rare guest */
	buf_clear(&scratch);
}

/* What was put together there becomes m's bytes. False: no memory. */
static bool packed_replace(struct message *m)
{
	char *packed =
		buf_ok(&scratch) && scratch.len <= UINT32_MAX ? slab_new(&message_slabs, scratch.len) : NULL;

	if (packed) {
		memcpy(packed, scratch.at, scratch.len);
		slab_free(&message_slabs, m->packed, m->packed_bytes);
		m->packed = packed;
		m->packed_bytes = (uint32_t)scratch.len;
	}
	return packed;
}

void message_freeze(struct message *m)
{
	struct recipient_view v;
	uint32_t n_open = message_n_open(m);

	CHECK(!message_n_moving(m) && !m->live->n_jobs && !m->live->n_reports &&
		!list_linked(&m->live->in_routing));
	scratch_clear();
	buf_append(&scratch, (struct slice){ m->packed, m->envelope_bytes });
	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		recipient_to_view(&m->rcpts[i], &v);
		frozen_put_recipient(&scratch, m->arrival_us, i, &v);
	}
	if (!packed_replace(m))
		return;
	live_free(m);
	m->n_open_frozen = n_open;
}

static void references_drop(struct message *m)
{
	struct recipient_cursor c = message_cursor(m);
	struct recipient_view v;

	while (recipient_next(&c, &v))
		intern_unref(&message_texts, &v.outcome);
	frozen_envelope_unref(m);
}

static bool put_new_recipient(struct message *m, const struct spool_recipient *rcpt)
{
	const struct spool_progress *p = &rcpt->progress;
	struct recipient_view v = { .spool = *rcpt, .reconcile = m->was_recovered };
	bool is_final = spool_rcpt_state_is_final(p->state);
	size_t len = scratch.len;

	v.stage = is_final ? STAGE_DONE : p->attempts ? STAGE_WAITING : STAGE_NEW;
	if (!outcome_new(p->status, p->reason, SLICE_EMPTY, &v.outcome))
		return false;
	frozen_put_recipient(&scratch, m->arrival_us, m->n_rcpts, &v);
	if (!buf_ok(&scratch)) {
		intern_unref(&message_texts, &v.outcome);
		scratch.len = len;
		return false;
	}
	m->n_rcpts++;
	m->n_open_frozen += !is_final;
	m->was_tried |= p->attempts > 0;
	return true;
}

static bool message_pack(struct message *m, const struct spool_envelope *env,
	const struct spool_recipient *rcpts, size_t n_rcpts)
{
	bool fits = true;

	scratch_clear();
	if (!frozen_put_envelope(&scratch, env))
		return false;
	m->envelope_bytes = (uint32_t)scratch.len;
	for (size_t i = 0; i < n_rcpts && fits; i++)
		fits = put_new_recipient(m, &rcpts[i]);
	if (fits && packed_replace(m))
		return true;
	m->packed = scratch.at;
	m->packed_bytes = (uint32_t)scratch.len;
	references_drop(m);
	return false;
}

static struct message *message_make(const struct spool_envelope *env, const struct spool_recipient *rcpts,
	size_t n_rcpts, bool was_recovered)
{
	struct message *m = slab_new(&message_slabs, sizeof(*m));
	uint64_t now_us = clock_wall_us();
	uint64_t age_us = env->arrival_us < now_us ? now_us - env->arrival_us : 0;

	if (!m)
		return NULL;
	m->entry.id = env->id;
	m->arrival_us = env->arrival_us;
	/* Wraps below zero and back: only differences count. */
	m->born_mono_s = (uint32_t)(clock_mono_ms() / 1000 - age_us / 1000000);
	m->flags = env->flags;
	m->ret = (uint8_t)env->ret;
	m->body_type = (uint8_t)env->body_type;
	m->priority = env->priority;
	m->smtputf8 = env->smtputf8;
	m->was_recovered = was_recovered;
	list_init(&m->in_all);
	if (!message_pack(m, env, rcpts, n_rcpts)) {
		slab_free(&message_slabs, m, sizeof(*m));
		return NULL;
	}
	return m;
}

struct message *message_new(
	const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	return message_make(env, rcpts, n_rcpts, false);
}

struct message *message_recover(
	const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	return message_make(env, rcpts, n_rcpts, true);
}

void message_free(struct message **mp)
{
	struct message *m = take_ptr(mp);

	if (!m)
		return;
	if (m->live) {
		for (uint32_t i = 0; i < m->n_rcpts; i++)
			intern_unref(&message_texts, &m->rcpts[i].outcome);
		live_free(m);
		frozen_envelope_unref(m);
	} else {
		references_drop(m);
	}
	slab_free(&message_slabs, m->packed, m->packed_bytes);
	slab_free(&message_slabs, m, sizeof(*m));
}

uint64_t message_age_s(const struct message *m)
{
	return (uint32_t)(clock_mono_ms() / 1000) - m->born_mono_s;
}

void message_memory_init(size_t max_bytes)
{
	slabs_init(&message_slabs, max_bytes);
}
