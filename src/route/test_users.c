/* SPDX-License-Identifier: Apache-2.0 */
/* test_users.c - names as mail writes them against a users file */
#include "base/file.h"
#include "route/user_answer.h"
#include "support/test.h"
#include <fcntl.h>

static char file[64];

static int setup(void **state)
{
	static const char text[] = "# people\n"
				   "root:x:0:0:root:/root:/bin/sh\n"
				   "payam:x:1000:1000::/home/payam:/bin/sh\n"
				   "Bob:x:1001:1001::/home/Bob:/bin/sh\n"
				   "bad:x:one:1::/:\n";
	auto_close int fd = -1;

	(void)state;
	(void)snprintf(file, sizeof(file), "/tmp/test_users.XXXXXX");
	fd = mkstemp(file);
	return fd < 0 ? -1 : file_write_all(fd, SLICE(text));
}

static int teardown(void **state)
{
	(void)state;
	return unlink(file);
}

static void names(void **state)
{
	static const struct {
		const char *name;
		enum user_outcome want;
		const char *found;
	} rows[] = {
		{ "payam", USER_FOUND, "payam" },
		{ "PayAM", USER_FOUND, "payam" },
		{ "Bob", USER_FOUND, "Bob" },
		{ "bob", USER_UNKNOWN, NULL }, /* the database distinguishes, and has no such name */
		{ "nosuch", USER_UNKNOWN, NULL },
		{ "pay", USER_UNKNOWN, NULL },
		{ "", USER_UNKNOWN, NULL },
		{ "payam:x", USER_UNKNOWN, NULL },
		{ "../payam", USER_UNKNOWN, NULL },
		{ "# people", USER_UNKNOWN, NULL },
		{ "bad", USER_UNAVAILABLE, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct userdb_user found;
		assert_int_equal(user_answer(file, slice_of(rows[i].name), &found), rows[i].want);
		if (rows[i].found)
			assert_string_equal(found.name, rows[i].found);
	}
}

static void missing_file_is_no_answer(void **state)
{
	struct userdb_user found;

	(void)state;
	assert_int_equal(user_answer("/nonexistent/users", SLICE("payam"), &found), USER_UNAVAILABLE);
}

static void system_users(void **state)
{
	struct userdb_user found;

	(void)state;
	assert_int_equal(user_answer("", SLICE("ROOT"), &found), USER_FOUND);
	assert_string_equal(found.name, "root");
	assert_int_equal(user_answer(NULL, SLICE("no-such-user-here"), &found), USER_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(missing_file_is_no_answer),
		cmocka_unit_test(system_users),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
