/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.c - the verbs of SMTP: when each is allowed, and what it does
 *
 * The table says when; the handlers stand below it in the order of a dialogue. RCPT is the one that waits for
 * another role: rcpt_ask() names lookup's answer, session_verdict() takes it.
 * Tests: test_session.c, fuzz/fuzz_smtpd_session.c, tests/system/test_dialogues.py.
 */
#include "smtpd/session-private.h"
#include "base/limits.h"
#include "base/log.h"

#define OFFERED                                                                                              \
	(SMTP_EXT_PIPELINING | SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_ENHANCEDSTATUSCODES |            \
		SMTP_EXT_SMTPUTF8 | SMTP_EXT_DSN)

#define ANY (SESSION_STATE_GREETED | SESSION_STATE_READY | SESSION_STATE_MAIL | SESSION_STATE_RCPT)
#define READY SESSION_STATE_READY
#define MAIL (SESSION_STATE_MAIL | SESSION_STATE_RCPT)

/* clang-format off */
static const struct refusal say_helo = { 503, "5.5.1", "Error: send HELO or EHLO first" };
static const struct refusal nested = { 503, "5.5.1", "Error: nested MAIL command" };
static const struct refusal need_mail = { 503, "5.5.1", "Error: need MAIL command" };
static const struct refusal no_rcpt = { 554, "5.5.1", "Error: no valid recipients" };
static const struct refusal bad_sync = { 554, "5.5.0", "Error: SMTP protocol synchronization" };
static const struct refusal bare_lf = { 500, "5.5.2", "Error: command lines end with CRLF, not LF alone" };
static const struct refusal unknown = { 500, "5.5.2", "Error: command not recognized" };
static const struct refusal not_done = { 502, "5.5.1", "Error: command not implemented" };
static const struct refusal too_large = { 552, "5.3.4", "Message size exceeds fixed limit" };
static const struct refusal too_many = { 452, "4.5.3", "Error: too many recipients" };
static const struct refusal no_lookup = { 451, "4.3.0", "Temporary lookup failure; try again later" };

static void cmd_helo(struct session *s, const struct smtp_command *c);
static void cmd_mail(struct session *s, const struct smtp_command *c);
static void cmd_rcpt(struct session *s, const struct smtp_command *c);
static void cmd_data(struct session *s, const struct smtp_command *c);
static void cmd_rset(struct session *s, const struct smtp_command *c);
static void cmd_noop(struct session *s, const struct smtp_command *c);
static void cmd_quit(struct session *s, const struct smtp_command *c);
static void cmd_vrfy(struct session *s, const struct smtp_command *c);
static void cmd_help(struct session *s, const struct smtp_command *c);
static void cmd_not_done(struct session *s, const struct smtp_command *c);
static void cmd_unknown(struct session *s, const struct smtp_command *c);

/* In any other state: in GREETED say_helo, else `early`; DATA without a recipient is not early but hopeless. */
static const struct verb {
	void (*run)(struct session *s, const struct smtp_command *c);
	unsigned states;
	const struct refusal *early;
	bool is_last;  /* its reply decides what may follow: nothing may be pipelined behind it */
	bool is_idle;  /* brings no mail forward */
} verbs[SMTP_VERB_COUNT] = {
	[SMTP_VERB_HELO]	= { cmd_helo,	  ANY,			NULL,	    true,  false },
	[SMTP_VERB_EHLO]	= { cmd_helo,	  ANY,			NULL,	    true,  false },
	[SMTP_VERB_MAIL]	= { cmd_mail,	  READY,		&nested,    false, false },
	[SMTP_VERB_RCPT]	= { cmd_rcpt,	  MAIL,			&need_mail, false, false },
	[SMTP_VERB_DATA]	= { cmd_data,	  SESSION_STATE_RCPT,	&need_mail, true,  false },
	[SMTP_VERB_RSET]	= { cmd_rset,	  ANY,			NULL,	    false, true },
	[SMTP_VERB_NOOP]	= { cmd_noop,	  ANY,			NULL,	    false, true },
	[SMTP_VERB_QUIT]	= { cmd_quit,	  ANY,			NULL,	    false, false },
	[SMTP_VERB_VRFY]	= { cmd_vrfy,	  ANY,			NULL,	    false, true },
	[SMTP_VERB_HELP]	= { cmd_help,	  ANY,			NULL,	    false, true },
	[SMTP_VERB_EXPN]	= { cmd_not_done, ANY,			NULL,	    false, true },
	[SMTP_VERB_BDAT]	= { cmd_not_done, ANY,			NULL,	    false, false },
	[SMTP_VERB_ETRN]	= { cmd_not_done, ANY,			NULL,	    false, false },
	[SMTP_VERB_AUTH]	= { cmd_not_done, ANY,			NULL,	    false, false },
	[SMTP_VERB_STARTTLS]	= { cmd_not_done, ANY,			NULL,	    true,  false },
	[SMTP_VERB_LHLO]	= { cmd_unknown,  ANY,			NULL,	    false, false },
	[SMTP_VERB_UNKNOWN]	= { cmd_unknown,  ANY,			NULL,	    false, false },
};
/* clang-format on */

