/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_alias_table.c - any bytes as a compiled alias table: refused, or asked without harm
 *
 * The checksum would turn away nearly every change, so where the bytes have our meta record its size and
 * checksum are made to fit: what is tested is the table of somebody who could compute them too.
 */
#include "base/crc32c.h"
#include "base/file.h"
#include "base/limits.h"
#include "table/alias_table.h"
#include <cdb.h>
#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char source[64], table[80];

static void make_it_fit(int fd, size_t size, char *bytes)
{
	const struct slice key = ALIAS_META_KEY;
	struct alias_meta meta;
	struct cdb cdb;
	size_t at = 0;

	if (cdb_init(&cdb, fd) < 0)
		return;
	if (cdb_find(&cdb, key.at, (unsigned)key.len) > 0 && cdb_datalen(&cdb) == ALIAS_META_BYTES)
		at = cdb_datapos(&cdb);
	cdb_free(&cdb);
	if (at == 0 || !alias_meta_decode((struct slice){ bytes + at, ALIAS_META_BYTES }, &meta))
		return;
	meta.file_bytes = size;
	meta.crc = 0;
	alias_meta_encode(&meta, bytes + at);
	meta.crc = crc32c(0, (struct slice){ bytes, size });
	alias_meta_encode(&meta, bytes + at);
	CHECK(file_pwrite_all(fd, (struct slice){ bytes + at, ALIAS_META_BYTES }, at) == 0);
}

static void ask(struct alias_table *t, struct slice key)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_ALIAS_LINE);
	const struct origin origin = { .kind = ORIGIN_ALIAS, .name = key, .item = 1 };
	struct alias_value value;
	enum rhs_kind kind;

	if (alias_table_find(t, key, &value) == ALIAS_FOUND)
		for (size_t i = 0; i < value.text.len; i++)
			CHECK(value.text.at[i] == value.text.at[i]); /* every byte can be read */
	(void)!alias_table_find_item(t, &origin, &kind, &text);
}

static bool look_up_again(struct slice key, const struct alias_value *value, void *user)
{
	(void)value;
	ask(user, key); /* of several records with one key the first is found */
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *bytes = slice_dup((struct slice){ (const char *)data, size });
	struct alias_places places;
	struct alias_table *t;
	auto_close int fd = -1;

	if (!*table) {
		(void)snprintf(source, sizeof(source), "/tmp/fuzz_alias_table.%d", (int)getpid());
		(void)snprintf(table, sizeof(table), "%s.db", source);
	}
	fd = open(table, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0 && file_write_all(fd, (struct slice){ bytes, size }) == 0);
	make_it_fit(fd, size, bytes);
	CHECK(alias_places_init(&places, source, NULL));
	t = alias_table_new(&places);
	if (alias_table_refresh(t) == ALIAS_TABLE_READY) {
		ask(t, SLICE("root"));
		ask(t, SLICE("postmaster"));
		for (size_t i = 0; i + 1 < size && i < 64; i++)
			ask(t, slice_first((struct slice){ bytes + size - i - 1, i + 1 }, 1 + i % 7));
		alias_table_each(t, look_up_again, t);
	}
	alias_table_free(&t);
	CHECK(unlink(table) == 0);
	return 0;
}
