/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit.c - the commit thread: everything that waits becomes one batch, one write, one fdatasync
 *
 * While a sync runs the next batch gathers; there is no other delay. Only this thread writes to segments in
 * use, and one batch is synced before the next is written: so only the last batch of the log can be torn.
 *
 * A failed write or sync is final for its segment: it is never written or synced again. New mail of that
 * batch is refused; results and removals are facts and are written again to the next segment, at the front of
 * the line, until a disk takes them. What the failed batch left on disk is void, because the next segment's
 * first batch states the last sequence number that was confirmed (docs/SPOOL.md, "Void records").
 * Tests: test_spool.c, test_crash.c, test_faults.c.
 */
#include "spool/spool-private.h"
#include "base/clock.h"
#include "base/file.h"

static const char zeros[FORMAT_BLOCK];

void commit_init(struct commit *c)
{
	list_init(&c->incoming);
	list_init(&c->finished);
	list_init(&c->prepared);
	list_init(&c->taken);
	list_init(&c->failures);
	CHECK(uv_mutex_init(&c->lock) == 0);
	CHECK(uv_cond_init(&c->wake) == 0);
}

void list_move_all(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

void commit_give(struct commit *c, struct list *staged, uint64_t high_water)
{
	uv_mutex_lock(&c->lock);
	c->high_water = high_water;
	list_move_all(&c->incoming, staged);
	uv_mutex_unlock(&c->lock);
	uv_cond_signal(&c->wake); /* not under the lock: the thread would wake only to wait for it */
}

void commit_add_prepared(struct commit *c, struct spool_segment *s, int error)
{
	uv_mutex_lock(&c->lock);
	c->prepare_error = error;
	if (s) {
		list_push_back(&c->prepared, &s->node);
		c->n_prepared++;
	}
	uv_cond_signal(&c->wake);
	uv_mutex_unlock(&c->lock);
}

void commit_stop(struct commit *c)
{
	uv_mutex_lock(&c->lock);
	c->must_stop = true;
	uv_cond_signal(&c->wake);
	uv_mutex_unlock(&c->lock);
}

/* ---- one batch ---- */

static void commit_refuse(struct spool_op *op, struct list *refused, int error)
{
	op->result = error;
	list_remove(&op->node);
	list_push_back(refused, &op->node);
}

static void commit_refuse_new_mail(struct list *batch, struct list *refused, bool only_bodies, int error)
{
	list_for_each_safe (node, batch) {
		struct spool_op *op = CONTAINER_OF(node, struct spool_op, node);
		if (op->is_new_mail && (op->has_body || !only_bodies))
			commit_refuse(op, refused, error);
	}
}

static bool batch_has_new_mail(const struct list *batch, bool only_bodies)
{
	list_for_each (node, batch) {
		const struct spool_op *op = CONTAINER_OF(node, struct spool_op, node);
		if (op->is_new_mail && (op->has_body || !only_bodies))
			return true;
	}
	return false;
}

static uint64_t batch_bytes(const struct list *batch)
{
	uint64_t bytes = FORMAT_BATCH_HEADER;

	list_for_each (node, batch)
		bytes += op_record_bytes(CONTAINER_OF(node, struct spool_op, node));
	return bytes;
}

/* The next prepared segment becomes the head. New mail may not take one of the reserve. */
static int commit_take_segment(struct commit *c, bool is_for_new_mail)
{
	int r = 0;

	uv_mutex_lock(&c->lock);
	while (c->n_prepared <= (is_for_new_mail ? c->n_reserve : 0)) {
		if (c->prepare_error) {
			r = c->prepare_error;
			break;
		}
		uv_cond_wait(&c->wake, &c->lock);
	}
	if (r == 0) {
		struct spool_segment *s = list_first(&c->prepared, struct spool_segment, node);
		list_remove(&s->node);
		list_push_back(&c->taken, &s->node);
		c->n_prepared--;
		c->head = s;
		c->head_at = FORMAT_BLOCK;
	}
	uv_mutex_unlock(&c->lock);
	if (r == 0)
		CHECK(uv_async_send(c->notify) == 0); /* the loop has the next one prepared */
	return r;
}

static bool commit_has_room(const struct commit *c, const struct list *batch)
{
	return c->head && c->head_at + format_pad(batch_bytes(batch), FORMAT_BLOCK) <= c->head->bytes;
}

/* A segment with room for the batch; for an oversized one an empty segment, which then grows. */
static int commit_make_room(struct commit *c, struct list *batch, struct list *refused)
{
	int r = 0;

	if (!list_empty(batch) && !commit_has_room(c, batch))
		r = commit_take_segment(c, batch_has_new_mail(batch, false));
	if (r == 0 || !batch_has_new_mail(batch, false))
		return r;
	commit_refuse_new_mail(batch, refused, false, r);
	return commit_make_room(c, batch, refused);
}

static void commit_push_iov(struct commit *c, size_t *n, const void *at, size_t len)
{
	if (len == 0)
		return;
	if (*n == c->iov_cap) {
		size_t cap = MAX(c->iov_cap * 2, (size_t)256);
		struct iovec *grown = mem_new_array(cap, sizeof(*grown));
		if (*n)
			memcpy(grown, c->iov, *n * sizeof(*grown));
		mem_free(c->iov);
		c->iov = grown;
		c->iov_cap = cap;
	}
	c->iov[(*n)++] = (struct iovec){ .iov_base = (char *)(uintptr_t)at, .iov_len = len };
}

/* Gives op its number and place, and appends its parts as they lie in memory. Returns the bytes it takes. */
static uint64_t commit_layout_record(struct commit *c, struct spool_op *op, uint64_t offset, size_t *n_iov)
{
	struct slice content = op->content ? buf_slice(&op->content->bytes) : SLICE_EMPTY;
	struct format_record head = {
		.nonce = c->head->nonce,
		.generation = c->head->generation,
		.lsn = op->lsn = c->next_lsn++,
		.id = op->id,
		.type = (uint16_t)op->type,
		.flags = op->flags,
		.meta_bytes = (uint32_t)op->meta.len,
		.content_bytes = content.len,
		.content_crc = op->content_crc,
	};
	uint64_t bytes = format_record_bytes(&head);
	uint64_t unpadded = FORMAT_RECORD_HEADER + op->meta.len + content.len;

	format_record_encode(&head, buf_slice(&op->meta), op->header);
	op->segment = c->head;
	op->offset = offset;
	commit_push_iov(c, n_iov, op->header, sizeof(op->header));
	commit_push_iov(c, n_iov, op->meta.at, op->meta.len);
	commit_push_iov(c, n_iov, content.at, content.len);
	commit_push_iov(c, n_iov, zeros, (size_t)(bytes - unpadded));
	return bytes;
}

/* The batch as it is to be written at the head: c->iov. Its numbers are used up, whatever becomes of it. */
static struct format_batch commit_layout(
	struct commit *c, struct list *batch, char header[FORMAT_BATCH_HEADER], size_t *n_iov_out)
{
	struct format_batch b = {
		.node = c->node,
		.generation = c->head->generation,
		.nonce = c->head->nonce,
		.sequence = c->sequence + 1,
		.first_lsn = c->next_lsn,
		.synced_lsn = c->synced_lsn,
		.high_water = c->batch_high_water,
		.bytes = FORMAT_BATCH_HEADER,
	};
	size_t n_iov = 0;

	commit_push_iov(c, &n_iov, header, FORMAT_BATCH_HEADER);
	list_for_each (node, batch) {
		struct spool_op *op = CONTAINER_OF(node, struct spool_op, node);
		b.bytes += commit_layout_record(c, op, c->head_at + b.bytes, &n_iov);
		op->was_written = true;
		b.n_records++;
	}
	b.last_lsn = c->next_lsn - 1;
	format_batch_encode(&b, header);
	commit_push_iov(c, &n_iov, zeros, (size_t)(format_pad(b.bytes, FORMAT_BLOCK) - b.bytes));
	*n_iov_out = n_iov;
	return b;
}

/* Writes and syncs the batch at the head. */
static int commit_write(struct commit *c, struct list *batch)
{
	char header[FORMAT_BATCH_HEADER] = { 0 };
	size_t n_iov;
	struct format_batch b = commit_layout(c, batch, header, &n_iov);
	int r = file_pwritev_all(c->head->fd, c->iov, n_iov, c->head_at);

	if (r == 0)
		r = file_sync_data(c->head->fd);
	if (r < 0)
		return r;
	c->synced_lsn = b.last_lsn;
	c->sequence++;
	c->batch_written = format_pad(b.bytes, FORMAT_BLOCK);
	c->head_at += c->batch_written;
	return 0;
}

static void commit_abandon(struct commit *c, int error)
{
	struct commit_failure *f = mem_new(sizeof(*f));

	list_init(&f->node);
	f->segment = c->head;
	f->problem = (struct spool_problem){
		.kind = SPOOL_PROBLEM_WRITE,
		.generation = c->head->generation,
		.offset = c->head_at,
		.error = error,
	};
	c->head = NULL;
	uv_mutex_lock(&c->lock);
	list_push_back(&c->failures, &f->node);
	uv_mutex_unlock(&c->lock);
}

/* The names of body files must be durable before a record refers to them: one sync for all of the batch. */
static void commit_sync_bodies(struct commit *c, struct list *batch, struct list *refused)
{
	int r = 0;

	if (batch_has_new_mail(batch, true))
		r = file_sync_dir(c->bodies_fd);
	if (r < 0)
		commit_refuse_new_mail(batch, refused, true, r);
}

/* 0: what is left in batch is on disk. Else it is not; new mail has been refused. */
static int commit_batch(struct commit *c, struct list *batch, struct list *refused)
{
	int r = 0;

	commit_sync_bodies(c, batch, refused);
	for (int attempt = 0; attempt < 2 && !list_empty(batch); attempt++) {
		r = commit_make_room(c, batch, refused);
		if (r < 0 || list_empty(batch))
			return r;
		r = commit_write(c, batch);
		if (r == 0)
			return 0;
		commit_abandon(c, r);
		commit_refuse_new_mail(batch, refused, false, r);
	}
	return r;
}

/* ---- the thread ---- */

/* Under the lock: waits until there is something to do; false: stop. */
static bool commit_wait(struct commit *c)
{
	while (list_empty(&c->incoming) && !c->must_stop)
		uv_cond_wait(&c->wake, &c->lock);
	if (c->retry_at_ms && !c->gives_up) /* a segment that became ready, or new work, may end it earlier */
		(void)uv_cond_timedwait(&c->wake, &c->lock, c->retry_ms * UINT64_C(1000000));
	return !list_empty(&c->incoming);
}

/* Under the lock. */
static void commit_gather(struct commit *c, struct list *batch)
{
	uint64_t bytes = 0;

	list_for_each_safe (node, &c->incoming) {
		uint64_t more = op_record_bytes(CONTAINER_OF(node, struct spool_op, node));
		if (bytes > 0 && bytes + more > c->batch_bytes)
			break;
		bytes += more;
		list_remove(node);
		list_push_back(batch, node);
	}
	c->batch_high_water = c->high_water;
}

/* Under the lock: results go back to the loop; what must not be lost stands first in line again. */
static void commit_settle(struct commit *c, struct list *batch, struct list *refused, int result)
{
	struct list *first = c->incoming.next;

	c->retry_at_ms = result < 0 ? clock_mono_ms() + c->retry_ms : 0;
	list_move_all(&c->finished, refused);
	list_for_each_safe (node, batch) {
		struct spool_op *op = CONTAINER_OF(node, struct spool_op, node);
		op->result = result;
		list_remove(node);
		if (result == 0)
			c->n_records++;
		if (result < 0 && op->is_kept && !c->gives_up)
			list_insert_before(first, node);
		else
			list_push_back(&c->finished, node);
	}
	c->n_batches += result == 0;
	c->n_bytes += result == 0 ? c->batch_written : 0;
	c->batch_written = 0;
}

/* A last empty batch confirms all before it: damage to that will then be told from a torn end. */
static void commit_confirm(struct commit *c)
{
	struct list none;

	list_init(&none);
	if (c->head && c->n_batches > 0 && commit_has_room(c, &none))
		(void)!commit_write(c, &none); /* nothing depends on it */
}

static void commit_main(void *arg)
{
	struct commit *c = arg;
	struct list batch, refused;

	list_init(&batch);
	list_init(&refused);
	uv_mutex_lock(&c->lock);
	while (commit_wait(c)) {
		int r;
		commit_gather(c, &batch);
		uv_mutex_unlock(&c->lock);
		r = commit_batch(c, &batch, &refused);
		uv_mutex_lock(&c->lock);
		commit_settle(c, &batch, &refused, r);
		uv_mutex_unlock(&c->lock);
		CHECK(uv_async_send(c->notify) == 0); /* the loop takes the lock first thing */
		uv_mutex_lock(&c->lock);
	}
	uv_mutex_unlock(&c->lock);
	commit_confirm(c);
	uv_mutex_lock(&c->lock);
	c->has_stopped = true;
	CHECK(uv_async_send(c->notify) ==
		0); /* under the lock: the handle lives until the loop saw has_stopped */
	uv_mutex_unlock(&c->lock);
}

int commit_start(struct commit *c)
{
	return uv_thread_create(&c->thread, commit_main, c);
}

static void segments_free(struct list *segments)
{
	while (!list_empty(segments)) {
		struct spool_segment *s = list_first(segments, struct spool_segment, node);
		list_remove(&s->node);
		segment_free(&s);
	}
}

void commit_deinit(struct commit *c)
{
	segments_free(&c->prepared);
	segments_free(&c->taken);
	while (!list_empty(&c->failures)) {
		struct commit_failure *f = list_first(&c->failures, struct commit_failure, node);
		list_remove(&f->node);
		mem_free(f);
	}
	mem_free(c->iov);
	uv_cond_destroy(&c->wake);
	uv_mutex_destroy(&c->lock);
}
