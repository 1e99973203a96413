/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_table.h - the compiled alias table: found, checked, read into memory, asked
 *
 * The table is one constant database (cdb). It lies beside its source (/etc/aliases.db), or in the state
 * directory where that place cannot be written; where both are there, the one that was made from the source
 * as it is now counts. A table that cannot be used never replaces one that can: the last good one stays in
 * memory, whatever is done to its file. Reads only; alias_install.h writes. Never logs.
 *
 * Format, version 1: for each key a record "key" -> u32 line number, little endian, then the right-hand side
 * as aliases_text.h gives it; an entry that is :unknown: has none. One record under ALIAS_META_KEY, which no
 * alias can be called, holds struct alias_meta. The file's CRC-32C, with the checksum's own place taken as
 * zeros, stands in it.
 *
 * Layer: table. Tests: test_alias_table.c, fuzz/fuzz_alias_table.c.
 */
#pragma once
#include "base/buf.h"
#include "mail/origin.h"
#include <sys/stat.h>

#define ALIAS_META_KEY SLICE("\0postrider")
#define ALIAS_VERSION 1
#define ALIAS_TABLE_MAX_BYTES (1 << 30) /* larger ones are neither written nor read */
#define ALIAS_LINE_BYTES 4		/* of a record's value, before the text */

/* What the source was when it was read; equal to that of another look: the same content. */
struct alias_source_id {
	uint64_t inode, size, mtime_ns;
	uint64_t hash; /* XXH3 of the content; not compared, because it needs the content */
};
struct alias_meta {
	uint32_t n_entries, n_problems; /* problems: reported when it was built */
	struct alias_source_id source;
	uint64_t built_ns;   /* wall clock; which of two tables is newer, when neither fits the source */
	uint64_t file_bytes; /* the table's own size */
	uint32_t crc;
};
#define ALIAS_META_BYTES 72
#define ALIAS_META_CRC_AT 64 /* of the checksum in the encoded meta */
void alias_meta_encode(const struct alias_meta *meta, char to[ALIAS_META_BYTES]);
/* False: not ours, or another version's. */
MUST_USE bool alias_meta_decode(struct slice from, struct alias_meta *out);

void alias_source_id_of(const struct stat *st, struct alias_source_id *out); /* hash 0 */
bool alias_source_id_equal(const struct alias_source_id *a, const struct alias_source_id *b);

struct alias_places {
	char source[PATH_MAX];	 /* the aliases file */
	char beside[PATH_MAX];	 /* source.db */
	char fallback[PATH_MAX]; /* in the state directory; empty: none */
};
/* state_dir NULL: no fallback. False when a name is too long. */
MUST_USE bool alias_places_init(struct alias_places *p, const char *source, const char *state_dir);

enum alias_table_state {
	ALIAS_TABLE_READY = 1,
	ALIAS_TABLE_NO_SOURCE, /* neither source nor table: no name has an alias */
	ALIAS_TABLE_NOT_BUILT, /* a source, but no table yet */
	ALIAS_TABLE_FOREIGN,   /* another program's file, a Berkeley DB perhaps, or cut off: build anew */
	ALIAS_TABLE_DAMAGED,   /* ours, but cut off or changed */
	ALIAS_TABLE_UNSAFE,    /* somebody else than root and ourselves could have written it */
	ALIAS_TABLE_UNREADABLE /* could not be opened or read, or no memory for it */
};
/* Plain words for a log line, without full stop. */
const char *alias_table_state_text(enum alias_table_state state);

enum alias_status {
	ALIAS_FOUND = 1,
	ALIAS_NONE,   /* there is no such alias */
	ALIAS_BROKEN, /* no table can be asked: try again later */
};
struct alias_value {
	struct slice text; /* for rhs.h */
	size_t line;	   /* of the key in the source */
	const char *file;  /* the source's name; NULL: none, the name always exists */
};

struct alias_table;
/* Opens nothing yet: alias_table_refresh() does. */
struct alias_table *alias_table_new(const struct alias_places *places);
void alias_table_free(struct alias_table **t);
/* Looks whether a file changed (one stat each) and reads the new table then; slices handed out before are
 * gone if it did. Call it once per question or turn of the loop. What it says is about the file as it is now;
 * what alias_table_find() uses is the last good one. */
enum alias_table_state alias_table_refresh(struct alias_table *t);
/* What fd holds is the table until the next refresh; for the builder, which wrote it a moment ago. */
enum alias_table_state alias_table_adopt(struct alias_table *t, int fd);
/* Grows with each table that is taken into use. */
uint64_t alias_table_generation(const struct alias_table *t);
/* The table in use, or NULL. */
const struct alias_meta *alias_table_meta(const struct alias_table *t);
const struct alias_places *alias_table_places(const struct alias_table *t);

/* key: as aliases_key_append() makes it. *value_out is valid until the next refresh. */
MUST_USE enum alias_status alias_table_find(
	struct alias_table *t, struct slice key, struct alias_value *value_out);

/* Each entry in the order of the source, until visit() says false. value as alias_table_find() gives it. */
typedef bool (*alias_entry_visit)(struct slice key, const struct alias_value *value, void *user);
void alias_table_each(struct alias_table *t, alias_entry_visit visit, void *user);

/* The item of an alias that origin (ORIGIN_ALIAS or ORIGIN_LIST) refers to: its kind and its text (appended
 * to *text_out). ALIAS_NONE: not there any more. */
MUST_USE enum alias_status alias_table_find_item(
	struct alias_table *t, const struct origin *origin, enum rhs_kind *kind_out, struct buf *text_out);
