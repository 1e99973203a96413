/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint.c - the state of all messages in one file, written in slices between other work
 *
 * A turn of the loop describes some messages, the pool writes them, a pause follows. Each slice states the
 * number up to which the log is contained in its states; later records are applied to them when it is read.
 * What the queue describes may be ahead of the log (results on their way), so before the file gets its name a
 * record is committed behind all of that: a checkpoint never knows more than the log.
 *
 * Which messages are to be written: a bit in each entry, whose meaning changes with each checkpoint. Those
 * that are not yet written stand in front in the list of their segment, so the next one is found at once;
 * new messages are not written, the log has them. Nothing waits for a checkpoint, and no segment: one that
 * refers to segments that were freed meanwhile is right (docs/SPOOL.md, "Checkpoints").
 * Tests: test_checkpoint.c, test_checkpoint_write.c, test_bounds.c.
 */
#include "spool/spool-private.h"
#include "base/clock.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/random.h>

#define EVERY_SEGMENTS 4 /* so much of the log, or so many times the last checkpoint, whichever is more */
#define EVERY_CHECKPOINTS 3
#define AT_CLOSE_BYTES (UINT64_C(1) << 20) /* less is not worth one when the spool is closed */
#define SLICE_MESSAGES 256
#define SLICE_LOOKS 1024 /* messages that a change is on its way for are passed over */
#define SLICE_BYTES ((size_t)128 * 1024)
#define SYNC_BYTES                                                                                           \
	(UINT64_C(4) << 20) /* so that the last sync finds little to do, and commits are not behind it */
#define BUSY_PAUSE_MS 5
#define RETRY_FACTOR 60 /* of retry_ms: after a failure */

static void checkpoint_step(struct spool *sp);
static void checkpoint_pause(struct spool *sp, uint64_t ms);

void checkpoint_init(struct spool *sp)
{
	struct checkpoint *c = &sp->checkpoint;

	c->fd = -1;
	c->slice = BUF_INIT(UINT32_MAX);
	c->fields = BUF_INIT(FORMAT_META_MAX);
}

void checkpoint_deinit(struct spool *sp)
{
	struct checkpoint *c = &sp->checkpoint;

	cleanup_close(&c->fd);
	buf_free(&c->slice);
	buf_free(&c->fields);
	mem_free(c->references);
}

/* ---- on the pool ---- */

static int checkpoint_create(struct spool *sp)
{
	struct checkpoint *c = &sp->checkpoint;
	char name[SPOOL_NAME_MAX], header[FORMAT_CHECKPOINT_HEADER];

	if (getrandom(&c->head.nonce, sizeof(c->head.nonce), 0) != (ssize_t)sizeof(c->head.nonce))
		return -EIO;
	segment_name(c->number, ".new", name);
	c->fd = openat(sp->log_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->fd < 0)
		return -errno;
	format_checkpoint_encode(&c->head, header);
	c->bytes = sizeof(header);
	return file_pwrite_all(c->fd, (struct slice){ header, sizeof(header) }, 0);
}

static int checkpoint_write_slice(struct spool *sp)
{
	struct checkpoint *c = &sp->checkpoint;
	struct slice payload = slice_from(buf_slice(&c->slice), FORMAT_SLICE_HEADER);
	int r = c->fd < 0 ? checkpoint_create(sp) : 0;

	if (r < 0)
		return r;
	c->slice_head.nonce = c->head.nonce;
	c->slice_head.number = c->n_slices++;
	c->slice_head.bytes = (uint32_t)payload.len;
	format_slice_encode(&c->slice_head, payload, c->slice.at);
	r = file_pwrite_all(c->fd, buf_slice(&c->slice), c->bytes);
	c->bytes += c->slice.len;
	if (r < 0 || c->bytes - c->n_synced < SYNC_BYTES)
		return r;
	c->n_synced = c->bytes;
	return file_sync_data(c->fd);
}

