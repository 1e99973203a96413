/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xtext.h - the encodings of ENVID, ORCPT and AUTH values: xtext (RFC 3461 4), and "\x{E4}" of the address
 * type utf-8 (RFC 6533 3)
 *
 * Layer: mail. Tests: test_xtext.c, fuzz_smtp_command.c, fuzz_dsn.c.
 */
#pragma once
#include "base/buf.h"

bool xtext_is_valid(struct slice text); /* only xchars and +XX with upper-case digits; empty is valid */
void xtext_encode(struct slice plain, struct buf *out);
/* False on bad input; then *out is as before. */
MUST_USE bool xtext_decode(struct slice text, struct buf *out);

/* UTF-8 in ASCII: what is not printable ASCII, and '\\', '+', '=', as "\x{HEX}". Bad bytes become '?'. */
void utf8_address_encode(struct slice utf8, struct buf *out);
/* Back to UTF-8; raw UTF-8 passes. False on bad input; then *out is as before. */
MUST_USE bool utf8_address_decode(struct slice text, struct buf *out);
