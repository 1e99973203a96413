/* SPDX-License-Identifier: Apache-2.0 */
/* test_alias_build.c - aliases texts, the problems found in them, and what the table then says */
#include "base/file.h"
#include "support/test.h"
#include "table/alias_build.h"
#include <cdb.h>
#include <sys/mman.h>

static void collect(const struct alias_problem *p, void *user)
{
	buf_printf(user, "%d:%zu ", (int)p->kind, p->line);
}

static void collect_text(const struct alias_problem *p, void *user)
{
	buf_printf(user, "%zu: %.*s\n", p->line, SLICE_ARG(p->text));
}

static int build(
	struct slice text, alias_report report, struct buf *out, struct alias_summary *s, int *fd_out)
{
	const struct alias_build b = { .text = text, .report = report, .user = out };

	*fd_out = memfd_create("test", MFD_CLOEXEC);
	assert_true(*fd_out >= 0);
	return alias_build(&b, *fd_out, s);
}

#define PM "postmaster: root\n"

static void problems(void **state)
{
	static const struct {
		const char *text;
		int result;
		size_t n_entries;
		const char *want; /* KIND:LINE */
	} rows[] = {
		{ PM, 0, 1, "" },
		{ "", 0, 0, "8:0 " },
		{ "# nothing\n\n", 0, 0, "8:0 " },
		{ PM "root: payam, |cmd, /f, /d/, \\x, :fail: no\n", 0, 2, "" },
		{ PM "no colon here\nx: y\n", 0, 2, "1:2 " },
		{ PM "a b: c\nx@y: z\nempty:\n", 0, 1, "1:2 1:3 1:4 " },
		{ "all wrong\nhere too\n", -ENODATA, 0, "1:1 1:2 " },
		{ PM "x: a\nX: b\n\"x\": c\n", 0, 2, "2:3 2:4 " },
		{ PM "x: a, b c,\n  d e\n", 0, 2, "3:2 3:3 " },
		{ PM "x: b c\n", 0, 2, "3:2 4:2 " },
		{ PM "a: b\nb: a\n", 0, 3, "5:2 " },
		{ PM "a: a\nb: \\b, c\nc: c@localhost, b\n", 0, 4, "" },
		{ PM "x: y@far.test\ny: x@far.test\n", 0, 3, "" }, /* another host's names */
		{ PM "x: y+z\ny: x\n", 0, 3, "5:2 " },
		{ PM "x: :include:/nonexistent/list\n", 0, 2, "" }, /* a question for alias_audit.h */
		{ PM "x: :unknown:\nY: :UNKNOWN: not here\n", 0, 3, "" },
		{ PM "x: a, :unknown:\n", 0, 2, "3:2 " },
		{ PM "a: b\nb: :unknown:\n", 0, 3, "" },
		{ PM "a: b+x\nb+*: a\nb: c\n", 0, 4, "5:2 " },
		{ "x: y\n", 0, 1, "8:0 " },
		{ "POSTMASTER: root\n", 0, 1, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(65536);
		struct alias_summary s;
		auto_close int fd = -1;
		assert_int_equal(build(slice_of(rows[i].text), collect, &got, &s, &fd), rows[i].result);
		if (!slice_eq(buf_slice(&got), slice_of(rows[i].want)))
			fail_msg("row %zu: got %.*s, want %s", i, SLICE_ARG(buf_slice(&got)), rows[i].want);
		assert_int_equal(s.n_entries, rows[i].n_entries);
	}
}

/* People read these: they say what, and what to do. */
static void messages(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ PM "a: b\nb: c, user\nc: a\n",
			"2: loop: a -> b -> c -> a; mail to these names is returned to its sender; change "
			"one of "
			"them\n" },
		{ PM "x: a\nx: b\n",
			"3: duplicate alias \"x\": the one in line 2 counts, this one is ignored; remove "
			"one\n" },
		{ PM "x: :nope:\n",
			"2: \":nope:\": no special item of that name is known; this recipient of \"x\" is "
			"left "
			"out\n2: \"x\" has no usable recipient; its mail waits in the queue until this is "
			"put "
			"right\n" },
		{ "x: y\n",
			"0: there is no \"postmaster\", so its mail goes to root; add a line \"postmaster: "
			"root\"\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(65536);
		struct alias_summary s;
		auto_close int fd = -1;
		assert_int_equal(build(slice_of(rows[i].text), collect_text, &got, &s, &fd), 0);
		assert_slice_equal(buf_slice(&got), slice_of(rows[i].want));
	}
}

