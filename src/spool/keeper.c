/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper.c - slow file work, one task at a time: segments prepared ahead, dead ones recycled or taken away
 *
 * One at a time, because segments must disappear from disk in the order of their age (docs/SPOOL.md,
 * "Freeing"): each task ends with a sync of the directory. A segment that cannot be taken away holds up the
 * younger ones, never the preparation of new ones.
 * Tests: test_reclaim.c, test_faults.c.
 */
#include "spool/spool-private.h"
#include "base/clock.h"
#include "base/file.h"

#define BODIES_PER_TASK 64

static size_t keeper_n_prepared(struct spool *sp)
{
	size_t n;

	uv_mutex_lock(&sp->commit.lock);
	n = sp->commit.n_prepared;
	uv_mutex_unlock(&sp->commit.lock);
	return n;
}

static bool keeper_can_recycle(const struct spool *sp, const struct spool_segment *s, size_t n_prepared)
{
	return !s->is_no_use && !s->is_abandoned && !s->is_damaged && s->bytes == sp->set.segment_bytes &&
		n_prepared < sp->set.reserve_segments + SPOOL_SPARE_SEGMENTS;
}

static enum keeper_task keeper_choose(struct spool *sp)
{
	struct keeper *k = &sp->keeper;
	uint64_t now = clock_mono_ms();
	size_t n_prepared = keeper_n_prepared(sp);

	if (!list_empty(&sp->dead) && now >= k->free_at_ms) {
		k->old = list_first(&sp->dead, struct spool_segment, node);
		return keeper_can_recycle(sp, k->old, n_prepared) ? KEEPER_RECYCLE : KEEPER_DISCARD;
	}
	if (n_prepared <= sp->set.reserve_segments && now >= k->create_at_ms)
		return KEEPER_CREATE;
	return sp->dead_bodies.len ? KEEPER_BODIES : KEEPER_NONE;
}

static void keeper_unlink_bodies(struct spool *sp, struct keeper *k)
{
	char name[SPOOL_NAME_MAX];
	uint64_t id;

	for (size_t at = 0; at + sizeof(id) <= k->bodies.len; at += sizeof(id)) {
		int r;
		memcpy(&id, k->bodies.at + at, sizeof(id));
		body_name(id, ".body", name);
		r = file_unlink(sp->bodies_fd, name);
		if (r < 0 && r != -ENOENT)
			k->result = r; /* it stays as an orphan until the next opening */
	}
}

/* On a thread of the pool. A prepared segment goes straight to the commit thread, which may be waiting for
 * it. */
static void keeper_work(uv_work_t *work)
{
	struct spool *sp = work->data;
	struct keeper *k = &sp->keeper;

	k->result = 0;
	switch (k->task) {
	case KEEPER_NONE: break;
	case KEEPER_CREATE:
		k->result = segment_create(sp->log_fd, k->fresh, sp->set.segment_bytes, sp->set.node);
		break;
	case KEEPER_RECYCLE: k->result = segment_recycle(sp->log_fd, k->old, k->fresh, sp->set.node); break;
	case KEEPER_DISCARD: k->result = segment_discard(sp->log_fd, k->old); break;
	case KEEPER_BODIES: keeper_unlink_bodies(sp, k); break;
	}
	if (k->fresh && k->result == 0)
		commit_add_prepared(&sp->commit, take_ptr(&k->fresh), 0);
	else if (k->task == KEEPER_CREATE)
		commit_add_prepared(&sp->commit, NULL, k->result);
}

static void keeper_freed(struct spool *sp, struct keeper *k)
{
	if (k->result == 0) {
		list_remove(&k->old->node);
		segment_free(&k->old);
		return;
	}
	k->old->is_no_use = true;
	k->free_at_ms = clock_mono_ms() + sp->set.retry_ms;
	spool_report(sp,
		&(struct spool_problem){
			.kind = SPOOL_PROBLEM_RECLAIM,
			.generation = k->old->generation,
			.error = k->result,
		});
}

static void keeper_created(struct spool *sp, struct keeper *k)
{
	bool is_new = k->result != k->reported;

	k->reported = k->result;
	if (k->result == 0)
		return;
	k->create_at_ms = clock_mono_ms() + sp->set.retry_ms;
	if (is_new) /* once, not every second */
		spool_report(sp,
			&(struct spool_problem){
				.kind = SPOOL_PROBLEM_PREPARE,
				.generation = k->fresh->generation,
				.error = k->result,
			});
}

static void keeper_retry(uv_timer_t *timer)
{
	keeper_run(timer->data);
}

/* What failed is due later. The loop's clock may be behind, so that the timer comes too early: then again. */
static void keeper_wait(struct spool *sp)
{
	const struct keeper *k = &sp->keeper;
	uint64_t now = clock_mono_ms(), at = UINT64_MAX;

	if (!list_empty(&sp->dead))
		at = k->free_at_ms;
	if (keeper_n_prepared(sp) <= sp->set.reserve_segments)
		at = MIN(at, k->create_at_ms);
	if (at != UINT64_MAX && !sp->is_closing)
		CHECK(uv_timer_start(&sp->retry_timer, keeper_retry, at > now ? at - now : 1, 0) == 0);
}

static void keeper_done(uv_work_t *work, int status)
{
	struct spool *sp = work->data;
	struct keeper *k = &sp->keeper;

	CHECK(status == 0); /* nobody cancels it */
	if (k->task == KEEPER_RECYCLE || k->task == KEEPER_DISCARD)
		keeper_freed(sp, k);
	else if (k->task == KEEPER_CREATE)
		keeper_created(sp, k);
	else if (k->result < 0)
		spool_report(
			sp, &(struct spool_problem){ .kind = SPOOL_PROBLEM_RECLAIM, .error = k->result });
	segment_free(&k->fresh);
	buf_clear(&k->bodies);
	k->task = KEEPER_NONE;
	k->old = NULL;
	if (k->result < 0)
		reclaim_run(sp); /* what can be freed is needed now */
	keeper_run(sp);
	spool_work_done(sp);
}

void keeper_run(struct spool *sp)
{
	struct keeper *k = &sp->keeper;

	if (k->task != KEEPER_NONE || sp->is_stopping)
		return;
	k->task = keeper_choose(sp);
	if (k->task == KEEPER_NONE) {
		keeper_wait(sp);
		return;
	}
	if (k->task == KEEPER_CREATE || k->task == KEEPER_RECYCLE)
		k->fresh = segment_new(sp->next_generation++);
	if (k->task == KEEPER_BODIES) {
		size_t n = MIN(sp->dead_bodies.len, BODIES_PER_TASK * sizeof(uint64_t));
		buf_append(&k->bodies, (struct slice){ sp->dead_bodies.at, n });
		buf_drop_front(&sp->dead_bodies, n);
	}
	k->work.data = sp;
	spool_work_start(sp, &k->work, keeper_work, keeper_done);
}

void keeper_remove_body(struct spool *sp, uint64_t id)
{
	/* When the list is full the file stays an orphan, which the next opening removes. */
	buf_append(&sp->dead_bodies, (struct slice){ (const char *)&id, sizeof(id) });
	sp->dead_bodies.failed = false;
}
