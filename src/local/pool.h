/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - the workers: one per user, started when mail comes, kept for a while, bounded in number
 *
 * A worker is not believed: it may answer for the parts it was given and nothing else, and what does not fit
 * ends it. One that hangs keeps its place, costs its own user's mail only, and is killed. Layer: local.
 * Tests: test_local.c, test_load.c, test_trouble.c.
 */
#pragma once
#include "local/job.h"
#include "local/nursery.h"

struct pool_worker;

/* nursery stays the caller's. on_idle: no worker has anything to do any more. on_broken: the nursery is gone,
 * no worker can be started. */
void pool_init(uv_loop_t *loop, struct nursery *nursery, void (*on_idle)(void), void (*on_broken)(void));
/* Read at the start and after each change of the settings: takes over max_workers and times; workers that
 * run with older settings end when they have nothing to do. */
void pool_settings(const struct config *c);
/* That user's worker of that branch (of a list: the list's); it need not run yet. What is added to it is sent
 * at the end of the loop's turn. */
struct pool_worker *pool_worker_get(enum worker_branch branch, struct slice user);
/* A part for this recipient: the one of the same job that waits last, or a new one. */
struct part *pool_part(struct pool_worker *w, struct job *job);
/* From job.c: a part of this worker has ended. */
void pool_part_done(struct pool_worker *w);
/* Starts no more deliveries; what no worker has yet is dropped without an answer. */
void pool_stop(void);
bool pool_is_idle(void); /* no worker has a part */
size_t pool_running(void);
