/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest.h - when a mailbox is left alone for a moment, so that one batch serves all that comes meanwhile
 *
 * Only under load, and only a mailbox whose mails overlap: one that comes when the one before is delivered
 * never waits, so that who waits for each delivery does not see this. Pure; the clock is the caller's.
 * Layer: local. Tests: test_rest.c.
 */
#pragma once
#include "base/std.h"

#define REST_MS 100	  /* from the begin of one batch of a mailbox to the next one's, at most */
#define REST_LOAD 10	  /* mails under way for all mailboxes; with fewer there is nothing to be saved */
#define REST_MAILS_MAX 50 /* that wait end the rest: half of what queue gives out for one user */

/* Of one mailbox; all zeros: it has had no mail. */
struct rest {
	uint64_t batch_ms; /* when it was last given mail */
	bool is_shared;	   /* that was more than one, or came before the last ones were delivered */
};

struct rest_now {
	uint64_t now_ms;
	size_t n_waiting;   /* for this mailbox, not given yet */
	size_t n_under_way; /* of all mailboxes: given or waiting */
};
/* Whether what waits goes on waiting; ask again when some time has passed or more has come. */
bool rest_is_due(const struct rest *r, const struct rest_now *now);
/* All that waited is given now; is_busy: mail given before is not delivered yet. */
void rest_over(struct rest *r, const struct rest_now *now, bool is_busy);
