/* SPDX-License-Identifier: Apache-2.0 */
/* test_alias_table.c - opening: whole, foreign, damaged, unsafe, replaced, changed in place; references to
 * items
 */
#include "base/file.h"
#include "base/limits.h"
#include "support/test.h"
#include "table/alias_install.h"
#include <fcntl.h>

static char dir[64];
static struct alias_places places;

static int setup(void **state)
{
	char name[PATH_MAX], state_dir[PATH_MAX];

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_alias_table.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(name, sizeof(name), "%s/aliases", dir);
	(void)snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
	return alias_places_init(&places, name, state_dir) ? 0 : -1;
}

static void remove_file(const char *name)
{
	(void)!file_unlink(AT_FDCWD, name); /* most tests do not make all of them */
}

static int teardown(void **state)
{
	char name[PATH_MAX];

	(void)state;
	remove_file(places.source);
	remove_file(places.beside);
	remove_file(places.fallback);
	(void)snprintf(name, sizeof(name), "%s/state", dir);
	(void)rmdir(name);
	return rmdir(dir);
}

/* By rename, as an editor does: a new inode, so that it is new even within one tick of the clock. */
static void write_file(const char *name, struct slice content)
{
	char aside[PATH_MAX + 8];
	auto_close int fd = -1;

	(void)snprintf(aside, sizeof(aside), "%s.aside", name);
	fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, content), 0);
	assert_int_equal(file_rename(AT_FDCWD, aside, AT_FDCWD, name), 0);
}

static void install(const char *aliases)
{
	struct alias_install in = { .places = places };
	struct alias_install_result result;

	write_file(places.source, slice_of(aliases));
	assert_int_equal(alias_install(&in, &result), ALIAS_INSTALL_DONE);
}

static void assert_alias(struct alias_table *t, const char *key, const char *want, size_t line)
{
	struct alias_value v;

	assert_int_equal(alias_table_find(t, slice_of(key), &v), ALIAS_FOUND);
	assert_slice_equal(slice_trim(v.text), slice_of(want));
	assert_int_equal(v.line, line);
}

static void answers_and_follows_replacement(void **state)
{
	struct alias_table *t = alias_table_new(&places);
	struct alias_value v;

	(void)state;
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_NO_SOURCE);
	assert_int_equal(alias_table_find(t, SLICE("root"), &v), ALIAS_NONE);
	write_file(places.source, SLICE("root: x\n"));
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_NOT_BUILT);
	assert_int_equal(alias_table_find(t, SLICE("root"), &v), ALIAS_BROKEN); /* not: no such alias */
	install("\nroot: payam\n");
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	assert_alias(t, "root", "payam", 2);
	assert_int_equal(alias_table_find(t, SLICE("other"), &v), ALIAS_NONE);
	assert_int_equal(alias_table_find(t, SLICE(""), &v), ALIAS_NONE);
	assert_int_equal(alias_table_find(t, ALIAS_META_KEY, &v), ALIAS_NONE);
	install("root: user2\n");
	assert_alias(t, "root", "payam", 2); /* until the next look */
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	assert_alias(t, "root", "user2", 1);
	assert_int_equal(alias_table_generation(t), 2);
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	assert_int_equal(alias_table_generation(t), 2);
	remove_file(places.beside); /* by mistake: the last good one stays */
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_NOT_BUILT);
	assert_alias(t, "root", "user2", 1);
	remove_file(places.source);
	install("root: user3\n");
	remove_file(places.source);
	remove_file(places.beside); /* both: no aliases are wanted */
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_NO_SOURCE);
	alias_table_free(&t);
}

static void foreign_files(void **state)
{
	char berkeley[8192] = { 0 };
	char cdb[2048] = { 0 };
	const struct {
		struct slice content;
	} rows[] = {
		{ { berkeley, sizeof(berkeley) } },
		{ { cdb, sizeof(cdb) } },
		{ SLICE("") },
		{ SLICE("root: payam\n") },
	};

	(void)state;
	memcpy(berkeley + 12, "\x61\x15\x06\x00", 4); /* hash, as postalias and sendmail write it */
	for (size_t i = 0; i + 8 <= sizeof(cdb); i += 8)
		memcpy(cdb + i, "\0\x8\0\0", 4); /* an empty constant database of somebody else */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct alias_table *t = alias_table_new(&places);
		struct alias_value v;
		write_file(places.source, SLICE("root: x\n"));
		write_file(places.beside, rows[i].content);
		assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_FOREIGN);
		assert_int_equal(alias_table_find(t, SLICE("root"), &v), ALIAS_BROKEN);
		install("root: payam\n"); /* is replaced */
		assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
		alias_table_free(&t);
	}
}

