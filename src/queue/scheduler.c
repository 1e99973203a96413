/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scheduler.c - destinations take turns; a job is one message, one destination, some of its recipients; see
 * core.h
 *
 * Each destination (a user of this host, or a next hop) has its own line and its own limit of jobs, so
 * that a slow one delays only itself. Content leaves with a job's first chunk; more is pulled by the
 * receiver.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "queue/core.h"

#define LOCAL_JOBS 5000 /* in all */
#define LOCAL_JOBS_OF_USER                                                                                   \
	100 /* mailboxes are written in batches; one that is locked stops only its own mail */
#define LOCAL_RECIPIENTS 100 /* of one local job */

struct destination {
	struct table_node node;
	struct list in_turn;	/* among those with something to start */
	struct list deliveries; /* struct delivery.in_line */
	size_t n_jobs;
	enum role role;
	unsigned instance; /* of that role: one process keeps a destination's connections */
	struct slice name;
	char *text;
};

/* Waits in a destination's line, then is a job. */
struct delivery {
	struct list in_line;
	struct table_node node; /* among the jobs */
	uint64_t id;		/* 0 until it is a job */
	struct message *m;
	struct destination *to;
	uint32_t *rcpts;
	uint32_t n_rcpts, cap;
	struct list in_hungry; /* wants content while the channel is full */
	uint64_t wanted_offset;
	struct leaves forwards; /* of the recipient whose result comes next */
	uint32_t forwards_rcpt;
};

static struct {
	struct table destinations, jobs;
	struct list turns;
	struct list hungry; /* struct delivery.in_hungry */
	uint64_t next_job;
	size_t n_remote_jobs, n_jobs;
	bool is_pumping;
} sched;

void scheduler_init(void)
{
	list_init(&sched.turns);
	list_init(&sched.hungry);
	sched.next_job = 1;
}

size_t scheduler_jobs(void)
{
	return sched.n_jobs;
}

/* ---- destinations ---- */

static struct destination *destination_get(enum role role, struct slice name)
{
	uint64_t hash = table_hash_bytes(name) + role;
	struct destination *d;

	for (struct table_node *n = table_first(&sched.destinations, hash); n; n = table_next(n, hash)) {
		d = CONTAINER_OF(n, struct destination, node);
		if (d->role == role && slice_eq(d->name, name))
			return d;
	}
	d = mem_new(sizeof(*d));
	d->role = role;
	d->text = slice_dup(name);
	d->name = (struct slice){ d->text, name.len };
	if (role == ROLE_SMTP)
		d->instance = (unsigned)(hash % queue.rp->config->smtp_processes);
	list_init(&d->in_turn);
	list_init(&d->deliveries);
	table_insert(&sched.destinations, &d->node, hash);
	return d;
}

static void destination_drop_if_unused(struct destination *d)
{
	if (d->n_jobs || !list_empty(&d->deliveries))
		return;
	if (list_linked(&d->in_turn))
		list_remove(&d->in_turn);
	table_remove(&sched.destinations, &d->node);
	mem_free(d->text);
	mem_free(d);
}

static size_t max_recipients(const struct destination *d)
{
	return d->role == ROLE_LOCAL ? LOCAL_RECIPIENTS : (size_t)queue.rp->config->smtp_max_recipients;
}

/* ---- deliveries ---- */

static void delivery_free(struct delivery *v)
{
	list_remove(&v->in_hungry);
	leaves_free(&v->forwards);
	mem_free(v->rcpts);
	mem_free(v);
}

static void delivery_append(struct delivery *v, uint32_t rcpt)
{
	if (v->n_rcpts == v->cap) {
		uint32_t cap = v->cap ? v->cap * 2 : 1;
		uint32_t *grown = mem_new_array(cap, sizeof(*grown));
		if (v->n_rcpts)
			memcpy(grown, v->rcpts, v->n_rcpts * sizeof(*grown));
		mem_free(v->rcpts);
		v->rcpts = grown;
		v->cap = cap;
	}
	v->rcpts[v->n_rcpts++] = rcpt;
}

