/* SPDX-License-Identifier: Apache-2.0 */
/* relay.c - jobs as queue gives them, found again by their number; see relay.h */
#include "smtp/relay.h"
#include "base/log.h"
#include "mail/queue_id.h"
#include "smtp/next_hop.h"
#include "smtp/session.h"

static struct job *relay_find_job(const struct relay *relay, uint64_t id)
{
	uint64_t hash = table_hash_u64(id);

	for (struct table_node *n = table_first(&relay->jobs, hash); n; n = table_next(n, hash)) {
		struct job *job = CONTAINER_OF(n, struct job, node);
		if (job->id == id)
			return job;
	}
	return NULL;
}

void relay_init(struct relay *relay, uv_loop_t *loop, const struct config *config, struct dns *dns)
{
	*relay = (struct relay){
		.loop = loop, .config = config, .dns = dns, .jobs = TABLE_INIT, .lanes = TABLE_INIT
	};
	list_init(&relay->all_jobs);
	list_init(&relay->sessions);
	list_init(&relay->idle);
	list_init(&relay->starved);
}

void relay_deinit(struct relay *relay)
{
	relay->is_stopping = true;
	relay->on_stopped = NULL;
	relay_drop_all(relay);
	table_deinit(&relay->jobs);
	table_deinit(&relay->lanes);
}

/* ---- a job's end other than by its session ---- */

/* The job is in no session. */
static void relay_forget_job(struct relay *relay, struct job *job)
{
	table_remove(&relay->jobs, &job->node);
	job_free(&job);
}

static void relay_end_job(struct relay *relay, struct job *job)
{
	SEND(job->queue, JOB_DONE, .job = job->id);
	relay_forget_job(relay, job);
}

/* Takes the job from the session or lane that has it. */
static void relay_detach_job(struct relay *relay, struct job *job)
{
	if (job->session)
		session_abort(job->session);
	else if (job->lane)
		lane_remove_job(job);
}

static void relay_fail_job(struct relay *relay, struct job *job, enum job_outcome outcome, const char *status,
	const char *reason)
{
	relay_detach_job(relay, job);
	job_finish_open(job,
		&(struct job_result){ .outcome = outcome,
			.status = status,
			.reason = slice_of(reason),
			.remote = SLICE_EMPTY });
	relay_end_job(relay, job);
}

/* ---- what queue says ---- */

void relay_job_begin(struct relay *relay, struct channel *queue, const struct msg_JOB_BEGIN *m)
{
	struct job *job = relay_find_job(relay, m->job) ? NULL : job_new(queue, m);

	if (!job) {
		log_error("%s: a job with %u recipients cannot be taken", queue_id_format(m->queue_id).at,
			m->n_rcpts);
		SEND(queue, JOB_DONE, .job = m->job); /* without results: queue tries again later */
		return;
	}
	table_insert(&relay->jobs, &job->node, table_hash_u64(job->id));
	list_push_back(&relay->all_jobs, &job->in_relay);
}

/* Everything is here: off it goes. */
static void relay_start_job(struct relay *relay, struct job *job)
{
	auto_buf struct buf reason = BUF_INIT(2 * LIMIT_REASON);
	struct next_hop ignored;

	job->is_ready = true;
	switch (next_hop_parse(relay->config, job->destination, &ignored, &reason)) {
	case NEXT_HOP_OK: lane_add_job(relay, job); return;
	case NEXT_HOP_BAD_NAME: relay_fail_job(relay, job, JOB_FAILED, "5.1.2", buf_cstr(&reason)); return;
	case NEXT_HOP_MISTAKE: relay_fail_job(relay, job, JOB_DEFERRED, "4.3.5", buf_cstr(&reason)); return;
	}
}

static void relay_check_step(struct relay *relay, struct job *job, enum job_status status)
{
	switch (status) {
	case JOB_OK:
		if (!job->is_ready && job_is_complete(job))
			relay_start_job(relay, job);
		else if (job->session)
			session_content_came(job->session);
		return;
	case JOB_NO_MEMORY:
		relay_fail_job(relay, job, JOB_DEFERRED, "4.3.0", "out of memory in the SMTP client");
		return;
	case JOB_BAD:
		log_error("%s: what queue sent does not fit the job", queue_id_format(job->queue_id).at);
		relay_fail_job(relay, job, JOB_DEFERRED, "4.3.0", "the message could not be read");
		return;
	}
}

void relay_job_rcpt(struct relay *relay, const struct msg_JOB_RCPT *m)
{
	struct job *job = relay_find_job(relay, m->job);

	if (job)
		relay_check_step(relay, job, job_add_rcpt(job, m));
}

void relay_job_content(struct relay *relay, const struct msg_JOB_CONTENT *m)
{
	struct job *job = relay_find_job(relay, m->job);

	if (job)
		relay_check_step(relay, job, job_add_content(job, m));
}

void relay_job_cancel(struct relay *relay, const struct msg_JOB_CANCEL *m)
{
	struct job *job = relay_find_job(relay, m->job);

	/* What the server may have taken already is reported as usual. */
	if (!job || (job->session && session_is_committed(job->session)))
		return;
	relay_detach_job(relay, job);
	relay_end_job(relay, job);
}

/* ---- the supervisor and the settings ---- */

void relay_socket_came(struct relay *relay, uint64_t number, int fd)
{
	list_for_each (node, &relay->sessions) {
		struct session *s = session_of_node(node);
		if (session_wants_socket(s, number)) {
			session_socket_came(s, fd);
			return;
		}
	}
	if (fd >= 0)
		(void)close(fd); /* it was aborted meanwhile */
}

/* A job that waits for a place that no setting names any more. */
static void relay_check_job(struct relay *relay, struct job *job)
{
	auto_buf struct buf reason = BUF_INIT(2 * LIMIT_REASON);
	struct next_hop ignored;

	if (next_hop_parse(relay->config, job->destination, &ignored, &reason) != NEXT_HOP_OK)
		relay_fail_job(relay, job, JOB_DEFERRED, "4.3.5", buf_cstr(&reason));
}

void relay_reload(struct relay *relay, const struct config *config)
{
	relay->config = config;
	list_for_each_safe (node, &relay->all_jobs) {
		struct job *job = CONTAINER_OF(node, struct job, in_relay);
		if (job->lane)
			relay_check_job(relay, job);
	}
	list_for_each_safe (node, &relay->sessions)
		session_reload(session_of_node(node));
}

/* ---- the end ---- */

void relay_drop_all(struct relay *relay)
{
	/* First what waits, so that no session that ends makes room for it. */
	list_for_each (node, &relay->all_jobs) {
		struct job *job = CONTAINER_OF(node, struct job, in_relay);
		if (job->lane)
			lane_remove_job(job);
	}
	while (!list_empty(&relay->sessions))
		session_abort(session_of_node(relay->sessions.next));
	while (!list_empty(&relay->all_jobs))
		relay_forget_job(relay, CONTAINER_OF(relay->all_jobs.next, struct job, in_relay));
}

void relay_stop(struct relay *relay)
{
	bool was_idle = relay->n_sessions == 0;

	relay->is_stopping = true;
	list_for_each_safe (node, &relay->sessions) {
		struct session *s = session_of_node(node);
		if (!session_is_committed(s))
			session_abort(s);
	}
	if (was_idle && relay->on_stopped)
		relay->on_stopped(relay); /* otherwise the last session's end calls it */
}
