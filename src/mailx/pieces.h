/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pieces.h - the new content of a file as parts of the old one and bytes of our own, in order
 *
 * So a folder of any size is rewritten without being held in memory. Layer: mailx. Tests: test_rewrite.c.
 */
#pragma once
#include "base/slice.h"

struct piece {
	char *literal;	 /* owned; NULL: bytes of the old file */
	uint64_t offset; /* in the old file */
	uint64_t size;
};
struct pieces {
	struct piece *at;
	size_t n, cap;
};

#define PIECES_INIT ((struct pieces){ 0 })

void pieces_add_range(struct pieces *p, uint64_t offset, uint64_t size); /* joins with its neighbour */
void pieces_add_literal(struct pieces *p, struct slice bytes);		 /* copies */
uint64_t pieces_size(const struct pieces *p);
/* Drops the part at the start that stays where it is in the old file; returns its length. */
uint64_t pieces_trim_unchanged(struct pieces *p);
/* Writes all to `to` from offset on; *crc_out gets the CRC-32C of what was written. 0 or negative errno. */
MUST_USE int pieces_write(const struct pieces *p, int from, int to, uint64_t offset, uint32_t *crc_out);
void pieces_free(struct pieces *p);
#define auto_pieces __attribute__((cleanup(pieces_free)))
