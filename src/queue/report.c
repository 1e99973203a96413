/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - what people are told, and who: log lines, bounces, delay warnings, success reports; see core.h
 *
 * What happens to several recipients of a mail together is told together, to each reverse-path by itself.
 * A report is committed before the result that it tells of is recorded, so that a crash at worst repeats it.
 * Mail from the null reverse-path is never answered (RFC 5321 4.5.5): its failure goes to
 * queue.double_bounce_to, and when that fails too, to the log alone.
 * Tests: test_reports.c, test_log_lines.c.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/queue_id.h"
#include "queue/core.h"

#define FLAG_DOUBLE_BOUNCE                                                                                   \
	(1u << 17) /* of a message: tells postmaster of a bounce that could not be delivered */

/* ---- log: Postfix's wording, which log analysers know ---- */

/* With Postfix the first two are said by programs of these names, and analysers count mail by them. */
void report_accepted(const struct message *m, struct slice message_id)
{
	struct queue_id_text id = queue_id_format(m->entry.id);
	struct spool_envelope env;

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	message_envelope(m, &env);
	if (slice_starts(env.login, SLICE(LOCAL_LOGIN)) && slice_eq(env.protocol, SLICE("local")))
		log_as("pickup", "%s: uid=%.*s from=<%.*s>", id.at,
			SLICE_ARG(slice_from(env.login, strlen(LOCAL_LOGIN))), SLICE_ARG(env.reverse_path));
	log_as("cleanup", "%s: message-id=%.*s", id.at, SLICE_ARG(message_id.len ? message_id : SLICE("<>")));
	log_info("%s: from=<%.*s>, size=%" PRIu64 ", nrcpt=%u (queue active)", id.at,
		SLICE_ARG(env.reverse_path), m->entry.content_bytes, m->n_rcpts);
}

