/* SPDX-License-Identifier: Apache-2.0 */
/* smtp_command.c - verbs, their arguments, and the reply to each fault; see smtp_command.h */
#include "mail/smtp_command.h"
#include "base/limits.h"
#include "mail/chars.h"

/* clang-format off */
static const struct smtp_fault_reply fault_replies[SMTP_FAULT_COUNT] = {
	[SMTP_FAULT_LINE_TOO_LONG]	= { 500, "5.5.6", "Command line is too long" },
	[SMTP_FAULT_BAD_CHARACTER]	= { 500, "5.5.2", "Command line has a control character" },
	[SMTP_FAULT_UNKNOWN_COMMAND]	= { 500, "5.5.1", "Command is not known" },
	[SMTP_FAULT_NO_HELO_NAME]	= { 501, "5.5.4", "Say your host name after EHLO or HELO" },
	[SMTP_FAULT_BAD_HELO_NAME]	= { 501, "5.5.4", "The name after EHLO or HELO is no host name" },
	[SMTP_FAULT_UNWANTED_ARGUMENT]	= { 501, "5.5.4", "This command takes no argument" },
	[SMTP_FAULT_NO_FROM]		= { 501, "5.5.4", "Syntax: MAIL FROM:<address>" },
	[SMTP_FAULT_NO_TO]		= { 501, "5.5.4", "Syntax: RCPT TO:<address>" },
	[SMTP_FAULT_PATH_BRACKETS]	= { 501, "5.5.2", "The address must stand in <>" },
	[SMTP_FAULT_BAD_SENDER]		= { 501, "5.1.7", "The sender address is malformed" },
	[SMTP_FAULT_BAD_RECIPIENT]	= { 501, "5.1.3", "The recipient address is malformed" },
	[SMTP_FAULT_SENDER_UNQUALIFIED]	= { 501, "5.1.7", "The sender address needs a domain" },
	[SMTP_FAULT_RECIPIENT_UNQUALIFIED] = { 501, "5.1.3", "The recipient address needs a domain" },
	[SMTP_FAULT_SENDER_TOO_LONG]	= { 501, "5.1.7", "The sender address is too long" },
	[SMTP_FAULT_RECIPIENT_TOO_LONG]	= { 501, "5.1.3", "The recipient address is too long" },
	[SMTP_FAULT_SENDER_NOT_ASCII]	= { 550, "5.6.7", "A sender address with UTF-8 needs SMTPUTF8" },
	[SMTP_FAULT_RECIPIENT_NOT_ASCII] = { 553, "5.6.7", "A recipient address with UTF-8 needs SMTPUTF8" },
	[SMTP_FAULT_BAD_UTF8]		= { 501, "5.5.2", "The address is no valid UTF-8" },
	[SMTP_FAULT_TRAILING_TEXT]	= { 501, "5.5.4", "Parameters are malformed" },
	[SMTP_FAULT_UNKNOWN_PARAMETER]	= { 555, "5.5.4", "Parameter is not known or not offered" },
	[SMTP_FAULT_REPEATED_PARAMETER]	= { 501, "5.5.4", "Parameter is given twice" },
	[SMTP_FAULT_BAD_SIZE]		= { 501, "5.5.4", "SIZE needs a decimal number of octets" },
	[SMTP_FAULT_BAD_BODY]		= { 501, "5.5.4", "BODY must be 7BIT or 8BITMIME" },
	[SMTP_FAULT_BAD_RET]		= { 501, "5.5.4", "RET must be FULL or HDRS" },
	[SMTP_FAULT_BAD_ENVID]		= { 501, "5.5.4", "ENVID must be xtext of at most 100 characters" },
	[SMTP_FAULT_BAD_AUTH]		= { 501, "5.5.4", "AUTH must be an address in xtext or <>" },
	[SMTP_FAULT_BAD_NOTIFY]		= { 501, "5.5.4", "NOTIFY is NEVER or of SUCCESS, FAILURE, DELAY" },
	[SMTP_FAULT_BAD_ORCPT]		= { 501, "5.5.4", "ORCPT is type;address, at most 500 long" },
	[SMTP_FAULT_UNWANTED_VALUE]	= { 501, "5.5.4", "Parameter takes no value" },
};

