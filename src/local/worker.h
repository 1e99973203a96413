/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.h - the process that delivers one user's mail, as that user
 *
 * Looks the user up itself, gives up root for good, and then reads ~/.forward and writes the mailbox. Never
 * executes anything, never sees another user's mail, holds no descriptor but its channel and the mail
 * directory. Jobs arrive in one loop and are gathered: everything that is complete is written under one lock
 * and covered by one sync. Of mails with more than one chunk it asks for a few at a time. Layer: local.
 * Tests: test_local.c, test_refusals.c, test_privileges.c.
 */
#pragma once
#include "base/list.h"
#include "base/userdb.h"
#include "ipc/channel.h"
#include "local/client.h"
#include "local/forward.h"
#include "local/mailbox.h"
#include "local/nursery.h"

/* A mail for this user, as it comes in. */
struct worker_job {
	struct list in_jobs; /* incomplete ones, then the ready ones in order */
	uint64_t id, queue_id, size;
	enum dry_run dry_run;
	uid_t asker; /* of a dry run */
	uint32_t n_rcpts_missing, n_open;
	struct slice reverse_path, envid;
	struct client client;
	struct arena strings;
	struct buf content;
	struct list rcpts;
	bool is_fetched; /* counted in the worker's fetched_bytes until the job is freed */
};

/* One of its recipients. */
struct worker_rcpt {
	struct list in_job; /* until it is taken into a batch */
	struct list in_batch;
	struct worker_job *job;
	uint32_t number;
	unsigned flags; /* enum rcpt_flags */
	struct slice forward_path, original, trail, origin;
	struct mbox_text text;
	int outcome; /* of the mailbox: enum mailbox_outcome or negative errno; 0: none yet */
};

enum batch_state {
	BATCH_NONE,    /* nothing to do */
	BATCH_LOCKING, /* waits for the mailbox's locks */
	BATCH_SYNCING, /* written; waits for local to sync, or to say who does */
};

struct worker {
	uv_loop_t loop;
	struct channel *local;
	const struct config *config;
	struct userdb_user user;
	struct forward_user forward_user;
	enum worker_branch branch;
	char mailbox_dir[PATH_MAX]; /* where the mailbox lies, and its name there */
	const char *mailbox_name;
	char maildir[PATH_MAX];		/* the user's Maildir instead, when that is the setting; else empty */
	struct forward mailbox_command; /* what local.mailbox_command makes of a mailbox delivery */
	int mail_dir, mail_dir_error;	/* -1 and why */
	struct list jobs, ready;
	size_t n_fetching;	/* incomplete ones whose next chunk was asked for */
	uint64_t fetched_bytes; /* sizes of those that are or were fetched, until they are freed */
	bool is_over;		/* local is gone */

	enum batch_state state;
	uint64_t batch_number, lock_deadline_ms, lock_pause_ms;
	struct list batch; /* struct worker_rcpt: written together; of an errand: what has not begun */
	uint64_t planned;
	struct mailbox mailbox;
	uv_timer_t lock_timer;
};

/* The life of a worker, as nursery_start() wants it. */
int worker_life_main(const struct worker_birth *birth);

/* ---- worker_birth.c ---- */
/* Everything up to the point where mail may come; an enum user_outcome, or negative errno. */
MUST_USE int worker_be_born(struct worker *w, const struct worker_birth *birth);

/* ---- batch.c: what is delivered together ---- */
void batch_init(struct worker *w);
/* Does what can be done now: takes ready mails, tries the locks, writes. */
void batch_step(struct worker *w);
/* The sync's outcome; r: 0 or negative errno. */
void batch_synced(struct worker *w, uint64_t number, int r);
/* "Sync it yourself." */
void batch_sync_self(struct worker *w, uint64_t number);
/* Local is gone: what is written is synced and kept, its locks are given back. */
void batch_abandon(struct worker *w);

/* ---- worker.c: answers ---- */
void worker_result(struct worker *w, struct worker_rcpt *r, enum job_outcome outcome, const char *status,
	const char *reason);
void worker_forward(struct worker *w, struct worker_rcpt *r, const struct forward *f);
/* Builds r->text; false: there is no memory for it, and r has been deferred. */
MUST_USE bool worker_text(struct worker *w, struct worker_rcpt *r, enum mbox_style style);
/* r->text, of MBOX_STYLE_MAILDIR, into that Maildir: as maildir_deliver(). */
MUST_USE int worker_maildir(const struct worker *w, const struct worker_rcpt *r, const char *path);
/* Answers mail that was here before, or was forwarded too often; true then, and r is gone. */
MUST_USE bool worker_refuses_loop(struct worker *w, struct worker_rcpt *r);
