/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias.h - names of a user's own for groups of addressees (`alias', `group'), and the addresses that are
 * also his (`alternates')
 *
 * Not the host's /etc/aliases: that is the mail system's. Layer: mailx. Tests: test_vars.c.
 */
#pragma once
#include "base/buf.h"
#include "mailx/strlist.h"

struct alias {
	char *name;
	struct strlist members;
};
struct aliases {
	struct alias *at;
	size_t n, cap;
};

/* Adds a member, making the alias when it is new. */
void aliases_add(struct aliases *a, const char *name, const char *member);
void aliases_remove(struct aliases *a, const char *name);
const struct alias *aliases_find(const struct aliases *a, const char *name); /* NULL: none */
/* The addresses behind a name, aliases of aliases followed (an alias that leads to itself stands for the
 * address of that name); a name that is no alias is added as it is. */
void aliases_expand(const struct aliases *a, const char *name, struct strlist *out);
void aliases_list(const struct aliases *a, struct buf *out);
void aliases_deinit(struct aliases *a);
