/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsn.h - delivery status notifications: bounce, delay warning, success report (RFC 3461, 6522, 3464, 6533)
 *
 * Builds the whole message, header included, with LF line ends. Whether one is sent, and to whom, is queue's
 * decision. Whatever is given, it cannot add a field or a part. Layer: mail. Tests: test_dsn.c, fuzz_dsn.c.
 */
#pragma once
#include "base/buf.h"
#include "mail/envelope_options.h"

#define DSN_ORIGINAL_MAX 50000 /* octets of the original that are returned by default */

enum dsn_kind {		/* decides the subject and the explanation */
	DSN_FAILURE,	/* Undelivered Mail Returned to Sender */
	DSN_DELAY,	/* Delayed Mail (still being retried) */
	DSN_SUCCESS,	/* Successful Mail Delivery Report */
	DSN_POSTMASTER, /* Postmaster Copy: Undelivered Mail; the whole original, which nobody else has */
	DSN_KIND_COUNT
};
enum dsn_action {
	DSN_ACTION_FAILED,
	DSN_ACTION_DELAYED,
	DSN_ACTION_DELIVERED,
	DSN_ACTION_RELAYED,
	DSN_ACTION_EXPANDED,
	DSN_ACTION_COUNT
};
enum dsn_diagnostic {		  /* whose words `said` are: the type of Diagnostic-Code */
	DSN_DIAGNOSTIC_POSTRIDER, /* our own */
	DSN_DIAGNOSTIC_SMTP,	  /* the remote host's reply */
	DSN_DIAGNOSTIC_UNIX,	  /* how a command ended, and its output */
	DSN_DIAGNOSTIC_COUNT
};

struct dsn_recipient {
	struct slice address;  /* final recipient */
	struct slice original; /* as the sender gave it, when it differs; empty otherwise */
	struct slice orcpt;    /* "type;xtext"; empty: Original-Recipient is made from original */
	enum dsn_action action;
	struct slice
		status; /* "5.1.1"; empty: the action's general one. Its class is made that of the action. */
	struct slice reason; /* what happened, in one line for people */
	struct slice said;   /* what of it stands in Diagnostic-Code; empty: reason */
	enum dsn_diagnostic diagnostic;
	struct slice remote_mta; /* "name[address]"; empty: none */
	int64_t last_attempt_s,
		retry_until_s; /* 0: not said; the second, when we give up, for delayed ones */
};
struct dsn_facts {
	enum dsn_kind kind;
	struct slice host;   /* ours */
	struct slice origin; /* domain of MAILER-DAEMON@ */
	struct slice to;     /* who gets it: the original sender, or postmaster */
	uint64_t queue_id;   /* of the notification itself, for Message-ID and boundary */
	uint64_t original_queue_id;
	struct slice sender; /* original reverse-path; empty: null */
	struct slice envid;  /* xtext; empty: none */
	int64_t arrival_s, now_s;
	enum ret ret;		/* RET_HDRS: header only */
	size_t original_max;	/* octets returned; 0: DSN_ORIGINAL_MAX. The header is always whole. */
	uint64_t original_size; /* of the whole original, when *original holds less; 0: all is there */
	struct slice original;	/* header and body, or as much as is at hand; empty: it cannot be read */
	bool smtputf8;		/* the original was sent with SMTPUTF8: its 8-bit characters are UTF-8 */
	const struct dsn_recipient *recipients;
	size_t n_recipients;
};
/* Check buf_ok(out) afterwards. The header has 8-bit characters only when facts->to has. */
void dsn_build(const struct dsn_facts *facts, struct buf *out);