static void collect_question(const struct alias_question *q, void *user)
{
	static const char *const words[] = {
		[ALIAS_ASK_USER] = "user", [ALIAS_ASK_MAILBOX] = "mailbox", [ALIAS_ASK_INCLUDE] = "include"
	};

	buf_printf(user, "%s:%zu:%.*s:%.*s ", words[q->kind], q->line, SLICE_ARG(q->key), SLICE_ARG(q->text));
}

/* What the text leaves open: each name of this host that is no alias once, and each list. */
static void questions(void **state)
{
	static const struct {
		const char *text;
		size_t max;
		const char *want;
	} rows[] = {
		{ PM "root: payam\n", 9, "user:2:root:payam " }, { PM, 9, "user:1:postmaster:root " },
		{ PM "root: \\root, root, a+x@localhost,\n b@far.test, a\n", 9,
			"mailbox:2:root:root user:2:root:a " },
		{ "root: x,\n y, z\n", 2, "user:1:root:x user:2:root:y " },
		{ "root: postmaster, abuse, mailer-daemon\n", 9, "" }, /* always exist */
		{ "root: :include:/l, \":include:/my list\", /f, |c\nx: :include:/l\n", 9,
			"include:1:root:/l include:1:root:/my list include:2:x:/l " },
		{ "a: b\nb: :unknown:\nc: :unknown:\n", 9, "user:1:a:b " },
		{ "a: \"x\\\001y\"@localhost\n", 9, "" }, /* no name has control characters */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(65536);
		const struct alias_build b = { .text = slice_of(rows[i].text),
			.ask = collect_question,
			.max_questions = rows[i].max,
			.user = &got };
		struct alias_summary s;
		auto_close int fd = memfd_create("test", MFD_CLOEXEC);
		assert_int_equal(alias_build(&b, fd, &s), 0);
		if (!slice_eq(buf_slice(&got), slice_of(rows[i].want)))
			fail_msg("row %zu: got %.*s, want %s", i, SLICE_ARG(buf_slice(&got)), rows[i].want);
	}
}

/* What a file says that is asked before this one is known here: its names win, and loops go through both. */
static void an_earlier_file(void **state)
{
	static const struct {
		const char *earlier, *text, *want;
	} rows[] = {
		{ PM "a: b\n", "b: a\n", "5:1 " }, { PM "a: b\nx: y\n", "b: c\nc: a\n", "5:1 " },
		{ PM "a: b\nb: a\n", "c: a\n", "" }, /* was told with that file */
		{ PM "a: b\n", "b: b, a\n", "" }, { PM "a: x\n", "q: r\nA: y\n", "2:2 " },
		{ "a: x\n", "b: y\n", "8:0 " }, { "a: x y z\n" PM, "b: a\n", "" }, /* its own faults too */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(65536);
		const struct alias_places places = { .source = "/nonexistent/first" };
		struct alias_files earlier = { .tables = { alias_table_new(&places) }, .n = 1 };
		const struct alias_build b = {
			.text = slice_of(rows[i].text), .earlier = &earlier, .report = collect, .user = &got
		};
		struct alias_summary s;
		auto_close int first = -1, second = memfd_create("test", MFD_CLOEXEC);
		assert_int_equal(build(slice_of(rows[i].earlier), NULL, NULL, &s, &first), 0);
		assert_int_equal(alias_table_adopt(earlier.tables[0], first), ALIAS_TABLE_READY);
		assert_int_equal(alias_build(&b, second, &s), 0);
		if (!slice_eq(buf_slice(&got), slice_of(rows[i].want)))
			fail_msg("row %zu: got %.*s, want %s", i, SLICE_ARG(buf_slice(&got)), rows[i].want);
		assert_true(s.n_entries <= 2); /* none of the other file's */
		alias_files_deinit(&earlier);
	}
}

static void long_chains(void **state)
{
	static const struct {
		size_t n;
		const char *want;
	} rows[] = { { 100, "" }, { 101, "6:2 " }, { 100000, "6:99901 " } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf text = BUF_INIT(1 << 24), got = BUF_INIT(65536);
		struct alias_summary s;
		auto_close int fd = -1;
		buf_append_str(&text, PM);
		for (size_t c = 1; c <= rows[i].n; c++)
			buf_printf(&text, "c%zu: c%zu\n", c, c + 1);
		assert_int_equal(build(buf_slice(&text), collect, &got, &s, &fd), 0);
		assert_slice_equal(buf_slice(&got), slice_of(rows[i].want));
	}
}

