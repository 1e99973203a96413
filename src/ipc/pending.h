/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pending.h - requests that wait for an answer: number, continuation, owner, deadline; written once for all
 * roles
 *
 * The number of open requests is bounded (credits). Short answers fit into the channel for that; who answers
 * with much text must look at channel_congested() itself. An owner that goes away cancels what it asked for.
 * A request past its deadline is answered with NULL. Layer: ipc. Tests: test_pending.c.
 */
#pragma once
#include "base/list.h"
#include "base/table.h"
#include "ipc/message.h"
#include <uv.h>

/* m is NULL when no answer came (deadline, or the peer is gone). The request is over after this call. */
typedef void (*pending_done)(void *owner, uint64_t argument, const union msg_any *m);

struct pending {
	struct table by_id;
	struct list by_deadline; /* oldest first: all have the same time to live */
	uv_timer_t timer;
	uint64_t next_id;
	size_t n, credits;
	unsigned timeout_ms;
};

struct pending_request {
	struct table_node node;
	struct list in_deadlines;
	struct list in_owner;
	uint64_t id, deadline_ms, argument;
	pending_done done;
	void *owner;
};

void pending_init(struct pending *p, uv_loop_t *loop, size_t credits, unsigned timeout_ms);
/* A new request of owner; its number goes into the message. 0 when no credit is left (treat as a temporary
 * failure). owned: list head that the owner keeps for pending_cancel_all; may be NULL. */
MUST_USE uint64_t pending_add(
	struct pending *p, pending_done done, void *owner, uint64_t argument, struct list *owned);
/* The answer to request id: calls its continuation; false when nobody waits (cancelled or late): ignore the
 * answer. */
bool pending_answer(struct pending *p, uint64_t id, const union msg_any *m);
/* For answers of several messages: there is progress, the deadline begins anew. */
void pending_renew(struct pending *p, uint64_t id);
/* The owner goes away: its continuations are not called. */
void pending_cancel_all(struct pending *p, struct list *owned);
/* The peer is gone: every continuation is called with NULL. */
void pending_fail_all(struct pending *p);