/* Two digits that count, and no exponent: log analysers add these up. */
static void append_seconds(struct buf *out, uint64_t us)
{
	static const struct {
		uint64_t from_us, unit_us; /* times from there on are told in these */
		unsigned decimals, per_second;
	} rows[] = { { 10000000, 1000000, 0, 1 }, { 1000000, 100000, 1, 10 }, { 100000, 10000, 2, 100 },
		{ 10000, 1000, 3, 1000 }, { 50, 100, 4, 10000 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t n = (us + rows[i].unit_us / 2) / rows[i].unit_us;
		if (us < rows[i].from_us)
			continue;
		buf_printf(out, "%" PRIu64, n / rows[i].per_second);
		if (rows[i].decimals)
			buf_printf(out, ".%0*u", (int)rows[i].decimals, (unsigned)(n % rows[i].per_second));
		return;
	}
	buf_append_byte(out, '0');
}

/* From its coming to now; and of that: before its present turn began, waiting in the queue, reaching the next
 * host, handing it over. */
static void append_delays(struct buf *out, const struct message *m, const struct recipient *r)
{
	uint64_t now_us = clock_wall_us(), all_us = now_us - MIN(m->arrival_us, now_us);
	uint64_t before_us = MIN(m->live->since_us - MIN(m->arrival_us, m->live->since_us), all_us);
	uint64_t queue_us = all_us - before_us;
	uint64_t attempt_us[] = { MIN(r->setup_us, queue_us), 0 };

	attempt_us[1] = MIN(r->transmission_us, queue_us - attempt_us[0]);
	queue_us -= attempt_us[0] + attempt_us[1];
	buf_append_str(out, "delay=");
	append_seconds(out, all_us);
	buf_append_str(out, ", delays=");
	append_seconds(out, before_us);
	buf_append_byte(out, '/');
	append_seconds(out, queue_us);
	for (size_t i = 0; i < ARRAY_LEN(attempt_us); i++) {
		buf_append_byte(out, '/');
		append_seconds(out, attempt_us[i]);
	}
}

/* Who has it, or was to have it. */
static struct slice relay_of(const struct recipient *r)
{
	bool is_local = r->leaf == LEAF_USER || r->leaf == LEAF_COMMAND || r->leaf == LEAF_FILE;

	if (r->remote.len)
		return r->remote;
	return r->by_transport ? SLICE("lmtp") : is_local ? SLICE("local") : SLICE("none");
}

void report_log(const struct message *m, const struct recipient *r, const char *what, const char *words)
{
	struct queue_id_text id = queue_id_format(m->entry.id);
	struct slice reason = words ? slice_of(words) : r->reason;
	bool is_renamed = !slice_eq(r->original, r->forward_path);
	auto_buf struct buf delays = BUF_INIT(200);

	history_result(m, r, what, reason);
	if (!log_wants(LOG_LEVEL_INFO))
		return;
	append_delays(&delays, m, r);
	log_info("%s: to=<%.*s>, %s%.*s%srelay=%.*s, %.*s, dsn=%.*s, status=%s (%.*s)", id.at,
		SLICE_ARG(r->forward_path), is_renamed ? "orig_to=<" : "",
		is_renamed ? (int)r->original.len : 0, r->original.at, is_renamed ? ">, " : "",
		SLICE_ARG(relay_of(r)), SLICE_ARG(buf_slice(&delays)), SLICE_ARG(r->status), what,
		SLICE_ARG(reason));
}

/* ---- failures ---- */

/* One report of failures: whose results are recorded when it is on disk. */
struct failures {
	struct message *m;
	uint32_t *rcpts;
	struct dsn_recipient *facts;
	size_t n;
	struct slice sender;
	bool is_owners;
};

static void failures_free(struct failures *f)
{
	mem_free(f->rcpts);
	mem_free(f->facts);
	mem_free(f);
}

/* NOTIFY=NEVER is the sender's wish; on reports of our own it only keeps other hosts quiet. What an
 * administrator deletes ends in silence, also when a delivery was under way. */
static bool may_tell(const struct message *m, const struct recipient *r)
{
	struct spool_envelope env;

	if (m->is_deleted)
		return false;
	message_envelope(m, &env);
	return r->notify == 0 || r->notify & NOTIFY_FAILURE || slice_eq(env.protocol, SLICE(REPORT_PROTOCOL));
}

/* A list's owner is told apart from the sender, also when they are the same person: what the sender asked for
 * is not for the list's reports (RFC 3461 5.2.7.1). */
static bool have_one_sender(const struct message *m, const struct recipient *a, const struct recipient *b)
{
	return a->has_reverse_path == b->has_reverse_path &&
		slice_eq(recipient_reverse_path(m, a), recipient_reverse_path(m, b));
}

/* The FAILED recipients that share the first one's reverse-path. There is one. */
static struct failures *failures_take(struct message *m)
{
	struct failures *f = mem_new(sizeof(*f));
	const struct recipient *first;

	f->m = m;
	f->rcpts = mem_new_array(m->live->n_in[STAGE_FAILED], sizeof(*f->rcpts));
	f->facts = mem_new_array(m->live->n_in[STAGE_FAILED], sizeof(*f->facts));
	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		const struct recipient *r = &m->rcpts[i];
		if (r->stage != STAGE_FAILED || (f->n && !have_one_sender(m, r, &m->rcpts[f->rcpts[0]])))
			continue;
		f->rcpts[f->n] = i;
		report_fill(m, r, DSN_ACTION_FAILED, &f->facts[f->n++]);
	}
	CHECK(f->n);
	first = &m->rcpts[f->rcpts[0]];
	f->sender = recipient_reverse_path(m, first);
	f->is_owners = first->has_reverse_path;
	return f;
}

static void finish_silent(struct message *m)
{
	for (uint32_t i = 0; i < m->n_rcpts; i++)
		if (m->rcpts[i].stage == STAGE_FAILED && !may_tell(m, &m->rcpts[i]))
			recipient_finish(m, &m->rcpts[i], SPOOL_RCPT_FAILED);
}

static void finish_untold(struct failures *f, const char *why)
{
	for (size_t i = 0; i < f->n; i++) {
		report_log(f->m, &f->m->rcpts[f->rcpts[i]], "bounced", why);
		recipient_finish(f->m, &f->m->rcpts[f->rcpts[i]], SPOOL_RCPT_FAILED);
	}
	failures_free(f);
}

