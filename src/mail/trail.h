/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trail.h - where a recipient came from: the addresses that ~/.forward files led through, the newest first
 *
 * A line each, "address" or "address TAB user" (whose ~/.forward led on), with LF between them; the first
 * step is the recipient's own address, its Delivered-To. queue writes it and keeps it on disk, lookup and
 * local look for loops in it, local and smtp make Delivered-To fields of it. Pure; steps without an address
 * are passed over. Layer: mail. Tests: test_trail.c.
 */
#pragma once
#include "base/buf.h"

struct trail_step {
	struct slice address, user; /* user: empty when no ~/.forward led on from there */
};
/* The next step; false at the end. */
bool trail_next(struct slice *trail, struct trail_step *step_out);
/* The address of the first step, or forward_path when there is none. */
struct slice trail_delivered_to(struct slice trail, struct slice forward_path);
size_t trail_length(struct slice trail);
/* Whether mail went through this user's ~/.forward. */
bool trail_has_user(struct slice trail, struct slice user);
/* Appends the trail of what user's ~/.forward names for a recipient of that trail: address is its own; empty
 * for a command, file or list, which has no address but the user's. */
void trail_append_forward(struct slice trail, struct slice user, struct slice address, struct buf *out);
