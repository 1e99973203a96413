/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.c - input, states, replies and the end of a session; see session.h
 *
 * Input is worked on where it was read; only what has to wait is copied. Every way into a session ends in
 * session_settle(), which sets the deadline that belongs to where it stands then.
 */
#include "smtpd/session-private.h"
#include "base/limits.h"
#include "base/log.h"
#include "mail/queue_id.h"
#include "mail/reply.h"

#define RESULT_TIMEOUT_MS                                                                                    \
	300000 /* clients wait 10 minutes for the reply to the end of DATA, RFC 5321 4.5.3.2.6 */
#define CLOSE_TIMEOUT_MS 5000 /* enough to read one reply */
#define READ_MAX (64 * 1024)  /* what the shell hands over at once */

static const char *const verb_words[SMTP_VERB_COUNT] = {
	[SMTP_VERB_UNKNOWN] = "UNKNOWN",
	[SMTP_VERB_HELO] = "HELO",
	[SMTP_VERB_EHLO] = "EHLO",
	[SMTP_VERB_LHLO] = "LHLO",
	[SMTP_VERB_MAIL] = "MAIL",
	[SMTP_VERB_RCPT] = "RCPT",
	[SMTP_VERB_DATA] = "DATA",
	[SMTP_VERB_BDAT] = "BDAT",
	[SMTP_VERB_RSET] = "RSET",
	[SMTP_VERB_NOOP] = "NOOP",
	[SMTP_VERB_QUIT] = "QUIT",
	[SMTP_VERB_VRFY] = "VRFY",
	[SMTP_VERB_EXPN] = "EXPN",
	[SMTP_VERB_HELP] = "HELP",
	[SMTP_VERB_ETRN] = "ETRN",
	[SMTP_VERB_AUTH] = "AUTH",
	[SMTP_VERB_STARTTLS] = "STARTTLS",
};

/* ---- the world ---- */

void session_world_configure(struct session_world *w, const struct config *config)
{
	struct slice bad;

	w->config = config;
	w->deadlines.timeout_ms[DEADLINE_CLIENT] = config->smtpd_command_timeout * 1000;
	w->deadlines.timeout_ms[DEADLINE_RESULT] = RESULT_TIMEOUT_MS;
	w->deadlines.timeout_ms[DEADLINE_CLOSE] = CLOSE_TIMEOUT_MS;
	networks_free(&w->trusted);
	networks_parse(slice_of(config->smtpd_trusted_networks), &w->trusted, &bad);
	if (bad.len)
		log_error("smtpd.trusted_networks: \"%.*s\" is no network; it is left out", SLICE_ARG(bad));
}

void session_world_init(
	struct session_world *w, const struct session_hooks *hooks, const struct config *config)
{
	*w = (struct session_world){ .hooks = hooks, .chunk = BUF_INIT(LIMIT_CHUNK) };
	deadlines_init(&w->deadlines);
	session_world_configure(w, config);
}

void session_world_deinit(struct session_world *w)
{
	networks_free(&w->trusted);
	table_deinit(&w->mails);
	buf_free(&w->chunk);
}

/* ---- states ---- */

void session_enter(struct session *s, enum session_state state)
{
	s->state = state;
	if (state >= SESSION_STATE_CLOSING)
		s->world->hooks->has_news(s);
}

static enum deadline_kind deadline_kind_of(const struct session *s)
{
	switch (s->state) {
	case SESSION_STATE_CLOSED: return DEADLINE_NONE;
	case SESSION_STATE_CLOSING: return DEADLINE_CLOSE;
	case SESSION_STATE_RESULT: return DEADLINE_RESULT;
	case SESSION_STATE_CONTENT: return s->is_starved ? DEADLINE_NONE : DEADLINE_CLIENT;
	case SESSION_STATE_GREETED:
	case SESSION_STATE_READY:
	case SESSION_STATE_MAIL:
	case SESSION_STATE_RCPT: break;
	}
	return s->n_due ? DEADLINE_NONE : DEADLINE_CLIENT;
}

