/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_check.c - the items of all entries, see alias_check.h
 *
 * What an item names is resolved as routing does it (alias_match.h); an alias that names itself means the
 * user of that name. Entries of earlier files that are led to are taken into the index as they are met, so
 * that a loop over several files is found: in the last one of them.
 */
#include "table/alias_check.h"
#include "base/limits.h"
#include "mail/chars.h"
#include "table/alias_match.h"

#define EDGES_MAX ((size_t)1 << 30) /* bytes: some 270 million names */
#define QUOTED_MAX 80		    /* of an item in a message */

void alias_problem_report(
	struct alias_checker *c, enum alias_problem_kind kind, size_t line, const char *fmt, ...)
{
	const struct alias_problem problem = { .kind = kind, .line = line };
	va_list args;

	c->summary->n_problems++;
	va_start(args, fmt);
	alias_problem_vtell(&problem, c->build->report, c->build->user, fmt, args);
	va_end(args);
}

/* One entry while its items are looked at. Its place in the index moves when entries are added. */
struct entry_check {
	struct alias_checker *checker;
	uint32_t number;
	struct buf *edges;
	struct buf *scratch;
	size_t n_usable;
	size_t counted_to, line; /* lines are counted once, not from the start for each item */
	uint32_t found;		 /* by the last question of alias_match_local() */
	bool is_of_this_file;
};

static struct alias_entry *entry_of(const struct entry_check *e)
{
	return alias_index_entry(e->checker->index, e->number);
}

static bool is_local(const struct alias_build *b, struct slice domain)
{
	if (domain.len == 0)
		return true;
	return b->config ? config_is_local_domain(b->config, domain)
			 : slice_eq_nocase(domain, SLICE("localhost"));
}

static uint32_t take_from_earlier(struct alias_checker *c, struct slice key)
{
	struct alias_value value;

	if (!c->build->earlier || alias_files_find(c->build->earlier, key, &value) != ALIAS_FOUND ||
		!alias_index_add(c->index, key, value.text, value.line))
		return ALIAS_INDEX_NONE;
	alias_index_entry(c->index, c->index->n - 1)->counts_elsewhere = true;
	return (uint32_t)c->index->n - 1;
}

static enum alias_status find_in_index(void *user, struct slice key, struct alias_value *value_out)
{
	struct entry_check *e = user;
	const struct alias_entry *entry;

	(void)value_out; /* the entry's number is enough */
	e->found = alias_index_find(e->checker->index, key);
	if (e->found == ALIAS_INDEX_NONE)
		e->found = take_from_earlier(e->checker, key);
	if (e->found == ALIAS_INDEX_NONE)
		return ALIAS_NONE;
	entry = alias_index_entry(e->checker->index, e->found);
	return entry->is_none && !entry->counts_elsewhere ? ALIAS_NONE : ALIAS_FOUND;
}

/* ---- questions for those who can ask the machine ---- */

static void ask(struct entry_check *e, enum alias_question_kind kind, struct slice text, size_t line)
{
	struct alias_checker *c = e->checker;
	const struct alias_question question = {
		.kind = kind, .line = line, .key = alias_index_key(c->index, e->number), .text = text
	};

	if (c->build->ask && e->is_of_this_file && c->n_asked[kind]++ < c->build->max_questions)
		c->build->ask(&question, c->build->user);
}

static bool has_control(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (char_is_control(s.at[i]))
			return true;
	return false;
}

/* kind: ALIAS_ASK_USER or ALIAS_ASK_MAILBOX. */
static void ask_for_user(struct entry_check *e, enum alias_question_kind kind, struct slice name, size_t line)
{
	struct alias_index *asked = &e->checker->asked[kind];

	if (!e->checker->build->ask || e->checker->n_asked[kind] >= e->checker->build->max_questions ||
		has_control(name) || alias_index_find(asked, name) != ALIAS_INDEX_NONE)
		return;
	ask(e, kind, name, line);
	(void)!alias_index_add(asked, name, SLICE_EMPTY, line); /* at worst it is asked for again */
}

/* ---- the items ---- */

static size_t line_of(struct entry_check *e, const struct rhs *rhs, size_t offset)
{
	for (; e->counted_to < offset && e->counted_to < rhs->text.len; e->counted_to++)
		e->line += rhs->text.at[e->counted_to] == '\n';
	return e->line;
}

/* The address is that of another alias, or the entry's own name, or a user's, or none of our business. */
static void note_address(struct entry_check *e, const struct address *a, size_t line)
{
	struct slice delimiters = e->checker->build->config
		? slice_of(e->checker->build->config->aliases_delimiter)
		: SLICE("+");
	struct alias_match match;

	if (!is_local(e->checker->build, a->domain))
		return;
	buf_clear(e->scratch);
	address_unquote_local(a->local, e->scratch);
	alias_match_local(find_in_index, e, delimiters, buf_slice(e->scratch), &match);
	if (match.status == ALIAS_NONE) {
		ask_for_user(e, ALIAS_ASK_USER, match.user, line);
	} else if (!match.is_default && e->found == e->number) {
		entry_of(e)->keeps_copy = true;
		ask_for_user(e, ALIAS_ASK_MAILBOX, match.user, line);
	} else if (!match.is_default) {
		buf_append(e->edges, (struct slice){ (const char *)&e->found, sizeof(e->found) });
		entry_of(e)->n_edges++;
	}
}

