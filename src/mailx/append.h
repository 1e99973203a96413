/* SPDX-License-Identifier: Apache-2.0 */
/*
 * append.h - puts messages or text at the end of a file: `save', `copy', `write', MBOX, record
 *
 * All or nothing: a failed write is cut off again. A folder is locked meanwhile and synced before success is
 * said, because the message may be deleted elsewhere after it. Messages also go to Maildirs and packed
 * folders, as a piece of their own at the end. Layer: mailx. Tests: test_rewrite.c, test_maildir.c,
 * test_packed.c.
 */
#pragma once
#include "base/slice.h"

enum append_kind {
	APPEND_MESSAGES, /* text is in mbox form: an empty line is put before it where the file has none; a
			  * path with a slash at its end names a Maildir, which is made */
	APPEND_TEXT,	 /* text as it is */
};

/* 0 and *is_new_out (the file was made), LOCK_BUSY, or negative errno (-EBADMSG: could not be unpacked or
 * packed): the file is as before then. */
MUST_USE int append_to_file(const char *path, enum append_kind kind, struct slice text, bool *is_new_out);
/* In words, for an outcome that is not 0. */
const char *append_problem(int r);
/* Puts messages before those in the folder at path (MBOX without `append'); outcomes as above. Of a Maildir
 * and a packed folder the end is as good. */
MUST_USE int prepend_to_folder(const char *path, struct slice text);
