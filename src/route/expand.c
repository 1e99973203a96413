/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand.c - see expand.h
 *
 * The aliases are walked depth first; each alias that is open is a frame on the C stack, at most
 * LIMIT_ALIAS_DEPTH of them. A name found again among the open frames is a loop, unless the alias names
 * itself: then the user of that name is meant. An alias that was expanded once is not expanded again, so that
 * lists that share members cost no more than their sizes. The first failure that concerns the whole recipient
 * (a loop, no table, no memory) ends the walk.
 */
#include "route/expand-private.h"
#include "mail/trail.h"

/* An alias (with the extension it was reached by) that was expanded. */
struct expand_seen {
	struct table_node node;
	struct slice name;
};

/* ---- local names ---- */

static void expand_alias(struct expand *e, struct frame *f);

static void fail_loop(struct expand *e, const struct frame *top, const struct frame *again)
{
	const struct slice *keys[LIMIT_ALIAS_DEPTH + 1];
	auto_buf struct buf chain = BUF_INIT(LIMIT_REASON / 2);
	size_t n = 0;

	for (const struct frame *f = top; f && n < ARRAY_LEN(keys); f = f->parent) {
		keys[n++] = &f->key;
		if (f == again)
			break;
	}
	for (size_t i = n; i-- > 0 && buf_ok(&chain);)
		buf_printf(&chain, "%.*s -> ", SLICE_ARG(slice_first(*keys[i], 64)));
	expand_fail(e, JOB_FAILED, "5.4.6", "alias loop: %.*s%s%.*s", SLICE_ARG(buf_slice(&chain)),
		buf_ok(&chain) ? "" : "... -> ", SLICE_ARG(slice_first(again->key, 64)));
}

/* The frame among those open that expands key. */
static const struct frame *open_frame(const struct frame *top, struct slice key)
{
	for (const struct frame *f = top; f; f = f->parent)
		if (slice_eq(f->key, key))
			return f;
	return NULL;
}

/* "root: postmaster" in a file without a postmaster is no loop of the file's making: root's mailbox is meant.
 */
static bool has_default(const struct frame *top, const struct frame *again)
{
	for (const struct frame *f = top; f != again; f = f->parent)
		if (f->is_default)
			return true;
	return again->is_default;
}

/* True when it was expanded before. name_out: a copy that lives as long as e. */
static bool is_seen(struct expand *e, struct slice key, struct slice suffix, struct slice *name_out)
{
	auto_buf struct buf name = BUF_INIT(2 * LIMIT_ADDRESS);
	struct expand_seen *seen;
	uint64_t hash;

	buf_append(&name, key);
	buf_append(&name, suffix);
	hash = table_hash_bytes(buf_slice(&name));
	for (struct table_node *n = table_first(&e->seen, hash); n; n = table_next(n, hash))
		if (slice_eq(CONTAINER_OF(n, struct expand_seen, node)->name, buf_slice(&name)))
			return true;
	seen = arena_alloc(&e->arena, sizeof(*seen));
	if (!seen) {
		expand_fail_memory(e);
		return true;
	}
	seen->name = expand_keep_buf(e, &name);
	table_insert(&e->seen, &seen->node, hash);
	*name_out = seen->name;
	return false;
}

/* owner-KEY, when there is such an alias: who gets the bounces of KEY's members. */
static struct slice find_owner(struct expand *e, struct slice key, const struct frame *parent)
{
	const struct slice inherited = parent ? parent->owner : SLICE_EMPTY;
	auto_buf struct buf name = BUF_INIT(LIMIT_LOCAL_PART);
	struct alias_value value;
	struct slice owner;