/* Recipients with reverse-paths of their own (owner-) cannot share a transaction with others. */
static bool can_share(const struct delivery *v, const struct recipient *r)
{
	const struct recipient *first = &v->m->rcpts[v->rcpts[0]];

	return first->has_reverse_path == r->has_reverse_path &&
		slice_eq(recipient_reverse_path(v->m, first), recipient_reverse_path(v->m, r));
}

void scheduler_add(struct message *m, struct recipient *r)
{
	bool is_remote = r->leaf == LEAF_REMOTE;
	struct destination *d = destination_get(is_remote ? ROLE_SMTP : ROLE_LOCAL, r->user);
	struct delivery *v = list_empty(&d->deliveries)
		? NULL
		: CONTAINER_OF(d->deliveries.prev, struct delivery, in_line);

	if (!v || v->m != m || v->n_rcpts >= max_recipients(d) || !can_share(v, r)) {
		v = mem_new(sizeof(*v));
		v->m = m;
		v->to = d;
		list_init(&v->in_hungry);
		list_push_back(&d->deliveries, &v->in_line);
	}
	delivery_append(v, (uint32_t)(r - m->rcpts));
	recipient_stage(m, r, STAGE_READY);
	if (!list_linked(&d->in_turn))
		list_push_back(&sched.turns, &d->in_turn);
}

static void forget_in(struct table_node *node, void *user)
{
	struct destination *d = CONTAINER_OF(node, struct destination, node);
	struct message *m = user;

	list_for_each_safe (at, &d->deliveries) {
		struct delivery *v = CONTAINER_OF(at, struct delivery, in_line);
		if (v->m != m)
			continue;
		for (uint32_t i = 0; i < v->n_rcpts; i++)
			recipient_stage(m, &m->rcpts[v->rcpts[i]], STAGE_NEW);
		list_remove(&v->in_line);
		delivery_free(v);
	}
}

void scheduler_forget(struct message *m)
{
	if (!m->live)
		return; /* in no line */
	table_each(&sched.destinations, forget_in, m);
}

/* ---- jobs ---- */

static struct delivery *job_find(const struct channel *ch, uint64_t id)
{
	uint64_t hash = table_hash_u64(id);

	if (queue.is_stopping)
		return NULL; /* the spool takes no results any more: reconciled after the next start */
	for (struct table_node *n = table_first(&sched.jobs, hash); n; n = table_next(n, hash)) {
		struct delivery *v = CONTAINER_OF(n, struct delivery, node);
		if (v->id == id) /* only who got the job may speak of it */
			return v->to->role == ch->peer && v->to->instance == ch->instance ? v : NULL;
	}
	return NULL;
}

/* A recipient that had its result may be in another job meanwhile: this one has no more say. */
static bool is_active_in(const struct delivery *v, uint32_t i)
{
	const struct recipient *r = &v->m->rcpts[v->rcpts[i]];

	return r->stage == STAGE_ACTIVE && r->job == v->id;
}

/* The recipient of a job, or NULL when it is none of the job's or has its result already. */
static struct recipient *job_recipient(const struct delivery *v, uint32_t rcpt)
{
	for (uint32_t i = 0; i < v->n_rcpts; i++)
		if (v->rcpts[i] == rcpt)
			return is_active_in(v, i) ? &v->m->rcpts[rcpt] : NULL;
	return NULL;
}

static int send_chunk(struct channel *ch, const struct delivery *v, uint64_t offset)
{
	auto_buf struct buf chunk = BUF_INIT(LIMIT_CHUNK);
	struct slice whole;
	int r = 0;

	if (spool_content_peek(&v->m->entry, &whole)) {
		whole = slice_first(slice_from(whole, (size_t)offset), LIMIT_CHUNK);
	} else {
		r = spool_content_read(queue.spool, &v->m->entry, offset, LIMIT_CHUNK, &chunk);
		whole = buf_slice(&chunk);
	}
	if (r == 0)
		SEND(ch, JOB_CONTENT, .job = v->id, .offset = offset, .chunk = whole);
	return r;
}

