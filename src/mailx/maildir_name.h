/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maildir_name.h - what the name of a file in a Maildir says: the message's identity, flags and time of
 * arrival
 *
 * "new/UNIQUE" or "cur/UNIQUE:2,FLAGS" (https://cr.yp.to/proto/maildir.html). Pure. Layer: mailx.
 * Tests: test_maildir.c.
 */
#pragma once
#include "mailx/mbox.h"

/* What a name can say. */
#define MESSAGE_IN_NAME (MESSAGE_STORED | MESSAGE_DELETED)

/* What stays the same for all the message's life: without the directory and without ":2,FLAGS". */
struct slice maildir_unique(const char *file);
/* enum message_flag as the name holds them: new/ is MESSAGE_NEW, T (trashed by another reader)
 * MESSAGE_DELETED. */
unsigned maildir_flags(const char *file);
/* The name for these flags; letters that mean nothing to us stay. */
void maildir_rename_for(const char *file, unsigned flags, struct buf *out);
/* Seconds since 1970 that the name begins with; 0 when it does not. */
int64_t maildir_time_s(const char *file);
/* Order of arrival: by time, then by name. */
int maildir_compare(const char *a, const char *b);
