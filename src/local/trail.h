/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trail.h - where a recipient came from: the addresses it was forwarded through by ~/.forward, newest first
 *
 * A line each, "address" or "address TAB user" (whose ~/.forward led on); line 0 is the recipient's own
 * Delivered-To address. Pure. Layer: local. Tests: test_trail.c.
 */
#pragma once
#include "base/slice.h"
#include "config/config.h"

/* The address of the next line; false at the end. */
bool trail_next(struct slice *trail, struct slice *address_out);
/* Line 0, or forward_path when there is no trail. */
struct slice trail_delivered_to(struct slice trail, struct slice forward_path);
size_t trail_length(struct slice trail);
/* Whether content went through this address before: it has a Delivered-To field that names it, in any case of
 * its letters and under any name of this host. */
bool trail_is_loop(const struct config *c, struct slice content, struct slice delivered_to);
