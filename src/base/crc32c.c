/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.c - ISA-L's routine with the customary inversion before and after; see crc32c.h */
#include "base/crc32c.h"
#include <isa-l/crc.h>

uint32_t crc32c(uint32_t crc, struct slice bytes)
{
	crc = ~crc;
	while (bytes.len) { /* the library counts in int */
		int n = (int)MIN(bytes.len, (size_t)INT_MAX);
		crc = crc32_iscsi((unsigned char *)(uintptr_t)bytes.at, n, crc);
		bytes = slice_from(bytes, (size_t)n);
	}
	return ~crc;
}
