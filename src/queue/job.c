/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.c - a job: one message, one destination, some of its recipients, given to local or smtp; see core.h
 *
 * Content leaves with a job's first chunk; more is pulled by the receiver. A job lets go of its message when
 * each recipient has a result: that of the last one is on its way to the disk then, whatever becomes of the
 * process that said it. A process that says nothing about a job for queue.job_timeout has lost it: the job is
 * cancelled, and what it did is unknown, as when the process dies.
 * Tests: test_role.c, test_scheduler.c.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "mail/origin.h"
#include "queue/scheduler-private.h"

struct job {
	struct table_node node; /* among the jobs */
	struct list in_silence;
	uint64_t id;
	uint64_t heard_ms;  /* of it for the last time */
	struct delivery *v; /* its message is NULL when each recipient has a result */
	enum message_priority level;
	uint64_t n_good;	/* of the destination's pace, when it began */
	bool is_probe, is_told; /* whether a host answers */
	bool is_held;		/* and none did */
	struct list in_hungry;	/* wants content while the channel is full */
	uint64_t wanted_offset;
	uint32_t n_left;	/* recipients without a result */
	struct leaves forwards; /* of the recipient whose result comes next */
	uint32_t forwards_rcpt;
};

static struct {
	struct table all;
	struct list hungry;  /* struct job.in_hungry */
	struct list silence; /* struct job.in_silence, the longest silent first */
	uv_timer_t timer;
	bool is_timer_set;
	uint64_t next_id;
} jobs;

size_t scheduler_jobs(void)
{
	return jobs.all.n;
}

static struct job *job_find(const struct channel *ch, uint64_t id)
{
	uint64_t hash = table_hash_u64(id);

	if (queue.is_stopping)
		return NULL; /* the spool takes no results any more: reconciled after the next start */
	for (struct table_node *n = table_first(&jobs.all, hash); n; n = table_next(n, hash)) {
		struct job *j = CONTAINER_OF(n, struct job, node);
		const struct deliverer *to = j->v->to->to;
		if (j->id != id)
			continue;
		if (to->role != ch->peer || to->instance != ch->instance)
			return NULL; /* only who got the job may speak of it */
		j->heard_ms = clock_mono_ms();
		list_remove(&j->in_silence);
		list_push_back(&jobs.silence, &j->in_silence);
		return j;
	}
	return NULL;
}

/* A recipient that had its result may be in another job meanwhile: this one has no more say. */
static bool is_active_in(const struct job *j, uint32_t i)
{
	const struct recipient *r = &j->v->m->rcpts[j->v->rcpts[i]];

	return r->stage == STAGE_ACTIVE && r->job == j->id;
}

/* The recipient of a job, or NULL when it is none of the job's or has its result already. */
static struct recipient *job_recipient(const struct job *j, uint32_t rcpt)
{
	for (uint32_t i = 0; j->v->m && i < j->v->n_rcpts; i++)
		if (j->v->rcpts[i] == rcpt)
			return is_active_in(j, i) ? &j->v->m->rcpts[rcpt] : NULL;
	return NULL;
}

/* ---- beginning ---- */

static int send_chunk(struct channel *ch, const struct job *j, uint64_t offset)
{
	auto_buf struct buf chunk = BUF_INIT(LIMIT_CHUNK);
	struct message *m = j->v->m;
	struct slice whole;
	int r = 0;

	if (spool_content_peek(&m->entry, &whole)) {
		whole = slice_first(slice_from(whole, (size_t)offset), LIMIT_CHUNK);
	} else {
		r = spool_content_read(queue.spool, &m->entry, offset, LIMIT_CHUNK, &chunk);
		whole = buf_slice(&chunk);
	}
	if (r == 0)
		SEND(ch, JOB_CONTENT, .job = j->id, .offset = offset, .chunk = whole);
	return r;
}

static void send_recipient(struct channel *ch, const struct job *j, uint32_t rcpt)
{
	const struct recipient *r = &j->v->m->rcpts[rcpt];
	auto_buf struct buf mailbox = BUF_INIT(2 * LIMIT_ADDRESS);

	if (r->by_transport)
		transport_address(r, &mailbox);
	SEND(ch, JOB_RCPT, .job = j->id, .rcpt = rcpt, .kind = r->leaf,
		.flags = (uint8_t)(r->flags | (r->reconcile ? RCPT_RECONCILE : 0)),
		.forward_path = r->by_transport ? buf_slice(&mailbox) : r->forward_path,
		.user = r->leaf == LEAF_REMOTE ? SLICE_EMPTY : r->user,
		.original = r->leaf == LEAF_REMOTE && r->has_reverse_path ? SLICE_EMPTY : r->original,
		.orcpt = r->orcpt, .notify = r->notify, .trail = r->trail, .origin = r->origin_key);
}

