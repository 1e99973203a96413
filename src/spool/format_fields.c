/* SPDX-License-Identifier: Apache-2.0 */
/* format_fields.c - the fields behind a record's header: numbers as LEB128, strings counted; see format.h */
#include "spool/format.h"
#include "base/fields.h"

#define RCPT_MIN_BYTES 23 /* one of each field, all empty: bounds the count before memory is taken for it */

/* ---- writing ---- */

void format_put_number(struct buf *to, uint64_t value)
{
	fields_put_number(to, value);
}

static void put_string(struct buf *to, struct slice s)
{
	if (s.len > FORMAT_STRING_MAX) {
		to->failed = true;
		return;
	}
	fields_put_string(to, s);
}

static void put_progress(struct buf *to, const struct spool_progress *p)
{
	format_put_number(to, p->state);
	format_put_number(to, p->attempts);
	format_put_number(to, p->flags);
	format_put_number(to, p->first_attempt_us);
	format_put_number(to, p->last_attempt_us);
	format_put_number(to, p->next_attempt_us);
	put_string(to, p->status);
	put_string(to, p->reason);
}

static void put_recipient(struct buf *to, const struct spool_recipient *r)
{
	format_put_number(to, r->kind);
	format_put_number(to, r->flags);
	format_put_number(to, r->notify);
	format_put_number(to, r->parent);
	put_string(to, r->forward_path);
	put_string(to, r->original);
	put_string(to, r->orcpt);
	format_put_number(to, r->has_reverse_path);
	put_string(to, r->reverse_path);
	put_string(to, r->trail);
	format_put_number(to, r->origin);
	put_string(to, r->origin_table);
	put_string(to, r->origin_key);
	format_put_number(to, r->origin_item);
	format_put_number(to, r->origin_uid);
	put_progress(to, &r->progress);
}

static void put_recipients(struct buf *to, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	format_put_number(to, n_rcpts);
	for (size_t i = 0; i < n_rcpts; i++)
		put_recipient(to, &rcpts[i]);
}

void format_put_message(
	struct buf *to, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	format_put_number(to, env->arrival_us);
	format_put_number(to, env->content_bytes);
	format_put_number(to, env->ret);
	format_put_number(to, env->body_type);
	format_put_number(to, env->smtputf8);
	format_put_number(to, env->flags);
	format_put_number(to, env->priority);
	put_string(to, env->reverse_path);
	put_string(to, env->envid);
	put_string(to, env->client_address);
	put_string(to, env->client_name);
	put_string(to, env->client_helo);
	put_string(to, env->protocol);
	put_string(to, env->login);
	put_string(to, env->submission);
	put_recipients(to, rcpts, n_rcpts);
}

void format_put_expand(struct buf *to, uint32_t rcpt_no, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	format_put_number(to, rcpt_no);
	put_recipients(to, rcpts, n_rcpts);
}

void format_put_result(struct buf *to, uint32_t rcpt_no, const struct spool_progress *progress)
{
	format_put_number(to, rcpt_no);
	put_progress(to, progress);
}

/* ---- reading ---- */

static struct slice get_string(struct fields *f)
{
	return fields_string(f, FORMAT_STRING_MAX);
}

static struct spool_progress get_progress(struct fields *f)
{
	struct spool_progress p = { 0 };

	p.state = (enum spool_rcpt_state)fields_number(f, SPOOL_RCPT_STATES - 1);
	p.attempts = (uint32_t)fields_number(f, UINT32_MAX);
	p.flags = (uint32_t)fields_number(f, UINT32_MAX);
	p.first_attempt_us = fields_number(f, UINT64_MAX);
	p.last_attempt_us = fields_number(f, UINT64_MAX);
	p.next_attempt_us = fields_number(f, UINT64_MAX);
	p.status = get_string(f);
	p.reason = get_string(f);
	return p;
}

static struct spool_recipient get_recipient(struct fields *f)
{
	struct spool_recipient r = { 0 };

	r.kind = (enum spool_rcpt_kind)fields_number(f, SPOOL_RCPT_KINDS - 1);
	r.flags = (uint32_t)fields_number(f, UINT32_MAX);
	r.notify = (uint8_t)fields_number(f, UINT8_MAX);
	r.parent = (uint32_t)fields_number(f, UINT32_MAX);
	r.forward_path = get_string(f);
	r.original = get_string(f);
	r.orcpt = get_string(f);
	r.has_reverse_path = fields_number(f, 1);
	r.reverse_path = get_string(f);
	r.trail = get_string(f);
	r.origin = (enum spool_origin)fields_number(f, SPOOL_ORIGIN_USER);
	r.origin_table = get_string(f);
	r.origin_key = get_string(f);
	r.origin_item = (uint32_t)fields_number(f, UINT32_MAX);
	r.origin_uid = (uint32_t)fields_number(f, UINT32_MAX);
	r.progress = get_progress(f);
	return r;
}

static void rcpts_make_room(struct format_rcpts *rcpts, size_t n_more)
{
	size_t need = rcpts->n + n_more;
	struct spool_recipient *grown;

	if (need <= rcpts->cap)
		return;
	grown = mem_new_array(MAX(need, rcpts->cap * 2), sizeof(*grown));
	if (rcpts->n)
		memcpy(grown, rcpts->at, rcpts->n * sizeof(*grown));
	mem_free(rcpts->at);
	rcpts->at = grown;
	rcpts->cap = MAX(need, rcpts->cap * 2);
}

