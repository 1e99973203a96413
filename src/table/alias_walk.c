/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_walk.c - see alias_walk.h
 *
 * Depth first, each open alias or list a frame on the C stack. An alias that was walked through once is named
 * again as a duplicate but not entered: shared lists cost no more than their sizes.
 */
#include "table/alias_walk.h"
#include "mail/forward_text.h"
#include "table/alias_include.h"
#include "table/alias_index.h"
#include "table/alias_match.h"

struct frame {
	const struct frame *parent;
	struct slice key, suffix; /* key empty: a list */
	struct alias_value value;
	bool is_default;
	unsigned depth, n_aliases, n_lists;
};
struct walk {
	const struct alias_walk_request *request;
	struct alias_rules rules;
	struct alias_index seen; /* aliases walked through and what gets a copy: a class and a name each */
	bool is_over;
};

/* ---- steps ---- */

static void visit(struct walk *w, struct alias_step *step)
{
	if (!w->is_over && !w->request->visit(step, w->request->user))
		w->is_over = true;
}

/* class keeps users from aliases and files of the same name. False: it was there. */
static bool claim(struct walk *w, char class, struct slice name, struct slice suffix)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_ALIAS_LINE + LIMIT_ADDRESS);

	buf_append_byte(&text, class);
	buf_append(&text, name);
	buf_append(&text, suffix);
	if (alias_index_find(&w->seen, buf_slice(&text)) != ALIAS_INDEX_NONE)
		return false;
	if (!alias_index_add(&w->seen, buf_slice(&text), SLICE_EMPTY, 0))
		w->is_over = true; /* no memory */
	return true;
}

/* Where an item stands, in a step that is still to be decided. */
static struct alias_step step_at(const struct frame *f, const char *file, size_t line, struct slice text)
{
	return (struct alias_step){ .depth = f ? f->depth + 1 : 0,
		.file = file,
		.line = line,
		.text = text,
		.name = text,
		.owner = SLICE_EMPTY };
}

static void visit_user(struct walk *w, struct alias_step *step, struct slice name)
{
	auto_buf struct buf lower = BUF_INIT(LIMIT_ADDRESS);

	for (size_t i = 0; i < name.len; i++)
		buf_append_byte(&lower, ascii_lower(name.at[i]));
	step->name = name;
	step->is_duplicate =
		!claim(w, step->kind == ALIAS_STEP_MAILBOX ? 'm' : 'u', buf_slice(&lower), SLICE_EMPTY);
	visit(w, step);
}

/* ---- aliases ---- */

static void walk_items(struct walk *w, const struct frame *f);
static void walk_address(
	struct walk *w, const struct frame *f, const struct address *a, struct alias_step *step);

static bool is_local_domain(void *user, struct slice domain)
{
	const struct walk *w = user;
	return config_is_local_domain(w->request->config, domain);
}

static enum alias_status find(void *user, struct slice key, struct alias_value *value_out)
{
	const struct walk *w = user;
	return alias_files_find(w->request->files, key, value_out);
}

static void match_local(const struct walk *w, struct slice local, struct alias_match *out)
{
	alias_match_local(w->rules.find, w->rules.user, w->rules.delimiters, local, out);
}

static const struct frame *open_frame(const struct frame *top, struct slice key)
{
	for (const struct frame *f = top; f; f = f->parent)
		if (f->key.len && slice_eq(f->key, key))
			return f;
	return NULL;
}

/* On the way from top up to again stands a name that always exists: root's mailbox is meant, no loop. */
static bool has_default(const struct frame *top, const struct frame *again)
{
	for (const struct frame *f = top; f != again; f = f->parent)
		if (f->is_default)
			return true;
	return again->is_default;
}

/* owner-KEY, when there is such an alias. */
static void find_owner(const struct walk *w, struct slice key, struct buf *owner)
{
	struct alias_value value;

	if (slice_starts(key, SLICE("owner-")))
		return;
	buf_append_str(owner, "owner-");
	buf_append(owner, key);
	if (!buf_ok(owner) || alias_files_find(w->request->files, buf_slice(owner), &value) != ALIAS_FOUND)
		buf_clear(owner);
}

static void enter_alias(
	struct walk *w, const struct frame *parent, const struct alias_match *match, struct alias_step *step)
{
	auto_buf struct buf owner = BUF_INIT(LIMIT_LOCAL_PART);
	const struct frame f = { .parent = parent,
		.key = match->key,
		.suffix = match->suffix,
		.value = match->value,
		.is_default = match->is_default,
		.depth = step->depth,
		.n_aliases = parent ? parent->n_aliases + 1 : 1,
		.n_lists = parent ? parent->n_lists : 0 };

