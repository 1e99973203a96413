/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - what people are told: log lines, bounces, delay warnings, success reports; see core.h
 *
 * A bounce is a message of its own from the null reverse-path, committed before the failure it tells of is
 * recorded. Mail from the null reverse-path is never answered (RFC 5321 4.5.5): its failure goes to
 * postmaster, and when that fails too, to the log alone.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/dsn.h"
#include "mail/queue_id.h"
#include "queue/core.h"

#define REPORT_PROTOCOL "internal" /* of messages that this file makes */
#define DSN_BYTES (64 * 1024 * 1024)
#define FLAG_DOUBLE_BOUNCE                                                                                   \
	(1u << 17) /* of a message: tells postmaster of a bounce that could not be delivered */

/* ---- log ---- */

static double seconds_since(uint64_t from_us, uint64_t to_us)
{
	return to_us > from_us ? (double)(to_us - from_us) / 1e6 : 0;
}

/* Two digits that count, and no exponent: log analysers add these up. */
static int delay_decimals(double delay)
{
	return delay >= 10 ? 0 : delay >= 1 ? 1 : delay >= 0.1 ? 2 : delay >= 0.01 ? 3 : 4;
}

void report_log(const struct message *m, const struct recipient *r, const char *what, const char *words)
{
	struct queue_id_text id = queue_id_format(m->entry.id);
	bool is_renamed = !slice_eq(r->original, r->forward_path);

	if (!log_wants(LOG_LEVEL_INFO))
		return;
	double delay = seconds_since(m->arrival_us, clock_wall_us());
	log_info("%s: to=<%.*s>, %s%.*s%srelay=%.*s, delay=%.*f, dsn=%.*s, status=%s (%.*s)", id.at,
		SLICE_ARG(r->forward_path), is_renamed ? "orig_to=<" : "",
		is_renamed ? (int)r->original.len : 0, r->original.at, is_renamed ? ">, " : "",
		SLICE_ARG(r->remote.len		       ? r->remote
				: r->leaf == LEAF_USER ? SLICE("local")
						       : SLICE("none")),
		delay_decimals(delay), delay, SLICE_ARG(r->status), what,
		SLICE_ARG(words ? slice_of(words) : r->reason));
}

/* ---- building ---- */

struct report {
	struct message *about;
	uint32_t *rcpts; /* whose failure is recorded when the report is on disk; NULL for other kinds */
	size_t n_rcpts;
	struct message *m; /* the report itself */
};

static void fill_dsn_recipient(
	const struct message *m, const struct recipient *r, enum dsn_action action, struct dsn_recipient *out)
{
	bool by_remote = r->leaf == LEAF_REMOTE && r->remote.len;
	uint64_t left_s =
		queue.rp->config->queue_lifetime - MIN(queue.rp->config->queue_lifetime, message_age_s(m));

	*out = (struct dsn_recipient){
		.address = r->forward_path,
		.original = slice_eq(r->original, r->forward_path) ? SLICE_EMPTY : r->original,
		.orcpt = r->orcpt,
		.action = action,
		.status = r->status,
		.reason = r->reason,
		.diagnostic = by_remote ? DSN_DIAGNOSTIC_SMTP : DSN_DIAGNOSTIC_POSTRIDER,
		.remote_mta = by_remote ? slice_first(r->remote, slice_find(r->remote, '[')) : SLICE_EMPTY,
		.retry_until_s = action == DSN_ACTION_DELAYED ? clock_wall_s() + (int64_t)left_s : 0,
	};
}

/* The start of the original, as much as the settings let a report quote (its header is whole within
 * LIMIT_HEADER). */
static void read_original(struct message *m, struct buf *to)
{
	size_t max = (size_t)queue.rp->config->queue_bounce_size + LIMIT_HEADER;

	if (spool_content_read(queue.spool, &m->entry, 0, max, to) < 0)
		buf_clear(to); /* the report goes without it */
}

