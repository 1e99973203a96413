/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtp_command.h - SMTP command lines: verb, arguments, the parameters of MAIL and RCPT; both directions
 *
 * Syntax only: what is allowed when, and who may send where, is smtpd's. Every fault has its reply in one
 * table. Slices point into the line. Layer: mail. Tests: test_smtp_command.c, fuzz_smtp_command.c.
 */
#pragma once
#include "mail/address.h"
#include "mail/envelope_options.h"

enum smtp_verb {
	SMTP_VERB_UNKNOWN = 0,
	SMTP_VERB_HELO,
	SMTP_VERB_EHLO,
	SMTP_VERB_LHLO,
	SMTP_VERB_MAIL,
	SMTP_VERB_RCPT,
	SMTP_VERB_DATA,
	SMTP_VERB_BDAT,
	SMTP_VERB_RSET,
	SMTP_VERB_NOOP,
	SMTP_VERB_QUIT,
	SMTP_VERB_VRFY,
	SMTP_VERB_EXPN,
	SMTP_VERB_HELP,
	SMTP_VERB_ETRN,
	SMTP_VERB_AUTH,
	SMTP_VERB_STARTTLS,
	SMTP_VERB_COUNT
};

enum smtp_fault {
	SMTP_FAULT_NONE = 0,
	SMTP_FAULT_LINE_TOO_LONG,     /* LIMIT_COMMAND_LINE */
	SMTP_FAULT_BAD_CHARACTER,     /* control character, NUL or bare CR in the line */
	SMTP_FAULT_UNKNOWN_COMMAND,   /* for smtpd: SMTP_VERB_UNKNOWN */
	SMTP_FAULT_NO_HELO_NAME,      /* EHLO without argument */
	SMTP_FAULT_BAD_HELO_NAME,     /* EHLO argument with blanks, 8-bit or above LIMIT_DOMAIN */
	SMTP_FAULT_UNWANTED_ARGUMENT, /* DATA, RSET, QUIT, STARTTLS with argument */
	SMTP_FAULT_NO_FROM,	      /* MAIL without "FROM:" */
	SMTP_FAULT_NO_TO,	      /* RCPT without "TO:" */
	SMTP_FAULT_PATH_BRACKETS,     /* address not in <> */
	SMTP_FAULT_BAD_SENDER,
	SMTP_FAULT_BAD_RECIPIENT,
	SMTP_FAULT_SENDER_UNQUALIFIED,
	SMTP_FAULT_RECIPIENT_UNQUALIFIED,
	SMTP_FAULT_SENDER_TOO_LONG,
	SMTP_FAULT_RECIPIENT_TOO_LONG,
	SMTP_FAULT_SENDER_NOT_ASCII,	/* 8-bit without SMTPUTF8 */
	SMTP_FAULT_RECIPIENT_NOT_ASCII, /* 8-bit without SMTPUTF8 */
	SMTP_FAULT_BAD_UTF8,
	SMTP_FAULT_TRAILING_TEXT,     /* something sticks to the path, or a parameter is malformed */
	SMTP_FAULT_UNKNOWN_PARAMETER, /* also one whose extension is not offered */
	SMTP_FAULT_REPEATED_PARAMETER,
	SMTP_FAULT_BAD_SIZE,
	SMTP_FAULT_BAD_BODY,
	SMTP_FAULT_BAD_RET,
	SMTP_FAULT_BAD_ENVID,
	SMTP_FAULT_BAD_AUTH,
	SMTP_FAULT_BAD_NOTIFY,
	SMTP_FAULT_BAD_ORCPT,
	SMTP_FAULT_UNWANTED_VALUE, /* SMTPUTF8=x */
	SMTP_FAULT_COUNT
};

struct smtp_fault_reply {
	int code;
	const char *status; /* enhanced status */
	const char *text;
};
/* For every fault but SMTP_FAULT_NONE. */
const struct smtp_fault_reply *smtp_fault_reply(enum smtp_fault fault);

enum smtp_extension { /* bits: what our EHLO offered, or what the peer's did */
	SMTP_EXT_SIZE = 1,
	SMTP_EXT_8BITMIME = 2,
	SMTP_EXT_SMTPUTF8 = 4,
	SMTP_EXT_DSN = 8,
	SMTP_EXT_AUTH = 16,
	SMTP_EXT_PIPELINING = 32,
	SMTP_EXT_ENHANCEDSTATUSCODES = 64,
	SMTP_EXT_STARTTLS = 128,
	SMTP_EXT_CHUNKING = 256,
};

struct smtp_command {
	enum smtp_verb verb;
	struct slice word; /* as sent */
	struct slice args; /* without blanks at either end; for the others than MAIL and RCPT checked */
};
struct smtp_mail {
	struct address from; /* null: address_is_null() */
	uint64_t size;	     /* octets announced; 0 = not given */
	enum body_type body;
	enum ret ret;
	struct slice envid; /* xtext; empty = not given */
	struct slice auth;  /* xtext or "<>"; empty = not given */
	bool smtputf8;
};
struct smtp_rcpt {
	struct address to;
	unsigned notify;    /* enum notify */
	struct slice orcpt; /* "type;xtext"; empty = not given */
};

/* line: without its CRLF. An unknown verb is no fault of this function. */
MUST_USE enum smtp_fault smtp_command_parse(struct slice line, struct smtp_command *out);
/* args of MAIL and RCPT; extensions: those offered; path_flags: ADDRESS_UNQUALIFIED or 0. */
MUST_USE enum smtp_fault smtp_mail_parse(
	struct slice args, unsigned extensions, unsigned path_flags, struct smtp_mail *out);
/* has_smtputf8: the transaction's MAIL carried SMTPUTF8. */
MUST_USE enum smtp_fault smtp_rcpt_parse(struct slice args, unsigned extensions, unsigned path_flags,
	bool has_smtputf8, struct smtp_rcpt *out);

/* The client's side: the whole line with CRLF; parameters only where the peer's extensions have them. */
void smtp_mail_append(const struct smtp_mail *mail, unsigned extensions, struct buf *out);
void smtp_rcpt_append(const struct smtp_rcpt *rcpt, unsigned extensions, struct buf *out);
/* One line of the peer's EHLO reply ("SIZE 1000"): its bit or 0; *size_out only for SIZE with a number. */
unsigned smtp_extension_parse(struct slice line, uint64_t *size_out);
