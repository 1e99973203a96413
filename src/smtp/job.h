/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.h - one delivery attempt that queue gave us: envelope, recipients, and the part of the content at hand
 *
 * Content is never held whole: the first chunk stays (a second host or transaction needs it again), of what
 * follows one chunk at a time is asked for. Each recipient gets exactly one result, then JOB_DONE follows.
 * Layer: role smtp. Tests: test_relay*.c.
 */
#pragma once
#include "base/arena.h"
#include "base/list.h"
#include "base/table.h"
#include "ipc/channel.h"

/* Addresses of a job's recipients; queue sends no more than smtp.max_recipients or so at a time. */
#define JOB_ARENA_MAX (16 * 1024 * 1024)
#define JOB_RCPTS_MAX 10000 /* the largest smtp.max_recipients */

enum job_rcpt_state {
	JOB_RCPT_OPEN,		 /* to be tried */
	JOB_RCPT_IN_TRANSACTION, /* named to a server, or about to be */
	JOB_RCPT_ACCEPTED,	 /* by the server, in the transaction under way */
	JOB_RCPT_DONE,		 /* queue has its result */
};

struct job_rcpt {
	uint32_t number; /* queue's */
	enum job_rcpt_state state;
	uint8_t notify;
	struct slice forward_path, orcpt;
	struct slice original;	/* the address that we were given; empty: not to be told */
	struct slice forwarded; /* the trail behind its first step: a Delivered-To field for each */
};

struct lane;
struct session;

struct job {
	struct table_node node; /* in the relay's jobs */
	struct list in_relay;
	struct list in_lane;	 /* waits there */
	struct lane *lane;	 /* while it waits */
	struct session *session; /* NULL: it waits */
	struct channel *queue;
	uint64_t id, queue_id, size;
	uint64_t begun_us, taken_us, mail_us; /* monotonic; a session began with it, said MAIL; 0: not yet */
	struct arena arena;
	struct slice destination, reverse_path, envid;
	uint8_t ret, body;
	bool smtputf8, is_ready;
	struct job_rcpt *rcpts;
	size_t n_rcpts;	  /* announced */
	size_t n_here;	  /* received */
	size_t n_open;	  /* without a result */
	struct buf first; /* content from its beginning */
	struct buf chunk; /* a later part */
	uint64_t chunk_offset;
};

enum job_status {
	JOB_OK = 0,
	JOB_NO_MEMORY, /* or more recipients than JOB_RCPTS_MAX: try again later */
	JOB_BAD,       /* does not fit what was announced: queue is confused */
};

/* NULL when it is too large; queue is the channel for its results. */
struct job *job_new(struct channel *queue, const struct msg_JOB_BEGIN *m);
void job_free(struct job **job); /* also drops what has no result yet */
MUST_USE enum job_status job_add_rcpt(struct job *job, const struct msg_JOB_RCPT *m);
MUST_USE enum job_status job_add_content(struct job *job, const struct msg_JOB_CONTENT *m);
/* Every recipient and the first chunk are here. */
bool job_is_complete(const struct job *job);

/* What is at hand from offset on; empty: ask for it. */
struct slice job_content_at(const struct job *job, uint64_t offset);
void job_ask_content(struct job *job, uint64_t offset);
/* Octets on the wire (RFC 1870); exact when the first chunk is all, otherwise extrapolated from its lines. */
uint64_t job_wire_size(const struct job *job);
bool job_has_8bit(const struct job *job);	 /* in the first chunk; true when there is more */
bool job_header_has_8bit(const struct job *job); /* within the first chunk */

/* A session begins with it; its MAIL leaves: for the times that results tell. */
void job_taken(struct job *job);
void job_mailed(struct job *job);

struct job_result {
	enum job_outcome outcome;
	const char *status;
	struct slice reason, remote;
};
void job_rcpt_finish(struct job *job, struct job_rcpt *rcpt, const struct job_result *result);
/* All recipients without a result get this one. */
void job_finish_open(struct job *job, const struct job_result *result);
