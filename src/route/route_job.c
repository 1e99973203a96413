/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_job.c - ROUTE_ASK: expansion, then the questions about users, then the leaves
 *
 * A list may have a hundred thousand members: only some questions are open at a time, so that others get
 * their turn, and leaves leave only as fast as the asker reads. A dry run is the same, and tells each
 * decision before the leaves; it is bounded, so its steps fit into the channel or are left out.
 * Tests: test_lookup.c, tests/system/test_explain.py.
 */
#include "route/expand.h"
#include "route/lookup.h"
#include <sys/stat.h>

#define OPEN_QUESTIONS 32 /* of one expansion */

struct route_job;
struct route_question {
	struct user_waiter waiter;
	struct route_job *job;
	struct expand_leaf *leaf; /* NULL: this place is free */
};
struct route_job {
	struct list in_jobs;
	struct lookup *lookup;
	struct channel *ch;
	uint64_t request;
	struct expand expand;
	struct route_question questions[OPEN_QUESTIONS];
	size_t n_open;
	bool is_asking; /* answers that come at once must not start another round */
	bool is_sending;
	const struct expand_leaf *sent; /* the last leaf that was sent */
	struct dry_route *dry;		/* NULL: it is for mail */
};
/* What a dry run needs more. */
struct dry_route {
	struct expand_listener listener;
	size_t n_steps, max_steps;
	char database[PATH_MAX];
};

static void job_free(struct route_job *job)
{
	for (size_t i = 0; i < OPEN_QUESTIONS; i++)
		user_pool_cancel(&job->questions[i].waiter);
	expand_deinit(&job->expand);
	mem_free(job->dry);
	list_remove(&job->in_jobs);
	job->lookup->n_jobs--;
	mem_free(job);
}

/* ---- dry runs ---- */

static void send_step(void *user, const struct expand_step *step)
{
	struct route_job *job = user;

	if (job->dry->n_steps == job->dry->max_steps || channel_congested(job->ch)) {
		job->expand.is_cut = true;
		return;
	}
	job->dry->n_steps++;
	SEND(job->ch, EXPLAIN_STEP, .request = job->request, .node = step->leaf, .child = step->begins,
		.kind = (uint8_t)step->kind, .depth = (uint8_t)step->depth, .text = step->text,
		.file = slice_of(step->place.file), .line = (uint32_t)step->place.line);
}

/* A file that others may not read is not told to them either; nor one that cannot even be looked at. */
static bool is_public(void *user, const char *file)
{
	struct stat st;

	(void)user;
	return !file || (stat(file, &st) == 0 && st.st_mode & S_IROTH);
}

static bool is_known(void *user, const char *file)
{
	(void)user, (void)file;
	return true;
}

static void dry_run_begin(struct route_job *job, enum dry_run dry_run)
{
	const char *users_file = job->lookup->source.config->users_file;
	bool is_own = dry_run != DRY_RUN_ALL;
	struct dry_route *dry = mem_new(sizeof(*dry));

	(void)snprintf(dry->database, sizeof(dry->database), "%s",
		*users_file ? users_file : "the user database (NSS)");
	dry->listener = (struct expand_listener){ .hear = send_step,
		.user = job,
		.max_leaves = is_own ? LIMIT_DRY_RUN_OWN : LIMIT_DRY_RUN_ALL,
		.may_see = is_own ? is_public : is_known,
		.database = dry->database };
	dry->max_steps = dry->listener.max_leaves * LIMIT_DRY_RUN_STEPS;
	job->dry = dry;
	job->expand.listener = &dry->listener;
}

/* ---- answers ---- */

static void send_done(struct channel *ch, uint64_t request, enum job_outcome outcome, struct slice status,
	struct slice reason)
{
	SEND(ch, ROUTE_DONE, .request = request, .outcome = (uint8_t)outcome, .status = status,
		.reason = reason);
}

static void send_leaf(const struct route_job *job, const struct expand_leaf *leaf)
{
	SEND(job->ch, ROUTE_LEAF, .request = job->request, .kind = (uint8_t)leaf->kind, .flags = leaf->flags,
		.address = leaf->address, .destination = leaf->destination, .owner = leaf->owner,
		.origin = leaf->origin, .status = leaf->status, .reason = leaf->reason, .node = leaf->number);
}

