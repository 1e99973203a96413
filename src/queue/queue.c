/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue.c - the queue role: start, recovery, and the steps of a message's life; see core.h for the path of a
 * mail
 *
 * Every state that others may rely on is on disk before it is acted on: acceptance before 250, an expansion
 * before its leaves are delivered, a bounce before the failure it tells of. Results of deliveries ride with
 * the next commit.
 */
#include "queue/queue.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/queue_id.h"
#include "queue/core.h"
#include <sys/random.h>

#define ID_EPOCH_US                                                                                          \
	UINT64_C(1577836800000000)	/* 2020-01-01: ids count microseconds from here, and never go back */
#define ID_RESERVE UINT64_C(1200000000) /* ids made durable ahead: twenty minutes of microseconds */
#define ID_TICK_MS 60000
#define RECHECK_MS 1000		 /* smallest step of the retry timer */
#define MIN_ATTEMPTS_TO_EXPIRE 3 /* age alone returns nothing: a host that slept has tried nothing */

struct queue queue;

static struct {
	uv_timer_t ids, retry;
	struct heap waiting; /* messages by the time of their next attempt, monotonic ms */
	uv_prepare_t turn;
} timers;

/* ---- ids ---- */

static uint64_t id_clock(void)
{
	uint64_t now = clock_wall_us();

	return now > ID_EPOCH_US ? now - ID_EPOCH_US : 1;
}

static void ids_reserved(void *user, int result)
{
	uint64_t *upto = user;

	if (result == 0)
		queue.reserved_number = MAX(queue.reserved_number, *upto);
	else
		log_error("queue ids cannot be reserved: %s", strerror(-result));
	mem_free(upto);
}

static void ids_reserve(void)
{
	uint64_t *upto = mem_new(sizeof(*upto));

	*upto = MAX(queue.next_number, id_clock()) + ID_RESERVE;
	spool_update_id_high_water(
		queue.spool, queue_id_make((uint8_t)queue.rp->config->main_node, *upto), ids_reserved, upto);
}

static void on_id_tick(uv_timer_t *timer)
{
	(void)timer;
	if (MAX(queue.next_number, id_clock()) + ID_RESERVE / 2 > queue.reserved_number)
		ids_reserve();
}

uint64_t queue_new_id(void)
{
	queue.next_number = MAX(queue.next_number, id_clock());
	if (queue.next_number >= queue.reserved_number)
		return 0;
	return queue_id_make((uint8_t)queue.rp->config->main_node, queue.next_number++);
}

struct message *queue_find(uint64_t id)
{
	uint64_t hash = table_hash_u64(id);

	for (struct table_node *n = table_first(&queue.by_id, hash); n; n = table_next(n, hash)) {
		struct message *m = CONTAINER_OF(n, struct message, by_id);
		if (m->entry.id == id)
			return m;
	}
	return NULL;
}

/* ---- a message's life ---- */

static void message_enter(struct message *m)
{
	table_insert(&queue.by_id, &m->by_id, table_hash_u64(m->entry.id));
	list_push_back(&queue.all, &m->in_all);
	queue.n_messages++;
}

static void message_leave(struct message *m)
{
	table_remove(&queue.by_id, &m->by_id);
	list_remove(&m->in_all);
	heap_remove(&timers.waiting, &m->retry);
	queue.n_messages--;
	message_free(&m);
}

bool queue_is_idle_for(const struct message *m)
{
	return m->flags & SPOOL_FLAG_HELD || queue.rp->config->queue_paused || queue.is_stopping;
}

void queue_accepted(struct message *m)
{
	struct queue_id_text id = queue_id_format(m->entry.id);

	message_enter(m);
	queue.n_accepted++;
	log_info("%s: from=<%.*s>, size=%" PRIu64 ", nrcpt=%u (queue active)", id.at,
		SLICE_ARG(m->reverse_path), m->entry.content_bytes, m->n_rcpts);
	if (queue_is_idle_for(m))
		spool_content_forget(queue.spool, &m->entry); /* nobody will read it soon */
	else
		queue_kick(m);
}

void queue_kick(struct message *m)
{
	if (queue_is_idle_for(m) || m->is_deleted)
		return;
	heap_remove(&timers.waiting, &m->retry);
	for (uint32_t i = 0; i < m->n_rcpts; i++)
		if (m->rcpts[i].stage == STAGE_WAITING)
			recipient_stage(m, &m->rcpts[i], STAGE_NEW);
	router_want(m);
}

