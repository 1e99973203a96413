/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capabilities.h - what a server offers, read from its reply to EHLO
 *
 * What is malformed counts as not offered. Layer: role smtp. Tests: test_capabilities.c, fuzz_capabilities.c.
 */
#pragma once
#include "base/slice.h"

struct capabilities {
	bool pipelining;     /* RFC 2920 */
	bool eight_bit;	     /* RFC 6152 */
	bool smtputf8;	     /* RFC 6531 */
	bool dsn;	     /* RFC 3461 */
	bool size;	     /* RFC 1870 */
	uint64_t size_limit; /* octets; 0: none was named */
	uint64_t rcpt_limit; /* recipients of one transaction (LIMITS, RFC 9422); 0: none was named */
};

/* text: the lines of the reply without their codes, joined by LF; the first one is the greeting. */
void capabilities_parse(struct slice text, struct capabilities *out);
