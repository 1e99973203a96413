/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_send.c - commands that write or pass on messages
 * Tests: tests/system/test_mail_compose.py.
 */
#include "base/clock.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mailx/commands.h"
#include "mailx/compose.h"
#include "mailx/identity.h"
#include "mailx/reply.h"
#include "mailx/head.h"
#include "mailx/send.h"
#include "mailx/show.h"

static enum command_result compose_and_send(struct mailx *mx, struct compose *c)
{
	switch (compose_draft(mx, c)) {
	case COMPOSE_ABORTED: return COMMAND_FAILED;
	case COMPOSE_HANGUP: return COMMAND_EXIT;
	case COMPOSE_DONE: break;
	}
	return send_draft(mx, c->draft) == 0 ? COMMAND_OK : COMMAND_FAILED;
}

enum command_result cmd_mail(struct mailx *mx, struct command_args *args)
{
	auto_draft struct draft d = DRAFT_INIT;
	auto_free char *addresses = slice_dup(args->text);
	struct compose c = { .draft = &d };

	d.takes_targets = vars_on(&mx->vars, "expandaddr");
	if (slice_trim(args->text).len == 0 && !mx->input.is_tty) {
		mailx_error(mx, "Say to whom: mail address ...");
		return COMMAND_FAILED;
	}
	if (!draft_add_recipients(mx, &d, DRAFT_TO, addresses))
		return COMMAND_FAILED;
	return compose_and_send(mx, &c);
}

/* What a person sees above the text of an answer. */
static void show_addressees(struct mailx *mx, const struct draft *d)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX), clean = BUF_INIT(MAILX_TEXT_MAX);

	for (size_t f = 0; f < DRAFT_BCC; f++) {
		for (size_t i = 0; i < d->recipients[f].n; i++)
			buf_printf(&text, "%s %s",
				i			? ","
					: f == DRAFT_TO ? "To:"
							: "Cc:",
				d->recipients[f].at[i]);
		if (d->recipients[f].n)
			buf_append_byte(&text, '\n');
	}
	if (d->subject)
		buf_printf(&text, "Subject: %s\n", d->subject);
	buf_append_byte(&text, '\n');
	buf_append(&text, buf_slice(&d->text));
	screen_clean(&mx->screen, buf_slice(&text), SCREEN_MANY_LINES, &clean);
	(void)fwrite(clean.at, 1, clean.len, stdout);
}

static enum command_result answer_one(struct mailx *mx, size_t index, bool to_all)
{
	auto_draft struct draft d = DRAFT_INIT;
	struct compose c = { .draft = &d, .quoted = &index, .n_quoted = 1 };
	enum command_result r;

	mx->folder.dot = index;
	if (!reply_draft(mx, index, to_all, &d))
		return COMMAND_FAILED;
	if (mx->input.is_tty)
		show_addressees(mx, &d);
	r = compose_and_send(mx, &c);
	if (r == COMMAND_OK && vars_on(&mx->vars, "markanswered"))
		mx->folder.messages.at[index].flags |= MESSAGE_ANSWERED;
	return r;
}

static enum command_result answer(struct mailx *mx, struct command_args *args, bool to_all)
{
	for (size_t i = 0; i < args->list.n; i++) {
		enum command_result r = answer_one(mx, args->list.at[i], to_all);
		if (r != COMMAND_OK)
			return r;
	}
	return COMMAND_OK;
}

enum command_result cmd_reply(struct mailx *mx, struct command_args *args)
{
	return answer(mx, args, !vars_on(&mx->vars, "flipr"));
}

enum command_result cmd_reply_author(struct mailx *mx, struct command_args *args)
{
	return answer(mx, args, vars_on(&mx->vars, "flipr"));
}

enum command_result cmd_reply_all(struct mailx *mx, struct command_args *args)
{
	return answer(mx, args, true);
}

enum command_result cmd_reply_sender(struct mailx *mx, struct command_args *args)
{
	return answer(mx, args, false);
}

/* Answers while `record' names the author's file. */
static enum command_result answer_recorded(struct mailx *mx, struct command_args *args, bool to_all)
{
	const char *record = vars_get(&mx->vars, "record");
	auto_free char *before = record ? mem_dup_str(record) : NULL;
	auto_buf struct buf name = BUF_INIT(MAILX_VALUE_MAX);
	enum command_result r;

	reply_author_name(mx, args->list.at[0], &name);
	if (name.len == 0 || !buf_cstr(&name)) {
		mailx_error(mx, "The author has no name that a file could have");
		return COMMAND_FAILED;
	}
	vars_set(&mx->vars, "record", buf_cstr(&name));
	r = answer(mx, args, to_all);
	if (before)
		vars_set(&mx->vars, "record", before);
	else
		vars_unset(&mx->vars, "record");
	return r;
}

enum command_result cmd_followup(struct mailx *mx, struct command_args *args)
{
	return answer_recorded(mx, args, !vars_on(&mx->vars, "flipr"));
}

enum command_result cmd_followup_author(struct mailx *mx, struct command_args *args)
{
	return answer_recorded(mx, args, vars_on(&mx->vars, "flipr"));
}

static bool needs_addressee(struct mailx *mx, struct command_args *args, struct draft *d)
{
	if (args->words.n == 0) {
		mailx_error(mx, "Say to whom: %s [messages] address", args->command->name);
		return false;
	}
	return draft_add_recipients(mx, d, DRAFT_TO, args->words.at[0]) && draft_count_recipients(d) > 0;
}

