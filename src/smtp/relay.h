/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay.h - the SMTP client without its process: jobs come in, lanes and sessions carry them out
 *
 * Knows no role skeleton, so that tests can run it in a loop of their own. Layer: role smtp.
 * Tests: test_relay*.c, test_lmtp.c.
 */
#pragma once
#include "base/list.h"
#include "base/table.h"
#include "config/config.h"
#include "ipc/channel.h"
#include "net/dns.h"

struct relay {
	uv_loop_t *loop;
	const struct config *config; /* the owner replaces it on reload */
	struct dns *dns;
	struct table jobs;  /* by number */
	struct table lanes; /* by destination */
	struct list all_jobs;
	struct list sessions; /* all of them */
	struct list idle;     /* sessions without a job; the longest idle first */
	struct list starved;  /* lanes whose jobs wait because of smtp.max_connections */
	size_t n_sessions, n_idle;
	bool is_stopping;
	/* The socket of local.mailbox_transport is to be opened by who may; relay_socket_came() answers
	 * later. */
	void (*want_socket)(struct relay *relay, uint64_t number);
	uint64_t last_socket;
	void (*on_stopped)(struct relay *relay); /* after relay_stop(): the last session is gone */
	void *user;
};

void relay_init(struct relay *relay, uv_loop_t *loop, const struct config *config, struct dns *dns);
/* Everything is dropped; connections close in the loop's next turn. */
void relay_deinit(struct relay *relay);

/* What queue says. A message that fits no job is ignored: the job may have ended meanwhile. */
void relay_job_begin(struct relay *relay, struct channel *queue, const struct msg_JOB_BEGIN *m);
void relay_job_rcpt(struct relay *relay, const struct msg_JOB_RCPT *m);
void relay_job_content(struct relay *relay, const struct msg_JOB_CONTENT *m);
void relay_job_cancel(struct relay *relay, const struct msg_JOB_CANCEL *m);
/* What was wanted under that number: a connected descriptor (taken), or negative errno. */
void relay_socket_came(struct relay *relay, uint64_t number, int fd);
/* What is connected by settings of before carries no further mail. */
void relay_reload(struct relay *relay, const struct config *config);
/* queue is gone: its jobs are dropped, connections close. */
void relay_drop_all(struct relay *relay);
/* Only what a server may have taken over already is waited for; then on_stopped, also from inside. */
void relay_stop(struct relay *relay);
