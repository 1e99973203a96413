/* SPDX-License-Identifier: Apache-2.0 */
/* test_alias_audit.c - by condition: users, lists, modes, and who reads root's mail */
#include "base/file.h"
#include "support/test.h"
#include "table/alias_findings.h"
#include "table/alias_include.h"
#include "table/alias_make.h"
#include <fcntl.h>
#include <sys/stat.h>

static char dir[64], source[PATH_MAX], users[PATH_MAX];
static struct config config;

static void path_in(char out[PATH_MAX], const char *name)
{
	(void)snprintf(out, PATH_MAX, "%s/%s", dir, name);
}

static void write_file(const char *name, const char *text)
{
	auto_close int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, slice_of(text)), 0);
}

static int setup(void **state)
{
	(void)state;
	umask(022);
	(void)snprintf(dir, sizeof(dir), "/tmp/test_alias_audit.XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return -1;
	path_in(source, "aliases");
	path_in(users, "users");
	write_file(users,
		"root:x:0:0::/root:/bin/bash\n"
		"payam:x:1000:1000::/home/payam:/bin/sh\n"
		"noshell:x:1001:1001::/home/noshell:\n"
		"daemon:x:1:1::/:/usr/sbin/nologin\n"
		"ftp:x:2:2::/:/bin/false\n");
	config = (struct config){ .aliases_file = source,
		.aliases_delimiter = "+",
		.users_file = users,
		.main_origin = "host.test",
		.main_host_name = "host.test",
		.main_local_domains = "" };
	(void)snprintf(config.paths.state_dir, sizeof(config.paths.state_dir), "%s/state", dir);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "aliases", "users", "list", "link", "sub/aliases", "sub" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char name[PATH_MAX];
		path_in(name, names[i]);
		if (unlink(name) < 0)
			(void)rmdir(name);
	}
	return rmdir(dir);
}

/* "KIND:LINE " of each, of kinds that the audit finds. */
static void audit(const char *text, struct buf *got)
{
	const struct alias_make_request request = { .config = &config, .only_check = true, .asks_all = true };
	struct alias_made made;

	if (text)
		write_file(source, text);
	assert_true(alias_make(&request, &made));
	buf_clear(got);
	for (size_t i = 0; i < alias_findings_count(&made.findings); i++) {
		struct alias_problem p = alias_findings_get(&made.findings, i);
		buf_printf(got, "%s:%zu ", alias_problem_name(p.kind), p.line);
	}
	alias_made_deinit(&made);
}

struct row {
	const char *text, *want;
};

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_buf struct buf got = BUF_INIT(65536);
		audit(rows[i].text, &got);
		if (!slice_eq(buf_slice(&got), slice_of(rows[i].want)))
			fail_msg("row %zu: got %.*s, want %s", i, SLICE_ARG(buf_slice(&got)), rows[i].want);
	}
}

#define GOOD "postmaster: root\nroot: payam\n"

static void names(void **state)
{
	static const struct row rows[] = {
		{ GOOD, "" }, { GOOD "x: nobody-here\n", "unknown-user:3 " },
		{ GOOD "x: a,\n# c\n b,\n payam\ny: b, a\n",
			"unknown-user:3 unknown-user:5 " }, /* each once */
		{ GOOD "x: PAYAM, Payam+ext, payam@localhost, payam@host.test\n", "" },
		{ GOOD "x: \\gone\n", "unknown-user:3 " },
		{ GOOD "team: payam\nx: \\team\n", "unknown-user:4 " }, /* an alias is no mailbox */
		{ GOOD "x: \\payam, \\Root\n", "" },
		{ GOOD "gone: gone, payam\n", "unknown-user:3 " }, /* names itself: the user */
		{ GOOD "payam: payam, x@far.test\n", "" },
		{ GOOD "x: gone@far.test, gone@sub.host.test\n", "" }, { GOOD "x: y\ny: payam\n", "" },
		{ GOOD "x: \"a:b\"@localhost\n", "unknown-user:3 " }, /* a name that no database holds */
	};

	(void)state;
	check(rows, ARRAY_LEN(rows));
}

/* A doubt is no "not found": nothing is said of names, only that they were not looked up. */
static void a_database_that_cannot_be_asked(void **state)
{
	auto_buf struct buf got = BUF_INIT(65536);

	(void)state;
	assert_int_equal(unlink(users), 0);
	assert_int_equal(mkdir(users, 0755), 0);
	audit(GOOD "x: a, b, c\n", &got);
	assert_slice_equal(buf_slice(&got), SLICE("not-checked:0 "));
}

static void who_reads_for_root(void **state)
{
	static const struct row rows[] = {
		{ "postmaster: payam\n", "root:0 " },
		{ GOOD, "" },
		{ "postmaster: root\nroot: root\n", "" }, /* root says that root reads it */
		{ "postmaster: root\nroot: \\root\n", "" },
		{ "postmaster: root\nroot: noshell\n", "" }, /* an empty field is /bin/sh */
		{ "postmaster: root\nroot: daemon\n", "root:2 " },
		{ "postmaster: root\nroot: \\ftp, daemon\n", "root:2 " },
		{ "postmaster: root\nroot: ftp, payam\n", "" },
		{ "postmaster: root\nroot: gone\n", "unknown-user:2 root:2 " },
		{ "postmaster: root\nroot: a\na: b\nb: gone\n", "root:2 unknown-user:4 " },
		{ "postmaster: root\nroot: a\na: b\nb: payam\n", "" },
		{ "postmaster: root\nroot: /dev/null\n", "root:2 " },
		{ "postmaster: root\nroot: :blackhole:\n", "root:2 " },
		{ "postmaster: root\nroot: :fail: no\n", "root:2 " },
		{ "postmaster: root\nroot: /var/mail/archive\n", "" },
		{ "postmaster: root\nroot: /home/m/Maildir/\n", "" },
		{ "postmaster: root\nroot: |/usr/bin/ticket\n", "" },
		{ "postmaster: root\nroot: admin@far.test\n", "" },
		{ "root: postmaster\n",
			"postmaster:0 " }, /* which stands for root: root's mailbox, as it says */
		{ "postmaster: root\nroot: a\na: root\n", "loop:2 " },
	};

	(void)state;
	check(rows, ARRAY_LEN(rows));
}

