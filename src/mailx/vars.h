/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vars.h - the internal variables of mailx: set, unset, their defaults and synonyms
 *
 * Any name may be set; the known ones are rows of one table in vars.c, from which defaults, synonyms and the
 * manual's list come. Takes from the environment only what POSIX names. Layer: mailx. Tests: test_vars.c.
 */
#pragma once
#include "base/buf.h"
#include "mailx/strlist.h"

struct var {
	char *name;
	char *value; /* never NULL; a binary variable holds "" */
};
struct vars {
	struct var *at; /* in order of their names */
	size_t n, cap;
	struct strlist pinned; /* names from -S: what start-up files say does not change them */
	bool pins_hold;	       /* while start-up files are read */
};

struct var_known {
	const char *name;
	const char *initial; /* NULL: unset at start */
	const char *help;    /* one line; "= x": a synonym of x */
};
extern const struct var_known vars_known[]; /* the last row has no name */

void vars_init(struct vars *v); /* with the built-in defaults */
void vars_import(struct vars *v, char *const *environment);
void vars_deinit(struct vars *v);

/* The value, "" for one that is set without a value, or NULL; valid until the variable changes. */
const char *vars_get(const struct vars *v, const char *name);
static inline bool vars_on(const struct vars *v, const char *name)
{
	return vars_get(v, name) != NULL;
}
/* fallback when it is unset, empty or no number. */
unsigned vars_number(const struct vars *v, const char *name, unsigned fallback);
void vars_set(struct vars *v, const char *name, const char *value);
void vars_unset(struct vars *v, const char *name);
/* "name", "name=value" or "noname"; false when there is no name in it. */
MUST_USE bool vars_assign(struct vars *v, const char *assignment);
MUST_USE bool vars_assign_pinned(struct vars *v, const char *assignment); /* as -S does */
void vars_list(const struct vars *v, struct buf *out);			  /* "name=value" lines, sorted */
