/* SPDX-License-Identifier: Apache-2.0 */
/*
 * origin.h - a reference to where a command, file or list of recipients was written
 *
 * Between processes and in the spool such a delivery is named by reference, never by its text: whoever acts
 *looks the item up again, in root's alias table or as the user in his .forward, and does nothing that is not
 *written there. The checksum of the item's text makes an item that was changed meanwhile one that is not
 *there any more.
 *
 *	aliases:KEY:ITEM:CHECK	an item of an alias, counted from 1
 *	list:KEY:ITEM:CHECK	the same, when it is an :include: list
 *	forward:USER:EXT:CHECK	an item of USER's ~/.forward+EXT, or of ~/.forward where EXT is empty
 *	mailbox:USER		the command that the setting local.mailbox_command puts in the mailbox's place
 *
 * KEY and EXT may contain colons, USER may not. Pure. Layer: mail. Tests: test_origin.c.
 */
#pragma once
#include "mail/rhs.h"

enum origin_kind {
	ORIGIN_ALIAS = 1,
	ORIGIN_LIST,
	ORIGIN_FORWARD,
	ORIGIN_MAILBOX_COMMAND,
};

struct origin {
	enum origin_kind kind;
	struct slice name;	/* the alias's key, or the user; borrowed */
	size_t item;		/* of an alias */
	struct slice extension; /* of a .forward; borrowed */
	uint32_t check;
};

/* What tells this item from one that took its place. */
uint32_t origin_check(const struct rhs_item *item);
void origin_append(const struct origin *o, struct buf *out);
/* Slices of *out look into text; false, and *out is untouched, when it is none of the above. */
MUST_USE bool origin_parse(struct slice text, struct origin *out);
/* Of an item of an alias: the reference to it. */
void origin_append_alias(struct slice key, size_t number, const struct rhs_item *item, struct buf *out);
/* The user whose .forward or mailbox it is; empty for an alias. */
struct slice origin_user(struct slice text);
/* The beginning that all items of one user's .forward files share; of an alias's item the whole: each is one
 * of root's. */
struct slice origin_group(struct slice text);
