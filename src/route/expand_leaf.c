/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand_leaf.c - the leaves of an expansion: made, compared, answered; and how an expansion fails as a whole
 * Tests: test_expand.c, fuzz/fuzz_expand.c.
 */
#include "route/expand-private.h"
#include "mail/trail.h"

#define ARENA_MAX ((size_t)128 * 1024 * 1024) /* LIMIT_EXPANSION leaves with long addresses */

void expand_init(struct expand *e)
{
	*e = (struct expand){ .arena = ARENA_INIT(ARENA_MAX),
		.outcome = JOB_DELIVERED,
		.status = SLICE_EMPTY,
		.reason = SLICE_EMPTY };
}

void expand_deinit(struct expand *e)
{
	table_deinit(&e->targets);
	table_deinit(&e->seen);
	arena_reset(&e->arena);
}

/* ---- failures of the whole ---- */

void expand_fail(struct expand *e, enum job_outcome outcome, const char *status, const char *fmt, ...)
{
	char text[LIMIT_REASON];
	va_list args;
	int n;

	if (e->outcome != JOB_DELIVERED)
		return; /* the first one is the one to tell */
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args); /* cut when too long: it is for reading */
	va_end(args);
	e->outcome = outcome;
	e->status = slice_of(status);
	if (!arena_copy(
		    &e->arena, (struct slice){ text, MIN((size_t)MAX(n, 0), sizeof(text) - 1) }, &e->reason))
		e->reason = SLICE("out of memory");
}

void expand_fail_memory(struct expand *e)
{
	expand_fail(e, JOB_DEFERRED, "4.3.0", "out of memory while expanding aliases");
}

/* ---- leaves ---- */

struct slice expand_keep(struct expand *e, struct slice s)
{
	struct slice copy = SLICE_EMPTY;

	if (s.len && !arena_copy(&e->arena, s, &copy))
		expand_fail_memory(e);
	return copy;
}

struct slice expand_keep_buf(struct expand *e, const struct buf *b)
{
	if (!buf_ok(b))
		expand_fail_memory(e);
	return expand_keep(e, buf_slice(b));
}

/* Two leaves of one target are one. False: it was there already, or there is no memory. */
static bool claim(struct expand *e, struct expand_leaf *leaf, char class, struct slice name)
{
	char *at = arena_alloc(&e->arena, name.len + 2);
	uint64_t hash;

	if (!at) {
		expand_fail_memory(e);
		return false;
	}
	at[0] = class;
	at[1] = leaf->flags & RCPT_NO_FORWARD ? '1' : '0'; /* own mailbox or .forward: not the same */
	if (name.len)
		memcpy(at + 2, name.at, name.len);
	leaf->target = (struct slice){ at, name.len + 2 };
	hash = table_hash_bytes(leaf->target);
	for (struct table_node *n = table_first(&e->targets, hash); n; n = table_next(n, hash))
		if (slice_eq(CONTAINER_OF(n, struct expand_leaf, by_target)->target, leaf->target))
			return false;
	table_insert(&e->targets, &leaf->by_target, hash);
	return true;
}

struct expand_leaf *expand_leaf_new(struct expand *e, const struct frame *f, enum leaf_kind kind)
{
	struct expand_leaf *leaf;

	if (e->listener && e->n_leaves == e->listener->max_leaves) {
		e->is_cut = true;
		return NULL;
	}
	if (e->n_leaves == LIMIT_EXPANSION) {
		expand_fail(e, JOB_FAILED, "5.5.3", "expands to more than %d recipients", LIMIT_EXPANSION);
		return NULL;
	}
	leaf = arena_alloc(&e->arena, sizeof(*leaf));
	if (!leaf) {
		expand_fail_memory(e);
		return NULL;
	}
	*leaf = (struct expand_leaf){ .kind = kind,
		.is_recipient = !f,
		.address = SLICE_EMPTY,
		.destination = SLICE_EMPTY,
		.owner = f ? f->owner : SLICE_EMPTY,
		.origin = SLICE_EMPTY,
		.status = SLICE_EMPTY,
		.reason = SLICE_EMPTY };
	return leaf;
}

void expand_leaf_add(struct expand *e, const struct frame *f, struct expand_leaf *leaf, char class,
	struct slice name, struct slice text)
{
	if (!claim(e, leaf, class, name)) {
		expand_tell(e, f, EXPLAIN_DUPLICATE, nowhere, "%.*s: left out, it is there already",
			SLICE_ARG(slice_first(text, LIMIT_DRY_RUN_TEXT)));
		return;
	}
	if (e->last)
		e->last->next = leaf;
	else
		e->first = leaf;
	e->last = leaf;
	leaf->number = (uint32_t)++e->n_leaves;
	expand_tell_new_leaf(e, f, leaf, text);
}

struct slice expand_canonical(struct expand *e, const struct address *a)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_PATH);

	address_canonical(a, e->rules->origin, &text);
	return expand_keep_buf(e, &text);
}