/* Every cut and every flipped bit is noticed, and the table in use stays. */
static void damage_is_noticed(void **state)
{
	auto_buf struct buf good = BUF_INIT(1 << 20);
	struct alias_table *used, *t;
	size_t n_checked = 0;

	(void)state;
	install("root: payam\npostmaster: root\n");
	used = alias_table_new(&places);
	assert_int_equal(alias_table_refresh(used), ALIAS_TABLE_READY);
	assert_int_equal(file_read_path(AT_FDCWD, places.beside, &good), 0);
	for (size_t i = 0; i < good.len; i += i < 2040 ? 97 : 3) {
		enum alias_table_state s;
		good.at[i] ^= 0x10;
		write_file(places.beside, buf_slice(&good));
		t = alias_table_new(&places);
		s = alias_table_refresh(t);
		assert_true(s == ALIAS_TABLE_DAMAGED || s == ALIAS_TABLE_FOREIGN);
		alias_table_free(&t);
		good.at[i] ^= 0x10;
		n_checked++;
	}
	assert_true(n_checked > 40);
	for (size_t cut = 1; cut < good.len; cut += 101) {
		write_file(places.beside, slice_first(buf_slice(&good), good.len - cut));
		assert_int_not_equal(alias_table_refresh(used), ALIAS_TABLE_READY);
		assert_alias(used, "root", "payam", 1);
	}
	alias_table_free(&used);
}

/* ---- changed in place, while it is in use ---- */

static void cut_to(const char *name, off_t size)
{
	assert_int_equal(truncate(name, size), 0);
}

/* Without O_TRUNC: every moment in between is one that a reader may see. */
static void overwrite(const char *name, struct slice content)
{
	auto_close int fd = open(name, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(file_pwrite_all(fd, content, 0), 0);
	assert_int_equal(ftruncate(fd, (off_t)content.len), 0);
}

/* Whatever is in the file now, who is in use answers all and nothing else. */
static void assert_still(struct alias_table *t, uint64_t generation, const char *want)
{
	struct alias_value v;
	char key[16];

	assert_int_not_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	assert_int_equal(alias_table_generation(t), generation);
	for (int i = 0; i < 300; i++) {
		(void)snprintf(key, sizeof(key), "u%d", i);
		assert_alias(t, key, want, (size_t)i + 1);
	}
	assert_int_equal(alias_table_find(t, SLICE("nobody"), &v), ALIAS_NONE);
}

static void make_table(const char *target, struct buf *bytes_out)
{
	auto_buf struct buf text = BUF_INIT(1 << 20);

	for (int i = 0; i < 300; i++)
		buf_printf(&text, "u%d: %s\n", i, target);
	install(buf_cstr(&text));
	buf_clear(bytes_out);
	assert_int_equal(file_read_path(AT_FDCWD, places.beside, bytes_out), 0);
}

static void changed_in_place(void **state)
{
	static const off_t sizes[] = { 0, 1, 20, 2047, 2048, 2049, 4096, 8192, 10000, 1 << 20,
		(off_t)3 << 30 };
	auto_buf struct buf old = BUF_INIT(1 << 20), new = BUF_INIT(1 << 20), half = BUF_INIT(1 << 20);
	struct alias_table *t = alias_table_new(&places);

	(void)state;
	make_table("new", &new);
	make_table("old", &old);
	assert_true(old.len > 10000 && old.len == new.len);
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		cut_to(places.beside, sizes[i]);
		assert_still(t, 1, "old");
	}
	overwrite(places.beside, buf_slice(&old)); /* the same again: nothing is new */
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	assert_int_equal(alias_table_generation(t), 1);
	for (size_t i = 1; i < old.len; i += 997) { /* a copy of the other one, seen half done */
		buf_clear(&half);
		buf_append(&half, slice_first(buf_slice(&new), i));
		buf_append(&half, slice_from(buf_slice(&old), i));
		overwrite(places.beside, buf_slice(&half));
		if (memcmp(half.at, old.at, old.len) != 0 && memcmp(half.at, new.at, new.len) != 0)
			assert_still(t, 1, "old");
	}
	buf_clear(&half);
	for (size_t i = 0; i < old.len; i++)
		buf_append_byte(&half, (char)(i * 167 >> 3));
	overwrite(places.beside, buf_slice(&half)); /* garbage of the same size */
	assert_still(t, 1, "old");
	overwrite(places.beside, buf_slice(&new));
	assert_alias(t, "u7", "old", 8); /* until the next look */
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	assert_int_equal(alias_table_generation(t), 2);
	assert_alias(t, "u7", "new", 8);
	cut_to(places.beside, 20);
	assert_still(t, 2, "new");
	alias_table_free(&t);
}

