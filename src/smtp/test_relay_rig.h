/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_relay_rig.h - a relay between a queue that the test speaks for and a server that answers as it is told
 *
 * Only for tests of the smtp role. Everything is in one process and one loop; time-outs are a second.
 */
#pragma once
#include "config/mailbox_transport.h"
#include "mail/envelope_options.h"
#include "smtp/relay.h"
#include "smtp/test_server.h"
#include "support/test.h"

#define RIG_CHUNK 65536 /* bytes of content that queue sends at a time */

struct relay_rig {
	uv_loop_t *loop;
	struct server server;
	struct relay relay;
	struct config *config;
	struct channel *queue_end, *smtp_end;
	struct buf heard; /* by queue: "RCPT OUTCOME STATUS REASON (REMOTE)" lines */
	size_t n_done, n_asked;
	enum job_outcome last_outcome;
	bool answers_more;   /* queue sends content that is asked for */
	size_t n_sockets;    /* that were wanted of the supervisor; they lead to the server */
	int socket_error;    /* why it opens none; 0: it does */
	bool keeps_sockets;  /* it does not answer */
	uint64_t wanted[32]; /* numbers to be answered */
	size_t n_wanted;
};
extern struct relay_rig rig;
extern const struct server_manners rig_good_server;

struct rig_job {
	const char *destination, *reverse_path;
	const char *rcpts; /* separated by blanks; "address|trail line^user|trail line" */
	struct slice content;
	bool smtputf8;
	uint8_t body, notify;
	const char *envid, *orcpt;
};

int rig_set_up_group(void **state);
int rig_tear_down_group(void **state);
int rig_tear_down(void **state); /* of one test: what it left when it failed */

/* extra: lines behind [smtp]. */
void rig_start(const char *extra);
void rig_stop(void); /* everything that was opened must go */
void rig_turn(void); /* of the loop; sockets that are wanted are given */
void rig_send_rcpts(uint64_t job, const struct rig_job *row, struct slice rcpts);
void rig_send_job(uint64_t job, const struct rig_job *row);
void rig_await_done(size_t n_jobs);
/* Starts, and has one job done. */
void rig_run_one(const struct server_manners *first, const struct server_manners *later, const char *extra,
	const struct rig_job *row);
/* Starts, and has one small job for that destination done; no server is prepared for it. */
void rig_run_to(const char *destination);
/* Each line of want is found in the line of got at the same place; equally many lines. */
void rig_assert_lines(struct slice got, const char *want);

#define RIG_TEST(name) cmocka_unit_test_teardown(name, rig_tear_down)
