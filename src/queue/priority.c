/* SPDX-License-Identifier: Apache-2.0 */
/*
 * priority.c - which mail lets other mail go first; see core.h
 *
 * Bulk is what says so itself, or what goes to many. It is decided at intake and stored; an alias that turns
 * out to be a long list makes its mail bulk later.
 */
#include "mail/header.h"
#include "queue/core.h"

bool priority_says_bulk(struct slice content)
{
	static const char *const words[] = { "bulk", "list", "junk" };
	struct header_field field;

	if (!header_find(&content, SLICE("Precedence"), &field))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_eq_nocase(field.value, slice_of(words[i])))
			return true;
	return false;
}

enum message_priority priority_of(bool says_bulk, size_t n_rcpts)
{
	return says_bulk || n_rcpts > queue.rp->config->queue_bulk_recipients ? PRIORITY_BULK
									      : PRIORITY_LETTER;
}

enum message_priority message_priority(const struct message *m)
{
	return m->priority == PRIORITY_BULK ? PRIORITY_BULK : priority_of(false, m->n_rcpts);
}
