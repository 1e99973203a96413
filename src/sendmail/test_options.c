/* SPDX-License-Identifier: Apache-2.0 */
#include "sendmail/options.h"
#include "support/test.h"

#define MAX_ARGS 12

static int count(char **argv)
{
	int n = 0;

	while (argv[n])
		n++;
	return n;
}

/* What programs in the wild call, and what it must mean. */
static void command_lines(void **state)
{
	static struct {
		const char *argv[MAX_ARGS];
		enum sendmail_mode mode;
		const char *sender, *name;
		bool from_header, ignore_dots;
		int n_addresses;
	} rows[] = {
		{ { "sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root" }, MODE_SEND, NULL,
			"CronDaemon", false, true, 1 },
		{ { "sendmail", "-t", "-i" }, MODE_SEND, NULL, NULL, true, true, 0 },
		{ { "sendmail", "-ti" }, MODE_SEND, NULL, NULL, true, true, 0 },
		{ { "sendmail", "-oi", "-f", "a@b", "--", "-x" }, MODE_SEND, "a@b", NULL, false, true, 1 },
		{ { "sendmail", "-fa@b", "u" }, MODE_SEND, "a@b", NULL, false, false, 1 },
		{ { "sendmail", "-r", "", "u" }, MODE_SEND, "", NULL, false, false, 1 },
		{ { "sendmail", "-oem", "-oi", "-N", "never", "-R", "hdrs", "u" }, MODE_SEND, NULL, NULL,
			false, true, 1 },
		{ { "/usr/bin/mailq" }, MODE_LIST, NULL, NULL, false, false, 0 },
		{ { "newaliases" }, MODE_ALIASES, NULL, NULL, false, false, 0 },
		{ { "sendmail", "-bp" }, MODE_LIST, NULL, NULL, false, false, 0 },
		{ { "sendmail", "-bi" }, MODE_ALIASES, NULL, NULL, false, false, 0 },
		{ { "sendmail", "-I" }, MODE_ALIASES, NULL, NULL, false, false, 0 },
		{ { "sendmail", "-q" }, MODE_FLUSH, NULL, NULL, false, false, 0 },
		{ { "sendmail", "-q30m" }, MODE_FLUSH, NULL, NULL, false, false, 0 },
		{ { "sendmail", "-bd", "-q30m" }, MODE_DAEMON, NULL, NULL, false, false, 0 },
		{ { "sendmail", "-bs" }, MODE_SMTP, NULL, NULL, false, false, 0 },
		{ { "sendmail", "-odb", "-oee", "-om", "-v", "-Am", "-O", "X=y", "u" }, MODE_SEND, NULL, NULL,
			false, false, 1 },
		{ { "sendmail", "u", "-f" }, MODE_SEND, NULL, NULL, false, false,
			2 }, /* options end at the first address */
	};
	struct sendmail_options o;
	char why[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *argv[MAX_ARGS + 2];
		memset(argv, 0, sizeof(argv));
		for (size_t k = 0; k < MAX_ARGS && rows[i].argv[k]; k++)
			argv[k] = (char *)(uintptr_t)rows[i].argv[k];
		assert_true(options_parse(argv[0], count(argv), argv, &o, why));
		assert_int_equal(o.mode, rows[i].mode);
		assert_int_equal(o.from_header, rows[i].from_header);
		assert_int_equal(o.ignore_dots, rows[i].ignore_dots);
		assert_int_equal(o.n_addresses, rows[i].n_addresses);
		assert_int_equal(o.has_sender, rows[i].sender != NULL);
		if (rows[i].sender)
			assert_string_equal(o.sender, rows[i].sender);
		if (rows[i].name)
			assert_string_equal(o.full_name, rows[i].name);
	}
}

static void flush_names_its_mail(void **state)
{
	char name[] = "sendmail", id[] = "-qI01ABC", domain[] = "-qRexample.org", sender[] = "-qSa@b";
	char *rows[] = { id, domain, sender };
	static const enum flush_kind kinds[] = { FLUSH_ID, FLUSH_DOMAIN, FLUSH_SENDER };
	static const char *const values[] = { "01ABC", "example.org", "a@b" };
	struct sendmail_options o;
	char why[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *argv[] = { name, rows[i], NULL };
		assert_true(options_parse(name, 2, argv, &o, why));
		assert_int_equal(o.flush, kinds[i]);
		assert_string_equal(o.flush_what, values[i]);
	}
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *word, *why;
	} rows[] = {
		{ "-Z", "unknown option -Z" },
		{ "-tZ", "unknown option -tZ" },
		{ "-f", "option -f needs a value" },
		{ "-bx", "-bx: no such mode" },
		{ "-qR", "-qR needs a value" },
		{ "--help", "unknown option --help" },
	};
	char name[] = "sendmail", why[256];
	struct sendmail_options o;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *argv[] = { name, (char *)(uintptr_t)rows[i].word, NULL };
		assert_false(options_parse(name, 2, argv, &o, why));
		assert_string_equal(why, rows[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_lines),
		cmocka_unit_test(flush_names_its_mail),
		cmocka_unit_test(mistakes_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
