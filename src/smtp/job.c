/* SPDX-License-Identifier: Apache-2.0 */
/* job.c - see job.h */
#include "smtp/job.h"
#include "base/clock.h"
#include "base/limits.h"
#include "mail/trail.h"

struct job *job_new(struct channel *queue, const struct msg_JOB_BEGIN *m)
{
	struct job *job = mem_new(sizeof(*job));

	*job = (struct job){ .queue = queue,
		.id = m->job,
		.queue_id = m->queue_id,
		.size = m->size,
		.begun_us = clock_mono_ns() / 1000,
		.ret = m->ret,
		.body = m->body,
		.smtputf8 = m->smtputf8,
		.n_rcpts = m->n_rcpts,
		.n_open = m->n_rcpts,
		.arena = ARENA_INIT(JOB_ARENA_MAX),
		.first = BUF_INIT(LIMIT_FRAME),
		.chunk = BUF_INIT(LIMIT_FRAME) };
	list_init(&job->in_lane);
	list_init(&job->in_relay);
	if (m->n_rcpts > 0 && m->n_rcpts <= JOB_RCPTS_MAX)
		job->rcpts = arena_alloc(&job->arena, m->n_rcpts * sizeof(*job->rcpts));
	if (!job->rcpts || !arena_copy(&job->arena, m->destination, &job->destination) ||
		!arena_copy(&job->arena, m->reverse_path, &job->reverse_path) ||
		!arena_copy(&job->arena, m->envid, &job->envid))
		job_free(&job);
	return job;
}

void job_free(struct job **jp)
{
	struct job *job = take_ptr(jp);

	if (!job)
		return;
	CHECK(!job->lane);
	list_remove(&job->in_relay);
	arena_reset(&job->arena);
	buf_free(&job->first);
	buf_free(&job->chunk);
	mem_free(job);
}

enum job_status job_add_rcpt(struct job *job, const struct msg_JOB_RCPT *m)
{
	struct job_rcpt *rcpt;
	struct slice forwarded = m->trail;
	struct trail_step own;

	if (job->n_here == job->n_rcpts)
		return JOB_BAD;
	(void)trail_next(&forwarded, &own);
	rcpt = &job->rcpts[job->n_here];
	*rcpt = (struct job_rcpt){ .number = m->rcpt, .notify = m->notify };
	if (!arena_copy(&job->arena, m->forward_path, &rcpt->forward_path) ||
		!arena_copy(&job->arena, m->orcpt, &rcpt->orcpt) ||
		!arena_copy(&job->arena, m->original, &rcpt->original) ||
		!arena_copy(&job->arena, forwarded, &rcpt->forwarded))
		return JOB_NO_MEMORY;
	job->n_here++;
	return JOB_OK;
}

/* ---- content ---- */

enum job_status job_add_content(struct job *job, const struct msg_JOB_CONTENT *m)
{
	bool is_first = job->first.len == 0;
	struct buf *to = is_first ? &job->first : &job->chunk;

	if (m->offset > job->size || m->chunk.len > job->size - m->offset)
		return JOB_BAD;
	if (is_first ? m->offset != 0 : m->offset < job->first.len)
		return JOB_BAD;
	if (m->chunk.len == 0 && m->offset < job->size)
		return JOB_BAD;
	buf_clear(to);
	buf_append(to, m->chunk);
	if (!buf_ok(to))
		return JOB_NO_MEMORY;
	if (!is_first)
		job->chunk_offset = m->offset;
	return JOB_OK;
}

bool job_is_complete(const struct job *job)
{
	return job->n_here == job->n_rcpts && (job->size == 0 || job->first.len);
}

struct slice job_content_at(const struct job *job, uint64_t offset)
{
	if (offset < job->first.len)
		return slice_from(buf_slice(&job->first), (size_t)offset);
	if (offset >= job->chunk_offset && offset - job->chunk_offset < job->chunk.len)
		return slice_from(buf_slice(&job->chunk), (size_t)(offset - job->chunk_offset));
	return SLICE_EMPTY;
}

void job_ask_content(struct job *job, uint64_t offset)
{
	SEND(job->queue, JOB_MORE, .job = job->id, .offset = offset);
}

uint64_t job_wire_size(const struct job *job)
{
	uint64_t n_lines = 0, estimate;
	struct slice rest = buf_slice(&job->first), line;

	while (slice_cut(&rest, '\n', &line))
		n_lines++;
	if (job->first.len < job->size && !__builtin_mul_overflow(n_lines, job->size, &estimate))
		n_lines = estimate / MAX(job->first.len, (size_t)1);
	return job->size + n_lines;
}

static bool has_8bit(struct slice s)
{
	unsigned char all = 0;

	for (size_t i = 0; i < s.len; i++)
		all |= (unsigned char)s.at[i];
	return all >= 0x80;
}

bool job_has_8bit(const struct job *job)
{
	return job->first.len < job->size || has_8bit(buf_slice(&job->first));
}

bool job_header_has_8bit(const struct job *job)
{
	struct slice content = buf_slice(&job->first);
	const char *end = content.len ? memmem(content.at, content.len, "\n\n", 2) : NULL;

	return has_8bit(end ? slice_first(content, (size_t)(end - content.at)) : content);
}

/* ---- results ---- */

void job_taken(struct job *job)
{
	if (job->taken_us == 0)
		job->taken_us = clock_mono_ns() / 1000;
}

void job_mailed(struct job *job)
{
	job->mail_us = clock_mono_ns() / 1000;
}

/* Looking for a host and greeting it; what follows its greeting. */
static void put_times(const struct job *job, struct msg_JOB_RESULT *m)
{
	uint64_t now_us = clock_mono_ns() / 1000, from_us = job->taken_us ? job->taken_us : job->begun_us;

	m->setup_us = (job->mail_us ? job->mail_us : now_us) - from_us;
	m->transmission_us = job->mail_us ? now_us - job->mail_us : 0;
}

void job_rcpt_finish(struct job *job, struct job_rcpt *rcpt, const struct job_result *result)
{
	CHECK(rcpt->state != JOB_RCPT_DONE && job->n_open > 0);
	rcpt->state = JOB_RCPT_DONE;
	job->n_open--;
	struct msg_JOB_RESULT m = { .job = job->id,
		.rcpt = rcpt->number,
		.outcome = (uint8_t)result->outcome,
		.status = slice_of(result->status),
		.reason = slice_first(result->reason, LIMIT_REASON),
		.remote = result->remote };
	put_times(job, &m);
	channel_send(job->queue, MSG_JOB_RESULT, &m);
}

void job_finish_open(struct job *job, const struct job_result *result)
{
	for (size_t i = 0; i < job->n_here; i++)
		if (job->rcpts[i].state != JOB_RCPT_DONE)
			job_rcpt_finish(job, &job->rcpts[i], result);
}
