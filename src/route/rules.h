/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.h - what routing needs to know, behind a few functions: this host's domains and the aliases
 *
 * The core (expand.c, rcpt_check.c) sees only this, so that it can be tested without files and used by a dry
 * run. Addresses are never reinterpreted: '%' and '!' in a local part mean nothing. Layer: role (lookup).
 * Tests: test_expand.c, test_rcpt_check.c.
 */
#pragma once
#include "base/limits.h"
#include "config/config.h"
#include "mail/address.h"
#include "table/alias_files.h"
#include "table/alias_match.h"

struct route_rules {
	struct slice origin;	  /* domain of unqualified addresses */
	struct alias_rules names; /* which addresses are this host's, and where aliases are */
	struct slice relay_host;  /* next hop of all remote mail; empty: the domain itself */
	const char *config_file;  /* and the line in it that says so; for dry runs */
	size_t relay_host_line;
	/* In words, appended: whether it is one, and why. */
	void (*explain_domain)(void *user, struct slice domain, struct buf *out);
	void *user; /* of explain_domain */
};

/* Slices look into config: make anew after a reload. */
struct route_source {
	const struct config *config;
	struct alias_files *aliases;
};
void route_rules_init(struct route_rules *rules, struct route_source *source);

/* What a local part (unquoted) leads to; see alias_match.h. */
void route_match_local(const struct route_rules *rules, struct slice local, struct alias_match *out);
/* Whether it is a domain of this host (alias_is_local()) in words, appended, with the reason. */
void route_explain_domain(const struct route_rules *rules, const struct address *address, struct buf *out);
/* "name" with the suffix cut off it, and the suffix with its delimiter; the whole name where it is not split.
 */
void route_split(const struct route_rules *rules, struct slice local, struct slice *user_out,
	struct slice *suffix_out);
/* For :fail: and :defer: items: the enhanced status, taken off the front of *text where it stands there. An
 * empty text is replaced by words of our own. The result lives as long as the text, or for ever. */
struct slice route_verdict_status(const struct rhs_item *item, struct slice *text);