/* As cp -p and rsync --times do: size and modification time are those of the table before. */
static void stamps_put_back(void **state)
{
	auto_buf struct buf old = BUF_INIT(1 << 20), new = BUF_INIT(1 << 20);
	struct alias_table *t = alias_table_new(&places);
	struct stat st;

	(void)state;
	make_table("new", &new);
	make_table("old", &old);
	(void)usleep(100000); /* so that the look does not count as too early */
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	assert_int_equal(stat(places.beside, &st), 0);
	overwrite(places.beside, buf_slice(&new));
	assert_int_equal(
		utimensat(AT_FDCWD, places.beside, (struct timespec[]){ st.st_atim, st.st_mtim }, 0), 0);
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	assert_alias(t, "u7", "new", 8);
	alias_table_free(&t);
}

/* Without a source as well: the damaged one in the second place is not "no aliases". */
static void damage_is_not_absence(void **state)
{
	auto_buf struct buf old = BUF_INIT(1 << 20);
	struct alias_table *t = alias_table_new(&places);
	struct alias_value v;
	char name[PATH_MAX];

	(void)state;
	(void)snprintf(name, sizeof(name), "%s/state", dir);
	assert_int_equal(mkdir(name, 0755), 0);
	make_table("old", &old);
	remove_file(places.source);
	remove_file(places.beside);
	write_file(places.fallback, slice_first(buf_slice(&old), 3000));
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_FOREIGN);
	assert_int_equal(alias_table_find(t, SLICE("u7"), &v), ALIAS_BROKEN);
	overwrite(places.fallback, buf_slice(&old));
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	cut_to(places.fallback, 3000);
	assert_still(t, 1, "old");
	alias_table_free(&t);
}

static void unsafe_files(void **state)
{
	struct alias_table *t = alias_table_new(&places);

	(void)state;
	install("root: payam\n");
	assert_int_equal(chmod(places.beside, 0666), 0);
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_UNSAFE);
	remove_file(places.beside);
	assert_int_equal(symlink("/etc/passwd", places.beside), 0);
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_FOREIGN);
	remove_file(places.beside);
	assert_int_equal(mkfifo(places.beside, 0644), 0); /* must not wait for a writer */
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_FOREIGN);
	alias_table_free(&t);
}

/* Where both are there, the one made from the source as it is wins, although the other is younger. */
static void fallback_place(void **state)
{
	auto_buf struct buf first = BUF_INIT(1 << 20);
	struct alias_table *t = alias_table_new(&places);
	char name[PATH_MAX];

	(void)state;
	(void)snprintf(name, sizeof(name), "%s/state", dir);
	assert_int_equal(mkdir(name, 0755), 0);
	install("root: first\n");
	assert_int_equal(file_read_path(AT_FDCWD, places.beside, &first), 0);
	write_file(places.fallback, buf_slice(&first));
	remove_file(places.beside);
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	assert_alias(t, "root", "first", 1); /* it is the only one */

	(void)snprintf(name, sizeof(name), "%s/kept", dir);
	assert_int_equal(file_rename(AT_FDCWD, places.source, AT_FDCWD, name), 0);
	install("root: second\n");
	assert_int_equal(access(places.fallback, F_OK), -1); /* not needed any more */
	write_file(places.fallback, buf_slice(&first));
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	assert_alias(t, "root", "second", 1);
	assert_int_equal(file_rename(AT_FDCWD, name, AT_FDCWD, places.source), 0);
	write_file(places.fallback, buf_slice(&first)); /* so that there is something new to see */
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	assert_alias(t, "root", "first", 1);
	alias_table_free(&t);
}

