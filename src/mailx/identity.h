/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.h - who the user is to others: the author's address, and which addresses are one's own
 *
 * Layer: mailx. Tests: test_head.c.
 */
#pragma once
#include "mailx/mailx.h"

/* The author as a From: field has it, "Name <address>" or an address: the variable `from', else user@origin.
 */
void identity_author(const struct mailx *mx, struct buf *out);
/* The user's own address, or one of `from', `replyto' and `alternates'. address is bare. */
bool identity_is_own(const struct mailx *mx, struct slice address);
/* An address as a header of ours has it: with a domain, localhost in full, domain in lower case. What is no
 * address stays as it is. */
void identity_qualify(const struct mailx *mx, struct slice address, struct buf *out);
