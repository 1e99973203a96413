/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content.c - a mail's content, up to its final dot, and the server's verdicts on it
 *
 * Content that has 8-bit characters goes as it is to a server without 8BITMIME, as most mailers do: such
 * servers pass it on, and recoding would break its signatures.
 *
 * An SMTP server judges once for all recipients; an LMTP server once for each that it accepted, in their
 * order (RFC 2033 4.2): what it has taken for one stays taken, whatever becomes of the connection.
 * Tests: test_relay.c, test_lmtp.c.
 */
#include "mail/trail.h"
#include "smtp/session-private.h"

#define CONTENT_PIECE (32 * 1024) /* encoded at once */

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

void content_send(struct session *s)
{
	struct buf *out = connection_out(s->connection);

	while (!connection_congested(s->connection) && content_encode_piece(s, out))
		if (connection_unsent(s->connection) > OUT_FLUSH)
			connection_send(s->connection);
	connection_send(s->connection);
	dialogue_await(s, PHASE_BODY); /* something moved: the time begins anew */
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
