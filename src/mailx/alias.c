/* SPDX-License-Identifier: Apache-2.0 */
/* alias.c - see alias.h */
#include "mailx/alias.h"
#include "mailx/ceilings.h"

static struct alias *aliases_lookup(const struct aliases *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->at[i].name, name) == 0)
			return &a->at[i];
	return NULL;
}

const struct alias *aliases_find(const struct aliases *a, const char *name)
{
	return aliases_lookup(a, name);
}

void aliases_add(struct aliases *a, const char *name, const char *member)
{
	struct alias *alias = aliases_lookup(a, name);

	if (!alias) {
		if (a->n == a->cap) {
			size_t cap = a->cap ? a->cap * 2 : 16;
			struct alias *at = mem_new_array(cap, sizeof(*at));
			if (a->n)
				memcpy(at, a->at, a->n * sizeof(*at));
			mem_free(a->at);
			a->at = at;
			a->cap = cap;
		}
		alias = &a->at[a->n++];
		*alias = (struct alias){ .name = mem_dup_str(name) };
	}
	strlist_add(&alias->members, member);
}

void aliases_remove(struct aliases *a, const char *name)
{
	struct alias *alias = aliases_lookup(a, name);

	if (!alias)
		return;
	mem_free(alias->name);
	strlist_free(&alias->members);
	a->n--;
	memmove(alias, alias + 1, (size_t)(a->at + a->n - alias) * sizeof(*alias));
}

/* way: the aliases we are inside of, so that a circle ends. */
static void aliases_walk(const struct aliases *a, const char *name, struct strlist *way, struct strlist *out)
{
	const struct alias *alias = aliases_lookup(a, name);

	if (out->n >= MAILX_RECIPIENTS_MAX)
		return;
	if (!alias || way->n >= MAILX_ALIAS_DEPTH || strlist_find_nocase(way, name) < way->n) {
		strlist_add(out, name);
		return;
	}
	strlist_add(way, name);
	for (size_t i = 0; i < alias->members.n; i++)
		aliases_walk(a, alias->members.at[i], way, out);
	strlist_remove(way, way->n - 1);
}

void aliases_expand(const struct aliases *a, const char *name, struct strlist *out)
{
	auto_strlist struct strlist way = STRLIST_INIT;

	aliases_walk(a, name, &way, out);
}

void aliases_list(const struct aliases *a, struct buf *out)
{
	for (size_t i = 0; i < a->n; i++) {
		buf_printf(out, "%s\t", a->at[i].name);
		for (size_t k = 0; k < a->at[i].members.n; k++)
			buf_printf(out, "%s%s", k ? " " : "", a->at[i].members.at[k]);
		buf_append_byte(out, '\n');
	}
}

void aliases_deinit(struct aliases *a)
{
	while (a->n)
		aliases_remove(a, a->at[a->n - 1].name);
	mem_free(a->at);
	*a = (struct aliases){ 0 };
}
