/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_files.h - the aliases files in their order (setting aliases.file), each with a table of its own
 *
 * A name is looked for in one after the other; the first that has it decides. A file without a usable table
 * makes the names that no file before it has doubtful (ALIAS_BROKEN): one of them may be its own. Layer:
 * table. Tests: test_alias_files.c.
 */
#pragma once
#include "base/limits.h"
#include "config/config.h"
#include "table/alias_table.h"

/* Where the file with that number lies, counted from 0. False: there are not so many, or a name is too long.
 */
MUST_USE bool alias_files_places(const struct config *config, size_t number, struct alias_places *out);
/* The same for a file by its name, which need not be one of them: then its table is nowhere but beside it. */
MUST_USE bool alias_files_place_named(
	const struct config *config, const char *file, struct alias_places *out);

struct alias_files {
	struct alias_table *tables[LIMIT_ALIAS_FILES];
	size_t n;
};
/* Opens nothing yet. False, and nothing is to be released: too many, or a name that is too long. */
MUST_USE bool alias_files_init(struct alias_files *f, const struct config *config);
void alias_files_deinit(struct alias_files *f);
/* alias_table_refresh() of each. */
void alias_files_refresh(struct alias_files *f);
/* files: struct alias_files *, so that it is an alias_find (alias_match.h). */
MUST_USE enum alias_status alias_files_find(void *files, struct slice key, struct alias_value *value_out);
/* As alias_table_find_item(), in the file whose entry counts. */
MUST_USE enum alias_status alias_files_find_item(
	struct alias_files *f, const struct origin *origin, enum rhs_kind *kind_out, struct buf *text_out);
