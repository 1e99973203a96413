/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submissions.h - the ids that sendmail gives its mail: one that comes a second time is known
 *
 * A mail comes twice, over the socket and by the drop directory, when the answer was lost. Known are those on
 * their way to the disk, those of the last ten minutes, and those that the spool had at the start, of which
 * the oldest may be forgotten; but never one that had a file in the drop directory then. One user's id means
 * nothing for another. An empty id is always new and never kept. Layer: queue. Tests: test_submissions.c.
 */
#pragma once
#include "base/slice.h"
#include <sys/types.h>

enum submission_state {
	SUBMISSION_NEW = 0,
	SUBMISSION_COMMITTING, /* it may yet be refused: whoever brings it again must keep it */
	SUBMISSION_TAKEN,      /* it is or was in the spool */
};

/* *mail_out: the queue id that it got, unless it is new. */
MUST_USE enum submission_state submission_find(struct slice id, uid_t uid, uint64_t *mail_out);
void submission_begin(struct slice id, uid_t uid, uint64_t mail); /* its commit is asked for */
void submission_end(struct slice id, uid_t uid, bool is_taken);	  /* the commit's result */
/* Before the spool is read: there is a file of it. */
void submission_expect(struct slice id);
void submission_recovered(struct slice id, uint64_t mail); /* any user's */
void submission_expect_no_more(void);			   /* the spool has been read */
