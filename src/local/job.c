/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.c - see job.h
 *
 * Chunks after the first are not kept: each part asks at its own pace, one question to queue is open at a
 * time, and an answer goes to all parts that wait for it and whose worker reads. A part whose worker leaves
 * much unread waits: its question is asked, perhaps once more, when the worker has caught up.
 */
#include "local/job.h"
#include "base/clock.h"
#include "base/limits.h"
#include "local/pool.h"

#define JOB_STRINGS_MAX (16 * 1024 * 1024) /* of all recipients: far above what queue puts into a job */

static struct {
	struct table jobs, parts;
	struct list all;
	uint64_t next_part;
} jobs;

void job_table_init(void)
{
	list_init(&jobs.all);
	jobs.next_part = 1;
}

size_t job_count(void)
{
	return jobs.jobs.n;
}

struct job *job_find(uint64_t id)
{
	uint64_t hash = table_hash_u64(id);

	for (struct table_node *n = table_first(&jobs.jobs, hash); n; n = table_next(n, hash)) {
		struct job *job = CONTAINER_OF(n, struct job, node);
		if (job->id == id)
			return job;
	}
	return NULL;
}

/* ---- a job's life ---- */

struct job *job_begin(struct channel *queue, const struct msg_JOB_BEGIN *m)
{
	struct job *job;

	if (job_find(m->job))
		return NULL;
	job = mem_new(sizeof(*job));
	job->queue = queue;
	job->id = m->job;
	job->begun_us = clock_mono_ns() / 1000;
	job->queue_id = m->queue_id;
	job->size = m->size;
	job->dry_run = m->dry_run;
	job->asker = m->asker;
	job->n_rcpts = job->n_open = m->n_rcpts;
	job->strings = ARENA_INIT(JOB_STRINGS_MAX);
	job->first = BUF_INIT(LIMIT_FRAME);
	list_init(&job->rcpts);
	list_init(&job->parts);
	CHECK(arena_copy(&job->strings, m->reverse_path, &job->reverse_path) &&
		arena_copy(&job->strings, m->envid, &job->envid) &&
		client_copy(&job->strings, m, &job->client));
	table_insert(&jobs.jobs, &job->node, table_hash_u64(job->id));
	list_push_back(&jobs.all, &job->in_all);
	return job;
}

static void job_free(struct job *job)
{
	while (!list_empty(&job->rcpts)) {
		struct job_rcpt *r = list_first(&job->rcpts, struct job_rcpt, in_owner);
		list_remove(&r->in_owner);
	}
	if (job->queue)
		table_remove(&jobs.jobs, &job->node);
	list_remove(&job->in_all);
	arena_reset(&job->strings);
	buf_free(&job->first);
	mem_free(job);
}

struct job_rcpt *job_add(struct job *job, const struct msg_JOB_RCPT *m)
{
	struct job_rcpt *r = arena_alloc(&job->strings, sizeof(*r));

	if (!r || job->n_got == job->n_rcpts || !arena_copy(&job->strings, m->user, &r->user) ||
		!arena_copy(&job->strings, m->forward_path, &r->forward_path) ||
		!arena_copy(&job->strings, m->original, &r->original) ||
		!arena_copy(&job->strings, m->orcpt, &r->orcpt) ||
		!arena_copy(&job->strings, m->trail, &r->trail) ||
		!arena_copy(&job->strings, m->origin, &r->origin))
		return NULL;
	r->number = m->rcpt;
	r->kind = m->kind;
	r->flags = m->flags;
	r->notify = m->notify;
	list_push_back(&job->rcpts, &r->in_owner);
	job->n_got++;
	return r;
}

void job_result(struct job *job, struct job_rcpt *r, const struct msg_JOB_RESULT *m)
{
	if (job->queue)
		SEND(job->queue, JOB_RESULT, .job = job->id, .rcpt = r->number, .outcome = m->outcome,
			.status = m->status, .reason = slice_first(m->reason, LIMIT_REASON),
			.transmission_us = clock_mono_ns() / 1000 - job->begun_us);
	list_remove(&r->in_owner);
	job->n_open--;
}

void job_defer(struct job *job, struct job_rcpt *r, const char *status, const char *reason)
{
	job_result(job, r,
		&(struct msg_JOB_RESULT){
			.outcome = JOB_DEFERRED, .status = slice_of(status), .reason = slice_of(reason) });
}

bool job_finish(struct job *job)
{
	if (job->n_open)
		return false;
	CHECK(list_empty(&job->parts));
	if (job->queue)
		SEND(job->queue, JOB_DONE, .job = job->id);
	job_free(job);
	return true;
}

/* Parts that a worker has whole go on: what it writes now is found by reconciling. */
void job_orphan(struct job *job)
{
	if (!job->queue)
		return;
	table_remove(&jobs.jobs, &job->node); /* its number may come again */
	job->queue = NULL;
	job->n_open += 1; /* so that it stays until the end of this function */
	job->n_open -= job->n_rcpts - job->n_got;
	while (!list_empty(&job->rcpts))
		job_defer(job, list_first(&job->rcpts, struct job_rcpt, in_owner), "", "");
	list_for_each_safe (node, &job->parts) {
		struct part *part = CONTAINER_OF(node, struct part, in_job);
		if (!part->sent_to || part->wanted)
			part_answer(part, JOB_DEFERRED, "", "");
	}
	job->n_open -= 1;
	(void)job_finish(job);
}

