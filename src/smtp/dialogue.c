/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialogue.c - the outgoing dialogue as one table, and everything that can happen to a connection
 *
 * LMTP (RFC 2033) is the same dialogue but for its greeting, LHLO, which nothing stands in for, and for the
 * end: each recipient that was accepted has a verdict of its own on the content.
 *
 * Replies are read in order; each goes to the function that the table names for its phase and class. A reply
 * that nobody waits for, or that is none, ends the connection: whatever followed could be taken for the
 * answer to something else. 421 means in every phase that the connection is over.
 * Tests: test_relay.c, test_relay_refused.c, test_lmtp.c.
 */
#include "smtp/session-private.h"

#define QUIT_SECONDS 5 /* politeness has an end */

typedef void (*reply_handler)(struct session *s, const struct reply *reply);

static void send_ehlo(struct session *s, const struct reply *reply);
static void no_ehlo(struct session *s, const struct reply *reply);
static void read_ehlo(struct session *s, const struct reply *reply);
static void begin_mail(struct session *s, const struct reply *reply);
static void refuse_host(struct session *s, const struct reply *reply);
static void in_step_again(struct session *s, const struct reply *reply);
static void give_up(struct session *s, const struct reply *reply);
static void over(struct session *s, const struct reply *reply);

enum wait { WAIT_COMMAND, WAIT_DATA, WAIT_QUIT };

/* The dialogue, top to bottom: which replies go on, where each class leads, how long we wait, and the words
 * for people. What is sent follows from the function of the phase before; MAIL to DATA: transaction.c; BODY:
 * content.c. */
/* clang-format off */
static const struct {
	char good;              /* first digit of a reply that goes on */
	reply_handler on_good, on_4xx, on_5xx;
	enum wait wait;
	const char *command;    /* "in reply to ..." */
	const char *doing;      /* "lost connection while ..." */
} script[PHASE_COUNT] = {
	[PHASE_GREETING] = { '2', send_ehlo,     refuse_host,  refuse_host,  WAIT_COMMAND,
		"connection",        "receiving the initial server greeting" },
	[PHASE_EHLO]     = { '2', read_ehlo,     refuse_host,  no_ehlo,      WAIT_COMMAND,
		"EHLO command",      "performing the EHLO handshake" },
	[PHASE_HELO]     = { '2', begin_mail,    refuse_host,  refuse_host,  WAIT_COMMAND,
		"HELO command",      "performing the HELO handshake" },
	[PHASE_MAIL]     = { '2', mail_accepted, mail_refused, mail_refused, WAIT_COMMAND,
		"MAIL FROM command", "sending MAIL FROM" },
	[PHASE_RCPT]     = { '2', rcpt_accepted, rcpt_refused, rcpt_refused, WAIT_COMMAND,
		"RCPT TO command",   "sending RCPT TO" },
	[PHASE_DATA]     = { '3', data_accepted, data_refused, data_refused, WAIT_COMMAND,
		"DATA command",      "sending DATA command" },
	[PHASE_BODY]     = { '2', body_accepted, body_refused, body_refused, WAIT_DATA,
		"end of DATA command", "sending message body" },
	[PHASE_RSET]     = { '2', in_step_again, give_up,      give_up,      WAIT_COMMAND,
		"RSET command",      "sending RSET" },
	[PHASE_QUIT]     = { '2', over,          over,         over,         WAIT_QUIT,
		"QUIT command",      "sending QUIT" },
};
/* clang-format on */

static const char *dialogue_command(const struct session *s)
{
	return s->phase == PHASE_EHLO && s->is_lmtp ? "LHLO command" : script[s->phase].command;
}

static const char *dialogue_doing(const struct session *s)
{
	if (s->phase == PHASE_BODY && s->transaction.is_content_sent)
		return "sending end of data -- message may be sent more than once";
	return s->phase == PHASE_IDLE ? "waiting for the next message" : script[s->phase].doing;
}

/* ---- speaking ---- */

void dialogue_start(struct session *s)
{
	reply_init(&s->reply);
	s->can = (struct capabilities){ 0 };
	s->phase = PHASE_GREETING;
	s->n_unanswered = 1;
}

