/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transaction.c - MAIL, RCPT, DATA and the content, with or without pipelining
 *
 * Two cursors walk over the same commands: what has been sent, and whose reply came. Without PIPELINING the
 * first waits for the second. Recipients with different forwarding trails get different Delivered-To fields,
 * so they go in different transactions. Content that has 8-bit characters goes as it is to a server without
 * 8BITMIME, as most mailers do: such servers pass it on, and recoding would break its signatures.
 *
 * An LMTP server judges the content once for each recipient that it accepted, in their order (RFC 2033 4.2);
 * what it has taken for one stays taken, whatever becomes of the connection.
 */
#include "base/limits.h"
#include "mail/envelope_options.h"
#include "mail/trail.h"
#include "smtp/command.h"
#include "smtp/session-private.h"

#define CONTENT_PIECE (32 * 1024) /* encoded at once */
#define OUT_FLUSH (64 * 1024)	  /* gathered before it is sent */

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

static void rcpt_finish_by_reply(struct session *s, struct job_rcpt *rcpt, const struct reply *reply)
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

static void content_send(struct session *s);

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

/* ---- content ---- */

/* One field for each step of forwarding that led here; the recipient's own comes at its mailbox. */
static void content_begin(struct session *s, struct buf *out)
{
	struct transaction *t = &s->transaction;
	struct slice rest = t->rcpts[0]->forwarded;
	struct trail_step step;

	while (trail_next(&rest, &step)) {
		dot_encode(&t->encoder, SLICE("Delivered-To: "), out);
		dot_encode(&t->encoder, step.address, out);
		dot_encode(&t->encoder, SLICE("\n"), out);
	}
}

static void content_end(struct session *s, struct buf *out)
{
	dot_encode_end(&s->transaction.encoder, out);
	s->transaction.is_content_sent = true;
}

/* A piece of content into out; false: there is none at hand, or no more. */
static bool content_encode_piece(struct session *s, struct buf *out)
{
	struct transaction *t = &s->transaction;
	struct job *job = s->job;
	struct slice piece = slice_first(job_content_at(job, t->offset), CONTENT_PIECE);

	if (t->is_content_sent)
		return false;
	if (t->is_content_empty || t->offset == job->size) {
		content_end(s, out);
		return false;
	}
	if (piece.len == 0) {
		if (!t->is_content_asked)
			job_ask_content(job, t->offset);
		t->is_content_asked = true;
		return false;
	}
	if (t->offset == 0)
		content_begin(s, out);
	dot_encode(&t->encoder, piece, out);
	t->offset += piece.len;
	return true;
}

static void content_send(struct session *s)
{
	struct buf *out = connection_out(s->connection);

	while (!connection_congested(s->connection) && content_encode_piece(s, out))
		if (connection_unsent(s->connection) > OUT_FLUSH)
			connection_send(s->connection);
	connection_send(s->connection);
	dialogue_await(s, PHASE_BODY); /* something moved: the time begins anew */
}

void transaction_go_on(struct session *s)
{
	if (s->phase == PHASE_BODY)
		content_send(s);
	else if (s->phase == PHASE_MAIL || s->phase == PHASE_RCPT)
		transaction_send(s);
}

/* ---- verdicts ---- */

static void rcpt_finish_delivered(struct session *s, struct job_rcpt *rcpt, const struct reply *reply)
{
	auto_buf struct buf text = BUF_INIT(2 * LIMIT_REASON);
	struct job_result result = { .outcome = s->can.dsn ? JOB_RELAYED_DSN
			: s->is_lmtp			   ? JOB_DELIVERED
							   : JOB_RELAYED,
		.status = reply->status[0] ? reply->status : "2.0.0",
		.remote = buf_slice(&s->remote) };

	reply_describe(reply, &text);
	result.reason = buf_slice(&text);
	job_rcpt_finish(s->job, rcpt, &result);
}

static void rcpt_judge(struct session *s, struct job_rcpt *rcpt, const struct reply *reply)
{
	if (rcpt->state != JOB_RCPT_ACCEPTED)
		return;
	if (reply->code < 400)
		rcpt_finish_delivered(s, rcpt, reply);
	else
		rcpt_finish_by_reply(s, rcpt, reply);
}

/* A verdict came: it is about the next accepted recipient of LMTP, else about all. False: more will come. */
static bool content_is_judged(struct session *s, const struct reply *reply)
{
	struct transaction *t = &s->transaction;

	while (t->n_judged < t->n) {
		struct job_rcpt *rcpt = t->rcpts[t->n_judged++];
		bool is_its = rcpt->state == JOB_RCPT_ACCEPTED;
		rcpt_judge(s, rcpt, reply);
		if (is_its && s->is_lmtp && s->n_unanswered > 0)
			return false;
	}
	return true;
}

void body_accepted(struct session *s, const struct reply *reply)
{
	if (!s->transaction.is_content_sent) {
		dialogue_confused(s, "reply before the end of the message");
		return;
	}
	if (content_is_judged(s, reply))
		transaction_finished(s);
	else
		dialogue_await(s, PHASE_BODY);
}

void body_refused(struct session *s, const struct reply *reply)
{
	if (!s->transaction.is_content_sent) {
		s->is_last_mail = true; /* it will not read the rest as content */
		s->n_unanswered = 0;	/* nor say anything of the others that is worth waiting for */
	}
	if (content_is_judged(s, reply))
		transaction_finished(s);
	else
		dialogue_await(s, PHASE_BODY);
}
