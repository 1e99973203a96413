/* SPDX-License-Identifier: Apache-2.0 */
/* alias_files.c - see alias_files.h */
#include "table/alias_files.h"

/* In the state directory the first file's table has the file's own name; two more may have one name in
 * different directories, so theirs is the whole path with '!' for '/'. */
static bool name_fallback(const struct config *config, struct alias_places *p)
{
	size_t start = strlen(config->paths.state_dir) + 1;

	if ((size_t)snprintf(p->fallback, sizeof(p->fallback), "%s/%s.db", config->paths.state_dir,
		    p->source + 1) >= sizeof(p->fallback))
		return false;
	for (char *c = p->fallback + start; *c; c++)
		if (*c == '/')
			*c = '!';
	return true;
}

bool alias_files_places(const struct config *config, size_t number, struct alias_places *out)
{
	struct slice list = slice_of(config->aliases_file), word;
	auto_free char *name = NULL;

	for (size_t i = 0; i <= number; i++)
		if (!config_list_next(&list, &word))
			return false;
	name = slice_dup(word);
	return alias_places_init(out, name, config->paths.state_dir) &&
		(number == 0 || name_fallback(config, out));
}

bool alias_files_place_named(const struct config *config, const char *file, struct alias_places *out)
{
	for (size_t i = 0; alias_files_places(config, i, out); i++)
		if (strcmp(out->source, file) == 0)
			return true;
	return alias_places_init(out, file, NULL);
}

bool alias_files_init(struct alias_files *f, const struct config *config)
{
	struct slice list = slice_of(config->aliases_file), word;
	struct alias_places places;

	*f = (struct alias_files){ .n = 0 };
	while (config_list_next(&list, &word)) {
		if (f->n == LIMIT_ALIAS_FILES || !alias_files_places(config, f->n, &places)) {
			alias_files_deinit(f);
			return false;
		}
		f->tables[f->n++] = alias_table_new(&places);
	}
	return true;
}

void alias_files_deinit(struct alias_files *f)
{
	while (f->n)
		alias_table_free(&f->tables[--f->n]);
}

void alias_files_refresh(struct alias_files *f)
{
	for (size_t i = 0; i < f->n; i++)
		(void)alias_table_refresh(f->tables[i]);
}

/* The table that has key, or that cannot say. */
static enum alias_status find_table(struct alias_files *f, struct slice key, struct alias_value *value_out,
	struct alias_table **table_out)
{
	enum alias_status status = ALIAS_NONE;

	for (size_t i = 0; status == ALIAS_NONE && i < f->n; i++) {
		status = alias_table_find(f->tables[i], key, value_out);
		*table_out = f->tables[i];
	}
	return status;
}

enum alias_status alias_files_find(void *files, struct slice key, struct alias_value *value_out)
{
	struct alias_table *table;

	return find_table(files, key, value_out, &table);
}

enum alias_status alias_files_find_item(
	struct alias_files *f, const struct origin *origin, enum rhs_kind *kind_out, struct buf *text_out)
{
	struct alias_value value;
	struct alias_table *table = NULL;
	enum alias_status status = find_table(f, origin->name, &value, &table);

	return status == ALIAS_FOUND ? alias_table_find_item(table, origin, kind_out, text_out) : status;
}
