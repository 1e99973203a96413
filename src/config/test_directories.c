/* SPDX-License-Identifier: Apache-2.0 */
/* test_directories.c - a sandbox gets its directories once, and is told when it cannot */
#include "support/test.h"
#include "config/directories.h"
#include <sys/stat.h>

static char scratch[] = "/tmp/postrider-test-XXXXXX";
static const char *const names[] = { "etc", "lib", "log", "mail", "run/empty", "run", "spool/drop", "spool" };

static struct {
	size_t n[DIRECTORY_FAILED + 1];
	char what[128];
} told;

static void on_event(enum directory_event event, const char *path, const char *what, void *user)
{
	(void)path, (void)user;
	told.n[event]++;
	(void)snprintf(told.what, sizeof(told.what), "%s", what);
}

static struct config *sandbox_config(void)
{
	struct paths paths;
	struct config *c = config_parse(SLICE_EMPTY, NULL, NULL);

	assert_non_null(c);
	assert_true(paths_init(&paths, scratch));
	c->paths = paths;
	memset(&told, 0, sizeof(told));
	return c;
}

static void path_of(const char *name, char *out, size_t size)
{
	(void)snprintf(out, size, "%s/%s", scratch, name);
}

static void makes_each_once(void **state)
{
	struct config *c = sandbox_config();
	char path[256];
	struct stat st;

	(void)state;
	assert_true(directories_make(c, on_event, NULL));
	assert_int_equal(told.n[DIRECTORY_MADE], ARRAY_LEN(names));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		path_of(names[i], path, sizeof(path));
		assert_int_equal(stat(path, &st), 0);
		assert_true(S_ISDIR(st.st_mode));
	}
	memset(&told, 0, sizeof(told));
	assert_true(directories_make(c, on_event, NULL));
	for (size_t i = 0; i < ARRAY_LEN(told.n); i++)
		assert_int_equal(told.n[i], 0);
	config_free(&c);
}

static void says_what_is_in_the_way(void **state)
{
	struct config *c = sandbox_config();
	char path[256];

	(void)state;
	path_of("spool", path, sizeof(path));
	assert_int_equal(mknod(path, S_IFREG | 0600, 0), 0);
	assert_false(directories_make(c, on_event, NULL));
	assert_int_equal(told.n[DIRECTORY_FAILED], 1);
	assert_string_equal(told.what, "Not a directory");
	assert_int_equal(unlink(path), 0);
	config_free(&c);
}

static int make_scratch(void **state)
{
	(void)state;
	(void)snprintf(scratch, sizeof(scratch), "/tmp/postrider-test-XXXXXX");
	return mkdtemp(scratch) ? 0 : -1;
}

static int remove_scratch(void **state)
{
	char path[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		path_of(names[i], path, sizeof(path));
		(void)rmdir(path); /* not there when the test stopped before */
	}
	return rmdir(scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(makes_each_once, make_scratch, remove_scratch),
		cmocka_unit_test_setup_teardown(says_what_is_in_the_way, make_scratch, remove_scratch),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
