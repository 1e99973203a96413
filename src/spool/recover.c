/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover.c - from the records of the log to the messages that live: used by opening and by spool_scan
 *
 * Per message only the place of its last MESSAGE record is kept, and every change behind it, each with its
 * number; older results of a recipient are dropped. So memory is that of the messages, not of the log. The
 * fields are read again, one message at a time, when it is handed on. A MESSAGE record replaces whatever was
 * there (a copy holds the state at its place in the log), so replaying is idempotent. Changes of messages
 * that are not known are those of messages that are gone, or, with a checkpoint, of one that it has.
 * Tests: test_recovery.c, fuzz/fuzz_spool_segment.c.
 */
#include "spool/spool-private.h"
#include "base/fields.h"
#include "base/file.h"

#define FOLD_BYTES 1024 /* changes that are not worth a look */
#define FOLD_RECIPIENTS                                                                                      \
	1000000 /* more than any message has: results of higher numbers are kept as they are */

struct change_head { /* in memory only, in front of each change */
	uint32_t type, bytes;
	uint64_t lsn;
};

void recovery_report(struct recovery *rec, const struct spool_problem *problem)
{
	if (rec->on_problem)
		rec->on_problem(rec->user, problem);
}

struct recovered *recovery_find(const struct recovery *rec, uint64_t id)
{
	uint64_t hash = table_hash_u64(id);

	for (struct table_node *n = table_first(&rec->messages, hash); n; n = table_next(n, hash)) {
		struct recovered *m = CONTAINER_OF(n, struct recovered, by_id);
		if (m->id == id)
			return m;
	}
	return NULL;
}

static void recovered_free(struct recovered *m)
{
	buf_free(&m->changes);
	mem_free(m);
}

void recovery_drop(struct recovery *rec, struct recovered *m)
{
	table_remove(&rec->messages, &m->by_id);
	recovered_free(m);
}

static struct recovered *recovery_add(struct recovery *rec, uint64_t id)
{
	struct recovered *m = mem_new(sizeof(*m));

	m->id = id;
	m->changes = BUF_INIT(SIZE_MAX / 2);
	table_insert(&rec->messages, &m->by_id, table_hash_u64(id));
	return m;
}

/* ---- changes ---- */

/* The next change of *rest, which is moved past it. */
static struct change_head change_next(struct slice *rest, struct slice *meta_out)
{
	struct change_head head;

	memcpy(&head, rest->at, sizeof(head));
	*meta_out = slice_first(slice_from(*rest, sizeof(head)), head.bytes);
	*rest = slice_from(*rest, sizeof(head) + head.bytes);
	return head;
}

/* The recipient whose progress the change replaces; FOLD_RECIPIENTS: none, or one of no message. */
static size_t change_recipient(unsigned type, struct slice meta)
{
	struct fields f = { .rest = meta };
	uint64_t number = fields_number(&f, FOLD_RECIPIENTS - 1);

	return type == FORMAT_RESULT && !f.failed ? (size_t)number : FOLD_RECIPIENTS;
}

/* How often each recipient's progress is replaced, and the flags (the last element). */
static uint32_t *changes_count(struct slice changes, size_t *n_out)
{
	struct slice meta, rest = changes;
	size_t n = 1;

	while (rest.len) {
		struct change_head head = change_next(&rest, &meta);
		size_t rcpt = change_recipient(head.type, meta);
		n = rcpt < FOLD_RECIPIENTS ? MAX(n, rcpt + 2) : n;
	}
	*n_out = n;
	return mem_new_array(n, sizeof(uint32_t));
}

/* Drops what a later change replaces. */
static void recovered_fold(struct recovered *m)
{
	struct buf kept = BUF_INIT(SIZE_MAX / 2);
	struct slice meta, all = buf_slice(&m->changes), rest = all;
	size_t n;
	auto_free uint32_t *left = changes_count(all, &n);

	while (rest.len) {
		struct change_head head = change_next(&rest, &meta);
		size_t rcpt = change_recipient(head.type, meta);
		if (rcpt < FOLD_RECIPIENTS)
			left[rcpt]++;
		left[n - 1] += head.type == FORMAT_FLAGS;
	}
	for (rest = all; rest.len;) {
		const char *from = rest.at;
		struct change_head head = change_next(&rest, &meta);
		size_t rcpt = change_recipient(head.type, meta);
		bool is_replaced = rcpt < FOLD_RECIPIENTS ? --left[rcpt] > 0
			: head.type == FORMAT_FLAGS	  ? --left[n - 1] > 0
							  : false;
		if (!is_replaced)
			buf_append(&kept, (struct slice){ from, sizeof(head) + head.bytes });
	}
	buf_free(&m->changes);
	m->changes = kept;
	m->n_folded = kept.len;
}