/* Goes on where it stopped; frees the job at its end. */
static void job_send(struct route_job *job)
{
	const struct expand_leaf *leaf;

	job->is_sending = true;
	if (job->expand.outcome == JOB_DELIVERED) {
		while ((leaf = expand_next_leaf(&job->expand, job->sent))) {
			if (channel_congested(job->ch))
				return; /* lookup_channel_drained() goes on */
			send_leaf(job, leaf);
			job->sent = leaf;
		}
	}
	if (job->expand.is_cut)
		SEND(job->ch, EXPLAIN_STEP, .request = job->request, .kind = EXPLAIN_NOTE,
			.text = SLICE("and more, which is not shown"));
	send_done(job->ch, job->request, job->expand.outcome, job->expand.status, job->expand.reason);
	job_free(job);
}

/* ---- questions ---- */

static void job_go_on(struct route_job *job);

static void user_answered(struct user_waiter *w, enum user_outcome outcome, struct slice name)
{
	struct route_question *q = CONTAINER_OF(w, struct route_question, waiter);
	struct expand_leaf *leaf = q->leaf;

	q->leaf = NULL;
	q->job->n_open--;
	expand_answer(&q->job->expand, leaf, outcome, name);
	job_go_on(q->job);
}

static struct route_question *free_question(struct route_job *job)
{
	for (size_t i = 0; i < OPEN_QUESTIONS; i++)
		if (!job->questions[i].leaf)
			return &job->questions[i];
	return NULL;
}

static void ask_users(struct route_job *job)
{
	struct route_question *q;
	struct expand_leaf *leaf;
	enum user_outcome outcome;
	struct slice name;

	while ((q = free_question(job)) && (leaf = expand_next_question(&job->expand))) {
		if (user_pool_ask(&job->lookup->users, leaf->destination, &q->waiter, &outcome, &name)) {
			expand_answer(&job->expand, leaf, outcome, name);
			continue;
		}
		q->leaf = leaf;
		job->n_open++;
	}
}

static void job_go_on(struct route_job *job)
{
	if (job->is_asking)
		return;
	job->is_asking = true;
	ask_users(job);
	job->is_asking = false;
	if (job->n_open)
		return;
	expand_finish(&job->expand);
	job_send(job);
}

/* ---- from outside ---- */

static struct route_job *job_new(struct lookup *l, struct channel *ch, uint64_t request)
{
	struct route_job *job = mem_new(sizeof(*job));

	job->lookup = l;
	job->ch = ch;
	job->request = request;
	for (size_t i = 0; i < OPEN_QUESTIONS; i++) {
		job->questions[i].job = job;
		job->questions[i].waiter.done = user_answered;
	}
	expand_init(&job->expand);
	list_push_back(&l->route_jobs, &job->in_jobs);
	l->n_jobs++;
	return job;
}

void lookup_route_ask(struct lookup *l, struct channel *ch, const struct msg_ROUTE_ASK *m)
{
	struct route_job *job;

	lookup_refresh(l);
	if (l->n_jobs >= LOOKUP_JOBS_MAX) {
		send_done(ch, m->request, JOB_DEFERRED, SLICE("4.3.2"),
			SLICE("too many addresses are being looked up"));
		return;
	}
	job = job_new(l, ch, m->request);
	if (m->dry_run != DRY_RUN_NO)
		dry_run_begin(job, m->dry_run);
	expand_start(&job->expand, &l->rules, m->address, m->flags, m->trail);
	job_go_on(job);
}

void lookup_channel_drained(struct lookup *l, struct channel *ch)
{
	list_for_each_safe (node, &l->route_jobs) {
		struct route_job *job = CONTAINER_OF(node, struct route_job, in_jobs);
		if (job->ch == ch && job->is_sending && !channel_congested(ch))
			job_send(job);
	}
}

void route_jobs_cancel(struct lookup *l, const struct channel *ch)
{
	list_for_each_safe (node, &l->route_jobs) {
		struct route_job *job = CONTAINER_OF(node, struct route_job, in_jobs);
		if (!ch || job->ch == ch)
			job_free(job);
	}
}
