/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbox_torn.h - copies of which a power cut left parts: found near the end of a mailbox, so that they can be
 * completed
 *
 * Of an append that was not synced any sectors may be on the disk; the others are zeros. Nothing of it was
 * reported, so each of its mails comes again, in any order, while another program may have appended behind
 * it: what is not at the very end cannot be cut off, but it can be filled. A copy is one only when every byte
 * is that of the delivery or in a hole of the shape of sectors, so that zeros in somebody's mail are none.
 * Pure; reads bytes that the mailbox's owner may have written himself. Layer: local. Tests: test_mbox_torn.c,
 * fuzz_mbox_tail.c.
 */
#pragma once
#include "local/mbox_text.h"

/* The end of a mailbox. */
struct mbox_end {
	struct slice window;
	uint64_t offset;   /* of the window in the mailbox; 0: it is the whole, and begins a line */
	size_t first_hole; /* nothing before it in the window is a hole; see mbox_first_hole() */
};

size_t mbox_first_hole(struct slice window); /* window.len: there is none, as in almost all mailboxes */
/* All of it but its date, which may differ: to be known before torn copies are looked for. */
bool mbox_whole_is_there(const struct mbox_end *end, const struct mbox_text *t);
/* Where a copy with holes begins of which something is left; window.len when there is none. The window may
 * end within it. */
MUST_USE size_t mbox_torn_find(const struct mbox_end *end, const struct mbox_text *t);
/* Where a copy may have been of which too little is left: zeros between two mails, with room for it;
 * window.len when there is none. Only after all torn copies that belong there were completed. */
MUST_USE size_t mbox_gap_find(const struct mbox_end *end, const struct mbox_text *t);
