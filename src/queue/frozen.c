/* SPDX-License-Identifier: Apache-2.0 */
/* frozen.c - see frozen.h; the views of message.h, which read packed bytes and live messages alike */
#include "queue/frozen.h"
#include "base/fields.h"
#include "base/limits.h"

struct slabs message_slabs;
struct interner message_texts = INTERNER_INIT(&message_slabs);

/* What a recipient's bytes hold beyond its address, the usual ones first: they fit in one byte. */
enum held {
	HAS_OUTCOME = 1u << 0,
	HAS_ATTEMPTS = 1u << 1,
	IS_WAITING = 1u << 2,
	IS_RECONCILED = 1u << 3,
	HAS_STATE = 1u << 4,
	HAS_NOTIFY = 1u << 5,
	HAS_ORIGINAL = 1u << 6, /* another than the forward-path */
	HAS_ORCPT = 1u << 7,
	HAS_IDENTITY = 1u << 8,
	HAS_PARENT = 1u << 9, /* another than itself */
	HAS_TRAIL = 1u << 10, /* another than the forward-path */
	HAS_FLAGS = 1u << 11,
	HAS_REVERSE_PATH = 1u << 12,
	HAS_ORIGIN = 1u << 13,
	HAS_DESTINATION = 1u << 14,
};

static void put_reference(struct buf *to, struct interned *i)
{
	buf_append(to, (struct slice){ (const char *)&i, sizeof(i) });
}

static struct interned *get_reference(struct fields *f)
{
	struct interned *i = NULL;

	CHECK(f->rest.len >= sizeof(i));
	memcpy(&i, f->rest.at, sizeof(i));
	f->rest = slice_from(f->rest, sizeof(i));
	return i;
}

/* Our own bytes: what does not fit is a bug of ours. */
static uint64_t get_number(struct fields *f)
{
	uint64_t value = fields_number(f, UINT64_MAX);

	CHECK(!f->failed);
	return value;
}

static struct slice get_string(struct fields *f)
{
	struct slice s = fields_string(f, SIZE_MAX);

	CHECK(!f->failed);
	return s;
}

/* ---- shared texts ---- */

static bool texts_intern(const struct slice *texts, size_t n, struct interned **out)
{
	auto_buf struct buf bytes = BUF_INIT(SIZE_MAX / 2);
	size_t total = 0;

	for (size_t i = 0; i < n; i++) {
		fields_put_string(&bytes, texts[i]);
		total += texts[i].len;
	}
	struct interned *i = total && buf_ok(&bytes) ? intern(&message_texts, buf_slice(&bytes)) : NULL;
	if (total && !i)
		return false;
	*out = i;
	return true;
}

bool outcome_new(struct slice status, struct slice reason, struct slice remote, struct interned **outcome_out)
{
	const struct slice texts[] = { slice_first(status, 16), slice_first(reason, LIMIT_REASON),
		slice_first(remote, LIMIT_ADDRESS) };

	return texts_intern(texts, ARRAY_LEN(texts), outcome_out);
}

void outcome_texts(const struct interned *o, struct slice *status, struct slice *reason, struct slice *remote)
{
	struct fields f = { .rest = interned_slice(o) };

	*status = *reason = *remote = SLICE_EMPTY;
	if (!o)
		return;
	*status = get_string(&f);
	*reason = get_string(&f);
	*remote = get_string(&f);
}

/* ---- envelope ---- */

bool frozen_put_envelope(struct buf *to, const struct spool_envelope *env)
{
	const struct slice client[] = { env->client_address, env->client_name, env->client_helo,
		env->protocol, env->login };
	struct interned *by;

	if (!texts_intern(client, ARRAY_LEN(client), &by))
		return false;
	put_reference(to, by);
	fields_put_string(to, env->reverse_path);
	fields_put_string(to, env->envid);
	fields_put_string(to, env->submission);
	if (!buf_ok(to))
		intern_unref(&message_texts, &by);
	return buf_ok(to);
}

static struct fields packed_envelope(const struct message *m)
{
	return (struct fields){ .rest = { m->packed, m->envelope_bytes } };
}

void frozen_envelope_unref(const struct message *m)
{
	struct fields f = packed_envelope(m);
	struct interned *by = get_reference(&f);

	intern_unref(&message_texts, &by);
}

struct slice message_reverse_path(const struct message *m)
{
	struct fields f = packed_envelope(m);

	(void)get_reference(&f);
	return get_string(&f);
}

struct slice message_submission(const struct message *m)
{
	struct spool_envelope env;

	message_envelope(m, &env);
	return env.submission;
}