static void timer_set(void);
static void job_content_failed(struct channel *ch, struct job *j, int error);

static struct job *job_new(struct delivery *v, enum message_priority level)
{
	struct job *j = mem_new(sizeof(*j));
	struct destination *d = v->to;

	j->id = ++jobs.next_id;
	j->v = v;
	j->level = level;
	j->n_left = v->n_rcpts;
	j->n_good = d->pace.n_good;
	j->is_probe = d->pace.is_probe_under_way;
	j->heard_ms = clock_mono_ms();
	list_init(&j->in_hungry);
	list_push_back(&jobs.silence, &j->in_silence);
	table_insert(&jobs.all, &j->node, table_hash_u64(j->id));
	v->m->live->n_jobs++;
	d->n_jobs++;
	d->to->n_jobs++;
	d->to->n_bulk += level == PRIORITY_BULK;
	timer_set();
	return j;
}

/* Another host learns of the client from the Received field, or not at all. */
static void hide_client(struct spool_envelope *env)
{
	env->client_address = env->client_name = env->client_helo = SLICE_EMPTY;
	env->protocol = env->login = SLICE_EMPTY;
}

void job_start(struct channel *ch, struct delivery *v, enum message_priority level)
{
	struct job *j = job_new(v, level);
	struct message *m = v->m;
	const struct recipient *first = &m->rcpts[v->rcpts[0]];
	struct spool_envelope env;
	int r;

	message_envelope(m, &env);
	if (v->to->to->role != ROLE_LOCAL)
		hide_client(&env);
	SEND(ch, JOB_BEGIN, .job = j->id, .queue_id = m->entry.id,
		.destination = v->to->role == ROLE_SMTP ? v->to->name : SLICE_EMPTY,
		.reverse_path = recipient_reverse_path(m, first),
		/* A list's mail is the owner's: the sender's wishes ended at the list (RFC 3461 5.2.7.1). */
		.envid = first->has_reverse_path ? SLICE_EMPTY : env.envid,
		.ret = first->has_reverse_path ? RET_DEFAULT : m->ret, .body = m->body_type,
		.smtputf8 = m->smtputf8, .size = m->entry.content_bytes, .n_rcpts = v->n_rcpts,
		.client_address = env.client_address, .client_name = env.client_name, .helo = env.client_helo,
		.protocol = env.protocol, .login = env.login);
	for (uint32_t i = 0; i < v->n_rcpts; i++) {
		struct recipient *rcpt = &m->rcpts[v->rcpts[i]];
		rcpt->job = j->id;
		recipient_stage(m, rcpt, STAGE_ACTIVE);
		send_recipient(ch, j, v->rcpts[i]);
	}
	r = send_chunk(ch, j, 0);
	if (r < 0)
		job_content_failed(ch, j, r);
}

/* ---- the end ---- */

/* The message has nothing to do with the job any more; it may be gone afterwards. */
static void job_release(struct job *j)
{
	struct message *m = take_ptr(&j->v->m);

	if (!m)
		return;
	list_remove(&j->in_hungry);
	m->live->n_jobs--;
	queue_settle(m);
}

static void job_end(struct job *j)
{
	struct destination *d = j->v->to;

	table_remove(&jobs.all, &j->node);
	list_remove(&j->in_silence);
	d->n_jobs--;
	d->to->n_jobs--;
	d->to->n_bulk -= j->level == PRIORITY_BULK;
	if (j->is_probe && !j->is_told)
		pace_probe_lost(&d->pace);
	job_release(j);
	leaves_free(&j->forwards);
	delivery_free(j->v);
	mem_free(j);
	scheduler_job_ended(d);
}

/* For those that have no result yet. */
static void job_defer_rest(struct job *j, const char *status, struct slice reason, bool is_unknown)
{
	struct message *m = j->v->m;

	for (uint32_t i = 0; m && i < j->v->n_rcpts; i++) {
		struct recipient *r = &m->rcpts[j->v->rcpts[i]];
		if (!is_active_in(j, i))
			continue;
		r->reconcile |= is_unknown;
		recipient_set_outcome(r, slice_of(status), reason, SLICE_EMPTY);
		recipient_deferred(m, r);
	}
}