static struct refusal refusal_of(enum smtp_fault fault)
{
	const struct smtp_fault_reply *f = smtp_fault_reply(fault);
	struct refusal r = { .code = f->code, .text = f->text };

	(void)snprintf(r.status, sizeof(r.status), "%s", f->status); /* fits: all are of our own table */
	return r;
}

static void refuse_fault(struct session *s, enum smtp_verb verb, enum smtp_fault fault)
{
	const struct refusal r = refusal_of(fault);

	session_refuse(s, verb, &r);
}

static const struct refusal *why_not_now(const struct session *s, enum smtp_verb verb)
{
	if (s->state == SESSION_STATE_GREETED)
		return &say_helo;
	if (verb == SMTP_VERB_DATA && s->state == SESSION_STATE_MAIL)
		return &no_rcpt;
	return verbs[verb].early;
}

static void run_verb(struct session *s, const struct smtp_command *c, bool more_follows)
{
	const struct verb *v = &verbs[c->verb];

	s->last_verb = (uint8_t)c->verb;
	if (v->is_last && more_follows) {
		log_info("improper command pipelining after %.*s from " CLIENT_FMT, SLICE_ARG(c->word),
			s->client_ip);
		session_finish(s, bad_sync.code, bad_sync.status, bad_sync.text);
		return;
	}
	if (s->state & v->states)
		v->run(s, c);
	else
		session_refuse(s, c->verb, why_not_now(s, c->verb));
	if (v->is_idle && s->n_idle_commands++ >= SESSION_IDLE_COMMANDS_MAX)
		session_count_error(s);
}

/* RCPT commands are checked side by side; everything else waits until their replies are out. */
static bool must_wait(const struct session *s, enum smtp_verb verb)
{
	if (s->n_due == 0)
		return false;
	return verb != SMTP_VERB_RCPT || s->n_due >= SESSION_OVERLAP_MAX ||
		s->mail->n_rcpts + s->n_due >= s->world->config->smtpd_max_recipients;
}

bool session_command(struct session *s, struct slice line, bool more_follows)
{
	bool has_crlf = line.len && line.at[line.len - 1] == '\r';
	struct smtp_command c = { .verb = SMTP_VERB_UNKNOWN };
	enum smtp_fault fault = SMTP_FAULT_NONE;

	if (s->is_line_too_long)
		fault = SMTP_FAULT_LINE_TOO_LONG;
	else if (has_crlf)
		fault = smtp_command_parse(slice_first(line, line.len - 1), &c);
	if (must_wait(s, c.verb))
		return false;
	if (fault != SMTP_FAULT_NONE)
		refuse_fault(s, SMTP_VERB_UNKNOWN, fault);
	else if (!has_crlf)
		session_refuse(s, SMTP_VERB_UNKNOWN, &bare_lf);
	else
		run_verb(s, &c, more_follows);
	s->is_line_too_long = false;
	return true;
}

/* ---- HELO, EHLO ---- */

static void say_extensions(struct session *s)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_COMMAND_LINE);

	buf_printf(&text, "%s\nPIPELINING\nSIZE %" PRIu64 "\n8BITMIME\nENHANCEDSTATUSCODES\nSMTPUTF8\nDSN",
		s->world->config->main_host_name, s->world->config->message_max_size);
	session_reply(s, SMTP_VERB_EHLO, 250, NULL, buf_slice(&text));
}

