/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reclaim.c - space comes back: dead segments from the oldest on, and compaction of those that hold little
 *
 * Segments are freed in order of age only, so that a result never disappears before the message it belongs
 * to. What still lives in the oldest ones is copied to the head (envelope and recipients as the queue has
 * them now) when the dead space of the log exceeds one and a half times the live plus a few segments; a
 * segment whose sync failed is emptied in the same way at once.
 *
 * One round at a time; its records are in no hurry. Nothing comes back before a whole segment is empty, so a
 * round grows with what is too much: it must outrun the mail that is written meanwhile, even when all that is
 * old lives. So dead space stays below twice the live plus a few segments.
 * Tests: test_reclaim.c, test_bounds.c.
 */
#include "spool/spool-private.h"
#include "base/clock.h"
#include "base/crc32c.h"

static bool segment_is_last(const struct spool *sp, const struct spool_segment *s)
{
	return s->node.next == &sp->segments;
}

static void reclaim_free(struct spool *sp)
{
	while (!list_empty(&sp->segments)) {
		struct spool_segment *s = list_first(&sp->segments, struct spool_segment, node);
		if (segment_is_last(sp, s) || !list_empty(&s->entries) || s->n_pins)
			return;
		list_remove(&s->node);
		list_push_back(&sp->dead, &s->node);
		sp->n_segments--;
		sp->n_abandoned -= s->is_abandoned;
		sp->log_bytes -= s->bytes;
	}
}

static struct spool_segment *reclaim_find_abandoned(struct spool *sp)
{
	list_for_each (node, &sp->segments) {
		struct spool_segment *s = CONTAINER_OF(node, struct spool_segment, node);
		if (s->is_abandoned && !list_empty(&s->entries) && !segment_is_last(sp, s))
			return s;
	}
	return NULL;
}

/* No new segment can be had: then emptying an old one pays as soon as most of it is dead. */
static bool reclaim_is_short(struct spool *sp)
{
	bool is_short;

	uv_mutex_lock(&sp->commit.lock);
	is_short = sp->commit.prepare_error != 0;
	uv_mutex_unlock(&sp->commit.lock);
	return is_short;
}

/* Dead bytes beyond what is tolerated. */
static uint64_t reclaim_excess(const struct spool *sp)
{
	uint64_t tolerated =
		sp->live_bytes + sp->live_bytes / 2 + SPOOL_SLACK_SEGMENTS * sp->set.segment_bytes;
	uint64_t dead = sp->log_bytes > sp->live_bytes ? sp->log_bytes - sp->live_bytes : 0;

	return dead > tolerated ? dead - tolerated : 0;
}

/* The segment to empty now, or NULL. */
static struct spool_segment *reclaim_choose(struct spool *sp)
{
	struct spool_segment *oldest = list_first(&sp->segments, struct spool_segment, node);
	struct spool_segment *abandoned = sp->n_abandoned ? reclaim_find_abandoned(sp) : NULL;

	if (abandoned)
		return abandoned;
	if (!oldest || segment_is_last(sp, oldest) || list_empty(&oldest->entries))
		return NULL;
	if (reclaim_excess(sp))
		return oldest;
	return reclaim_is_short(sp) && oldest->live_bytes <= oldest->bytes / 4 ? oldest : NULL;
}

/* ---- a round: read (pool), describe and write (loop, commit thread), move (loop) ---- */

static void move_finish(struct spool *sp, struct spool_op *op)
{
	struct move_round *round = &sp->move;
	struct spool_entry *entry = op->entry;

	op->pinned->n_pins--;
	op_unwatch(op);
	if (op->result < 0) {
		round->not_before_ms = clock_mono_ms() + sp->set.retry_ms;
	} else if (entry) {
		entry_unplace(sp, entry);
		entry_place_at_op(sp, entry, op);
	}
	op_deinit(sp, op);
	if (--round->n_open == 0)
		mem_free(take_ptr(&round->items));
}

/* Its present state becomes a record. False: not now, a change of it is on its way. */
static bool move_describe(struct spool *sp, struct move_item *item)
{
	struct spool_entry *entry = item->op.entry;
	const struct spool_recipient *rcpts;
	struct spool_envelope env;
	size_t n_rcpts;

	if (!entry || entry->n_watching > 1 || item->error == -EFBIG)
		return false;
	if (item->error)
		spool_report(sp,
			&(struct spool_problem){
				.kind = SPOOL_PROBLEM_CONTENT,
				.id = entry->id,
				.generation = entry->segment->generation,
				.offset = entry_place_of(entry)->content_at,
				.bytes = entry->content_bytes,
				.error = item->error,
			});
	sp->hooks.describe(sp->user, entry, &env, &rcpts, &n_rcpts);
	env.content_bytes = entry->content_bytes;
	format_put_message(&item->op.meta, &env, rcpts, n_rcpts);
	return buf_ok(&item->op.meta);
}

