/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - see message.h; strings of one lifetime share one allocation */
#include "queue/message.h"
#include "base/clock.h"
#include "base/limits.h"

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
	const struct packed parts[] = {
		{ &r->forward_path, from->forward_path },
		{ &r->original, from->original },
		{ &r->orcpt, from->orcpt },
		{ &r->reverse_path, from->reverse_path },
		{ &r->trail, from->trail },
		{ &r->origin_key, from->origin_key },
	};
	r->text = packed_copy(parts, ARRAY_LEN(parts));
	recipient_set_outcome(r, from->progress.status, from->progress.reason, SLICE_EMPTY);
	r->stage = spool_rcpt_state_is_final(r->state) ? STAGE_DONE : STAGE_NEW;
}

void recipient_set_outcome(struct recipient *r, struct slice status, struct slice reason, struct slice remote)
{
	char *old = r->outcome_text;
	const struct packed parts[] = {
		{ &r->status, slice_first(status, 16) },
		{ &r->reason, slice_first(reason, LIMIT_REASON) },
		{ &r->remote, slice_first(remote, LIMIT_ADDRESS) },
	};

	r->outcome_text = packed_copy(parts, ARRAY_LEN(parts));
	mem_free(old);
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
	m->n_in[r->stage]--;
	m->n_in[stage]++;
	r->stage = (uint8_t)stage;
}

struct slice recipient_reverse_path(const struct message *m, const struct recipient *r)
{
	return r->has_reverse_path ? r->reverse_path : m->reverse_path;
}

/* ---- the same delivery twice? ---- */

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

static bool identity_taken(const struct message *m, const struct recipient *r, uint64_t hash)
{
	for (struct table_node *n = table_first(&m->identities, hash); n; n = table_next(n, hash)) {
		const struct recipient *other = CONTAINER_OF(n, struct recipient, identity);
		/* What was replaced by others is no delivery: a mail that comes back to it is one. */
		if (other != r && other->state != SPOOL_RCPT_EXPANDED && identity_equal(other, r))
			return true;
	}
	return false;
}

bool recipient_resolve(struct message *m, struct recipient *r, enum leaf_kind leaf, struct slice destination)
{
	char *old = r->leaf_text;

	if (r->has_identity)
		table_remove(&m->identities, &r->identity);
	r->has_identity = false;
	r->leaf = (uint8_t)leaf;
	r->leaf_text = slice_dup(destination);
	mem_free(old);
	r->user = (struct slice){ r->leaf_text, destination.len };
	if (m->n_rcpts == 1)
		return true;
	uint64_t hash = identity_hash(r);
	if (identity_taken(m, r, hash))
		return false;
	table_insert(&m->identities, &r->identity, hash);
	r->has_identity = true;
	return true;
}

/* ---- messages ---- */

/* The array moves when it grows, and the identity nodes lie in it: they are entered again. */
static void recipients_grow(struct message *m, uint32_t n)
{
	struct recipient *grown = mem_new_array(n, sizeof(*grown));

	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		grown[i] = m->rcpts[i];
		if (!m->rcpts[i].has_identity)
			continue;
		table_remove(&m->identities, &m->rcpts[i].identity);
		table_insert(&m->identities, &grown[i].identity, identity_hash(&grown[i]));
	}
	mem_free(m->rcpts);
	m->rcpts = grown;
}

uint32_t message_add(struct message *m, const struct spool_recipient *rcpt)
{
	uint32_t n = m->n_rcpts;

	if (n == 0)
		m->rcpts = mem_new(sizeof(*m->rcpts));
	else if ((n & (n - 1)) == 0) /* full at each power of two */
		recipients_grow(m, n * 2);
	recipient_init(&m->rcpts[n], rcpt);
	m->n_in[m->rcpts[n].stage]++;
	m->n_rcpts++;
	return n;
}

struct message *message_new(
	const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	struct message *m = mem_new(sizeof(*m));
	uint64_t now_us = clock_wall_us();
	uint64_t age_ms = env->arrival_us < now_us ? (now_us - env->arrival_us) / 1000 : 0;
	const struct packed parts[] = {
		{ &m->reverse_path, env->reverse_path },
		{ &m->envid, env->envid },
		{ &m->client_address, env->client_address },
		{ &m->client_name, env->client_name },
		{ &m->client_helo, env->client_helo },
		{ &m->protocol, env->protocol },
		{ &m->login, env->login },
		{ &m->submission, env->submission },
	};

	m->text = packed_copy(parts, ARRAY_LEN(parts));
	m->entry.id = env->id;
	m->arrival_us = env->arrival_us;
	m->born_mono_ms = clock_mono_ms() - age_ms; /* wraps below zero and back: only differences count */
	m->flags = env->flags;
	m->ret = (uint8_t)env->ret;
	m->body_type = (uint8_t)env->body_type;
	m->smtputf8 = env->smtputf8;
	list_init(&m->in_all);
	list_init(&m->in_routing);
	for (size_t i = 0; i < n_rcpts; i++)
		(void)message_add(m, &rcpts[i]);
	return m;
}

void message_free(struct message **mp)
{
	struct message *m = take_ptr(mp);

	if (!m)
		return;
	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		mem_free(m->rcpts[i].text);
		mem_free(m->rcpts[i].outcome_text);
		mem_free(m->rcpts[i].leaf_text);
	}
	table_deinit(&m->identities);
	mem_free(m->rcpts);
	mem_free(m->text);
	mem_free(m);
}

void message_envelope(const struct message *m, struct spool_envelope *out)
{
	*out = (struct spool_envelope){
		.id = m->entry.id,
		.arrival_us = m->arrival_us,
		.content_bytes = m->entry.content_bytes,
		.reverse_path = m->reverse_path,
		.envid = m->envid,
		.ret = m->ret,
		.body_type = m->body_type,
		.smtputf8 = m->smtputf8,
		.flags = m->flags,
		.client_address = m->client_address,
		.client_name = m->client_name,
		.client_helo = m->client_helo,
		.protocol = m->protocol,
		.login = m->login,
		.submission = m->submission,
	};
}

uint64_t message_age_s(const struct message *m)
{
	return (clock_mono_ms() - m->born_mono_ms) / 1000;
}
