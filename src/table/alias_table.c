/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_table.c - finding, checking and mapping the table; see alias_table.h
 *
 * A table is replaced by rename only, so a mapping stays whole as long as it is held. The checksum is
 * computed once per table that is taken into use.
 */
#include "table/alias_table.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include <cdb.h>
#include <fcntl.h>

#define N_PLACES 2
#define CDB_MIN_BYTES 2048 /* the index of an empty constant database */

/* One file as it was looked at; not open when fd is -1. */
struct mapped {
	enum alias_table_state state;
	int fd;
	struct cdb cdb;
	struct alias_meta meta;
};
#define MAPPED_INIT(first_state) ((struct mapped){ .state = (first_state), .fd = -1 })

/* What one stat says; equal to the last one: nothing to do. */
struct look {
	bool is_there;
	dev_t device;
	struct alias_source_id id;
};

struct alias_table {
	struct alias_places places;
	struct look looks[N_PLACES];
	enum alias_table_state state; /* of the files as they are; 0 before the first look */
	struct mapped used;	      /* the last good one */
	uint64_t generation;
};

static const char *place_name(const struct alias_table *t, size_t i)
{
	return i == 0 ? t->places.beside : t->places.fallback;
}

/* ---- one file ---- */

static void mapped_close(struct mapped *m)
{
	if (m->fd >= 0) {
		cdb_free(&m->cdb);
		(void)close(m->fd); /* read-only */
	}
	*m = MAPPED_INIT(m->state);
}

static struct slice cdb_bytes(const struct cdb *cdb, size_t n, size_t at)
{
	const void *p = cdb_get(cdb, (unsigned)n, (unsigned)at);
	return p ? (struct slice){ p, n } : SLICE_EMPTY;
}

static bool crc_fits(const struct cdb *cdb, const struct alias_meta *meta, size_t crc_at)
{
	static const char zeros[4];
	struct slice all = cdb_bytes(cdb, (size_t)meta->file_bytes, 0);
	uint32_t crc = crc32c(0, slice_first(all, crc_at));

	crc = crc32c(crc, (struct slice){ zeros, sizeof(zeros) });
	crc = crc32c(crc, slice_from(all, crc_at + sizeof(zeros)));
	return crc == meta->crc;
}

static enum alias_table_state mapped_check(struct mapped *m, uint64_t file_bytes)
{
	const struct slice key = ALIAS_META_KEY;
	struct slice meta;

	if (cdb_find(&m->cdb, key.at, (unsigned)key.len) <= 0)
		return ALIAS_TABLE_FOREIGN;
	meta = cdb_bytes(&m->cdb, cdb_datalen(&m->cdb), cdb_datapos(&m->cdb));
	if (!alias_meta_decode(meta, &m->meta))
		return ALIAS_TABLE_FOREIGN;
	if (m->meta.file_bytes != file_bytes ||
		!crc_fits(&m->cdb, &m->meta, cdb_datapos(&m->cdb) + ALIAS_META_CRC_AT))
		return ALIAS_TABLE_DAMAGED;
	return ALIAS_TABLE_READY;
}