void message_envelope(const struct message *m, struct spool_envelope *out)
{
	struct fields f = packed_envelope(m);
	const struct interned *by = get_reference(&f);
	struct fields client = { .rest = interned_slice(by) };

	*out = (struct spool_envelope){
		.id = m->entry.id,
		.arrival_us = m->arrival_us,
		.content_bytes = m->entry.content_bytes,
		.ret = m->ret,
		.body_type = m->body_type,
		.smtputf8 = m->smtputf8,
		.flags = m->flags,
		.priority = m->priority,
	};
	out->reverse_path = get_string(&f);
	out->envid = get_string(&f);
	out->submission = get_string(&f);
	out->client_address = by ? get_string(&client) : SLICE_EMPTY;
	out->client_name = by ? get_string(&client) : SLICE_EMPTY;
	out->client_helo = by ? get_string(&client) : SLICE_EMPTY;
	out->protocol = by ? get_string(&client) : SLICE_EMPTY;
	out->login = by ? get_string(&client) : SLICE_EMPTY;
}

/* ---- recipients ---- */

static unsigned what_is_held(uint32_t number, const struct recipient_view *v)
{
	const struct spool_recipient *r = &v->spool;
	const struct spool_progress *p = &r->progress;

	return (v->outcome ? HAS_OUTCOME : 0) |
		(p->attempts || p->first_attempt_us || p->last_attempt_us || p->next_attempt_us ? HAS_ATTEMPTS
												: 0) |
		(v->stage == STAGE_WAITING ? IS_WAITING : 0) | (v->reconcile ? IS_RECONCILED : 0) |
		(p->state ? HAS_STATE : 0) | (r->notify ? HAS_NOTIFY : 0) |
		(slice_eq(r->original, r->forward_path) ? 0 : HAS_ORIGINAL) | (r->orcpt.len ? HAS_ORCPT : 0) |
		(v->has_identity ? HAS_IDENTITY : 0) | (r->parent != number ? HAS_PARENT : 0) |
		(slice_eq(r->trail, r->forward_path) ? 0 : HAS_TRAIL) |
		(r->flags || p->flags ? HAS_FLAGS : 0) | (r->has_reverse_path ? HAS_REVERSE_PATH : 0) |
		(v->waits_for ? HAS_DESTINATION : 0) |
		(r->kind || r->origin || r->origin_key.len || r->origin_item || r->origin_uid ? HAS_ORIGIN
											      : 0);
}

static void put_attempts(struct buf *to, uint64_t arrival_us, const struct spool_progress *p)
{
	fields_put_number(to, p->attempts);
	fields_put_number(to, fields_fold(p->first_attempt_us - arrival_us));
	fields_put_number(to, fields_fold(p->last_attempt_us - p->first_attempt_us));
	fields_put_number(to, fields_fold(p->next_attempt_us - p->last_attempt_us));
}

static void get_attempts(struct fields *f, uint64_t arrival_us, struct spool_progress *p)
{
	p->attempts = (uint32_t)get_number(f);
	p->first_attempt_us = arrival_us + fields_unfold(get_number(f));
	p->last_attempt_us = p->first_attempt_us + fields_unfold(get_number(f));
	p->next_attempt_us = p->last_attempt_us + fields_unfold(get_number(f));
}

static void put_origin(struct buf *to, const struct spool_recipient *r)
{
	fields_put_number(to, r->kind);
	fields_put_number(to, r->origin);
	fields_put_string(to, r->origin_key);
	fields_put_number(to, r->origin_item);
	fields_put_number(to, r->origin_uid);
}

static void get_origin(struct fields *f, struct spool_recipient *r)
{
	r->kind = (enum spool_rcpt_kind)get_number(f);
	r->origin = (enum spool_origin)get_number(f);
	r->origin_key = get_string(f);
	r->origin_item = (uint32_t)get_number(f);
	r->origin_uid = (uint32_t)get_number(f);
}

/* get_recipient() below reads in the same order. */
void frozen_put_recipient(
	struct buf *to, uint64_t arrival_us, uint32_t number, const struct recipient_view *v)
{
	const struct spool_recipient *r = &v->spool;
	unsigned held = what_is_held(number, v);

