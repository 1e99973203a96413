/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_parameters.c - MAIL and RCPT: address and parameters, read and written; see smtp_command.h
 *
 * The parameters are two tables, one per command: word, the extension that brings it, the function that takes
 * its value. Repetition, unknown words and missing values are found once for all.
 */
#include "base/limits.h"
#include "mail/chars.h"
#include "mail/smtp_command.h"
#include "mail/xtext.h"

struct parameter {
	const char *word;
	unsigned extension;
	enum smtp_fault (*take)(struct slice value, void *into);
	bool has_value;
};

static enum smtp_fault take_size(struct slice value, void *into)
{
	struct smtp_mail *m = into;

	/* RFC 1870 3: up to 20 digits; one that exceeds 64 bits is too large for us whatever our limit is. */
	if (value.len <= 20 && slice_to_u64(value, UINT64_MAX, &m->size))
		return SMTP_FAULT_NONE;
	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_digit(value.at[i]))
			return SMTP_FAULT_BAD_SIZE;
	if (value.len != 20)
		return SMTP_FAULT_BAD_SIZE;
	m->size = UINT64_MAX;
	return SMTP_FAULT_NONE;
}

static enum smtp_fault take_body(struct slice value, void *into)
{
	struct smtp_mail *m = into;

	return body_type_parse(value, &m->body) ? SMTP_FAULT_NONE : SMTP_FAULT_BAD_BODY;
}

static enum smtp_fault take_smtputf8(struct slice value, void *into)
{
	struct smtp_mail *m = into;

	(void)value; /* it has none */
	m->smtputf8 = true;
	return SMTP_FAULT_NONE;
}

static enum smtp_fault take_ret(struct slice value, void *into)
{
	struct smtp_mail *m = into;

	return ret_parse(value, &m->ret) ? SMTP_FAULT_NONE : SMTP_FAULT_BAD_RET;
}

static enum smtp_fault take_envid(struct slice value, void *into)
{
	struct smtp_mail *m = into;

	m->envid = value;
	return envid_is_valid(value) ? SMTP_FAULT_NONE : SMTP_FAULT_BAD_ENVID;
}

static enum smtp_fault take_auth(struct slice value, void *into)
{
	struct smtp_mail *m = into;

	m->auth = value;
	if (slice_eq(value, SLICE("<>")) ||
		(value.len && value.len <= 3 * LIMIT_ADDRESS && xtext_is_valid(value)))
		return SMTP_FAULT_NONE;
	return SMTP_FAULT_BAD_AUTH;
}

static enum smtp_fault take_notify(struct slice value, void *into)
{
	struct smtp_rcpt *r = into;

	return notify_parse(value, &r->notify) ? SMTP_FAULT_NONE : SMTP_FAULT_BAD_NOTIFY;
}

static enum smtp_fault take_orcpt(struct slice value, void *into)
{
	struct smtp_rcpt *r = into;

	r->orcpt = value;
	return orcpt_is_valid(value) ? SMTP_FAULT_NONE : SMTP_FAULT_BAD_ORCPT;
}

static const struct parameter mail_parameters[] = {
	{ "SIZE", SMTP_EXT_SIZE, take_size, true },
	{ "BODY", SMTP_EXT_8BITMIME, take_body, true },
	{ "SMTPUTF8", SMTP_EXT_SMTPUTF8, take_smtputf8, false },
	{ "RET", SMTP_EXT_DSN, take_ret, true },
	{ "ENVID", SMTP_EXT_DSN, take_envid, true },
	{ "AUTH", SMTP_EXT_AUTH, take_auth, true },
};
static const struct parameter rcpt_parameters[] = {
	{ "NOTIFY", SMTP_EXT_DSN, take_notify, true },
	{ "ORCPT", SMTP_EXT_DSN, take_orcpt, true },
};

/* One "WORD=value" or "WORD"; *seen has a bit per row of the table. */
static enum smtp_fault parameter_take(const struct parameter *table, size_t n, unsigned extensions,
	struct slice text, unsigned *seen, void *into)
{
	struct slice value = text, word = text;
	bool has_value = slice_cut(&value, '=', &word);

