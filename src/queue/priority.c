/* SPDX-License-Identifier: Apache-2.0 */
/*
 * priority.c - which mail lets other mail go first; see core.h
 *
 * Bulk is what says so itself, or what goes to many. It is decided at intake and stored; an alias that turns
 * out to be a long list makes its mail bulk later.
 * Tests: test_scheduler.c.
 */
#include "queue/core.h"

enum message_priority priority_of(bool says_bulk, size_t n_rcpts)
{
	return says_bulk || n_rcpts > queue.rp->config->queue_bulk_recipients ? PRIORITY_BULK
									      : PRIORITY_LETTER;
}

enum message_priority message_priority(const struct message *m)
{
	return m->priority == PRIORITY_BULK ? PRIORITY_BULK : priority_of(false, m->n_rcpts);
}
