/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_match.h - what a local part leads to: name+ext, then name+*, then name, then the names that always
 * exist
 *
 * The one place that knows this order; routing, the checks and the commands ask it. Where the aliases are is
 * the caller's: a table, several files, the entries of a text. Pure. Layer: table. Tests: test_alias_match.c,
 * src/route/test_expand.c.
 */
#pragma once
#include "base/limits.h"
#include "mail/address.h"
#include "table/alias_table.h"

/* key: in lower case. */
typedef enum alias_status (*alias_find)(void *user, struct slice key, struct alias_value *value_out);

struct alias_match {
	enum alias_status status;
	struct alias_value value; /* ALIAS_FOUND: what it stands for */
	struct slice key;	  /* ALIAS_FOUND: the alias that was found; looks into lower */
	bool is_default;	  /* ALIAS_FOUND: a name that mail must reach even without an entry */
	struct slice user;	  /* the name without its extension; looks into the argument */
	struct slice suffix;	  /* ALIAS_FOUND by "name" or "name+*", ALIAS_NONE: "+ext"; else empty */
	char lower[LIMIT_LOCAL_PART];
};
/* local: unquoted. delimiters: between user and extension; empty: none. postmaster stands for root,
 * mailer-daemon and abuse for postmaster where find has none of that name. Longer names than an address can
 * have are ALIAS_NONE. The result must stay where it is: its slices look into it. */
void alias_match_local(
	alias_find find, void *user, struct slice delimiters, struct slice local, struct alias_match *out);

/* What it takes to tell whether an address leads to an alias. */
struct alias_rules {
	struct slice delimiters; /* between user and extension; empty: none */
	bool (*is_local_domain)(void *user, struct slice domain);
	alias_find find;
	void *user; /* of both */
};
/* A domain of this host; also none at all, and the loopback address literals. */
bool alias_is_local(const struct alias_rules *rules, const struct address *address);
bool alias_is_loopback(struct slice domain); /* those literals */
/* Whether an item of the right-hand side names the alias key itself: "a: a, b" or "a: \a, b". */
bool alias_names_itself(const struct alias_rules *rules, struct slice items, struct slice key);
/* "name" with the suffix cut off it, and the suffix with its delimiter; the whole name where it is not split.
 */
void alias_match_split(
	struct slice delimiters, struct slice local, struct slice *user_out, struct slice *suffix_out);
