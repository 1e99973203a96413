/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session-private.h - what session.c, commands.c and content.c share; for nobody else
 *
 * Layer: role (smtpd). Tests: test_session.c.
 */
#pragma once
#include "smtpd/session.h"

/* What became of an attempt to go on. */
enum session_step {
	STEP_DONE,	  /* something was worked on; there may be more */
	STEP_NEEDS_INPUT, /* the client's turn */
	STEP_WAITS,	  /* another role's turn, or the client must read first */
};

/* ---- session.c ---- */

/* The one place where the state changes. */
void session_enter(struct session *s, enum session_state state);
/* The reply to a command: counted for the log, errors against their limit. */
void session_reply(struct session *s, enum smtp_verb verb, int code, const char *status, struct slice text);
void session_refuse(struct session *s, enum smtp_verb verb, const struct refusal *why);
/* One error more; too many end the session. */
void session_count_error(struct session *s);
/* Without a command behind it: greeting, 354. */
void session_say(struct session *s, int code, const char *status, struct slice text);
/* 421 and similar: said whatever the client asked, and the last thing said. */
void session_finish(struct session *s, int code, const char *status, const char *text);
/* "unknown[192.0.2.1]" */
#define CLIENT_FMT "unknown[%s]"
/* In Postfix's words; id 0: NOQUEUE; NO_PATH where it is not known, or is about no single recipient. */
#define NO_PATH ((struct slice){ NULL, 0 })
void session_log_reject(const struct session *s, uint64_t id, const char *stage, const struct refusal *why,
	struct slice from, struct slice to);
/* Text of another role becomes part of a refusal; one that makes no sense becomes a temporary one. The text
 * is the caller's to mem_free. */
struct refusal refusal_from_role(unsigned code, struct slice status, struct slice text, char **text_out);

/* ---- commands.c ---- */

/* One command line, without the LF that ended it; more_follows: the client has sent something behind it
 * already. False: not its turn yet, nothing was done. */
MUST_USE bool session_command(struct session *s, struct slice line, bool more_follows);
/* Replies to those RCPT commands at the front whose verdict is there. */
void session_answer_due(struct session *s);
/* Forgets all that are due. */
void session_drop_due(struct session *s);
void rcpt_free(struct session_rcpt **r);

/* ---- content.c ---- */

/* DATA: 354, or a refusal. */
void content_begin(struct session *s);
/* Takes content from the front of *rest. */
enum session_step content_step(struct session *s, struct slice *rest);
/* Ends the transaction, and what queue has of it. */
void transaction_abort(struct session *s);
/* Ends the transaction; queue keeps what it has. */
void transaction_free(struct session *s);