static void on_report_done(void *user, int result)
{
	struct report *p = user;
	struct message *about = p->about;

	if (result < 0) {
		log_error("a report could not be written: %s", strerror(-result));
		message_free(&p->m);
	} else {
		queue_accepted(take_ptr(&p->m));
	}
	for (size_t i = 0; i < p->n_rcpts; i++) {
		struct recipient *r = &about->rcpts[p->rcpts[i]];
		if (result == 0)
			recipient_finish(about, r, SPOOL_RCPT_FAILED);
		else /* not told: try all of it again later */
			recipient_postponed(about, r);
	}
	if (p->rcpts) {
		about->live->n_reports--;
		queue_settle(about);
	}
	mem_free(p->rcpts);
	mem_free(p);
}

/* Commits text as a message from <> to `to`. 0, or negative errno: p is the caller's then. */
static int report_commit(struct report *p, struct slice to, struct slice text, uint64_t id, uint32_t flags)
{
	auto_buf struct buf trail = BUF_INIT(2 * LIMIT_PATH);
	struct spool_message *content = NULL;
	struct address a;
	int r;

	if (address_parse(to, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a) != ADDRESS_OK)
		return -EINVAL;
	address_canonical(&a, slice_of(queue.rp->config->main_origin), &trail);
	const struct spool_recipient rcpt = {
		.forward_path = buf_slice(&trail),
		.original = to,
		.trail = buf_slice(&trail),
		.notify = SPOOL_NOTIFY_NEVER,
	};
	const struct spool_envelope env = {
		.id = id,
		.arrival_us = clock_wall_us(),
		.body_type = SPOOL_BODY_8BITMIME,
		.protocol = SLICE(REPORT_PROTOCOL),
		.flags = flags,
	};
	r = spool_message_new(queue.spool, text.len, &content);
	if (r == 0)
		r = spool_message_append(content, text);
	if (r < 0) {
		spool_message_abort(&content);
		return r;
	}
	p->m = message_new(&env, &rcpt, 1);
	if (!p->m) {
		spool_message_abort(&content);
		return -ENOMEM;
	}
	spool_message_commit(content, &p->m->entry, &env, &rcpt, 1, on_report_done, p);
	return 0;
}

static int report_send(struct report *p, enum dsn_kind kind, struct slice to,
	const struct dsn_recipient *rcpts, size_t n, uint32_t flags)
{
	auto_buf struct buf original = BUF_INIT(queue.rp->config->queue_bounce_size + 2 * LIMIT_HEADER);
	auto_buf struct buf text = BUF_INIT(DSN_BYTES);
	struct message *m = p->about;
	struct spool_envelope env;
	message_envelope(m, &env);
	struct dsn_facts facts = {
		.kind = kind,
		.host = slice_of(queue.rp->config->main_host_name),
		.origin = slice_of(queue.rp->config->main_origin),
		.to = to,
		.queue_id = queue_new_id(),
		.original_queue_id = m->entry.id,
		.sender = env.reverse_path,
		.envid = env.envid,
		.arrival_s = (int64_t)(m->arrival_us / 1000000),
		.now_s = clock_wall_s(),
		.ret = kind == DSN_FAILURE ? (enum ret)m->ret : RET_HDRS,
		.original_max = (size_t)queue.rp->config->queue_bounce_size,
		.original_size = m->entry.content_bytes,
		.smtputf8 = m->smtputf8,
		.recipients = rcpts,
		.n_recipients = n,
	};

	if (facts.queue_id == 0)
		return -ENOSPC;
	read_original(m, &original);
	facts.original = buf_slice(&original);
	dsn_build(&facts, &text);
	return buf_ok(&text) ? report_commit(p, to, buf_slice(&text), facts.queue_id, flags) : -EFBIG;
}

/* ---- failures ---- */

/* NOTIFY=NEVER is the sender's wish; on reports of our own it only keeps other hosts quiet. */
static bool may_tell(const struct message *m, const struct recipient *r)
{
	struct spool_envelope env;

	message_envelope(m, &env);
	return r->notify == 0 || r->notify & SPOOL_NOTIFY_FAILURE ||
		slice_eq(env.protocol, SLICE(REPORT_PROTOCOL));
}