static void send_recipient(struct channel *ch, const struct delivery *v, uint32_t i)
{
	const struct recipient *r = &v->m->rcpts[v->rcpts[i]];

	SEND(ch, JOB_RCPT, .job = v->id, .rcpt = v->rcpts[i], .kind = r->leaf,
		.flags = (uint8_t)(r->flags | (r->reconcile ? RCPT_RECONCILE : 0)),
		.forward_path = r->forward_path, .user = r->leaf == LEAF_REMOTE ? SLICE_EMPTY : r->user,
		.original = r->leaf == LEAF_REMOTE && r->has_reverse_path ? SLICE_EMPTY : r->original,
		.orcpt = r->orcpt, .notify = r->notify, .trail = r->trail, .origin = r->origin_key);
}

static void job_forget(struct delivery *v)
{
	table_remove(&sched.jobs, &v->node);
	v->m->live->n_jobs--;
	v->to->n_jobs--;
	sched.n_jobs--;
	sched.n_remote_jobs -= v->to->role == ROLE_SMTP;
	if (!list_empty(&v->to->deliveries) && !list_linked(&v->to->in_turn))
		list_push_back(&sched.turns, &v->to->in_turn);
}

static void job_end(struct delivery *v)
{
	struct message *m = v->m;
	struct destination *d = v->to;

	job_forget(v);
	delivery_free(v);
	destination_drop_if_unused(d);
	queue_settle(m);
}

static void job_content_failed(struct channel *ch, struct delivery *v, int error)
{
	struct message *m = v->m;

	SEND(ch, JOB_CANCEL, .job = v->id);
	for (uint32_t i = 0; i < v->n_rcpts; i++) {
		struct recipient *r = &m->rcpts[v->rcpts[i]];
		if (!is_active_in(v, i))
			continue;
		recipient_set_outcome(r, SLICE("4.3.0"),
			error == -EBADMSG ? SLICE("the message is damaged on disk; see the log and "
						  "`postrider spool check`")
					  : SLICE("the message cannot be read from disk"),
			SLICE_EMPTY);
		recipient_deferred(m, r);
	}
	job_end(v);
}

static void job_start(struct channel *ch, struct delivery *v)
{
	const struct message *m = v->m;
	const struct recipient *first = &m->rcpts[v->rcpts[0]];
	struct spool_envelope env;
	int r;

	message_envelope(m, &env);
	v->id = sched.next_job++;
	table_insert(&sched.jobs, &v->node, table_hash_u64(v->id));
	v->m->live->n_jobs++;
	v->to->n_jobs++;
	sched.n_jobs++;
	sched.n_remote_jobs += v->to->role == ROLE_SMTP;
	SEND(ch, JOB_BEGIN, .job = v->id, .queue_id = m->entry.id,
		.destination = v->to->role == ROLE_SMTP ? v->to->name : SLICE_EMPTY,
		.reverse_path = recipient_reverse_path(m, first),
		/* A list's mail is the owner's: the sender's wishes ended at the list (RFC 3461 5.2.7.1). */
		.envid = first->has_reverse_path ? SLICE_EMPTY : env.envid,
		.ret = first->has_reverse_path ? RET_DEFAULT : m->ret,
		.body = m->body_type == SPOOL_BODY_8BITMIME ? BODY_8BITMIME : BODY_DEFAULT,
		.smtputf8 = m->smtputf8, .size = m->entry.content_bytes, .n_rcpts = v->n_rcpts);
	for (uint32_t i = 0; i < v->n_rcpts; i++) {
		v->m->rcpts[v->rcpts[i]].job = v->id;
		recipient_stage(v->m, &v->m->rcpts[v->rcpts[i]], STAGE_ACTIVE);
		send_recipient(ch, v, i);
	}
	r = send_chunk(ch, v, 0);
	if (r < 0)
		job_content_failed(ch, v, r);
}