	fields_put_number(to, held);
	fields_put_string(to, r->forward_path);
	if (held & HAS_OUTCOME)
		put_reference(to, v->outcome);
	if (held & HAS_ATTEMPTS)
		put_attempts(to, arrival_us, &r->progress);
	if (held & HAS_STATE)
		fields_put_number(to, r->progress.state);
	if (held & HAS_NOTIFY)
		fields_put_number(to, r->notify);
	if (held & HAS_ORIGINAL)
		fields_put_string(to, r->original);
	if (held & HAS_ORCPT)
		fields_put_string(to, r->orcpt);
	if (held & HAS_IDENTITY) {
		fields_put_number(to, v->leaf);
		fields_put_string(to, v->leaf == LEAF_USER ? v->user : SLICE_EMPTY);
	}
	if (held & HAS_PARENT)
		fields_put_number(to, r->parent);
	if (held & HAS_TRAIL)
		fields_put_string(to, r->trail);
	if (held & HAS_FLAGS) {
		fields_put_number(to, r->flags);
		fields_put_number(to, r->progress.flags);
	}
	if (held & HAS_REVERSE_PATH)
		fields_put_string(to, r->reverse_path);
	if (held & HAS_ORIGIN)
		put_origin(to, r);
	if (held & HAS_DESTINATION)
		fields_put_number(to, v->waits_for);
}

static void get_outcome(struct fields *f, struct recipient_view *v)
{
	v->outcome = get_reference(f);
	outcome_texts(v->outcome, &v->spool.progress.status, &v->spool.progress.reason, &v->remote);
}

static void get_recipient(struct fields *f, uint64_t arrival_us, uint32_t number, struct recipient_view *v)
{
	struct spool_recipient *r = &v->spool;
	unsigned held = (unsigned)get_number(f);

	*v = (struct recipient_view){
		.reconcile = held & IS_RECONCILED,
		.has_identity = held & HAS_IDENTITY,
		.user = SLICE_EMPTY,
		.remote = SLICE_EMPTY,
		.spool = { .orcpt = SLICE_EMPTY,
			.reverse_path = SLICE_EMPTY,
			.origin_table = SLICE_EMPTY,
			.origin_key = SLICE_EMPTY,
			.progress = { .status = SLICE_EMPTY, .reason = SLICE_EMPTY } },
	};
	r->forward_path = r->original = r->trail = get_string(f);
	r->parent = number;
	if (held & HAS_OUTCOME)
		get_outcome(f, v);
	if (held & HAS_ATTEMPTS)
		get_attempts(f, arrival_us, &r->progress);
	if (held & HAS_STATE)
		r->progress.state = (enum spool_rcpt_state)get_number(f);
	if (held & HAS_NOTIFY)
		r->notify = (uint8_t)get_number(f);
	if (held & HAS_ORIGINAL)
		r->original = get_string(f);
	if (held & HAS_ORCPT)
		r->orcpt = get_string(f);
	if (held & HAS_IDENTITY) {
		v->leaf = (uint8_t)get_number(f);
		v->user = get_string(f);
	}
	if (held & HAS_PARENT)
		r->parent = (uint32_t)get_number(f);
	if (held & HAS_TRAIL)
		r->trail = get_string(f);
	if (held & HAS_FLAGS) {
		r->flags = (uint32_t)get_number(f);
		r->progress.flags = (uint32_t)get_number(f);
	}
	r->has_reverse_path = held & HAS_REVERSE_PATH;
	if (r->has_reverse_path)
		r->reverse_path = get_string(f);
	if (held & HAS_ORIGIN)
		get_origin(f, r);
	if (held & HAS_DESTINATION)
		v->waits_for = (uint32_t)get_number(f);
	v->stage = spool_rcpt_state_is_final(r->progress.state) ? STAGE_DONE
		: held & IS_WAITING				? STAGE_WAITING
								: STAGE_NEW;
}

/* ---- both kinds ---- */

struct recipient_cursor message_cursor(const struct message *m)
{
	return (struct recipient_cursor){ .m = m,
		.rest = { m->packed + m->envelope_bytes, m->packed_bytes - m->envelope_bytes } };
}

void recipient_to_view(const struct recipient *r, struct recipient_view *out)
{
	*out = (struct recipient_view){
		.stage = r->stage,
		.waits_for = r->waits_for,
		.reconcile = r->reconcile,
		.has_identity = r->has_identity,
		.leaf = r->leaf,
		.user = r->user,
		.remote = r->remote,
		.outcome = r->outcome,
	};
	recipient_view(r, &out->spool);
}

bool recipient_next(struct recipient_cursor *c, struct recipient_view *out)
{
	struct fields f = { .rest = c->rest };

	if (c->next == c->m->n_rcpts)
		return false;
	if (c->m->live) {
		recipient_to_view(&c->m->rcpts[c->next++], out);
		return true;
	}
	get_recipient(&f, c->m->arrival_us, c->next++, out);
	c->rest = f.rest;
	return true;
}

void message_recipients(const struct message *m, struct spool_recipient *out)
{
	struct recipient_cursor c = message_cursor(m);
	struct recipient_view v;

	for (uint32_t i = 0; recipient_next(&c, &v); i++)
		out[i] = v.spool;
}
