/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_lock.h - one writer of a table at a time: TABLE.lock beside it, there while somebody builds
 *
 * A courtesy, not a guarantee: where the file cannot be made (a read-only /etc) and where the other one takes
 * too long, there is no lock; alias_install() therefore looks at the source again after it wrote. The file is
 * one of our own because anybody could lock a file that he may read. Only for src/table. Layer: table.
 * Tests: test_alias_install.c.
 */
#pragma once
#include "base/std.h"

struct alias_lock {
	char name[PATH_MAX];
	int fd; /* -1: none */
};
/* Waits for another writer, at most 10 s. */
void alias_lock_take(struct alias_lock *lock, const char *table);
/* Also removes the file. */
void alias_lock_drop(struct alias_lock *lock);
