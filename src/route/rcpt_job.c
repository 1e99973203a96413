/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rcpt_job.c - RCPT_CHECK: a verdict at once, or after one question to the user database
 * Tests: test_lookup.c.
 */
#include "route/lookup.h"
#include "route/rcpt_check.h"

struct rcpt_job {
	struct user_waiter waiter;
	struct list in_jobs;
	struct lookup *lookup;
	struct channel *ch;
	uint64_t request;
	struct rcpt_check check;
};

static void send_verdict(struct channel *ch, uint64_t request, const struct rcpt_check *check)
{
	SEND(ch, RCPT_VERDICT, .request = request, .code = check->code, .status = slice_of(check->status),
		.text = slice_of(check->text));
}

static void job_free(struct rcpt_job *job)
{
	user_pool_cancel(&job->waiter);
	list_remove(&job->in_jobs);
	job->lookup->n_jobs--;
	mem_free(job);
}

static void user_answered(struct user_waiter *w, enum user_outcome outcome, struct slice name)
{
	struct rcpt_job *job = CONTAINER_OF(w, struct rcpt_job, waiter);

	(void)name;
	rcpt_check_answer(&job->check, outcome);
	send_verdict(job->ch, job->request, &job->check);
	job_free(job);
}

static void ask_user(struct lookup *l, struct channel *ch, uint64_t request, const struct rcpt_check *check)
{
	struct rcpt_job *job = mem_new(sizeof(*job));
	enum user_outcome outcome;
	struct slice name;

	job->lookup = l;
	job->ch = ch;
	job->request = request;
	job->check = *check;
	job->waiter.done = user_answered;
	list_push_back(&l->rcpt_jobs, &job->in_jobs);
	l->n_jobs++;
	if (user_pool_ask(&l->users, slice_of(check->user), &job->waiter, &outcome, &name))
		user_answered(&job->waiter, outcome, name);
}

void lookup_rcpt_check(struct lookup *l, struct channel *ch, const struct msg_RCPT_CHECK *m)
{
	struct rcpt_check check;

	lookup_refresh(l);
	if (rcpt_check_start(&check, &l->rules, m->forward_path, m->may_relay) == RCPT_STEP_ASK_USER) {
		if (l->n_jobs < LOOKUP_JOBS_MAX) {
			ask_user(l, ch, m->request, &check);
			return;
		}
		rcpt_check_answer(&check, USER_UNAVAILABLE);
	}
	send_verdict(ch, m->request, &check);
}

void rcpt_jobs_cancel(struct lookup *l, const struct channel *ch)
{
	list_for_each_safe (node, &l->rcpt_jobs) {
		struct rcpt_job *job = CONTAINER_OF(node, struct rcpt_job, in_jobs);
		if (!ch || job->ch == ch)
			job_free(job);
	}
}
