/* SPDX-License-Identifier: Apache-2.0 */
/* xtext.h - the encoding of ENVID, ORCPT and AUTH values (RFC 3461 4). Layer: mail. Tests: test_xtext.c,
 * fuzz_smtp_command.c. */
#pragma once
#include "base/buf.h"

bool xtext_is_valid(struct slice text); /* only xchars and +XX with upper-case digits; empty is valid */
void xtext_encode(struct slice plain, struct buf *out);
/* False on bad input; then *out is as before. */
MUST_USE bool xtext_decode(struct slice text, struct buf *out);