void dialogue_await(struct session *s, enum phase phase)
{
	const struct config *c = s->relay->config;
	const uint64_t seconds[] = {
		[WAIT_COMMAND] = c->smtp_command_timeout,
		[WAIT_DATA] = c->smtp_data_timeout,
		[WAIT_QUIT] = QUIT_SECONDS,
	};

	s->phase = phase;
	connection_deadline(s->connection, seconds[script[phase].wait]);
}

void dialogue_send(struct session *s, enum phase phase, const char *command)
{
	buf_append_str(connection_out(s->connection), command);
	connection_send(s->connection);
	s->n_unanswered++;
	dialogue_await(s, phase);
}

static void dialogue_greet(struct session *s, enum phase phase, const char *verb)
{
	buf_printf(connection_out(s->connection), "%s %s\r\n", verb, s->relay->config->main_host_name);
	dialogue_send(s, phase, "");
}

/* ---- what a host says before the first mail ---- */

static void send_ehlo(struct session *s, const struct reply *reply)
{
	(void)reply;
	dialogue_greet(s, PHASE_EHLO, s->is_lmtp ? "LHLO" : "EHLO");
}

static void no_ehlo(struct session *s, const struct reply *reply)
{
	if (s->is_lmtp) /* there is no older LMTP; what answers is perhaps no LMTP server at all */
		dialogue_host_refused(s, reply);
	else
		dialogue_greet(s, PHASE_HELO, "HELO");
}

/* A mail exchanger that has our name is this host, whatever the DNS calls it (RFC 5321 5.1). */
static bool is_ourselves(const struct session *s, const struct reply *reply)
{
	struct slice text = buf_slice(&reply->text), word;

	return s->hosts->by_mx && slice_next_word(&text, &word) &&
		slice_eq_nocase(word, slice_of(s->relay->config->main_host_name));
}

static void read_ehlo(struct session *s, const struct reply *reply)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_REASON);

	capabilities_parse(buf_slice(&reply->text), &s->can);
	if (!is_ourselves(s, reply)) {
		begin_mail(s, reply);
		return;
	}
	buf_printf(&text, "mail for %s loops back to myself", s->lane->destination);
	session_host_failed(
		s, &(struct failure){ .is_permanent = true, .status = "5.4.6", .reason = buf_slice(&text) });
}

static void begin_mail(struct session *s, const struct reply *reply)
{
	(void)reply;
	transaction_begin(s);
}

/* Before the first mail: the next host may be friendlier. A refused greeting is only final when it says that
 * this host never takes mail (521, RFC 7504); others have proved to pass. */
void dialogue_host_refused(struct session *s, const struct reply *reply)
{
	auto_buf struct buf text = BUF_INIT(2 * LIMIT_REASON);
	bool is_permanent = reply->code == 521 || (reply->code >= 500 && s->phase == PHASE_HELO);

	buf_printf(&text, "host %.*s refused to talk to me: ", SLICE_ARG(buf_slice(&s->host_name)));
	reply_describe(reply, &text);
	session_host_failed(s,
		&(struct failure){ .is_permanent = is_permanent,
			.status = is_permanent		  ? (reply->status[0] ? reply->status : "5.3.2")
				: reply->status[0] == '4' ? reply->status
							  : "4.3.2",
			.reason = buf_slice(&text) });
}

static void refuse_host(struct session *s, const struct reply *reply)
{
	dialogue_host_refused(s, reply);
}

/* ---- and after the last ---- */

static void in_step_again(struct session *s, const struct reply *reply)
{
	(void)reply;
	transaction_finished(s);
}

static void give_up(struct session *s, const struct reply *reply)
{
	dialogue_host_refused(s, reply);
}

static void over(struct session *s, const struct reply *reply)
{
	(void)reply;
	session_end(s);
}

/* ---- replies ---- */

void dialogue_describe(const struct session *s, const struct reply *reply, struct buf *out)
{
	reply_quote(reply, buf_slice(&s->host_name), dialogue_command(s), out);
}

void dialogue_confused(struct session *s, const char *what)
{
	auto_buf struct buf text = BUF_INIT(2 * LIMIT_REASON);

	buf_printf(&text, "host %.*s: %s while %s", SLICE_ARG(buf_slice(&s->host_name)), what,
		dialogue_doing(s));
	session_host_failed(s, &(struct failure){ .status = "4.5.0", .reason = buf_slice(&text) });
}

