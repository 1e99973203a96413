/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - one SMTP session: bytes of the client in, replies and messages to queue and lookup out
 *
 * Knows no socket and no clock but the times it is given; what it needs of others it asks through
 * struct session_hooks. Replies leave in the order of the commands; RCPT commands that come together are
 * checked together. A mail is handed to queue from its first content on, and 250 is said only when queue says
 * that it is on stable storage. The files: session.c (input, states, replies), commands.c (the verbs),
 * content.c (DATA). Layer: role (smtpd). Tests: test_session.c, fuzz/fuzz_smtpd_session.c.
 */
#pragma once
#include "base/table.h"
#include "config/config.h"
#include "ipc/message.h"
#include "mail/dot.h"
#include "mail/smtp_command.h"
#include "smtpd/deadlines.h"
#include "smtpd/hops.h"
#include "smtpd/networks.h"

/* RCPT commands of one session that await their verdict together: enough for any flight of a client, little
 * enough that one session does not take all of lookup. */
#define SESSION_OVERLAP_MAX 50
/* Unsent replies above which no further command is looked at, and unread input above which the shell stops
 * reading: a client that sends and never reads costs no more than this. */
#define SESSION_OUT_HIGH (16 * 1024)
#define SESSION_IN_HIGH (16 * 1024)
/* One line of content. RFC 5321 4.5.3.1.6 obliges us to 998 only, but real mail has long lines of HTML, and
 * what is relayed is broken by the client side; a line beyond this is no text. */
#define SESSION_LINE_MAX (1024 * 1024)
/* NOOP, RSET, VRFY, EXPN and HELP without a mail between them; those beyond count as errors. */
#define SESSION_IDLE_COMMANDS_MAX 100

enum session_state {
	SESSION_STATE_GREETED = 1,  /* 220 is said; no HELO or EHLO yet */
	SESSION_STATE_READY = 2,    /* the client has a name; no transaction */
	SESSION_STATE_MAIL = 4,	    /* reverse-path taken; no recipient accepted */
	SESSION_STATE_RCPT = 8,	    /* at least one recipient accepted */
	SESSION_STATE_CONTENT = 16, /* 354 is said; everything up to CRLF.CRLF is content */
	SESSION_STATE_RESULT = 32,  /* the whole mail is with queue; its word is awaited */
	SESSION_STATE_CLOSING = 64, /* the last reply is written; input is read past */
	SESSION_STATE_CLOSED = 128, /* nothing more is written either */
};

/* A reply that is no yes, and why. */
struct refusal {
	int code;
	char status[12]; /* "5.999.999" and its NUL */
	const char *text;
};

struct session;

/* One RCPT command, from its check to its reply; one that was accepted stays in the transaction. */
struct session_rcpt {
	struct list in_list; /* of the session's replies that are due, then of the transaction */
	struct session *session;
	bool is_answered;
	struct refusal refusal;	   /* code 0: accepted */
	char *text;		   /* of the refusal when it is not ours; heap */
	struct slice forward_path; /* both in bytes[] */
	struct slice orcpt;
	uint8_t notify;
	char bytes[];
};

/* From MAIL to its end. */
struct transaction {
	struct list rcpts; /* accepted */
	size_t n_rcpts;
	struct smtp_mail mail; /* from, envid and auth are in bytes[] or unused */
	struct slice reverse_path, envid;
	uint64_t queue_id;     /* from DATA on */
	uint64_t queue_number; /* which of the queue processes, counted in n_queues_gone, it is from */
	struct dot_decoder dot;
	struct hops hops;
	uint64_t content_since_ms;
	const struct refusal *refused; /* what will be said at the end instead of asking queue */
	struct refusal early;	       /* refused may point here: queue said no before the end */
	char *early_text;
	uint64_t number; /* of the mail in messages to queue; 0: not begun there */
	struct table_node by_number;
	struct session *session;
	char bytes[];
};

