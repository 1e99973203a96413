/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head.h - what summaries, searches and replies want to know of a message's header
 *
 * Layer: mailx. Tests: test_head.c, fuzz/fuzz_mailx_header.c.
 */
#pragma once
#include "mail/address.h"
#include "mailx/strlist.h"

/* The first field of that name, decoded, in UTF-8 and on one line; false (and nothing appended) when there is
 * none. */
bool head_text(struct slice header, const char *name, struct buf *utf8_out);
/* Bare address and display name (may be empty) of the first author: From:, else the sender of the From_ line.
 */
void head_author(struct slice from_line, struct slice header, struct buf *address_out, struct buf *name_out);
/* Adds each address of all fields of that name as "address", or "Name <address>" with names. */
void head_addresses(struct slice header, const char *name, bool with_names, struct strlist *out);
/* When the message was written, by its Date: field; false when that says nothing. */
bool head_date(struct slice header, int64_t *time_s_out);
/* A display name as written in a header, as text: quotes off, encoded words decoded. */
void head_display_name(struct slice written, struct buf *utf8_out);