void job_orphan_all(struct channel *queue)
{
	list_for_each_safe (node, &jobs.all) {
		struct job *job = CONTAINER_OF(node, struct job, in_all);
		if (job->queue == queue)
			job_orphan(job);
	}
}

/* ---- parts ---- */

struct part *part_new(struct job *job, struct pool_worker *worker)
{
	struct part *part = mem_new(sizeof(*part));

	part->id = jobs.next_part++;
	part->job = job;
	part->worker = worker;
	list_init(&part->rcpts);
	list_init(&part->in_worker);
	list_push_back(&job->parts, &part->in_job);
	table_insert(&jobs.parts, &part->node, table_hash_u64(part->id));
	return part;
}

struct part *part_find(uint64_t id)
{
	uint64_t hash = table_hash_u64(id);

	for (struct table_node *n = table_first(&jobs.parts, hash); n; n = table_next(n, hash)) {
		struct part *part = CONTAINER_OF(n, struct part, node);
		if (part->id == id)
			return part;
	}
	return NULL;
}

struct job_rcpt *part_rcpt(struct part *part, uint32_t number)
{
	list_for_each (node, &part->rcpts) {
		struct job_rcpt *r = CONTAINER_OF(node, struct job_rcpt, in_owner);
		if (r->number == number)
			return r;
	}
	return NULL;
}

bool part_finish(struct part *part)
{
	struct job *job = part->job;
	struct pool_worker *worker = part->worker;

	if (!list_empty(&part->rcpts))
		return false;
	list_remove(&part->in_job);
	list_remove(&part->in_worker);
	table_remove(&jobs.parts, &part->node);
	mem_free(part);
	(void)job_finish(job);
	pool_part_done(worker);
	return true;
}

void part_answer(struct part *part, enum job_outcome outcome, const char *status, const char *reason)
{
	const struct msg_JOB_RESULT result = {
		.outcome = (uint8_t)outcome, .status = slice_of(status), .reason = slice_of(reason)
	};

	if (part->sent_to && part->wanted)
		SEND(part->sent_to, JOB_CANCEL,
			.job = part->id); /* it waits for content that will not come */
	while (!list_empty(&part->rcpts))
		job_result(part->job, list_first(&part->rcpts, struct job_rcpt, in_owner), &result);
	(void)part_finish(part);
}

void part_lost(struct part *part)
{
	part->sent_to = NULL;
	part->wanted = 0;
	part->was_lost = true;
	list_for_each (node, &part->rcpts)
		CONTAINER_OF(node, struct job_rcpt, in_owner)->flags |= RCPT_RECONCILE;
}

static uint32_t count_rcpts(const struct part *part)
{
	uint32_t n = 0;

	list_for_each (node, &part->rcpts)
		n++;
	return n;
}

void part_send(struct part *part, struct channel *worker)
{
	const struct job *job = part->job;

	part->sent_to = worker;
	SEND(worker, JOB_BEGIN, .job = part->id, .queue_id = job->queue_id, .reverse_path = job->reverse_path,
		.envid = job->envid, .size = job->size, .n_rcpts = count_rcpts(part),
		.client_address = job->client.address, .client_name = job->client.name,
		.helo = job->client.helo, .protocol = job->client.protocol, .login = job->client.login,
		.dry_run = job->dry_run, .asker = job->asker);
	list_for_each (node, &part->rcpts) {
		const struct job_rcpt *r = CONTAINER_OF(node, struct job_rcpt, in_owner);
		SEND(worker, JOB_RCPT, .job = part->id, .rcpt = r->number, .kind = r->kind, .flags = r->flags,
			.forward_path = r->forward_path, .user = r->user, .original = r->original,
			.orcpt = r->orcpt, .notify = r->notify, .trail = r->trail, .origin = r->origin);
	}
	SEND(worker, JOB_CONTENT, .job = part->id, .chunk = buf_slice(&job->first));
}

/* ---- content beyond the first chunk ---- */

static bool part_can_take(const struct part *part)
{
	return part->wanted && !channel_congested(part->sent_to);
}

static void ask_queue(struct job *job)
{
	list_for_each (node, &job->parts) {
		const struct part *part = CONTAINER_OF(node, struct part, in_job);
		if (!part_can_take(part))
			continue;
		job->asked = part->wanted;
		SEND(job->queue, JOB_MORE, .job = job->id, .offset = job->asked);
		return;
	}
}

void part_more(struct part *part, uint64_t offset)
{
	part->wanted = offset;
	if (!part->job->queue)
		part_answer(part, JOB_DEFERRED, "", "");
	else
		part_resume(part);
}

void part_resume(struct part *part)
{
	if (part->job->queue && part->job->asked == 0)
		ask_queue(part->job);
}

void job_chunk(struct job *job, uint64_t offset, struct slice chunk)
{
	list_for_each (node, &job->parts) {
		struct part *part = CONTAINER_OF(node, struct part, in_job);
		if (!part_can_take(part) || part->wanted != offset)
			continue;
		part->wanted = 0;
		SEND(part->sent_to, JOB_CONTENT, .job = part->id, .offset = offset, .chunk = chunk);
	}
	job->asked = 0;
	ask_queue(job);
}