static void references(void **state)
{
	static const struct {
		enum origin_kind origin;
		const char *key;
		size_t item;
		struct rhs_item was; /* when the reference was made */
		enum alias_status status;
	} rows[] = {
		{ ORIGIN_ALIAS, "l", 1, { .kind = RHS_COMMAND, .text = SLICE("cmd \"a, b\"") }, ALIAS_FOUND },
		{ ORIGIN_ALIAS, "l", 2, { .kind = RHS_FILE, .text = SLICE("/var/f") }, ALIAS_FOUND },
		{ ORIGIN_ALIAS, "l", 3, { .kind = RHS_ADDRESS, .text = SLICE("user") }, ALIAS_FOUND },
		{ ORIGIN_LIST, "l", 4, { .kind = RHS_INCLUDE, .text = SLICE("/var/list") }, ALIAS_FOUND },
		{ ORIGIN_ALIAS, "a:b", 1, { .kind = RHS_FILE, .text = SLICE("/x") }, ALIAS_FOUND },
		/* a list is no file to write to */
		{ ORIGIN_ALIAS, "l", 4, { .kind = RHS_INCLUDE, .text = SLICE("/var/list") }, ALIAS_NONE },
		{ ORIGIN_LIST, "l", 2, { .kind = RHS_FILE, .text = SLICE("/var/f") }, ALIAS_NONE },
		{ ORIGIN_ALIAS, "l", 1, { .kind = RHS_COMMAND, .text = SLICE("another") }, ALIAS_NONE },
		{ ORIGIN_ALIAS, "l", 2, { .kind = RHS_COMMAND, .text = SLICE("/var/f") }, ALIAS_NONE },
		{ ORIGIN_ALIAS, "l", 5, { .kind = RHS_ADDRESS, .text = SLICE("user") }, ALIAS_NONE },
		{ ORIGIN_ALIAS, "none", 1, { .kind = RHS_ADDRESS, .text = SLICE("user") }, ALIAS_NONE },
	};
	struct alias_table *t = alias_table_new(&places);

	(void)state;
	install("l: \"|cmd \\\"a, b\\\"\", /var/f, user, :include:/var/list\n\"a:b\": /x\n");
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf text = BUF_INIT(1000);
		const struct origin o = { .kind = rows[i].origin,
			.name = slice_of(rows[i].key),
			.item = rows[i].item,
			.check = origin_check(&rows[i].was) };
		enum rhs_kind kind = RHS_ERROR;
		assert_int_equal(alias_table_find_item(t, &o, &kind, &text), rows[i].status);
		if (rows[i].status != ALIAS_FOUND)
			continue;
		assert_int_equal(kind, rows[i].was.kind);
		assert_slice_equal(buf_slice(&text), rows[i].was.text);
	}
	alias_table_free(&t);
}

/* "KEY:LINE:VALUE " until there are as many as wanted. */
struct collecting {
	struct buf got;
	size_t wanted;
};

static bool collect(struct slice key, const struct alias_value *value, void *user)
{
	struct collecting *c = user;

	buf_printf(
		&c->got, "%.*s:%zu:%.*s ", SLICE_ARG(key), value->line, SLICE_ARG(slice_trim(value->text)));
	return --c->wanted > 0;
}

static void each_in_the_order_of_the_source(void **state)
{
	static const struct {
		size_t wanted;
		const char *want;
	} rows[] = { { 9, "z:1:a b:2:c a:4:d " }, { 2, "z:1:a b:2:c " } };

	(void)state;
	install("z: a\nb: c\nz: no\na: d\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct collecting c = { .got = BUF_INIT(4096), .wanted = rows[i].wanted };
		struct alias_table *t = alias_table_new(&places);
		alias_table_each(t, collect, &c); /* nothing is in use yet */
		assert_int_equal(c.got.len, 0);
		assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
		alias_table_each(t, collect, &c);
		assert_slice_equal(buf_slice(&c.got), slice_of(rows[i].want));
		alias_table_free(&t);
		buf_free(&c.got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_and_follows_replacement, setup, teardown),
		cmocka_unit_test_setup_teardown(each_in_the_order_of_the_source, setup, teardown),
		cmocka_unit_test_setup_teardown(foreign_files, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_is_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(changed_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(stamps_put_back, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_is_not_absence, setup, teardown),
		cmocka_unit_test_setup_teardown(unsafe_files, setup, teardown),
		cmocka_unit_test_setup_teardown(fallback_place, setup, teardown),
		cmocka_unit_test_setup_teardown(references, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