static void job_content_failed(struct channel *ch, struct job *j, int error)
{
	SEND(ch, JOB_CANCEL, .job = j->id);
	job_defer_rest(j, "4.3.0",
		error == -EBADMSG ? SLICE("the message is damaged on disk; see the log and "
					  "`postrider spool check`")
				  : SLICE("the message cannot be read from disk"),
		false);
	job_end(j);
}

/* ---- silence ---- */

static uint64_t silence_ms(void)
{
	return queue.rp->config->queue_job_timeout * 1000;
}

static void job_lost(struct job *j)
{
	const struct deliverer *to = j->v->to->to;
	struct channel *ch = role_peer(queue.rp, to->role, to->instance);
	auto_buf struct buf reason = BUF_INIT(200);

	buf_printf(&reason,
		"%s said nothing of the delivery for %" PRIu64 " seconds; what became of it is unknown",
		role_name(to->role), silence_ms() / 1000);
	if (ch)
		SEND(ch, JOB_CANCEL, .job = j->id);
	job_defer_rest(j, "4.3.0", buf_slice(&reason), true);
	job_end(j);
}

static void on_timer(uv_timer_t *timer)
{
	uint64_t now_ms = clock_mono_ms();
	struct job *j;

	(void)timer;
	jobs.is_timer_set = false;
	if (queue.is_stopping)
		return;
	while ((j = list_first(&jobs.silence, struct job, in_silence)) &&
		now_ms - j->heard_ms >= silence_ms())
		job_lost(j);
	timer_set();
}

static void timer_set(void)
{
	const struct job *j = list_first(&jobs.silence, struct job, in_silence);
	uint64_t silent_ms = j ? clock_mono_ms() - j->heard_ms : 0;

	if (!j || jobs.is_timer_set)
		return; /* it looks again itself */
	jobs.is_timer_set = true;
	CHECK(uv_timer_start(&jobs.timer, on_timer, silence_ms() > silent_ms ? silence_ms() - silent_ms : 0,
		      0) == 0);
}

void jobs_init(void)
{
	list_init(&jobs.hungry);
	list_init(&jobs.silence);
	CHECK(uv_timer_init(queue.rp->loop, &jobs.timer) == 0);
}

/* ---- what comes back ---- */

static void feed(struct channel *ch, struct job *j)
{
	int r = send_chunk(ch, j, j->wanted_offset);

	if (r < 0)
		job_content_failed(ch, j, r);
}

void scheduler_more(struct channel *ch, const union msg_any *m, int *fd)
{
	struct job *j = job_find(ch, m->JOB_MORE.job);

	(void)fd;
	if (!j || !j->v->m || m->JOB_MORE.offset >= j->v->m->entry.content_bytes)
		return;
	j->wanted_offset = m->JOB_MORE.offset;
	if (!channel_congested(ch))
		feed(ch, j);
	else if (!list_linked(&j->in_hungry))
		list_push_back(&jobs.hungry, &j->in_hungry);
}

void scheduler_drained(struct channel *ch)
{
	list_for_each_safe (node, &jobs.hungry) {
		struct job *j = CONTAINER_OF(node, struct job, in_hungry);
		const struct deliverer *to = j->v->to->to;
		if (channel_congested(ch))
			return;
		if (to->role != ch->peer || to->instance != ch->instance)
			continue;
		list_remove(&j->in_hungry);
		feed(ch, j);
	}
}

void scheduler_forward(struct channel *ch, const union msg_any *m, int *fd)
{
	const struct msg_JOB_FORWARD *f = &m->JOB_FORWARD;
	const struct leaf leaf = {
		.kind = f->kind, .flags = f->flags, .address = f->address, .origin = f->origin
	};
	struct job *j;

	(void)fd;
	if (explain_leaf(ch, f->job, &leaf, 0))
		return;
	j = job_find(ch, f->job);
	if (!j || !job_recipient(j, f->rcpt) ||
		(f->kind != LEAF_ADDRESS && f->kind != LEAF_DISCARD && f->kind != LEAF_FILE &&
			f->kind != LEAF_COMMAND))
		return;
	if (j->forwards.n && j->forwards_rcpt != f->rcpt)
		leaves_free(&j->forwards);
	j->forwards_rcpt = f->rcpt;
	(void)!leaves_add(&j->forwards,
		&leaf); /* bounded: a ~/.forward with more loses its rest, and its size is limited */
}