static void on_failures_told(void *user, int result)
{
	struct failures *f = user;

	for (size_t i = 0; i < f->n; i++) {
		struct recipient *r = &f->m->rcpts[f->rcpts[i]];
		if (result == 0)
			recipient_finish(f->m, r, SPOOL_RCPT_FAILED);
		else /* not told: try all of it again later */
			recipient_postponed(f->m, r);
	}
	f->m->live->n_reports--;
	queue_settle(f->m);
	failures_free(f);
}

static bool is_address(struct slice path)
{
	struct address a;

	return address_parse(path, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a) == ADDRESS_OK;
}

/* To the sender, or, when there is none that could be told, to whom double bounces go. */
static void failures_tell(struct failures *f)
{
	bool is_double = !is_address(f->sender);
	const struct report report = {
		.kind = is_double ? DSN_POSTMASTER : DSN_FAILURE,
		.to = is_double ? slice_of(queue.rp->config->queue_double_bounce_to) : f->sender,
		.is_owners = f->is_owners && !is_double,
		.rcpts = f->facts,
		.n_rcpts = f->n,
		.flags = is_double ? FLAG_DOUBLE_BOUNCE : 0,
		.done = on_failures_told,
		.user = f,
	};
	int r;

	if (report.to.len == 0) {
		finish_untold(f, "its sender cannot be told, and queue.double_bounce_to is empty");
		return;
	}
	for (size_t i = 0; i < f->n; i++)
		recipient_stage(f->m, &f->m->rcpts[f->rcpts[i]], STAGE_REPORTING);
	f->m->live->n_reports++;
	r = report_send(f->m, &report);
	if (r == 0)
		return;
	f->m->live->n_reports--;
	if (r == -EINVAL) {
		finish_untold(f, "queue.double_bounce_to is not a valid address; nobody is told");
		return;
	}
	for (size_t i = 0; i < f->n; i++)
		recipient_postponed(f->m, &f->m->rcpts[f->rcpts[i]]);
	failures_free(f);
}

void report_failures(struct message *m)
{
	finish_silent(m);
	while (m->live->n_in[STAGE_FAILED]) { /* each turn takes one reverse-path's */
		struct failures *f = failures_take(m);
		if (m->flags & FLAG_DOUBLE_BOUNCE)
			finish_untold(f, "queue.double_bounce_to cannot be reached; nobody is told");
		else
			failures_tell(f);
	}
}

/* ---- what is told if it can be: nothing depends on it ---- */

static void tell(struct message *m, enum dsn_kind kind, const struct recipient *first,
	const struct dsn_recipient *rcpts, size_t n)
{
	const struct report report = {
		.kind = kind,
		.to = recipient_reverse_path(m, first),
		.is_owners = first->has_reverse_path,
		.rcpts = rcpts,
		.n_rcpts = n,
	};

	if (report_send(m, &report) < 0)
		log_warning("%s: the sender could not be told", queue_id_format(m->entry.id).at);
}

static bool may_tell_sender(const struct message *m, const struct recipient *r)
{
	return recipient_reverse_path(m, r).len && !m->is_deleted &&
		!queue.is_stopping; /* the spool takes no mail then */
}

/* ---- delays ---- */

static bool is_to_be_warned(const struct message *m, const struct recipient *r)
{
	return r->stage == STAGE_WAITING && !(r->progress_flags & PROGRESS_DELAY_TOLD) &&
		(r->notify == 0 || r->notify & NOTIFY_DELAY) && may_tell_sender(m, r);
}

/* One warning for all that share first's reverse-path. */
static void tell_delays(struct message *m, uint32_t first)
{
	auto_free struct dsn_recipient *facts = mem_new_array(m->n_rcpts - first, sizeof(*facts));
	size_t n = 0;

	for (uint32_t i = first; i < m->n_rcpts; i++)
		if (is_to_be_warned(m, &m->rcpts[i]) && have_one_sender(m, &m->rcpts[i], &m->rcpts[first]))
			report_fill(m, &m->rcpts[i], DSN_ACTION_DELAYED, &facts[n++]);
	tell(m, DSN_DELAY, &m->rcpts[first], facts, n);
	for (uint32_t i = m->n_rcpts; i-- > first;) /* the first one last: the others are compared with it */
		if (is_to_be_warned(m, &m->rcpts[i]) && have_one_sender(m, &m->rcpts[i], &m->rcpts[first])) {
			m->rcpts[i].progress_flags |= PROGRESS_DELAY_TOLD;
			recipient_record(m, &m->rcpts[i]);
		}
}

