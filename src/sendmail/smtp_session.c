/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_session.c - sendmail -bs and -bS: SMTP on standard input, for programs that speak it to a pipe or
 * write it into a file
 *
 * The sender's real uid is what counts, as with every submission: any recipient is taken, and the queue
 * bounces what has no destination. Nothing of the network's defences is needed here; the client is this user.
 * Lines may end with LF when the first one does. With -bS nobody reads replies: what goes wrong is told on
 * standard error, with the line, and by the exit status.
 * Tests: tests/system/test_sendmail.py, fuzz/fuzz_sendmail.c.
 */
#include "base/file.h"
#include "base/limits.h"
#include "mail/dot.h"
#include "mail/reply.h"
#include "mail/smtp_command.h"
#include "sendmail/program.h"
#include "sendmail/submission.h"
#include <sysexits.h>

#define EXTENSIONS                                                                                           \
	(SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 | SMTP_EXT_DSN | SMTP_EXT_PIPELINING |        \
		SMTP_EXT_ENHANCEDSTATUSCODES)

enum line_ends { ENDS_UNKNOWN, ENDS_CRLF, ENDS_LF };

struct session {
	const struct config *config;
	const struct sendmail_options *o;
	struct submission mail;
	bool has_sender, is_over;
	bool is_batch;	/* -bS */
	int status;	/* of a batch: what went wrong first */
	size_t n_lines; /* commands read */
	enum line_ends ends;
	char last;     /* byte of the input that was read */
	struct buf in; /* unread input */
	size_t in_done;
	struct buf out;
	bool at_end; /* of the input */
};

static void complain(struct session *s, int code, const char *status, const char *text)
{
	if (s->status == EX_OK)
		s->status = code < 500 ? EX_TEMPFAIL : EX_DATAERR;
	program_complain("command %zu: %d %s %s", s->n_lines, code, status, text);
}

static void say(struct session *s, int code, const char *status, const char *text)
{
	if (!s->is_batch)
		reply_append(&s->out, code, status, slice_of(text));
	else if (code >= 400)
		complain(s, code, status, text);
}

static bool flush_out(struct session *s)
{
	int r = file_write_all(STDOUT_FILENO, buf_slice(&s->out));

	buf_clear(&s->out);
	return r == 0;
}

/* The bytes as SMTP has them: with LF line ends each gets its CR. */
static void take_bytes(struct session *s, struct slice bytes)
{
	size_t end = slice_find(bytes, '\n');

	if (s->ends == ENDS_UNKNOWN && end < bytes.len)
		s->ends = (end ? bytes.at[end - 1] : s->last) == '\r' ? ENDS_CRLF : ENDS_LF;
	for (; s->ends == ENDS_LF && end < bytes.len; end = slice_find(bytes, '\n')) {
		buf_append(&s->in, slice_first(bytes, end));
		buf_append_str(&s->in, "\r\n");
		bytes = slice_from(bytes, end + 1);
	}
	buf_append(&s->in, bytes);
	if (bytes.len)
		s->last = bytes.at[bytes.len - 1];
}

/* More input; false at its end. Replies leave first, as the client may wait for them. */
static bool read_more(struct session *s)
{
	char chunk[16384];
	ssize_t n;

	if (!flush_out(s))
		return false;
	buf_drop_front(&s->in, s->in_done);
	s->in_done = 0;
	do
		n = read(STDIN_FILENO, chunk, sizeof(chunk));
	while (n < 0 && errno == EINTR);
	if (n > 0)
		take_bytes(s, (struct slice){ chunk, (size_t)n });
	return n > 0 && buf_ok(&s->in);
}

static bool next_line(struct session *s, struct slice *line_out)
{
	for (;;) {
		struct slice rest = slice_from(buf_slice(&s->in), s->in_done);
		size_t end = slice_find(rest, '\n');
		if (end < rest.len) {
			*line_out = slice_first(rest, end);
			if (line_out->len && line_out->at[line_out->len - 1] == '\r')
				line_out->len--;
			s->in_done += end + 1;
			s->n_lines++;
			return true;
		}
		if (rest.len > LIMIT_COMMAND_LINE * 4 || !read_more(s))
			return false;
	}
}