static void cmd_helo(struct session *s, const struct smtp_command *c)
{
	transaction_abort(s); /* RFC 5321 4.1.4: as if RSET had been said */
	mem_free(s->helo);
	s->helo = slice_dup(c->args);
	s->is_esmtp = c->verb == SMTP_VERB_EHLO;
	session_enter(s, SESSION_STATE_READY);
	if (s->is_esmtp)
		say_extensions(s);
	else
		session_reply(s, SMTP_VERB_HELO, 250, NULL, slice_of(s->world->config->main_host_name));
}

/* ---- MAIL ---- */

/* Only the hosts that we speak for may leave out the domain, which is ours then. */
static unsigned path_flags(const struct session *s)
{
	return s->is_trusted ? ADDRESS_UNQUALIFIED : 0;
}

static char *put_bytes(char *to, struct slice from, struct slice *copy_out)
{
	if (from.len)
		memcpy(to, from.at, from.len);
	*copy_out = (struct slice){ to, from.len };
	return to + from.len;
}

static void transaction_begin(struct session *s, const struct smtp_mail *mail)
{
	struct buf *scratch = &s->world->chunk;
	struct transaction *t;
	char *at;

	address_append(&mail->from, scratch);
	t = mem_new(sizeof(*t) + scratch->len + mail->envid.len); /* both are bounded by the command line */
	t->mail = *mail;
	at = put_bytes(t->bytes, buf_slice(scratch), &t->reverse_path);
	put_bytes(at, mail->envid, &t->envid);
	buf_clear(scratch);
	list_init(&t->rcpts);
	t->session = s;
	s->mail = t;
	session_enter(s, SESSION_STATE_MAIL);
}

/* from: NULL when it could not be read. */
static void refuse_mail(struct session *s, const struct refusal *why, const struct address *from)
{
	auto_buf struct buf path = BUF_INIT(LIMIT_PATH);

	if (from)
		address_append(from, &path);
	session_log_reject(s, 0, "MAIL", why, from ? buf_slice(&path) : NO_PATH, NO_PATH);
	session_refuse(s, SMTP_VERB_MAIL, why);
}

static void cmd_mail(struct session *s, const struct smtp_command *c)
{
	struct smtp_mail mail;
	enum smtp_fault fault = smtp_mail_parse(c->args, OFFERED, path_flags(s), &mail);

	if (fault != SMTP_FAULT_NONE) {
		const struct refusal r = refusal_of(fault);
		refuse_mail(s, &r, NULL);
	} else if (mail.size > s->world->config->message_max_size) {
		refuse_mail(s, &too_large, &mail.from);
	} else {
		transaction_begin(s, &mail);
		session_reply(s, SMTP_VERB_MAIL, 250, "2.1.0", SLICE("Ok"));
	}
}

/* ---- RCPT ---- */

void rcpt_free(struct session_rcpt **rp)
{
	struct session_rcpt *r = take_ptr(rp);

	if (!r)
		return;
	list_remove(&r->in_list);
	mem_free(r->text);
	mem_free(r);
}

static struct session_rcpt *rcpt_new(struct session *s, const struct smtp_rcpt *rcpt)
{
	struct buf *scratch = &s->world->chunk;
	struct session_rcpt *r;
	char *at;

	address_append(&rcpt->to, scratch);
	r = mem_new(sizeof(*r) + scratch->len + rcpt->orcpt.len); /* both are bounded by the command line */
	at = put_bytes(r->bytes, buf_slice(scratch), &r->forward_path);
	put_bytes(at, rcpt->orcpt, &r->orcpt);
	buf_clear(scratch);
	r->notify = (uint8_t)rcpt->notify;
	r->session = s;
	list_push_back(&s->due, &r->in_list);
	s->n_due++;
	return r;
}

static void rcpt_decide(struct session_rcpt *r, const struct refusal *why)
{
	r->is_answered = true;
	if (why)
		r->refusal = *why;
}

