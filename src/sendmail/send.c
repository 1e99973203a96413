/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send.c - sendmail -bm: recipients, sender and header from the command line and standard input; see
 * sendmail(8)
 *
 * Everything up to the end of the input is read before anything is queued: killed midway, nothing is sent.
 * Tests: tests/system/test_submission.py, fuzz/fuzz_sendmail.c.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "mail/envelope_options.h"
#include "mail/submission_headers.h"
#include "sendmail/options.h"
#include "sendmail/program.h"
#include "sendmail/submission.h"
#include <fcntl.h>
#include <pwd.h>
#include <sysexits.h>

/* ---- sender ---- */

static bool is_null_sender(struct slice s)
{
	return s.len == 0 || slice_eq(s, SLICE("<>"));
}

/* Somebody's text that got onto the command line; no address has one. */
static bool has_line_end(const char *argument)
{
	return strpbrk(argument, "\r\n") != NULL;
}

/* The bare address of -f, also when a display name or brackets come with it. */
static int take_sender(struct submission *s, const struct sendmail_options *o)
{
	auto_buf struct buf text = BUF_INIT(2 * LIMIT_PATH);
	struct slice given = slice_trim(slice_of(o->sender));
	struct address_list list = ADDRESS_LIST_INIT(given, ADDRESS_UNQUALIFIED | ADDRESS_UTF8);
	struct address_item item, second;

	if (!o->has_sender) {
		buf_append_str(&text, program_login(s->config));
		buf_append_byte(&text, '@');
		buf_append_str(&text, s->config->main_origin);
		submission_set_sender(s, buf_slice(&text));
		return EX_OK;
	}
	if (is_null_sender(given))
		return EX_OK;
	if (has_line_end(o->sender) || !address_list_next(&list, &item) ||
		address_list_next(&list, &second)) {
		program_complain("sender %s: must be one address", o->sender);
		return EX_DATAERR;
	}
	if (item.status != ADDRESS_OK) {
		program_complain("sender %s: %s", o->sender, address_status_text(item.status));
		return EX_DATAERR;
	}
	address_append(&item.address, &text);
	if (item.address.domain.len == 0) {
		buf_append_byte(&text, '@');
		buf_append_str(&text, s->config->main_origin);
	}
	submission_set_sender(s, buf_slice(&text));
	return EX_OK;
}

/* The name for a From field that sendmail adds: -F, NAME, or the first part of GECOS with & as the login
 * name. */
static void full_name(const struct submission *s, const struct sendmail_options *o, struct buf *out)
{
	const char *name = o->full_name ? o->full_name : getenv("NAME");
	const struct passwd *pw = name || *s->config->paths.sandbox ? NULL : getpwuid(getuid());

	if (name)
		buf_append_str(out, name);
	for (const char *c = pw ? pw->pw_gecos : ""; *c && *c != ','; c++) {
		if (*c == '&') {
			buf_append_byte(out,
				(char)(pw->pw_name[0] >= 'a' && pw->pw_name[0] <= 'z' ? pw->pw_name[0] - 32
										      : pw->pw_name[0]));
			buf_append_str(out, pw->pw_name + 1);
		} else {
			buf_append_byte(out, *c);
		}
	}
}

/* ---- recipients ---- */

static bool take_item(struct submission *s, const struct address_item *item, const char *where)
{
	if (item->status != ADDRESS_OK) {
		program_complain(
			"%s: \"%.*s\": %s", where, SLICE_ARG(item->text), address_status_text(item->status));
		return false;
	}
	submission_add(s, item->address.local, item->address.domain);
	return true;
}

static bool take_argument(struct submission *s, const char *argument, bool after_dashes)
{
	struct address_list list = ADDRESS_LIST_INIT(slice_of(argument), ADDRESS_UNQUALIFIED | ADDRESS_UTF8);
	struct address_item item;
	bool is_good = true;

	if (argument[0] == '-' && !after_dashes) {
		program_complain(
			"%s: options come before the recipients (or write -- before such an address)",
			argument);
		return false;
	}
	if (has_line_end(argument)) {
		program_complain("recipient: \"%s\": has a line end in it", argument);
		return false;
	}
	while (address_list_next(&list, &item))
		is_good &= take_item(s, &item, "recipient");
	return is_good;
}

static int take_arguments(struct submission *s, const struct sendmail_options *o)
{
	bool is_good = true;

	for (int i = 0; i < o->n_words; i++)
		is_good &= take_argument(s, o->words[i], o->after_dashes);
	return is_good ? EX_OK : EX_DATAERR;
}

static int take_header_recipients(struct submission *s, struct slice fields)
{
	struct submission_recipients from;
	struct address_item item;
	bool is_good = true;

	submission_recipients_init(&from, fields);
	while (submission_recipients_next(&from, &item))
		is_good &= take_item(s, &item, "header");
	if (is_good && s->n_rcpts == 0) {
		program_complain("no recipients in To, Cc or Bcc (-t)");
		is_good = false;
	}
	return is_good ? EX_OK : EX_DATAERR;
}

