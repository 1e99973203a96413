/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.c - the running object: what was staged goes to the commit thread once per turn of the loop, what is
 * finished comes back; closing. Opening is in open.c.
 */
#include "spool/spool-private.h"
#include "base/clock.h"
#include <sys/statvfs.h>

void spool_report(struct spool *sp, const struct spool_problem *problem)
{
	if (sp->hooks.on_problem)
		sp->hooks.on_problem(sp->user, problem);
}

const char *spool_problem_text(enum spool_problem_kind kind)
{
	switch (kind) {
	case SPOOL_PROBLEM_TORN: return "the unconfirmed end of the log was cut off";
	case SPOOL_PROBLEM_CORRUPT: return "confirmed records of the log cannot be read";
	case SPOOL_PROBLEM_SEGMENT_GONE: return "confirmed records stood in a file that is missing";
	case SPOOL_PROBLEM_BODY_GONE: return "the body file of a message is missing or has another size";
	case SPOOL_PROBLEM_CONTENT: return "the content of a message is damaged";
	case SPOOL_PROBLEM_ORPHAN: return "a body file without a message was removed";
	case SPOOL_PROBLEM_ORPHAN_KEPT: return "a body file without a message was kept as .lost";
	case SPOOL_PROBLEM_WRITE: return "writing or syncing failed, the segment was abandoned";
	case SPOOL_PROBLEM_PREPARE: return "the next segment cannot be prepared";
	case SPOOL_PROBLEM_CHECKPOINT: return "a checkpoint cannot be used or written, the log is complete";
	case SPOOL_PROBLEM_RECLAIM: return "a file that is not needed any more cannot be freed";
	}
	return "unknown problem";
}

void spool_problem_file(const struct spool_problem *problem, char file_out[SPOOL_PROBLEM_FILE])
{
	bool is_body = problem->kind == SPOOL_PROBLEM_BODY_GONE || problem->kind == SPOOL_PROBLEM_ORPHAN ||
		problem->kind == SPOOL_PROBLEM_ORPHAN_KEPT ||
		(problem->kind == SPOOL_PROBLEM_CONTENT && problem->generation == 0);
	bool is_checkpoint = problem->kind == SPOOL_PROBLEM_CHECKPOINT;
	uint64_t number = is_body ? problem->id : problem->generation;
	const char *dir = is_body || problem->generation == 0 ? "bodies" : "log";

	if (number)
		(void)snprintf(file_out, SPOOL_PROBLEM_FILE, "%s/%016" PRIX64 "%s", dir, number,
			is_body			? ".body"
				: is_checkpoint ? ".ckpt"
						: ".seg");
	else
		(void)snprintf(file_out, SPOOL_PROBLEM_FILE, "%s", dir);
}

/* ---- to the commit thread and back ---- */

static void spool_hand_over(struct spool *sp)
{
	if (!sp->is_urgent || list_empty(&sp->staged))
		return;
	sp->is_urgent = false;
	(void)uv_timer_stop(&sp->flush_timer); /* never fails */
	commit_give(&sp->commit, &sp->staged, sp->high_water);
}

void spool_after_poll(uv_check_t *check)
{
	spool_hand_over(check->data);
}

void spool_before_poll(uv_prepare_t *prepare)
{
	spool_hand_over(prepare->data);
}

void spool_flush(uv_timer_t *timer)
{
	struct spool *sp = timer->data;

	sp->is_urgent = true;
	spool_hand_over(sp);
}

static void spool_see_taken(struct spool *sp, struct list *taken)
{
	while (!list_empty(taken)) {
		struct spool_segment *s = list_first(taken, struct spool_segment, node);
		list_remove(&s->node);
		list_push_back(&sp->segments, &s->node);
		sp->n_segments++;
		sp->log_bytes += s->bytes;
	}
}

static void spool_see_failures(struct spool *sp, struct list *failures)
{
	while (!list_empty(failures)) {
		struct commit_failure *f = list_first(failures, struct commit_failure, node);
		list_remove(&f->node);
		f->segment->is_abandoned = true;
		sp->n_abandoned++;
		spool_report(sp, &f->problem);
		mem_free(f);
	}
}

static void spool_see_finished(struct spool *sp, struct list *finished)
{
	while (!list_empty(finished)) {
		struct spool_op *op = list_first(finished, struct spool_op, node);
		list_remove(&op->node);
		if (--sp->n_pending == 0 && !sp->is_closing)
			uv_unref((uv_handle_t *)&sp->notify);
		if (op->result == 0)
			sp->seen_lsn = MAX(sp->seen_lsn, op->lsn);
		op->finish(sp, op);
	}
}

void spool_on_notify(uv_async_t *async)
{
	struct spool *sp = async->data;
	struct commit *c = &sp->commit;
	struct list finished, taken, failures, refused;

	list_init(&finished);
	list_init(&taken);
	list_init(&failures);
	list_init(&refused);
	uv_mutex_lock(&c->lock);
	list_move_all(&finished, &c->finished);
	list_move_all(&taken, &c->taken);
	list_move_all(&failures, &c->failures);
	sp->log_written = c->n_bytes;
	uv_mutex_unlock(&c->lock);
	list_move_all(&refused, &sp->refused);
	spool_see_taken(sp, &taken);
	spool_see_failures(sp, &failures);
	spool_see_finished(sp, &finished);
	spool_see_finished(sp, &refused);
	reclaim_run(sp);
	keeper_run(sp);
	checkpoint_run(sp);
	spool_step_closing(sp);
}

/* ---- work on the pool ---- */