static void retry_timer_set(void);

static void on_retry_time(uv_timer_t *timer)
{
	uint64_t now_ms = clock_mono_ms(), now_us = clock_wall_us();
	struct heap_node *first;

	(void)timer;
	while ((first = heap_min(&timers.waiting)) && first->key <= now_ms) {
		struct message *m = CONTAINER_OF(first, struct message, retry);
		heap_remove(&timers.waiting, first);
		if (queue_is_idle_for(m))
			continue;
		for (uint32_t i = 0; i < m->n_rcpts; i++)
			if (m->rcpts[i].stage == STAGE_WAITING &&
				m->rcpts[i].next_attempt_us <= now_us + RECHECK_MS * 1000)
				recipient_stage(m, &m->rcpts[i], STAGE_NEW);
		router_want(m);
	}
	retry_timer_set();
}

static void retry_timer_set(void)
{
	struct heap_node *first = heap_min(&timers.waiting);
	uint64_t now = clock_mono_ms();

	if (!first)
		(void)uv_timer_stop(&timers.retry);
	else
		CHECK(uv_timer_start(
			      &timers.retry, on_retry_time, first->key > now ? first->key - now : 0, 0) == 0);
}

/* The earliest time one of its waiting recipients wants; waits are bounded, so that a clock set back delays
 * nothing beyond the longest retry interval. */
static void wait_for_retry(struct message *m)
{
	uint64_t now_us = clock_wall_us(), wait_us = queue.rp->config->queue_retry_max * 1000000;
	bool waits = false;

	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		const struct recipient *r = &m->rcpts[i];
		if (r->stage != STAGE_WAITING)
			continue;
		waits = true;
		wait_us = MIN(wait_us, r->next_attempt_us > now_us ? r->next_attempt_us - now_us : 0);
	}
	heap_remove(&timers.waiting, &m->retry);
	if (!waits)
		return;
	heap_insert(&timers.waiting, &m->retry, clock_mono_ms() + wait_us / 1000);
	retry_timer_set();
}

static void on_removed(void *user, int result)
{
	struct queue_id_text *id = user;

	if (result < 0)
		log_error("%s: its end could not be recorded: %s; it may be delivered again", id->at,
			strerror(-result));
	mem_free(id);
}

static void queue_remove(struct message *m)
{
	struct queue_id_text *id = mem_new(sizeof(*id));

	*id = queue_id_format(m->entry.id);
	log_info("%s: removed", id->at);
	spool_remove(queue.spool, &m->entry, on_removed, id);
	message_leave(m);
}

static bool has_stage(const struct message *m, enum recipient_stage stage)
{
	for (uint32_t i = 0; i < m->n_rcpts; i++)
		if (m->rcpts[i].stage == stage)
			return true;
	return false;
}

void queue_settle(struct message *m)
{
	if (m->n_reporting == 0 && m->n_routing == 0 && has_stage(m, STAGE_REPORTING) &&
		!has_stage(m, STAGE_ACTIVE))
		report_failures(m); /* those that failed together are told together */
	if (m->n_moving)
		return;
	router_forget(m);
	if (m->n_open == 0 || m->is_deleted) {
		queue_remove(m);
		return;
	}
	spool_content_forget(queue.spool, &m->entry);
	wait_for_retry(m);
}

/* ---- what became of a recipient ---- */

static void record(struct message *m, struct recipient *r)
{
	struct spool_progress p;

	if (m->n_open == 0 || m->is_deleted)
		return; /* the last one: the removal of the whole message says it */
	recipient_progress(r, &p);
	spool_record_result(queue.spool, &m->entry, (uint32_t)(r - m->rcpts), &p, NULL, NULL);
}

void recipient_finish(struct message *m, struct recipient *r, enum spool_rcpt_state state)
{
	r->state = state;
	recipient_stage(m, r, STAGE_DONE);
	record(m, r);
}

static void count_attempt(struct recipient *r)
{
	uint64_t now = clock_wall_us();

	r->attempts++;
	r->last_attempt_us = now;
	if (!r->first_attempt_us)
		r->first_attempt_us = now;
}

void recipient_delivered(struct message *m, struct recipient *r, enum job_outcome how)
{
	count_attempt(r);
	queue.n_delivered++;
	report_log(m, r, "sent", NULL);
	if (r->notify & SPOOL_NOTIFY_SUCCESS)
		report_success(m, r, how);
	recipient_finish(m, r, SPOOL_RCPT_DELIVERED);
}