enum argument { ARG_ANY, ARG_NONE, ARG_HELO };
static const struct {
	const char *word;
	enum argument argument;
} verbs[SMTP_VERB_COUNT] = {
	[SMTP_VERB_HELO] = { "HELO", ARG_HELO },	[SMTP_VERB_EHLO] = { "EHLO", ARG_HELO },
	[SMTP_VERB_LHLO] = { "LHLO", ARG_HELO },	[SMTP_VERB_MAIL] = { "MAIL", ARG_ANY },
	[SMTP_VERB_RCPT] = { "RCPT", ARG_ANY },		[SMTP_VERB_DATA] = { "DATA", ARG_NONE },
	[SMTP_VERB_BDAT] = { "BDAT", ARG_ANY },		[SMTP_VERB_RSET] = { "RSET", ARG_NONE },
	[SMTP_VERB_NOOP] = { "NOOP", ARG_ANY },		[SMTP_VERB_QUIT] = { "QUIT", ARG_NONE },
	[SMTP_VERB_VRFY] = { "VRFY", ARG_ANY },		[SMTP_VERB_EXPN] = { "EXPN", ARG_ANY },
	[SMTP_VERB_HELP] = { "HELP", ARG_ANY },		[SMTP_VERB_ETRN] = { "ETRN", ARG_ANY },
	[SMTP_VERB_AUTH] = { "AUTH", ARG_ANY },		[SMTP_VERB_STARTTLS] = { "STARTTLS", ARG_NONE },
};
/* clang-format on */

const struct smtp_fault_reply *smtp_fault_reply(enum smtp_fault fault)
{
	CHECK(fault > SMTP_FAULT_NONE && fault < SMTP_FAULT_COUNT);
	return &fault_replies[fault];
}

static enum smtp_verb verb_of(struct slice word)
{
	for (int v = SMTP_VERB_UNKNOWN + 1; v < SMTP_VERB_COUNT; v++)
		if (slice_eq_nocase(word, slice_of(verbs[v].word)))
			return (enum smtp_verb)v;
	return SMTP_VERB_UNKNOWN;
}

/* Any name without blanks is taken: what hosts say here is often no valid name, and nothing is decided by
 * it. 8-bit is refused because it would get into Received. */
static enum smtp_fault helo_check(struct slice name)
{
	if (name.len == 0)
		return SMTP_FAULT_NO_HELO_NAME;
	if (name.len > LIMIT_DOMAIN)
		return SMTP_FAULT_BAD_HELO_NAME;
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_print(name.at[i]) || name.at[i] == ' ')
			return SMTP_FAULT_BAD_HELO_NAME;
	return SMTP_FAULT_NONE;
}

static enum smtp_fault argument_check(enum smtp_verb verb, struct slice args)
{
	switch (verbs[verb].argument) {
	case ARG_ANY: return SMTP_FAULT_NONE;
	case ARG_NONE: return args.len ? SMTP_FAULT_UNWANTED_ARGUMENT : SMTP_FAULT_NONE;
	case ARG_HELO: return helo_check(args);
	}
	return SMTP_FAULT_NONE;
}

enum smtp_fault smtp_command_parse(struct slice line, struct smtp_command *out)
{
	struct smtp_command found = { .word = SLICE_EMPTY };
	enum smtp_fault fault;

	if (line.len > LIMIT_COMMAND_LINE)
		return SMTP_FAULT_LINE_TOO_LONG;
	for (size_t i = 0; i < line.len; i++)
		if (char_is_control(line.at[i]) && line.at[i] != '\t')
			return SMTP_FAULT_BAD_CHARACTER;
	found.args = line;
	if (slice_next_word(&found.args, &found.word))
		found.args = slice_trim(found.args);
	found.verb = verb_of(found.word);
	fault = argument_check(found.verb, found.args);
	if (fault == SMTP_FAULT_NONE)
		*out = found;
	return fault;
}
