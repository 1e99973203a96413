/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand_tell.c - the words of a dry run: what each decision of an expansion is called, for who listens
 *
 * Decides nothing. Without a listener nothing is put into words: mail pays one comparison for each.
 * Tests: test_expand.c, tests/system/test_explain.py.
 */
#include "route/expand-private.h"

static void PRINTF_LIKE(3, 0) tell(struct expand *e, struct expand_step *step, const char *fmt, va_list args)
{
	char text[LIMIT_DRY_RUN_TEXT];
	int n = vsnprintf(text, sizeof(text), fmt, args); /* cut when too long: it is for reading */

	step->text = (struct slice){ text, MIN((size_t)MAX(n, 0), sizeof(text) - 1) };
	e->listener->hear(e->listener->user, step);
}

/* An item stands below its alias, what is said of it below the item. */
static unsigned depth_of(const struct frame *f, enum explain_kind kind)
{
	return f ? 2 * f->depth - (kind == EXPLAIN_ITEM) : 0;
}

void expand_tell(struct expand *e, const struct frame *f, enum explain_kind kind, struct expand_place place,
	const char *fmt, ...)
{
	struct expand_step step = { .kind = kind, .depth = depth_of(f, kind), .place = place };
	va_list args;

	if (!e->listener)
		return;
	va_start(args, fmt);
	tell(e, &step, fmt, args);
	va_end(args);
}

void expand_tell_leaf(struct expand *e, const struct expand_leaf *leaf, enum explain_kind kind,
	struct expand_place place, const char *fmt, ...)
{
	struct expand_step step = { .kind = kind, .leaf = leaf->number, .place = place };
	va_list args;

	if (!e->listener)
		return;
	va_start(args, fmt);
	tell(e, &step, fmt, args);
	va_end(args);
}

void expand_tell_domain(struct expand *e, const struct frame *f, const struct address *a)
{
	auto_buf struct buf why = BUF_INIT(LIMIT_DRY_RUN_TEXT);
	struct address whole = *a;

	if (!e->listener || ((f || e->trail.len) && a->domain.len == 0))
		return;
	if (a->domain.len == 0) {
		buf_append_str(&why, "no domain, so the origin is added: ");
		whole.domain = e->rules->origin;
	}
	route_explain_domain(e->rules, &whole, &why);
	expand_tell(e, f, EXPLAIN_DOMAIN, nowhere, "%.*s", SLICE_ARG(buf_slice(&why)));
	if (!f)
		expand_tell(e, f, EXPLAIN_ADDRESS, nowhere, "canonical form: %.*s",
			SLICE_ARG(expand_canonical(e, a)));
}

void expand_tell_alias(struct expand *e, const struct frame *parent, const struct frame *f)
{
	if (f->is_default)
		expand_tell(e, parent, EXPLAIN_ALIAS, nowhere,
			"no alias \"%.*s\": mail to this name must reach somebody, so it stands for %.*s",
			SLICE_ARG(f->key), SLICE_ARG(f->value.text));
	else
		expand_tell(
			e, parent, EXPLAIN_ALIAS, expand_alias_place(f), "alias \"%.*s\"", SLICE_ARG(f->key));
	if (f->suffix.len)
		expand_tell(e, parent, EXPLAIN_EXTENSION, nowhere,
			"the extension %.*s is handed on to results that have none", SLICE_ARG(f->suffix));
}

void expand_tell_no_alias(
	struct expand *e, const struct frame *f, const struct alias_match *match, unsigned flags)
{
	if (flags & RCPT_NO_ALIAS)
		expand_tell(e, f, EXPLAIN_ALIAS, nowhere,
			"aliases are not looked at: it is the user's own mailbox");
	else if (match->suffix.len)
		expand_tell(e, f, EXPLAIN_ALIAS, nowhere, "no alias \"%.*s%.*s\" or \"%.*s\"",
			SLICE_ARG(match->user), SLICE_ARG(match->suffix), SLICE_ARG(match->user));
	else
		expand_tell(e, f, EXPLAIN_ALIAS, nowhere, "no alias \"%.*s\"", SLICE_ARG(match->user));
}

void expand_tell_item(struct expand *e, const struct frame *f, const struct rhs_item *item)
{
	static const char *const words[] = { [RHS_ERROR] = "not understood, left out: ",
		[RHS_ADDRESS] = "",
		[RHS_USER] = "the mailbox of ",
		[RHS_FILE] = "file ",
		[RHS_DIRECTORY] = "Maildir ",
		[RHS_COMMAND] = "command ",
		[RHS_INCLUDE] = "list ",
		[RHS_FAIL] = ":fail: ",
		[RHS_DEFER] = ":defer: ",
		[RHS_BLACKHOLE] = "discarded " };

	expand_tell(e, f, EXPLAIN_ITEM, (struct expand_place){ f->value.file, f->line }, "%s%.*s",
		words[item->kind], SLICE_ARG(slice_first(item->text, LIMIT_DRY_RUN_TEXT)));
}

void expand_tell_new_leaf(
	struct expand *e, const struct frame *f, const struct expand_leaf *leaf, struct slice text)
{
	const struct expand_step step = { .kind = EXPLAIN_LEAF,
		.begins = leaf->number,
		.depth = depth_of(f, EXPLAIN_LEAF),
		.text = slice_first(text, LIMIT_DRY_RUN_TEXT) };

	if (e->listener)
		e->listener->hear(e->listener->user, &step);
}

void expand_tell_next_hop(struct expand *e, const struct expand_leaf *leaf)
{
	const struct route_rules *rules = e->rules;

	if (rules->relay_host.len)
		expand_tell_leaf(e, leaf, EXPLAIN_NEXT_HOP,
			(struct expand_place){ rules->config_file, rules->relay_host_line },
			"next hop %.*s: relay.host", SLICE_ARG(leaf->destination));
	else
		expand_tell_leaf(e, leaf, EXPLAIN_NEXT_HOP, nowhere,
			"next hop %.*s: the domain itself, as relay.host is empty",
			SLICE_ARG(leaf->destination));
}
