/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - a worker's jobs, its answers, its loop; see worker.h */
#include "local/worker.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "local/dry_run.h"
#include "local/errand.h"
#include "local/maildir.h"
#include "local/delivered_to.h"
#include "mail/trail.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define RCPT_STRINGS_MAX (4 * LIMIT_FRAME) /* a frame's strings fit, whatever they are */
#define FETCH_JOBS 4			   /* asked for at a time: local need not hold many chunks for us */
#define FETCH_BYTES (32 * 1024 * 1024)	   /* in memory at a time, unless a single mail is larger */

static struct worker worker; /* one per process */

/* ---- answers ---- */

static void job_free(struct worker *w, struct worker_job *job)
{
	list_remove(&job->in_jobs);
	if (job->is_fetched) {
		w->n_fetching -= job->content.len < job->size;
		w->fetched_bytes -= job->size;
	}
	list_for_each_safe (node, &job->rcpts) {
		struct worker_rcpt *r = CONTAINER_OF(node, struct worker_rcpt, in_job);
		list_remove(&r->in_job);
		mem_free(r);
	}
	arena_reset(&job->strings);
	buf_free(&job->content);
	mem_free(job);
}

void worker_result(struct worker *w, struct worker_rcpt *r, enum job_outcome outcome, const char *status,
	const char *reason)
{
	struct worker_job *job = r->job;

	SEND(w->local, JOB_RESULT, .job = job->id, .rcpt = r->number, .outcome = (uint8_t)outcome,
		.status = slice_of(status), .reason = slice_first(slice_of(reason), LIMIT_REASON));
	list_remove(&r->in_job);
	list_remove(&r->in_batch);
	mbox_text_free(&r->text);
	mem_free(r);
	if (--job->n_open == 0) {
		SEND(w->local, JOB_DONE, .job = job->id);
		job_free(w, job);
	}
}

void worker_forward(struct worker *w, struct worker_rcpt *r, const struct forward *f)
{
	size_t n = r->job->dry_run == DRY_RUN_NO ? f->n_leaves : dry_run_leaves(w, r, f);

	for (size_t i = 0; i < n; i++)
		SEND(w->local, JOB_FORWARD, .job = r->job->id, .rcpt = r->number,
			.kind = (uint8_t)f->leaves[i].kind, .flags = (uint8_t)f->leaves[i].flags,
			.address = f->leaves[i].address.len ? f->leaves[i].address : r->forward_path,
			.origin = f->leaves[i].origin);
	worker_result(w, r, JOB_FORWARDED, "2.0.0", "forwarded by ~/.forward");
}

bool worker_text(struct worker *w, struct worker_rcpt *r, enum mbox_style style)
{
	struct mbox_delivery d = { .style = style,
		.is_mboxrd = strcmp(w->config->local_mbox_quoting, "mboxrd") == 0,
		.sender = r->job->reverse_path,
		.original_to = r->original,
		.forward_path = r->forward_path,
		.trail = r->trail,
		.content = buf_slice(&r->job->content),
		.queue_id = r->job->queue_id,
		.time_s = clock_wall_s() };

	CHECK(r->job->dry_run == DRY_RUN_NO); /* nothing is ever written for one */
	if (mbox_text_build(&r->text, &d))
		return true;
	worker_result(w, r, JOB_DEFERRED, "4.3.0", "no memory for the message");
	return false;
}

int worker_maildir(const struct worker *w, const struct worker_rcpt *r, const char *path)
{
	const struct maildir_mail mail = { .text = buf_slice(&r->text.text),
		.queue_id = r->job->queue_id,
		.rcpt = r->number,
		.host = w->config->main_host_name,
		.is_doubtful = r->flags & RCPT_RECONCILE };

	return maildir_deliver(path, &mail);
}

