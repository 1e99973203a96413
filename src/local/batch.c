/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.c - one batch of a worker's mails: decide for each, lock, write, sync, answer; in this order
 *
 * While a batch waits for its locks or its sync, the mails that arrive make up the next one. Nothing is
 * reported as delivered before the sync has succeeded; when it fails, the whole batch is cut off again.
 * Tests: test_local.c, test_load.c, test_refusals.c, test_dry_run.c.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "local/dry_run.h"
#include "local/worker.h"

#define BATCH_MAILS 500		      /* held under one lock: a reader must get its turn */
#define BATCH_BYTES (8 * 1024 * 1024) /* and in memory at a time, when there are several */
#define LOCK_PAUSE_MIN_MS 20	      /* between attempts; doubles */
#define LOCK_PAUSE_MAX_MS 1000

static void on_lock_timer(uv_timer_t *timer)
{
	(void)timer; /* it ends the loop's turn; batch_step() follows */
}

void batch_init(struct worker *w)
{
	list_init(&w->batch);
	CHECK(uv_timer_init(&w->loop, &w->lock_timer) == 0);
}

/* ---- decide ---- */

static void defer_all(struct worker *w, int outcome)
{
	char reason[PATH_MAX + 300];
	const char *status, *words;

	mailbox_explain(outcome, &status, &words);
	(void)snprintf(reason, sizeof(reason), "cannot deliver to %s/%s: %s", w->mailbox_dir, w->mailbox_name,
		words);
	list_for_each_safe (node, &w->batch)
		worker_result(
			w, CONTAINER_OF(node, struct worker_rcpt, in_batch), JOB_DEFERRED, status, reason);
}

/* The text of the mail joins the batch. */
static void add_to_batch(struct worker *w, struct worker_rcpt *r)
{
	if (!worker_text(w, r, MBOX_STYLE_MBOX))
		return;
	w->planned += r->text.text.len;
	list_push_back(&w->batch, &r->in_batch);
}

/* Each mail is a file of its own there: nothing is won by writing several together. */
static void deliver_to_maildir(struct worker *w, struct worker_rcpt *r)
{
	char reason[PATH_MAX + 300];
	const char *status, *words;
	int outcome;

	if (!worker_text(w, r, MBOX_STYLE_MAILDIR))
		return;
	outcome = worker_maildir(w, r, w->maildir);
	if (outcome > 0) {
		worker_result(w, r, JOB_DELIVERED, "2.0.0", "delivered to maildir");
		return;
	}
	mailbox_explain(outcome, &status, &words);
	(void)snprintf(reason, sizeof(reason), "cannot deliver to %s: %s", w->maildir, words);
	worker_result(w, r, JOB_DEFERRED, status, reason);
}

/* The mailbox, or what stands in its place. Not for root: a command never runs as root, and stores of
 * mailboxes refuse that user. */
static void keep(struct worker *w, struct worker_rcpt *r)
{
	bool is_root = w->user.uid == 0 && !w->config->paths.sandbox[0];

	if (w->config->local_mailbox_transport[0] && !is_root)
		worker_result(w, r, JOB_TRANSPORT, "2.0.0", "the mailbox is that of local.mailbox_transport");
	else if (w->config->local_mailbox_command[0] && !is_root)
		worker_forward(w, r, &w->mailbox_command);
	else if (r->job->dry_run != DRY_RUN_NO)
		dry_run_mailbox(w, r);
	else if (w->maildir[0])
		deliver_to_maildir(w, r);
	else
		add_to_batch(w, r);
}

/* Answers at once, or adds r to the batch. */
static void decide(
	struct worker *w, struct worker_rcpt *r, enum forward_outcome forwarding, const struct forward *f)
{
	if (worker_refuses_loop(w, r))
		return;
	if (r->flags & RCPT_NO_FORWARD || forwarding == FORWARD_NONE)
		keep(w, r);
	else if (forwarding == FORWARD_LEAVES)
		worker_forward(w, r, f);
	else
		worker_result(w, r, JOB_DEFERRED, "4.2.0", f->reason);
}

