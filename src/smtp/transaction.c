/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction.c - MAIL, RCPT and DATA, with or without pipelining; what follows DATA is in content.c
 *
 * Two cursors walk over the same commands: what has been sent, and whose reply came. Without PIPELINING the
 * first waits for the second. Recipients with different forwarding trails get different Delivered-To fields,
 * so they go in different transactions.
 * Tests: test_relay.c, test_relay_refused.c.
 */
#include "base/limits.h"
#include "mail/envelope_options.h"
#include "smtp/command.h"
#include "smtp/session-private.h"

/* ---- which recipients ---- */

static void rcpt_fail_here(
	struct session *s, struct job_rcpt *rcpt, const char *status, const struct buf *reason)
{
	struct job_result result = { .outcome = JOB_FAILED,
		.status = status,
		.reason = buf_slice(reason),
		.remote = buf_slice(&s->remote) };

	job_rcpt_finish(s->job, rcpt, &result);
}

/* The whole mail is not for this server: too large, or its envelope can not be said there. NULL: it is. */
static const char *mail_is_unfit(const struct session *s, struct buf *reason)
{
	const struct job *job = s->job;
	struct slice host = buf_slice(&s->host_name);

	if (s->can.size_limit && job->size > s->can.size_limit) {
		buf_printf(reason, "message size %" PRIu64 " exceeds size limit %" PRIu64 " of server %.*s",
			job->size, s->can.size_limit, SLICE_ARG(host));
		return "5.3.4";
	}
	if (!command_path_is_safe(job->reverse_path, true)) {
		buf_printf(reason, "bad sender address syntax");
		return "5.1.7";
	}
	if (!s->can.smtputf8 &&
		(!command_path_is_ascii(job->reverse_path) || (job->smtputf8 && job_header_has_8bit(job)))) {
		buf_printf(reason, "SMTPUTF8 is required, but was not offered by host %.*s", SLICE_ARG(host));
		return "5.6.7";
	}
	return NULL;
}

static const char *rcpt_is_unfit(const struct session *s, const struct job_rcpt *rcpt, struct buf *reason)
{
	if (!command_path_is_safe(rcpt->forward_path, false)) {
		buf_printf(reason, "bad recipient address syntax");
		return "5.1.3";
	}
	if (!s->can.smtputf8 && !command_path_is_ascii(rcpt->forward_path)) {
		buf_printf(reason, "SMTPUTF8 is required, but was not offered by host %.*s",
			SLICE_ARG(buf_slice(&s->host_name)));
		return "5.6.7";
	}
	return NULL;
}

/* Open recipients of one trail, at most as many as both sides allow. Those this server can not be told of
 * get their result here. */
static void transaction_choose(struct session *s)
{
	struct transaction *t = &s->transaction;
	struct job *job = s->job;
	auto_buf struct buf reason = BUF_INIT(LIMIT_REASON);
	const char *mail_status = mail_is_unfit(s, &reason), *status;
	size_t max = (size_t)s->relay->config->smtp_max_recipients;

	if (s->can.rcpt_limit)
		max = (size_t)MIN(max, s->can.rcpt_limit);
	for (size_t i = 0; i < job->n_here && t->n < max; i++) {
		struct job_rcpt *rcpt = &job->rcpts[i];
		if (rcpt->state != JOB_RCPT_OPEN)
			continue;
		if (!mail_status)
			buf_clear(&reason);
		status = mail_status ? mail_status : rcpt_is_unfit(s, rcpt, &reason);
		if (status) {
			rcpt_fail_here(s, rcpt, status, &reason);
		} else if (t->n == 0 || slice_eq(rcpt->forwarded, t->rcpts[0]->forwarded)) {
			rcpt->state = JOB_RCPT_IN_TRANSACTION;
			t->rcpts[t->n++] = rcpt;
		}
	}
}

static void transaction_reset(struct session *s)
{
	struct transaction *t = &s->transaction;
	struct job_rcpt **rcpts = t->rcpts;
	size_t cap = t->cap;

	if (s->job && s->job->n_rcpts > cap) {
		mem_free(rcpts);
		cap = s->job->n_rcpts; /* at most JOB_RCPTS_MAX */
		rcpts = mem_new_array(cap, sizeof(struct job_rcpt *));
	}
	*t = (struct transaction){ .rcpts = rcpts, .cap = cap, .encoder = DOT_ENCODER_INIT(LIMIT_TEXT_LINE) };
}

void transaction_abandon(struct session *s)
{
	for (size_t i = 0; i < s->transaction.n; i++)
		if (s->transaction.rcpts[i]->state != JOB_RCPT_DONE)
			s->transaction.rcpts[i]->state = JOB_RCPT_OPEN;
	transaction_reset(s);
}

/* ---- commands ---- */

static bool needs_smtputf8(const struct session *s)
{
	const struct transaction *t = &s->transaction;

	if (!command_path_is_ascii(s->job->reverse_path) || s->job->smtputf8)
		return true;
	for (size_t i = 0; i < t->n; i++)
		if (!command_path_is_ascii(t->rcpts[i]->forward_path))
			return true;
	return false;
}

static void send_mail(struct session *s)
{
	const struct command_mail_options options = {
		.size = job_wire_size(s->job),
		.eight_bit = s->can.eight_bit && s->job->body != BODY_7BIT && job_has_8bit(s->job),
		.smtputf8 = s->can.smtputf8 && needs_smtputf8(s),
	};

	command_mail(s->job, &s->can, &options, connection_out(s->connection));
	s->transaction.is_mail_sent = true;
	job_mailed(s->job);
}