/* The client's deadline begins anew only with progress: a byte now and then of a command is none. */
static void session_settle(struct session *s, bool has_progressed)
{
	enum deadline_kind kind = deadline_kind_of(s);

	if (kind != s->deadline.kind || (kind == DEADLINE_CLIENT && has_progressed))
		deadline_set(&s->world->deadlines, &s->deadline, kind, s->world->now_ms);
}

/* ---- replies ---- */

void session_say(struct session *s, int code, const char *status, struct slice text)
{
	reply_append(&s->out, code, status, text);
	if (!buf_ok(&s->out))
		session_enter(s, SESSION_STATE_CLOSED); /* no memory for a reply: nothing can be promised */
	s->world->hooks->has_news(s);
}

void session_finish(struct session *s, int code, const char *status, const char *text)
{
	auto_buf struct buf line = BUF_INIT(LIMIT_REPLY_LINE);

	buf_append_str(&line, s->world->config->main_host_name);
	buf_append_byte(&line, ' ');
	buf_append_str(&line, text);
	session_drop_due(s);
	transaction_abort(s);
	session_say(s, code, status, buf_slice(&line));
	if (s->state != SESSION_STATE_CLOSED)
		session_enter(s, SESSION_STATE_CLOSING);
}

/* How far it got, for the log. */
static const char *session_stage(const struct session *s)
{
	bool is_behind_mail = s->state == SESSION_STATE_READY && s->last_verb == SMTP_VERB_DATA;

	if (s->state == SESSION_STATE_RESULT || is_behind_mail)
		return "END-OF-MESSAGE";
	return s->last_verb == SMTP_VERB_COUNT ? "CONNECT" : verb_words[s->last_verb];
}

void session_reply(struct session *s, enum smtp_verb verb, int code, const char *status, struct slice text)
{
	s->counts[verb].all++;
	s->counts[verb].good += code < 400;
	session_say(s, code, status, text);
	if (code >= 500)
		session_count_error(s);
}

void session_count_error(struct session *s)
{
	if (s->state >= SESSION_STATE_CLOSING || ++s->n_errors < s->world->config->smtpd_max_errors)
		return;
	log_info("too many errors after %s from " CLIENT_FMT, session_stage(s), s->client_ip);
	session_finish(s, 421, "4.7.0", "Error: too many errors");
}

void session_refuse(struct session *s, enum smtp_verb verb, const struct refusal *why)
{
	session_reply(s, verb, why->code, why->status, slice_of(why->text));
}

static void append_path(struct buf *out, const char *name, struct slice path)
{
	if (path.at)
		buf_printf(out, " %s=<%.*s>", name, SLICE_ARG(path));
}

void session_log_reject(const struct session *s, uint64_t id, const char *stage, const struct refusal *why,
	struct slice from, struct slice to)
{
	auto_buf struct buf paths = BUF_INIT(LIMIT_LOG_LINE);

	append_path(&paths, "from", from);
	append_path(&paths, "to", to);
	log_info("%s: reject: %s from " CLIENT_FMT ": %d %s %s;%.*s proto=%s helo=<%s>",
		id ? queue_id_format(id).at : "NOQUEUE", stage, s->client_ip, why->code, why->status,
		why->text, SLICE_ARG(buf_slice(&paths)), s->is_esmtp ? "ESMTP" : "SMTP",
		s->helo ? s->helo : "");
}

struct refusal refusal_from_role(unsigned code, struct slice status, struct slice text, char **text_out)
{
	struct refusal r = { .code = (int)code };
	bool makes_sense = code >= 400 && code <= 599 && status.len >= 5 && status.len < sizeof(r.status) &&
		status.at[0] == (char)('0' + code / 100);

	if (!makes_sense)
		return (struct refusal){ 451, "4.3.0", "Temporary failure of the mail system" };
	memcpy(r.status, status.at, status.len);
	*text_out = slice_dup(slice_first(text, LIMIT_REASON));
	r.text = *text_out;
	return r;
}

/* ---- input ---- */

/* The next command line, when there is a whole one and its turn has come. */
static enum session_step command_step(struct session *s, struct slice *rest)
{
	size_t end = slice_find(*rest, '\n');
	struct slice line = slice_first(*rest, end);