static void move_read_done(uv_work_t *work, int status)
{
	struct spool *sp = work->data;
	struct move_round *round = &sp->move;
	size_t n_items = round->n_items;
	struct move_item *items = round->items;
	bool is_short = reclaim_is_short(sp);

	CHECK(status == 0); /* nobody cancels it */
	for (size_t i = 0; i < n_items; i++) {
		struct spool_op *op = &items[i].op;
		if (op->content)
			content_count(sp, op->content);
		if (move_describe(sp, &items[i])) {
			op_stage(sp, op, is_short);
		} else {
			op->result = -EAGAIN;
			move_finish(sp, op);
		}
	}
	spool_work_done(sp);
}

/* On the pool. What cannot be read is copied as zeros under the old checksum: it stays known as damaged, and
 * the segment can go. */
static void move_read_item(struct move_item *item)
{
	struct spool_op *op = &item->op;
	uint32_t crc;
	char *room;

	if (!op->content || op->content->bytes.len || !op->content_bytes)
		return;
	item->error = content_pread(op->pinned->fd, item->read_at, op->content_bytes, &op->content->bytes);
	if (item->error == 0) {
		crc = crc32c(0, buf_slice(&op->content->bytes));
		item->error = crc == op->content_crc ? 0 : -EBADMSG;
		return;
	}
	room = item->error == -EFBIG ? NULL : buf_reserve(&op->content->bytes, (size_t)op->content_bytes);
	if (!room)
		return; /* no memory: not moved now */
	memset(room, 0, (size_t)op->content_bytes);
	buf_grew(&op->content->bytes, (size_t)op->content_bytes);
}

static void move_read(uv_work_t *work)
{
	struct spool *sp = work->data;

	for (size_t i = 0; i < sp->move.n_items; i++)
		move_read_item(&sp->move.items[i]);
}

static void move_add(struct spool *sp, struct spool_entry *entry)
{
	struct move_item *item = &sp->move.items[sp->move.n_items++];
	struct spool_op *op = &item->op;

	op_init(op, FORMAT_MESSAGE, entry->id);
	op->flags = FORMAT_COPY | (entry->has_body_file ? FORMAT_BODY_FILE : 0);
	op->content_bytes = entry->content_bytes;
	op->content_crc = entry_place_of(entry)->content_crc;
	op->pinned = entry->segment;
	op->pinned->n_pins++;
	op->finish = move_finish;
	op_watch(sp, op, entry);
	item->read_at = entry_place_of(entry)->content_at;
	if (entry->has_body_file)
		return;
	op->content = entry->is_cached ? entry->cached : content_new((size_t)entry->content_bytes);
	op->content->n_refs += entry->is_cached;
}

/* How much one round moves: a sixteenth of what is too much, within limits. */
struct move_budget {
	uint64_t bytes;
	size_t n_entries;
};

static struct move_budget reclaim_budget(uint64_t excess)
{
	uint64_t bytes = MIN(MAX(excess / 16, SPOOL_MOVE_BYTES), SPOOL_MOVE_BYTES_MAX);

	return (struct move_budget){ bytes, (size_t)(bytes / SPOOL_MOVE_ENTRY_BYTES) };
}

/* False: the budget is used up. */
static bool move_add_segment(struct spool *sp, struct spool_segment *s, struct move_budget *budget)
{
	list_for_each (node, &s->entries) {
		struct spool_entry *entry = CONTAINER_OF(node, struct spool_entry, in_segment);
		if (entry_is_watched(entry))
			continue;
		if (budget->bytes == 0 || budget->n_entries == 0)
			return false;
		budget->n_entries--;
		budget->bytes -= MIN(budget->bytes, (uint64_t)entry->record_bytes);
		move_add(sp, entry);
	}
	return true;
}

/* From s, and from those behind it as long as emptying the ones before is not enough. */
static void reclaim_start_round(struct spool *sp, struct spool_segment *s)
{
	uint64_t excess = reclaim_excess(sp);
	struct move_budget budget = reclaim_budget(excess);

	sp->move.items = mem_new_array(budget.n_entries, sizeof(*sp->move.items));
	sp->move.n_items = 0;
	while (!segment_is_last(sp, s) && move_add_segment(sp, s, &budget) && s->bytes < excess) {
		excess -= s->bytes;
		s = CONTAINER_OF(s->node.next, struct spool_segment, node);
	}
	sp->move.n_open = sp->move.n_items;
	if (sp->move.n_items == 0) {
		mem_free(take_ptr(&sp->move.items));
		return;
	}
	sp->move.work.data = sp;
	spool_work_start(sp, &sp->move.work, move_read, move_read_done);
}

void reclaim_run(struct spool *sp)
{
	struct spool_segment *s;

	if (!sp->is_loaded)
		return; /* who lives where is not known yet */
	reclaim_free(sp);
	if (!sp->hooks.describe || sp->move.items || sp->is_closing ||
		clock_mono_ms() < sp->move.not_before_ms)
		return;
	s = reclaim_choose(sp);
	if (s)
		reclaim_start_round(sp, s);
}