void spool_work_start(struct spool *sp, uv_work_t *work, uv_work_cb run, uv_after_work_cb after)
{
	sp->n_works++;
	CHECK(uv_queue_work(sp->loop, work, run, after) == 0); /* fails only without run */
}

void spool_work_done(struct spool *sp)
{
	sp->n_works--;
	spool_step_closing(sp);
}

/* ---- questions ---- */

uint64_t spool_id_high_water(const struct spool *sp)
{
	return sp->high_water;
}

/* The file system's free space, looked at once a second. */
static bool spool_lacks_space(struct spool *sp, uint64_t now)
{
	struct statvfs fs;

	if (sp->set.reserve_bytes == 0)
		return false;
	if (sp->space_checked_ms && now < sp->space_checked_ms + sp->set.retry_ms)
		return sp->lacks_space;
	sp->space_checked_ms = now;
	sp->lacks_space =
		fstatvfs(sp->log_fd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < sp->set.reserve_bytes;
	return sp->lacks_space;
}

bool spool_is_full(struct spool *sp)
{
	struct commit *c = &sp->commit;
	uint64_t now = clock_mono_ms();
	bool is_full;

	uv_mutex_lock(&c->lock);
	is_full = c->retry_at_ms > now || (c->prepare_error && c->n_prepared <= c->n_reserve);
	uv_mutex_unlock(&c->lock);
	return is_full || spool_lacks_space(sp, now);
}

void spool_statistics(struct spool *sp, struct spool_statistics *out)
{
	struct commit *c = &sp->commit;

	*out = (struct spool_statistics){
		.n_messages = sp->n_messages,
		.live_bytes = sp->live_bytes,
		.n_segments = sp->n_segments,
		.log_bytes = sp->log_bytes,
		.cached_bytes = sp->memory_used,
		.is_loading = sp->load != NULL,
		.n_checkpoints = sp->checkpoint.n_written,
		.checkpoint_bytes = sp->checkpoint.bytes_previous,
	};
	uv_mutex_lock(&c->lock);
	out->n_prepared = c->n_prepared;
	out->n_batches = c->n_batches;
	out->n_records = c->n_records;
	uv_mutex_unlock(&c->lock);
}

/* ---- closing: body files, then the log, then the threads, then the handles ---- */

static void spool_free_segments(struct list *segments)
{
	while (!list_empty(segments)) {
		struct spool_segment *s = list_first(segments, struct spool_segment, node);
		list_remove(&s->node);
		segment_free(&s);
	}
}

void spool_free(struct spool *sp)
{
	while (!list_empty(&sp->recent)) { /* not through their entries: those are gone */
		struct spool_content *c = list_first(&sp->recent, struct spool_content, recent);
		list_remove(&c->recent);
		content_unref(sp, &c);
	}
	spool_free_segments(&sp->segments);
	spool_free_segments(&sp->dead);
	load_free(&sp->load);
	checkpoint_deinit(sp);
	commit_deinit(&sp->commit);
	buf_free(&sp->dead_bodies);
	buf_free(&sp->keeper.bodies);
	cleanup_close(&sp->log_fd);
	cleanup_close(&sp->bodies_fd);
	cleanup_close(&sp->dir_fd);
	cleanup_close(&sp->lock_fd);
	mem_free(sp);
}

static void spool_handle_closed(uv_handle_t *handle)
{
	struct spool *sp = handle->data;
	void (*closed)(void *user) = sp->closed;
	void *user = sp->closed_user;

	if (--sp->n_handles > 0)
		return;
	spool_free(sp);
	closed(user);
}

void spool_close_handles(struct spool *sp)
{
	uv_handle_t *handles[] = { (uv_handle_t *)&sp->notify, (uv_handle_t *)&sp->after_poll,
		(uv_handle_t *)&sp->before_poll, (uv_handle_t *)&sp->flush_timer,
		(uv_handle_t *)&sp->retry_timer, (uv_handle_t *)&sp->checkpoint.timer };

	sp->n_handles = ARRAY_LEN(handles);
	for (size_t i = 0; i < ARRAY_LEN(handles); i++)
		uv_close(handles[i], spool_handle_closed);
}

void spool_step_closing(struct spool *sp)
{
	bool has_stopped;

	if (!sp->is_closing || sp->n_handles)
		return;
	if (sp->n_pending || sp->move.items)
		return;
	checkpoint_run(sp);
	if (sp->checkpoint.state != CHECKPOINT_NONE)
		return;
	if (!sp->is_stopping && sp->n_works == 0) {
		sp->is_stopping = true;
		commit_stop(&sp->commit);
	}
	uv_mutex_lock(&sp->commit.lock);
	has_stopped = sp->commit.has_stopped;
	uv_mutex_unlock(&sp->commit.lock);
	if (!has_stopped)
		return;
	CHECK(uv_thread_join(&sp->commit.thread) == 0);
	spool_close_handles(sp);
}

void spool_close(struct spool *sp, void (*closed)(void *user), void *user)
{
	CHECK(!sp->is_closing);
	sp->closed = closed;
	sp->closed_user = user;
	sp->is_closing = true;
	sp->is_urgent = true;
	uv_ref((uv_handle_t *)&sp->notify);
	(void)uv_timer_stop(&sp->retry_timer); /* never fails */
	uv_mutex_lock(&sp->commit.lock);
	sp->commit.gives_up = true;
	uv_cond_signal(&sp->commit.wake);
	uv_mutex_unlock(&sp->commit.lock);
	load_cancel(sp);
	spool_hand_over(sp);
	CHECK(uv_async_send(&sp->notify) == 0); /* so that the closing steps run from the loop only */
}
