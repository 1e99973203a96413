/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool-private.h - what pool.c and pool_worker.c share: the pool's state, and what becomes of one worker
 *
 * Layer: local, these two files alone. Tests: see pool.h.
 */
#pragma once
#include "local/pool.h"
#include "local/rest.h"
#include "local/syncer.h"

enum worker_state {
	WORKER_WAITS,  /* no process: waits for a place */
	WORKER_STARTS, /* looks its user up, gives up root */
	WORKER_RUNS,
	WORKER_STUCK, /* was told to die and has not yet */
};

struct pool_worker {
	struct table_node node;
	struct list in_all, in_marked, in_resting, in_state; /* in_state: pool.want_place or pool.idle */
	char *user; /* empty: local.command_user, for what aliases name */
	char *what; /* "delivery process of user ann": for the log */
	enum worker_branch branch;
	enum worker_state state;
	struct channel *channel;   /* NULL: no process */
	uint64_t number;	   /* of the process in the nursery */
	struct list waiting, sent; /* struct part */
	bool is_brief;		   /* ends when it has nothing to do */
	bool is_busy;		   /* counted in pool.n_busy: it has something in sent */
	size_t n_sent_ever, n_log_lines;
	uint64_t since_ms; /* last sign of life, or since when it is idle */
	struct rest rest;  /* of a mailbox */
	unsigned settings; /* with which it was started */
	struct sync_wish wish;
};

struct pool {
	uv_loop_t *loop;
	uv_timer_t tick;
	uv_timer_t rest;    /* active while something is in resting */
	uv_check_t check;   /* runs settle_marked() */
	uv_idle_t no_sleep; /* while something is marked, the loop must not sleep before that */
	struct nursery *nursery;
	void (*on_idle)(void), (*on_broken)(void);
	struct table by_user;
	struct list all, marked, want_place, resting, idle; /* idle: longest first */
	size_t n_running, n_busy;			    /* processes; workers with a part sent */
	size_t n_under_way;				    /* parts of mailboxes */
	size_t max_workers;
	uint64_t idle_ms, stuck_ms, errand_ms,
		birth_ms; /* errand_ms: beyond stuck_ms, for a command's time */
	unsigned settings;
	bool is_stopping;
};
extern struct pool pool;

/* What workers say; in pool.c. */
extern const struct channel_hooks pool_worker_hooks;

/* Its state is looked at before the loop's turn ends. */
void pool_worker_mark(struct pool_worker *w);
/* It has neither parts nor a process. */
void pool_worker_free(struct pool_worker *w);
/* Starts a process, or lets it wait for a place, or answers what waits. */
void pool_worker_start(struct pool_worker *w);
void pool_worker_set_idle(struct pool_worker *w, bool idle);
void pool_worker_set_busy(struct pool_worker *w, bool busy);
/* The process is gone, or ends because its channel is closed. */
void pool_worker_let_go(struct pool_worker *w);
void pool_worker_kill(struct pool_worker *w);
/* What it was given and has not answered for has an unknown outcome. */
void pool_worker_give_up_sent(struct pool_worker *w, const char *reason);
/* It died. What it had goes to its successor, which looks at the mailbox first; what has been lost twice is
 * given up: whoever kills it can do so again. */
void pool_worker_lost(struct pool_worker *w);
/* The same result for all recipients of these parts. */
void pool_answer_all(struct list *parts, enum job_outcome outcome, const char *status, const char *reason);
