/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content.c - DATA: from the client's bytes to queue, and queue's word back
 *
 * What is wrong with a mail is said once, behind its true end, so that the session stays in step (RFC 5321
 * 4.1.1.4; smuggling). Queue hears of a mail only with its first content: one that is bad within the first
 * read costs nobody else anything.
 * Tests: test_content.c, fuzz/fuzz_smtpd_session.c.
 */
#include "smtpd/session-private.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "mail/queue_id.h"
#include "mail/trace.h"

#define HELD_BACK 8 /* bytes that the decoder may give out beyond those of this call: a held back ".CR" */
#define BARE (DOT_BARE_CR | DOT_BARE_LF)

static const struct refusal bad_lines = { 550, "5.6.11", "Message has a bare CR or LF; lines end with CRLF" };
static const struct refusal bad_nul = { 550, "5.6.11", "Message has a NUL character" };
static const struct refusal long_line = { 550, "5.6.11", "Message has a line above 1 MiB" };
static const struct refusal too_large = { 552, "5.3.4", "Message size exceeds fixed limit" };
static const struct refusal loop = { 554, "5.4.6", "Too many hops: this message goes round in a loop" };
static const struct refusal no_memory = { 452, "4.3.1", "Out of memory; try again later" };
static const struct refusal no_queue = { 451, "4.3.0", "The queue is not available; try again later" };

/* ---- the transaction's end ---- */

void transaction_free(struct session *s)
{
	struct transaction *t = take_ptr(&s->mail);
	struct session_rcpt *r;

	if (!t)
		return;
	while ((r = list_first(&t->rcpts, struct session_rcpt, in_list)))
		rcpt_free(&r);
	if (t->number)
		table_remove(&s->world->mails, &t->by_number);
	mem_free(t->early_text);
	mem_free(t);
}

/* Queue forgets the mail. */
static void content_withdraw(struct session *s)
{
	struct transaction *t = s->mail;

	if (t->number == 0)
		return;
	(void)s->world->hooks->tell_queue(
		s, MSG_MAIL_ABORT, &(struct msg_MAIL_ABORT){ .mail = t->number }); /* gone: forgotten too */
	table_remove(&s->world->mails, &t->by_number);
	t->number = 0;
}

void transaction_abort(struct session *s)
{
	/* What queue has as a whole stays: the client cannot know whether it was taken, and a loss is worse
	 * than the duplicate that its retry makes. */
	if (s->mail && s->state != SESSION_STATE_RESULT)
		content_withdraw(s);
	transaction_free(s);
}

/* ---- the beginning ---- */

static bool take_queue_id(struct session *s)
{
	struct transaction *t = s->mail;

	t->queue_id = s->world->hooks->take_queue_id(s);
	t->queue_number = s->world->n_queues_gone;
	if (t->queue_id)
		log_info("%s: client=" CLIENT_FMT, queue_id_format(t->queue_id).at, s->client_ip);
	return t->queue_id != 0;
}

void content_begin(struct session *s)
{
	struct transaction *t = s->mail;

	if (!take_queue_id(s)) {
		session_log_reject(s, 0, "DATA", &no_queue, t->reverse_path, NO_PATH);
		session_refuse(s, SMTP_VERB_DATA, &no_queue);
		return;
	}
	t->dot = DOT_DECODER_INIT(SESSION_LINE_MAX);
	t->hops = HOPS_INIT;
	t->content_since_ms = s->world->now_ms;
	session_enter(s, SESSION_STATE_CONTENT);
	session_say(s, 354, NULL, SLICE("End data with <CR><LF>.<CR><LF>"));
}

static struct slice protocol_of(const struct session *s)
{
	if (s->mail->mail.smtputf8)
		return SLICE("UTF8SMTP");
	return s->is_esmtp ? SLICE("ESMTP") : SLICE("SMTP");
}

