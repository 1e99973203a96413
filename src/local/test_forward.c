/* SPDX-License-Identifier: Apache-2.0 */
/* test_forward.c - which files may be used, and what their items become */
#include "support/test.h"
#include "base/file.h"
#include "base/log.h"
#include "local/forward.h"
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int open_error, stat_error; /* of what lies in the home directory; of the home directory */

/* Instead of the C library's. */
int open(const char *path, int flags, ...)
{
	va_list args;
	int mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, int) : 0;
	va_end(args);
	if (!open_error || !strstr(path, "/.forward"))
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	errno = open_error;
	return -1;
}

/* Instead of the C library's. */
int stat(const char *restrict path, struct stat *restrict st)
{
	if (!stat_error)
		return (int)syscall(SYS_newfstatat, AT_FDCWD, path, st, 0);
	errno = stat_error;
	return -1;
}

static struct config *config;
static char home[] = "/tmp/test_forward.XXXXXX";
static int dir = -1;
static char last_log[1000];
static unsigned n_logged;

static void keep_log(enum log_level level, const char *program, struct slice line, void *user)
{
	(void)program;
	(void)level, (void)user;
	(void)snprintf(last_log, sizeof(last_log), "%.*s", SLICE_ARG(line));
	n_logged++;
}

static int make_home(void **state)
{
	(void)state;
	log_set_sink(keep_log, NULL);
	config = config_parse(SLICE("[main]\nhost_name = host.example\norigin = example\n"), NULL, NULL);
	if (!config || !mkdtemp(home))
		return -1;
	dir = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0;
}

static int remove_home(void **state)
{
	(void)state;
	config_free(&config);
	(void)close(dir);
	return rmdir(home);
}

static struct forward_user the_user(void)
{
	return (struct forward_user){
		.name = SLICE("bob"), .home = home, .uid = geteuid(), .private_gid = (gid_t)-1
	};
}

static void write_forward(struct slice text)
{
	auto_close int fd = openat(dir, ".forward", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text), 0);
	n_logged = 0;
	last_log[0] = '\0';
}