static void get_recipients(struct fields *f, struct format_rcpts *rcpts)
{
	size_t n = (size_t)fields_number(f, f->rest.len / RCPT_MIN_BYTES);

	rcpts_make_room(rcpts, n);
	for (size_t i = 0; i < n && !f->failed; i++)
		rcpts->at[rcpts->n++] = get_recipient(f);
}

bool format_get_message(struct slice meta, struct spool_envelope *env_out, struct format_rcpts *rcpts_out)
{
	struct fields f = { .rest = meta };
	struct spool_envelope env = { 0 };

	env.arrival_us = fields_number(&f, UINT64_MAX);
	env.content_bytes = fields_number(&f, INT64_MAX);
	env.ret = (enum ret)fields_number(&f, RET_HDRS);
	env.body_type = (enum body_type)fields_number(&f, BODY_8BITMIME);
	env.smtputf8 = fields_number(&f, 1);
	env.flags = (uint32_t)fields_number(&f, UINT32_MAX);
	env.priority = (uint8_t)fields_number(&f, UINT8_MAX);
	env.reverse_path = get_string(&f);
	env.envid = get_string(&f);
	env.client_address = get_string(&f);
	env.client_name = get_string(&f);
	env.client_helo = get_string(&f);
	env.protocol = get_string(&f);
	env.login = get_string(&f);
	env.submission = get_string(&f);
	get_recipients(&f, rcpts_out);
	*env_out = env;
	return fields_at_end(&f);
}

bool format_get_expand(struct slice meta, struct format_rcpts *rcpts)
{
	struct fields f = { .rest = meta };
	size_t n_before = rcpts->n;
	uint32_t rcpt_no = (uint32_t)fields_number(&f, UINT32_MAX);

	get_recipients(&f, rcpts);
	if (!fields_at_end(&f) || rcpt_no >= n_before)
		return false;
	rcpts->at[rcpt_no].progress.state = SPOOL_RCPT_EXPANDED;
	return true;
}

bool format_get_result(struct slice meta, struct format_rcpts *rcpts)
{
	struct fields f = { .rest = meta };
	uint32_t rcpt_no = (uint32_t)fields_number(&f, UINT32_MAX);
	struct spool_progress progress = get_progress(&f);

	if (!fields_at_end(&f) || rcpt_no >= rcpts->n)
		return false;
	rcpts->at[rcpt_no].progress = progress;
	return true;
}

bool format_get_number(struct slice meta, uint64_t max, uint64_t *value_out)
{
	struct fields f = { .rest = meta };
	uint64_t value = fields_number(&f, max);

	if (!fields_at_end(&f))
		return false;
	*value_out = value;
	return true;
}

/* ---- checkpoints ---- */

void format_put_entry(struct buf *to, const struct format_entry *e)
{
	format_put_number(to, e->id);
	format_put_number(to, e->generation);
	format_put_number(to, e->content_at);
	format_put_number(to, e->record_bytes);
	format_put_number(to, e->content_crc);
	format_put_number(to, e->has_body_file);
	fields_put_string(to, e->fields);
}

bool format_get_entry(struct slice *rest, struct format_entry *entry_out)
{
	struct fields f = { .rest = *rest };
	struct format_entry e = { 0 };

	e.id = fields_number(&f, UINT64_MAX);
	e.generation = fields_number(&f, UINT64_MAX);
	e.content_at = fields_number(&f, UINT32_MAX);
	e.record_bytes = fields_number(&f, UINT32_MAX);
	e.content_crc = (uint32_t)fields_number(&f, UINT32_MAX);
	e.has_body_file = fields_number(&f, 1);
	e.fields = fields_string(&f, FORMAT_META_MAX);
	if (f.failed)
		return false;
	*rest = f.rest;
	*entry_out = e;
	return true;
}

void format_put_references(struct buf *to, uint64_t n_messages, const struct format_reference *at, size_t n)
{
	format_put_number(to, n_messages);
	format_put_number(to, n);
	for (size_t i = 0; i < n; i++) {
		format_put_number(to, at[i].generation);
		format_put_number(to, at[i].nonce);
	}
}

bool format_get_references(
	struct slice payload, uint64_t *n_messages_out, struct format_reference **at_out, size_t *n_out)
{
	struct fields f = { .rest = payload };
	uint64_t n_messages = fields_number(&f, UINT64_MAX);
	size_t n = (size_t)fields_number(&f, payload.len / 2); /* each takes two bytes or more */
	struct format_reference *at = mem_new_array(n, sizeof(*at));

	for (size_t i = 0; i < n && !f.failed; i++) {
		at[i].generation = fields_number(&f, UINT64_MAX);
		at[i].nonce = fields_number(&f, UINT64_MAX);
	}
	if (!fields_at_end(&f)) {
		mem_free(at);
		return false;
	}
	*n_messages_out = n_messages;
	*at_out = at;
	*n_out = n;
	return true;
}

void format_rcpts_free(struct format_rcpts *rcpts)
{
	mem_free(rcpts->at);
	*rcpts = (struct format_rcpts){ 0 };
}

bool spool_rcpt_state_is_final(enum spool_rcpt_state state)
{
	return state != SPOOL_RCPT_PENDING;
}
