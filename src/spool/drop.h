/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drop.h - the drop directory: taking in the files that postrider-drop left while the daemon was down
 *
 * Whoever may run postrider-drop can put anything there, so nothing about a file is believed: a candidate is
 * opened without following links or waiting for a peer, must be a regular file with one name that nobody but
 * its owner can write, and is copied to memory before anybody parses it. Who sent it is its owner's uid,
 * nothing it says. Order for the caller: drop_walk, drop_read, parse (mail/drop_format.h),
 * spool_message_commit, and only when that reported 0: drop_remove. Intake twice after a crash is caught by
 * the submission id inside. Files are synced by their writer, renamed to the final name, and the directory
 * synced: a name seen is a whole file. Names that begin with a dot are the writer's unfinished ones. Blocks;
 * at start-up and for a directory that changed that is short. Never parses, never decides what happens to a
 * bad file. Layer: spool. Tests: test_drop.c.
 */
#pragma once
#include "base/buf.h"
#include <sys/types.h>

#define DROP_NAME_MAX 64 /* longer names are not ours */

enum drop_outcome {
	DROP_READ_OK = 0,
	DROP_READ_GONE = 1, /* removed meanwhile */
	DROP_READ_NOT_OURS =
		2, /* a link, directory, pipe, device, or a file with several names or a foreign mode */
	DROP_READ_TOO_LARGE = 3, /* above max_bytes */
	DROP_READ_CHANGED = 4,	 /* grew or shrank while it was read */
};
const char *drop_outcome_text(enum drop_outcome outcome);

struct drop_file {
	char name[DROP_NAME_MAX + 1];
	uid_t owner;
	uint64_t bytes;
	uint64_t modified_us;	/* wall time: when it was handed in */
	uint64_t inode, device; /* so that drop_remove takes away this very file */
};

bool drop_file_is_same(const struct drop_file *a, const struct drop_file *b);

/* Opens dir for the calls below. A descriptor, or negative errno. */
MUST_USE int drop_open(const char *dir);
/* The candidate names one by one, in no order: a place in the directory that survives the turns of a loop. A
 * name may be refused by drop_read; files may come and go meanwhile. drop_walk_next: 1 and a name, 0 at the
 * end, or negative errno. */
struct drop_walk;
MUST_USE int drop_walk_open(int dirfd, struct drop_walk **walk_out);
MUST_USE int drop_walk_next(struct drop_walk *walk, char name_out[DROP_NAME_MAX + 1]);
void drop_walk_close(struct drop_walk **walk);
/* Calls found for each candidate name. The number of names, or negative errno. */
MUST_USE int drop_list(int dirfd, void (*found)(void *user, const char *name), void *user);
/* Reads the whole file into *content (cleared first). An enum drop_outcome, or negative errno; *file_out is
 * set on DROP_READ_OK, and also on DROP_READ_TOO_LARGE and DROP_READ_CHANGED (owner and size, for the log
 * line). */
MUST_USE int drop_read(
	int dirfd, const char *name, uint64_t max_bytes, struct buf *content, struct drop_file *file_out);
/* The same for the first max_bytes of the file at most, whatever its size: what its envelope begins with. */
MUST_USE int drop_read_head(
	int dirfd, const char *name, size_t max_bytes, struct buf *content, struct drop_file *file_out);
/* Unlinks that file, if the name still means it, and syncs the directory, also when it is gone: an earlier
 * sync may have failed. 0 or negative errno. With sync false the caller removes several and calls
 * file_sync_dir(dirfd) once. */
MUST_USE int drop_remove(int dirfd, const struct drop_file *file, bool sync);
/* Removes what a writer that was killed left unfinished: plain files whose name begins with one dot and that
 * nobody has written to for age_s seconds; what was set aside stays. How many, or negative errno. */
MUST_USE int drop_remove_unfinished(int dirfd, int64_t age_s);
/* Moves a file that cannot be taken in aside, to ".bad-NAME", so that it is not tried again and not lost. */
MUST_USE int drop_set_aside(int dirfd, const char *name);