/* 421: the server closes. In the middle of a mail that is like a lost connection, with a better reason. */
static void dialogue_closing(struct session *s, const struct reply *reply)
{
	auto_buf struct buf text = BUF_INIT(2 * LIMIT_REASON);

	if (s->n_mails == 0 && s->phase != PHASE_QUIT) {
		dialogue_host_refused(s, reply);
		return;
	}
	dialogue_describe(s, reply, &text);
	session_host_failed(s,
		&(struct failure){
			.status = reply->status[0] ? reply->status : "4.4.2", .reason = buf_slice(&text) });
}

static void dialogue_reply(struct session *s, const struct reply *reply)
{
	char class = (char)('0' + reply->code / 100);

	if (reply->code == 421)
		dialogue_closing(s, reply);
	else if (class == script[s->phase].good)
		script[s->phase].on_good(s, reply);
	else if (class == '4')
		script[s->phase].on_4xx(s, reply);
	else if (class == '5')
		script[s->phase].on_5xx(s, reply);
	else
		dialogue_confused(s, "unexpected reply");
}

/* One reply is complete; has_more: bytes follow it already. */
static void dialogue_take_reply(struct session *s, bool has_more)
{
	struct reply reply = s->reply; /* the session may end or begin anew while it is handled */
	bool is_unasked;

	s->reply = (struct reply){ .text = BUF_INIT(REPLY_TEXT_MAX) };
	s->n_unanswered--;
	is_unasked = has_more && s->n_unanswered == 0;
	/* The verdict on a mail counts, whatever else the server has to say. */
	if (is_unasked && s->phase == PHASE_BODY)
		s->is_last_mail = true;
	if (is_unasked && s->phase != PHASE_BODY && reply.code != 421)
		dialogue_confused(s, "reply to nothing");
	else
		dialogue_reply(s, &reply);
	reply_deinit(&reply);
}

static void dialogue_read(struct session *s, struct slice *in)
{
	if (s->n_unanswered == 0) { /* idle: a server that says goodbye; nothing is lost */
		CHECK(!s->job);
		session_abort(s);
		return;
	}
	switch (reply_read(&s->reply, in)) {
	case REPLY_MORE: return;
	case REPLY_DONE: dialogue_take_reply(s, in->len > 0); return;
	case REPLY_GARBAGE: dialogue_confused(s, "reply that is no SMTP"); return;
	}
}

/* ---- the connection's side ---- */

static void on_open(struct connection *c)
{
	dialogue_await(connection_user(c), PHASE_GREETING);
}

static void on_bytes(struct connection *c, struct slice *in)
{
	struct session *s = connection_user(c);
	size_t left;

	s->is_reading = true;
	do {
		left = in->len;
		dialogue_read(s, in);
	} while (!s->is_over && s->connection == c && in->len && in->len < left);
	s->is_reading = false;
	if (s->is_over)
		session_free(s);
}

static void on_drain(struct connection *c)
{
	transaction_go_on(connection_user(c));
}

static void describe_end(const struct session *s, enum connection_end end, const char *why, struct buf *out)
{
	switch (end) {
	case CONNECTION_FAILED:
		buf_printf(out, "connect to %.*s: %s", SLICE_ARG(buf_slice(&s->remote)), why);
		return;
	case CONNECTION_LOST:
		buf_printf(out, "lost connection with %.*s while %s", SLICE_ARG(buf_slice(&s->host_name)),
			dialogue_doing(s));
		return;
	case CONNECTION_TIMED_OUT:
		buf_printf(out, "conversation with %.*s timed out while %s",
			SLICE_ARG(buf_slice(&s->host_name)), dialogue_doing(s));
		return;
	}
}

static void on_end(struct connection *c, enum connection_end end, const char *why)
{
	struct session *s = connection_user(c);
	auto_buf struct buf text = BUF_INIT(LIMIT_REASON);

	if (s->phase == PHASE_IDLE && end == CONNECTION_TIMED_OUT) {
		session_quit(s);
		return;
	}
	describe_end(s, end, why, &text);
	session_host_failed(s,
		&(struct failure){
			.status = end == CONNECTION_FAILED ? "4.4.1" : "4.4.2", .reason = buf_slice(&text) });
}

const struct connection_hooks dialogue_hooks = {
	.on_open = on_open, .on_bytes = on_bytes, .on_drain = on_drain, .on_end = on_end
};