/* Root and we ourselves may have written it, nobody else. */
static bool is_safe(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static enum alias_table_state mapped_open_fd(struct mapped *m)
{
	struct stat st;
	enum alias_table_state state;

	if (fstat(m->fd, &st) < 0)
		return ALIAS_TABLE_UNREADABLE;
	if (!S_ISREG(st.st_mode) || st.st_size < CDB_MIN_BYTES || st.st_size > UINT32_MAX)
		return ALIAS_TABLE_FOREIGN;
	if (!is_safe(&st))
		return ALIAS_TABLE_UNSAFE;
	if (cdb_init(&m->cdb, m->fd) < 0)
		return ALIAS_TABLE_UNREADABLE;
	state = mapped_check(m, (uint64_t)st.st_size);
	if (state != ALIAS_TABLE_READY)
		cdb_free(&m->cdb);
	return state;
}

static void mapped_open(struct mapped *m, const char *name)
{
	m->fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (m->fd < 0) {
		m->state = errno == ENOENT ? ALIAS_TABLE_NOT_BUILT
			: errno == ELOOP   ? ALIAS_TABLE_FOREIGN
					   : ALIAS_TABLE_UNREADABLE;
		return;
	}
	m->state = mapped_open_fd(m);
	if (m->state != ALIAS_TABLE_READY) {
		cleanup_close(&m->fd);
		m->fd = -1;
	}
}

/* ---- the places ---- */

static bool look_at(const char *name, struct look *last)
{
	struct look now = { 0 };
	struct stat st;
	bool is_same;

	if (*name && lstat(name, &st) == 0) {
		now.is_there = true;
		now.device = st.st_dev;
		alias_source_id_of(&st, &now.id);
	}
	is_same = now.is_there == last->is_there && now.device == last->device &&
		alias_source_id_equal(&now.id, &last->id);
	*last = now;
	return !is_same;
}

/* The better of two tables that can be used: the one that was made from the source as it is, else the newer.
 */
static bool is_better(const struct mapped *a, const struct mapped *b, const struct alias_source_id *source)
{
	bool a_fits = source && alias_source_id_equal(&a->meta.source, source);
	bool b_fits = source && alias_source_id_equal(&b->meta.source, source);

	return a_fits != b_fits ? a_fits : a->meta.built_ns >= b->meta.built_ns;
}

static enum alias_table_state choose(struct alias_table *t, struct mapped *best)
{
	struct mapped other = MAPPED_INIT(ALIAS_TABLE_NOT_BUILT);
	struct alias_source_id source;
	struct stat st;
	bool has_source = stat(t->places.source, &st) == 0;

	if (has_source)
		alias_source_id_of(&st, &source);
	mapped_open(best, place_name(t, 0));
	if (*place_name(t, 1))
		mapped_open(&other, place_name(t, 1));
	if (other.state == ALIAS_TABLE_READY &&
		(best->state != ALIAS_TABLE_READY || is_better(&other, best, has_source ? &source : NULL))) {
		struct mapped swap = *best;
		*best = other;
		other = swap;
	}
	mapped_close(&other);
	if (best->state == ALIAS_TABLE_NOT_BUILT && !has_source)
		return ALIAS_TABLE_NO_SOURCE;
	return best->state;
}

static enum alias_table_state look_for_table(struct alias_table *t)
{
	struct mapped fresh = MAPPED_INIT(ALIAS_TABLE_NOT_BUILT);
	enum alias_table_state state = choose(t, &fresh);

	if (state == ALIAS_TABLE_READY) {
		mapped_close(&t->used);
		t->used = fresh;
		t->generation++;
	}
	return state;
}

enum alias_table_state alias_table_refresh(struct alias_table *t)
{
	bool has_changed = t->state == 0;

	for (size_t i = 0; i < N_PLACES; i++)
		has_changed |= look_at(place_name(t, i), &t->looks[i]);
	/* While there is no table, the source may come or go. */
	if (has_changed || t->state == ALIAS_TABLE_NO_SOURCE || t->state == ALIAS_TABLE_NOT_BUILT)
		t->state = look_for_table(t);
	if (t->state == ALIAS_TABLE_NO_SOURCE)
		mapped_close(&t->used); /* both were removed: aliases are not wanted any more */
	return t->state;
}

struct alias_table *alias_table_new(const struct alias_places *places)
{
	struct alias_table *t = mem_new(sizeof(*t));

	t->places = *places;
	t->used = MAPPED_INIT(ALIAS_TABLE_NOT_BUILT);
	return t;
}

void alias_table_free(struct alias_table **tp)
{
	struct alias_table *t = take_ptr(tp);

	if (!t)
		return;
	mapped_close(&t->used);
	mem_free(t);
}

uint64_t alias_table_generation(const struct alias_table *t)
{
	return t->generation;
}

const struct alias_meta *alias_table_meta(const struct alias_table *t)
{
	return t->used.fd >= 0 ? &t->used.meta : NULL;
}

const struct alias_places *alias_table_places(const struct alias_table *t)
{
	return &t->places;
}

/* ---- questions ---- */

enum alias_status alias_table_find(struct alias_table *t, struct slice key, struct alias_value *value_out)
{
	struct cdb *cdb = &t->used.cdb;
	struct slice value;
	uint32_t line = 0;
	int r;

	if (t->used.fd < 0)
		return t->state == ALIAS_TABLE_NO_SOURCE ? ALIAS_NONE : ALIAS_BROKEN;
	if (key.len == 0 || key.len > LIMIT_ALIAS_LINE || memchr(key.at, '\0', key.len))
		return ALIAS_NONE;
	r = cdb_find(cdb, key.at, (unsigned)key.len);
	if (r == 0)
		return ALIAS_NONE;
	value = r > 0 ? cdb_bytes(cdb, cdb_datalen(cdb), cdb_datapos(cdb)) : SLICE_EMPTY;
	if (value.len < ALIAS_LINE_BYTES)
		return ALIAS_BROKEN;
	for (size_t i = ALIAS_LINE_BYTES; i-- > 0;)
		line = line << 8 | (unsigned char)value.at[i];
	*value_out = (struct alias_value){ .text = slice_from(value, ALIAS_LINE_BYTES), .line = line };
	return ALIAS_FOUND;
}
