/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_rig.h - the real queue role in a process of its own; the test is its supervisor and all its peers
 *
 * By default lookup and the deliverers answer by themselves: from the test's tables, else each address of
 * localhost or without a domain is a user, each other one is remote, and all is delivered. A test that sets
 * is_manual gives the answers itself. Layer: tests of queue.
 */
#pragma once
#include "support/role_process.h"

#define RIG_LEAVES 4
#define RIG_RCPTS 8

struct rig_leaf {
	uint8_t kind, flags; /* kind 0 ends a table */
	const char *address, *destination, *owner, *status, *reason;
};
struct rig_route { /* what lookup says of an address */
	const char *address;
	struct rig_leaf leaves[RIG_LEAVES];
};
struct rig_forward {
	uint8_t kind, flags; /* kind 0 ends a table */
	const char *address;
};
struct rig_end { /* what a deliverer says of a forward-path */
	const char *address;
	uint8_t outcome; /* enum job_outcome */
	const char *status;
	struct rig_forward forwards[RIG_LEAVES];
};

struct rig_question {
	uint64_t request;
	uint8_t flags;
	bool is_answered;
	char address[128], trail[256];
};
struct rig_job {
	enum role to;
	uint64_t job, queue_id, size;
	char destination[64], reverse_path[128], client[128]; /* client: "address name helo protocol login" */
	uint32_t n_rcpts, n_known;
	struct rig_job_rcpt {
		uint32_t rcpt;
		uint8_t kind, flags;
		char address[128], user[64], trail[256];
	} rcpts[RIG_RCPTS];
	struct buf content;
	bool is_ended;
};
struct rig_result {
	uint64_t mail, queue_id;
	uint16_t code;
};

struct rig {
	char dir[64];
	char settings[500]; /* lines of [queue] and sections that follow it */
	pid_t pid;
	uv_loop_t *loop;
	struct channel *control, *peers[ROLE_COUNT];
	bool is_ready, is_gone;
	uint64_t next_id, id_end, next_mail;
	/* The tables end with an address of NULL; NULL: empty. */
	const struct rig_route *routes;
	const struct rig_end *ends;
	bool routes_manual, jobs_manual, content_manual;
	struct rig_question *questions;
	size_t n_questions;
	struct rig_job *jobs;
	size_t n_jobs;
	struct rig_result *results;
	size_t n_results;
	struct buf log;
};

/* First in main(): the role's exit status when this process is to be the role, else -1. */
int rig_main(int argc, char **argv);
void rig_init(struct rig *rig, const char *lines);
void rig_deinit(struct rig *rig);
/* With all peers, ready to take mail. */
void rig_start(struct rig *rig);
void rig_start_alone(struct rig *rig); /* ready, without peers but the log */
void rig_connect(struct rig *rig, enum role role);
void rig_disconnect(struct rig *rig, enum role role); /* as when it dies */
void rig_reload(struct rig *rig, const char *lines);
void rig_kill(struct rig *rig); /* -9 */
int rig_stop(struct rig *rig);	/* STOP; its exit status */
/* A mail in the spool of a queue that does not run: so old, tried so often. Its queue id. */
uint64_t rig_seed(struct rig *rig, uint64_t age_s, uint32_t attempts, const char *from, const char *to);

const char *rig_path(const struct rig *rig, const char *name); /* in one static buffer */
void rig_turn(struct rig *rig);				       /* one turn of the loop, at most 20 ms */
void rig_pause(struct rig *rig, unsigned ms);
_Noreturn void rig_fail(struct rig *rig, const char *what, unsigned line);
uint64_t rig_now(void);
#define RIG_WAIT_MS 20000
#define rig_wait(rig, condition)                                                                             \
	do {                                                                                                 \
		for (uint64_t start_ = rig_now(); !(condition); rig_turn(rig))                               \
			if (rig_now() - start_ > RIG_WAIT_MS)                                                \
				rig_fail(rig, #condition, __LINE__);                                         \
	} while (0)

struct rig_mail {
	const char *from;
	const char *to[RIG_RCPTS]; /* NULL-ended */
	uint8_t notify;
	size_t size;	    /* of the body; 0: a line */
	const char *header; /* NULL, or whole lines */
	uint64_t queue_id;  /* 0: the next of the lease */
};
/* Hands it over by smtpd; the queue id. */
uint64_t rig_send(struct rig *rig, const struct rig_mail *mail);
/* One mail to r0@domain, r1@domain and so on. */
uint64_t rig_send_list(struct rig *rig, size_t n, const char *domain);
uint16_t rig_code(const struct rig *rig, size_t i);		   /* of the i-th result */
uint64_t rig_accept(struct rig *rig, const struct rig_mail *mail); /* and waits for 250 */

/* Manual answers. */
void rig_answer(struct rig *rig, struct rig_question *q); /* as by itself */
/* The i-th question about address, counted from 0; NULL when it was not asked (yet). */
struct rig_question *rig_asked(struct rig *rig, const char *address, size_t i);
/* The i-th job with that forward-path. */
struct rig_job *rig_job(struct rig *rig, const char *address, size_t i);
size_t rig_n_asked(struct rig *rig, const char *address);
size_t rig_n_jobs(struct rig *rig, const char *address);
uint32_t rig_rcpt(const struct rig_job *j, const char *address);
void rig_say(struct rig *rig, const struct rig_job *j, const char *address, enum job_outcome outcome,
	const char *status);
void rig_done(struct rig *rig, struct rig_job *j);
void rig_end(struct rig *rig, struct rig_job *j); /* as by itself: results and done */

/* How often. A line under another name than the role's begins with that. */
size_t rig_logged(struct rig *rig, const char *text);
bool rig_contains(const struct buf *text, const char *part);
/* Says it over the control socket; the exit code. id 0: no argument. */
int rig_act(struct rig *rig, enum queue_action action, uint64_t id);
/* mailq: "from state" and "to status attempts reason next TIME" in lines. The caller's to free. */
struct buf rig_list(struct rig *rig);