	if (end == rest->len) {
		if (end <= LIMIT_COMMAND_LINE)
			return s->n_due && end ? STEP_WAITS : STEP_NEEDS_INPUT;
		s->is_line_too_long = true;
		*rest = slice_from(*rest, end);
		return STEP_NEEDS_INPUT;
	}
	if (!session_command(s, line, end + 1 < rest->len))
		return STEP_WAITS;
	*rest = slice_from(*rest, end + 1);
	return STEP_DONE;
}

static enum session_step session_step(struct session *s, struct slice *rest)
{
	if (s->is_clogged || s->out.len > SESSION_OUT_HIGH)
		return STEP_WAITS;
	switch (s->state) {
	case SESSION_STATE_CONTENT: return content_step(s, rest);
	case SESSION_STATE_RESULT: return STEP_WAITS;
	case SESSION_STATE_CLOSING:
	case SESSION_STATE_CLOSED: *rest = slice_from(*rest, rest->len); return STEP_WAITS;
	case SESSION_STATE_GREETED:
	case SESSION_STATE_READY:
	case SESSION_STATE_MAIL:
	case SESSION_STATE_RCPT: break;
	}
	return command_step(s, rest);
}

static void session_lost(struct session *s)
{
	if (s->state == SESSION_STATE_CONTENT)
		log_info("lost connection after DATA (%" PRIu64 " bytes) from " CLIENT_FMT, s->mail->dot.size,
			s->client_ip);
	else
		log_info("lost connection after %s from " CLIENT_FMT, session_stage(s), s->client_ip);
	session_drop_due(s);
	transaction_abort(s);
	session_enter(s, SESSION_STATE_CLOSED);
}

/* Works on as much as possible; true when something was. */
static bool session_work(struct session *s, struct slice *rest)
{
	enum session_step step;
	size_t before = rest->len;

	do
		step = session_step(s, rest);
	while (step == STEP_DONE);
	if (step == STEP_NEEDS_INPUT && s->n_due == 0 && s->is_eof)
		session_lost(s);
	return before > rest->len;
}

static void session_keep(struct session *s, struct slice rest)
{
	buf_append(&s->in, rest);
	if (!buf_ok(&s->in))
		session_enter(s, SESSION_STATE_CLOSED);
}

void session_proceed(struct session *s)
{
	struct slice rest = buf_slice(&s->in);
	size_t n = rest.len;
	bool has_progressed;

	s->is_starved = false;
	has_progressed = session_work(s, &rest);
	if (rest.len == 0)
		buf_free(&s->in); /* an idle session keeps no buffer */
	else
		buf_drop_front(&s->in, n - rest.len);
	session_settle(s, has_progressed);
}

void session_input(struct session *s, struct slice bytes)
{
	bool has_progressed;

	if (s->in.len) {
		session_keep(s, bytes);
		session_proceed(s);
		return;
	}
	has_progressed = session_work(s, &bytes);
	if (bytes.len)
		session_keep(s, bytes);
	session_settle(s, has_progressed);
}

void session_eof(struct session *s)
{
	s->is_eof = true;
	if (s->state == SESSION_STATE_CLOSING)
		session_enter(s, SESSION_STATE_CLOSED);
	session_proceed(s);
}

void session_broken(struct session *s)
{
	if (s->state == SESSION_STATE_CLOSED)
		return;
	if (s->state == SESSION_STATE_CLOSING)
		session_enter(s, SESSION_STATE_CLOSED);
	else
		session_lost(s);
	session_settle(s, false);
}

bool session_has_enough(const struct session *s)
{
	return s->in.len > SESSION_IN_HIGH || s->is_starved;
}

/* ---- time ---- */