/* ~/.forward as it is for most of a batch's recipients: those without an extension; read when the first
 * comes. */
struct common_forward {
	struct forward forward;
	enum forward_outcome outcome;
	bool has_read;
};

static void decide_by_forward(struct worker *w, struct worker_rcpt *r, struct common_forward *common)
{
	struct slice extension = forward_extension(w->config, r->forward_path);
	struct forward own;

	if (r->flags & RCPT_NO_FORWARD) {
		decide(w, r, FORWARD_NONE, NULL);
	} else if (extension.len) {
		enum forward_outcome outcome = forward_read(w->config, &w->forward_user, extension, &own);
		decide(w, r, outcome, &own);
		forward_free(&own);
	} else {
		if (!common->has_read)
			common->outcome =
				forward_read(w->config, &w->forward_user, SLICE_EMPTY, &common->forward);
		common->has_read = true;
		decide(w, r, common->outcome, &common->forward);
	}
}

/* The same decisions, told to who asked. */
static void decide_dry(struct worker *w, struct worker_rcpt *r)
{
	struct common_forward own = { 0 };
	struct dry_run_listener listener;

	if (!dry_run_may_see(w, r))
		return;
	dry_run_listen(&listener, w, r);
	if (r->flags & RCPT_NO_FORWARD)
		(void)forward_tell(&listener.forward, NULL, 0, "no .forward is looked at");
	w->forward_user.listener = &listener.forward;
	decide_by_forward(w, r, &own);
	w->forward_user.listener = NULL;
	forward_free(&own.forward);
}

/* Takes mails that are complete, as many as go into one batch. */
static void gather(struct worker *w)
{
	struct common_forward common = { 0 };
	size_t n = 0;

	w->planned = 2; /* line ends that may be missing at the mailbox's end */
	while (!list_empty(&w->ready) && n < BATCH_MAILS && w->planned < BATCH_BYTES) {
		struct worker_job *job = list_first(&w->ready, struct worker_job, in_jobs);
		list_remove(&job->in_jobs);
		list_for_each_safe (node, &job->rcpts) {
			bool is_last = job->n_open == 1; /* then the answer frees the job */
			if (job->dry_run != DRY_RUN_NO)
				decide_dry(w, CONTAINER_OF(node, struct worker_rcpt, in_job));
			else
				decide_by_forward(w, CONTAINER_OF(node, struct worker_rcpt, in_job), &common);
			n++;
			if (is_last)
				break;
		}
	}
	forward_free(&common.forward);
}

/* ---- write ---- */

static void append_one(struct worker *w, struct worker_rcpt *r)
{
	r->outcome = MAILBOX_NOT_DELIVERED;
	if (r->flags & RCPT_RECONCILE)
		r->outcome = mailbox_reconcile(&w->mailbox, &r->text);
	if (r->outcome == MAILBOX_NOT_DELIVERED)
		r->outcome = mailbox_append(&w->mailbox, buf_slice(&r->text.text));
}

static bool needs_sync(const struct worker_rcpt *r)
{
	return r->outcome == MAILBOX_APPENDED || r->outcome == MAILBOX_DELIVERED_BEFORE;
}

static void answer(struct worker *w, struct worker_rcpt *r)
{
	const char *status, *words;
	char reason[PATH_MAX + 300];

	mailbox_explain(r->outcome, &status, &words);
	if (needs_sync(r)) {
		worker_result(w, r, JOB_DELIVERED, status, words);
		return;
	}
	(void)snprintf(reason, sizeof(reason), "cannot deliver to %s/%s: %s", w->mailbox_dir, w->mailbox_name,
		words);
	worker_result(w, r, JOB_DEFERRED, status, reason);
}

