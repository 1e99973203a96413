/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox.h - appending to one user's mbox: checks, locks, writes that are undone when they fail
 *
 * Runs as the mailbox's owner. Order of use: mailbox_lock() until it says MAILBOX_LOCKED, then for each mail
 * mailbox_reconcile() and mailbox_append(), then mailbox_sync() (or the file system is synced by someone
 * else) or mailbox_undo(), then mailbox_unlock(). Nothing waits in here but the disk; retries are the
 * caller's. A mailbox that is not as it must be is never written to and never changed. Layer: local.
 * Tests: test_mailbox.c, test_refusals.c, test_privileges.c, fuzz_mbox_append.c.
 */
#pragma once
#include "base/buf.h"
#include "local/dotlock.h"
#include "local/mbox_history.h"
#include "local/mbox_text.h"
#include "local/mbox_torn.h"

struct mailbox {
	int dir;	   /* of the mail directory; borrowed */
	const char *name;  /* borrowed */
	uint64_t max_size; /* 0: no limit */
	int fd;		   /* -1: not locked */
	uint64_t device, size, old_size;
	size_t n_missing_line_ends; /* before the next From_ line */
	bool is_new;
	bool is_any_file; /* one that an alias or .forward names: need not be the user's, nor its directory
			     writable */
	bool is_unclean;  /* something of ours could not be cut off again */
	struct dotlock dotlock;
	struct buf tail; /* read when the first delivery under a lock is doubtful */
	uint64_t tail_offset;
	size_t first_hole;
	size_t n_mended;
	struct mbox_history history;
};

enum mailbox_outcome {
	MAILBOX_LOCKED = 1,
	MAILBOX_APPENDED,
	MAILBOX_DELIVERED_BEFORE, /* reconcile: a complete copy is there */
	MAILBOX_NOT_DELIVERED,	  /* reconcile: no complete copy is there; a partial one has been cut off */
	/* try again soon: */
	MAILBOX_BUSY_FCNTL,
	MAILBOX_BUSY_DOTLOCK,
	MAILBOX_MOVED, /* replaced while we locked it */
	/* the mail must wait until somebody has acted: */
	MAILBOX_FULL,	    /* max_size */
	MAILBOX_NO_DOTLOCK, /* the mail directory does not let us create the lock file */
	MAILBOX_SYMLINK,
	MAILBOX_NOT_REGULAR,
	MAILBOX_HARD_LINKS,
	MAILBOX_FOREIGN_OWNER,
	MAILBOX_OUTCOME_COUNT
};
/* Status code and words for an outcome or a negative errno; words_out without mailbox name or full stop. */
void mailbox_explain(int outcome, const char **status_out, const char **words_out);

void mailbox_init(struct mailbox *m, int dir, const char *name, uint64_t max_size);
/* planned: at most so many bytes will be appended. MAILBOX_LOCKED, or an outcome from MAILBOX_BUSY_FCNTL on,
 * or negative errno; then nothing is held. What a killed process of ours left half written is cut off. */
MUST_USE int mailbox_lock(struct mailbox *m, uint64_t planned);
/* Whether another attempt at the locks may soon succeed. */
bool mailbox_is_worth_waiting(int outcome);
/* Makes what an earlier attempt left of this delivery whole, or cuts it off at the end.
 * MAILBOX_DELIVERED_BEFORE, MAILBOX_NOT_DELIVERED or negative errno. For all doubtful deliveries of a batch,
 * as long as n_mended grows, before the first of them is reconciled: what one gives back may show where
 * another begins. */
MUST_USE int mailbox_mend(struct mailbox *m, const struct mbox_text *t);
/* The same, and one of which nothing but its room is left is put there. */
MUST_USE int mailbox_reconcile(struct mailbox *m, const struct mbox_text *t);
/* MAILBOX_APPENDED, MAILBOX_FULL or negative errno; on failure the mailbox is as long as before. */
MUST_USE int mailbox_append(struct mailbox *m, struct slice text);
/* 0 or negative errno: what was appended, and a new mailbox's name, are on stable storage. */
MUST_USE int mailbox_sync(struct mailbox *m);
/* Cuts off all that was appended since mailbox_lock(), and syncs that. 0 or negative errno; then the next
 * mailbox_lock() cuts it off. */
int mailbox_undo(struct mailbox *m);
void mailbox_unlock(struct mailbox *m);