void session_expired(struct session *s)
{
	static const struct refusal no_result = { 451, "4.3.0",
		"The queue does not answer; try again later" };

	if (s->state == SESSION_STATE_CLOSING) {
		session_enter(s, SESSION_STATE_CLOSED);
	} else if (s->state == SESSION_STATE_RESULT) {
		session_log_reject(
			s, s->mail->queue_id, "END-OF-MESSAGE", &no_result, s->mail->reverse_path, NO_PATH);
		transaction_free(s);
		session_enter(s, SESSION_STATE_READY);
		session_refuse(s, SMTP_VERB_DATA, &no_result);
		session_proceed(s);
	} else {
		log_info("timeout after %s from " CLIENT_FMT, session_stage(s), s->client_ip);
		session_finish(s, 421, "4.4.2", "Error: timeout exceeded");
	}
	session_settle(s, false);
}

/* ---- beginning and end ---- */

void session_init(struct session *s, struct session_world *w, const struct client_address *client)
{
	*s = (struct session){ .world = w,
		.state = SESSION_STATE_GREETED,
		.address = *client,
		.is_trusted = networks_contain(&w->trusted, client),
		.last_verb = SMTP_VERB_COUNT,
		.in = BUF_INIT(SESSION_IN_HIGH + 2 * READ_MAX),
		.out = BUF_INIT(4 * SESSION_OUT_HIGH) };
	list_init(&s->due);
	deadline_init(&s->deadline);
	client_address_format(client, s->client_ip);
	log_info("connect from " CLIENT_FMT, s->client_ip);
}

void session_greet(struct session *s, bool has_spoken)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_REPLY_LINE);

	if (has_spoken) {
		log_info("improper command pipelining after CONNECT from " CLIENT_FMT, s->client_ip);
		session_finish(s, 554, "5.5.0", "Error: SMTP protocol synchronization");
	} else {
		buf_append_str(&text, s->world->config->main_host_name);
		buf_append_str(&text, " ESMTP Postrider");
		session_say(s, 220, NULL, buf_slice(&text));
	}
	session_settle(s, true);
}

void session_turn_away(struct session *s, enum turn_away why)
{
	static const struct refusal refusals[] = {
		[TURN_AWAY_TOO_MANY] = { 421, "4.3.2", "All connections are in use, try again later" },
		[TURN_AWAY_TOO_MANY_OF_CLIENT] = { 421, "4.7.0", "Error: too many connections from you" },
	};
	const struct refusal *r = &refusals[why];

	session_log_reject(s, 0, "CONNECT", r, NO_PATH, NO_PATH);
	session_finish(s, r->code, r->status, r->text);
	session_settle(s, true);
}

void session_stop(struct session *s)
{
	if (s->state >= SESSION_STATE_CONTENT)
		return;
	session_finish(s, 421, "4.3.2", "Service is stopping, try again later");
	session_settle(s, true);
}

static void log_counts(const struct session *s)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_LOG_LINE);
	struct session_count sum = { 0 };

	for (size_t i = 1; i <= SMTP_VERB_COUNT; i++) { /* what is unknown comes last */
		const struct session_count *c = &s->counts[i % SMTP_VERB_COUNT];
		struct slice word = slice_of(verb_words[i % SMTP_VERB_COUNT]);
		if (c->all == 0)
			continue;
		sum.all += c->all;
		sum.good += c->good;
		buf_append_byte(&text, ' ');
		for (size_t k = 0; k < word.len; k++)
			buf_append_byte(&text, ascii_lower(word.at[k]));
		if (c->good < c->all)
			buf_printf(&text, "=%" PRIu32 "/%" PRIu32, c->good, c->all);
		else
			buf_printf(&text, "=%" PRIu32, c->all);
	}
	if (sum.good < sum.all)
		buf_printf(&text, " commands=%" PRIu32 "/%" PRIu32, sum.good, sum.all);
	else
		buf_printf(&text, " commands=%" PRIu32, sum.all);
	log_info("disconnect from " CLIENT_FMT "%.*s", s->client_ip, SLICE_ARG(buf_slice(&text)));
}

void session_deinit(struct session *s)
{
	session_drop_due(s);
	transaction_abort(s);
	log_counts(s);
	deadline_set(&s->world->deadlines, &s->deadline, DEADLINE_NONE, 0);
	buf_free(&s->in);
	buf_free(&s->out);
	mem_free(s->helo);
}
