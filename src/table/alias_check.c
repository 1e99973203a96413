/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_check.c - the items of all entries, see alias_check.h
 *
 * What an item names is resolved as routing does it (route/rules.h): name+extension first, then the name; an
 * alias that names itself means the user of that name.
 */
#include "table/alias_check.h"
#include "base/limits.h"
#include "mail/aliases_text.h"

#define EDGES_MAX ((size_t)1 << 30) /* bytes: some 270 million names */
#define PROBLEM_MAX 1000
#define QUOTED_MAX 80 /* of an item in a message */

void alias_problem_report(
	struct alias_checker *c, enum alias_problem_kind kind, size_t line, const char *fmt, ...)
{
	struct alias_problem problem = { .kind = kind, .line = line };
	char text[PROBLEM_MAX];
	va_list args;
	int n;

	c->summary->n_problems++;
	if (!c->build->report)
		return;
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args); /* cut when too long: it is for reading */
	va_end(args);
	problem.text = (struct slice){ text, MIN((size_t)MAX(n, 0), sizeof(text) - 1) };
	for (size_t i = 0; i < problem.text.len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	c->build->report(&problem, c->build->user);
}

/* One entry while its items are looked at. */
struct entry_check {
	struct alias_checker *checker;
	uint32_t number;
	struct buf *edges;
	struct buf *unquoted;
	size_t n_usable;
	size_t counted_to, line; /* lines are counted once, not from the start for each item */
};

static bool is_local(const struct alias_build *b, struct slice domain)
{
	if (domain.len == 0)
		return true;
	return b->config ? config_is_local_domain(b->config, domain)
			 : slice_eq_nocase(domain, SLICE("localhost"));
}

static uint32_t find_lower(const struct alias_index *x, struct slice name)
{
	char lower[LIMIT_LOCAL_PART];

	if (name.len > sizeof(lower))
		return ALIAS_INDEX_NONE;
	for (size_t i = 0; i < name.len; i++)
		lower[i] = ascii_lower(name.at[i]);
	return alias_index_find(x, (struct slice){ lower, name.len });
}

static uint32_t find_named(const struct alias_checker *c, struct slice local)
{
	struct slice delimiters =
		c->build->config ? slice_of(c->build->config->aliases_delimiter) : SLICE("+");
	struct slice user, extension;
	uint32_t found = find_lower(c->index, local);

	if (found == ALIAS_INDEX_NONE && address_split_extension(local, delimiters, &user, &extension))
		found = find_lower(c->index, user);
	return found;
}

/* The address is that of another alias, or the entry's own name, or none of our business. */
static void note_address(struct entry_check *e, const struct address *a)
{
	struct alias_entry *entry = alias_index_entry(e->checker->index, e->number);
	uint32_t target;

	if (!is_local(e->checker->build, a->domain))
		return;
	buf_clear(e->unquoted);
	address_unquote_local(a->local, e->unquoted);
	target = find_named(e->checker, buf_slice(e->unquoted));
	if (target == ALIAS_INDEX_NONE)
		return;
	if (target == e->number) {
		entry->keeps_copy = true;
		return;
	}
	buf_append(e->edges, (struct slice){ (const char *)&target, sizeof(target) });
	entry->n_edges++;
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

static void check_include(struct entry_check *e, struct slice path, size_t line)
{
	auto_free char *name = slice_dup(path);

	if (!e->checker->build->check_includes || access(name, R_OK) == 0)
		return;
	alias_problem_report(e->checker, ALIAS_PROBLEM_INCLUDE, line,
		":include:%s: %s; create that file or take it out of \"%.*s\"", name, strerror(errno),
		SLICE_ARG(alias_index_key(e->checker->index, e->number)));
}

static size_t line_of(struct entry_check *e, const struct rhs *rhs, size_t offset)
{
	for (; e->counted_to < offset && e->counted_to < rhs->text.len; e->counted_to++)
		e->line += rhs->text.at[e->counted_to] == '\n';
	return e->line;
}

static void check_item(struct entry_check *e, const struct rhs *rhs, const struct rhs_item *item)
{
	struct alias_index *index = e->checker->index;

	e->n_usable += item->kind != RHS_ERROR;
	if (item->kind == RHS_ADDRESS)
		note_address(e, &item->address);
	else if (item->kind == RHS_USER && slice_eq_nocase(item->text, alias_index_key(index, e->number)))
		alias_index_entry(index, e->number)->keeps_copy = true;
	else if (item->kind == RHS_INCLUDE)
		check_include(e, item->text, line_of(e, rhs, item->offset));
	else if (item->kind == RHS_ERROR)
		report_item(e, item, line_of(e, rhs, item->offset));
}

static void check_entry(struct entry_check *e)
{
	struct alias_entry *entry = alias_index_entry(e->checker->index, e->number);
	struct rhs_item item;
	struct rhs rhs;

	entry->first_edge = (uint32_t)(e->edges->len / sizeof(uint32_t));
	e->line = entry->line;
	rhs_init(&rhs, alias_index_rhs(e->checker->index, e->number), 0);
	while (rhs_next(&rhs, &item))
		check_item(e, &rhs, &item);
	rhs_deinit(&rhs);
	if (e->n_usable == 0)
		alias_problem_report(e->checker, ALIAS_PROBLEM_NOTHING, entry->line,
			"\"%.*s\" has no usable recipient; its mail waits in the queue until this is put "
			"right",
			SLICE_ARG(alias_index_key(e->checker->index, e->number)));
}

bool alias_check(struct alias_checker *c)
{
	auto_buf struct buf edges = BUF_INIT(EDGES_MAX), unquoted = BUF_INIT(LIMIT_ADDRESS);

	for (size_t i = 0; i < c->index->n; i++) {
		struct entry_check e = {
			.checker = c, .number = (uint32_t)i, .edges = &edges, .unquoted = &unquoted
		};
		check_entry(&e);
	}
	if (!buf_ok(&edges) || !alias_check_loops(c, (const uint32_t *)(const void *)edges.at))
		return false;
	if (alias_index_find(c->index, SLICE("postmaster")) == ALIAS_INDEX_NONE)
		alias_problem_report(c, ALIAS_PROBLEM_NO_POSTMASTER, 0,
			"there is no \"postmaster\", so its mail goes to root; add a line \"postmaster: "
			"root\"");
	return true;
}