/* In the order it runs: each part ends by deciding or by naming the next part. */
static void cmd_rcpt(struct session *s, const struct smtp_command *c)
{
	struct smtp_rcpt rcpt = { .orcpt = SLICE_EMPTY };
	enum smtp_fault fault =
		smtp_rcpt_parse(c->args, OFFERED, path_flags(s), s->mail->mail.smtputf8, &rcpt);
	struct session_rcpt *r;

	if (fault != SMTP_FAULT_NONE)
		rcpt = (struct smtp_rcpt){ .to = { SLICE_EMPTY, SLICE_EMPTY }, .orcpt = SLICE_EMPTY };
	r = rcpt_new(s, &rcpt);
	if (fault != SMTP_FAULT_NONE) {
		const struct refusal why = refusal_of(fault);
		rcpt_decide(r, &why);
	} else if (s->mail->n_rcpts >= s->world->config->smtpd_max_recipients) {
		rcpt_decide(r, &too_many);
	} else if (!s->world->hooks->ask_verdict(s, r)) { /* the answer comes to session_verdict() */
		rcpt_decide(r, &no_lookup);
	}
	session_answer_due(s);
}

void session_verdict(struct session_rcpt *r, const struct msg_RCPT_VERDICT *m)
{
	struct session *s = r->session;

	if (!m)
		rcpt_decide(r, &no_lookup);
	else if (m->code >= 200 && m->code <= 299)
		rcpt_decide(r, NULL);
	else {
		const struct refusal why = refusal_from_role(m->code, m->status, m->text, &r->text);
		rcpt_decide(r, &why);
	}
	session_answer_due(s);
	session_proceed(s);
}

static void rcpt_accept(struct session *s, struct session_rcpt *r)
{
	list_push_back(&s->mail->rcpts, &r->in_list);
	s->mail->n_rcpts++;
	session_enter(s, SESSION_STATE_RCPT);
	session_reply(s, SMTP_VERB_RCPT, 250, "2.1.5", SLICE("Ok"));
}

static void rcpt_refuse(struct session *s, struct session_rcpt *r)
{
	session_log_reject(s, 0, "RCPT", &r->refusal, s->mail->reverse_path,
		r->forward_path.len ? r->forward_path : NO_PATH);
	session_refuse(s, SMTP_VERB_RCPT, &r->refusal);
	rcpt_free(&r);
}

void session_answer_due(struct session *s)
{
	struct session_rcpt *r;

	while ((r = list_first(&s->due, struct session_rcpt, in_list)) && r->is_answered) {
		list_remove(&r->in_list);
		s->n_due--;
		if (r->refusal.code)
			rcpt_refuse(s, r);
		else
			rcpt_accept(s, r);
	}
}

void session_drop_due(struct session *s)
{
	struct session_rcpt *r;

	if (s->n_due == 0)
		return;
	s->world->hooks->forget_verdicts(s);
	while ((r = list_first(&s->due, struct session_rcpt, in_list)))
		rcpt_free(&r);
	s->n_due = 0;
}

/* ---- the others ---- */

static void cmd_data(struct session *s, const struct smtp_command *c)
{
	(void)c;
	content_begin(s);
}

static void cmd_rset(struct session *s, const struct smtp_command *c)
{
	transaction_abort(s);
	if (s->state != SESSION_STATE_GREETED)
		session_enter(s, SESSION_STATE_READY);
	session_reply(s, c->verb, 250, "2.0.0", SLICE("Ok"));
}

static void cmd_noop(struct session *s, const struct smtp_command *c)
{
	session_reply(s, c->verb, 250, "2.0.0", SLICE("Ok"));
}

static void cmd_quit(struct session *s, const struct smtp_command *c)
{
	transaction_abort(s);
	session_reply(s, c->verb, 221, "2.0.0", SLICE("Bye"));
	if (s->state != SESSION_STATE_CLOSED)
		session_enter(s, SESSION_STATE_CLOSING);
}

/* RFC 5321 3.5.3: neither yes nor no, since it would tell strangers who lives here. */
static void cmd_vrfy(struct session *s, const struct smtp_command *c)
{
	if (c->args.len)
		session_reply(
			s, c->verb, 252, "2.1.5", SLICE("Cannot VRFY user, but will take mail and try"));
	else
		session_reply(s, c->verb, 501, "5.5.4", SLICE("Syntax: VRFY address"));
}

static void cmd_help(struct session *s, const struct smtp_command *c)
{
	session_reply(s, c->verb, 214, "2.0.0",
		SLICE("Commands: HELO EHLO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP (RFC 5321)"));
}

static void cmd_not_done(struct session *s, const struct smtp_command *c)
{
	session_refuse(s, c->verb, &not_done);
}

static void cmd_unknown(struct session *s, const struct smtp_command *c)
{
	session_refuse(s, SMTP_VERB_UNKNOWN, &unknown);
	(void)c;
}