bool worker_refuses_loop(struct worker *w, struct worker_rcpt *r)
{
	struct slice address = trail_delivered_to(r->trail, r->forward_path);
	char reason[LIMIT_REASON];

	if (trail_length(r->trail) > LIMIT_TRAIL) {
		worker_result(w, r, JOB_FAILED, "5.4.6", "too many forwardings by ~/.forward");
		return true;
	}
	if (!delivered_to_names(w->config, buf_slice(&r->job->content), address))
		return false;
	(void)snprintf(reason, sizeof(reason), "mail forwarding loop for %.*s", SLICE_ARG(address));
	worker_result(w, r, JOB_FAILED, "5.4.6", reason);
	return true;
}

/* ---- jobs ---- */

static struct worker_job *find_job(struct worker *w, uint64_t id)
{
	list_for_each (node, &w->jobs) {
		struct worker_job *job = CONTAINER_OF(node, struct worker_job, in_jobs);
		if (job->id == id)
			return job;
	}
	return NULL;
}

static struct worker_job *last_job(struct worker *w, uint64_t id)
{
	struct worker_job *job =
		list_empty(&w->jobs) ? NULL : CONTAINER_OF(w->jobs.prev, struct worker_job, in_jobs);

	return job && job->id == id ? job : find_job(w, id); /* a job's messages come together, mostly */
}

static void ask_for_more(struct worker *w, const struct worker_job *job)
{
	SEND(w->local, JOB_MORE, .job = job->id, .offset = job->content.len);
}

/* After its first chunk a job that has more waits for fetch_some(); then each chunk asks for the next. */
static void job_advance(struct worker *w, struct worker_job *job)
{
	if (job->content.len < job->size) {
		if (job->is_fetched)
			ask_for_more(w, job);
		return;
	}
	w->n_fetching -= job->is_fetched;
	list_remove(&job->in_jobs);
	list_push_back(&w->ready, &job->in_jobs);
}

static bool may_fetch(const struct worker *w, const struct worker_job *job)
{
	return w->fetched_bytes == 0 || w->fetched_bytes + job->size <= FETCH_BYTES;
}

/* Those that came first are asked for first; the others keep their first chunk only. */
static void fetch_some(struct worker *w)
{
	list_for_each (node, &w->jobs) {
		struct worker_job *job = CONTAINER_OF(node, struct worker_job, in_jobs);
		if (w->n_fetching == FETCH_JOBS)
			return;
		if (job->is_fetched || job->content.len == 0) /* its first chunk comes unasked */
			continue;
		if (!may_fetch(w, job))
			return;
		job->is_fetched = true;
		w->n_fetching++;
		w->fetched_bytes += job->size;
		ask_for_more(w, job);
	}
}

static void on_job_begin(struct channel *ch, const union msg_any *m, int *fd)
{
	const struct msg_JOB_BEGIN *b = &m->JOB_BEGIN;
	struct worker *w = ch->user;
	struct worker_job *job = mem_new(sizeof(*job));

	(void)fd;
	job->id = b->job;
	job->queue_id = b->queue_id;
	job->size = b->size;
	job->dry_run = b->dry_run;
	job->asker = b->asker;
	job->n_rcpts_missing = job->n_open = b->n_rcpts;
	job->strings = ARENA_INIT(LIMIT_FRAME + (size_t)b->n_rcpts * RCPT_STRINGS_MAX);
	job->content = BUF_INIT((size_t)b->size);
	list_init(&job->rcpts);
	CHECK(arena_copy(&job->strings, b->reverse_path, &job->reverse_path) &&
		arena_copy(&job->strings, b->envid, &job->envid) &&
		client_copy(&job->strings, b, &job->client));
	list_push_back(&w->jobs, &job->in_jobs);
}

static void on_job_rcpt(struct channel *ch, const union msg_any *m, int *fd)
{
	const struct msg_JOB_RCPT *from = &m->JOB_RCPT;
	struct worker *w = ch->user;
	struct worker_job *job = last_job(w, from->job);
	struct worker_rcpt *r;

	(void)fd;
	if (!job || job->n_rcpts_missing == 0)
		return;
	r = mem_new(sizeof(*r));
	r->job = job;
	r->number = from->rcpt;
	r->flags = from->flags;
	list_init(&r->in_batch);
	CHECK(arena_copy(&job->strings, from->forward_path, &r->forward_path));
	CHECK(arena_copy(&job->strings, from->original, &r->original));
	CHECK(arena_copy(&job->strings, from->trail, &r->trail));
	CHECK(arena_copy(&job->strings, from->origin, &r->origin));
	list_push_back(&job->rcpts, &r->in_job);
	job->n_rcpts_missing--;
}