/* The message as it is, without what belongs to this mailbox. */
static void pass_on(const struct message_parts *parts, struct buf *out)
{
	struct slice rest = parts->header;
	struct header_field field;

	while (header_next(&rest, &field))
		if (!mbox_is_status_line(field.raw) && !slice_eq_nocase(field.name, SLICE("Return-Path")) &&
			!slice_eq_nocase(field.name, SLICE("Delivered-To")) &&
			!slice_eq_nocase(field.name, SLICE("X-Original-To")))
			buf_append(out, field.raw);
	buf_append_byte(out, '\n');
	buf_append(out, parts->body);
}

static bool attach_message(struct mailx *mx, size_t index, struct draft *d)
{
	auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX);
	struct message_parts parts;
	struct buf *messages;

	if (show_problem(mx, index, folder_read(&mx->folder, index, &text)) < 0)
		return false;
	messages = mem_new_array(d->n_messages + 1, sizeof(*messages));
	for (size_t i = 0; i < d->n_messages; i++)
		messages[i] = d->messages[i];
	mem_free(d->messages);
	d->messages = messages;
	messages[d->n_messages] = BUF_INIT(MAILX_TEXT_MAX);
	parts = message_split(buf_slice(&text), mx->folder.messages.at[index].head_size);
	pass_on(&parts, &messages[d->n_messages++]);
	return true;
}

static bool forward_subject(struct mailx *mx, size_t index, struct draft *d)
{
	auto_buf struct buf head = BUF_INIT(MAILX_TEXT_MAX), subject = BUF_INIT(MAILX_VALUE_MAX),
			    text = BUF_INIT(MAILX_VALUE_MAX);
	struct message_parts parts;

	if (show_problem(mx, index, folder_read_head(&mx->folder, index, &head)) < 0)
		return false;
	parts = message_split(buf_slice(&head), head.len);
	if (head_text(parts.header, "Subject", &subject) && buf_cstr(&subject)) {
		reply_subject("Fwd: ", buf_cstr(&subject), &text);
		draft_set(&d->subject, buf_cstr(&text));
	}
	return true;
}

static bool forward_text(struct mailx *mx, size_t index, struct draft *d)
{
	const struct show_options options = { .fields = &mx->forward_fields, .has_header = true };

	buf_append_str(&d->text, "-------- Original Message --------\n");
	return show_message(mx, index, &options, &d->text) == 0;
}

enum command_result cmd_forward(struct mailx *mx, struct command_args *args)
{
	bool as_attachment = vars_on(&mx->vars, "forward-as-attachment");

	for (size_t i = 0; i < args->list.n; i++) {
		auto_draft struct draft d = DRAFT_INIT;
		struct compose c = { .draft = &d, .quoted = &args->list.at[i], .n_quoted = 1 };
		enum command_result r;
		if (!needs_addressee(mx, args, &d) || !forward_subject(mx, args->list.at[i], &d) ||
			!(as_attachment ? attach_message : forward_text)(mx, args->list.at[i], &d))
			return COMMAND_FAILED;
		if (mx->input.is_tty)
			show_addressees(mx, &d);
		r = compose_and_send(mx, &c);
		if (r != COMMAND_OK)
			return r;
	}
	return COMMAND_OK;
}

/* The message as it is; Resent- fields say who passed it on. */
static void resend_bytes(struct mailx *mx, const struct message_parts *parts, const struct draft *d,
	bool is_marked, struct buf *out)
{
	auto_buf struct buf value = BUF_INIT(MAILX_VALUE_MAX), date = BUF_INIT(256),
			    author = BUF_INIT(MAILX_VALUE_MAX);

	if (is_marked) {
		date_append_rfc5322(&date, clock_wall_s());
		identity_author(mx, &author);
		header_append(out, "Resent-From", buf_slice(&author));
		header_append(
			out, "Resent-Date", slice_first(buf_slice(&date), slice_find(buf_slice(&date), '(')));
		for (size_t i = 0; i < d->recipients[DRAFT_TO].n; i++) {
			struct slice name, bare = draft_bare_address(d->recipients[DRAFT_TO].at[i], &name);
			buf_append_str(&value, i ? ", " : "");
			identity_qualify(mx, bare, &value);
		}
		header_append(out, "Resent-To", buf_slice(&value));
	}
	pass_on(parts, out);
}

static enum command_result resend(struct mailx *mx, struct command_args *args, bool is_marked)
{
	auto_draft struct draft d = DRAFT_INIT;

	if (!needs_addressee(mx, args, &d))
		return COMMAND_FAILED;
	for (size_t i = 0; i < args->list.n; i++) {
		auto_buf struct buf text = BUF_INIT(MAILX_TEXT_MAX), message = BUF_INIT(MAILX_TEXT_MAX);
		size_t index = args->list.at[i];
		struct message_parts parts;
		if (show_problem(mx, index, folder_read(&mx->folder, index, &text)) < 0)
			return COMMAND_FAILED;
		parts = message_split(buf_slice(&text), mx->folder.messages.at[index].head_size);
		resend_bytes(mx, &parts, &d, is_marked, &message);
		if (!buf_ok(&message) || send_bytes(mx, &d, buf_slice(&message)) != 0)
			return COMMAND_FAILED;
	}
	return COMMAND_OK;
}

enum command_result cmd_resend(struct mailx *mx, struct command_args *args)
{
	return resend(mx, args, true);
}

enum command_result cmd_resend_unmarked(struct mailx *mx, struct command_args *args)
{
	return resend(mx, args, false);
}
