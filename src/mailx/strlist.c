/* SPDX-License-Identifier: Apache-2.0 */
/* strlist.c - see strlist.h */
#include "mailx/strlist.h"

static void strlist_grow(struct strlist *l)
{
	size_t cap = l->cap ? l->cap * 2 : 8;
	char **at;

	if (l->n < l->cap)
		return;
	at = mem_new_array(cap, sizeof(*at));
	if (l->n)
		memcpy(at, l->at, l->n * sizeof(*at));
	mem_free(l->at);
	l->at = at;
	l->cap = cap;
}

void strlist_add(struct strlist *l, const char *s)
{
	strlist_insert(l, l->n, s);
}

void strlist_add_slice(struct strlist *l, struct slice s)
{
	strlist_grow(l);
	l->at[l->n++] = slice_dup(s);
}

void strlist_insert(struct strlist *l, size_t index, const char *s)
{
	CHECK(index <= l->n);
	strlist_grow(l);
	memmove(l->at + index + 1, l->at + index, (l->n - index) * sizeof(*l->at));
	l->at[index] = mem_dup_str(s);
	l->n++;
}

void strlist_remove(struct strlist *l, size_t index)
{
	CHECK(index < l->n);
	mem_free(l->at[index]);
	l->n--;
	memmove(l->at + index, l->at + index + 1, (l->n - index) * sizeof(*l->at));
}

size_t strlist_find_nocase(const struct strlist *l, const char *s)
{
	struct slice want = slice_of(s);

	for (size_t i = 0; i < l->n; i++)
		if (slice_eq_nocase(slice_of(l->at[i]), want))
			return i;
	return l->n;
}

void strlist_free(struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		mem_free(l->at[i]);
	mem_free(l->at);
	*l = STRLIST_INIT;
}
