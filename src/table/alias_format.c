/* SPDX-License-Identifier: Apache-2.0 */
/* alias_format.c - the parts of the table that reader and builder share; see alias_table.h */
#include "table/alias_table.h"

#define ALIAS_MAGIC "PRALIAS\n"
#define MAGIC_BYTES 8

static void put(char *to, uint64_t value, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++)
		to[i] = (char)(unsigned char)(value >> (8 * i));
}

static uint64_t get(const char *from, size_t n_bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n_bytes; i++)
		value |= (uint64_t)(unsigned char)from[i] << (8 * i);
	return value;
}

void alias_meta_encode(const struct alias_meta *meta, char to[ALIAS_META_BYTES])
{
	memcpy(to, ALIAS_MAGIC, MAGIC_BYTES);
	put(to + 8, ALIAS_VERSION, 4);
	put(to + 12, meta->n_entries, 4);
	put(to + 16, meta->source.inode, 8);
	put(to + 24, meta->source.size, 8);
	put(to + 32, meta->source.mtime_ns, 8);
	put(to + 40, meta->source.hash, 8);
	put(to + 48, meta->built_ns, 8);
	put(to + 56, meta->file_bytes, 8);
	put(to + ALIAS_META_CRC_AT, meta->crc, 4);
	put(to + 68, meta->n_problems, 4);
}

bool alias_meta_decode(struct slice from, struct alias_meta *out)
{
	if (from.len != ALIAS_META_BYTES || memcmp(from.at, ALIAS_MAGIC, MAGIC_BYTES) != 0 ||
		get(from.at + 8, 4) != ALIAS_VERSION)
		return false;
	*out = (struct alias_meta){
		.n_entries = (uint32_t)get(from.at + 12, 4),
		.n_problems = (uint32_t)get(from.at + 68, 4),
		.source = { .inode = get(from.at + 16, 8),
			.size = get(from.at + 24, 8),
			.mtime_ns = get(from.at + 32, 8),
			.hash = get(from.at + 40, 8) },
		.built_ns = get(from.at + 48, 8),
		.file_bytes = get(from.at + 56, 8),
		.crc = (uint32_t)get(from.at + ALIAS_META_CRC_AT, 4),
	};
	return true;
}

void alias_source_id_of(const struct stat *st, struct alias_source_id *out)
{
	*out = (struct alias_source_id){
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec,
	};
}

bool alias_source_id_equal(const struct alias_source_id *a, const struct alias_source_id *b)
{
	return a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns;
}

bool alias_places_init(struct alias_places *p, const char *source, const char *state_dir)
{
	const char *slash = strrchr(source, '/');
	const char *name = slash ? slash + 1 : source;
	bool fits;

	memset(p, 0, sizeof(*p));
	fits = (size_t)snprintf(p->source, sizeof(p->source), "%s", source) < sizeof(p->source) &&
		(size_t)snprintf(p->beside, sizeof(p->beside), "%s.db", source) < sizeof(p->beside);
	if (fits && state_dir)
		fits = (size_t)snprintf(p->fallback, sizeof(p->fallback), "%s/%s.db", state_dir, name) <
			sizeof(p->fallback);
	return fits;
}

const char *alias_table_state_text(enum alias_table_state state)
{
	static const char *const texts[] = {
		[ALIAS_TABLE_READY] = "ready",
		[ALIAS_TABLE_NO_SOURCE] = "there is no aliases file",
		[ALIAS_TABLE_NOT_BUILT] = "not built yet; run newaliases",
		[ALIAS_TABLE_FOREIGN] = "made by another program or cut off; run newaliases",
		[ALIAS_TABLE_DAMAGED] = "damaged; run newaliases",
		[ALIAS_TABLE_UNSAFE] = "others than root may write it; remove it and run newaliases",
		[ALIAS_TABLE_UNREADABLE] = "cannot be read",
	};
	return texts[state];
}

enum alias_status alias_table_find_item(
	struct alias_table *t, const struct origin *origin, enum rhs_kind *kind_out, struct buf *text_out)
{
	struct alias_value value;
	struct rhs_item item;
	struct rhs rhs;
	size_t n = 0;
	enum alias_status status = alias_table_find(t, origin->name, &value);

	if (status != ALIAS_FOUND)
		return status;
	status = ALIAS_NONE;
	rhs_init(&rhs, value.text, 0);
	while (n < origin->item && rhs_next(&rhs, &item))
		n++;
	if (n == origin->item && origin_check(&item) == origin->check &&
		(item.kind == RHS_INCLUDE) == (origin->kind == ORIGIN_LIST)) {
		*kind_out = item.kind;
		buf_append(text_out, item.text);
		status = ALIAS_FOUND;
	}
	rhs_deinit(&rhs);
	return status;
}
