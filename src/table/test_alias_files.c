/* SPDX-License-Identifier: Apache-2.0 */
/* test_alias_files.c - several aliases files: their order, one that is missing or broken among them */
#include "base/file.h"
#include "support/test.h"
#include "table/alias_files.h"
#include "table/alias_install.h"
#include <fcntl.h>

static char dir[64], list[512];
static struct config config;

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_alias_files.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(list, sizeof(list), "%s/one, %s/two %s/three", dir, dir, dir);
	(void)snprintf(config.paths.state_dir, sizeof(config.paths.state_dir), "%s/state", dir);
	config.aliases_file = list;
	config.aliases_delimiter = "+";
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "one", "two", "three" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char name[PATH_MAX];
		(void)snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		(void)unlink(name);
		(void)snprintf(name, sizeof(name), "%s/%s.db", dir, names[i]);
		(void)unlink(name);
	}
	return rmdir(dir);
}

static void make(size_t number, const char *text)
{
	struct alias_install in = { .config = &config };
	struct alias_install_result result;
	auto_close int fd = -1;

	assert_true(alias_files_places(&config, number, &in.places));
	fd = open(in.places.source, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0 && file_write_all(fd, slice_of(text)) == 0);
	assert_int_equal(alias_install(&in, &result), ALIAS_INSTALL_DONE);
}

static void places(void **state)
{
	struct alias_places p;
	char want[PATH_MAX];

	(void)state;
	assert_true(alias_files_places(&config, 0, &p));
	(void)snprintf(want, sizeof(want), "%s/state/one.db", dir);
	assert_string_equal(p.fallback, want);
	assert_true(alias_files_places(&config, 1, &p));
	(void)snprintf(want, sizeof(want), "%s/two.db", dir);
	assert_string_equal(p.beside, want);
	(void)snprintf(want, sizeof(want), "%s/state/tmp!%s!two.db", dir, dir + strlen("/tmp/"));
	assert_string_equal(p.fallback, want);
	assert_false(alias_files_places(&config, 3, &p));
}

static void the_first_decides(void **state)
{
	static const struct {
		const char *key;
		enum alias_status status;
		const char *text, *file;
	} rows[] = {
		{ "a", ALIAS_FOUND, "first", "one" },
		{ "b", ALIAS_FOUND, "second", "two" },
		{ "c", ALIAS_NONE, "", "" },
	};
	struct alias_files f;

	(void)state;
	make(0, "a: first\n");
	make(1, "a: second\n\nb: second\n");
	assert_true(alias_files_init(&f, &config)); /* the third is not there, which is no fault */
	alias_files_refresh(&f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct alias_value v = { .file = "" };
		assert_int_equal(alias_files_find(&f, slice_of(rows[i].key), &v), rows[i].status);
		assert_slice_equal(slice_trim(v.text), slice_of(rows[i].text));
		assert_true(slice_ends_nocase(slice_of(v.file), slice_of(rows[i].file)));
	}
	alias_files_deinit(&f);
}

/* What only a file could say whose table is not there is doubtful; what a file before it says is not. */
static void one_without_a_table(void **state)
{
	struct alias_files f;
	struct alias_value v;
	char name[PATH_MAX];

	(void)state;
	make(0, "a: first\n");
	make(1, "b: second\n");
	make(2, "c: third\n");
	(void)snprintf(name, sizeof(name), "%s/two.db", dir);
	assert_int_equal(unlink(name), 0);
	assert_true(alias_files_init(&f, &config));
	alias_files_refresh(&f);
	assert_int_equal(alias_files_find(&f, SLICE("a"), &v), ALIAS_FOUND);
	assert_int_equal(alias_files_find(&f, SLICE("b"), &v), ALIAS_BROKEN);
	assert_int_equal(alias_files_find(&f, SLICE("c"), &v), ALIAS_BROKEN);
	alias_files_deinit(&f);
}

static void an_item_in_the_file_that_counts(void **state)
{
	auto_buf struct buf text = BUF_INIT(4096), reference = BUF_INIT(4096);
	struct alias_value v;
	struct alias_files f;
	struct rhs_item item;
	enum rhs_kind kind;
	struct origin o;
	struct rhs rhs;

	(void)state;
	make(0, "x: y\n");
	make(1, "cmd: a, |second\n");
	make(2, "cmd: a, |third\n");
	assert_true(alias_files_init(&f, &config));
	alias_files_refresh(&f);
	assert_int_equal(alias_files_find(&f, SLICE("cmd"), &v), ALIAS_FOUND);
	rhs_init(&rhs, v.text, 0);
	assert_true(rhs_next(&rhs, &item) && rhs_next(&rhs, &item));
	origin_append_alias(SLICE("cmd"), 2, &item, &reference);
	rhs_deinit(&rhs);
	assert_true(origin_parse(buf_slice(&reference), &o));
	assert_int_equal(alias_files_find_item(&f, &o, &kind, &text), ALIAS_FOUND);
	assert_int_equal(kind, RHS_COMMAND);
	assert_slice_equal(buf_slice(&text), SLICE("second"));
	alias_files_deinit(&f);
}

static void names_that_cannot_be(void **state)
{
	auto_buf struct buf many = BUF_INIT(65536);
	struct config other = config;
	struct alias_files f;

	(void)state;
	for (size_t i = 0; i <= LIMIT_ALIAS_FILES; i++)
		buf_printf(&many, "/etc/aliases%zu ", i);
	other.aliases_file = buf_cstr(&many);
	assert_false(alias_files_init(&f, &other));
	assert_int_equal(f.n, 0);
	other.aliases_file = ""; /* no file, no aliases */
	assert_true(alias_files_init(&f, &other));
	assert_int_equal(alias_files_find(&f, SLICE("a"), &(struct alias_value){ 0 }), ALIAS_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(places, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_decides, setup, teardown),
		cmocka_unit_test_setup_teardown(one_without_a_table, setup, teardown),
		cmocka_unit_test_setup_teardown(an_item_in_the_file_that_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_cannot_be, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
