/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.h - changes a file in place so that a crash at any point loses nothing
 *
 * For folders whose inode must stay: a spool file that delivery agents hold open, a file in a directory where
 * we may not make another one, a file with several names. The new bytes go to a journal beside the file, or
 * in the home directory where that is not allowed; when it is on disk the file is changed; then the journal
 * goes. Whoever opens the folder next finishes what was cut short (journal_recover), mail appended meanwhile
 * included. The caller holds the lock of the file in all calls. Layer: mailx. Tests: test_rewrite.c.
 */
#pragma once
#include "mailx/pieces.h"

/* The bytes [offset, old_size) of fd (all there is behind offset) become the pieces, which refer to fd's
 * present bytes. 0, or negative errno: before the journal was whole nothing has changed; later the journal
 * stays and the next opening goes on. */
MUST_USE int journal_replace(
	int fd, const char *path, uint64_t offset, uint64_t old_size, const struct pieces *pieces);
/* Finishes a change to path that was cut short; 0 also when there is none. */
MUST_USE int journal_recover(int fd, const char *path);