static void reads_items(void **state)
{
	static const struct {
		const char *text;
		struct {
			enum leaf_kind kind;
			unsigned flags;
			const char *address; /* of a command, file or list: its text */
		} want[4];
		unsigned n_logged;
	} rows[] = {
		{ "user2\n", { { LEAF_ADDRESS, 0, "user2" } }, 0 },
		{ "user2", { { LEAF_ADDRESS, 0, "user2" } }, 0 },
		{ "Al <al@far.example>, b@c # me\n",
			{ { LEAF_ADDRESS, 0, "al@far.example" }, { LEAF_ADDRESS, 0, "b@c" } }, 0 },
		{ "\\bob, user2\n",
			{ { LEAF_ADDRESS, RCPT_NO_ALIAS | RCPT_NO_FORWARD, "bob" },
				{ LEAF_ADDRESS, 0, "user2" } },
			0 },
		{ "bob\n", { { LEAF_ADDRESS, RCPT_NO_ALIAS | RCPT_NO_FORWARD, "bob" } }, 0 },
		{ "BOB@LocalHost\n", { { LEAF_ADDRESS, RCPT_NO_ALIAS | RCPT_NO_FORWARD, "bob" } }, 0 },
		{ "\"bob\"@host.example\n", { { LEAF_ADDRESS, RCPT_NO_ALIAS | RCPT_NO_FORWARD, "bob" } }, 0 },
		{ "bob@far.example\n", { { LEAF_ADDRESS, 0, "bob@far.example" } }, 0 },
		{ "\\other\n", { { LEAF_ADDRESS, RCPT_NO_ALIAS | RCPT_NO_FORWARD, "other" } }, 0 },
		{ "/dev/null\n", { { LEAF_DISCARD, 0, "/dev/null" } }, 0 },
		{ "|/bin/cmd a b\n/var/x\n/home/y/\n:include:/l\n",
			{ { LEAF_COMMAND, 0, "/bin/cmd a b" }, { LEAF_FILE, 0, "/var/x" },
				{ LEAF_FILE, 0, "/home/y/" }, { LEAF_FILE, 0, "/l" } },
			0 },
		{ "", { { 0 } }, 0 },
		{ "# only a comment\n\n", { { 0 } }, 0 },
		{ "a b@c, good@d\n", { { LEAF_ADDRESS, 0, "good@d" } }, 1 },
		{ "@@\n", { { 0 } }, 1 },
		{ ":fail: no\n", { { 0 } }, 1 },
		{ "# Exim filter\nsave x\n", { { 0 } }, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct forward_user user = the_user();
		struct forward f;
		size_t n = 0;
		while (n < ARRAY_LEN(rows[i].want) && rows[i].want[n].kind)
			n++;
		write_forward(slice_of(rows[i].text));
		assert_int_equal(
			forward_read(config, &user, SLICE_EMPTY, &f), n ? FORWARD_LEAVES : FORWARD_NONE);
		assert_int_equal(f.n_leaves, n);
		for (size_t j = 0; j < n; j++) {
			assert_int_equal(f.leaves[j].kind, rows[i].want[j].kind);
			assert_int_equal(f.leaves[j].flags, rows[i].want[j].flags);
			assert_slice_equal(f.leaves[j].origin.len ? f.leaves[j].text : f.leaves[j].address,
				slice_of(rows[i].want[j].address));
			assert_true(f.leaves[j].origin.len == 0 ||
				forward_find(&f, f.leaves[j].origin) == &f.leaves[j]);
		}
		assert_int_equal(n_logged, rows[i].n_logged);
		forward_free(&f);
		/* The same file again is not told again. */
		(void)forward_read(config, &user, SLICE_EMPTY, &f);
		assert_int_equal(n_logged, rows[i].n_logged);
		forward_free(&f);
	}
	assert_int_equal(file_unlink(dir, ".forward"), 0);
}

static void extensions(void **state)
{
	static const struct {
		const char *extension, *name,
			*want; /* the file that is there besides .forward, what is read */
	} rows[] = {
		{ "list", ".forward+list", "ext@x" },
		{ "list", ".forward+other", "plain@x" },
		{ "", ".forward+", "plain@x" },
		{ "a/../b", ".forward+a_.._b", "ext@x" },
		{ "..", ".forward+..", "ext@x" },
		{ "a b$", ".forward+a_b_", "ext@x" },
		{ "A-Z_=.,:@%+9", ".forward+A-Z_=.,:@%+9", "ext@x" },
	};
	struct forward_user user = the_user();

	(void)state;
	write_forward(SLICE("plain@x\n"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct forward f;
		assert_int_equal(file_replace(dir, rows[i].name, 0600, SLICE("ext@x\n")), 0);
		assert_int_equal(
			forward_read(config, &user, slice_of(rows[i].extension), &f), FORWARD_LEAVES);
		assert_slice_equal(f.leaves[0].address, slice_of(rows[i].want));
		forward_free(&f);
		assert_int_equal(file_unlink(dir, rows[i].name), 0);
	}
	assert_int_equal(file_unlink(dir, ".forward"), 0);
}

static void an_empty_file_for_an_extension_is_the_last_word(void **state)
{
	struct forward_user user = the_user();
	struct forward f;

	(void)state;
	write_forward(SLICE("plain@x\n"));
	assert_int_equal(file_replace(dir, ".forward+keep", 0600, SLICE("# to the mailbox\n")), 0);
	assert_int_equal(forward_read(config, &user, SLICE("keep"), &f), FORWARD_NONE);
	forward_free(&f);
	assert_int_equal(file_unlink(dir, ".forward+keep"), 0);
	assert_int_equal(file_unlink(dir, ".forward"), 0);
}

static void ignores_what_others_may_write(void **state)
{
	static const struct {
		mode_t file, home_mode;
		bool is_private;
		enum forward_outcome want;
	} rows[] = {
		{ 0600, 0755, false, FORWARD_LEAVES },
		{ 0644, 0755, false, FORWARD_LEAVES },
		{ 0664, 0755, true, FORWARD_LEAVES },
		{ 0644, 0775, true, FORWARD_LEAVES },
		{ 0664, 0755, false, FORWARD_NONE },
		{ 0602, 0755, true, FORWARD_NONE },
		{ 0666, 0755, true, FORWARD_NONE },
		{ 0600, 0775, false, FORWARD_NONE },
		{ 0600, 0707, true, FORWARD_NONE },
		{ 0600, 01777, true, FORWARD_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct forward_user user = the_user();
		struct forward f;
		user.private_gid = rows[i].is_private ? getegid() : (gid_t)-1;
		write_forward(SLICE("user2\n"));
		assert_int_equal(fchmodat(dir, ".forward", rows[i].file, 0), 0);
		assert_int_equal(fchmod(dir, rows[i].home_mode), 0);
		assert_int_equal(forward_read(config, &user, SLICE_EMPTY, &f), rows[i].want);
		assert_int_equal(n_logged, rows[i].want == FORWARD_NONE);
		if (n_logged)
			assert_non_null(strstr(last_log, "may be written by others"));
		forward_free(&f);
	}
	assert_int_equal(fchmod(dir, 0700), 0);
	assert_int_equal(file_unlink(dir, ".forward"), 0);
}

static void make_symlink(void)
{
	assert_int_equal(symlinkat("target", dir, ".forward"), 0);
}

static void make_directory(void)
{
	assert_int_equal(mkdirat(dir, ".forward", 0700), 0);
}

static void make_fifo(void)
{
	assert_int_equal(mkfifoat(dir, ".forward", 0600), 0);
}

static void make_foreign(void)
{
	write_forward(SLICE("user2\n"));
	assert_int_equal(fchownat(dir, ".forward", geteuid() + 12345, (gid_t)-1, 0), 0);
}

static void make_huge(void)
{
	auto_free char *text = mem_new(70000);

	memset(text, '\n', 70000);
	write_forward((struct slice){ text, 70000 });
}

static void ignores_what_is_no_plain_file_of_the_user(void **state)
{
	static const struct {
		void (*make)(void);
		const char *word;
		bool needs_root;
	} rows[] = {
		{ make_symlink, "symbolic link", false },
		{ make_directory, "regular", false },
		{ make_fifo, "regular", false },
		{ make_foreign, "another user", true },
		{ make_huge, "too large", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct forward_user user = the_user();
		struct forward f;
		if (rows[i].needs_root && geteuid() != 0) {
			print_message("SKIP %s: needs root to make one\n", rows[i].word);
			continue;
		}
		rows[i].make();
		n_logged = 0;
		assert_int_equal(forward_read(config, &user, SLICE_EMPTY, &f), FORWARD_NONE);
		assert_int_equal(n_logged, 1);
		assert_non_null(strstr(last_log, rows[i].word));
		assert_non_null(strstr(last_log, "bob"));
		forward_free(&f);
		assert_int_equal(
			unlinkat(dir, ".forward", rows[i].make == make_directory ? AT_REMOVEDIR : 0), 0);
	}
}

static void a_missing_home_is_no_forward(void **state)
{
	static const char *const homes[] = { "", "relative", "/nonexistent/home", "/dev/null", "/" };

	(void)state;
	n_logged = 0;
	for (size_t i = 0; i < ARRAY_LEN(homes); i++) {
		struct forward_user user = the_user();
		struct forward f;
		user.home = homes[i];
		assert_int_equal(forward_read(config, &user, SLICE_EMPTY, &f), FORWARD_NONE);
		forward_free(&f);
	}
	assert_int_equal(n_logged, 0);
}

/* A disk or a server that is away for a while says nothing of what the user wants. */
static void what_cannot_be_known_now_defers(void **state)
{
	static const struct {
		int open_error, stat_error;
		enum forward_outcome want;
	} rows[] = {
		{ ENOENT, 0, FORWARD_NONE },
		{ ENOENT, ENOENT, FORWARD_NONE },
		{ ENOTDIR, ENOTDIR, FORWARD_NONE },
		{ EIO, 0, FORWARD_DEFER },
		{ ESTALE, 0, FORWARD_DEFER },
		{ EACCES, 0, FORWARD_DEFER },
		{ ETIMEDOUT, 0, FORWARD_DEFER },
		{ EMFILE, 0, FORWARD_DEFER },
		{ ENOMEM, 0, FORWARD_DEFER },
		{ ENOENT, EIO, FORWARD_DEFER },
		{ ENOENT, ESTALE, FORWARD_DEFER },
		{ ENOENT, EACCES, FORWARD_DEFER },
		{ ENOENT, EHOSTDOWN, FORWARD_DEFER },
		{ ENOENT, ELOOP, FORWARD_DEFER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct forward_user user = the_user();
		struct forward f;
		enum forward_outcome got;
		open_error = rows[i].open_error;
		stat_error = rows[i].stat_error;
		got = forward_read(config, &user, i % 2 ? SLICE("ext") : SLICE_EMPTY, &f);
		open_error = stat_error = 0;
		if (got != rows[i].want)
			fail_msg("row %zu: got %d", i, got);
		if (got == FORWARD_DEFER)
			assert_non_null(strstr(f.reason,
				strerror(rows[i].stat_error ? rows[i].stat_error : rows[i].open_error)));
		forward_free(&f);
	}
}

static void a_sticky_home_defers(void **state)
{
	static const struct {
		mode_t mode;
		bool has_forward;
		enum forward_outcome want;
	} rows[] = {
		{ 01755, true, FORWARD_DEFER },
		{ 01755, false, FORWARD_DEFER },
		{ 01777, true, FORWARD_NONE }, /* not safe, whatever it says */
		{ 01777, false, FORWARD_NONE },
		{ 0755, true, FORWARD_LEAVES },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct forward_user user = the_user();
		struct forward f;
		if (rows[i].has_forward)
			write_forward(SLICE("user2\n"));
		assert_int_equal(fchmod(dir, rows[i].mode), 0);
		assert_int_equal(forward_read(config, &user, SLICE_EMPTY, &f), rows[i].want);
		if (rows[i].want == FORWARD_DEFER)
			assert_non_null(strstr(f.reason, "sticky: chmod -t"));
		forward_free(&f);
		if (rows[i].has_forward)
			assert_int_equal(file_unlink(dir, ".forward"), 0);
	}
	assert_int_equal(fchmod(dir, 0700), 0);
}

static void an_unreadable_file_defers(void **state)
{
	struct forward_user user = the_user();
	struct forward f;

	(void)state;
	write_forward(SLICE("user2\n"));
	assert_int_equal(fchmodat(dir, ".forward", 0, 0), 0);
	if (geteuid() == 0) { /* who reads everything; the same as a user */
		user.uid = 12345;
		assert_int_equal(fchown(dir, 12345, (gid_t)-1), 0);
		assert_int_equal(fchownat(dir, ".forward", 12345, (gid_t)-1, 0), 0);
		assert_int_equal(seteuid(12345), 0);
	}
	assert_int_equal(forward_read(config, &user, SLICE_EMPTY, &f), FORWARD_DEFER);
	assert_non_null(strstr(f.reason, "Permission denied"));
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	forward_free(&f);
	assert_int_equal(file_unlink(dir, ".forward"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_items),
		cmocka_unit_test(extensions),
		cmocka_unit_test(an_empty_file_for_an_extension_is_the_last_word),
		cmocka_unit_test(ignores_what_others_may_write),
		cmocka_unit_test(ignores_what_is_no_plain_file_of_the_user),
		cmocka_unit_test(a_missing_home_is_no_forward),
		cmocka_unit_test(what_cannot_be_known_now_defers),
		cmocka_unit_test(a_sticky_home_defers),
		cmocka_unit_test(an_unreadable_file_defers),
	};

	return cmocka_run_group_tests(tests, make_home, remove_home);
}
