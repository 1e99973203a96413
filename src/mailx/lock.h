/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.h - keeps other programs off a folder: an fcntl lock, then FILE.lock where the directory allows it
 *
 * The same order as local delivery. The fcntl lock belongs to the open file (OFD), so that opening the folder
 * a second time in this program does not lose it; programs with ordinary fcntl locks respect it. A lock file
 * is never left behind. Layer: mailx. Tests: test_lock.c.
 */
#pragma once
#include "base/std.h"

struct lock {
	int fd;		     /* borrowed; -1: nothing is held */
	char *dotlock;	     /* NULL: none was made */
	bool must_keep_size; /* a delivery was cut short and will be mended at the present end (leftover.h) */
};

#define LOCK_NONE ((struct lock){ .fd = -1 })

enum lock_result {
	LOCK_TAKEN,
	LOCK_BUSY, /* somebody else held it all the time that we waited */
};

/* fd is the open folder at path: open for writing when exclusive. Waits up to wait_s seconds, and tells so on
 * standard error. Also negative errno. */
MUST_USE int lock_take(struct lock *l, int fd, const char *path, bool is_exclusive, unsigned wait_s);
void lock_release(struct lock *l); /* harmless when nothing is held */
