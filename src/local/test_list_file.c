/* SPDX-License-Identifier: Apache-2.0 */
/* test_list_file.c - :include: lists: members, what makes one unusable, lists in lists */
#include "local/test_rig.h"
#include <sys/stat.h>

static struct rig rig;

static void lists(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		enum job_outcome outcome;
		const char *leaves, *words;
	} rows[] = {
		{ "a@x\nB <b@y>, \\u1 # c\n", 0600, JOB_FORWARDED, "1:0:a@x 1:0:b@y 1:3:u1 ", "" },
		{ "|/bin/false\n/etc/passwd\na@x\n", 0600, JOB_FORWARDED, "1:0:a@x ", "" },
		{ "# nobody\n", 0600, JOB_DELIVERED, "", "no members" },
		{ "|/bin/false\n", 0600, JOB_MISCONFIGURED, "", "no usable member" },
		{ "a@x\n", 0602, JOB_MISCONFIGURED, "", "chmod go-w" },
		{ ":include:/no/such/list\n", 0600, JOB_MISCONFIGURED, "", "/no/such/list" },
	};
	char forward[300];

	(void)state;
	rig_begin(&rig, "");
	(void)snprintf(forward, sizeof(forward), ":include:%s\n", rig_path(&rig, "home/u0/list"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rig_write(&rig, "home/u0/list", slice_of(rows[i].text));
		assert_int_equal(chmod(rig_path(&rig, "home/u0/list"), rows[i].mode), 0);
		const struct rig_answer *a = rig_deliver_item(&rig, 2 * i + 1, forward);
		if (a->outcome != rows[i].outcome || strcmp(a->leaves, rows[i].leaves) != 0 ||
			!strstr(a->reason, rows[i].words))
			fail_msg("row %zu: got %u %s %s", i, a->outcome, a->leaves, a->reason);
	}
	rig_end(&rig);
}

static void list_is_missing(const char *path)
{
	assert_int_equal(access(path, F_OK), -1);
}

static void list_is_a_link(const char *path)
{
	rig_write(&rig, "home/u0/other", SLICE("a@x\n"));
	assert_int_equal(symlink(rig_path(&rig, "home/u0/other"), path), 0);
}

static void list_is_a_directory(const char *path)
{
	assert_int_equal(mkdir(path, 0700), 0);
}

static void list_is_a_fifo(const char *path)
{
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void list_is_for_all_to_write(const char *path)
{
	rig_write(&rig, "home/u0/list", SLICE("a@x\n"));
	assert_int_equal(chmod(path, 0602), 0);
}

static void list_is_foreign(const char *path)
{
	rig_write(&rig, "home/u0/list", SLICE("a@x\n"));
	assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
}

static void unsafe_lists(void **state)
{
	static const struct {
		void (*make)(const char *path);
		const char *words;
		bool needs_root;
	} rows[] = {
		{ list_is_missing, "No such file or directory", false },
		{ list_is_a_link, "symbolic link", false },
		{ list_is_a_directory, "not a regular file", false },
		{ list_is_a_fifo, "not a regular file", false },
		{ list_is_for_all_to_write, "chmod go-w", false },
		{ list_is_foreign, "belongs to another user", true },
	};
	char forward[400], path[300];
	uint64_t job = 1;

	(void)state;
	rig_begin(&rig, "");
	(void)snprintf(path, sizeof(path), "%s", rig_path(&rig, "home/u0/list"));
	(void)snprintf(forward, sizeof(forward), ":include:%s\n", path);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++, job += 2) {
		const struct rig_answer *a;
		if (rows[i].needs_root && geteuid() != 0) {
			print_message("SKIP %s: needs root to make one\n", rows[i].words);
			continue;
		}
		rows[i].make(path);
		a = rig_deliver_item(&rig, job, forward);
		if (a->outcome != JOB_MISCONFIGURED || strcmp(a->status, "4.3.5") != 0 ||
			!strstr(a->reason, rows[i].words) || !strstr(a->reason, path))
			fail_msg("%s: got %u %s", rows[i].words, a->outcome, a->reason);
		(void)remove(path);
	}
	rig_end(&rig);
}

static void lists_in_circles_end(void **state)
{
	char forward[300], itself[400];
	const struct rig_answer *a;

	(void)state;
	rig_begin(&rig, "");
	(void)snprintf(forward, sizeof(forward), ":include:%s\n", rig_path(&rig, "home/u0/list"));
	(void)snprintf(itself, sizeof(itself), "a@x\n%s", forward);
	rig_write(&rig, "home/u0/list", slice_of(itself));
	a = rig_deliver_item(&rig, 1, forward);
	assert_int_equal(a->outcome, JOB_MISCONFIGURED);
	assert_non_null(strstr(a->reason, "lists include each other"));
	rig_end(&rig);
}

/* Each of nine lists names the next eight times: 16 million lists, if all were read. */
static void lists_that_multiply_end(void **state)
{
	enum { LEVELS = 9, TIMES = 8 };
	auto_buf struct buf text = BUF_INIT(20000);
	const struct rig_answer *a;
	char name[40], forward[300];

	(void)state;
	rig_begin(&rig, "");
	for (int level = 0; level < LEVELS; level++) {
		buf_clear(&text);
		for (int i = 0; i < TIMES && level + 1 < LEVELS; i++)
			buf_printf(&text, ":include:%s%d\n# %01000d\n", rig_path(&rig, "home/u0/list"),
				level + 1, 0);
		buf_append_str(&text, "# nobody\n");
		(void)snprintf(name, sizeof(name), "home/u0/list%d", level);
		rig_write(&rig, name, buf_slice(&text));
	}
	(void)snprintf(forward, sizeof(forward), ":include:%s\n", rig_path(&rig, "home/u0/list0"));
	a = rig_deliver_item(&rig, 1, forward);
	assert_int_equal(a->outcome, JOB_MISCONFIGURED);
	assert_non_null(strstr(a->reason, "too large"));
	rig_end(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(unsafe_lists),
		cmocka_unit_test(lists_in_circles_end),
		cmocka_unit_test(lists_that_multiply_end),
	};
	int role = rig_main(argc, argv);

	return role >= 0 ? role : cmocka_run_group_tests(tests, NULL, NULL);
}