/* All but the newest and the good one before it. What cannot be unlinked is tried again next time. */
static void checkpoint_remove_old(struct spool *sp)
{
	const struct checkpoint *c = &sp->checkpoint;
	char name[SPOOL_NAME_MAX];
	uint64_t *numbers = NULL;
	size_t n = 0;

	if (checkpoint_list(sp->log_fd, &numbers, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (numbers[i] == c->number || numbers[i] == c->previous)
			continue;
		segment_name(numbers[i], ".ckpt", name);
		(void)!file_unlink(sp->log_fd, name);
	}
	mem_free(numbers);
}

static int checkpoint_name(struct spool *sp)
{
	struct checkpoint *c = &sp->checkpoint;
	char aside[SPOOL_NAME_MAX], name[SPOOL_NAME_MAX];
	int r = c->error ? c->error : file_sync(c->fd);

	segment_name(c->number, ".new", aside);
	segment_name(c->number, ".ckpt", name);
	if (r == 0)
		r = file_rename(sp->log_fd, aside, sp->log_fd, name);
	if (r == 0)
		r = file_sync_dir(sp->log_fd);
	else if (c->fd >= 0)
		(void)!file_unlink(
			sp->log_fd, aside); /* r is the failure to report; the next opening removes it */
	if (r == 0)
		checkpoint_remove_old(sp);
	return r;
}

static void checkpoint_work(uv_work_t *work)
{
	struct spool *sp = work->data;
	struct checkpoint *c = &sp->checkpoint;
	int r = c->state == CHECKPOINT_NAMING ? checkpoint_name(sp) : checkpoint_write_slice(sp);

	if (r < 0)
		c->error = r;
}

/* ---- on the loop: the end ---- */

static void checkpoint_ended(struct spool *sp)
{
	struct checkpoint *c = &sp->checkpoint;

	cleanup_close(&c->fd);
	c->fd = -1;
	buf_free(&c->slice);
	buf_free(&c->fields);
	c->state = CHECKPOINT_NONE;
	if (c->error == 0) {
		c->previous = c->number;
		c->bytes_previous = c->bytes;
		c->n_written++;
		return;
	}
	c->is_last |= sp->is_closing; /* given up half-way: some entries are marked, some are not */
	c->is_wanted = true;
	c->not_before_ms = clock_mono_ms() + (uint64_t)RETRY_FACTOR * sp->set.retry_ms;
	spool_report(sp,
		&(struct spool_problem){
			.kind = SPOOL_PROBLEM_CHECKPOINT,
			.generation = c->number,
			.error = c->error,
		});
}

static void checkpoint_done(uv_work_t *work, int status)
{
	struct spool *sp = work->data;
	struct checkpoint *c = &sp->checkpoint;
	uint64_t took_ms = (clock_mono_ns() - c->began_ns) / 1000000;

	CHECK(status == 0); /* nobody cancels it */
	if (c->state == CHECKPOINT_NAMING)
		checkpoint_ended(sp);
	else if (sp->is_closing)
		checkpoint_step(sp);
	else
		checkpoint_pause(sp, 1 + MIN(took_ms, UINT64_C(20)));
	spool_work_done(sp);
}

static void checkpoint_start_work(struct spool *sp)
{
	struct checkpoint *c = &sp->checkpoint;

	c->work.data = sp;
	spool_work_start(sp, &c->work, checkpoint_work, checkpoint_done);
}

static void checkpoint_finish(struct spool *sp)
{
	sp->checkpoint.state = CHECKPOINT_NAMING;
	checkpoint_start_work(sp);
}

static void barrier_finish(struct spool *sp, struct spool_op *op)
{
	sp->checkpoint.error = op->result;
	op_deinit(sp, op);
	mem_free(op);
	checkpoint_finish(sp);
}

/* Behind everything that the slices may tell of. */
static void checkpoint_put_barrier(struct spool *sp)
{
	struct spool_op *op = op_new(FORMAT_HIGH_WATER, 0, NULL, NULL);

	sp->checkpoint.state = CHECKPOINT_BARRIER;
	format_put_number(&op->meta, sp->high_water);
	op->finish = barrier_finish;
	op_stage(sp, op, true);
}

/* ---- on the loop: slices ---- */

static void checkpoint_refer(struct checkpoint *c, struct spool_segment *s)
{
	if (s->checkpoint == c->number)
		return;
	s->checkpoint = c->number;
	if (c->n_references == c->cap_references) {
		size_t cap = MAX(c->cap_references * 2, (size_t)64);
		struct format_reference *grown = mem_new_array(cap, sizeof(*grown));
		if (c->n_references)
			memcpy(grown, c->references, c->n_references * sizeof(*grown));
		mem_free(c->references);
		c->references = grown;
		c->cap_references = cap;
	}
	c->references[c->n_references++] = (struct format_reference){ s->generation, s->nonce };
}

static void checkpoint_describe(struct spool *sp, struct spool_entry *entry)
{
	struct checkpoint *c = &sp->checkpoint;
	struct spool_place place = *entry_place_of(entry);
	const struct spool_recipient *rcpts;
	struct spool_envelope env;
	size_t n_rcpts;

	sp->hooks.describe(sp->user, entry, &env, &rcpts, &n_rcpts);
	env.content_bytes = entry->content_bytes;
	buf_clear(&c->fields);
	format_put_message(&c->fields, &env, rcpts, n_rcpts);
	if (!buf_ok(&c->fields)) {
		c->error = -E2BIG;
		return;
	}
	const struct format_entry e = {
		.id = entry->id,
		.generation = entry->segment->generation,
		.content_at = place.content_at,
		.record_bytes = entry->record_bytes,
		.content_crc = place.content_crc,
		.has_body_file = entry->has_body_file,
		.fields = buf_slice(&c->fields),
	};
	format_put_entry(&c->slice, &e);
	checkpoint_refer(c, entry->segment);
	c->slice_head.n_entries++;
	c->n_messages++;
}

static bool slice_is_full(const struct checkpoint *c, size_t n_looks)
{
	return n_looks >= SLICE_LOOKS || c->slice_head.n_entries >= SLICE_MESSAGES ||
		c->slice.len >= SLICE_BYTES;
}

/* After a failure they are only marked, so that the next checkpoint finds all alike. */
static void checkpoint_gather_from(struct spool *sp, struct spool_segment *s, size_t *n_looks)
{
	struct checkpoint *c = &sp->checkpoint;

	list_for_each_safe (node, &s->entries) {
		struct spool_entry *entry = CONTAINER_OF(node, struct spool_entry, in_segment);
		if (entry->mark == c->mark || slice_is_full(c, *n_looks))
			return;
		++*n_looks;
		if (entry_is_watched(entry))
			continue;
		if (!c->error)
			checkpoint_describe(sp, entry);
		entry->mark = c->mark;
		c->n_unmarked--;
		list_remove(node);
		list_push_back(&s->entries, node);
	}
}

static void checkpoint_new_slice(struct spool *sp, enum format_slice_kind kind)
{
	struct checkpoint *c = &sp->checkpoint;

	buf_clear(&c->slice);
	c->slice_head = (struct format_slice){ .kind = kind, .lsn = sp->seen_lsn };
	if (buf_reserve(&c->slice, FORMAT_SLICE_HEADER))
		buf_grew(&c->slice, FORMAT_SLICE_HEADER);
}

static void checkpoint_gather(struct spool *sp)
{
	size_t n_looks = 0;

	checkpoint_new_slice(sp, FORMAT_SLICE_MESSAGES);
	list_for_each (node, &sp->segments) {
		if (slice_is_full(&sp->checkpoint, n_looks))
			return;
		checkpoint_gather_from(sp, CONTAINER_OF(node, struct spool_segment, node), &n_looks);
	}
}

static void checkpoint_make_end(struct spool *sp)
{
	struct checkpoint *c = &sp->checkpoint;

	checkpoint_new_slice(sp, FORMAT_SLICE_END);
	format_put_references(&c->slice, c->n_messages, c->references, c->n_references);
	c->is_end_made = true;
}

static void checkpoint_step(struct spool *sp)
{
	struct checkpoint *c = &sp->checkpoint;
	bool is_over = c->error && sp->is_closing;

	c->began_ns = clock_mono_ns();
	if (c->is_end_made && !c->error) {
		checkpoint_put_barrier(sp);
		return;
	}
	if (!is_over && c->n_unmarked)
		checkpoint_gather(sp);
	else if (!c->error)
		checkpoint_make_end(sp);
	if (!buf_ok(&c->slice))
		c->error = -ENOMEM;
	if (!c->error && (c->slice_head.n_entries || c->is_end_made))
		checkpoint_start_work(sp);
	else if (is_over || c->n_unmarked == 0)
		checkpoint_finish(sp);
	else
		checkpoint_pause(sp, BUSY_PAUSE_MS);
}

static void checkpoint_on_timer(uv_timer_t *timer)
{
	checkpoint_step(timer->data);
}

static void checkpoint_pause(struct spool *sp, uint64_t ms)
{
	CHECK(uv_timer_start(&sp->checkpoint.timer, checkpoint_on_timer, ms, 0) == 0);
}

/* ---- when ---- */

static bool checkpoint_is_due(struct spool *sp)
{
	struct checkpoint *c = &sp->checkpoint;
	uint64_t since = sp->log_written - c->log_bytes_at;

	if (c->state != CHECKPOINT_NONE || !sp->is_loaded || !sp->hooks.describe || sp->is_stopping)
		return false;
	if (sp->is_closing)
		return !c->is_last &&
			(c->is_wanted || since > MIN(AT_CLOSE_BYTES, sp->set.segment_bytes / 16));
	if (c->not_before_ms && clock_mono_ms() < c->not_before_ms)
		return false;
	return c->is_wanted ||
		since >= MAX(EVERY_SEGMENTS * sp->set.segment_bytes, EVERY_CHECKPOINTS * c->bytes_previous);
}

static void checkpoint_begin(struct spool *sp)
{
	struct checkpoint *c = &sp->checkpoint;

	c->is_last = sp->is_closing;
	c->is_wanted = c->is_end_made = false;
	c->not_before_ms = 0;
	c->error = 0;
	c->number++;
	c->mark = !c->mark;
	c->n_unmarked = sp->n_messages;
	c->n_messages = c->n_slices = c->bytes = c->n_synced = c->n_references = 0;
	c->log_bytes_at = sp->log_written;
	c->head = (struct format_checkpoint){
		.node = sp->set.node,
		.number = c->number,
		.lsn = sp->seen_lsn,
		.high_water = sp->high_water,
	};
	if (!list_empty(&sp->segments)) /* so that it is known to be of this log, even without a message */
		checkpoint_refer(c, CONTAINER_OF(sp->segments.prev, struct spool_segment, node));
	c->state = CHECKPOINT_SLICES;
	checkpoint_step(sp);
}

void checkpoint_run(struct spool *sp)
{
	if (checkpoint_is_due(sp))
		checkpoint_begin(sp);
}
