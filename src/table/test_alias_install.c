/* SPDX-License-Identifier: Apache-2.0 */
/* test_alias_install.c - replacing the table: what goes wrong leaves the old one; the jailed builder; rebuild
 */
#include "base/file.h"
#include "ipc/jail.h"
#include "support/test.h"
#include "table/alias_install.h"
#include "table/alias_rebuild.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>

static char dir[64];
static struct alias_places places;

static void path_in(char out[PATH_MAX], const char *name)
{
	(void)snprintf(out, PATH_MAX, "%s/%s", dir, name);
}

/* As a sandbox has it: etc/aliases, lib. */
static int setup(void **state)
{
	char name[PATH_MAX], lib[PATH_MAX];

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/test_alias_install.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	path_in(name, "etc");
	path_in(lib, "lib");
	if (mkdir(name, 0755) < 0)
		return -1;
	path_in(name, "etc/aliases");
	return alias_places_init(&places, name, lib) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const files[] = { "etc/aliases", "etc/aliases.db", "lib/aliases.db", "out" };
	static const char *const dirs[] = { "etc/aliases", "etc/aliases.db", "etc", "lib", "" };
	char name[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		path_in(name, files[i]);
		(void)unlink(name);
	}
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		path_in(name, dirs[i]);
		(void)rmdir(name);
	}
	return access(dir, F_OK) == 0 ? -1 : 0; /* something was left behind */
}

/* By rename, as an editor does: a new inode, so that it is new even within one tick of the clock. */
static void replace_file(const char *name, struct slice content)
{
	char aside[PATH_MAX + 64];
	auto_close int fd = -1;

	(void)snprintf(aside, sizeof(aside), "%s.aside", name);
	fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, content), 0);
	assert_int_equal(file_rename(AT_FDCWD, aside, AT_FDCWD, name), 0);
}

static void write_source(const char *text)
{
	replace_file(places.source, slice_of(text));
}

static void count(const struct alias_problem *p, void *user)
{
	(void)p;
	++*(size_t *)user;
}

static enum alias_install_outcome install(struct alias_install_result *result)
{
	size_t n = 0;
	struct alias_install in = { .places = places, .report = count, .user = &n };
	enum alias_install_outcome outcome = alias_install(&in, result);

	assert_int_equal(n, result->summary.n_problems);
	return outcome;
}

static void assert_root_is(const char *want)
{
	struct alias_table *t = alias_table_new(&places);
	struct alias_value v;

	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_READY);
	assert_int_equal(alias_table_find(t, SLICE("root"), &v), ALIAS_FOUND);
	assert_slice_equal(slice_trim(v.text), slice_of(want));
	alias_table_free(&t);
}

