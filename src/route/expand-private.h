/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand-private.h - between expand.c, which walks the aliases, expand_leaf.c, which keeps what it finds, and
 * expand_tell.c, which puts decisions into words
 *
 * Layer: role (lookup). Tests: test_expand.c.
 */
#pragma once
#include "route/expand.h"

/* An alias that is being expanded. */
struct frame {
	const struct frame *parent;
	struct slice key, suffix, owner;
	struct alias_value value;
	bool is_default;
	unsigned depth; /* 1: the recipient's own alias */
	size_t line;	/* of the item that is being looked at, in a dry run */
	size_t counted; /* bytes of the text in which lines were counted */
};

/* The first failure of the whole counts; later ones are ignored. */
void expand_fail(struct expand *e, enum job_outcome outcome, const char *status, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
void expand_fail_memory(struct expand *e);
static const struct expand_place nowhere = { 0 };
/* Where the alias f, and its item that is being looked at, are written. */
static inline struct expand_place expand_alias_place(const struct frame *f)
{
	return (struct expand_place){ f->value.file, f->value.line };
}
static inline struct expand_place expand_item_place(const struct frame *f)
{
	return (struct expand_place){ f->value.file, f->line };
}
/* Tells the listener, if there is one, what was decided in f (NULL: of the recipient itself). */
void expand_tell(struct expand *e, const struct frame *f, enum explain_kind kind, struct expand_place place,
	const char *fmt, ...) PRINTF_LIKE(5, 6);
/* The same about a leaf. */
void expand_tell_leaf(struct expand *e, const struct expand_leaf *leaf, enum explain_kind kind,
	struct expand_place place, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* In these words: */
/* Whether the domain is one of this host, and why; nothing of items of aliases and .forward without a domain.
 */
void expand_tell_domain(struct expand *e, const struct frame *f, const struct address *a);
void expand_tell_alias(struct expand *e, const struct frame *parent, const struct frame *f);
void expand_tell_no_alias(
	struct expand *e, const struct frame *f, const struct alias_match *match, unsigned flags);
void expand_tell_item(struct expand *e, const struct frame *f, const struct rhs_item *item);
void expand_tell_new_leaf(
	struct expand *e, const struct frame *f, const struct expand_leaf *leaf, struct slice text);
void expand_tell_next_hop(struct expand *e, const struct expand_leaf *leaf);
/* No more leaves are wanted, or the expansion has failed. */
static inline bool expand_is_over(const struct expand *e)
{
	return e->outcome != JOB_DELIVERED || e->is_cut;
}
static inline bool expand_is_failed(const struct expand *e)
{
	return e->outcome != JOB_DELIVERED;
}

/* Copies that live as long as e; empty when there is no memory, which is a failure then. */
struct slice expand_keep(struct expand *e, struct slice s);
struct slice expand_keep_buf(struct expand *e, const struct buf *b);
/* The canonical form of a; that of name (unquoted) at this host. */
struct slice expand_canonical(struct expand *e, const struct address *a);
struct slice expand_own_address(struct expand *e, struct slice name);

/* f: the alias that it is a product of; NULL: the recipient itself. NULL: failed. */
struct expand_leaf *expand_leaf_new(struct expand *e, const struct frame *f, enum leaf_kind kind);
/* The leaf joins the others, unless one of them has the same target: class is what kind of thing the name is,
 * text what a person calls it. */
void expand_leaf_add(struct expand *e, const struct frame *f, struct expand_leaf *leaf, char class,
	struct slice name, struct slice text);
void expand_add_user(
	struct expand *e, const struct frame *f, struct slice address, struct slice user, unsigned flags);
void expand_add_remote(struct expand *e, const struct frame *f, const struct address *a);
