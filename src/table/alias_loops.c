/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_loops.c - ways from an alias back to itself: one depth-first walk over all names
 *
 * With a stack of its own, since a chain can be as long as the file. A way back to a name that names itself
 * is no loop: there it means that user's mailbox, as for two users who forward to each other and keep copies.
 * Tests: test_alias_build.c.
 */
#include "base/limits.h"
#include "table/alias_check.h"

#define CHAIN_TEXT_MAX 600

struct step {
	uint32_t entry;
	uint32_t next_edge; /* counted within the entry */
};
struct walk {
	struct alias_checker *checker;
	const uint32_t *edges;
	uint8_t *state;	  /* per entry: enum visit */
	uint32_t *height; /* aliases on the longest way down, itself included */
	struct buf stack; /* struct step each */
	size_t n_loops;
};
enum visit { VISIT_NEW, VISIT_OPEN, VISIT_DONE };

static size_t stack_depth(const struct walk *w)
{
	return w->stack.len / sizeof(struct step);
}

static struct step *stack_step(const struct walk *w, size_t i)
{
	return (struct step *)(void *)w->stack.at + i;
}

/* "a -> b -> a", with the middle left out when it is long. */
static void chain_append(const struct walk *w, size_t from, struct buf *out)
{
	size_t depth = stack_depth(w);

	for (size_t i = from; i < depth; i++) {
		if (out->len > CHAIN_TEXT_MAX / 2 && i + 1 < depth) {
			buf_append_str(out, "... -> ");
			i = depth - 1;
		}
		buf_append(out, slice_first(alias_index_key(w->checker->index, stack_step(w, i)->entry), 64));
		buf_append_str(out, " -> ");
	}
	buf_append(out, slice_first(alias_index_key(w->checker->index, stack_step(w, from)->entry), 64));
}

/* The first on the stack from there that is of the file that is built; NULL: none is, so the loop was told
 * with another file. */
static const struct alias_entry *first_of_this_file(const struct walk *w, size_t from)
{
	for (size_t i = from; i < stack_depth(w); i++) {
		const struct alias_entry *e = alias_index_entry(w->checker->index, stack_step(w, i)->entry);
		if (!e->counts_elsewhere)
			return e;
	}
	return NULL;
}

static void report_loop(struct walk *w, uint32_t back_to)
{
	auto_buf struct buf chain = BUF_INIT(CHAIN_TEXT_MAX);
	const struct alias_entry *entry;
	size_t from = stack_depth(w);

	while (stack_step(w, --from)->entry != back_to)
		;
	entry = first_of_this_file(w, from);
	if (!entry || ++w->n_loops > ALIAS_LOOPS_REPORTED)
		return;
	chain_append(w, from, &chain);
	alias_problem_report(w->checker, ALIAS_PROBLEM_LOOP, entry->line,
		"loop: %.*s; mail to these names is returned to its sender; change one of them",
		SLICE_ARG(buf_slice(&chain)));
}

static void report_depth(struct walk *w, uint32_t entry)
{
	if (!alias_index_entry(w->checker->index, entry)->counts_elsewhere)
		alias_problem_report(w->checker, ALIAS_PROBLEM_DEPTH,
			alias_index_entry(w->checker->index, entry)->line,
			"\"%.*s\" leads through more than %d aliases; mail to it is returned to its sender",
			SLICE_ARG(alias_index_key(w->checker->index, entry)), LIMIT_ALIAS_DEPTH);
}

static void leave(struct walk *w, uint32_t entry)
{
	w->state[entry] = VISIT_DONE;
	w->height[entry]++;
	if (w->height[entry] == LIMIT_ALIAS_DEPTH + 1)
		report_depth(w, entry);
	w->stack.len -= sizeof(struct step);
	if (w->stack.len) {
		uint32_t above = stack_step(w, stack_depth(w) - 1)->entry;
		w->height[above] = MAX(w->height[above], w->height[entry]);
	}
}

static void enter(struct walk *w, uint32_t entry)
{
	struct step step = { .entry = entry };

	w->state[entry] = VISIT_OPEN;
	buf_append(&w->stack, (struct slice){ (const char *)&step, sizeof(step) });
}

static void follow_edge(struct walk *w, uint32_t from, uint32_t to)
{
	if (w->state[to] == VISIT_NEW)
		enter(w, to);
	else if (w->state[to] == VISIT_DONE)
		w->height[from] = MAX(w->height[from], w->height[to]);
	else if (!alias_index_entry(w->checker->index, to)->keeps_copy)
		report_loop(w, to);
}

static void walk_from(struct walk *w, uint32_t start)
{
	enter(w, start);
	while (w->stack.len && buf_ok(&w->stack)) {
		struct step *top = stack_step(w, stack_depth(w) - 1);
		const struct alias_entry *e = alias_index_entry(w->checker->index, top->entry);
		if (top->next_edge == e->n_edges)
			leave(w, top->entry);
		else
			follow_edge(w, top->entry, w->edges[e->first_edge + top->next_edge++]);
	}
}

bool alias_check_loops(struct alias_checker *c, const uint32_t *edges)
{
	size_t n = c->index->n;
	auto_free uint8_t *state = mem_new_array(n + 1, sizeof(*state));
	auto_free uint32_t *height = mem_new_array(n + 1, sizeof(*height));
	struct walk w = { .checker = c,
		.edges = edges,
		.state = state,
		.height = height,
		.stack = BUF_INIT((n + 1) * sizeof(struct step)) };
	bool is_done;

	for (size_t i = 0; i < n && buf_ok(&w.stack); i++)
		if (state[i] == VISIT_NEW)
			walk_from(&w, (uint32_t)i);
	is_done = buf_ok(&w.stack);
	buf_free(&w.stack);
	return is_done;
}