/* The next command that may go now; false: none. */
static bool transaction_send_next(struct session *s)
{
	struct transaction *t = &s->transaction;
	struct buf *out = connection_out(s->connection);
	bool all_answered = t->n_answered == t->n;

	if (!t->is_mail_sent)
		send_mail(s);
	else if (t->is_mail_refused)
		return false;
	else if (t->n_sent < t->n)
		command_rcpt(t->rcpts[t->n_sent++], &s->can, out);
	else if (!t->is_data_sent && !(all_answered && t->n_accepted == 0)) {
		buf_append_str(out, "DATA\r\n");
		t->is_data_sent = true;
	} else
		return false;
	s->n_unanswered++;
	return true;
}

static void transaction_send(struct session *s)
{
	while ((s->can.pipelining || s->n_unanswered == 0) && !connection_congested(s->connection) &&
		transaction_send_next(s))
		if (connection_unsent(s->connection) > OUT_FLUSH)
			connection_send(s->connection);
	connection_send(s->connection);
}

void transaction_begin(struct session *s)
{
	transaction_reset(s);
	transaction_choose(s);
	if (s->transaction.n == 0) { /* no one is left */
		session_job_over(s);
		lane_session_free(s->lane, s);
		return;
	}
	s->n_mails++;
	transaction_send(s);
	dialogue_await(s, PHASE_MAIL);
}

/* ---- replies to commands ---- */

/* This transaction ends without content; the server must forget it before the next one. */
static void transaction_undo(struct session *s)
{
	if (s->job->n_open == 0)
		session_job_over(s); /* queue need not wait for the server's tidying up */
	dialogue_send(s, PHASE_RSET, "RSET\r\n");
}

void transaction_finished(struct session *s)
{
	if (s->job && s->job->n_open == 0)
		session_job_over(s);
	if (s->job && s->is_last_mail)
		session_connect(
			s); /* the rest of its recipients; some have got their results, so this ends */
	else if (s->job)
		transaction_begin(s);
	else if (s->is_last_mail)
		session_end(s);
	else
		lane_session_free(s->lane, s);
}

/* After each reply: sends what may be sent now, and says whose reply is next. */
static void transaction_advance(struct session *s)
{
	const struct transaction *t = &s->transaction;

	transaction_send(s);
	if (t->n_answered < t->n_sent)
		dialogue_await(s, PHASE_RCPT);
	else if (t->is_data_sent)
		dialogue_await(s, PHASE_DATA);
	else
		transaction_undo(s);
}

void rcpt_finish_by_reply(struct session *s, struct job_rcpt *rcpt, const struct reply *reply)
{
	auto_buf struct buf text = BUF_INIT(2 * LIMIT_REASON);
	struct job_result result = { .outcome = reply->code >= 500 ? JOB_FAILED : JOB_DEFERRED,
		.status = reply->status[0]   ? reply->status
			: reply->code >= 500 ? "5.0.0"
					     : "4.0.0",
		.remote = buf_slice(&s->remote) };

	dialogue_describe(s, reply, &text);
	result.reason = buf_slice(&text);
	job_rcpt_finish(s->job, rcpt, &result);
}

void transaction_fail(struct session *s, const struct reply *reply)
{
	for (size_t i = 0; i < s->transaction.n; i++)
		if (s->transaction.rcpts[i]->state != JOB_RCPT_DONE &&
			s->transaction.rcpts[i]->state != JOB_RCPT_OPEN)
			rcpt_finish_by_reply(s, s->transaction.rcpts[i], reply);
}

void mail_accepted(struct session *s, const struct reply *reply)
{
	(void)reply;
	s->transaction.is_answered = true;
	transaction_advance(s);
}

void mail_refused(struct session *s, const struct reply *reply)
{
	s->transaction.is_answered = true;
	s->transaction.is_mail_refused = true; /* what was sent behind it will be refused too */
	transaction_fail(s, reply);
	transaction_advance(s);
}

void rcpt_accepted(struct session *s, const struct reply *reply)
{
	struct transaction *t = &s->transaction;
	struct job_rcpt *rcpt = t->rcpts[t->n_answered++];

	(void)reply;
	if (!t->is_mail_refused) {
		rcpt->state = JOB_RCPT_ACCEPTED;
		t->n_accepted++;
	}
	transaction_advance(s);
}

void rcpt_refused(struct session *s, const struct reply *reply)
{
	struct transaction *t = &s->transaction;
	struct job_rcpt *rcpt = t->rcpts[t->n_answered++];

	if (!t->is_mail_refused) {
		/* Too many at once: the rest goes in another transaction (RFC 5321 4.5.3.1.10). */
		if (reply->code == 452 && t->n_accepted > 0)
			rcpt->state = JOB_RCPT_OPEN;
		else
			rcpt_finish_by_reply(s, rcpt, reply);
	}
	transaction_advance(s);
}

void data_accepted(struct session *s, const struct reply *reply)
{
	struct transaction *t = &s->transaction;

	(void)reply;
	if (s->is_lmtp && t->n_accepted == 0) { /* RFC 2033 4.2: there would be no verdict to wait for */
		dialogue_confused(s, "content wanted for no recipient");
		return;
	}
	t->is_content_empty = t->n_accepted == 0; /* RFC 2920 3.1: nobody is left, but it waits for the dot */
	t->is_content_begun = true;
	s->n_unanswered += s->is_lmtp ? t->n_accepted : 1; /* verdicts, which a server may give early */
	dialogue_await(s, PHASE_BODY);
	content_send(s);
}

void data_refused(struct session *s, const struct reply *reply)
{
	transaction_fail(s, reply);
	transaction_undo(s);
}

void transaction_go_on(struct session *s)
{
	if (s->phase == PHASE_BODY)
		content_send(s);
	else if (s->phase == PHASE_MAIL || s->phase == PHASE_RCPT)
		transaction_send(s);
}
