/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hops.h - counts the Received fields of a mail while its content passes by (RFC 5321 6.3, loop detection)
 *
 * Looks at decoded content (LF lines), split anywhere; stops at the end of the header. Keeps nothing.
 * Layer: role (smtpd). Tests: test_hops.c.
 */
#pragma once
#include "base/slice.h"

struct hops {
	uint64_t n;
	uint8_t state;	 /* enum hops_state in hops.c; 0 at the beginning */
	uint8_t matched; /* letters of the field's name that were seen */
};
#define HOPS_INIT ((struct hops){ 0 })

void hops_count(struct hops *h, struct slice content);