	step->kind = f.n_aliases > LIMIT_ALIAS_DEPTH ? ALIAS_STEP_DEEP : ALIAS_STEP_ALIAS;
	step->name = f.key;
	step->alias_file = f.value.file;
	step->alias_line = f.value.line;
	if (step->kind == ALIAS_STEP_ALIAS) {
		find_owner(w, f.key, &owner);
		step->owner = buf_slice(&owner);
		step->is_duplicate = !claim(w, 'a', f.key, f.suffix);
	}
	visit(w, step);
	if (step->kind == ALIAS_STEP_ALIAS && !step->is_duplicate && !w->is_over)
		walk_items(w, &f);
}

/* An alias that is open above. */
static void visit_again(struct walk *w, const struct frame *f, const struct frame *again,
	const struct alias_match *match, struct alias_step *step)
{
	step->name = match->key;
	step->kind = ALIAS_STEP_USER;
	if (again == f) {
		step->is_own = true;
		visit_user(w, step, match->user);
	} else if (alias_names_itself(&w->rules, again->value.text, again->key)) {
		step->is_own = true;
		step->is_duplicate = true; /* of that item of its own */
		step->name = match->user;
		visit(w, step);
	} else if (has_default(f, again)) {
		visit_user(w, step, SLICE("root"));
	} else {
		step->kind = ALIAS_STEP_LOOP;
		visit(w, step);
	}
}

static void walk_matched(
	struct walk *w, const struct frame *f, const struct alias_match *match, struct alias_step *step)
{
	const struct frame *again;

	switch (match->status) {
	case ALIAS_NONE:
		step->kind = ALIAS_STEP_USER;
		visit_user(w, step, match->user);
		return;
	case ALIAS_BROKEN:
		step->kind = ALIAS_STEP_BROKEN;
		visit(w, step);
		return;
	case ALIAS_FOUND: break;
	}
	again = open_frame(f, match->key);
	if (again)
		visit_again(w, f, again, match, step);
	else
		enter_alias(w, f, match, step);
}

/* An extension is handed on to a result that has none, where that result could be split again. */
static struct slice hand_on_suffix(
	const struct walk *w, const struct frame *f, struct slice local, struct buf *joined)
{
	struct slice user, suffix;

	if (!f || f->suffix.len == 0)
		return local;
	alias_match_split(w->rules.delimiters, local, &user, &suffix);
	if (suffix.len)
		return local;
	buf_append(joined, local);
	buf_append(joined, f->suffix);
	alias_match_split(w->rules.delimiters, buf_slice(joined), &user, &suffix);
	return buf_ok(joined) && slice_eq(user, local) ? buf_slice(joined) : local;
}

static void walk_address(
	struct walk *w, const struct frame *f, const struct address *a, struct alias_step *step)
{
	auto_buf struct buf plain = BUF_INIT(LIMIT_ADDRESS), joined = BUF_INIT(LIMIT_LOCAL_PART);
	struct alias_match match;

	if (alias_is_local(&w->rules, a)) {
		address_unquote_local(a->local, &plain);
		match_local(w, hand_on_suffix(w, f, buf_slice(&plain), &joined), &match);
		walk_matched(w, f, &match, step);
		return;
	}
	step->kind = ALIAS_STEP_REMOTE;
	address_canonical(a, slice_of(w->request->config->main_origin), &plain);
	step->is_duplicate = !claim(w, 'r', buf_slice(&plain), SLICE_EMPTY);
	visit(w, step);
}

/* ---- items ---- */

static const char *error_text(const struct rhs_item *item)
{
	return item->error == RHS_BAD_ADDRESS ? address_status_text(item->address_status)
					      : rhs_error_text(item->error);
}

static void walk_list(struct walk *w, const struct frame *parent, struct alias_step *step);

static void walk_item(
	struct walk *w, const struct frame *f, const struct rhs_item *item, struct alias_step *step)
{
	static const struct {
		enum alias_step_kind kind;
		char class; /* for duplicates; 0: says what it says */
	} kinds[] = {
		[RHS_ERROR] = { ALIAS_STEP_ERROR, '\0' },
		[RHS_FILE] = { ALIAS_STEP_FILE, 'f' },
		[RHS_DIRECTORY] = { ALIAS_STEP_DIRECTORY, 'f' },
		[RHS_COMMAND] = { ALIAS_STEP_COMMAND, 'c' },
		[RHS_INCLUDE] = { ALIAS_STEP_LIST, 'l' },
		[RHS_FAIL] = { ALIAS_STEP_FAIL, '\0' },
		[RHS_DEFER] = { ALIAS_STEP_DEFER, '\0' },
		[RHS_BLACKHOLE] = { ALIAS_STEP_DISCARD, '\0' },
	};

