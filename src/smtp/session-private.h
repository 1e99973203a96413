/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session-private.h - the parts of a session, for session.c, dialogue.c, transaction.c and content.c alone
 *
 * Layer: role smtp. Tests: test_relay.c, test_lmtp.c.
 */
#pragma once
#include "mail/dot.h"
#include "mail/reply.h"
#include "net/connection.h"
#include "net/hosts.h"
#include "smtp/capabilities.h"
#include "smtp/next_hop.h"
#include "smtp/session.h"

#define OUT_FLUSH (64 * 1024) /* bytes gathered before they are sent */

/* Where the dialogue stands: whose reply is read next. */
enum phase {
	PHASE_IDLE,	/* none: no connection yet, or between jobs */
	PHASE_GREETING, /* connected; the server speaks first */
	PHASE_EHLO,	/* or LHLO (RFC 2033 4.1) */
	PHASE_HELO,	/* the server did not understand EHLO */
	PHASE_MAIL,	/* from here to BODY several may be under way (PIPELINING) */
	PHASE_RCPT,
	PHASE_DATA,
	PHASE_BODY, /* content is sent, then the server's verdict on it; of LMTP one for each recipient */
	PHASE_RSET, /* after a transaction that ended without content */
	PHASE_QUIT,
	PHASE_COUNT
};

/* One MAIL, its RCPTs, one content. */
struct transaction {
	struct job_rcpt **rcpts;
	size_t n, cap;
	size_t n_sent, n_answered, n_accepted; /* RCPT commands */
	size_t n_judged; /* LMTP: recipients whose verdict came, or that wait for none */
	bool is_mail_sent, is_data_sent, is_mail_refused;
	bool is_answered;      /* any reply came */
	bool is_content_begun; /* after 354 */
	bool is_content_empty; /* the server wants content that nobody should get */
	bool is_content_asked; /* queue is to send the chunk at offset */
	bool is_content_sent;  /* with the final dot: from here on the outcome is the server's to tell */
	uint64_t offset;       /* of the content, next to be sent */
	struct dot_encoder encoder;
};

struct session {
	struct relay *relay;
	struct lane *lane;
	struct list in_relay, in_lane_idle, in_idle;
	struct job *job; /* NULL between jobs */
	struct hosts_search *search;
	struct hosts_answer *hosts;
	size_t at; /* the host being tried */
	bool is_lmtp;
	uint64_t wanted_socket;	      /* 0: none */
	struct buf host_name, remote; /* "host[1.2.3.4]", with ":25" */
	struct connection *connection;
	struct reply reply;
	struct capabilities can;
	enum phase phase;
	size_t n_unanswered; /* replies owed to us */
	size_t n_mails;	     /* transactions begun on this connection */
	bool saw_temporary;  /* a host failed in a way that may pass */
	bool was_reached;    /* a host was ready to take mail: what went wrong since concerns this mail */
	bool is_reading, is_over;
	bool is_last_mail; /* the server sent something unasked: no further mail on this connection */
	struct transaction transaction;
};

/* Why a host is given up. */
struct failure {
	bool is_permanent;
	bool is_unreachable; /* it concerns every mail to the destination */
	const char *status;
	struct slice reason;
};

/* session.c */
void session_free(struct session *s); /* after session_end() */
void session_end(struct session *s);  /* closes; memory goes when nothing reads any more */
void session_host_failed(struct session *s, const struct failure *why);
void session_connect(struct session *s);  /* to the host being tried, anew */
void session_job_over(struct session *s); /* the job has all its results */
void session_log(const struct session *s, const char *what);

/* dialogue.c */
extern const struct connection_hooks dialogue_hooks;
void dialogue_start(struct session *s);			  /* a connection is being opened */
void dialogue_await(struct session *s, enum phase phase); /* says whose reply comes next, sets the deadline */
void dialogue_send(struct session *s, enum phase phase, const char *command);
void dialogue_confused(struct session *s, const char *what); /* a reply that can not be */
void dialogue_host_refused(struct session *s, const struct reply *reply);
/* "host X said: ... (in reply to RCPT TO command)" */
void dialogue_describe(const struct session *s, const struct reply *reply, struct buf *out);

/* transaction.c */
void transaction_begin(struct session *s);   /* the next of the job's recipients, or the job is over */
void transaction_abandon(struct session *s); /* recipients without a result are open again */
void transaction_fail(struct session *s, const struct reply *reply); /* for all that have no result */
void transaction_go_on(struct session *s);    /* the connection can take more content or commands */
void transaction_finished(struct session *s); /* in step again: the next one, or the job is over */
void mail_accepted(struct session *s, const struct reply *reply);
void mail_refused(struct session *s, const struct reply *reply);
void rcpt_accepted(struct session *s, const struct reply *reply);
void rcpt_refused(struct session *s, const struct reply *reply);
void data_accepted(struct session *s, const struct reply *reply);
void data_refused(struct session *s, const struct reply *reply);
void rcpt_finish_by_reply(struct session *s, struct job_rcpt *rcpt, const struct reply *reply);

/* content.c */
void content_send(
	struct session *s); /* what is at hand and there is room for; the verdict's time begins anew */
void body_accepted(struct session *s, const struct reply *reply);
void body_refused(struct session *s, const struct reply *reply);
