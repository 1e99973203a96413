/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest.c - see rest.h
 *
 * What a batch costs beyond its mails' bytes (two processes' wake-ups, a lock file made and removed, which
 * are two changes of the directory, a sync) is shared by all that came while the mailbox rested, and a mail
 * reader gets its turn. With few mails under way the disk and the processes have time enough.
 */
#include "local/rest.h"

bool rest_is_due(const struct rest *r, const struct rest_now *now)
{
	return r->is_shared && now->n_under_way >= REST_LOAD && now->n_waiting < REST_MAILS_MAX &&
		now->now_ms < r->batch_ms + REST_MS;
}

void rest_over(struct rest *r, const struct rest_now *now, bool is_busy)
{
	r->batch_ms = now->now_ms;
	r->is_shared = is_busy || now->n_waiting > 1;
}
