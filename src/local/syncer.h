/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syncer.h - makes what workers wrote durable: each file by itself, or the file system once for many
 *
 * Measured: one syncfs for many mailboxes costs half the CPU of a sync each and is 1.5 times as fast; for one
 * or two it is slower, and it waits for other programs' data as well. Layer: local. Tests: test_trouble.c.
 */
#pragma once
#include "base/list.h"
#include "ipc/channel.h"

/* In each worker: its written batch that waits. */
struct sync_wish {
	struct list in_line; /* linked while it waits */
	struct channel *worker;
	uint64_t batch;
	bool is_alone; /* its worker was told to sync for itself */
};
void sync_wish_init(struct sync_wish *w);

/* mail_dir is on the file system that may be synced as a whole; it stays the caller's and open. -1: none. */
void syncer_init(uv_loop_t *loop, int mail_dir);
/* A worker has written. */
void syncer_want(struct sync_wish *w, struct channel *worker, uint64_t batch, uint64_t device);
/* Its result is there, or the worker is gone. */
void syncer_forget(struct sync_wish *w);
