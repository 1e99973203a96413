/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbox_history.h - the mails a mailbox was given lately, found by the queue id in the Received field at their
 * top
 *
 * For deliveries whose outcome is unknown: since then a whole batch may have been written behind such a mail,
 * and it may have come by another of its addresses, so that its Delivered-To lines are not those of the new
 * attempt. Only a mail that ends in the very body is taken for a copy: readers change header fields, a power
 * cut leaves part of a mail. Pure; reads bytes that the mailbox's owner may have written himself. Layer:
 * local. Tests: test_mbox_history.c.
 */
#pragma once
#include "local/mbox_text.h"

#define MBOX_HISTORY_BYTES (32 * 1024 * 1024) /* four of the largest batches */

struct mbox_mail;
struct mbox_history {
	struct slice window;
	struct mbox_mail *mails; /* by queue id */
	size_t n;
};

/* Borrows window until mbox_history_free. is_whole: it is the mailbox from its first byte on; otherwise the
 * first byte only shows whether the second one begins a line. */
void mbox_history_build(struct mbox_history *h, struct slice window, bool is_whole);
/* A complete copy of this delivery's mail is there, by whichever address it came. */
bool mbox_history_has(const struct mbox_history *h, const struct mbox_text *t);
void mbox_history_free(struct mbox_history *h);
