/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_orders.h - ordering the queue to act on mail: on named messages, many at a time on their way, or on
 * all that a filter lets through; and reading a message's content
 *
 * For postrider, sendmail, postqueue, postsuper. Layer: ipc. Tests: tests/system/test_queue_commands.py.
 */
#pragma once
#include "ipc/client.h"

struct queue_order {
	enum queue_action action;
	struct slice filter, argument;
	bool is_quiet; /* of many: only failures are told */
	/* What became of one mail; exit_code 0: done, and on disk. */
	void (*told)(void *user, uint64_t id, int exit_code, struct slice text);
	/* The next id; false: there is none. For named mail. */
	bool (*next)(void *user, uint64_t *id_out);
	void *user;
};

/* 0, or negative errno of the conversation. */
MUST_USE int queue_order_named(struct client *c, const struct queue_order *o);
/* The same; *exit_code_out and text_out are the daemon's last word. */
MUST_USE int queue_order_all(
	struct client *c, const struct queue_order *o, int *exit_code_out, struct buf *text_out);

/* The content of one mail, piece by piece to take_piece(), until that says false. 0, or negative errno of the
 * conversation; *exit_code_out and text_out are the daemon's word when it gives none. */
MUST_USE int queue_content_read(struct client *c, uint64_t id,
	bool (*take_piece)(void *user, struct slice piece), void *user, int *exit_code_out,
	struct buf *text_out);