static void recovered_add_change(struct recovered *m, const struct replay_record *r)
{
	struct change_head head = { .type = r->head.type, .bytes = r->head.meta_bytes, .lsn = r->head.lsn };

	buf_append(&m->changes, (struct slice){ (const char *)&head, sizeof(head) });
	buf_append(&m->changes, r->meta);
	if (m->changes.len > 2 * m->n_folded + FOLD_BYTES)
		recovered_fold(m);
}

/* A change that does not fit (the one before it was lost to damage) leaves the state as it is. */
static void change_apply(
	unsigned type, struct slice meta, struct spool_envelope *env, struct format_rcpts *rcpts)
{
	size_t n_before = rcpts->n;
	uint64_t flags;

	switch (type) {
	case FORMAT_EXPAND:
		if (!format_get_expand(meta, rcpts))
			rcpts->n = n_before;
		return;
	case FORMAT_RESULT: (void)!format_get_result(meta, rcpts); return;
	case FORMAT_FLAGS:
		if (format_get_number(meta, UINT32_MAX, &flags))
			env->flags = (uint32_t)flags;
		return;
	}
}

/* ---- the log ---- */

static void recovery_on_message(struct recovery *rec, const struct replay_record *r)
{
	struct recovered *m = recovery_find(rec, r->head.id);

	if (!m)
		m = recovery_add(rec, r->head.id);
	buf_free(&m->changes);
	m->n_folded = 0;
	m->segment = r->segment;
	m->record_at = r->offset;
	m->lsn = r->head.lsn;
	m->meta_bytes = r->head.meta_bytes;
	m->is_copy = r->head.flags & FORMAT_COPY;
	m->is_removed = false;
	rec->replay->high_water = MAX(rec->replay->high_water, m->id + 1);
}

/* What a checkpoint may have is remembered as removed; a message that came after it is just gone. */
static void recovery_on_remove(struct recovery *rec, const struct replay_record *r)
{
	struct recovered *m = recovery_find(rec, r->head.id);

	if (rec->has_checkpoint && (!m || !m->segment || m->is_copy)) {
		if (!m)
			m = recovery_add(rec, r->head.id);
		buf_free(&m->changes);
		m->segment = NULL;
		m->is_removed = true;
	} else if (m) {
		recovery_drop(rec, m);
	}
}

static void recovery_on_change(struct recovery *rec, const struct replay_record *r)
{
	struct recovered *m = recovery_find(rec, r->head.id);

	if (!m && rec->has_checkpoint)
		m = recovery_add(rec, r->head.id);
	if (m && !m->is_removed)
		recovered_add_change(m, r);
}

static void recovery_on_high_water(struct recovery *rec, const struct replay_record *r)
{
	uint64_t value;

	if (format_get_number(r->meta, UINT64_MAX, &value))
		rec->replay->high_water = MAX(rec->replay->high_water, value);
}

static void recovery_on_record(void *user, const struct replay_record *r)
{
	struct recovery *rec = user;

	if (rec->visitor && rec->visitor->record)
		rec->visitor->record(rec->user, r->segment->generation, r->offset, r->head.lsn, r->head.id,
			r->head.type, r->meta, r->head.content_bytes);
	if (r->head.lsn <= rec->replay->skip_lsn)
		return; /* of a batch that is partly wanted, or salvaged */
	switch (r->head.type) {
	case FORMAT_MESSAGE: recovery_on_message(rec, r); return;
	case FORMAT_EXPAND:
	case FORMAT_RESULT:
	case FORMAT_FLAGS: recovery_on_change(rec, r); return;
	case FORMAT_REMOVE: recovery_on_remove(rec, r); return;
	case FORMAT_HIGH_WATER: recovery_on_high_water(rec, r); return;
	}
	recovery_report(rec,
		&(struct spool_problem){
			.kind = SPOOL_PROBLEM_CORRUPT,
			.id = r->head.id,
			.generation = r->segment->generation,
			.offset = r->offset,
			.bytes = format_record_bytes(&r->head),
			.first_lsn = r->head.lsn,
			.last_lsn = r->head.lsn,
		});
}

static void recovery_on_replay_problem(void *user, const struct spool_problem *problem)
{
	recovery_report(user, problem);
}