/* What the shell does for sessions. */
struct session_hooks {
	/* Asks lookup; the answer comes by session_verdict() in a later turn. False: nobody can be asked. */
	bool (*ask_verdict)(struct session *s, struct session_rcpt *r);
	void (*forget_verdicts)(struct session *s);   /* the session ends: what it asked for is not wanted */
	uint64_t (*take_queue_id)(struct session *s); /* 0: there is none */
	/* m: struct msg_NAME of that type. False: queue is not there. */
	bool (*tell_queue)(struct session *s, enum msg_type type, const void *m);
	/* True: queue takes no more at the moment; session_proceed() is called when it does. */
	bool (*queue_is_full)(struct session *s);
	/* Something is to be written, or the state has become CLOSING or CLOSED; act at the end of this turn.
	 */
	void (*has_news)(struct session *s);
};

/* What all sessions of a process share. The shell sets now_ms before each call into a session. */
struct session_world {
	const struct session_hooks *hooks;
	const struct config *config; /* replaced on reload */
	struct networks trusted;
	struct deadlines deadlines;
	uint64_t now_ms;
	struct table mails; /* transactions that are with queue, by number */
	uint64_t last_number, n_queues_gone;
	struct buf chunk; /* decoded content on its way to queue; empty between calls */
	bool is_stopping;
};

struct session_count {
	uint32_t all, good;
};

struct session {
	struct session_world *world;
	enum session_state state;
	bool is_trusted;       /* may relay */
	bool is_esmtp;	       /* it said EHLO */
	bool is_eof;	       /* the client sends nothing more; it may still read */
	bool is_starved;       /* content waits because queue is full */
	bool is_clogged;       /* set by the shell: the client has not taken our last replies yet */
	bool is_line_too_long; /* the rest of such a command line is read past */
	uint8_t last_verb;     /* enum smtp_verb, for the log */
	uint16_t n_idle_commands;
	unsigned n_errors;
	size_t n_due;	 /* in due */
	struct list due; /* RCPT commands whose reply is due, in order; the first one is not answered yet */
	struct transaction *mail; /* NULL outside of one */
	struct buf in;		  /* what could not be worked on yet */
	struct buf out;		  /* replies; the shell takes them away */
	char *helo;		  /* heap; NULL before HELO */
	struct deadline deadline;
	struct session_count counts[SMTP_VERB_COUNT];
	struct client_address address;
	char client_ip[CLIENT_ADDRESS_TEXT_MAX];
};

/* hooks and config stay the caller's. */
void session_world_init(
	struct session_world *w, const struct session_hooks *hooks, const struct config *config);
/* Takes over another configuration: limits and times count from the next use on. */
void session_world_configure(struct session_world *w, const struct config *config);
void session_world_deinit(struct session_world *w); /* no session is left */

/* A connection was made; logs it. Then exactly one of session_greet() and session_turn_away(). */
void session_init(struct session *s, struct session_world *w, const struct client_address *client);
/* has_spoken: bytes came before our greeting: no SMTP client does that, and it is sent away. */
void session_greet(struct session *s, bool has_spoken);
enum turn_away { TURN_AWAY_TOO_MANY, TURN_AWAY_TOO_MANY_OF_CLIENT };
void session_turn_away(struct session *s, enum turn_away why);
/* Frees what the session owns, not s itself. Logs the end. Nothing of it may be called afterwards. */
void session_deinit(struct session *s);

/* Bytes of the client; what cannot be worked on yet is copied. */
void session_input(struct session *s, struct slice bytes);
void session_eof(struct session *s);
/* The connection broke; nothing can be written any more. */
void session_broken(struct session *s);
/* What stood in the way may be gone: out was written, or queue takes content again. */
void session_proceed(struct session *s);
/* The client is too slow, or queue is. Which one its deadline's kind says. */
void session_expired(struct session *s);
/* True while nothing more should be read from the client. */
bool session_has_enough(const struct session *s);

/* Lookup's answer, or NULL: none came. May end the life of r. */
void session_verdict(struct session_rcpt *r, const struct msg_RCPT_VERDICT *m);
/* Queue's word about a mail; one that nobody waits for is passed over. */
void session_result(struct session_world *w, const struct msg_MAIL_RESULT *m);
/* Queue is gone: all mails that are with it get 451. */
void session_queue_gone(struct session_world *w);
/* The role stops: a session that has no mail under way ends now, others after it. */
void session_stop(struct session *s);
