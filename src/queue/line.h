/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line.h - what waits for one destination: messages take turns, letters and bulk apart
 *
 * A message with a hundred thousand recipients has one place in the line, not one for each of its deliveries:
 * who comes after it waits for one of them. Every step costs the same, however long the line is.
 * Layer: queue. Tests: test_scheduler.c.
 */
#pragma once
#include "queue/message.h"

/* Recipients of one message that go together: waits in a line, then is a job (job.c). */
struct delivery {
	struct list in_share; /* of one message, in a line */
	struct message *m;    /* a job: NULL when each of its recipients has a result */
	struct destination *to;
	uint32_t *rcpts;
	uint32_t n_rcpts, cap;
};

struct line {
	struct list levels[PRIORITY_LEVELS]; /* struct share, whose turn comes next first */
	size_t n, n_messages;		     /* deliveries; their messages */
};

void line_init(struct line *l);
/* The recipient joins the last delivery of its message in this line, if that has room and the same
 * reverse-path. */
void line_add(struct line *l, struct message *m, uint32_t rcpt, size_t max_rcpts);
static inline bool line_has(const struct line *l, enum message_priority level)
{
	return !list_empty(&l->levels[level]);
}
/* Whose turn it is; NULL when nothing waits at that level. */
struct message *line_first(const struct line *l, enum message_priority level);
/* Takes one delivery of that message; the message then waits for its next turn. The caller's to free. */
struct delivery *line_take(struct line *l, enum message_priority level);
/* All that waits of m; NULL when there is no more. */
struct delivery *line_take_of(struct line *l, const struct message *m);
void delivery_free(struct delivery *v);
