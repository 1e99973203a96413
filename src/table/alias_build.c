/* SPDX-License-Identifier: Apache-2.0 */
/* alias_build.c - read all entries, check them, write the constant database; see alias_build.h */
#include "table/alias_build.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "mail/aliases_text.h"
#include "table/alias_check.h"
#include <cdb.h>
#include <sys/mman.h>
#include <xxhash.h>

/* ---- reading ---- */

static void report_duplicate(
	struct alias_checker *c, const struct aliases_entry *e, const char *file, size_t line)
{
	alias_problem_report(c, ALIAS_PROBLEM_DUPLICATE, e->line,
		"duplicate alias \"%.*s\": the one in %s%sline %zu counts, this one is ignored; remove one",
		SLICE_ARG(e->key), file ? file : "", file ? " " : "", line);
}

/* A file that is asked before this one has the name. */
static bool is_shadowed(struct alias_checker *c, const struct aliases_entry *e)
{
	struct alias_value value;

	if (!c->build->earlier || alias_files_find(c->build->earlier, e->key, &value) != ALIAS_FOUND)
		return false;
	report_duplicate(c, e, value.file, value.line);
	return true;
}

static bool is_none(struct slice rhs)
{
	return slice_starts_nocase(slice_trim(rhs), SLICE(":unknown:"));
}

static void add_entry(struct alias_checker *c, const struct aliases_entry *e, bool *has_memory)
{
	uint32_t first = alias_index_find(c->index, e->key);
	struct alias_entry *entry;

	if (first != ALIAS_INDEX_NONE) {
		report_duplicate(c, e, NULL, alias_index_entry(c->index, first)->line);
		return;
	}
	*has_memory = alias_index_add(c->index, e->key, e->rhs, e->line);
	if (!*has_memory)
		return;
	entry = alias_index_entry(c->index, c->index->n - 1);
	entry->is_own = true;
	entry->is_none = is_none(e->rhs);
	entry->counts_elsewhere = is_shadowed(c, e);
	c->summary->n_entries++;
	c->summary->longest = MAX(c->summary->longest, slice_trim(e->rhs).len);
	c->summary->total += e->key.len + slice_trim(e->rhs).len;
}

static bool read_entries(struct alias_checker *c)
{
	struct aliases_text text;
	struct aliases_entry e;
	bool has_memory = true;

	aliases_text_init(&text, c->build->text);
	while (has_memory && aliases_text_next(&text, &e)) {
		if (e.error == ALIASES_OK) {
			add_entry(c, &e, &has_memory);
			continue;
		}
		c->summary->n_skipped++;
		alias_problem_report(c, ALIAS_PROBLEM_ENTRY, e.line, "%s%s%.*s%s; skipped",
			aliases_error_text(e.error), e.key.len ? " (\"" : "",
			SLICE_ARG(slice_first(e.key, 64)), e.key.len ? "\")" : "");
	}
	aliases_text_deinit(&text);
	return has_memory;
}

/* ---- writing ---- */

static int add_record(struct cdb_make *make, struct slice key, struct slice value)
{
	errno = 0;
	if (cdb_make_add(make, key.at, (unsigned)key.len, value.at, (unsigned)value.len) < 0)
		return errno ? -errno : -EFBIG;
	return 0;
}

static int write_records(const struct alias_index *index, int fd)
{
	static const char room_for_meta[ALIAS_META_BYTES];
	struct cdb_make make;
	int r = 0;

	if (cdb_make_start(&make, fd) < 0)
		return -errno;
	for (size_t i = 0; r == 0 && i < index->n; i++)
		if (alias_index_entry(index, i)->is_own && !alias_index_entry(index, i)->is_none)
			r = add_record(&make, alias_index_key(index, i), alias_index_value(index, i));
	if (r == 0)
		r = add_record(&make, ALIAS_META_KEY, (struct slice){ room_for_meta, sizeof(room_for_meta) });
	if (cdb_make_finish(&make) < 0 && r == 0) /* also releases its memory, so always */
		r = errno ? -errno : -EFBIG;
	return r;
}

static int find_meta(int fd, size_t *at_out)
{
	const struct slice key = ALIAS_META_KEY;
	struct cdb cdb;
	int found;

	if (cdb_init(&cdb, fd) < 0)
		return -errno;
	found = cdb_find(&cdb, key.at, (unsigned)key.len);
	if (found > 0)
		*at_out = cdb_datapos(&cdb);
	cdb_free(&cdb);
	return found > 0 ? 0 : -EIO;
}

static int file_crc(int fd, size_t size, uint32_t *crc_out)
{
	void *all = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	if (all == MAP_FAILED)
		return -errno;
	*crc_out = crc32c(0, (struct slice){ all, size });
	(void)munmap(all, size); /* our own mapping */
	return 0;
}

/* With read, write and lseek alone: the jail refuses the other calls to a process that has no files. */
static int put_meta(const struct alias_meta *meta, int fd, size_t at)
{
	char bytes[ALIAS_META_BYTES];

	alias_meta_encode(meta, bytes);
	if (lseek(fd, (off_t)at, SEEK_SET) < 0)
		return -errno;
	return file_write_all(fd, (struct slice){ bytes, sizeof(bytes) });
}

/* The meta record is there as zeros; it is filled in last, since it knows the size and the checksum of all.
 */
static int write_meta(struct alias_meta *meta, int fd)
{
	size_t at = 0;
	int r = find_meta(fd, &at);
	off_t size = lseek(fd, 0, SEEK_END);

	if (r < 0)
		return r;
	if (size < 0)
		return -errno;
	meta->file_bytes = (uint64_t)size;
	meta->crc = 0;
	r = put_meta(meta, fd, at);
	if (r == 0)
		r = file_crc(fd, (size_t)size, &meta->crc);
	return r < 0 ? r : put_meta(meta, fd, at);
}

static int build_table(struct alias_checker *c, int fd)
{
	const struct alias_build *b = c->build;
	struct alias_meta meta = { .source = b->source, .built_ns = clock_wall_us() * 1000 };
	int r;

	if (!read_entries(c))
		return -ENOMEM;
	if (c->summary->n_entries == 0 && c->summary->n_skipped)
		return -ENODATA;
	if (!alias_check(c))
		return -ENOMEM;
	meta.n_entries = (uint32_t)c->summary->n_entries;
	meta.n_problems = (uint32_t)MIN(c->summary->n_problems, (size_t)UINT32_MAX);
	meta.source.hash = XXH3_64bits(b->text.at, b->text.len);
	r = write_records(c->index, fd);
	return r < 0 ? r : write_meta(&meta, fd);
}

int alias_build(const struct alias_build *b, int fd, struct alias_summary *summary_out)
{
	struct alias_index index;
	struct alias_checker c = { .build = b, .summary = summary_out, .index = &index };
	int r;

	*summary_out = (struct alias_summary){ 0 };
	alias_index_init(&index);
	for (size_t i = 0; i < ARRAY_LEN(c.asked); i++)
		alias_index_init(&c.asked[i]);
	r = build_table(&c, fd);
	alias_index_deinit(&index);
	for (size_t i = 0; i < ARRAY_LEN(c.asked); i++)
		alias_index_deinit(&c.asked[i]);
	return r;
}