	for (size_t i = 0; i < n; i++) {
		const struct parameter *p = &table[i];
		if (!slice_eq_nocase(word, slice_of(p->word)) || !(extensions & p->extension))
			continue;
		if (*seen & 1u << i)
			return SMTP_FAULT_REPEATED_PARAMETER;
		*seen |= 1u << i;
		if (has_value != p->has_value)
			return has_value ? SMTP_FAULT_UNWANTED_VALUE : SMTP_FAULT_TRAILING_TEXT;
		return p->take(value, into);
	}
	return SMTP_FAULT_UNKNOWN_PARAMETER;
}

static enum smtp_fault parameters_take(
	const struct parameter *table, size_t n, unsigned extensions, struct slice text, void *into)
{
	struct slice word;
	unsigned seen = 0;

	if (text.len && slice_skip_blanks(&text) == 0)
		return SMTP_FAULT_TRAILING_TEXT;
	while (slice_next_word(&text, &word)) {
		enum smtp_fault fault = parameter_take(table, n, extensions, word, &seen, into);
		if (fault != SMTP_FAULT_NONE)
			return fault;
	}
	return SMTP_FAULT_NONE;
}

/* What is wrong with an address, by command. */
static enum smtp_fault path_fault(enum address_status status, bool is_sender)
{
	switch (status) {
	case ADDRESS_OK: return SMTP_FAULT_NONE;
	case ADDRESS_NO_BRACKET: return SMTP_FAULT_PATH_BRACKETS;
	case ADDRESS_NO_DOMAIN:
		return is_sender ? SMTP_FAULT_SENDER_UNQUALIFIED : SMTP_FAULT_RECIPIENT_UNQUALIFIED;
	case ADDRESS_LOCAL_TOO_LONG:
	case ADDRESS_DOMAIN_TOO_LONG:
		return is_sender ? SMTP_FAULT_SENDER_TOO_LONG : SMTP_FAULT_RECIPIENT_TOO_LONG;
	case ADDRESS_NOT_ASCII:
		return is_sender ? SMTP_FAULT_SENDER_NOT_ASCII : SMTP_FAULT_RECIPIENT_NOT_ASCII;
	case ADDRESS_BAD_UTF8: return SMTP_FAULT_BAD_UTF8;
	case ADDRESS_EMPTY:
	case ADDRESS_BAD_LOCAL:
	case ADDRESS_BAD_QUOTE:
	case ADDRESS_BAD_DOMAIN:
	case ADDRESS_BAD_LITERAL:
	case ADDRESS_BAD_ROUTE:
	case ADDRESS_BAD_COMMENT:
	case ADDRESS_NO_COMMA:
	case ADDRESS_TRAILING:
	case ADDRESS_STATUS_COUNT: break;
	}
	return is_sender ? SMTP_FAULT_BAD_SENDER : SMTP_FAULT_BAD_RECIPIENT;
}

static bool address_has_8bit(const struct address *a)
{
	return text_has_8bit(a->local) || text_has_8bit(a->domain);
}

/* SMTPUTF8 stands behind the address that it allows, so the address is read tolerantly and checked after. */
enum smtp_fault smtp_mail_parse(
	struct slice args, unsigned extensions, unsigned path_flags, struct smtp_mail *out)
{
	struct smtp_mail found = { .envid = SLICE_EMPTY, .auth = SLICE_EMPTY };
	enum smtp_fault fault;

	if (!slice_skip_prefix_nocase(&args, SLICE("FROM:")))
		return SMTP_FAULT_NO_FROM;
	slice_skip_blanks(&args);
	if (extensions & SMTP_EXT_SMTPUTF8)
		path_flags |= ADDRESS_UTF8;
	fault = path_fault(path_parse(&args, path_flags | ADDRESS_NULL, &found.from), true);
	if (fault != SMTP_FAULT_NONE)
		return fault;
	fault = parameters_take(mail_parameters, ARRAY_LEN(mail_parameters), extensions, args, &found);
	if (fault != SMTP_FAULT_NONE)
		return fault;
	if (!found.smtputf8 && address_has_8bit(&found.from))
		return SMTP_FAULT_SENDER_NOT_ASCII;
	*out = found;
	return SMTP_FAULT_NONE;
}