static void answer_all(struct worker *w)
{
	w->state = BATCH_NONE;
	list_for_each_safe (node, &w->batch)
		answer(w, CONTAINER_OF(node, struct worker_rcpt, in_batch));
}

static void mend_all(struct worker *w)
{
	size_t n_before;

	do {
		n_before = w->mailbox.n_mended;
		list_for_each (node, &w->batch) {
			const struct worker_rcpt *r = CONTAINER_OF(node, struct worker_rcpt, in_batch);
			if (r->flags & RCPT_RECONCILE) /* what fails fails below too, and is told then */
				(void)mailbox_mend(&w->mailbox, &r->text);
		}
	} while (w->mailbox.n_mended > n_before);
}

static void write_all(struct worker *w)
{
	bool is_written = false;

	mend_all(w);
	list_for_each (node, &w->batch) {
		struct worker_rcpt *r = CONTAINER_OF(node, struct worker_rcpt, in_batch);
		append_one(w, r);
		is_written |= needs_sync(r);
	}
	if (!is_written) {
		(void)mailbox_undo(&w->mailbox); /* removes a mailbox that was made for nothing */
		mailbox_unlock(&w->mailbox);
		answer_all(w);
		return;
	}
	w->state = BATCH_SYNCING;
	SEND(w->local, WRITTEN, .batch = ++w->batch_number, .device = w->mailbox.device);
}

/* ---- lock ---- */

static void try_lock(struct worker *w)
{
	int r = w->mail_dir < 0 ? -w->mail_dir_error : mailbox_lock(&w->mailbox, w->planned);

	if (r == MAILBOX_LOCKED) {
		write_all(w);
	} else if (mailbox_is_worth_waiting(r) && clock_mono_ms() < w->lock_deadline_ms) {
		w->lock_pause_ms = MIN(w->lock_pause_ms * 2, (uint64_t)LOCK_PAUSE_MAX_MS);
		CHECK(uv_timer_start(&w->lock_timer, on_lock_timer, w->lock_pause_ms, 0) == 0);
	} else {
		w->state = BATCH_NONE;
		defer_all(w, r);
	}
}

void batch_step(struct worker *w)
{
	if (w->state == BATCH_LOCKING && !uv_is_active((uv_handle_t *)&w->lock_timer))
		try_lock(w);
	while (w->state == BATCH_NONE && !list_empty(&w->ready)) {
		gather(w);
		if (list_empty(&w->batch))
			continue;
		w->state = BATCH_LOCKING;
		w->lock_deadline_ms = clock_mono_ms() + w->config->local_lock_timeout * 1000;
		w->lock_pause_ms = LOCK_PAUSE_MIN_MS;
		mailbox_init(&w->mailbox, w->mail_dir, w->mailbox_name, w->config->local_max_mailbox_size);
		try_lock(w);
	}
}

/* ---- sync ---- */

void batch_synced(struct worker *w, uint64_t number, int r)
{
	if (w->state != BATCH_SYNCING || number != w->batch_number)
		return;
	if (r < 0) {
		(void)mailbox_undo(&w->mailbox); /* what cannot be cut off either, reconciling finds */
		list_for_each (node, &w->batch) {
			struct worker_rcpt *rcpt = CONTAINER_OF(node, struct worker_rcpt, in_batch);
			if (needs_sync(rcpt))
				rcpt->outcome = r;
		}
	}
	mailbox_unlock(&w->mailbox);
	answer_all(w);
}

void batch_sync_self(struct worker *w, uint64_t number)
{
	if (w->state == BATCH_SYNCING && number == w->batch_number)
		batch_synced(w, number, mailbox_sync(&w->mailbox));
}

void batch_abandon(struct worker *w)
{
	if (w->state != BATCH_SYNCING)
		return;
	/* Nobody hears the result; but the mail is whole, and the next attempt finds it. */
	if (mailbox_sync(&w->mailbox) < 0)
		(void)mailbox_undo(&w->mailbox);
	mailbox_unlock(&w->mailbox);
}
