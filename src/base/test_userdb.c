/* SPDX-License-Identifier: Apache-2.0 */
/* test_userdb.c - users from a file: good, missing and broken entries; and from the system */
#include "support/test.h"
#include "base/userdb.h"
#include "base/file.h"
#include <fcntl.h>

static const char users_text[] = "# a comment\n"
				 "\n"
				 "user1:x:1001:1002:User One:/home/user1:/bin/sh\n"
				 "noshell:x:1003:1003::/home/noshell\n"
				 "crlf:x:5:6:::\r\n"
				 "broken:x\n"
				 "minus:x:4294967295:1:::\n"
				 "word:x:ten:1:::\n"
				 "#out:x:7:7:::\n"
				 "user1:x:9:9::/second:/bin/false\n"
				 "last:x:11:12::/home/last:/bin/bash";

static char users_file[] = "/tmp/test_userdb.XXXXXX";

static int write_users(void **state)
{
	auto_close int fd = mkstemp(users_file);

	(void)state;
	return fd < 0 ? fd : file_write_all(fd, SLICE(users_text));
}

static int remove_users(void **state)
{
	(void)state;
	return unlink(users_file);
}

static void finds_users_in_a_file(void **state)
{
	static const struct {
		const char *name;
		enum userdb_outcome want;
		uid_t uid;
		gid_t gid;
		const char *home, *shell;
	} rows[] = {
		{ "user1", USERDB_FOUND, 1001, 1002, "/home/user1", "/bin/sh" },
		{ "noshell", USERDB_FOUND, 1003, 1003, "/home/noshell", "" },
		{ "crlf", USERDB_FOUND, 5, 6, "", "" },
		{ "last", USERDB_FOUND, 11, 12, "/home/last", "/bin/bash" },
		{ "user", USERDB_UNKNOWN, 0, 0, NULL, NULL },
		{ "USER1", USERDB_UNKNOWN, 0, 0, NULL, NULL },
		{ "", USERDB_UNKNOWN, 0, 0, NULL, NULL },
		{ "#out", USERDB_UNKNOWN, 0, 0, NULL, NULL },
		{ "user1:x", USERDB_UNKNOWN, 0, 0, NULL, NULL },
		{ "../user1", USERDB_UNKNOWN, 0, 0, NULL, NULL },
		{ "us\ner", USERDB_UNKNOWN, 0, 0, NULL, NULL },
		{ "broken", USERDB_ERROR, 0, 0, NULL, NULL },
		{ "minus", USERDB_ERROR, 0, 0, NULL, NULL },
		{ "word", USERDB_ERROR, 0, 0, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct userdb_user user = { 0 };
		assert_int_equal(userdb_find(users_file, slice_of(rows[i].name), &user), rows[i].want);
		if (rows[i].want != USERDB_FOUND) {
			assert_string_equal(user.name, "");
			continue;
		}
		assert_string_equal(user.name, rows[i].name);
		assert_int_equal(user.uid, rows[i].uid);
		assert_int_equal(user.gid, rows[i].gid);
		assert_string_equal(user.home, rows[i].home);
		assert_string_equal(user.shell, rows[i].shell);
	}
}

static void a_missing_file_is_no_answer(void **state)
{
	struct userdb_user user;

	(void)state;
	assert_int_equal(userdb_find("/nonexistent/users", SLICE("user1"), &user), USERDB_ERROR);
}

static void asks_the_system(void **state)
{
	struct userdb_user user;
	gid_t gid = 99;

	(void)state;
	assert_int_equal(userdb_find("", SLICE("root"), &user), USERDB_FOUND);
	assert_int_equal(user.uid, 0);
	assert_string_equal(user.home, "/root");
	assert_int_equal(userdb_find(NULL, SLICE("no-such-user-here"), &user), USERDB_UNKNOWN);
	assert_int_equal(userdb_find_group("root", &gid), USERDB_FOUND);
	assert_int_equal(gid, 0);
	assert_int_equal(userdb_find_group("no-such-group-here", &gid), USERDB_UNKNOWN);
	assert_true(userdb_group_is_private(&user));
	user.name[0] = 'x';
	assert_false(userdb_group_is_private(&user));
}

static void a_name_too_long_is_unknown(void **state)
{
	char name[300];
	struct userdb_user user;

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_int_equal(
		userdb_find(users_file, (struct slice){ name, sizeof(name) }, &user), USERDB_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_users_in_a_file),
		cmocka_unit_test(a_missing_file_is_no_answer),
		cmocka_unit_test(asks_the_system),
		cmocka_unit_test(a_name_too_long_is_unknown),
	};

	return cmocka_run_group_tests(tests, write_users, remove_users);
}