void report_delays(struct message *m)
{
	uint64_t after_s = queue.rp->config->queue_delay_warning;

	if (after_s == 0 || m->live->n_in[STAGE_WAITING] == 0 || message_age_s(m) <= after_s)
		return;
	for (uint32_t i = 0; i < m->n_rcpts; i++)
		if (is_to_be_warned(m, &m->rcpts[i]))
			tell_delays(m, i);
}

/* ---- successes: gathered for one turn of the loop, since a job's results come together ---- */

struct success {
	struct list in_successes;
	struct message *m; /* stays while one of its recipients is at STAGE_REPORTING */
	uint32_t rcpt;
	enum dsn_action action;
};

static struct {
	struct list waiting; /* struct success */
	uv_timer_t timer;
} successes;

/* All that go with the first one: told, then recorded. */
static void tell_first_successes(void)
{
	struct success *first = list_first(&successes.waiting, struct success, in_successes);
	struct message *m = first->m;
	uint32_t first_rcpt = first->rcpt;
	auto_free struct dsn_recipient *facts = mem_new_array(m->live->n_in[STAGE_REPORTING], sizeof(*facts));
	auto_free uint32_t *rcpts = mem_new_array(m->live->n_in[STAGE_REPORTING], sizeof(*rcpts));
	size_t n = 0;

	list_for_each_safe (node, &successes.waiting) {
		struct success *s = CONTAINER_OF(node, struct success, in_successes);
		if (s->m != m || !have_one_sender(m, &m->rcpts[s->rcpt], &m->rcpts[first_rcpt]))
			continue;
		rcpts[n] = s->rcpt;
		report_fill(m, &m->rcpts[s->rcpt], s->action, &facts[n++]);
		list_remove(&s->in_successes);
		mem_free(s);
	}
	tell(m, DSN_SUCCESS, &m->rcpts[first_rcpt], facts, n);
	for (size_t i = 0; i < n; i++)
		recipient_finish(m, &m->rcpts[rcpts[i]], SPOOL_RCPT_DELIVERED);
	queue_settle(m);
}

void report_flush(void)
{
	while (!list_empty(&successes.waiting))
		tell_first_successes();
}

static void on_successes(uv_timer_t *timer)
{
	(void)timer;
	report_flush();
}

void report_init(void)
{
	list_init(&successes.waiting);
	CHECK(uv_timer_init(queue.rp->loop, &successes.timer) == 0);
}

bool report_success(struct message *m, struct recipient *r, enum job_outcome how)
{
	struct success *s;

	if (!(r->notify & NOTIFY_SUCCESS) || how == JOB_RELAYED_DSN || !may_tell_sender(m, r))
		return false;
	s = mem_new(sizeof(*s));
	s->m = m;
	s->rcpt = (uint32_t)(r - m->rcpts);
	s->action = how == JOB_RELAYED ? DSN_ACTION_RELAYED : DSN_ACTION_DELIVERED;
	list_push_back(&successes.waiting, &s->in_successes);
	recipient_stage(m, r, STAGE_REPORTING);
	CHECK(uv_timer_start(&successes.timer, on_successes, 0, 0) == 0);
	return true;
}

void report_expansion(struct message *m, const struct recipient *r, bool is_list)
{
	struct dsn_recipient facts;

	if (!(r->notify & NOTIFY_SUCCESS) || !may_tell_sender(m, r))
		return;
	report_fill(m, r, is_list ? DSN_ACTION_DELIVERED : DSN_ACTION_EXPANDED, &facts);
	facts.status = SLICE("2.0.0");
	facts.reason = is_list ? SLICE("the mailing list has it, and sends it to its members")
			       : SLICE("the address stands for several others");
	tell(m, DSN_SUCCESS, r, &facts, 1);
}