void recipient_failed(struct message *m, struct recipient *r)
{
	count_attempt(r);
	queue.n_bounced++;
	report_log(m, r, "bounced", NULL);
	recipient_stage(m, r, STAGE_REPORTING);
}

/* Exponential, with a tenth of jitter so that what failed together does not come back together. */
static uint64_t retry_delay_us(uint32_t attempts)
{
	const struct config *c = queue.rp->config;
	uint64_t delay_s = c->queue_retry_min;
	uint32_t dice = 0;

	for (uint32_t i = 1; i < attempts && delay_s < c->queue_retry_max; i++)
		delay_s *= 2;
	delay_s = MIN(delay_s, c->queue_retry_max);
	(void)!getrandom(&dice, sizeof(dice), GRND_NONBLOCK); /* without randomness there is no jitter */
	return delay_s * 1000000 - delay_s * (dice % 100000);
}

static bool has_expired(const struct message *m, const struct recipient *r)
{
	const struct config *c = queue.rp->config;
	uint64_t lifetime = m->reverse_path.len ? c->queue_lifetime : c->queue_bounce_lifetime;

	return r->attempts >= MIN_ATTEMPTS_TO_EXPIRE && message_age_s(m) > lifetime;
}

static void expire(struct message *m, struct recipient *r)
{
	auto_buf struct buf reason = BUF_INIT(2 * LIMIT_REASON);

	buf_printf(&reason, "gave up after %u attempts in %" PRIu64 " seconds: %.*s", r->attempts,
		message_age_s(m), SLICE_ARG(r->reason));
	recipient_set_outcome(r, SLICE("5.4.7"), buf_slice(&reason), r->remote);
	queue.n_bounced++;
	report_log(m, r, "expired", "returned to sender");
	recipient_stage(m, r, STAGE_REPORTING);
}

void recipient_deferred(struct message *m, struct recipient *r)
{
	const struct config *c = queue.rp->config;

	count_attempt(r);
	queue.n_deferred++;
	report_log(m, r, "deferred", NULL);
	if (has_expired(m, r)) {
		expire(m, r);
		return;
	}
	r->next_attempt_us = clock_wall_us() + retry_delay_us(r->attempts);
	recipient_stage(m, r, STAGE_WAITING);
	if (c->queue_delay_warning && message_age_s(m) > c->queue_delay_warning &&
		!(r->progress_flags & PROGRESS_DELAY_TOLD)) {
		r->progress_flags |= PROGRESS_DELAY_TOLD;
		report_delay(m, r);
	}
	record(m, r);
}

/* ---- expansion ---- */

bool leaves_add(struct leaves *l, const struct leaf *leaf)
{
	if (l->n == LIMIT_EXPANSION)
		return false;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 4;
		struct leaf *grown = mem_new_array(cap, sizeof(*grown));
		if (l->n)
			memcpy(grown, l->at, l->n * sizeof(*grown));
		mem_free(l->at);
		l->at = grown;
		l->cap = cap;
	}
	struct leaf *to = &l->at[l->n++];
	*to = *leaf;
	const struct packed parts[] = {
		{ &to->address, leaf->address },
		{ &to->destination, leaf->destination },
		{ &to->owner, leaf->owner },
		{ &to->origin, leaf->origin },
		{ &to->status, leaf->status },
		{ &to->reason, leaf->reason },
	};
	to->text = packed_copy(parts, ARRAY_LEN(parts));
	return true;
}

void leaves_free(struct leaves *l)
{
	for (size_t i = 0; i < l->n; i++)
		mem_free(l->at[i].text);
	mem_free(l->at);
	*l = (struct leaves){ 0 };
}

struct expansion {
	struct message *m;
	uint32_t rcpt;
	struct leaves leaves;
	struct spool_recipient *rcpts;
	char **trails;
};

/* The trail of what a ~/.forward names: its own address first, then the steps that led here. */
static char *forward_trail(const struct recipient *r, const struct leaf *leaf, struct slice by_user)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_TRAIL * 2 * LIMIT_ADDRESS + LIMIT_PATH);
	struct slice rest = r->trail, line;
	struct address a;
	bool is_first = true;

	if (by_user.len == 0 || leaf->flags & RCPT_NO_FORWARD)
		return slice_dup(r->trail);
	if (address_parse(leaf->address, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a) == ADDRESS_OK)
		address_canonical(&a, slice_of(queue.rp->config->main_origin), &text);
	else
		buf_append(&text, leaf->address);
	while (slice_next_line(&rest, &line)) {
		buf_append_byte(&text, '\n');
		buf_append(&text, line);
		if (is_first) {
			buf_append_byte(&text, '\t');
			buf_append(&text, by_user);
		}
		is_first = false;
	}
	return slice_dup(buf_ok(&text) ? buf_slice(&text) : r->trail);
}