/* The FAILED recipients that share the first one's reverse-path: one report. */
static size_t collect_failures(
	struct message *m, uint32_t *rcpts, struct dsn_recipient *facts, struct slice *sender_out)
{
	const struct recipient *first = NULL;
	size_t n = 0;

	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		const struct recipient *r = &m->rcpts[i];
		if (r->stage != STAGE_FAILED)
			continue;
		if (!first)
			first = r;
		if (!slice_eq(recipient_reverse_path(m, r), recipient_reverse_path(m, first)))
			continue;
		rcpts[n] = i;
		fill_dsn_recipient(m, r, DSN_ACTION_FAILED, &facts[n++]);
	}
	if (first)
		*sender_out = recipient_reverse_path(m, first);
	return n;
}

static void finish_silent(struct message *m)
{
	for (uint32_t i = 0; i < m->n_rcpts; i++)
		if (m->rcpts[i].stage == STAGE_FAILED && !may_tell(m, &m->rcpts[i]))
			recipient_finish(m, &m->rcpts[i], SPOOL_RCPT_FAILED);
}

static void finish_untold(struct message *m, const uint32_t *rcpts, size_t n, const char *why)
{
	for (size_t i = 0; i < n; i++) {
		report_log(m, &m->rcpts[rcpts[i]], "bounced", why);
		recipient_finish(m, &m->rcpts[rcpts[i]], SPOOL_RCPT_FAILED);
	}
}

/* One report to the sender, or, when that is null, to postmaster. Takes rcpts. */
static void report_group(
	struct message *m, uint32_t *rcpts, const struct dsn_recipient *facts, size_t n, struct slice sender)
{
	struct report *p = mem_new(sizeof(*p));
	int r;

	p->about = m;
	p->rcpts = rcpts;
	p->n_rcpts = n;
	for (size_t i = 0; i < n; i++)
		recipient_stage(m, &m->rcpts[rcpts[i]], STAGE_REPORTING);
	m->live->n_reports++;
	r = sender.len ? report_send(p, DSN_FAILURE, sender, facts, n, 0)
		       : report_send(p, DSN_POSTMASTER, SLICE("postmaster"), facts, n, FLAG_DOUBLE_BOUNCE);
	if (r == 0)
		return;
	m->live->n_reports--;
	if (r == -EINVAL)
		finish_untold(m, rcpts, n, "the sender's address is not valid; nobody is told");
	for (size_t i = 0; r != -EINVAL && i < n; i++)
		recipient_postponed(m, &m->rcpts[rcpts[i]]);
	mem_free(p->rcpts);
	mem_free(p);
}

void report_failures(struct message *m)
{
	auto_free struct dsn_recipient *facts = mem_new_array(m->n_rcpts, sizeof(*facts));

	finish_silent(m);
	while (m->live->n_in[STAGE_FAILED]) { /* each turn takes one reverse-path's */
		auto_free uint32_t *rcpts = mem_new_array(m->n_rcpts, sizeof(*rcpts));
		struct slice sender = SLICE_EMPTY;
		size_t n = collect_failures(m, rcpts, facts, &sender);
		if (m->flags & FLAG_DOUBLE_BOUNCE)
			finish_untold(m, rcpts, n, "postmaster cannot be reached; nobody is told");
		else
			report_group(m, take_ptr(&rcpts), facts, n, sender);
	}
}

/* ---- delays and successes: told if it can be, nothing depends on them ---- */

static void report_one(struct message *m, struct recipient *r, enum dsn_kind kind, enum dsn_action action)
{
	struct slice sender = recipient_reverse_path(m, r);
	struct dsn_recipient facts;
	struct report *p;

	if (sender.len == 0 || queue.is_stopping) /* the spool takes no mail then */
		return;
	fill_dsn_recipient(m, r, action, &facts);
	p = mem_new(sizeof(*p));
	p->about = m;
	if (report_send(p, kind, sender, &facts, 1, 0) < 0) {
		log_warning("%s: the sender could not be told", queue_id_format(m->entry.id).at);
		mem_free(p);
	}
}

void report_delay(struct message *m, struct recipient *r)
{
	if (r->notify == 0 || r->notify & SPOOL_NOTIFY_DELAY)
		report_one(m, r, DSN_DELAY, DSN_ACTION_DELAYED);
}

void report_success(struct message *m, struct recipient *r, enum job_outcome how)
{
	report_one(m, r, DSN_SUCCESS, how == JOB_RELAYED ? DSN_ACTION_RELAYED : DSN_ACTION_DELIVERED);
}
