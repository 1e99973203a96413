/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - operations on their way to the log, and the small ones: expand, result, flags, remove, high
 * water
 *
 * An operation carries its fields encoded, so the caller's structs need not live. When it comes back from the
 * commit thread its finish function adjusts the books and answers the caller. An entry that is removed while
 * operations for it are on their way is forgotten by them (the watched list).
 * Tests: test_spool.c, test_faults.c.
 */
#include "spool/spool-private.h"

struct spool_op *op_new(enum format_type type, uint64_t id, spool_done done, void *user)
{
	struct spool_op *op = mem_new(sizeof(*op));

	op_init(op, type, id);
	op->done = done;
	op->user = user;
	return op;
}

void op_init(struct spool_op *op, enum format_type type, uint64_t id)
{
	list_init(&op->node);
	list_init(&op->watch);
	op->type = type;
	op->id = id;
	op->meta = BUF_INIT(FORMAT_META_MAX);
}

void op_deinit(struct spool *sp, struct spool_op *op)
{
	op_unwatch(op);
	content_unref(sp, &op->content);
	buf_free(&op->meta);
}

void op_watch(struct spool *sp, struct spool_op *op, struct spool_entry *entry)
{
	op->entry = entry;
	entry->n_watching++;
	list_push_back(&sp->watched, &op->watch);
}

void op_unwatch(struct spool_op *op)
{
	if (!list_linked(&op->watch))
		return;
	list_remove(&op->watch);
	if (op->entry)
		op->entry->n_watching--;
}

/* Is a change of this entry on its way whose outcome the queue does not count on yet? */
bool entry_is_watched(const struct spool_entry *entry)
{
	return entry->n_watching > 0;
}

static void entry_leave_watched(struct spool *sp, struct spool_entry *entry)
{
	list_for_each_safe (node, &sp->watched) {
		struct spool_op *op = CONTAINER_OF(node, struct spool_op, watch);
		if (entry->n_watching == 0)
			return;
		if (op->entry == entry) {
			op_unwatch(op);
			op->entry = NULL;
		}
	}
}

uint64_t op_record_bytes(const struct spool_op *op)
{
	uint64_t content = op->content ? op->content->bytes.len : 0;

	return format_pad(FORMAT_RECORD_HEADER + op->meta.len + content, FORMAT_RECORD_ALIGN);
}

void op_stage(struct spool *sp, struct spool_op *op, bool urgent)
{
	CHECK(!sp->is_stopping);
	list_push_back(&sp->staged, &op->node);
	if (sp->n_pending++ == 0)
		uv_ref((uv_handle_t *)&sp->notify);
	if (urgent)
		sp->is_urgent = true;
	else if (!uv_is_active((uv_handle_t *)&sp->flush_timer))
		CHECK(uv_timer_start(&sp->flush_timer, spool_flush, sp->set.flush_ms, 0) == 0);
}

/* Those that a checkpoint in progress has yet to write stand in front (checkpoint.c). */
void entry_place(struct spool *sp, struct spool_entry *entry, struct spool_segment *s,
	struct spool_place place, uint64_t record_bytes)
{
	entry->segment = s;
	*entry_place_of(entry) = place;
	entry->record_bytes = (uint32_t)record_bytes; /* meta and content in the log are far below 4 GiB */
	list_init(&entry->in_segment);
	if (entry->mark == sp->checkpoint.mark)
		list_push_back(&s->entries, &entry->in_segment);
	else
		list_push_front(&s->entries, &entry->in_segment);
	s->live_bytes += record_bytes;
	sp->live_bytes += record_bytes;
}

void entry_place_at_op(struct spool *sp, struct spool_entry *entry, const struct spool_op *op)
{
	struct spool_place place = {
		.content_at = (uint32_t)(op->offset + FORMAT_RECORD_HEADER + op->meta.len),
		.content_crc = op->content_crc,
	};

	entry_place(sp, entry, op->segment, place, op_record_bytes(op));
}

void entry_unplace(struct spool *sp, struct spool_entry *entry)
{
	list_remove(&entry->in_segment);
	entry->segment->live_bytes -= entry->record_bytes;
	sp->live_bytes -= entry->record_bytes;
	entry->segment = NULL;
}

static void op_finish(struct spool *sp, struct spool_op *op)
{
	spool_done done = op->done;
	void *user = op->user;
	int result = op->result;

	op_deinit(sp, op);
	mem_free(op);
	if (done)
		done(user, result);
}

static void op_go(struct spool *sp, struct spool_op *op, bool urgent)
{
	op->finish = op_finish;
	if (buf_ok(&op->meta)) {
		op_stage(sp, op, urgent);
		return;
	}
	/* Too long for one record: answered like the others, from the loop, without going to the disk. */
	op_fail_later(sp, op, -E2BIG);
}

void op_fail_later(struct spool *sp, struct spool_op *op, int error)
{
	op->result = error;
	list_push_back(&sp->refused, &op->node);
	if (sp->n_pending++ == 0)
		uv_ref((uv_handle_t *)&sp->notify);
	CHECK(uv_async_send(&sp->notify) == 0);
}

void spool_expand(struct spool *sp, struct spool_entry *entry, uint32_t rcpt_no,
	const struct spool_recipient *rcpts, size_t n_rcpts, spool_done done, void *user)
{
	struct spool_op *op = op_new(FORMAT_EXPAND, entry->id, done, user);

	CHECK(entry->segment);
	op_watch(sp, op, entry);
	format_put_expand(&op->meta, rcpt_no, rcpts, n_rcpts);
	op_go(sp, op, true);
}

void spool_record_result(struct spool *sp, struct spool_entry *entry, uint32_t rcpt_no,
	const struct spool_progress *progress, spool_done done, void *user)
{
	struct spool_op *op = op_new(FORMAT_RESULT, entry->id, done, user);

	CHECK(entry->segment);
	op->is_kept = true;
	format_put_result(&op->meta, rcpt_no, progress);
	op_go(sp, op, done != NULL);
}

void spool_set_flags(struct spool *sp, struct spool_entry *entry, uint32_t flags, spool_done done, void *user)
{
	struct spool_op *op = op_new(FORMAT_FLAGS, entry->id, done, user);

	CHECK(entry->segment);
	op_watch(sp, op, entry);
	format_put_number(&op->meta, flags);
	op_go(sp, op, true);
}

void spool_update_id_high_water(struct spool *sp, uint64_t next_id, spool_done done, void *user)
{
	struct spool_op *op = op_new(FORMAT_HIGH_WATER, 0, done, user);

	sp->high_water = MAX(sp->high_water, next_id);
	format_put_number(&op->meta, sp->high_water);
	op_go(sp, op, true);
}

static void remove_finish(struct spool *sp, struct spool_op *op)
{
	op->pinned->n_pins--;
	if (op->result == 0 && op->has_body)
		keeper_remove_body(sp, op->id);
	op_finish(sp, op);
}

void spool_remove(struct spool *sp, struct spool_entry *entry, spool_done done, void *user)
{
	struct spool_op *op = op_new(FORMAT_REMOVE, entry->id, done, user);

	CHECK(entry->segment);
	op->is_kept = true;
	op->has_body = entry->has_body_file;
	op->pinned = entry->segment;
	op->pinned->n_pins++;
	op->finish = remove_finish;
	entry_leave_watched(sp, entry);
	spool_content_forget(sp, entry);
	entry_unplace(sp, entry);
	sp->checkpoint.n_unmarked -= entry->mark != sp->checkpoint.mark;
	*entry = (struct spool_entry){ 0 };
	sp->n_messages--;
	op_stage(sp, op, done != NULL);
}
