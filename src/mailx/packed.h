/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packed.h - folders compressed with gzip, bzip2, xz or zstd: unpacked to read, packed to write
 *
 * By the programs of these names, which people have anyway; each packs what follows another packed piece.
 * What is unpacked lies in a file without a name below TMPDIR and is gone when we are. Layer: mailx. Tests:
 * test_packed.c, tests/system/test_mail_maildir.py.
 */
#pragma once
#include "base/slice.h"

struct packer; /* a program that packs */

/* The one that made the bytes in fd; of an empty file the one whose suffix path has. NULL: it is not packed.
 */
const struct packer *packer_of(int fd, const char *path);
const char *packer_name(const struct packer *p);

/* An empty file without a name. Descriptor or negative errno. */
MUST_USE int packed_temporary(void);
/* Unpacks fd from its start; the descriptor of a temporary file, -EBADMSG when the program could not (it says
 * why on standard error), or another negative errno. */
MUST_USE int packed_unpack(const struct packer *p, int fd);
/* Packs all of from to the end of to; errors as above. */
MUST_USE int packed_pack(const struct packer *p, int from, int to);
