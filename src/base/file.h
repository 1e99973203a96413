/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h - the only place that syncs, renames and links: what is durable is decided here
 *
 * All return 0 or a negative errno; EINTR is retried; a short write is continued or reported, never ignored.
 * A failed sync is final: callers must not sync again and believe it. Layer: base. Tests: test_file.c.
 */
#pragma once
#include "base/buf.h"
#include <dirent.h>
#include <sys/types.h>
#include <sys/uio.h>

MUST_USE int file_write_all(int fd, struct slice bytes);
MUST_USE int file_pwrite_all(int fd, struct slice bytes, uint64_t offset);
MUST_USE int file_pwritev_all(int fd, struct iovec *iov, size_t n_iov, uint64_t offset); /* changes iov */
/* Exactly n bytes at offset, or -ENODATA when the file is shorter. */
MUST_USE int file_pread_all(int fd, char *to, size_t n, uint64_t offset);
/* Appends everything up to the end of file to *to; -EFBIG when its ceiling is too low. */
MUST_USE int file_read_all(int fd, struct buf *to);
MUST_USE int file_read_path(int dirfd, const char *path, struct buf *to);
MUST_USE int file_write_zeros(int fd, uint64_t size_bytes); /* from offset 0; written, not only allocated */

MUST_USE int file_sync(int fd);	     /* fsync: data and metadata */
MUST_USE int file_sync_data(int fd); /* fdatasync: data, and the size where it grew */
MUST_USE int file_sync_fs(int fd);   /* syncfs: all of that file system */
MUST_USE int file_sync_dir(int dirfd);

MUST_USE int file_rename(int from_dir, const char *from, int to_dir, const char *to);
/* -EEXIST when there is something at `to' already. */
MUST_USE int file_rename_new(int from_dir, const char *from, int to_dir, const char *to);
/* The two names change places at once; both must be there. */
MUST_USE int file_exchange(int dir_a, const char *a, int dir_b, const char *b);
MUST_USE int file_link(int from_dir, const char *from, int to_dir, const char *to);
MUST_USE int file_unlink(int dirfd, const char *name);
/* name becomes content whole or not at all: written aside in dirfd, synced, renamed, directory synced. */
MUST_USE int file_replace(int dirfd, const char *name, mode_t mode, struct slice content);
/* Whether a directory, or a symbolic link to one, is there. */
bool file_is_directory(int dirfd, const char *name);
/* Opens a directory below dirfd (".": itself) for readdir(); the caller's to closedir(). */
MUST_USE int file_list(int dirfd, const char *name, DIR **dir_out);
/* For a program's start: 0, 1 and 2 that its caller closed become /dev/null, or its own files would be there.
 */
MUST_USE int file_hold_standard(void);
/* Creates each missing part of path with mode. */
MUST_USE int file_make_dirs(const char *path, mode_t mode);