	if (item->kind == RHS_ADDRESS) {
		walk_address(w, f, &item->address, step);
		return;
	}
	step->kind = item->kind == RHS_USER ? ALIAS_STEP_MAILBOX : kinds[item->kind].kind;
	step->code = item->code;
	if (item->kind == RHS_USER) {
		visit_user(w, step, item->text);
		return;
	}
	if (item->kind == RHS_ERROR)
		step->why = error_text(item);
	if (kinds[item->kind].class)
		step->is_duplicate = !claim(w, kinds[item->kind].class, item->text, SLICE_EMPTY);
	if (item->kind == RHS_INCLUDE)
		walk_list(w, f, step);
	else
		visit(w, step);
}

/* Text that lies in a table or a list stays where it is while its items are walked. */
static void walk_items(struct walk *w, const struct frame *f)
{
	struct alias_step nothing = step_at(f, f->value.file, f->value.line, f->key);
	size_t n_usable = 0;
	struct rhs_item item;
	struct rhs rhs;

	rhs_init(&rhs, f->value.text, 0);
	while (!w->is_over && rhs_next(&rhs, &item)) {
		n_usable += item.kind != RHS_ERROR;
		struct alias_step step =
			step_at(f, f->value.file, rhs_line(&rhs, item.offset, f->value.line), item.text);
		walk_item(w, f, &item, &step);
	}
	rhs_deinit(&rhs);
	nothing.kind = ALIAS_STEP_NOTHING;
	if (n_usable == 0)
		visit(w, &nothing);
}

/* What has no meaning in a list. */
static const char *refused_in_list(enum rhs_kind kind)
{
	switch (kind) {
	case RHS_COMMAND:
	case RHS_FILE:
	case RHS_DIRECTORY: return "a list has neither commands nor files";
	case RHS_FAIL:
	case RHS_DEFER: return "has no meaning in a list";
	default: return NULL;
	}
}

static void walk_member(
	struct walk *w, const struct frame *f, const char *path, size_t line, const struct rhs_item *item)
{
	struct alias_step step = step_at(f, path, line, item->text);

	step.why = refused_in_list(item->kind);
	if (!step.why) {
		walk_item(w, f, item, &step);
		return;
	}
	step.kind = ALIAS_STEP_ERROR;
	visit(w, &step);
}

static void walk_members(struct walk *w, const struct frame *f, const char *path, struct slice text)
{
	struct forward_text items;
	struct rhs_item item;
	size_t line;

	forward_text_init(&items, text);
	while (!w->is_over && forward_text_next(&items, &item, &line))
		walk_member(w, f, path, line, &item);
	forward_text_deinit(&items);
}

static void walk_list(struct walk *w, const struct frame *parent, struct alias_step *step)
{
	auto_free char *path = slice_dup(step->text);
	auto_buf struct buf text = BUF_INIT(LIMIT_LIST);
	const struct frame f = { .parent = parent,
		.key = SLICE_EMPTY,
		.suffix = SLICE_EMPTY,
		.depth = step->depth,
		.n_aliases = parent->n_aliases,
		.n_lists = parent->n_lists + 1 };

	if (!step->is_duplicate && w->request->reads_lists)
		step->why = f.n_lists > LIMIT_LIST_DEPTH ? "lists include each other, or too deeply"
							 : alias_include_read(path, &text);
	visit(w, step);
	if (!step->why && !w->is_over)
		walk_members(w, &f, path, buf_slice(&text));
}

bool alias_walk(const struct alias_walk_request *request, struct slice address)
{
	struct walk w = { .request = request,
		.rules = { .delimiters = slice_of(request->config->aliases_delimiter),
			.is_local_domain = is_local_domain,
			.find = find,
			.user = &w } };
	struct alias_step step = step_at(NULL, NULL, 0, address);
	struct address a;

	if (address_parse(address, ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &a) != ADDRESS_OK)
		return false;
	alias_index_init(&w.seen);
	walk_address(&w, NULL, &a, &step);
	alias_index_deinit(&w.seen);
	return true;
}
