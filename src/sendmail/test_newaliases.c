/* SPDX-License-Identifier: Apache-2.0 */
/* test_newaliases.c - what it says, what it exits with, what it leaves behind */
#include "base/file.h"
#include "sendmail/newaliases.h"
#include "support/test.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

static struct paths paths;
static char other_file[PATH_MAX];

static void write_file(const char *name, const char *text)
{
	auto_close int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, slice_of(text)), 0);
}

static int setup(void **state)
{
	char dir[] = "/tmp/test_newaliases.XXXXXX", name[PATH_MAX];

	(void)state;
	if (!mkdtemp(dir) || !paths_init(&paths, dir))
		return -1;
	(void)snprintf(name, sizeof(name), "%s/etc", dir);
	(void)snprintf(other_file, sizeof(other_file), "%s/etc/other", dir);
	if (mkdir(name, 0755) < 0)
		return -1;
	write_file(paths.users_file,
		"root:x:0:0::/root:/bin/sh\npayam:x:1000:1000::/home/payam:/bin/sh\n"
		"daemon:x:1:1::/:/usr/sbin/nologin\n");
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "etc/aliases", "etc/aliases.db", "etc/other", "etc/other.db",
		"etc/postrider.conf", "etc/users", "etc/two", "etc/two.db", "out", "err" };
	char name[PATH_MAX];

	(void)state;
	(void)chmod(paths.aliases_file, 0644);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(name, sizeof(name), "%s/%s", paths.sandbox, names[i]);
		if (unlink(name) < 0)
			(void)rmdir(name);
	}
	(void)snprintf(name, sizeof(name), "%s/etc", paths.sandbox);
	(void)rmdir(name);
	(void)snprintf(name, sizeof(name), "%s/lib", paths.sandbox);
	(void)rmdir(name);
	return rmdir(paths.sandbox);
}

static void catch_output(int fd, const char *name, char path[PATH_MAX])
{
	int to;

	(void)snprintf(path, PATH_MAX, "%s/%s", paths.sandbox, name);
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (to < 0 || dup2(to, fd) < 0)
		_exit(99);
}

/* In a process of its own, with what it printed. */
static int run_with(uid_t uid, bool verbose, const char *file, struct buf *out, struct buf *err)
{
	char out_name[PATH_MAX], err_name[PATH_MAX];
	int status = 0;
	pid_t child;

	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		catch_output(STDOUT_FILENO, "out", out_name);
		catch_output(STDERR_FILENO, "err", err_name);
		if (seteuid(uid) < 0)
			_exit(99);
		_exit(newaliases_run(&paths, verbose, file));
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	(void)snprintf(out_name, sizeof(out_name), "%s/out", paths.sandbox);
	(void)snprintf(err_name, sizeof(err_name), "%s/err", paths.sandbox);
	buf_clear(out);
	buf_clear(err);
	assert_int_equal(file_read_path(AT_FDCWD, out_name, out), 0);
	assert_int_equal(file_read_path(AT_FDCWD, err_name, err), 0);
	return WEXITSTATUS(status);
}

static int run(bool verbose, const char *file, struct buf *out, struct buf *err)
{
	return run_with(geteuid(), verbose, file, out, err);
}

static int run_as(uid_t uid, struct buf *out, struct buf *err)
{
	return run_with(uid, false, NULL, out, err);
}

/* want: what follows the file's name; without a line end more may follow. */
static void assert_line(const struct buf *err, const char *file, const char *want)
{
	struct slice line = buf_slice(err), wanted = slice_of(want);

	assert_true(slice_starts(line, slice_of(file)));
	line = slice_from(line, strlen(file));
	if (slice_ends_nocase(wanted, SLICE("\n")))
		assert_slice_equal(line, wanted);
	else
		assert_slice_equal(slice_first(line, wanted.len), wanted);
}

