/* SPDX-License-Identifier: Apache-2.0 */
/* test_alias_walk.c - the tree of an expansion, by kind of step */
#include "base/file.h"
#include "support/test.h"
#include "table/alias_build.h"
#include "table/alias_walk.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static char list[64];
static struct config config = { .aliases_delimiter = "+",
	.main_origin = "host.test",
	.main_host_name = "host.test",
	.main_local_domains = "" };

/* "a(2)[", "u", ... : class and name, the line of where it stands, what is deeper in brackets of its own. */
static bool describe(const struct alias_step *s, void *user)
{
	static const char classes[ALIAS_STEP_COUNT] = { [ALIAS_STEP_ALIAS] = 'A',
		[ALIAS_STEP_USER] = 'u',
		[ALIAS_STEP_MAILBOX] = 'm',
		[ALIAS_STEP_REMOTE] = 'r',
		[ALIAS_STEP_FILE] = 'f',
		[ALIAS_STEP_DIRECTORY] = 'd',
		[ALIAS_STEP_COMMAND] = 'c',
		[ALIAS_STEP_LIST] = 'L',
		[ALIAS_STEP_FAIL] = 'F',
		[ALIAS_STEP_DEFER] = 'D',
		[ALIAS_STEP_DISCARD] = 'x',
		[ALIAS_STEP_LOOP] = 'o',
		[ALIAS_STEP_DEEP] = 'O',
		[ALIAS_STEP_ERROR] = '!',
		[ALIAS_STEP_NOTHING] = '0',
		[ALIAS_STEP_BROKEN] = '?' };

	buf_printf(user, "%u%c%.*s%s%s", s->depth, classes[s->kind], SLICE_ARG(s->name),
		s->is_duplicate ? "=" : "", s->is_own ? "^" : "");
	if (s->line)
		buf_printf(user, ":%zu", s->line);
	if (s->owner.len)
		buf_printf(user, "<%.*s>", SLICE_ARG(s->owner));
	if (s->code)
		buf_printf(user, "/%d", s->code);
	if (s->why)
		buf_append_str(user, "(why)");
	buf_append_byte(user, ' ');
	return true;
}

static void walk(const char *text, const char *address, bool reads_lists, struct buf *got)
{
	const struct alias_places places = { .source = "/nonexistent/aliases" };
	struct alias_files files = { .tables = { alias_table_new(&places) }, .n = 1 };
	const struct alias_build b = { .text = slice_of(text), .config = &config };
	const struct alias_walk_request request = {
		.config = &config, .files = &files, .reads_lists = reads_lists, .visit = describe, .user = got
	};
	struct alias_summary summary;
	auto_close int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_equal(alias_build(&b, fd, &summary), 0);
	assert_int_equal(alias_table_adopt(files.tables[0], fd), ALIAS_TABLE_READY);
	assert_true(alias_walk(&request, slice_of(address)));
	alias_files_deinit(&files);
}

struct row {
	const char *text, *address, *want;
};

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_buf struct buf got = BUF_INIT(65536);
		walk(rows[i].text, rows[i].address, false, &got);
		if (!slice_eq(buf_slice(&got), slice_of(rows[i].want)))
			fail_msg("row %zu: got \"%.*s\"", i, SLICE_ARG(buf_slice(&got)));
	}
}

static void kinds_of_items(void **state)
{
	static const struct row rows[] = {
		{ "x: y\n", "payam", "0upayam " },
		{ "x: y\n", "Payam+x@host.test", "0uPayam " },
		{ "x: y\n", "payam@far.test", "0rpayam@far.test " },
		{ "x: y\n", "postmaster", "0Apostmaster 1uroot " }, /* always exists */
		{ "x: y\n", "abuse@localhost", "0Aabuse 1Apostmaster 2uroot " },
		{ "x: a,\n b\n", "X", "0Ax 1ua:1 1ub:2 " },
		{ "x: \\a, a\n", "x", "0Ax 1ma:1 1ua:1 " },
		{ "x: /f, /d/, |c, :include:/l\n", "x", "0Ax 1f/f:1 1d/d/:1 1cc:1 1L/l:1 " },
		{ "x: /f, /f, |c, |c, a, A, b@far.test, b@FAR.test\n", "x",
			"0Ax 1f/f:1 1f/f=:1 1cc:1 1cc=:1 1ua:1 1uA=:1 1rb@far.test:1 1rb@FAR.test=:1 " },
		{ "x: :fail: 5.7.1 no, never\n", "x", "0Ax 1F5.7.1 no, never:1/550 " },
		{ "x: error:421 later\n", "x", "0Ax 1Dlater:1/421 " },
		{ "x: a, :blackhole:\n", "x", "0Ax 1ua:1 1x:1 " },
		{ "x: a b, c\n", "x", "0Ax 1!a b:1(why) 1uc:1 " },
		{ "x: a b\n", "x", "0Ax 1!a b:1(why) 10x:1 " },
		{ "x: :unknown:\n", "x", "0ux " },
	};

	(void)state;
	check(rows, ARRAY_LEN(rows));
}

