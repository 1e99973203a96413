/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_table.c - finding, checking and loading the table; see alias_table.h
 *
 * The file is read into memory of our own and never mapped (what the builder hands over is no file): whoever
 * truncates it or writes over it in place (cp, rsync --inplace, another program's newaliases) changes no
 * answer and sends no SIGBUS. What was read counts only when its checksum fits, so half of somebody's write
 * is never taken into use.
 */
#include "table/alias_table.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/limits.h"
#include <cdb.h>
#include <fcntl.h>
#include <sys/mman.h>

#define N_PLACES 2
#define CDB_MIN_BYTES 2048 /* the index of an empty constant database */
#define CDB_INDEX_LISTS 256

/* One file as it was looked at; bytes are empty when it cannot be used. */
struct loaded {
	enum alias_table_state state;
	struct buf bytes; /* of a file that others might write to */
	struct slice all; /* these bytes, or a mapping of our own builder's memory file */
	bool is_mapped;
	struct cdb cdb; /* looks into all */
	struct alias_meta meta;
};
#define LOADED_INIT(first_state)                                                                             \
	((struct loaded){                                                                                    \
		.state = (first_state), .bytes = BUF_INIT(ALIAS_TABLE_MAX_BYTES), .all = SLICE_EMPTY })

/* What one stat says; equal to the last one: nothing to do. The change time is part of it because cp -p and
 * rsync put the other one back. */
#define FRESH_NS 50000000 /* longer than a tick of the clock that stamps files */
struct look {
	bool is_there;
	bool is_fresh; /* changed so lately that another change may bear the same stamp */
	dev_t device;
	uint64_t ctime_ns;
	struct alias_source_id id;
};

struct alias_table {
	struct alias_places places;
	struct look looks[N_PLACES];
	enum alias_table_state state; /* of the files as they are; 0 before the first look */
	struct loaded used;	      /* the last good one */
	uint64_t generation;
};

static const char *place_name(const struct alias_table *t, size_t i)
{
	return i == 0 ? t->places.beside : t->places.fallback;
}

/* ---- one file ---- */

static void loaded_free(struct loaded *l)
{
	buf_free(&l->bytes);
	if (l->is_mapped)
		(void)munmap((void *)(uintptr_t)l->all.at, l->all.len); /* our own mapping */
	*l = LOADED_INIT(l->state);
}

/* What cdb_init() does with a mapping: libcdb checks every offset against the size before it reads. */
static struct cdb cdb_in(struct slice bytes)
{
	const unsigned char *memory = (const unsigned char *)bytes.at;
	unsigned data_end = cdb_unpack(memory), size = (unsigned)bytes.len;

	return (struct cdb){ .cdb_fd = -1,
		.cdb_fsize = size,
		.cdb_mem = memory,
		.cdb_dend = MIN(MAX(data_end, (unsigned)CDB_MIN_BYTES), size) };
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

static enum alias_table_state loaded_check(struct loaded *l)
{
	const struct slice key = ALIAS_META_KEY;
	struct slice meta;

	l->cdb = cdb_in(l->all);
	if (cdb_find(&l->cdb, key.at, (unsigned)key.len) <= 0)
		return ALIAS_TABLE_FOREIGN;
	meta = cdb_bytes(&l->cdb, cdb_datalen(&l->cdb), cdb_datapos(&l->cdb));
	if (!alias_meta_decode(meta, &l->meta))
		return ALIAS_TABLE_FOREIGN;
	if (l->meta.file_bytes != l->all.len ||
		(!l->is_mapped && !crc_fits(&l->cdb, &l->meta, cdb_datapos(&l->cdb) + ALIAS_META_CRC_AT)))
		return ALIAS_TABLE_DAMAGED;
	return ALIAS_TABLE_READY;
}

/* Root and we ourselves may have written it, nobody else. */
static bool is_safe(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* The lists of a constant database are its end. Looked at first, so that another program's file, or one that
 * was cut off or made longer, costs no memory of its size. */
static enum alias_table_state check_size(int fd, uint64_t size)
{
	char index[CDB_MIN_BYTES];
	uint64_t end = 0;
	int r = file_pread_all(fd, index, sizeof(index), 0);

	if (r < 0)
		return r == -ENODATA ? ALIAS_TABLE_FOREIGN : ALIAS_TABLE_UNREADABLE;
	for (size_t i = 0; i < CDB_INDEX_LISTS; i++) {
		const unsigned char *list = (const unsigned char *)index + i * 8;
		uint64_t at = cdb_unpack(list), n_slots = cdb_unpack(list + 4);
		end = MAX(end, at + n_slots * 8);
	}
	return end == size ? ALIAS_TABLE_READY : ALIAS_TABLE_FOREIGN;
}

static enum alias_table_state read_bytes(int fd, size_t size, struct buf *to)
{
	char *room = buf_reserve(to, size);
	int r;

	if (!room)
		return ALIAS_TABLE_UNREADABLE;
	r = file_pread_all(fd, room, size, 0);
	if (r < 0)
		return r == -ENODATA ? ALIAS_TABLE_DAMAGED : ALIAS_TABLE_UNREADABLE;
	buf_grew(to, size);
	return ALIAS_TABLE_READY;
}

static enum alias_table_state load_fd(struct loaded *l, int fd)
{
	struct stat st;
	enum alias_table_state state;

	if (fstat(fd, &st) < 0)
		return ALIAS_TABLE_UNREADABLE;
	if (!S_ISREG(st.st_mode) || st.st_size < CDB_MIN_BYTES || st.st_size > ALIAS_TABLE_MAX_BYTES)
		return ALIAS_TABLE_FOREIGN;
	if (!is_safe(&st))
		return ALIAS_TABLE_UNSAFE;
	state = check_size(fd, (uint64_t)st.st_size);
	if (state == ALIAS_TABLE_READY)
		state = read_bytes(fd, (size_t)st.st_size, &l->bytes);
	l->all = buf_slice(&l->bytes);
	return state == ALIAS_TABLE_READY ? loaded_check(l) : state;
}

/* The builder's memory file: nobody else has it, and its checksum was made a moment ago. */
static enum alias_table_state load_mapping(struct loaded *l, int fd)
{
	struct stat st;
	void *all;

	if (fstat(fd, &st) < 0 || st.st_size < CDB_MIN_BYTES || st.st_size > ALIAS_TABLE_MAX_BYTES)
		return ALIAS_TABLE_UNREADABLE;
	all = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (all == MAP_FAILED)
		return ALIAS_TABLE_UNREADABLE;
	l->all = (struct slice){ all, (size_t)st.st_size };
	l->is_mapped = true;
	return loaded_check(l);
}

static void load(struct loaded *l, const char *name)
{
	auto_close int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);

	if (fd < 0)
		l->state = errno == ENOENT ? ALIAS_TABLE_NOT_BUILT
			: errno == ELOOP   ? ALIAS_TABLE_FOREIGN
					   : ALIAS_TABLE_UNREADABLE;
	else
		l->state = load_fd(l, fd);
	if (l->state != ALIAS_TABLE_READY)
		loaded_free(l);
}

/* ---- the places ---- */

static void look_take(const char *name, struct look *out)
{
	uint64_t now_ns = clock_wall_us() * 1000;
	struct stat st;

	*out = (struct look){ 0 };
	if (!*name || lstat(name, &st) < 0)
		return;
	out->is_there = true;
	out->device = st.st_dev;
	out->ctime_ns = (uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec;
	out->is_fresh = out->ctime_ns <= now_ns && now_ns - out->ctime_ns < FRESH_NS;
	alias_source_id_of(&st, &out->id);
}

/* Whether it has to be read (again). */
static bool look_at(const char *name, struct look *last)
{
	struct look now;
	bool is_same;

	look_take(name, &now);
	is_same = now.is_there == last->is_there && now.device == last->device &&
		now.ctime_ns == last->ctime_ns && alias_source_id_equal(&now.id, &last->id);
	is_same = is_same && !last->is_fresh;
	*last = now;
	return !is_same;
}

/* The better of two tables that can be used: the one that was made from the source as it is, else the newer.
 */
static bool is_better(const struct loaded *a, const struct loaded *b, const struct alias_source_id *source)
{
	bool a_fits = source && alias_source_id_equal(&a->meta.source, source);
	bool b_fits = source && alias_source_id_equal(&b->meta.source, source);

	return a_fits != b_fits ? a_fits : a->meta.built_ns >= b->meta.built_ns;
}

/* Only a file that is surely not there counts as none. */
static bool has_source(const struct alias_places *p, struct alias_source_id *id_out)
{
	struct stat st;

	*id_out = (struct alias_source_id){ 0 };
	if (stat(p->source, &st) < 0)
		return errno != ENOENT && errno != ENOTDIR;
	alias_source_id_of(&st, id_out);
	return true;
}

static enum alias_table_state choose(struct alias_table *t, struct loaded *best)
{
	struct loaded other = LOADED_INIT(ALIAS_TABLE_NOT_BUILT);
	struct alias_source_id source;
	bool is_there = has_source(&t->places, &source);

	load(best, place_name(t, 0));
	if (*place_name(t, 1))
		load(&other, place_name(t, 1));
	if (best->state == ALIAS_TABLE_NOT_BUILT ||
		(other.state == ALIAS_TABLE_READY &&
			(best->state != ALIAS_TABLE_READY ||
				is_better(&other, best, is_there ? &source : NULL)))) {
		struct loaded swap = *best;
		*best = other;
		other = swap;
	}
	loaded_free(&other);
	if (best->state == ALIAS_TABLE_NOT_BUILT && !is_there)
		return ALIAS_TABLE_NO_SOURCE;
	return best->state;
}

static bool is_in_use(const struct alias_table *t, const struct alias_meta *meta)
{
	return t->used.all.len && t->used.meta.crc == meta->crc && t->used.meta.built_ns == meta->built_ns &&
		t->used.meta.file_bytes == meta->file_bytes;
}

/* Takes what it holds into use when it is good and another one. */
static void use(struct alias_table *t, struct loaded *fresh, enum alias_table_state state)
{
	if (state == ALIAS_TABLE_READY && !is_in_use(t, &fresh->meta)) {
		loaded_free(&t->used);
		t->used = *fresh;
		t->generation++;
	} else {
		loaded_free(fresh);
	}
}

static enum alias_table_state look_for_table(struct alias_table *t)
{
	struct loaded fresh = LOADED_INIT(ALIAS_TABLE_NOT_BUILT);
	enum alias_table_state state = choose(t, &fresh);

	use(t, &fresh, state);
	return state;
}

enum alias_table_state alias_table_adopt(struct alias_table *t, int fd)
{
	struct loaded fresh = LOADED_INIT(ALIAS_TABLE_NOT_BUILT);
	enum alias_table_state state = load_mapping(&fresh, fd);

	use(t, &fresh, state);
	t->state = 0; /* of the files nothing is known */
	return state;
}

/* Nothing that a look at the table's file would show may change these: the source may come or go, memory or
 * descriptors be there again. */
static bool is_tried_again(enum alias_table_state state)
{
	return state == ALIAS_TABLE_NO_SOURCE || state == ALIAS_TABLE_NOT_BUILT ||
		state == ALIAS_TABLE_UNREADABLE;
}

enum alias_table_state alias_table_refresh(struct alias_table *t)
{
	bool has_changed = t->state == 0;

	for (size_t i = 0; i < N_PLACES; i++)
		has_changed |= look_at(place_name(t, i), &t->looks[i]);
	if (has_changed || is_tried_again(t->state))
		t->state = look_for_table(t);
	if (t->state == ALIAS_TABLE_NO_SOURCE)
		loaded_free(&t->used); /* both were removed: aliases are not wanted any more */
	return t->state;
}

struct alias_table *alias_table_new(const struct alias_places *places)
{
	struct alias_table *t = mem_new(sizeof(*t));

	t->places = *places;
	t->used = LOADED_INIT(ALIAS_TABLE_NOT_BUILT);
	return t;
}

void alias_table_free(struct alias_table **tp)
{
	struct alias_table *t = take_ptr(tp);

	if (!t)
		return;
	loaded_free(&t->used);
	mem_free(t);
}

uint64_t alias_table_generation(const struct alias_table *t)
{
	return t->generation;
}

const struct alias_meta *alias_table_meta(const struct alias_table *t)
{
	return t->used.all.len ? &t->used.meta : NULL;
}

const struct alias_places *alias_table_places(const struct alias_table *t)
{
	return &t->places;
}

/* ---- questions ---- */

/* A record's value: the line's number, then the text. */
static bool value_decode(const struct alias_table *t, struct slice value, struct alias_value *out)
{
	uint32_t line = 0;

	if (value.len < ALIAS_LINE_BYTES)
		return false;
	for (size_t i = ALIAS_LINE_BYTES; i-- > 0;)
		line = line << 8 | (unsigned char)value.at[i];
	*out = (struct alias_value){
		.text = slice_from(value, ALIAS_LINE_BYTES), .line = line, .file = t->places.source
	};
	return true;
}

enum alias_status alias_table_find(struct alias_table *t, struct slice key, struct alias_value *value_out)
{
	struct cdb *cdb = &t->used.cdb;
	struct slice value;
	int r;

	if (!t->used.all.len)
		return t->state == ALIAS_TABLE_NO_SOURCE ? ALIAS_NONE : ALIAS_BROKEN;
	if (key.len == 0 || key.len > LIMIT_ALIAS_LINE || memchr(key.at, '\0', key.len))
		return ALIAS_NONE;
	r = cdb_find(cdb, key.at, (unsigned)key.len);
	if (r == 0)
		return ALIAS_NONE;
	value = r > 0 ? cdb_bytes(cdb, cdb_datalen(cdb), cdb_datapos(cdb)) : SLICE_EMPTY;
	return value_decode(t, value, value_out) ? ALIAS_FOUND : ALIAS_BROKEN;
}

void alias_table_each(struct alias_table *t, alias_entry_visit visit, void *user)
{
	struct cdb *cdb = &t->used.cdb;
	struct alias_value value;
	unsigned position;
	bool goes_on = t->used.all.len > 0;

	if (goes_on)
		cdb_seqinit(&position, cdb);
	while (goes_on && cdb_seqnext(&position, cdb) > 0) {
		struct slice key = cdb_bytes(cdb, cdb_keylen(cdb), cdb_keypos(cdb));
		struct slice bytes = cdb_bytes(cdb, cdb_datalen(cdb), cdb_datapos(cdb));
		if (!slice_eq(key, ALIAS_META_KEY) && value_decode(t, bytes, &value))
			goes_on = visit(key, &value, user);
	}
}