/* name (unquoted) at this host. */
struct slice expand_own_address(struct expand *e, struct slice name)
{
	auto_buf struct buf quoted = BUF_INIT(LIMIT_PATH);
	struct address a = { .domain = SLICE_EMPTY };

	address_quote_local(name, &quoted);
	a.local = buf_slice(&quoted);
	return expand_canonical(e, &a);
}

void expand_add_user(
	struct expand *e, const struct frame *f, struct slice address, struct slice user, unsigned flags)
{
	struct expand_leaf *leaf = expand_leaf_new(e, f, LEAF_USER);

	if (!leaf)
		return;
	leaf->flags = (uint8_t)(flags & (RCPT_NO_ALIAS | RCPT_NO_FORWARD | RCPT_RECONCILE));
	leaf->address = address;
	leaf->destination = expand_keep(e, user);
	expand_leaf_add(e, f, leaf, 'q', user, address); /* asked once; what is found is compared again */
}

void expand_add_remote(struct expand *e, const struct frame *f, const struct address *a)
{
	struct expand_leaf *leaf = expand_leaf_new(e, f, LEAF_REMOTE);
	size_t at;

	if (!leaf)
		return;
	leaf->address = expand_canonical(e, a);
	at = slice_rfind(leaf->address, '@');
	leaf->destination = e->rules->relay_host.len ? expand_keep(e, e->rules->relay_host)
						     : slice_from(leaf->address, at + 1);
	expand_leaf_add(e, f, leaf, 'r', leaf->address, leaf->address);
	if (leaf->number)
		expand_tell_next_hop(e, leaf);
}

/* ---- answers ---- */

struct expand_leaf *expand_next_question(struct expand *e)
{
	while (e->next_question && e->next_question->kind != LEAF_USER)
		e->next_question = e->next_question->next;
	struct expand_leaf *leaf = e->next_question;
	if (leaf)
		e->next_question = leaf->next;
	return leaf;
}

static const char *database(const struct expand *e)
{
	return e->listener ? e->listener->database : "";
}

static void leaf_decide(struct expand *e, struct expand_leaf *leaf, enum leaf_kind kind, const char *status,
	const char *words)
{
	char reason[LIMIT_REASON];
	struct slice name = slice_first(leaf->destination, 256);
	auto_buf struct buf text = BUF_INIT(sizeof(reason));

	buf_append_str(&text, words);
	buf_printf(&text, ": \"%.*s\"", SLICE_ARG(name));
	leaf->kind = kind;
	leaf->status = slice_of(status);
	leaf->reason = expand_keep_buf(e, &text);
	expand_tell_leaf(
		e, leaf, EXPLAIN_USER, nowhere, "%.*s, says %s", SLICE_ARG(leaf->reason), database(e));
	if (leaf->is_recipient) /* the recipient itself: there is nothing else to deliver */
		expand_fail(e, kind == LEAF_FAIL ? JOB_FAILED : JOB_DEFERRED, status, "%.*s",
			SLICE_ARG(leaf->reason));
}

void expand_answer(struct expand *e, struct expand_leaf *leaf, enum user_outcome outcome, struct slice name)
{
	switch (outcome) {
	case USER_FOUND:
		leaf->destination = expand_keep(e, name);
		expand_tell_leaf(
			e, leaf, EXPLAIN_USER, nowhere, "user %.*s is in %s", SLICE_ARG(name), database(e));
		if (trail_has_user(e->trail, name)) { /* a second time it goes to the mailbox */
			leaf->flags |= RCPT_NO_FORWARD;
			expand_tell_leaf(e, leaf, EXPLAIN_FORWARD, nowhere,
				"it went through this user's .forward before: now it goes to the mailbox");
		}
		table_remove(&e->targets, &leaf->by_target);
		leaf->is_dropped = !claim(e, leaf, 'u', name);
		if (leaf->is_dropped)
			expand_tell_leaf(
				e, leaf, EXPLAIN_DUPLICATE, nowhere, "left out: this user has it already");
		return;
	case USER_UNKNOWN: leaf_decide(e, leaf, LEAF_FAIL, "5.1.1", "unknown user"); return;
	case USER_UNAVAILABLE: break;
	}
	leaf_decide(e, leaf, LEAF_DEFER, "4.3.0", "user database unavailable, asked for");
}

void expand_finish(struct expand *e)
{
	if (!expand_is_failed(e) && !expand_next_leaf(e, NULL))
		expand_fail(e, JOB_DEFERRED, "4.3.5", "the aliases lead nowhere");
}

const struct expand_leaf *expand_next_leaf(const struct expand *e, const struct expand_leaf *after)
{
	const struct expand_leaf *leaf = after ? after->next : e->first;

	while (leaf && leaf->is_dropped)
		leaf = leaf->next;
	return leaf;
}
