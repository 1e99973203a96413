/* SPDX-License-Identifier: Apache-2.0 */
/*
 * html.h - HTML reduced to the text that it says, for messages that have no plain text
 *
 * Keeps words, line and paragraph breaks, list marks and the addresses of links; runs nothing, fetches
 * nothing. Layer: mailx. Tests: test_mime.c, fuzz/fuzz_mailx_mime.c.
 */
#pragma once
#include "base/buf.h"

void html_to_text(struct slice html, struct buf *out); /* UTF-8 in and out */