static bool destination_has_room(const struct destination *d)
{
	const struct config *c = queue.rp->config;

	if (d->role == ROLE_LOCAL)
		return d->n_jobs < LOCAL_JOBS_OF_USER && sched.n_jobs - sched.n_remote_jobs < LOCAL_JOBS;
	return d->n_jobs < c->smtp_destination_concurrency && sched.n_remote_jobs < c->smtp_max_connections;
}

/* Held, deleted or paused while it waited in line: it goes back to be routed when that ends. */
static void rest(struct destination *d, struct delivery *v)
{
	struct message *m = v->m;

	for (uint32_t i = 0; i < v->n_rcpts; i++)
		recipient_stage(m, &m->rcpts[v->rcpts[i]], STAGE_NEW);
	list_remove(&v->in_line);
	delivery_free(v);
	if (!list_empty(&d->deliveries))
		list_push_back(&sched.turns, &d->in_turn);
	destination_drop_if_unused(d);
	queue_settle(m);
}

/* One destination starts one job, then the next destination has its turn. */
static bool turn(struct destination *d)
{
	struct channel *ch = role_peer(queue.rp, d->role, d->instance);
	struct delivery *v = list_first(&d->deliveries, struct delivery, in_line);

	list_remove(&d->in_turn);
	if (!v) {
		destination_drop_if_unused(d);
		return true;
	}
	if (queue_is_idle_for(v->m)) {
		rest(d, v);
		return true;
	}
	if (!destination_has_room(d) && d->n_jobs)
		return true; /* the end of one of its jobs gives it its turn back */
	if (!ch || channel_congested(ch) || !destination_has_room(d)) {
		list_push_back(&sched.turns, &d->in_turn);
		return false;
	}
	list_remove(&v->in_line);
	if (!list_empty(&d->deliveries))
		list_push_back(&sched.turns, &d->in_turn);
	job_start(ch, v);
	return true;
}

void scheduler_pump(void)
{
	size_t idle = 0, n = 0;

	if (sched.is_pumping || queue.is_stopping)
		return;
	sched.is_pumping = true;
	list_for_each (node, &sched.turns)
		n++;
	/* Ends when nothing can start, or every destination in line refused in a row. */
	while (!list_empty(&sched.turns) && idle < n)
		idle = turn(list_first(&sched.turns, struct destination, in_turn)) ? 0 : idle + 1;
	sched.is_pumping = false;
}

/* ---- what comes back ---- */

static void feed(struct channel *ch, struct delivery *v)
{
	int r = send_chunk(ch, v, v->wanted_offset);

	if (r < 0)
		job_content_failed(ch, v, r);
}

void scheduler_more(struct channel *ch, const union msg_any *m, int *fd)
{
	struct delivery *v = job_find(ch, m->JOB_MORE.job);

	(void)fd;
	if (!v || m->JOB_MORE.offset >= v->m->entry.content_bytes)
		return;
	v->wanted_offset = m->JOB_MORE.offset;
	if (!channel_congested(ch))
		feed(ch, v);
	else if (!list_linked(&v->in_hungry))
		list_push_back(&sched.hungry, &v->in_hungry);
}

void scheduler_drained(struct channel *ch)
{
	list_for_each_safe (node, &sched.hungry) {
		struct delivery *v = CONTAINER_OF(node, struct delivery, in_hungry);
		if (channel_congested(ch))
			return;
		if (v->to->role != ch->peer || v->to->instance != ch->instance)
			continue;
		list_remove(&v->in_hungry);
		feed(ch, v);
	}
}