enum smtp_fault smtp_rcpt_parse(
	struct slice args, unsigned extensions, unsigned path_flags, bool has_smtputf8, struct smtp_rcpt *out)
{
	struct smtp_rcpt found = { .orcpt = SLICE_EMPTY };
	enum smtp_fault fault;

	if (!slice_skip_prefix_nocase(&args, SLICE("TO:")))
		return SMTP_FAULT_NO_TO;
	slice_skip_blanks(&args);
	if (has_smtputf8)
		path_flags |= ADDRESS_UTF8;
	fault = path_fault(path_parse(&args, path_flags, &found.to), false);
	if (fault != SMTP_FAULT_NONE)
		return fault;
	fault = parameters_take(rcpt_parameters, ARRAY_LEN(rcpt_parameters), extensions, args, &found);
	if (fault != SMTP_FAULT_NONE)
		return fault;
	if (!has_smtputf8 && text_has_8bit(found.orcpt))
		return SMTP_FAULT_BAD_ORCPT;
	*out = found;
	return SMTP_FAULT_NONE;
}

void smtp_mail_append(const struct smtp_mail *mail, unsigned extensions, struct buf *out)
{
	buf_append_str(out, "MAIL FROM:<");
	address_append(&mail->from, out);
	buf_append_byte(out, '>');
	if (extensions & SMTP_EXT_SIZE && mail->size)
		buf_printf(out, " SIZE=%" PRIu64, mail->size);
	if (extensions & SMTP_EXT_8BITMIME && mail->body != BODY_DEFAULT)
		buf_printf(out, " BODY=%s", body_type_name(mail->body));
	if (extensions & SMTP_EXT_SMTPUTF8 && mail->smtputf8)
		buf_append_str(out, " SMTPUTF8");
	if (extensions & SMTP_EXT_DSN && mail->ret != RET_DEFAULT)
		buf_printf(out, " RET=%s", ret_name(mail->ret));
	if (extensions & SMTP_EXT_DSN && mail->envid.len)
		buf_printf(out, " ENVID=%.*s", SLICE_ARG(mail->envid));
	if (extensions & SMTP_EXT_AUTH && mail->auth.len)
		buf_printf(out, " AUTH=%.*s", SLICE_ARG(mail->auth));
	buf_append_str(out, "\r\n");
}

void smtp_rcpt_append(const struct smtp_rcpt *rcpt, unsigned extensions, struct buf *out)
{
	buf_append_str(out, "RCPT TO:<");
	address_append(&rcpt->to, out);
	buf_append_byte(out, '>');
	if (extensions & SMTP_EXT_DSN && rcpt->notify != NOTIFY_DEFAULT) {
		buf_append_str(out, " NOTIFY=");
		notify_append(rcpt->notify, out);
	}
	if (extensions & SMTP_EXT_DSN && rcpt->orcpt.len)
		buf_printf(out, " ORCPT=%.*s", SLICE_ARG(rcpt->orcpt));
	buf_append_str(out, "\r\n");
}

unsigned smtp_extension_parse(struct slice line, uint64_t *size_out)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {
		{ "SIZE", SMTP_EXT_SIZE },
		{ "8BITMIME", SMTP_EXT_8BITMIME },
		{ "SMTPUTF8", SMTP_EXT_SMTPUTF8 },
		{ "DSN", SMTP_EXT_DSN },
		{ "AUTH", SMTP_EXT_AUTH },
		{ "PIPELINING", SMTP_EXT_PIPELINING },
		{ "ENHANCEDSTATUSCODES", SMTP_EXT_ENHANCEDSTATUSCODES },
		{ "STARTTLS", SMTP_EXT_STARTTLS },
		{ "CHUNKING", SMTP_EXT_CHUNKING },
	};
	struct slice word, argument;

	if (!slice_next_word(&line, &word))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!slice_eq_nocase(word, slice_of(words[i].word)))
			continue;
		if (words[i].bit == SMTP_EXT_SIZE && slice_next_word(&line, &argument))
			(void)slice_to_u64(argument, UINT64_MAX, size_out); /* a bad number is none */
		return words[i].bit;
	}
	return 0;
}
