/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply.h - the draft of an answer: to whom, which subject, which thread
 *
 * Layer: mailx. Tests: test_reply.c.
 */
#pragma once
#include "mailx/draft.h"

/* Fills an empty draft with the answer to a message: to all (the author and the recipients) or to the author
 * alone. Reply-To: goes before From:; oneself is left out unless `metoo' is set, and not when nobody else is
 * left. False, told: the message could not be read, or no address in it can be answered. */
MUST_USE bool reply_draft(struct mailx *mx, size_t index, bool to_all, struct draft *d);
/* "Re: " once; "Fwd: " in the same way. */
void reply_subject(const char *prefix, const char *subject, struct buf *out);
/* A file name after the local part of an address: safe, and without the signs that mailx_file_name() gives a
 * meaning; empty when nothing is left. */
void reply_file_name(struct slice address, struct buf *out);
/* That of the author of a message. */
void reply_author_name(struct mailx *mx, size_t index, struct buf *out);