static void reset(struct session *s)
{
	submission_free(&s->mail);
	submission_init(&s->mail, s->config);
	(void)submission_take_options(&s->mail, s->o); /* smtp_run() has seen that they are good */
	s->has_sender = false;
}

static void fault(struct session *s, enum smtp_fault f)
{
	const struct smtp_fault_reply *r = smtp_fault_reply(f);

	say(s, r->code, r->status, r->text);
}

static void cmd_ehlo(struct session *s, struct slice args)
{
	auto_buf struct buf text = BUF_INIT(1024);

	(void)args;
	reset(s);
	buf_printf(&text, "%s\nPIPELINING\nSIZE %" PRIu64 "\n8BITMIME\nSMTPUTF8\nDSN\nENHANCEDSTATUSCODES",
		s->config->main_host_name, s->config->message_max_size);
	say(s, 250, NULL, buf_cstr(&text));
}

static void cmd_helo(struct session *s, struct slice args)
{
	(void)args;
	reset(s);
	say(s, 250, NULL, s->config->main_host_name);
}

static void cmd_mail(struct session *s, struct slice args)
{
	auto_buf struct buf text = BUF_INIT(2 * LIMIT_PATH);
	struct smtp_mail mail;
	enum smtp_fault f = smtp_mail_parse(args, EXTENSIONS, ADDRESS_UNQUALIFIED, &mail);

	if (f != SMTP_FAULT_NONE) {
		fault(s, f);
		return;
	}
	if (s->has_sender) {
		say(s, 503, "5.5.1", "One MAIL at a time; RSET first");
		return;
	}
	if (mail.size > s->config->message_max_size) {
		say(s, 552, "5.3.4", "Message size exceeds the limit (message.max_size)");
		return;
	}
	reset(s);
	if (!address_is_null(&mail.from))
		address_canonical(&mail.from, slice_of(s->config->main_origin), &text);
	submission_set_sender(&s->mail, buf_slice(&text));
	s->mail.smtputf8 |= mail.smtputf8;
	s->mail.body = mail.body;
	s->mail.ret = mail.ret;
	s->mail.envid = submission_keep(&s->mail, mail.envid);
	s->has_sender = true;
	say(s, 250, "2.1.0", "Ok");
}

static void cmd_rcpt(struct session *s, struct slice args)
{
	struct smtp_rcpt rcpt;
	enum smtp_fault f = smtp_rcpt_parse(args, EXTENSIONS, ADDRESS_UNQUALIFIED, s->mail.smtputf8, &rcpt);
	struct submission_recipient *r;

	if (!s->has_sender) {
		say(s, 503, "5.5.1", "MAIL first");
	} else if (f != SMTP_FAULT_NONE) {
		fault(s, f);
	} else {
		r = submission_add(&s->mail, rcpt.to.local, rcpt.to.domain);
		r->notify = rcpt.notify;
		r->orcpt = submission_keep(&s->mail, rcpt.orcpt);
		say(s, 250, "2.1.5", "Ok");
	}
}

static void submit(struct session *s, const struct dot_decoder *d, struct slice content)
{
	int status;

	if (d->findings & (DOT_BARE_CR | DOT_BARE_LF | DOT_NUL)) {
		say(s, 550, "5.6.11", "Lines must end with CR LF; no NUL");
		return;
	}
	if (d->findings & DOT_OUT_FULL || d->size > s->config->message_max_size) {
		say(s, 552, "5.3.4", "Message size exceeds the limit (message.max_size)");
		return;
	}
	s->mail.content = content;
	status = submission_send(&s->mail);
	if (status == EX_OK)
		say(s, 250, "2.0.0", "Ok: queued");
	else
		say(s, status == EX_TEMPFAIL ? 451 : 554, status == EX_TEMPFAIL ? "4.3.0" : "5.3.0",
			"Not accepted");
}