static void expansion_free(struct expansion *x)
{
	for (size_t i = 0; i < x->leaves.n; i++)
		mem_free(x->trails[i]);
	leaves_free(&x->leaves);
	mem_free(x->trails);
	mem_free(x->rcpts);
	mem_free(x);
}

/* Each leaf inherits what the sender asked for; a list's members do not tell the sender of success (RFC
 * 3461 5.2.7). */
static void fill_recipient(const struct message *m, uint32_t parent, const struct leaf *leaf,
	struct slice trail, bool by_alias, struct spool_recipient *out)
{
	const struct recipient *r = &m->rcpts[parent];
	bool has_owner = leaf->owner.len > 0 || r->has_reverse_path;

	*out = (struct spool_recipient){
		.forward_path = leaf->address,
		.original = r->original,
		.orcpt = r->orcpt,
		.reverse_path = leaf->owner.len ? leaf->owner : r->reverse_path,
		.has_reverse_path = has_owner,
		.trail = trail,
		.parent = parent,
		.notify = (uint8_t)(r->notify & ~SPOOL_NOTIFY_SUCCESS),
		.flags = leaf->flags & (RCPT_NO_ALIAS | RCPT_NO_FORWARD),
	};
	if (by_alias && leaf->kind == LEAF_USER)
		out->flags |= RCPT_NO_ALIAS; /* a name found in its own expansion is the user of that name */
	if (leaf->kind == LEAF_COMMAND || leaf->kind == LEAF_FILE) {
		out->kind = leaf->kind == LEAF_COMMAND ? SPOOL_RCPT_COMMAND : SPOOL_RCPT_FILE;
		out->origin = by_alias ? SPOOL_ORIGIN_ALIAS : SPOOL_ORIGIN_USER;
		out->origin_key = leaf->origin;
	}
}

static void expansion_done(void *user, int result)
{
	struct expansion *x = user;
	struct message *m = x->m;

	if (result < 0) {
		struct recipient *r = &m->rcpts[x->rcpt];
		recipient_set_outcome(
			r, SLICE("4.3.0"), SLICE("the expansion could not be recorded on disk"), SLICE_EMPTY);
		recipient_deferred(m, r);
		expansion_free(x);
		queue_settle(m);
		return;
	}
	for (size_t i = 0; i < x->leaves.n; i++)
		(void)message_add(m, &x->rcpts[i]);
	m->rcpts[x->rcpt].state = SPOOL_RCPT_EXPANDED;
	recipient_stage(m, &m->rcpts[x->rcpt], STAGE_DONE);
	for (size_t i = 0; i < x->leaves.n; i++) {
		struct recipient *r = &m->rcpts[m->n_rcpts - x->leaves.n + i];
		const struct leaf *leaf = &x->leaves.at[i];
		if (leaf->kind == LEAF_ADDRESS)
			continue; /* STAGE_NEW: routed below */
		recipient_set_outcome(r, leaf->status, leaf->reason, SLICE_EMPTY);
		recipient_stage(m, r, STAGE_RESOLVED);
		if (!recipient_resolve(m, r, leaf->kind, leaf->destination))
			recipient_finish(m, r, SPOOL_RCPT_DUPLICATE);
	}
	expansion_free(x);
	if (queue_is_idle_for(m))
		queue_settle(m);
	else
		router_want(m);
}

void queue_expand(struct message *m, struct recipient *r, struct leaves *l, struct slice by_user)
{
	struct expansion *x = mem_new(sizeof(*x));

	x->m = m;
	x->rcpt = (uint32_t)(r - m->rcpts);
	x->leaves = *l;
	*l = (struct leaves){ 0 };
	x->rcpts = mem_new_array(x->leaves.n, sizeof(*x->rcpts));
	x->trails = mem_new_array(x->leaves.n, sizeof(*x->trails));
	for (size_t i = 0; i < x->leaves.n; i++) {
		x->trails[i] = forward_trail(r, &x->leaves.at[i], by_user);
		fill_recipient(
			m, x->rcpt, &x->leaves.at[i], slice_of(x->trails[i]), by_user.len == 0, &x->rcpts[i]);
	}
	recipient_stage(m, r, STAGE_RECORDING);
	spool_expand(queue.spool, &m->entry, x->rcpt, x->rcpts, x->leaves.n, expansion_done, x);
}

