/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbox_tail.h - did an earlier attempt deliver this mail? The end of a mailbox compared with the text of the
 * delivery
 *
 * Pure; reads a window of bytes that the mailbox's owner may have written himself. Never says that bytes may
 * go unless they are a cut-off copy of this very delivery, or zeros that a power cut left at the end.
 * Layer: local. Tests: test_mbox_tail.c, fuzz_mbox_tail.c.
 */
#pragma once
#include "local/mbox_text.h"

#define MBOX_TAIL_EXTRA (1024 * 1024) /* looked at beyond the length of one copy: what came after it */

struct mbox_tail {
	bool is_delivered; /* a complete copy is there */
	size_t keep;	   /* bytes of the window that stay; less than its length: cut the rest off */
};
/* is_whole: window is the mailbox from its first byte on; otherwise its first byte only shows whether the
 * second one begins a line. */
struct mbox_tail mbox_tail_examine(struct slice window, bool is_whole, const struct mbox_text *t);
