/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.h - what a power cut may leave: a small file system, worked out from what the shim recorded
 *
 * What a completed sync covers is there. Of what was written later any sector may be there, of the changes
 * of a directory any first part. What was written to a file before a sync that failed is never made durable
 * by a later one: the kernel has dropped it or believes it clean. Layer: tests.
 */
#pragma once
#include "support/shim.h"
#include <sys/types.h>

struct disk;

enum disk_cut {
	DISK_NOTHING_MORE, /* only what is certain */
	DISK_EVERYTHING,   /* as after a kill */
	DISK_SOMETHING,	   /* any of it, by the seed */
};

struct disk *disk_new(void);
void disk_free(struct disk **d);
/* What was there before, on stable storage. Directories are there whatever happens. */
void disk_add_dir(struct disk *d, uint64_t inode, const char *path);
void disk_add_file(struct disk *d, uint64_t inode, uint64_t dir, const char *name, mode_t mode,
	const char *bytes, size_t n);
/* Each file gets a number of its own: the file system gives a free inode to the next file. Once for a
 * record, before it is used; numbers the files created from first on. */
void disk_number_files(struct shim *s);
/* Applies the first n_events of the record. */
void disk_cut(struct disk *d, const struct shim *s, size_t n_events, enum disk_cut cut, unsigned seed);
/* Makes directories and files, each directory below into. 0 or negative errno. */
int disk_store(const struct disk *d, const char *into);