/* A knot of 300 lists that all name each other has more loops than anybody wants to read. */
static void knots_end(void **state)
{
	auto_buf struct buf text = BUF_INIT(1 << 24), got = BUF_INIT(1 << 20);
	struct alias_summary s;
	auto_close int fd = -1;

	(void)state;
	for (size_t a = 0; a < 300; a++) {
		buf_printf(&text, "k%zu: x", a);
		for (size_t b = 0; b < 300; b++)
			if (a != b)
				buf_printf(&text, ",k%zu", b);
		buf_append_byte(&text, '\n');
	}
	assert_int_equal(build(buf_slice(&text), collect, &got, &s, &fd), 0);
	assert_true(buf_ok(&got));
	assert_true(s.n_problems > ALIAS_LOOPS_REPORTED / 2 && s.n_problems < ALIAS_LOOPS_REPORTED + 400);
}

static bool lookup(struct cdb *cdb, const char *key, struct slice *out)
{
	if (cdb_find(cdb, key, (unsigned)strlen(key)) <= 0)
		return false;
	*out = (struct slice){ cdb_getdata(cdb), cdb_datalen(cdb) };
	return true;
}

/* Byte by byte as alias_table.h says. */
static void file_format(void **state)
{
	const struct slice meta_key = ALIAS_META_KEY;
	struct alias_summary s;
	struct alias_meta meta;
	struct slice value;
	struct cdb cdb;
	struct stat st;
	auto_close int fd = -1;

	(void)state;
	assert_int_equal(
		build(SLICE("# c\nX: a,\n b\npostmaster: r\nbad\ngone: :unknown:\n"), NULL, NULL, &s, &fd),
		0);
	assert_int_equal(s.n_skipped, 1);
	assert_int_equal(s.longest, strlen(":unknown:"));
	assert_int_equal(cdb_init(&cdb, fd), 0);
	assert_true(lookup(&cdb, "x", &value));
	assert_slice_equal(value, SLICE("\2\0\0\0 a,\n b\n"));
	assert_false(lookup(&cdb, "X", &value));
	assert_false(lookup(&cdb, "bad", &value));
	assert_false(lookup(&cdb, "gone", &value)); /* as if it was not there */
	assert_int_equal(cdb_find(&cdb, meta_key.at, (unsigned)meta_key.len), 1);
	assert_true(alias_meta_decode((struct slice){ cdb_getdata(&cdb), cdb_datalen(&cdb) }, &meta));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(meta.file_bytes, st.st_size);
	assert_int_equal(meta.n_entries, 3);
	assert_int_equal(meta.n_problems, 1);
	assert_true(meta.source.hash && meta.crc && meta.built_ns);
	cdb_free(&cdb);
}

static void many_entries(void **state)
{
	auto_buf struct buf text = BUF_INIT(1 << 24), got = BUF_INIT(4096);
	struct alias_summary s;
	struct slice value;
	struct cdb cdb;
	auto_close int fd = -1;

	(void)state;
	buf_append_str(&text, PM);
	for (size_t i = 0; i < 100000; i++)
		buf_printf(&text, "name%zu: user%zu@far%zu.test\n", i, i, i % 7);
	assert_int_equal(build(buf_slice(&text), collect, &got, &s, &fd), 0);
	assert_int_equal(got.len, 0);
	assert_int_equal(s.n_entries, 100001);
	assert_int_equal(cdb_init(&cdb, fd), 0);
	for (size_t i = 0; i < 100000; i++) {
		char key[32], want[64];
		(void)snprintf(key, sizeof(key), "name%zu", i);
		(void)snprintf(want, sizeof(want), " user%zu@far%zu.test\n", i, i % 7);
		assert_true(lookup(&cdb, key, &value));
		assert_slice_equal(slice_from(value, ALIAS_LINE_BYTES), slice_of(want));
	}
	cdb_free(&cdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(problems),
		cmocka_unit_test(messages),
		cmocka_unit_test(questions),
		cmocka_unit_test(an_earlier_file),
		cmocka_unit_test(long_chains),
		cmocka_unit_test(knots_end),
		cmocka_unit_test(file_format),
		cmocka_unit_test(many_entries),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