static void on_job_content(struct channel *ch, const union msg_any *m, int *fd)
{
	struct worker *w = ch->user;
	struct worker_job *job = last_job(w, m->JOB_CONTENT.job);

	(void)fd;
	if (!job || job->n_rcpts_missing || m->JOB_CONTENT.offset != job->content.len)
		return;
	buf_append(&job->content, m->JOB_CONTENT.chunk);
	if (!buf_ok(&job->content)) {		       /* no memory, or more than was announced */
		for (uint32_t n = job->n_open; n; n--) /* the last answer frees the job */
			worker_result(w, list_first(&job->rcpts, struct worker_rcpt, in_job), JOB_DEFERRED,
				"4.3.0", "no memory for the message");
		return;
	}
	job_advance(w, job);
}

static void on_job_cancel(struct channel *ch, const union msg_any *m, int *fd)
{
	struct worker_job *job = find_job(ch->user, m->JOB_CANCEL.job);

	(void)fd;
	/* Still incomplete; what is ready is delivered, which the queue must be prepared for anyway. */
	if (job)
		job_free(ch->user, job);
}

static void on_sync_self(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	batch_sync_self(ch->user, m->SYNC_SELF.batch);
}

static void on_synced(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	batch_synced(ch->user, m->SYNCED.batch, m->SYNCED.ok ? 0 : -EIO);
}

static const msg_handler handlers[MSG_TYPE_COUNT] = {
	[MSG_JOB_BEGIN] = on_job_begin,
	[MSG_JOB_RCPT] = on_job_rcpt,
	[MSG_JOB_CONTENT] = on_job_content,
	[MSG_JOB_CANCEL] = on_job_cancel,
	[MSG_SYNC_SELF] = on_sync_self,
	[MSG_SYNCED] = on_synced,
};

static void on_closed(struct channel *ch, const char *why)
{
	struct worker *w = ch->user;

	(void)why;
	w->is_over = true;
}

static const struct channel_hooks hooks = { .handlers = handlers, .on_closed = on_closed };

/* ---- life ---- */

static void log_to_local(enum log_level level, const char *program, struct slice line, void *user)
{
	struct worker *w = user;

	(void)program;
	SEND(w->local, LOG_LINE, .level = (uint8_t)level, .wall_us = clock_wall_us(),
		.pid = (uint32_t)getpid(), .line = slice_first(line, LIMIT_LOG_LINE));
}

static void step(struct worker *w)
{
	if (w->branch == BRANCH_MAILBOX)
		batch_step(w);
	else
		errand_step(w);
	fetch_some(w); /* what is delivered has made room */
}

int worker_life_main(const struct worker_birth *birth)
{
	static const char *const names[] = { "worker", "errand", "list" };
	struct worker *w = &worker;
	int r;

	(void)prctl(PR_SET_NAME, names[birth->branch], 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a write beyond a limit is an error of that write */
	umask(077);
	w->config = birth->config;
	w->branch = birth->branch;
	list_init(&w->jobs);
	list_init(&w->ready);
	if (uv_loop_init(&w->loop) != 0)
		return 1;
	w->local = channel_new(&w->loop, birth->fd, ROLE_WORKER, ROLE_LOCAL, 0, &hooks, w);
	if (!w->local)
		return 1;
	batch_init(w);
	log_set_sink(log_to_local, w);
	r = worker_be_born(w, birth);
	if (r > 0)
		SEND(w->local, WORKER_READY, .outcome = (uint8_t)r, .is_brief = errand_is_brief(w));
	if (r != USER_FOUND) {
		channel_flush_blocking(w->local, 1000);
		return r < 0;
	}
	while (!w->is_over) {
		(void)uv_run(&w->loop, UV_RUN_ONCE);
		if (!w->is_over)
			step(w);
	}
	batch_abandon(w);
	return 0;
}
