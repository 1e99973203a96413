/* SPDX-License-Identifier: Apache-2.0 */
/* fields.c - see fields.h */
#include "mailx/fields.h"

static bool fields_contain(const struct strlist *l, struct slice name)
{
	for (size_t i = 0; i < l->n; i++)
		if (slice_eq_nocase(slice_of(l->at[i]), name) || strcmp(l->at[i], "*") == 0)
			return true;
	return false;
}

bool fields_show(const struct fields *f, struct slice name)
{
	if (f->retained.n)
		return fields_contain(&f->retained, name);
	return !fields_contain(&f->ignored, name);
}

void fields_deinit(struct fields *f)
{
	strlist_free(&f->ignored);
	strlist_free(&f->retained);
}