	if (slice_starts(key, SLICE("owner-")))
		return inherited;
	buf_append_str(&name, "owner-");
	buf_append(&name, key);
	if (!buf_ok(&name) ||
		e->rules->names.find(e->rules->names.user, buf_slice(&name), &value) != ALIAS_FOUND)
		return inherited;
	owner = expand_own_address(e, buf_slice(&name));
	expand_tell(e, parent, EXPLAIN_OWNER, (struct expand_place){ value.file, value.line },
		"bounces of its members go to %.*s", SLICE_ARG(owner));
	return owner;
}

/* Of a dry run, whether its asker may know. */
static bool may_see(struct expand *e, const struct frame *f)
{
	if (!e->listener || e->listener->may_see(e->listener->user, f->value.file))
		return true;
	expand_fail(e, JOB_DEFERRED, "4.7.0",
		"what the alias stands for is not shown: %s may not be read by everyone", f->value.file);
	return false;
}

static void enter_alias(struct expand *e, const struct frame *parent, const struct alias_match *match)
{
	struct frame f = { .parent = parent,
		.value = match->value,
		.is_default = match->is_default,
		.depth = parent ? parent->depth + 1 : 1 };
	struct slice name;

	if (f.depth > LIMIT_ALIAS_DEPTH) {
		expand_fail(e, JOB_FAILED, "5.4.6",
			"more than %d aliases lead to each other, the last one is \"%.*s\"",
			LIMIT_ALIAS_DEPTH, SLICE_ARG(match->key));
		return;
	}
	if (is_seen(e, match->key, match->suffix, &name)) {
		expand_tell(e, parent, EXPLAIN_DUPLICATE, nowhere, "the alias \"%.*s\" was followed before",
			SLICE_ARG(match->key));
		return;
	}
	f.key = slice_first(name, match->key.len);
	f.suffix = slice_from(name, match->key.len);
	expand_tell_alias(e, parent, &f);
	if (!may_see(e, &f))
		return;
	f.owner = find_owner(e, f.key, parent);
	expand_alias(e, &f);
}

/* An extension is handed on to a result that has none, where that result could be split again. */
static struct slice hand_on_suffix(
	struct expand *e, const struct frame *f, struct slice local, struct buf *joined)
{
	struct slice user, suffix;

	if (!f || f->suffix.len == 0)
		return local;
	route_split(e->rules, local, &user, &suffix);
	if (suffix.len)
		return local;
	buf_append(joined, local);
	buf_append(joined, f->suffix);
	route_split(e->rules, buf_slice(joined), &user, &suffix);
	return buf_ok(joined) && slice_eq(user, local) ? buf_slice(joined) : local;
}

/* An item of f leads back to an alias that is open. */
static void expand_again(struct expand *e, const struct frame *f, const struct frame *again,
	struct slice address, struct slice user, unsigned flags)
{
	if (again == f) {
		expand_tell(e, f, EXPLAIN_ALIAS, nowhere,
			"the alias names itself: the user of that name is meant");
		expand_add_user(e, f, address, user, flags | RCPT_NO_ALIAS);
	} else if (alias_names_itself(&e->rules->names, again->value.text,
			   again->key)) { /* that item of its own is the user's copy */
		expand_tell(e, f, EXPLAIN_DUPLICATE, nowhere,
			"it leads back to the alias \"%.*s\", which has its user's copy as an item of its "
			"own",
			SLICE_ARG(again->key));
	} else if (has_default(f, again)) {
		expand_tell(e, f, EXPLAIN_ALIAS, nowhere,
			"it leads back to \"%.*s\", for which there is no alias: root's mailbox is meant",
			SLICE_ARG(again->key));
		expand_add_user(e, f, expand_own_address(e, SLICE("root")), SLICE("root"), RCPT_NO_ALIAS);
	} else {
		fail_loop(e, f, again);
	}
}