/* ---- the text ---- */

static int read_text(const struct submission *s, bool ignore_dots, struct buf *text)
{
	struct submission_input input = { .dot_ends = !ignore_dots };
	static char chunk[65536];
	bool is_full = false;

	while (!input.has_ended && !is_full) {
		ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			program_complain("standard input: %s", strerror(errno));
			return EX_IOERR;
		}
		if (n == 0)
			break;
		is_full = !submission_feed(&input, (struct slice){ chunk, (size_t)n }, text);
	}
	if (is_full || !submission_feed_end(&input, text) || text->len > s->config->message_max_size) {
		program_complain("the message is larger than %" PRIu64
				 " bytes (message.max_size); nothing was sent",
			s->config->message_max_size);
		return EX_UNAVAILABLE;
	}
	return EX_OK;
}

static void build_header(
	struct submission *s, const struct sendmail_options *o, struct slice fields, struct buf *out)
{
	auto_buf struct buf name = BUF_INIT(1024), from = BUF_INIT(2 * LIMIT_PATH), id = BUF_INIT(1024);
	struct submission_facts facts = { .time_s = clock_wall_s() };

	full_name(s, o, &name);
	buf_append(&from, s->sender);
	if (s->sender.len == 0)
		buf_printf(&from, "MAILER-DAEMON@%s", s->config->main_origin);
	buf_printf(&id, "%s@%s", s->id, s->config->main_host_name);
	facts.from_address = buf_slice(&from);
	facts.from_name = buf_slice(&name);
	facts.message_id = buf_slice(&id);
	submission_header_build(fields, &facts, out);
}

static int take_dsn_options(struct submission *s, const struct sendmail_options *o)
{
	enum ret ret = RET_DEFAULT;
	enum body_type body = BODY_DEFAULT;

	if (o->notify && !notify_parse(slice_of(o->notify), &s->notify))
		program_complain(
			"-N %s: use never, or success, failure, delay separated by commas", o->notify);
	else if (o->ret && !ret_parse(slice_of(o->ret), &ret))
		program_complain("-R %s: use full or hdrs", o->ret);
	else if (o->envid && !envid_is_valid(slice_of(o->envid)))
		program_complain("-V %s: not an envelope id (RFC 3461 xtext)", o->envid);
	else if (o->body && !body_type_parse(slice_of(o->body), &body))
		program_complain("-B %s: use 7BIT or 8BITMIME", o->body);
	else {
		s->ret = ret;
		s->body = body;
		s->envid = slice_of(o->envid);
		return EX_OK;
	}
	return EX_USAGE;
}

static int compose(
	struct submission *s, const struct sendmail_options *o, struct buf *text, struct buf *header)
{
	struct submission_header found;
	int status = read_text(s, o->ignore_dots, text);

	if (status != EX_OK)
		return status;
	CHECK(submission_header_find(buf_slice(text), true, &found));
	if (o->from_header)
		status = take_header_recipients(s, found.fields);
	if (status != EX_OK)
		return status;
	build_header(s, o, found.fields, header);
	s->content = slice_from(buf_slice(text), found.body_at);
	s->header = buf_slice(header);
	if (submission_has_8bit(s->header) || submission_has_8bit(s->content))
		s->body = BODY_8BITMIME; /* whatever -B says */
	return buf_ok(header) ? EX_OK : EX_UNAVAILABLE;
}

int send_run(const struct config *config, const struct sendmail_options *o)
{
	auto_buf struct buf text = BUF_INIT(config->message_max_size + 2 * LIMIT_HEADER);
	auto_buf struct buf header = BUF_INIT(config->message_max_size + 2 * LIMIT_HEADER);
	struct submission s;
	int status;

	if (o->n_words == 0 && !o->from_header) {
		program_complain("no recipient: name one, or use -t to take them from the header");
		return EX_USAGE;
	}
	submission_init(&s, config);
	status = submission_take_options(&s, o);
	if (status == EX_OK)
		status = take_dsn_options(&s, o);
	if (status == EX_OK)
		status = take_sender(&s, o);
	if (status == EX_OK)
		status = take_arguments(&s, o);
	if (status == EX_OK)
		status = compose(&s, o, &text, &header);
	if (status == EX_OK && s.n_rcpts == 0) {
		program_complain("no recipient in \"%s\"", o->words[0]);
		status = EX_USAGE;
	}
	if (status == EX_OK && s.n_rcpts > LIMIT_EXPANSION) {
		program_complain("more than %d recipients; nothing was sent", LIMIT_EXPANSION);
		status = EX_UNAVAILABLE;
	}
	if (status == EX_OK)
		status = submission_send(&s);
	submission_free(&s);
	return status;
}
