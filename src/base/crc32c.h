/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.h - CRC-32C (Castagnoli) as iSCSI and ext4 use it; the checksum of everything in the spool. Layer:
 * base. Tests: test_file.c. */
#pragma once
#include "base/slice.h"

/* Start with crc 0 and feed the parts in order. */
uint32_t crc32c(uint32_t crc, struct slice bytes);