static void cmd_data(struct session *s, struct slice args)
{
	auto_buf struct buf content = BUF_INIT(s->config->message_max_size + LIMIT_HEADER);
	struct dot_decoder d = DOT_DECODER_INIT(0);
	bool has_ended = false;

	(void)args;
	if (s->mail.n_rcpts == 0) {
		say(s, 503, "5.5.1", "RCPT first");
		return;
	}
	say(s, 354, NULL, "End data with <CR><LF>.<CR><LF>");
	while (!has_ended) {
		struct slice rest = slice_from(buf_slice(&s->in), s->in_done);
		if (rest.len == 0) {
			if (!read_more(s)) {
				s->is_over = true; /* cut off: nothing is sent */
				say(s, 451, "4.3.0", "The input ended within the message");
				return;
			}
			continue;
		}
		size_t before = rest.len;
		has_ended = dot_decode(&d, &rest, &content);
		s->in_done += before - rest.len;
	}
	submit(s, &d, buf_slice(&content));
	reset(s);
}

static void cmd_rset(struct session *s, struct slice args)
{
	(void)args;
	reset(s);
	say(s, 250, "2.0.0", "Ok");
}

static void cmd_noop(struct session *s, struct slice args)
{
	(void)args;
	say(s, 250, "2.0.0", "Ok");
}

static void cmd_vrfy(struct session *s, struct slice args)
{
	(void)args;
	say(s, 252, "2.5.0", "Cannot verify, but will take mail for it");
}

static void cmd_help(struct session *s, struct slice args)
{
	(void)args;
	say(s, 214, "2.0.0", "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT; see RFC 5321");
}

static void cmd_not_done(struct session *s, struct slice args)
{
	(void)args;
	say(s, 502, "5.5.1", "Not implemented");
}

static void cmd_quit(struct session *s, struct slice args)
{
	(void)args;
	say(s, 221, "2.0.0", "Bye");
	s->is_over = true;
}

static const struct {
	enum smtp_verb verb;
	void (*run)(struct session *s, struct slice args);
} verbs[] = {
	{ SMTP_VERB_EHLO, cmd_ehlo },
	{ SMTP_VERB_HELO, cmd_helo },
	{ SMTP_VERB_MAIL, cmd_mail },
	{ SMTP_VERB_RCPT, cmd_rcpt },
	{ SMTP_VERB_DATA, cmd_data },
	{ SMTP_VERB_RSET, cmd_rset },
	{ SMTP_VERB_NOOP, cmd_noop },
	{ SMTP_VERB_VRFY, cmd_vrfy },
	{ SMTP_VERB_HELP, cmd_help },
	{ SMTP_VERB_EXPN, cmd_not_done },
	{ SMTP_VERB_ETRN, cmd_not_done },
	{ SMTP_VERB_AUTH, cmd_not_done },
	{ SMTP_VERB_BDAT, cmd_not_done },
	{ SMTP_VERB_STARTTLS, cmd_not_done },
	{ SMTP_VERB_QUIT, cmd_quit },
};

static void command(struct session *s, struct slice line)
{
	struct smtp_command c;
	enum smtp_fault f = smtp_command_parse(line, &c);

	if (f != SMTP_FAULT_NONE) {
		fault(s, f);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (verbs[i].verb == c.verb) {
			verbs[i].run(s, c.args);
			return;
		}
	}
	fault(s, SMTP_FAULT_UNKNOWN_COMMAND);
}

int smtp_run(const struct config *config, const struct sendmail_options *o)
{
	auto_buf struct buf greeting = BUF_INIT(512);
	struct session s = {
		.config = config,
		.o = o,
		.is_batch = o->mode == MODE_BATCH,
		.in = BUF_INIT(1024 * 1024),
		.out = BUF_INIT(1024 * 1024),
	};
	struct slice line;

	submission_init(&s.mail, config);
	if (submission_take_options(&s.mail, o) != EX_OK)
		return EX_USAGE;
	buf_printf(&greeting, "%s ESMTP Postrider", config->main_host_name);
	say(&s, 220, NULL, buf_cstr(&greeting));
	while (!s.is_over && next_line(&s, &line))
		command(&s, line);
	bool is_told = flush_out(&s);
	submission_free(&s.mail);
	buf_free(&s.in);
	buf_free(&s.out);
	return is_told ? s.status : EX_IOERR;
}
