/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job.h - what queue gave local to deliver: a job, cut into parts, one part per user
 *
 * The parent neither reads nor changes the content; it keeps the first chunk, so that a mail of the usual
 * size can be given to a second worker when the first one dies. Layer: local. Tests: test_local.c,
 * test_load.c.
 */
#pragma once
#include "base/arena.h"
#include "base/list.h"
#include "base/table.h"
#include "ipc/channel.h"
#include "local/client.h"

struct pool_worker;

struct job {
	struct list in_all;
	struct table_node node;
	struct channel *queue; /* NULL: it is gone, or took the job back; results are nobody's */
	uint64_t id, queue_id, size, begun_us; /* monotonic */
	uint8_t dry_run;		       /* enum dry_run */
	uint32_t asker;
	struct slice reverse_path, envid;
	struct client client;
	struct arena strings;
	struct buf first; /* first chunk of the content */
	uint32_t n_rcpts, n_got, n_open;
	bool has_first, is_refused;
	uint64_t asked;	   /* offset that queue was asked for; 0: nothing is on its way */
	struct list rcpts; /* struct job_rcpt.in_owner: until the job is cut into parts */
	struct list parts;
};

struct job_rcpt {
	struct list in_owner; /* of the job, then of the part */
	uint32_t number;
	uint8_t kind, flags, notify; /* enum leaf_kind, enum rcpt_flags */
	struct slice user, forward_path, original, orcpt, trail, origin;
};

/* The recipients of one job that are one user's: what a worker knows as a job. */
struct part {
	struct list in_job, in_worker;
	struct table_node node;
	uint64_t id; /* towards the worker */
	struct job *job;
	struct pool_worker *worker;
	struct list rcpts;	 /* without a result */
	struct channel *sent_to; /* the worker's; NULL: no worker has it */
	bool was_lost;		 /* a worker that had it died */
	uint64_t wanted;	 /* offset of the chunk that its worker asked for; 0: none */
};

void job_table_init(void);
size_t job_count(void);
struct job *job_find(uint64_t id);
/* NULL: a job of that number is there already. */
struct job *job_begin(struct channel *queue, const struct msg_JOB_BEGIN *m);
/* NULL: more recipients than announced, or more text than fits. */
struct job_rcpt *job_add(struct job *job, const struct msg_JOB_RCPT *m);
/* Sends the recipient's result to queue and forgets the recipient. */
void job_result(struct job *job, struct job_rcpt *r, const struct msg_JOB_RESULT *m);
void job_defer(struct job *job, struct job_rcpt *r, const char *status, const char *reason);
/* Says JOB_DONE and frees the job when every recipient has had its result; true then. */
bool job_finish(struct job *job);
/* The queue is gone, or does not want it any more. */
void job_orphan(struct job *job);
void job_orphan_all(struct channel *queue);

struct part *part_new(struct job *job, struct pool_worker *worker);
struct part *part_find(uint64_t id);
struct job_rcpt *part_rcpt(struct part *part, uint32_t number);
/* Frees the part when its recipients have all had their results, its job with the last part; true then. */
bool part_finish(struct part *part);
/* The same result for all its recipients; frees it. */
void part_answer(struct part *part, enum job_outcome outcome, const char *status, const char *reason);
/* The worker that had it is gone: nobody knows what became of it. */
void part_lost(struct part *part);
/* Gives the whole part to a worker. */
void part_send(struct part *part, struct channel *worker);
/* Its worker asks for more; and what came. */
void part_more(struct part *part, uint64_t offset);
/* Its worker can take more again, after congestion. */
void part_resume(struct part *part);
void job_chunk(struct job *job, uint64_t offset, struct slice chunk);