static void forwarded(struct job *j, struct recipient *r)
{
	/* Of a command, file or list it is in the reference; an alias's list is nobody's .forward. */
	char *user = slice_dup(r->leaf == LEAF_USER ? r->user : origin_user(r->origin_key));

	report_log(j->v->m, r, "sent",
		user[0] ? "forwarded as the user's .forward says" : "forwarded as the alias says");
	queue_expand(j->v->m, r, &j->forwards, slice_of(user));
	mem_free(user);
}

/* What the result says of the destination; once for a job, all its recipients have met the same hosts. */
static void judge_destination(struct job *j, const struct recipient *r, bool is_unreachable)
{
	struct destination *d = j->v->to;

	if (j->is_told || d->role != ROLE_SMTP)
		return;
	j->is_told = true;
	if (is_unreachable)
		j->is_held = destination_is_unreachable(
			d, j->n_good, &(struct cause){ r->status, r->reason, r->remote });
	else
		scheduler_is_alive(d);
}

static void result_deferred(struct job *j, struct recipient *r, bool is_unreachable)
{
	recipient_deferred(j->v->m, r);
	if (is_unreachable && j->is_held && r->stage == STAGE_WAITING)
		scheduler_wait_for(j->v->m, r, j->v->to);
}

static void take_result(struct job *j, struct recipient *r, const struct msg_JOB_RESULT *result)
{
	enum job_outcome outcome = result->outcome;
	struct message *m = j->v->m;

	switch (outcome) {
	case JOB_DELIVERED:
	case JOB_RELAYED:
	case JOB_RELAYED_DSN: recipient_delivered(m, r, outcome); return;
	case JOB_FAILED: recipient_failed(m, r); return;
	case JOB_FORWARDED:
		if (j->forwards.n && j->forwards_rcpt == result->rcpt) {
			forwarded(j, r);
			return;
		}
		break;
	case JOB_MISCONFIGURED: recipient_misconfigured(m, r); return;
	case JOB_TRANSPORT:
		if (j->v->to->role == ROLE_LOCAL && r->leaf == LEAF_USER) {
			transport_take(m, r);
			return;
		}
		break;
	case JOB_DEFERRED:
	case JOB_UNREACHABLE: break;
	}
	result_deferred(j, r, outcome == JOB_UNREACHABLE);
}

void scheduler_result(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_JOB_RESULT *result = &any->JOB_RESULT;
	struct job *j = job_find(ch, result->job);
	struct recipient *r = j ? job_recipient(j, result->rcpt) : NULL;

	(void)fd;
	if (!r) {
		(void)explain_answered(ch, result->job, any);
		return;
	}
	recipient_set_outcome(r, result->status, result->reason, result->remote);
	r->setup_us = result->setup_us;
	r->transmission_us = result->transmission_us;
	r->reconcile = false;
	judge_destination(j, r, result->outcome == JOB_UNREACHABLE);
	take_result(j, r, result);
	if (--j->n_left == 0)
		job_release(j);
}

void scheduler_done(struct channel *ch, const union msg_any *any, int *fd)
{
	struct job *j = job_find(ch, any->JOB_DONE.job);

	(void)fd;
	if (!j) {
		(void)explain_answered(ch, any->JOB_DONE.job, NULL);
		return;
	}
	job_defer_rest(j, "4.3.0", SLICE("the delivery ended without a result"), false);
	job_end(j);
}

/* ---- peers ---- */

struct lost {
	const struct channel *ch;
	struct job **jobs;
	size_t n;
};

static void collect_lost(struct table_node *node, void *user)
{
	struct job *j = CONTAINER_OF(node, struct job, node);
	struct lost *lost = user;

	if (j->v->to->to->role == lost->ch->peer && j->v->to->to->instance == lost->ch->instance)
		lost->jobs[lost->n++] = j;
}

/* Its unfinished jobs have an unknown outcome: again, and local looks first at what is in the mailbox
 * already. */
void scheduler_peer_gone(struct channel *ch)
{
	struct lost lost = { .ch = ch };

	if ((ch->peer != ROLE_LOCAL && ch->peer != ROLE_SMTP) || queue.is_stopping)
		return;
	lost.jobs = mem_new_array(jobs.all.n, sizeof(struct job *));
	table_each(&jobs.all, collect_lost, &lost);
	for (size_t i = 0; i < lost.n; i++) {
		struct job *j = lost.jobs[i];
		struct message *m = j->v->m;
		for (uint32_t k = 0; m && k < j->v->n_rcpts; k++) {
			struct recipient *r = &m->rcpts[j->v->rcpts[k]];
			if (!is_active_in(j, k))
				continue;
			r->reconcile = true;
			scheduler_add(m, r);
		}
		job_end(j);
	}
	mem_free(lost.jobs);
}
