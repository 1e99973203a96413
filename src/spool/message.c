/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.c - accepting a message: its content gathers in the buffer that the log is written from
 *
 * Content that outgrows the threshold moves to a body file; the threshold sinks as the memory for all content
 * in flight fills, so that many senders of middling messages cannot exhaust it.
 * Tests: test_spool.c, test_faults.c.
 */
#include "spool/spool-private.h"
#include "base/crc32c.h"

#define FIRST_BYTES 2048

struct spool_message {
	struct spool *sp;
	struct spool_content *content; /* NULL once there is a body */
	struct spool_body *body;
	uint64_t bytes;
	uint32_t crc;
	int error;
};

/* Full size while half of the budget is free, then in proportion to what is left. Cached content does not
 * count: it goes when its room is needed. */
static uint64_t message_threshold(const struct spool *sp)
{
	uint64_t half = sp->set.memory_budget / 2, full = sp->set.body_threshold;
	uint64_t used = sp->memory_used - sp->memory_cached;
	uint64_t left = used < sp->set.memory_budget ? sp->set.memory_budget - used : 0;

	if (left >= half)
		return full;
	return MAX((uint64_t)((double)full * (double)left / (double)half),
		MIN(full, (uint64_t)SPOOL_MIN_THRESHOLD));
}

int spool_message_new(struct spool *sp, uint64_t expected_bytes, struct spool_message **message_out)
{
	struct spool_message *m;

	CHECK(!sp->is_closing);
	if (spool_is_full(sp))
		return -ENOSPC;
	m = mem_new(sizeof(*m));
	m->sp = sp;
	m->content = content_new((size_t)sp->set.body_threshold);
	/* More than the threshold will not stay in memory; a first piece that does not fit is not an error
	 * yet. */
	if (expected_bytes < message_threshold(sp))
		(void)!buf_reserve(&m->content->bytes, (size_t)MAX(expected_bytes, (uint64_t)FIRST_BYTES));
	m->content->bytes.failed = false;
	content_count(sp, m->content);
	*message_out = m;
	return 0;
}

static int message_move_to_body(struct spool_message *m)
{
	int r = body_new(m->sp, &m->body);

	if (r == 0)
		r = body_append(m->body, buf_slice(&m->content->bytes));
	content_unref(m->sp, &m->content);
	return r;
}

int spool_message_append(struct spool_message *m, struct slice bytes)
{
	if (m->error)
		return m->error;
	if (!m->body && m->bytes + bytes.len > message_threshold(m->sp))
		m->error = message_move_to_body(m);
	if (m->error)
		return m->error;
	m->crc = crc32c(m->crc, bytes);
	m->bytes += bytes.len;
	if (m->body) {
		m->error = body_append(m->body, bytes);
		return m->error;
	}
	buf_append(&m->content->bytes, bytes);
	content_count(m->sp, m->content);
	content_trim(m->sp);
	if (!buf_ok(&m->content->bytes))
		m->error = -ENOMEM;
	return m->error;
}

uint64_t spool_message_bytes(const struct spool_message *m)
{
	return m->bytes;
}

uint64_t spool_message_backlog(const struct spool_message *m)
{
	return m->body ? body_backlog(m->body) : 0;
}

void spool_message_abort(struct spool_message **m)
{
	struct spool_message *gone = take_ptr(m);

	if (!gone)
		return;
	body_abort(&gone->body);
	content_unref(gone->sp, &gone->content);
	mem_free(gone);
}

/* ---- commit ---- */

static void message_is_stored(struct spool *sp, struct spool_op *op)
{
	struct spool_entry *entry = op->entry;

	*entry = (struct spool_entry){
		.id = op->id,
		.content_bytes = op->content_bytes,
		.has_body_file = op->has_body,
		.mark = sp->checkpoint.mark,
		.is_verified = op->has_body, /* what we have just written and synced is not checked again */
	};
	entry_place_at_op(sp, entry, op);
	if (op->content)
		content_attach(sp, entry, op->content);
	sp->n_messages++;
}

static void message_finish(struct spool *sp, struct spool_op *op)
{
	spool_done done = op->done;
	void *user = op->user;
	int result = op->result;

	if (result == 0)
		message_is_stored(sp, op);
	else if (op->has_body && !op->was_written)
		keeper_remove_body(sp, op->id); /* else its record may turn up after a restart, and need it */
	op_deinit(sp, op);
	mem_free(op);
	if (done)
		done(user, result);
}

static void message_body_ready(struct spool_op *op, int result)
{
	if (result < 0)
		op_fail_later(op->sp, op, result);
	else
		op_stage(op->sp, op, true);
}

void spool_message_commit(struct spool_message *m, struct spool_entry *entry,
	const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts,
	spool_done done, void *user)
{
	struct spool *sp = m->sp;
	struct spool_op *op = op_new(FORMAT_MESSAGE, env->id, done, user);
	struct spool_envelope full = *env;

	full.content_bytes = m->bytes;
	format_put_message(&op->meta, &full, rcpts, n_rcpts);
	op->sp = sp;
	op->flags = m->body ? FORMAT_BODY_FILE : 0;
	op->has_body = m->body != NULL;
	op->content = take_ptr(&m->content);
	op->content_bytes = m->bytes;
	op->content_crc = m->crc;
	op->entry = entry;
	op->is_new_mail = true;
	op->finish = message_finish;
	sp->high_water = MAX(sp->high_water, env->id + 1);
	if (m->error || !buf_ok(&op->meta)) {
		body_abort(&m->body);
		op->has_body = false;
		op_fail_later(sp, op, m->error ? m->error : -E2BIG);
	} else if (m->body) {
		body_finish(m->body, env->id, message_body_ready, op);
	} else {
		op_stage(sp, op, true);
	}
	mem_free(m);
}