static void expand_matched(struct expand *e, const struct frame *f, struct slice address,
	const struct alias_match *match, unsigned flags)
{
	const struct frame *again;

	switch (match->status) {
	case ALIAS_NONE:
		expand_tell_no_alias(e, f, match, flags);
		expand_add_user(e, f, address, match->user, flags);
		return;
	case ALIAS_BROKEN:
		expand_fail(e, JOB_DEFERRED, "4.3.0", "the alias table cannot be used; run newaliases");
		return;
	case ALIAS_FOUND: break;
	}
	again = open_frame(f, match->key);
	if (!again)
		enter_alias(e, f, match);
	else
		expand_again(e, f, again, address, match->user, flags);
}

static void expand_local(struct expand *e, const struct frame *f, const struct address *a, unsigned flags)
{
	auto_buf struct buf plain = BUF_INIT(LIMIT_ADDRESS), joined = BUF_INIT(LIMIT_LOCAL_PART),
			    quoted = BUF_INIT(LIMIT_PATH);
	struct alias_match match = { .status = ALIAS_NONE };
	struct address full = *a;
	struct slice local;

	address_unquote_local(a->local, &plain);
	local = hand_on_suffix(e, f, buf_slice(&plain), &joined);
	address_quote_local(local, &quoted);
	if (!buf_ok(&plain) || !buf_ok(&quoted))
		expand_fail(e, JOB_FAILED, "5.1.3", "the address is too long");
	full.local = buf_slice(&quoted);
	if (!slice_eq(local, buf_slice(&plain)))
		expand_tell(e, f, EXPLAIN_EXTENSION, nowhere, "with the extension that was handed on: %.*s",
			SLICE_ARG(local));
	if (flags & RCPT_NO_ALIAS)
		route_split(e->rules, local, &match.user, &match.suffix);
	else
		route_match_local(e->rules, local, &match);
	if (!expand_is_failed(e))
		expand_matched(e, f, expand_canonical(e, &full), &match, flags);
}

static void expand_address(struct expand *e, const struct frame *f, const struct address *a, unsigned flags)
{
	expand_tell_domain(e, f, a);
	if (alias_is_local(&e->rules->names, a))
		expand_local(e, f, a, flags);
	else
		expand_add_remote(e, f, a);
}

/* ---- the items of an alias ---- */

static void item_address(struct expand *e, const struct frame *f, const struct rhs_item *item, size_t number)
{
	(void)number;
	expand_address(e, f, &item->address, 0);
}

static void item_user(struct expand *e, const struct frame *f, const struct rhs_item *item, size_t number)
{
	(void)number;
	expand_add_user(e, f, expand_own_address(e, item->text), item->text, RCPT_NO_ALIAS | RCPT_NO_FORWARD);
}

/* A command, file or list travels as a reference to the item, never as its text. */
static void add_reference(struct expand *e, const struct frame *f, enum leaf_kind kind, char class,
	const struct rhs_item *item, size_t number)
{
	auto_buf struct buf origin = BUF_INIT(LIMIT_PATH);
	struct expand_leaf *leaf = expand_leaf_new(e, f, kind);

	if (!leaf)
		return;
	origin_append_alias(f->key, number, item, &origin);
	leaf->origin = expand_keep_buf(e, &origin);
	leaf->destination = leaf->origin;
	leaf->address = expand_own_address(e, f->key);
	expand_leaf_add(e, f, leaf, class, item->text, item->text);
}

static void item_file(struct expand *e, const struct frame *f, const struct rhs_item *item, size_t number)
{
	add_reference(e, f, LEAF_FILE, 'f', item, number);
}

/* The members are read where that is done under the rights of the list's owner: in local. */
static void item_list(struct expand *e, const struct frame *f, const struct rhs_item *item, size_t number)
{
	add_reference(e, f, LEAF_FILE, 'l', item, number);
}

static void item_command(struct expand *e, const struct frame *f, const struct rhs_item *item, size_t number)
{
	add_reference(e, f, LEAF_COMMAND, 'c', item, number);
}

