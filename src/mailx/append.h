/* SPDX-License-Identifier: Apache-2.0 */
/*
 * append.h - puts messages or text at the end of a file: `save', `copy', `write', MBOX, record
 *
 * All or nothing: a failed write is cut off again. A folder is locked meanwhile and synced before success is
 * said, because the message may be deleted elsewhere after it. Layer: mailx. Tests: test_rewrite.c.
 */
#pragma once
#include "base/slice.h"

enum append_kind {
	APPEND_MESSAGES, /* text is in mbox form: an empty line is put before it where the file has none */
	APPEND_TEXT,	 /* text as it is */
};

/* 0 and *is_new_out (the file was made), LOCK_BUSY, or negative errno: the file is as before then. */
MUST_USE int append_to_file(const char *path, enum append_kind kind, struct slice text, bool *is_new_out);
/* Puts messages before those in the folder at path (MBOX without `append'); outcomes as above. */
MUST_USE int prepend_to_folder(const char *path, struct slice text);