static void chains(void **state)
{
	static const struct row rows[] = {
		{ "a: b\nb: c\n", "a", "0Aa 1Ab:1 2uc:2 " },
		{ "a: b, c\nb: d\nc: d\nd: u\n", "a", "0Aa 1Ab:1 2Ad:2 3uu:4 1Ac:1 2Ad=:3 " },
		{ "a: a, b\n", "a", "0Aa 1ua^:1 1ub:1 " },
		{ "a: b\nb: a\n", "a", "0Aa 1Ab:1 2oa:2 " },
		{ "a: a, b\nb: b, a\n", "a", "0Aa 1ua^:1 1Ab:1 2ub^:2 2ua=^:2 " },
		{ "root: postmaster\n", "root", "0Aroot 1Apostmaster:1 2uroot " },
		{ "list: u\nowner-list: o\n", "list", "0Alist<owner-list> 1uu:1 " },
		{ "a: b\n", "a+x", "0Aa 1ub:1 " },
		{ "a: b\nb+x: c\nb: d\n", "a+x", "0Aa 1Ab+x:1 2uc:2 " },
		{ "a+*: b\n", "a+x", "0Aa+* 1ub:1 " },
		{ "list-request: r\nlist: u\n", "list-request", "0Alist-request 1ur:1 " },
	};

	(void)state;
	check(rows, ARRAY_LEN(rows));
}

static void too_deep(void **state)
{
	auto_buf struct buf text = BUF_INIT(65536), got = BUF_INIT(65536);

	(void)state;
	for (int i = 1; i <= 101; i++)
		buf_printf(&text, "c%d: c%d\n", i, i + 1);
	walk(buf_cstr(&text), "c2", false, &got);
	assert_non_null(strstr(buf_cstr(&got), "100uc102:101 "));
	buf_clear(&got);
	walk(buf_cstr(&text), "c1", false, &got);
	assert_true(slice_ends_nocase(buf_slice(&got), SLICE("100Oc101:100 ")));
}

static void lists(void **state)
{
	static const struct {
		const char *members;
		mode_t mode;
		const char *want; /* behind "0Ax 1L" and the list's name */
	} rows[] = {
		{ "a\n# c\n\\b, x@far.test\n", 0644, ":1 2ua:1 2mb:3 2rx@far.test:3 " },
		{ "|c\n/f\n:fail: no\n", 0644, ":1 2!c:1(why) 2!/f:2(why) 2!no:3(why) " },
		{ "x\n", 0644, ":1 2ox:1 " }, /* back to the alias above */
		{ "", 0644, ":1 " },
		{ "a\n", 0666, ":1(why) " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf text = BUF_INIT(4096), got = BUF_INIT(65536), want = BUF_INIT(65536);
		auto_close int fd = -1;
		(void)snprintf(list, sizeof(list), "/tmp/test_alias_walk.%d", (int)getpid());
		fd = open(list, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		assert_true(fd >= 0 && file_write_all(fd, slice_of(rows[i].members)) == 0);
		assert_int_equal(fchmod(fd, rows[i].mode), 0);
		buf_printf(&text, "x: :include:%s\n", list);
		walk(buf_cstr(&text), "x", true, &got);
		assert_int_equal(unlink(list), 0);
		buf_printf(&want, "0Ax 1L%s%s", list, rows[i].want);
		if (!slice_eq(buf_slice(&got), buf_slice(&want)))
			fail_msg("row %zu: got \"%.*s\"", i, SLICE_ARG(buf_slice(&got)));
	}
}

/* The one that includes itself ends. */
static void a_list_in_itself(void **state)
{
	auto_buf struct buf text = BUF_INIT(4096), got = BUF_INIT(65536), members = BUF_INIT(4096);
	auto_close int fd = -1;

	(void)state;
	(void)snprintf(list, sizeof(list), "/tmp/test_alias_walk.%d", (int)getpid());
	buf_printf(&members, ":include:%s\na\n", list);
	fd = open(list, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(fd >= 0 && file_write_all(fd, buf_slice(&members)) == 0);
	buf_printf(&text, "x: :include:%s\n", list);
	walk(buf_cstr(&text), "x", true, &got);
	assert_int_equal(unlink(list), 0);
	assert_true(slice_ends_nocase(buf_slice(&got), SLICE("=:1 2ua:2 ")));
}

static void no_address(void **state)
{
	struct alias_files files = { .n = 0 };
	const struct alias_walk_request request = { .config = &config, .files = &files, .visit = describe };

	(void)state;
	assert_false(alias_walk(&request, SLICE("a b")));
	assert_false(alias_walk(&request, SLICE("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_of_items),
		cmocka_unit_test(chains),
		cmocka_unit_test(too_deep),
		cmocka_unit_test(lists),
		cmocka_unit_test(a_list_in_itself),
		cmocka_unit_test(no_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