static void note_user(struct entry_check *e, struct slice name, size_t line)
{
	if (slice_eq_nocase(name, alias_index_key(e->checker->index, e->number)))
		entry_of(e)->keeps_copy = true;
	ask_for_user(e, ALIAS_ASK_MAILBOX, name, line);
}

static void report_item(struct entry_check *e, const struct rhs_item *item, size_t line)
{
	bool is_address = item->error == RHS_BAD_ADDRESS;
	struct slice shown = slice_first(item->text, QUOTED_MAX);

	alias_problem_report(e->checker, ALIAS_PROBLEM_ITEM, line,
		"\"%.*s%s\": %s%s%s; this recipient of \"%.*s\" is left out", SLICE_ARG(shown),
		shown.len < item->text.len ? "..." : "", rhs_error_text(item->error), is_address ? ": " : "",
		is_address ? address_status_text(item->address_status) : "",
		SLICE_ARG(alias_index_key(e->checker->index, e->number)));
}

static void check_item(struct entry_check *e, const struct rhs *rhs, const struct rhs_item *item)
{
	size_t line = line_of(e, rhs, item->offset);

	e->n_usable += item->kind != RHS_ERROR;
	if (item->kind == RHS_ADDRESS)
		note_address(e, &item->address, line);
	else if (item->kind == RHS_USER)
		note_user(e, item->text, line);
	else if (item->kind == RHS_INCLUDE && item->text.len < PATH_MAX)
		ask(e, ALIAS_ASK_INCLUDE, item->text, line);
	else if (item->kind == RHS_ERROR && e->is_of_this_file)
		report_item(e, item, line);
}

static void check_items(struct entry_check *e, struct slice text)
{
	struct rhs_item item;
	struct rhs rhs;

	rhs_init(&rhs, text, 0);
	while (rhs_next(&rhs, &item))
		check_item(e, &rhs, &item);
	rhs_deinit(&rhs);
	if (e->n_usable == 0 && e->is_of_this_file)
		alias_problem_report(e->checker, ALIAS_PROBLEM_NOTHING, entry_of(e)->line,
			"\"%.*s\" has no usable recipient; its mail waits in the queue until this is put "
			"right",
			SLICE_ARG(alias_index_key(e->checker->index, e->number)));
}

/* What mail to the name goes by. What is taken from earlier files moves the index, so then it is a copy. */
static struct slice text_that_counts(struct entry_check *e, struct buf *copy)
{
	struct slice key = alias_index_key(e->checker->index, e->number);
	struct slice text = alias_index_rhs(e->checker->index, e->number);
	struct alias_value value;

	if (!e->checker->build->earlier)
		return text;
	if (entry_of(e)->counts_elsewhere && entry_of(e)->is_own &&
		alias_files_find(e->checker->build->earlier, key, &value) == ALIAS_FOUND)
		return value.text;
	buf_append(copy, text);
	return buf_slice(copy);
}

static void check_entry(struct entry_check *e)
{
	auto_buf struct buf copy = BUF_INIT(LIMIT_ALIAS_LINE);

	entry_of(e)->first_edge = (uint32_t)(e->edges->len / sizeof(uint32_t));
	e->line = entry_of(e)->line;
	e->is_of_this_file = !entry_of(e)->counts_elsewhere;
	if (!entry_of(e)->is_none || entry_of(e)->counts_elsewhere)
		check_items(e, text_that_counts(e, &copy));
}

static bool has_postmaster(struct alias_checker *c)
{
	struct alias_value value;

	return alias_index_find(c->index, SLICE("postmaster")) != ALIAS_INDEX_NONE ||
		(c->build->earlier &&
			alias_files_find(c->build->earlier, SLICE("postmaster"), &value) != ALIAS_NONE);
}

bool alias_check(struct alias_checker *c)
{
	auto_buf struct buf edges = BUF_INIT(EDGES_MAX), scratch = BUF_INIT(LIMIT_ADDRESS);

	for (size_t i = 0; i < c->index->n; i++) {
		struct entry_check e = {
			.checker = c, .number = (uint32_t)i, .edges = &edges, .scratch = &scratch
		};
		check_entry(&e);
	}
	if (!buf_ok(&edges) || !alias_check_loops(c, (const uint32_t *)(const void *)edges.at))
		return false;
	if (!c->build->more_follow && !has_postmaster(c))
		alias_problem_report(c, ALIAS_PROBLEM_NO_POSTMASTER, 0,
			"there is no \"postmaster\", so its mail goes to root; add a line \"postmaster: "
			"root\"");
	return true;
}