/* A leaf that says what happens instead of delivery. */
static void add_verdict(struct expand *e, const struct frame *f, enum leaf_kind kind,
	const struct rhs_item *item, size_t number, struct slice status, struct slice reason)
{
	auto_buf struct buf origin = BUF_INIT(LIMIT_PATH);
	struct expand_leaf *leaf = expand_leaf_new(e, f, kind);

	if (!leaf)
		return;
	origin_append_alias(f->key, number, item, &origin);
	leaf->origin = expand_keep_buf(e, &origin);
	leaf->address = expand_own_address(e, f->key);
	leaf->status = expand_keep(e, status);
	leaf->reason = expand_keep(e, slice_first(reason, LIMIT_REASON));
	expand_leaf_add(e, f, leaf, 'v', leaf->origin, reason);
}

static void item_verdict(struct expand *e, const struct frame *f, const struct rhs_item *item, size_t number)
{
	struct slice text = item->text;
	struct slice status = route_verdict_status(item, &text);

	add_verdict(e, f, item->kind == RHS_FAIL ? LEAF_FAIL : LEAF_DEFER, item, number, status, text);
}

static void item_blackhole(
	struct expand *e, const struct frame *f, const struct rhs_item *item, size_t number)
{
	add_verdict(e, f, LEAF_DISCARD, item, number, SLICE("2.0.0"), SLICE("discarded by alias"));
}

typedef void (*item_expand)(
	struct expand *e, const struct frame *f, const struct rhs_item *item, size_t number);
static const item_expand item_kinds[] = {
	[RHS_ERROR] = NULL, /* was reported when the table was built; the others count */
	[RHS_ADDRESS] = item_address,
	[RHS_USER] = item_user,
	[RHS_FILE] = item_file,
	[RHS_DIRECTORY] = item_file,
	[RHS_COMMAND] = item_command,
	[RHS_INCLUDE] = item_list,
	[RHS_FAIL] = item_verdict,
	[RHS_DEFER] = item_verdict,
	[RHS_BLACKHOLE] = item_blackhole,
};

/* Of a dry run: the line of the item at that offset. A list may be long: nothing is counted twice. */
static void follow_lines(const struct expand *e, struct frame *f, size_t offset)
{
	if (!e->listener)
		return;
	for (; f->counted < offset; f->counted++)
		f->line += f->value.text.at[f->counted] == '\n';
}

static void expand_alias(struct expand *e, struct frame *f)
{
	size_t number = 0, n_usable = 0;
	struct rhs_item item;
	struct rhs rhs;

	f->line = f->value.line;
	rhs_init(&rhs, f->value.text, 0);
	while (!expand_is_over(e) && rhs_next(&rhs, &item)) {
		number++;
		follow_lines(e, f, item.offset);
		expand_tell_item(e, f, &item);
		if (!item_kinds[item.kind])
			continue;
		n_usable++;
		item_kinds[item.kind](e, f, &item, number);
	}
	rhs_deinit(&rhs);
	if (n_usable == 0)
		expand_fail(e, JOB_DEFERRED, "4.3.5",
			"the alias \"%.*s\" (%s line %zu) has no usable recipient; run newaliases",
			SLICE_ARG(slice_first(f->key, 64)), f->value.file ? f->value.file : "aliases",
			f->value.line);
}

/* ---- the three steps ---- */

void expand_start(struct expand *e, const struct route_rules *rules, struct slice address, unsigned flags,
	struct slice trail)
{
	enum address_status status;
	struct address a;

	e->rules = rules;
	e->trail = expand_keep(e, trail);
	status = address_parse(address, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a);
	if (status != ADDRESS_OK)
		expand_fail(e, JOB_FAILED, "5.1.3", "malformed address: %s", address_status_text(status));
	else if (trail_length(trail) > LIMIT_TRAIL)
		expand_fail(e, JOB_FAILED, "5.4.6", "mail loop: forwarded more than %d times", LIMIT_TRAIL);
	else
		expand_address(e, NULL, &a, flags);
	e->rules = NULL;
	e->next_question = expand_is_failed(e) ? NULL : e->first;
}
