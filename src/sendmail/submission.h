/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submission.h - one mail from a command to the queue: to the daemon, or, when it does not answer, to the
 * drop directory
 *
 * submission_send() returns 0 only when the mail is on stable storage. Both ways carry the same submission
 * id, so that a mail whose answer was lost is not taken twice. submission.c puts it together,
 * submission_send.c sends it. Layer: program. Tests: tests/system/test_submission.py, fuzz/fuzz_sendmail.c.
 */
#pragma once
#include "base/buf.h"
#include "config/config.h"
#include "mail/trace.h"
#include "sendmail/options.h"

struct submission_recipient {
	struct slice address; /* qualified */
	unsigned notify;      /* RFC 3461, as in mail/envelope_options.h */
	struct slice orcpt;   /* empty: none */
};

struct submission {
	const struct config *config;
	char id[65];	     /* ours, unique */
	struct slice sender; /* qualified; empty: null */
	struct submission_recipient *rcpts;
	size_t n_rcpts, cap;
	unsigned notify; /* of the recipients that are added from now on */
	unsigned ret, body;
	bool smtputf8;
	struct slice envid;
	struct trace_client client; /* where the mail came from, in the words of a command */
	bool is_for_later;	    /* with the next run of the queue */
	bool is_awaited;	    /* submission_send() ends after the first attempt */
	char **kept;
	size_t n_kept, cap_kept;
	struct slice header, content; /* header with its blank line, then the rest */
};

void submission_init(struct submission *s, const struct config *config);
void submission_free(struct submission *s);
/* A copy that lives as long as s. */
struct slice submission_keep(struct submission *s, struct slice text);
/* Where the mail came from, and when it is to go: -oM, -p, -od. Returns a sysexits status; a bad value is
 * told. */
MUST_USE int submission_take_options(struct submission *s, const struct sendmail_options *o);
bool submission_has_8bit(struct slice s);
/* address is qualified, or empty for null. */
void submission_set_sender(struct submission *s, struct slice address);
/* Adds a recipient, with @origin when it has no domain; what else is to be said of it goes into the result,
 * which is valid until the next one. */
struct submission_recipient *submission_add(struct submission *s, struct slice local, struct slice domain);
/* Returns a sysexits status; errors are told on standard error, each with what to do. */
MUST_USE int submission_send(const struct submission *s);