static int recovered_by_place(const void *a, const void *b)
{
	const struct recovered *x = *(struct recovered *const *)a, *y = *(struct recovered *const *)b;

	return (x->lsn > y->lsn) - (x->lsn < y->lsn);
}

static void recovery_collect(struct table_node *node, void *user)
{
	struct recovery *rec = user;
	struct recovered *m = CONTAINER_OF(node, struct recovered, by_id);

	if (m->segment)
		rec->sorted[rec->n_sorted++] = m;
}

void recovery_read(struct recovery *rec, struct replay *replay)
{
	rec->messages = TABLE_INIT;
	rec->replay = replay;
	replay->on_record = recovery_on_record;
	replay->on_problem = recovery_on_replay_problem;
	replay->user = rec;
	replay_run(replay);
	rec->sorted = mem_new_array(rec->messages.n, sizeof(struct recovered *));
	table_each(&rec->messages, recovery_collect, rec);
	qsort(rec->sorted, rec->n_sorted, sizeof(struct recovered *), recovered_by_place);
}

static void recovery_free_one(struct table_node *node, void *user)
{
	recovered_free(CONTAINER_OF(node, struct recovered, by_id));
}

void recovery_free(struct recovery *rec)
{
	table_each(&rec->messages, recovery_free_one, NULL);
	table_deinit(&rec->messages);
	mem_free(rec->sorted);
	rec->sorted = NULL;
	rec->n_sorted = 0;
}

/* ---- one message ---- */

static void loaded_decode(struct loaded *out, struct slice fields, uint64_t lsn, struct recovered *m)
{
	struct slice meta, rest;

	out->is_bad = !format_get_message(fields, &out->env, &out->rcpts);
	out->env.id = out->id;
	if (m)
		out->changes = buf_take(&m->changes);
	for (rest = buf_slice(&out->changes); rest.len && !out->is_bad;) {
		struct change_head head = change_next(&rest, &meta);
		if (head.lsn > lsn)
			change_apply(head.type, meta, &out->env, &out->rcpts);
	}
	out->problem = (struct spool_problem){
		.kind = SPOOL_PROBLEM_CORRUPT,
		.id = out->id,
		.generation = out->segment->generation,
		.offset = out->content_at,
		.bytes = out->record_bytes,
	};
}

/* The record as it was when the log was read: header and fields. */
static bool loaded_read_record(struct loaded *out, const struct recovered *m, struct format_record *head_out)
{
	size_t n = FORMAT_RECORD_HEADER + (size_t)m->meta_bytes;
	char *at = buf_reserve(&out->bytes, n);

	if (!at || file_pread_all(m->segment->fd, at, n, m->record_at) < 0)
		return false;
	buf_grew(&out->bytes, n);
	format_record_decode(at, head_out);
	return head_out->id == m->id && head_out->lsn == m->lsn && head_out->meta_bytes == m->meta_bytes &&
		format_record_check(at, slice_from(buf_slice(&out->bytes), FORMAT_RECORD_HEADER));
}

void loaded_from_log(struct loaded *out, struct recovered *m)
{
	struct format_record head = { 0 };
	bool is_read;

	*out = (struct loaded){ .id = m->id, .segment = m->segment };
	out->bytes = BUF_INIT((size_t)FORMAT_META_MAX + FORMAT_RECORD_HEADER);
	is_read = loaded_read_record(out, m, &head);
	out->content_at = m->record_at + FORMAT_RECORD_HEADER + m->meta_bytes;
	out->record_bytes = format_record_bytes(&head);
	out->content_crc = head.content_crc;
	out->has_body_file = head.flags & FORMAT_BODY_FILE;
	loaded_decode(out, is_read ? slice_from(buf_slice(&out->bytes), FORMAT_RECORD_HEADER) : SLICE_EMPTY,
		m->lsn, m);
}

void loaded_from_entry(struct loaded *out, const struct format_entry *e, const struct replay_segment *segment,
	uint64_t lsn, struct recovered *m)
{
	*out = (struct loaded){
		.id = e->id,
		.segment = segment,
		.content_at = e->content_at,
		.record_bytes = e->record_bytes,
		.content_crc = e->content_crc,
		.has_body_file = e->has_body_file,
	};
	loaded_decode(out, e->fields, lsn, m);
}

void loaded_free(struct loaded *l)
{
	format_rcpts_free(&l->rcpts);
	buf_free(&l->bytes);
	buf_free(&l->changes);
}