void scheduler_forward(struct channel *ch, const union msg_any *m, int *fd)
{
	const struct msg_JOB_FORWARD *f = &m->JOB_FORWARD;
	struct delivery *v = job_find(ch, f->job);
	const struct leaf leaf = {
		.kind = f->kind, .flags = f->flags, .address = f->address, .origin = f->origin
	};

	(void)fd;
	if (!v || !job_recipient(v, f->rcpt) ||
		(f->kind != LEAF_ADDRESS && f->kind != LEAF_DISCARD && f->kind != LEAF_FILE &&
			f->kind != LEAF_COMMAND))
		return;
	if (v->forwards.n && v->forwards_rcpt != f->rcpt)
		leaves_free(&v->forwards);
	v->forwards_rcpt = f->rcpt;
	(void)!leaves_add(&v->forwards,
		&leaf); /* bounded: a ~/.forward with more loses its rest, and its size is limited */
}

static void forwarded(struct delivery *v, struct recipient *r)
{
	char *user = slice_dup(r->user);

	report_log(v->m, r, "sent", "forwarded as the user's .forward says");
	queue_expand(v->m, r, &v->forwards, slice_of(user));
	mem_free(user);
}

void scheduler_result(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_JOB_RESULT *result = &any->JOB_RESULT;
	struct delivery *v = job_find(ch, result->job);
	struct recipient *r = v ? job_recipient(v, result->rcpt) : NULL;

	(void)fd;
	if (!r)
		return;
	recipient_set_outcome(r, result->status, result->reason, result->remote);
	r->reconcile = false;
	switch ((enum job_outcome)result->outcome) {
	case JOB_DELIVERED:
	case JOB_RELAYED:
	case JOB_RELAYED_DSN: recipient_delivered(v->m, r, result->outcome); return;
	case JOB_FAILED: recipient_failed(v->m, r); return;
	case JOB_FORWARDED:
		if (v->forwards.n && v->forwards_rcpt == result->rcpt) {
			forwarded(v, r);
			return;
		}
		break;
	case JOB_DEFERRED:
	case JOB_UNREACHABLE: break;
	}
	recipient_deferred(v->m, r);
}

void scheduler_done(struct channel *ch, const union msg_any *any, int *fd)
{
	struct delivery *v = job_find(ch, any->JOB_DONE.job);

	(void)fd;
	if (!v)
		return;
	for (uint32_t i = 0; i < v->n_rcpts; i++) {
		struct recipient *r = &v->m->rcpts[v->rcpts[i]];
		if (!is_active_in(v, i))
			continue;
		recipient_set_outcome(
			r, SLICE("4.3.0"), SLICE("the delivery ended without a result"), SLICE_EMPTY);
		recipient_deferred(v->m, r);
	}
	job_end(v);
}

/* ---- peers ---- */

struct lost {
	const struct channel *ch;
	struct delivery **jobs;
	size_t n;
};

static void collect_lost(struct table_node *node, void *user)
{
	struct delivery *v = CONTAINER_OF(node, struct delivery, node);
	struct lost *lost = user;

	if (v->to->role == lost->ch->peer && v->to->instance == lost->ch->instance)
		lost->jobs[lost->n++] = v;
}

/* Its unfinished jobs have an unknown outcome: again, and local looks first at what is in the mailbox
 * already. */
void scheduler_peer_gone(struct channel *ch)
{
	struct lost lost = { .ch = ch };

	if ((ch->peer != ROLE_LOCAL && ch->peer != ROLE_SMTP) || queue.is_stopping)
		return;
	lost.jobs = mem_new_array(sched.n_jobs, sizeof(*lost.jobs));
	table_each(&sched.jobs, collect_lost, &lost);
	for (size_t i = 0; i < lost.n; i++) {
		struct delivery *v = lost.jobs[i];
		job_forget(v);
		for (uint32_t k = 0; k < v->n_rcpts; k++) {
			struct recipient *r = &v->m->rcpts[v->rcpts[k]];
			if (!is_active_in(v, k))
				continue;
			r->reconcile = true;
			scheduler_add(v->m, r);
		}
		struct message *m = v->m;
		destination_drop_if_unused(v->to);
		delivery_free(v);
		queue_settle(m);
	}
	mem_free(lost.jobs);
}
