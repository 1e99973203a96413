/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_session.c - sendmail -bs: an SMTP session on standard input and output, for mail readers that speak it
 * to a pipe
 *
 * The sender's real uid is what counts, as with every submission: any recipient is taken, and the queue
 * bounces what has no destination. Nothing of the network's defences is needed here; the client is this user.
 */
#include "base/file.h"
#include "base/limits.h"
#include "mail/dot.h"
#include "mail/reply.h"
#include "mail/smtp_command.h"
#include "sendmail/program.h"
#include "sendmail/submission.h"
#include <sysexits.h>

#define EXTENSIONS (SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_PIPELINING | SMTP_EXT_ENHANCEDSTATUSCODES)

struct session {
	const struct config *config;
	struct submission mail;
	bool has_sender, is_over;
	struct buf in; /* unread input */
	size_t in_done;
	struct buf out;
	bool at_end; /* of the input */
};

static void say(struct session *s, int code, const char *status, const char *text)
{
	reply_append(&s->out, code, status, slice_of(text));
}

static bool flush_out(struct session *s)
{
	int r = file_write_all(STDOUT_FILENO, buf_slice(&s->out));

	buf_clear(&s->out);
	return r == 0;
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
		buf_append(&s->in, (struct slice){ chunk, (size_t)n });
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
				line_out->len--; /* a pipe's user may end lines with LF alone */
			s->in_done += end + 1;
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
	buf_printf(&text, "%s\nPIPELINING\nSIZE %" PRIu64 "\n8BITMIME\nENHANCEDSTATUSCODES",
		s->config->main_host_name, s->config->message_max_size);
	reply_append(&s->out, 250, NULL, buf_slice(&text));
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
	s->mail.sender = submission_keep(&s->mail, buf_slice(&text));
	s->mail.body = mail.body;
	s->has_sender = true;
	say(s, 250, "2.1.0", "Ok");
}

static void cmd_rcpt(struct session *s, struct slice args)
{
	struct smtp_rcpt rcpt;
	enum smtp_fault f = smtp_rcpt_parse(args, EXTENSIONS, ADDRESS_UNQUALIFIED, false, &rcpt);

	if (!s->has_sender) {
		say(s, 503, "5.5.1", "MAIL first");
	} else if (f != SMTP_FAULT_NONE) {
		fault(s, f);
	} else {
		submission_add(&s->mail, rcpt.to.local, rcpt.to.domain);
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
		.in = BUF_INIT(1024 * 1024),
		.out = BUF_INIT(1024 * 1024),
	};
	struct slice line;

	(void)o;
	submission_init(&s.mail, config);
	buf_printf(&greeting, "%s ESMTP Postrider", config->main_host_name);
	reply_append(&s.out, 220, NULL, buf_slice(&greeting));
	while (!s.is_over && next_line(&s, &line))
		command(&s, line);
	bool is_told = flush_out(&s);
	submission_free(&s.mail);
	buf_free(&s.in);
	buf_free(&s.out);
	return is_told ? EX_OK : EX_IOERR;
}
