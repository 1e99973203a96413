/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user_pool.h - questions to the user database, spread over helper processes; a slow answer holds up nobody
 *
 * Each helper has one question at a time; the others wait their turn, all with the same deadline from the
 * moment they were asked. Past it the answer is USER_UNAVAILABLE, and a helper that is still at it is given
 * up and its restart asked for. Names found are remembered for some seconds; "no such user" never is, so that
 * a new user gets mail at once. Knows no channel: the hooks send. Layer: role (lookup). Tests:
 * test_user_pool.c.
 */
#pragma once
#include "base/limits.h"
#include "ipc/pending.h"
#include "ipc/role.h"

struct user_waiter;
/* The waiter is over. name: as the database has it, for USER_FOUND; valid during the call. */
typedef void (*user_done)(struct user_waiter *w, enum user_outcome outcome, struct slice name);
struct user_waiter {
	struct list in_question;
	user_done done;
};

struct user_pool_hooks {
	void (*ask)(void *user, unsigned helper, uint64_t request, struct slice name);
	void (*restart)(void *user, unsigned helper); /* it hangs */
};
struct user_question;
struct user_pool {
	struct pending questions;
	struct table by_name;
	struct list waiting; /* not given to a helper yet, oldest first */
	struct {
		bool is_there;
		struct user_question *busy;
	} helpers[ROLE_MAX_INSTANCES];
	struct table known;	  /* names found some seconds ago */
	struct list known_oldest; /* first: the oldest */
	size_t n_known;
	const struct user_pool_hooks *hooks;
	void *user;
};

void user_pool_init(struct user_pool *pool, uv_loop_t *loop, unsigned timeout_ms,
	const struct user_pool_hooks *hooks, void *user);
/* Forgets everything; waiters are not called. */
void user_pool_deinit(struct user_pool *pool);
void user_pool_set_timeout(struct user_pool *pool, unsigned timeout_ms); /* for later questions */

/* True: answered at once, w stays unused; *name_out is valid until the next call. False: w->done() follows.
 */
MUST_USE bool user_pool_ask(struct user_pool *pool, struct slice name, struct user_waiter *w,
	enum user_outcome *outcome_out, struct slice *name_out);
void user_pool_cancel(struct user_waiter *w); /* does nothing when it waits for nothing */

void user_pool_helper_up(struct user_pool *pool, unsigned helper);
/* It died: the question it had is answered USER_UNAVAILABLE. */
void user_pool_helper_down(struct user_pool *pool, unsigned helper);
/* Whatever a helper says; an answer that was not asked of it is ignored. */
void user_pool_answer(struct user_pool *pool, unsigned helper, uint64_t request, const union msg_any *m);
