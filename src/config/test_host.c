/* SPDX-License-Identifier: Apache-2.0 */
/* test_host.c - the name of this host from what the machine and /etc/hosts say */
#include "config/host.h"
#include "support/test.h"

#define HOSTS                                                                                                \
	"127.0.0.1 localhost\n"                                                                              \
	"# 127.0.1.1 mail.commented.example mail\n"                                                          \
	"127.0.1.1\tmail.example.org mail # mail.other.example mail\n"                                       \
	"192.0.2.1 short.example.org\n"                                                                      \
	"192.0.2.2 wrong_name.example.org late late.example.net\n"                                           \
	"127.0.0.1 localhost.lan localhost\n"
#define LETTERS_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void there_is_always_a_name(void **state)
{
	static const struct {
		const char *machine, *hosts, *name, *rule; /* rule: part of the words */
	} rows[] = {
		{ "mx.example.com", HOSTS, "mx.example.com", "the machine's name" },
		{ "mail", HOSTS, "mail.example.org", "/etc/hosts line 3" },
		{ "MAIL", HOSTS, "mail.example.org", "/etc/hosts line 3" },
		{ "late", HOSTS, "late.example.net", "/etc/hosts line 5" },
		{ "localhost", HOSTS, "localhost.lan", "/etc/hosts line 6" },
		/* no line has the short name */
		{ "short", HOSTS, "short.localdomain",
			"made up: the machine's name \"short\" has no domain" },
		{ "mail", "", "mail.localdomain", "set main.host_name" },
		{ "localhost", "127.0.0.1 localhost\n", "localhost.localdomain", "no domain" },
		{ LETTERS_63, "", LETTERS_63 ".localdomain", "no domain" },
		/* no host names at all */
		{ LETTERS_63 "a", "", "localhost.localdomain", "is no host name" },
		{ "", HOSTS, "localhost.localdomain", "is no host name" },
		{ "my_host", HOSTS, "localhost.localdomain", "\"my_host\" is no host name" },
		{ "my_host.example.org", HOSTS, "localhost.localdomain", "is no host name" },
		{ "m\xc3\xbcller", HOSTS, "localhost.localdomain", "\"m??ller\" is no host name" },
		{ "a\"b\nc", HOSTS, "localhost.localdomain", "\"a?b?c\"" },
		{ "host.", HOSTS, "localhost.localdomain", "is no host name" },
		{ ".host", HOSTS, "localhost.localdomain", "is no host name" },
		{ "a..b", HOSTS, "localhost.localdomain", "is no host name" },
		{ "-host", HOSTS, "localhost.localdomain", "is no host name" },
		{ "host-", HOSTS, "localhost.localdomain", "is no host name" },
		{ "two words", HOSTS, "localhost.localdomain", "is no host name" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct host_name host;
		host_name_choose(slice_of(rows[i].machine), slice_of(rows[i].hosts), &host);
		assert_string_equal(host.name, rows[i].name);
		if (!strstr(host.rule, rows[i].rule))
			fail_msg("%s: %s", rows[i].machine, host.rule);
	}
}

static void the_mailname_file_counts_when_it_is_one(void **state)
{
	static const struct {
		const char *text, *name, *rule; /* name NULL: none; text NULL: no file */
	} rows[] = {
		{ "example.org\n", "example.org", "/mailname" },
		{ "\n  example.org trailing words\n", "example.org", "/mailname" },
		{ "single", "single", "/mailname" },
		{ "", NULL, "is no domain name" },
		{ "under_score.example\n", NULL, "\"under_score.example\" in " },
		{ "[192.0.2.1]\n", NULL, "is no domain name" },
		{ NULL, NULL, "as there is no " },
	};
	char path[] = "/tmp/test_host-XXXXXX", file[64];

	(void)state;
	assert_non_null(mkdtemp(path));
	(void)snprintf(file, sizeof(file), "%s/mailname", path);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct host_name host = { .name = "untouched" };
		FILE *f = rows[i].text ? fopen(file, "w") : NULL;
		if (f) {
			assert_true(fputs(rows[i].text, f) >= 0);
			assert_int_equal(fclose(f), 0);
		}
		assert_int_equal(host_mailname(file, &host), rows[i].name != NULL);
		if (rows[i].name)
			assert_string_equal(host.name, rows[i].name);
		if (!strstr(host.rule, rows[i].rule))
			fail_msg("row %zu: %s", i, host.rule);
		(void)unlink(file);
	}
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_is_always_a_name),
		cmocka_unit_test(the_mailname_file_counts_when_it_is_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