void queue_dispatch(struct message *m, struct recipient *r)
{
	switch ((enum leaf_kind)r->leaf) {
	case LEAF_USER:
	case LEAF_REMOTE:
	case LEAF_COMMAND:
	case LEAF_FILE: scheduler_add(m, r); break;
	case LEAF_DISCARD:
		recipient_set_outcome(
			r, SLICE("2.0.0"), SLICE("discarded, as the address says"), SLICE("none"));
		recipient_delivered(m, r, JOB_DELIVERED);
		break;
	case LEAF_FAIL: recipient_failed(m, r); break;
	case LEAF_ADDRESS:
	case LEAF_DEFER: recipient_deferred(m, r); break;
	}
}

/* ---- the spool's hooks ---- */

static struct spool_entry *on_recovered(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	struct message *m = message_new(env, rcpts, n_rcpts);

	(void)user;
	memset(&m->entry, 0, sizeof(m->entry)); /* the spool's to fill; its id comes back with it */
	m->entry.id = env->id;
	for (uint32_t i = 0; i < m->n_rcpts; i++)
		m->rcpts[i].reconcile = true; /* an attempt may have been cut off by whatever ended us */
	message_enter(m);
	if (m->submission.len)
		intake_remember(m->submission, (uid_t)-1);
	return &m->entry;
}

/* One call's views at a time, as the spool promises. */
static void describe(void *user, struct spool_entry *entry, struct spool_envelope *env_out,
	const struct spool_recipient **rcpts_out, size_t *n_rcpts_out)
{
	static struct spool_recipient *views;
	static size_t n_views;
	struct message *m = message_of_entry(entry);

	(void)user;
	if (n_views < m->n_rcpts) {
		mem_free(views);
		n_views = m->n_rcpts;
		views = mem_new_array(n_views, sizeof(*views));
	}
	for (uint32_t i = 0; i < m->n_rcpts; i++)
		recipient_view(&m->rcpts[i], &views[i]);
	message_envelope(m, env_out);
	*rcpts_out = views;
	*n_rcpts_out = m->n_rcpts;
}

static void on_problem(void *user, const struct spool_problem *p)
{
	bool is_normal = p->kind == SPOOL_PROBLEM_TORN || p->kind == SPOOL_PROBLEM_ORPHAN;

	(void)user;
	log_line(is_normal ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
		"spool: %s (segment %" PRIu64 ", offset %" PRIu64 ", %" PRIu64
		" bytes, %zu records saved%s%s%s%s)",
		spool_problem_text(p->kind), p->generation, p->offset, p->bytes, p->n_salvaged,
		p->id ? ", mail " : "", p->id ? queue_id_format(p->id).at : "", p->error ? ", " : "",
		p->error ? strerror(-p->error) : "");
}

/* ---- the role ---- */

static int queue_before_jail(struct role_process *rp)
{
	queue.rp = rp;
	queue.system_state = BUF_INIT(256 * 1024);
	list_init(&queue.all);
	return 0;
}

static void on_turn(uv_prepare_t *handle)
{
	(void)handle;
	scheduler_pump();
}

/* Recovered mail gets its next attempt when it is due; what was under way at the crash is due at once. */
static void resume_all(void)
{
	list_for_each_safe (node, &queue.all) {
		struct message *m = CONTAINER_OF(node, struct message, in_all);
		uint64_t now = clock_wall_us();
		bool is_due = false;
		for (uint32_t i = 0; i < m->n_rcpts; i++) {
			struct recipient *r = &m->rcpts[i];
			if (r->stage != STAGE_NEW)
				continue;
			if (r->next_attempt_us > now && r->attempts > 0)
				recipient_stage(m, r, STAGE_WAITING);
			else
				is_due = true;
		}
		if (m->n_open == 0 || !is_due)
			queue_settle(m);
		else if (!queue_is_idle_for(m))
			router_want(m);
	}
}