static void append_received(struct session *s, struct buf *out)
{
	const struct transaction *t = s->mail;
	const struct session_rcpt *only = list_first(&t->rcpts, struct session_rcpt, in_list);
	const struct trace_smtp trace = {
		.helo = slice_of(s->helo),
		.client_ip = slice_of(s->client_ip),
		.host = slice_of(s->world->config->main_host_name),
		.protocol = protocol_of(s),
		.queue_id = t->queue_id,
		.rcpt = t->n_rcpts == 1 ? only->forward_path : SLICE_EMPTY,
		.time_s = clock_wall_s(),
	};

	trace_append_received_smtp(out, &trace);
}

static bool hand_over_rcpts(struct session *s)
{
	list_for_each (node, &s->mail->rcpts) {
		const struct session_rcpt *r = CONTAINER_OF(node, struct session_rcpt, in_list);
		const struct msg_MAIL_RCPT m = { .mail = s->mail->number,
			.forward_path = r->forward_path,
			.orcpt = r->orcpt,
			.notify = r->notify };
		if (!s->world->hooks->tell_queue(s, MSG_MAIL_RCPT, &m))
			return false;
	}
	return true;
}

/* The envelope goes to queue. */
static bool hand_over_envelope(struct session *s)
{
	struct transaction *t = s->mail;
	struct session_world *w = s->world;
	const struct msg_MAIL_BEGIN m = { .mail = w->last_number + 1,
		.queue_id = t->queue_id,
		.reverse_path = t->reverse_path,
		.envid = t->envid,
		.ret = (uint8_t)t->mail.ret,
		.body = (uint8_t)t->mail.body,
		.smtputf8 = t->mail.smtputf8,
		.size_hint = t->mail.size,
		.client_address = slice_of(s->client_ip),
		.client_name = SLICE_EMPTY,
		.helo = slice_of(s->helo),
		.protocol = protocol_of(s),
		.login = SLICE_EMPTY,
		.submission_id = SLICE_EMPTY };

	if (!w->hooks->tell_queue(s, MSG_MAIL_BEGIN, &m))
		return false;
	t->number = ++w->last_number;
	table_insert(&w->mails, &t->by_number, table_hash_u64(t->number));
	return hand_over_rcpts(s);
}

/* ---- the content ---- */

/* What is wrong with it by now; NULL: nothing. */
static const struct refusal *content_judge(const struct session *s)
{
	const struct transaction *t = s->mail;
	const struct config *c = s->world->config;

	if (t->dot.findings & BARE)
		return &bad_lines;
	if (t->dot.findings & DOT_NUL)
		return &bad_nul;
	if (t->dot.size > c->message_max_size)
		return &too_large;
	if (t->dot.findings & DOT_LONG_LINE)
		return &long_line;
	if (t->hops.n > c->message_max_hops)
		return &loop;
	return t->dot.findings & DOT_OUT_FULL ? &no_memory : NULL;
}

/* What is decoded goes to queue, behind the envelope. */
static bool content_hand_over(struct session *s)
{
	const struct buf *chunk = &s->world->chunk;

	if (s->mail->number == 0 && !hand_over_envelope(s))
		return false;
	const struct msg_MAIL_CONTENT m = { .mail = s->mail->number, .chunk = buf_slice(chunk) };
	return chunk->len == 0 || s->world->hooks->tell_queue(s, MSG_MAIL_CONTENT, &m);
}

/* Decodes from the front of *rest; true at the end of the mail. */
static bool content_take(struct session *s, struct slice *rest)
{
	struct transaction *t = s->mail;
	struct buf *chunk = &s->world->chunk;
	struct slice piece;
	size_t own;
	bool has_ended;

	/* Queue may have died between DATA and the first content: its successor knows only ids of its own. */
	if (!t->refused && t->number == 0 && t->queue_number != s->world->n_queues_gone && !take_queue_id(s))
		t->refused = &no_queue;
	if (t->refused) {
		has_ended = dot_decode(&t->dot, rest, NULL);
		return has_ended;
	}
	if (t->number == 0)
		append_received(s, chunk);
	own = chunk->len;
	piece = slice_first(*rest, LIMIT_CHUNK - HELD_BACK - own);
	has_ended = dot_decode(&t->dot, &piece, chunk);
	*rest = slice_from(*rest, (size_t)(piece.at - rest->at));
	hops_count(&t->hops, slice_from(buf_slice(chunk), own));
	t->refused = content_judge(s);
	if (!t->refused && !content_hand_over(s))
		t->refused = &no_queue;
	buf_clear(chunk);
	if (t->refused)
		content_withdraw(s);
	return has_ended;
}

