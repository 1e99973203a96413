/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_mail.c - one report as a message of its own: facts gathered, text built, committed; see core.h
 *
 * A report has the null reverse-path, asks for no reports itself (RFC 3461 6.2), and needs SMTPUTF8 only for
 * the address that it goes to: what it quotes is content, for which 8BITMIME is enough.
 * Tests: test_reports.c, tests/system/test_dsn.py.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/chars.h"
#include "mail/header_facts.h"
#include "mail/reply.h"
#include "queue/core.h"

#define DSN_BYTES (64 * 1024 * 1024)

/* ---- facts ---- */

/* Who said it: a command, or the remote host, when its words are quoted; or else we. */
static void fill_diagnostic(const struct recipient *r, enum dsn_action action, struct dsn_recipient *out)
{
	if (r->leaf == LEAF_COMMAND)
		out->diagnostic = DSN_DIAGNOSTIC_UNIX;
	if (r->leaf != LEAF_REMOTE && !r->by_transport)
		return;
	if (action == DSN_ACTION_RELAYED) { /* the reason is its reply, and nothing else */
		out->remote_mta = slice_first(r->remote, slice_find(r->remote, ']') + 1);
		out->said = r->reason;
	} else if (!reply_unquote(r->reason, &out->remote_mta, &out->said)) {
		return;
	}
	out->diagnostic = DSN_DIAGNOSTIC_SMTP;
}

void report_fill(
	const struct message *m, const struct recipient *r, enum dsn_action action, struct dsn_recipient *out)
{
	uint64_t lifetime_s = queue.rp->config->queue_lifetime;
	uint64_t left_s = lifetime_s - MIN(lifetime_s, message_age_s(m));

	*out = (struct dsn_recipient){
		.address = r->forward_path,
		.original = slice_eq(r->original, r->forward_path) ? SLICE_EMPTY : r->original,
		.orcpt = r->orcpt,
		.action = action,
		.status = r->status,
		.reason = r->reason,
		.said = SLICE_EMPTY,
		.diagnostic = DSN_DIAGNOSTIC_POSTRIDER,
		.remote_mta = SLICE_EMPTY,
		.last_attempt_s = (int64_t)(r->last_attempt_us / 1000000),
		.retry_until_s = action == DSN_ACTION_DELAYED ? clock_wall_s() + (int64_t)left_s : 0,
	};
	fill_diagnostic(r, action, out);
}

/* The start of the original, as much as the settings let a report quote (its header is whole within
 * LIMIT_HEADER). */
static void read_original(struct message *m, struct buf *to)
{
	size_t max = (size_t)queue.rp->config->queue_bounce_size + LIMIT_HEADER;

	if (spool_content_read(queue.spool, &m->entry, 0, max, to) < 0)
		buf_clear(to); /* the report goes without it */
}

/* ---- commit ---- */

struct commit {
	struct message *m;
	struct header_facts header;
	report_done done;
	void *user;
};

static void on_commit_done(void *user, int result)
{
	struct commit *c = user;

	if (result < 0) {
		log_error("a report could not be written: %s", strerror(-result));
		message_free(&c->m);
	} else {
		queue_accepted(take_ptr(&c->m), buf_slice(&c->header.message_id));
	}
	if (c->done)
		c->done(c->user, result);
	header_facts_deinit(&c->header);
	mem_free(c);
}

/* Takes content, which is text. */
static int commit_start(struct spool_message *content, struct slice text, const struct spool_envelope *env,
	const struct spool_recipient *rcpt, const struct report *report)
{
	struct message *m = message_new(env, rcpt, 1);
	struct commit *c;

	if (!m) {
		spool_message_abort(&content);
		return -ENOMEM;
	}
	c = mem_new(sizeof(*c));
	*c = (struct commit){
		.m = m, .header = HEADER_FACTS_INIT, .done = report->done, .user = report->user
	};
	header_facts_add(&c->header, text);
	header_facts_end(&c->header);
	spool_message_commit(content, &m->entry, env, rcpt, 1, on_commit_done, c);
	return 0;
}

static int commit_text(const struct address *to, struct slice text, const struct report *report, uint64_t id)
{
	auto_buf struct buf trail = BUF_INIT(2 * LIMIT_PATH);
	struct spool_message *content = NULL;
	int r;

	address_canonical(to, slice_of(queue.rp->config->main_origin), &trail);
	const struct spool_recipient rcpt = {
		.forward_path = buf_slice(&trail),
		.original = report->to,
		.trail = buf_slice(&trail),
		.notify = NOTIFY_NEVER,
	};
	const struct spool_envelope env = {
		.id = id,
		.arrival_us = clock_wall_us(),
		.body_type = BODY_8BITMIME,
		.smtputf8 = text_has_8bit(report->to),
		.protocol = SLICE(REPORT_PROTOCOL),
		.flags = report->flags,
	};
	r = spool_message_new(queue.spool, text.len, &content);
	if (r == 0)
		r = spool_message_append(content, text);
	if (r < 0) {
		spool_message_abort(&content);
		return r;
	}
	return commit_start(content, text, &env, &rcpt, report);
}

int report_send(struct message *about, const struct report *report)
{
	auto_buf struct buf original = BUF_INIT(queue.rp->config->queue_bounce_size + 2 * LIMIT_HEADER);
	auto_buf struct buf text = BUF_INIT(DSN_BYTES);
	struct spool_envelope env;
	struct address to;
	int r;

	message_envelope(about, &env);
	struct dsn_facts facts = {
		.kind = report->kind,
		.host = slice_of(queue.rp->config->main_host_name),
		.origin = slice_of(queue.rp->config->main_origin),
		.to = report->to,
		.original_queue_id = about->entry.id,
		.sender = report->is_owners ? report->to : env.reverse_path,
		.envid = report->is_owners ? SLICE_EMPTY : env.envid,
		.arrival_s = (int64_t)(about->arrival_us / 1000000),
		.now_s = clock_wall_s(),
		.ret = report->is_owners ? RET_DEFAULT : (enum ret)about->ret,
		.original_max = (size_t)queue.rp->config->queue_bounce_size,
		.original_size = about->entry.content_bytes,
		.smtputf8 = about->smtputf8,
		.recipients = report->rcpts,
		.n_recipients = report->n_rcpts,
	};

	if (address_parse(report->to, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &to) != ADDRESS_OK)
		return -EINVAL;
	facts.queue_id = queue_new_id();
	if (facts.queue_id == 0)
		return -ENOSPC;
	read_original(about, &original);
	facts.original = buf_slice(&original);
	dsn_build(&facts, &text);
	if (!buf_ok(&text))
		return -EFBIG;
	r = commit_text(&to, buf_slice(&text), report, facts.queue_id);
	if (r == 0)
		history_told(about, facts.queue_id);
	return r;
}