static int queue_after_jail(struct role_process *rp)
{
	const struct config *c = rp->config;
	const struct spool_settings spool_settings = {
		.segment_bytes = c->queue_segment_size & ~UINT64_C(4095),
		.reserve_bytes = c->queue_reserve,
		.memory_budget = c->queue_memory,
		.node = (uint8_t)c->main_node,
	};
	static const struct spool_hooks spool_hooks = { on_recovered, describe, on_problem };
	int r;

	channel_loop_init(rp->loop);
	router_init();
	scheduler_init();
	CHECK(uv_timer_init(rp->loop, &timers.ids) == 0);
	CHECK(uv_timer_init(rp->loop, &timers.retry) == 0);
	r = spool_open(c->paths.spool_dir, &spool_settings, rp->loop, &spool_hooks, NULL, &queue.spool);
	if (r < 0) {
		log_error("spool %s: %s", c->paths.spool_dir,
			r == -EBUSY ? "another process has it open" : strerror(-r));
		return r;
	}
	queue.next_number = MAX(queue_id_number(spool_id_high_water(queue.spool)), id_clock());
	ids_reserve();
	CHECK(uv_timer_start(&timers.ids, on_id_tick, ID_TICK_MS, ID_TICK_MS) == 0);
	CHECK(uv_prepare_init(rp->loop, &timers.turn) == 0);
	CHECK(uv_prepare_start(&timers.turn, on_turn) == 0);
	if (queue.n_messages)
		log_info("%" PRIu64 " messages recovered from the spool", queue.n_messages);
	resume_all();
	drop_intake_start();
	return 0;
}

static void queue_on_peer(struct role_process *rp, struct channel *ch)
{
	(void)rp;
	router_peer(ch);
	scheduler_peer(ch);
	intake_peer(ch);
}

static void queue_on_peer_gone(struct role_process *rp, struct channel *ch)
{
	(void)rp;
	intake_peer_gone(ch);
	scheduler_peer_gone(ch);
	router_peer_gone(ch);
}

static void queue_on_listener(struct role_process *rp, struct slice address, int *fd)
{
	(void)rp, (void)address;
	control_listen(take_fd(fd));
}

static void queue_on_reload(struct role_process *rp)
{
	(void)rp;
	list_for_each_safe (node, &queue.all) { /* a pause may have ended */
		struct message *m = CONTAINER_OF(node, struct message, in_all);
		if (m->n_moving == 0 && !heap_linked(&m->retry))
			queue_kick(m);
	}
}

static void on_spool_closed(void *user)
{
	(void)user;
	role_exit(queue.rp, 0);
}

static void queue_on_stop(struct role_process *rp)
{
	(void)rp;
	queue.is_stopping = true;
	for (unsigned i = 0; i < ROLE_MAX_INSTANCES; i++)
		if (role_peer(rp, ROLE_SMTPD, i))
			intake_peer_gone(role_peer(rp, ROLE_SMTPD, i));
	intake_stop();
	spool_close(queue.spool, on_spool_closed, NULL);
}

static void on_system_state(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	buf_clear(&queue.system_state);
	buf_append(&queue.system_state, m->SYSTEM_STATE.text);
}

static const msg_handler handlers[MSG_TYPE_COUNT] = {
	[MSG_SYSTEM_STATE] = on_system_state,
	[MSG_ID_LEASE_ASK] = intake_lease,
	[MSG_MAIL_BEGIN] = intake_begin,
	[MSG_MAIL_RCPT] = intake_rcpt,
	[MSG_MAIL_CONTENT] = intake_content,
	[MSG_MAIL_END] = intake_end,
	[MSG_MAIL_ABORT] = intake_abort,
	[MSG_ROUTE_LEAF] = router_leaf,
	[MSG_ROUTE_DONE] = router_done,
	[MSG_JOB_MORE] = scheduler_more,
	[MSG_JOB_FORWARD] = scheduler_forward,
	[MSG_JOB_RESULT] = scheduler_result,
	[MSG_JOB_DONE] = scheduler_done,
};

static const struct jail jail = { .may_write_files = true };
static const struct role_hooks hooks = {
	.role = ROLE_QUEUE,
	.handlers = handlers,
	.jail = &jail,
	.before_jail = queue_before_jail,
	.after_jail = queue_after_jail,
	.on_peer = queue_on_peer,
	.on_peer_gone = queue_on_peer_gone,
	.on_listener = queue_on_listener,
	.on_reload = queue_on_reload,
	.on_stop = queue_on_stop,
};

int queue_main(int argc, char **argv)
{
	return role_main(&hooks, argc, argv);
}