static void lists(void **state)
{
	static const struct {
		mode_t mode;
		const char *why; /* its beginning; NULL: it can be used */
	} rows[] = {
		{ 0644, NULL },
		{ 0600, NULL },
		{ 0664, "its group may write it" },
		{ 0646, "everybody may write it" },
		{ 0666, "everybody may write it" },
	};
	auto_buf struct buf text = BUF_INIT(65536), got = BUF_INIT(65536);
	char list[PATH_MAX], link[PATH_MAX];

	(void)state;
	path_in(list, "list");
	path_in(link, "link");
	assert_string_equal(alias_include_why(list), "there is no such file; create it");
	write_file(list, "payam\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *why;
		assert_int_equal(chmod(list, rows[i].mode), 0);
		why = alias_include_why(list);
		assert_true(rows[i].why ? why && slice_starts(slice_of(why), slice_of(rows[i].why)) : !why);
	}
	assert_int_equal(symlink(list, link), 0);
	assert_true(slice_starts(slice_of(alias_include_why(link)), SLICE("it is a symbolic link")));
	assert_string_equal(alias_include_why(dir), "it is not a regular file");
	buf_printf(&text, GOOD "x: payam,\n :include:%s\n", list);
	audit(buf_cstr(&text), &got);
	assert_slice_equal(buf_slice(&got), SLICE("include:4 "));
	assert_int_equal(chmod(list, 0644), 0);
	audit(NULL, &got);
	assert_int_equal(got.len, 0);
}

static void modes(void **state)
{
	static const struct {
		mode_t directory, file;
		gid_t gid;
		uid_t uid; /* other than our own: only root can */
		const char *want;
	} rows[] = {
		{ 0755, 0644, 0, 0, "" }, { 0755, 0664, 0, 0, "" }, /* root's group is root */
		{ 0755, 0666, 0, 0, "mode:0 " }, { 0777, 0644, 0, 0, "mode:0 " },
		{ 01777, 0644, 0, 0, "" }, /* sticky: nobody replaces what is another's */
		{ 0775, 0644, 0, 0, "" }, { 0755, 0664, 7, 0, "mode:0 " }, { 0775, 0644, 7, 0, "mode:0 " },
		{ 0755, 0644, 0, 7, "mode:0 " }, { 0777, 0666, 7, 7, "mode:0 " }, /* once */
	};
	char sub[PATH_MAX], file[PATH_MAX];

	(void)state;
	path_in(sub, "sub");
	path_in(file, "sub/aliases");
	assert_int_equal(mkdir(sub, 0755), 0);
	write_file(file, GOOD);
	config.aliases_file = file;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(65536);
		if (geteuid() != 0 &&
			(rows[i].gid || rows[i].uid || rows[i].file == 0664 || rows[i].directory == 0775))
			continue; /* our own group is not root's */
		assert_int_equal(chown(file, rows[i].uid ? rows[i].uid : geteuid(),
					 rows[i].gid ? rows[i].gid : getegid()),
			0);
		assert_int_equal(chown(sub, geteuid(), rows[i].gid ? rows[i].gid : getegid()), 0);
		assert_int_equal(chmod(file, rows[i].file) + chmod(sub, rows[i].directory), 0);
		audit(NULL, &got);
		if (!slice_eq(buf_slice(&got), slice_of(rows[i].want)))
			fail_msg("row %zu: got %.*s, want %s", i, SLICE_ARG(buf_slice(&got)), rows[i].want);
	}
}

/* What is told is in the order of lines, and no more is asked than was allowed. */
static void a_million_doubts(void **state)
{
	auto_buf struct buf text = BUF_INIT(1 << 24);
	const struct alias_make_request request = { .config = &config, .only_check = true };
	struct alias_made made;
	size_t last = 0;

	(void)state;
	buf_append_str(&text, GOOD);
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "x%d: gone%d\n%s", i, i, i % 500 ? "" : "bad\n");
	write_file(source, buf_cstr(&text));
	assert_true(alias_make(&request, &made));
	assert_true(made.findings.n[ALIAS_WARNING] > 0 && made.findings.n[ALIAS_WARNING] <= 500);
	assert_int_equal(made.findings.n[ALIAS_ERROR], 4);
	for (size_t i = 0; i < alias_findings_count(&made.findings); i++) {
		struct alias_problem p = alias_findings_get(&made.findings, i);
		assert_true(p.line >= last);
		assert_string_equal(p.file, source);
		last = p.line;
	}
	alias_made_deinit(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test_setup_teardown(a_database_that_cannot_be_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(who_reads_for_root, setup, teardown),
		cmocka_unit_test_setup_teardown(lists, setup, teardown),
		cmocka_unit_test_setup_teardown(modes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_million_doubts, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