static void outcomes(void **state)
{
	struct alias_install_result r;
	struct stat st;

	(void)state;
	assert_int_equal(install(&r), ALIAS_INSTALL_NO_SOURCE);
	write_source("root: payam\n");
	assert_int_equal(install(&r), ALIAS_INSTALL_DONE);
	assert_root_is("payam");
	assert_int_equal(stat(places.beside, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	write_source("broken\nbroken too\n");
	assert_int_equal(install(&r), ALIAS_INSTALL_NOTHING_USABLE);
	assert_root_is("payam");
	write_source("broken\nroot: user2\n");
	assert_int_equal(install(&r), ALIAS_INSTALL_DONE);
	assert_root_is("user2");
	assert_int_equal(unlink(places.source), 0);
	assert_int_equal(mkdir(places.source, 0755), 0);
	assert_int_equal(install(&r), ALIAS_INSTALL_SOURCE_UNREADABLE);
	assert_int_equal(r.error, EISDIR);
	assert_root_is("user2");
	assert_int_equal(rmdir(places.source), 0);
	assert_int_equal(install(&r), ALIAS_INSTALL_NO_SOURCE);
	assert_root_is("user2");
}

static void cannot_write(void **state)
{
	struct alias_install_result r;

	(void)state;
	write_source("root: payam\n");
	assert_int_equal(mkdir(places.beside, 0755), 0); /* a directory is not replaced */
	assert_int_equal(install(&r), ALIAS_INSTALL_CANNOT_WRITE);
	assert_int_equal(r.error, EISDIR);
}

/* Killed while it writes: what it left is not in the way, and the old table stays. */
static void killed_builder(void **state)
{
	struct alias_install_result r;
	char aside[PATH_MAX + 32];

	(void)state;
	write_source("root: payam\n");
	assert_int_equal(install(&r), ALIAS_INSTALL_DONE);
	(void)snprintf(aside, sizeof(aside), "%s.%d.new", places.beside, (int)getpid());
	replace_file(aside, SLICE("half a table"));
	assert_root_is("payam");
	write_source("root: user2\n");
	assert_int_equal(install(&r), ALIAS_INSTALL_DONE);
	assert_root_is("user2");
	assert_int_equal(access(aside, F_OK), -1);
}

static void collect_question(const struct alias_question *q, void *user)
{
	buf_printf(user, "%d:%zu:%.*s:%.*s ", (int)q->kind, q->line, SLICE_ARG(q->key), SLICE_ARG(q->text));
}

/* Questions come out of the jail as they would be asked outside, and no more than were allowed. */
static void questions_from_the_jail(void **state)
{
	static const struct jail jail = { .empty_root = true };
	const struct jail_request request = {
		.jail = &jail, .uid = (uid_t)-1, .gid = (gid_t)-1, .filter = true
	};
	auto_buf struct buf got = BUF_INIT(65536);
	struct alias_install_result r;
	struct alias_install in = {
		.places = places, .jail = &request, .ask = collect_question, .max_questions = 2, .user = &got
	};

	(void)state;
	write_source("root: payam\n\"a b\": \":include:/my list\", \"c d\"@localhost\nx: y, z, :include:/l, "
		     ":include:/m\n");
	assert_int_equal(alias_install(&in, &r), ALIAS_INSTALL_DONE);
	assert_slice_equal(buf_slice(&got), SLICE("1:1:root:payam 3:2:a b:/my list 1:2:a b:c d 3:3:x:/l "));
}

/* Built to be looked at: nothing is written, not even the lock, and the table has it all the same. */
static void only_checked(void **state)
{
	struct alias_table *t = alias_table_new(&places);
	struct alias_install in = { .places = places, .only_check = true, .table = t };
	struct alias_install_result r;
	struct alias_value v;

	(void)state;
	write_source("root: payam\n");
	assert_int_equal(alias_install(&in, &r), ALIAS_INSTALL_DONE);
	assert_int_equal(access(places.beside, F_OK), -1);
	assert_int_equal(access(places.fallback, F_OK), -1);
	assert_int_equal(alias_table_find(t, SLICE("root"), &v), ALIAS_FOUND);
	assert_string_equal(v.file, places.source);
	assert_int_equal(alias_table_refresh(t), ALIAS_TABLE_NOT_BUILT); /* of the file */
	alias_table_free(&t);
}

/* The jailed builder says the same and makes the same. */
static void jailed_builder(void **state)
{
	static const struct jail jail = { .empty_root = true };
	struct jail_request request = { .jail = &jail, .uid = (uid_t)-1, .gid = (gid_t)-1, .filter = true };
	struct alias_install_result r;
	size_t n = 0;
	struct alias_install in = { .places = places, .jail = &request, .report = count, .user = &n };

	(void)state;
	write_source("root: payam\nbad line\npostmaster: root\nroot: x\n");
	assert_int_equal(alias_install(&in, &r), ALIAS_INSTALL_DONE);
	assert_int_equal(r.summary.n_entries, 2);
	assert_int_equal(r.summary.n_problems, 2);
	assert_int_equal(n, 2);
	assert_root_is("payam");
	write_source("bad line\n");
	assert_int_equal(alias_install(&in, &r), ALIAS_INSTALL_NOTHING_USABLE);
	assert_root_is("payam");
}

/* ---- two at once ---- */

/* Between two steps of alias_install(): 0 times and none, or as a test wants it. */
struct interruption {
	void (*step)(int round);
	int n_rounds; /* left */
	int round;
};
static struct interruption after_reading, before_replacing;

static void stand_between(struct interruption *at)
{
	if (at->n_rounds == 0)
		return;
	at->n_rounds--;
	at->step(++at->round);
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __real_file_replace(int dirfd, const char *name, mode_t mode, struct slice content);
int __wrap_file_replace(int dirfd, const char *name, mode_t mode, struct slice content);

int __wrap_memfd_create(const char *name, unsigned flags)
{
	stand_between(&after_reading);
	return __real_memfd_create(name, flags);
}

int __wrap_file_replace(int dirfd, const char *name, mode_t mode, struct slice content)
{
	stand_between(&before_replacing);
	return __real_file_replace(dirfd, name, mode, content);
}

static void change_source(int round)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "root: newer%d\n", round);
	write_source(text);
}

/* As if there were no lock: the other one is through when our older table is about to be put in place. */
static void other_newaliases(int round)
{
	struct alias_install in = { .places = places };
	struct alias_install_result r;
	char name[PATH_MAX + 8];

	(void)snprintf(name, sizeof(name), "%s.lock", places.beside);
	assert_int_equal(unlink(name), 0);
	change_source(round);
	assert_int_equal(alias_install(&in, &r), ALIAS_INSTALL_DONE);
	assert_root_is("newer1");
}

static void source_changes_meanwhile(void **state)
{
	static const struct {
		void (*reading)(int round), (*replacing)(int round);
		int n_rounds;
		enum alias_install_outcome outcome;
		const char *root;
	} rows[] = {
		{ change_source, NULL, 1, ALIAS_INSTALL_DONE, "newer1" },
		{ change_source, NULL, 2, ALIAS_INSTALL_DONE, "newer2" },
		{ change_source, NULL, 3, ALIAS_INSTALL_SOURCE_CHANGING, "old" },
		{ NULL, change_source, 1, ALIAS_INSTALL_DONE, "newer1" },
		{ NULL, change_source, 2, ALIAS_INSTALL_DONE, "newer2" },
		{ NULL, other_newaliases, 1, ALIAS_INSTALL_DONE, "newer1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct alias_install_result r;
		write_source("root: old\n");
		assert_int_equal(install(&r), ALIAS_INSTALL_DONE);
		write_source("root: middle\nbad line\n");
		after_reading =
			(struct interruption){ rows[i].reading, rows[i].reading ? rows[i].n_rounds : 0, 0 };
		before_replacing = (struct interruption){ rows[i].replacing,
			rows[i].replacing ? rows[i].n_rounds : 0, 0 };
		assert_int_equal(install(&r), rows[i].outcome);
		assert_root_is(rows[i].root);
		assert_int_equal(r.summary.n_skipped, 0); /* "bad line" was not in the text that counted */
	}
}

/* The second one waits for the first, and neither leaves a file behind (see teardown). */
static void waits_for_the_other(void **state)
{
	struct alias_install_result r;
	char name[PATH_MAX + 8];
	int ready[2], status = 0;
	struct stat st;
	pid_t child;
	char c;

	(void)state;
	write_source("root: payam\n");
	(void)snprintf(name, sizeof(name), "%s.lock", places.beside);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		bool is_held = fd >= 0 && flock(fd, LOCK_EX) == 0 && write(ready[1], "r", 1) == 1;
		(void)usleep(300000);
		_exit(is_held && access(places.beside, F_OK) < 0 && unlink(name) == 0 ? 0 : 1);
	}
	assert_true(child > 0 && read(ready[0], &c, 1) == 1);
	assert_int_equal(install(&r), ALIAS_INSTALL_DONE);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0); /* there was no table yet while it held the lock */
	assert_root_is("payam");
	assert_int_equal(stat(name, &st), -1);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

/* ---- alias_rebuild_main ---- */

/* What it printed is in *out. */
static int rebuild(struct buf *out)
{
	char sandbox[PATH_MAX + 16], name[PATH_MAX];
	char *argv[] = { (char *)(uintptr_t) "aliases", sandbox, NULL };
	int status = 0;
	pid_t child;

	(void)snprintf(sandbox, sizeof(sandbox), "--sandbox=%s", dir);
	path_in(name, "out");
	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
			_exit(99);
		_exit(alias_rebuild_main(2, argv));
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	buf_clear(out);
	assert_int_equal(file_read_path(AT_FDCWD, name, out), 0);
	return WEXITSTATUS(status);
}

static size_t count_lines(struct slice text)
{
	struct slice line;
	size_t n = 0;

	while (slice_next_line(&text, &line))
		n++;
	return n;
}

static void rebuilds(void **state)
{
	auto_buf struct buf out = BUF_INIT(65536);
	struct stat before, after;

	(void)state;
	assert_int_equal(rebuild(&out), 0); /* no aliases file is no problem */
	assert_int_equal(out.len, 0);
	write_source("postmaster: root\nroot: payam\n");
	assert_int_equal(rebuild(&out), 0);
	assert_int_equal(out.len, 0);
	assert_root_is("payam");
	assert_int_equal(stat(places.beside, &before), 0);
	assert_int_equal(rebuild(&out), 0); /* nothing to do */
	assert_int_equal(stat(places.beside, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	write_source("postmaster: root\nroot: user2\nbad\nworse\n");
	assert_int_equal(rebuild(&out), 0);
	assert_true(slice_starts(buf_slice(&out), slice_of(places.source)));
	assert_true(slice_starts(slice_from(buf_slice(&out), strlen(places.source)), SLICE(":3: ")));
	assert_int_equal(count_lines(buf_slice(&out)), 2);
	assert_root_is("user2");
	write_source("bad\n");
	assert_int_equal(rebuild(&out), EX_DATAERR);
	assert_true(slice_starts(slice_from(buf_slice(&out), strlen(places.source)),
		SLICE(": no entry can be used; 1: expected")));
	assert_root_is("user2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(outcomes, setup, teardown),
		cmocka_unit_test_setup_teardown(cannot_write, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_builder, setup, teardown),
		cmocka_unit_test_setup_teardown(jailed_builder, setup, teardown),
		cmocka_unit_test_setup_teardown(questions_from_the_jail, setup, teardown),
		cmocka_unit_test_setup_teardown(only_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(source_changes_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_for_the_other, setup, teardown),
		cmocka_unit_test_setup_teardown(rebuilds, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
