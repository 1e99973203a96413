/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rig.h - the real local role in a process of its own, with the test as its supervisor and queue
 *
 * Layer: tests of local.
 */
#pragma once
#include "support/role_process.h"

struct rig_answer {
	uint64_t job;
	uint32_t rcpt;
	uint8_t outcome; /* enum job_outcome */
	char status[16], reason[1000];
	char origin[200]; /* of the last JOB_FORWARD that has one */
	char leaves[300]; /* "kind:flags:address " of each JOB_FORWARD before it */
};

struct rig {
	char dir[64]; /* scratch: etc/users, mail/, home/, and what test_disk.c looks for */
	bool is_sandbox;
	char settings[1000]; /* further configuration text */
	pid_t pid;
	uv_loop_t *loop;
	struct channel *control, *queue;
	struct rig_answer *answers;
	size_t n_answers, n_done, max_answers;
	char leaves[300], origin[200];
	char steps[4000]; /* of dry runs: "text [file:line]" of each, a line */
	bool queue_closed;
	/* What a JOB_MORE is answered from, and those that wait for the channel to drain. */
	struct slice content;
	struct rig_question {
		uint64_t job, offset;
	} * questions;
	size_t n_questions;
	bool is_silent; /* they wait until rig_speak() */
};

/* First in main(): the role's exit status when this process is to be the role, else -1. */
int rig_main(int argc, char **argv);
/* Makes the scratch directory; users are u0 .. u(n-1), with uids from first_uid on (those of the test's own
 * process in sandbox mode). */
void rig_init(struct rig *rig, size_t n_users, uid_t first_uid, bool is_sandbox, const char *more_settings);
void rig_deinit(struct rig *rig);
void rig_start(struct rig *rig);
void rig_reload(struct rig *rig, const char *more_settings);
void rig_kill(struct rig *rig); /* -9 */
int rig_stop(struct rig *rig);	/* STOP; its exit status */
/* The usual frame of a test: two users in a sandbox, and a role that runs; it must end well. */
void rig_begin(struct rig *rig, const char *more_settings);
void rig_end(struct rig *rig);
/* Reads and writes a file below the scratch directory. */
void rig_write(struct rig *rig, const char *path, struct slice text);
struct buf rig_read(struct rig *rig, const char *path);	 /* the caller's to free; empty when it is missing */
const char *rig_path(struct rig *rig, const char *path); /* in one of several static buffers */

struct rig_mail {
	uint64_t job, queue_id;
	const char *users[8];  /* NULL-ended */
	const char *extension; /* of their addresses; NULL: none */
	unsigned flags;
	uint8_t kind; /* 0: LEAF_USER */
	const char *origin;
	struct slice content;
	enum dry_run dry_run;
	uid_t asker; /* of a dry run */
};
/* Content as smtpd would hand it in: with a Received field of that queue id. The caller's to free. */
struct buf rig_content(uint64_t queue_id, const char *more_fields, struct slice body);
/* Waits while the role has much to read. */
void rig_give(struct rig *rig, const struct rig_mail *mail);
void rig_speak(struct rig *rig);
/* Waits until so many jobs are done in all; fails the test after 20 s. */
void rig_wait_done(struct rig *rig, size_t n_done);
/* The answer to a recipient, or a failed test. */
const struct rig_answer *rig_answer(struct rig *rig, uint64_t job, uint32_t rcpt);
/* Process ids of the workers there are now. */
size_t rig_workers(struct rig *rig, pid_t *pids, size_t max);
void rig_turn(struct rig *rig); /* one turn of the loop, at most 20 ms */
void rig_turn_for(struct rig *rig, uint64_t ms);

/* A mail to user@localhost with RIG_BODY; its queue id is the job's number. */
#define RIG_BODY SLICE("Hello\nFrom the body\n")
void rig_give_simple(struct rig *rig, uint64_t job, const char *user, unsigned flags);
/* words: part of the reason. */
void rig_assert_answer(struct rig *rig, uint64_t job, uint32_t rcpt, enum job_outcome outcome,
	const char *status, const char *words);
/* The same with a Message-ID, for the item that origin refers to; its queue id is the job's number + 1000. */
void rig_give_item(
	struct rig *rig, uint64_t job, const char *user, uint8_t kind, const char *origin, unsigned flags);
/* Mail to u0, whose .forward is text, and then what its single reference says: jobs job and job + 1. */
const struct rig_answer *rig_deliver_item(struct rig *rig, uint64_t job, const char *text);
void rig_assert_has(struct rig *rig, const char *path, const char *words); /* a file, these words */
/* Mails to u0 .. u(n_users - 1) in turn, as jobs 1 .. n_mails; all must arrive. */
void rig_deliver_many(struct rig *rig, size_t n_mails, size_t n_users);
const char *rig_user(size_t i);					       /* "u0" .. "u199"; lasts */
size_t rig_size(struct rig *rig, const char *path);		       /* of a file; 0: none */
size_t rig_count(struct rig *rig, const char *path, const char *what); /* how often it is in that file */