static void silent_success(void **state)
{
	auto_buf struct buf out = BUF_INIT(65536), err = BUF_INIT(65536);
	char db[PATH_MAX + 3];
	struct stat st;

	(void)state;
	write_file(paths.aliases_file,
		"# as shipped\nmailer-daemon: postmaster\npostmaster: root\nlpic1:  root\n"
		"root:    payam\n");
	assert_int_equal(run(false, NULL, &out, &err), EX_OK);
	assert_int_equal(out.len + err.len, 0);
	(void)snprintf(db, sizeof(db), "%s.db", paths.aliases_file);
	assert_int_equal(stat(db, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(run(true, NULL, &out, &err), EX_OK);
	assert_line(&out, paths.aliases_file, ": 4 aliases, longest 10 bytes, 55 bytes total\n");
	assert_int_equal(err.len, 0);
}

#define GOOD "postmaster: root\nroot: payam\n"

static void complaints(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ GOOD "no colon\n", ":3: expected \"name: recipients\"; skipped\n" },
		{ "root: payam\n",
			": warning: there is no \"postmaster\", so its mail goes to root; add a line "
			"\"postmaster: root\"\n" },
		{ GOOD "a: b\nb: a\n",
			":3: loop: a -> b -> a; mail to these names is returned to its sender; change one of "
			"them\n" },
		{ GOOD "x: payam\n\nX: root\n",
			":5: warning: duplicate alias \"x\": the one in line 3 counts, this one is ignored; "
			"remove one\n" },
		{ GOOD "x: payam,\n  payan\n",
			":4: warning: \"payan\", a recipient of \"x\", is neither an alias nor a user: its "
			"mail "
			"is returned; correct the name or take it out\n" },
		{ GOOD "x: :include:/nonexistent/list\n",
			":3: :include:/nonexistent/list: there is no such file; create it; until then mail "
			"to "
			"\"x\" waits\n" },
		{ "postmaster: root\n",
			": warning: nobody may read the mail for root: there is no alias \"root\"; add a "
			"line "
			"\"root: NAME\" with who is to read it, or \"root: root\" when root does\n" },
		{ "postmaster: root\nroot: daemon\n",
			":2: warning: nobody reads the mail for root: daemon (cannot log in); name somebody "
			"who "
			"does\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(65536), err = BUF_INIT(65536);
		write_file(paths.aliases_file, rows[i].text);
		assert_int_equal(run(false, NULL, &out, &err), EX_OK);
		assert_int_equal(out.len, 0);
		assert_line(&err, paths.aliases_file, rows[i].want);
	}
}

/* All files are built, each complaint names its own, and a name is looked for in all of them. */
static void several_files(void **state)
{
	auto_buf struct buf out = BUF_INIT(65536), err = BUF_INIT(65536), config = BUF_INIT(65536);
	char two[PATH_MAX / 2 + 16], db[PATH_MAX];

	(void)state;
	(void)snprintf(two, sizeof(two), "%s/etc/two", paths.sandbox);
	(void)snprintf(db, sizeof(db), "%s.db", two);
	buf_printf(&config, "[aliases]\nfile = %s %s\n", paths.aliases_file, two);
	write_file(paths.config_file, buf_cstr(&config));
	write_file(paths.aliases_file, "root: second\n");
	write_file(two, "second: payam\npostmaster: root\n");
	assert_int_equal(run(false, NULL, &out, &err), EX_OK);
	assert_int_equal(out.len + err.len, 0);
	assert_int_equal(access(db, F_OK), 0);
	write_file(two, "second: payam\npostmaster: root\nroot: x\nlost: found\n");
	assert_int_equal(run(false, NULL, &out, &err), EX_OK);
	assert_line(&err, two, ":3: warning: duplicate alias \"root\": the one in ");
	assert_non_null(strstr(buf_cstr(&err), "two:4: warning: \"found\", a recipient of \"lost\""));
	assert_int_equal(unlink(two), 0);
	assert_int_equal(run(false, NULL, &out, &err), EX_NOINPUT);
}

static void a_source_that_everybody_may_write(void **state)
{
	auto_buf struct buf out = BUF_INIT(65536), err = BUF_INIT(65536);

	(void)state;
	write_file(paths.aliases_file, GOOD);
	assert_int_equal(chmod(paths.aliases_file, 0666), 0);
	assert_int_equal(run(false, NULL, &out, &err), EX_OK);
	assert_line(&err, paths.aliases_file,
		": warning: everybody may write it, and so get root's mail: chmod o-w ");
}

static void failures(void **state)
{
	auto_buf struct buf out = BUF_INIT(65536), err = BUF_INIT(65536);
	char db[PATH_MAX + 3];

	(void)state;
	(void)snprintf(db, sizeof(db), "%s.db", paths.aliases_file);
	assert_int_equal(run(false, NULL, &out, &err), EX_NOINPUT);
	assert_line(&err, paths.aliases_file, ": there is no such file; create it (see aliases(5))\n");
	write_file(paths.aliases_file, "nothing here\n");
	assert_int_equal(run(false, NULL, &out, &err), EX_DATAERR);
	assert_int_equal(access(db, F_OK), -1);
	write_file(paths.aliases_file, GOOD);
	assert_int_equal(mkdir(db, 0755), 0); /* in the way */
	assert_int_equal(run(false, NULL, &out, &err), EX_CANTCREAT);
	assert_line(&err, db, ": cannot be written: Is a directory\n");
	write_file(paths.config_file, "[nonsense]\n");
	assert_int_equal(run(false, NULL, &out, &err), EX_CONFIG);
	assert_true(err.len > 0);
}

/* Not even as root's child may others write: they are told whom to ask. */
static void ordinary_user(void **state)
{
	auto_buf struct buf out = BUF_INIT(65536), err = BUF_INIT(65536);
	char db[PATH_MAX + 3];
	int status = 0;

	(void)state;
	if (geteuid() != 0)
		skip(); /* whoever runs this owns the directory */
	write_file(paths.aliases_file, GOOD);
	assert_int_equal(chmod(paths.sandbox, 0755), 0);
	status = run_as(65534, &out, &err);
	assert_int_equal(status, EX_NOPERM);
	(void)snprintf(db, sizeof(db), "%s.db", paths.aliases_file);
	assert_line(&err, db, ": cannot be written: Permission denied; run newaliases as root\n");
	assert_int_equal(access(db, F_OK), -1);
}

static void another_file(void **state)
{
	auto_buf struct buf out = BUF_INIT(65536), err = BUF_INIT(65536);
	char db[PATH_MAX + 3];

	(void)state;
	write_file(other_file, "postmaster: x\n");
	assert_int_equal(run(false, other_file, &out, &err), EX_OK);
	(void)snprintf(db, sizeof(db), "%s.db", other_file);
	assert_int_equal(access(db, F_OK), 0);
	assert_int_equal(run(false, "/nonexistent/aliases", &out, &err), EX_NOINPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(silent_success, setup, teardown),
		cmocka_unit_test_setup_teardown(complaints, setup, teardown),
		cmocka_unit_test_setup_teardown(several_files, setup, teardown),
		cmocka_unit_test_setup_teardown(a_source_that_everybody_may_write, setup, teardown),
		cmocka_unit_test_setup_teardown(failures, setup, teardown),
		cmocka_unit_test_setup_teardown(ordinary_user, setup, teardown),
		cmocka_unit_test_setup_teardown(another_file, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
