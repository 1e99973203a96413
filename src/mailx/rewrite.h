/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rewrite.h - brings a folder up to date with what was done to its messages
 *
 * Under the lock; mail that arrived meanwhile stays, at the end; only Status: and X-Status: lines of kept
 * messages change. A folder of one's own in one's own directory is written aside and renamed; the system
 * mailbox and all others keep their inode (journal.h). In a Maildir files are renamed or go. Layer: mailx.
 * Tests: test_rewrite.c, test_maildir.c, tests/system/test_mail_maildir.py.
 */
#pragma once
#include "mailx/folder.h"

enum rewrite_result {
	REWRITE_DONE,
	REWRITE_CHANGED,    /* another program rewrote or replaced the folder: nothing was written */
	REWRITE_BUSY,	    /* another program kept it locked: nothing was written */
	REWRITE_UNFINISHED, /* a delivery to it was cut short and has to be mended first: nothing was written
			     */
	REWRITE_NO_PLACE,   /* packed, and no new file can take its place: nothing was written */
};

struct rewrite_outcome {
	bool has_new_mail; /* something was appended since the folder was read */
	bool was_removed;  /* nothing was left in it, and the file is gone */
};

/* Messages with MESSAGE_DELETED go, the others get their flags. Writes nothing when nothing changed.
 * remove_empty: a folder with nothing left is unlinked where the directory allows. Also negative errno: the
 * folder is as before, or its journal is whole and the next opening finishes. */
MUST_USE int rewrite_folder(struct folder *f, bool remove_empty, struct rewrite_outcome *outcome_out);