static void content_refuse(struct session *s, const struct refusal *why)
{
	session_log_reject(s, s->mail->queue_id, "END-OF-MESSAGE", why, s->mail->reverse_path, NO_PATH);
	session_enter(s, SESSION_STATE_READY);
	session_refuse(s, SMTP_VERB_DATA, why);
	transaction_free(s);
}

static void content_end(struct session *s)
{
	const struct msg_MAIL_END m = { .mail = s->mail->number };

	if (!s->mail->refused && !s->world->hooks->tell_queue(s, MSG_MAIL_END, &m)) {
		s->mail->refused = &no_queue;
		content_withdraw(s);
	}
	if (s->mail->refused)
		content_refuse(s, s->mail->refused);
	else
		session_enter(s, SESSION_STATE_RESULT); /* goes on in session_result() */
}

enum session_step content_step(struct session *s, struct slice *rest)
{
	struct session_world *w = s->world;
	uint64_t timeout_ms = w->config->smtpd_data_timeout * 1000;

	if (w->now_ms - s->mail->content_since_ms > timeout_ms) {
		session_expired(s);
		return STEP_WAITS;
	}
	if (rest->len == 0)
		return STEP_NEEDS_INPUT;
	if (!s->mail->refused && w->hooks->queue_is_full(s)) {
		s->is_starved = true;
		return STEP_WAITS;
	}
	if (content_take(s, rest))
		content_end(s);
	return STEP_DONE;
}

/* ---- queue's word ---- */

static struct transaction *transaction_find(const struct session_world *w, uint64_t number)
{
	uint64_t hash = table_hash_u64(number);

	for (struct table_node *n = table_first(&w->mails, hash); n; n = table_next(n, hash)) {
		struct transaction *t = CONTAINER_OF(n, struct transaction, by_number);
		if (t->number == number)
			return t;
	}
	return NULL;
}

/* Behind the reply to a whole mail. */
static void content_is_over(struct session *s)
{
	if (s->world->is_stopping)
		session_stop(s);
	session_proceed(s);
}

static void content_accepted(struct session *s)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_REPLY_LINE);

	buf_append_str(&text, "Ok: queued as ");
	queue_id_append(&text, s->mail->queue_id);
	s->n_errors = 0;
	s->n_idle_commands = 0;
	transaction_free(s);
	session_enter(s, SESSION_STATE_READY);
	session_reply(s, SMTP_VERB_DATA, 250, "2.0.0", buf_slice(&text));
	content_is_over(s);
}

/* Queue has forgotten the mail already. Before its end the client is not told yet. */
static void content_failed(struct session *s, const struct refusal *why, char *text)
{
	struct transaction *t = s->mail;

	table_remove(&s->world->mails, &t->by_number);
	t->number = 0;
	t->early = *why;
	t->early_text = text;
	t->refused = &t->early;
	if (s->state == SESSION_STATE_RESULT) {
		content_refuse(s, t->refused);
		content_is_over(s);
	} else if (s->is_starved) {
		session_proceed(s);
	}
}

void session_result(struct session_world *w, const struct msg_MAIL_RESULT *m)
{
	struct transaction *t = transaction_find(w, m->mail);
	struct refusal why;
	char *text = NULL;

	if (!t)
		return; /* its client has left */
	if (m->code == 250 && t->session->state == SESSION_STATE_RESULT) {
		content_accepted(t->session);
		return;
	}
	why = refusal_from_role(m->code, m->status, m->text, &text);
	content_failed(t->session, &why, text);
}

static void find_any(struct table_node *node, void *user)
{
	struct transaction **any = user;

	*any = CONTAINER_OF(node, struct transaction, by_number);
}

void session_queue_gone(struct session_world *w)
{
	struct transaction *t;

	w->n_queues_gone++;
	do {
		t = NULL;
		table_each(&w->mails, find_any, &t);
		if (t)
			content_failed(t->session, &no_queue, NULL);
	} while (t);
}
