/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dotlock.h - the lock file MAILBOX.lock that every mail program honours, with a note of what we are about to
 * do
 *
 * Taken only while the fcntl lock of the mailbox is held. That makes a lock file with this host's note in it
 * a leftover: a living process of ours would hold the fcntl lock as well. The note says how long the mailbox
 * was, so that what a killed process wrote, and never reported, can be cut off. Layer: local.
 * Tests: test_dotlock.c, test_refusals.c.
 */
#pragma once
#include "base/slice.h"
#include <sys/types.h>

#define DOTLOCK_STALE_S 500 /* another program's lock file is left behind when it is older; as in Postfix */

struct dotlock {
	int fd; /* of the lock file; -1: not held */
	char name[NAME_MAX + 1];
};
#define DOTLOCK_INIT ((struct dotlock){ .fd = -1 })

/* What the mailbox will look like. */
struct dotlock_note {
	uint64_t inode;	      /* of the mailbox */
	uint64_t old_size;    /* nothing below is changed */
	uint64_t planned_end; /* nothing above is written */
};

enum dotlock_outcome {
	DOTLOCK_HELD = 1,
	DOTLOCK_BUSY,	/* another program has it */
	DOTLOCK_UNDONE, /* a killed process of ours had it: *left_out is its note; call dotlock_remove(), then
			   try again */
};

/* Tells what identifies this process: host and boot. Once, while /proc can still be read. */
void dotlock_init(void);
/* mailbox: file name in directory dir. A leftover that needs no undoing is removed on the way. */
MUST_USE int dotlock_try(struct dotlock *l, int dir, const char *mailbox, const struct dotlock_note *note,
	struct dotlock_note *left_out);
/* Removes a lock file that dotlock_try() found left behind. 0 or negative errno. */
MUST_USE int dotlock_remove(struct dotlock *l, int dir);
/* Leaves the lock file with its note, for the next process of ours to act on. */
void dotlock_leave(struct dotlock *l);
/* Gives the lock back; does nothing when it is not held. */
void dotlock_release(struct dotlock *l, int dir);
