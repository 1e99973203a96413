/* SPDX-License-Identifier: Apache-2.0 */
/* test_spool.c - the interface: what is committed comes back, what is reported was synced, limits and
 * refusals */
#include "spool/test_kit.h"
#include <fcntl.h>

static struct kit kit;

static int setup(void **state)
{
	kit_init(&kit);
	return 0;
}

static int teardown(void **state)
{
	shim_reset();
	kit_deinit(&kit);
	return 0;
}

static void messages_come_back(void **state)
{
	static const uint64_t sizes[] = { 0, 1, 7, 8, 4000, 4096, 16000, 16384, 16385, 100000, 300000 };

	kit_open(&kit);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		kit_commit(&kit, i + 1, sizes[i], 1 + i);
	kit_check(&kit); /* from memory */
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		spool_content_forget(kit.sp, &kit.messages[i + 1].entry);
	kit_check(&kit); /* from disk */
	for (int round = 0; round < 5; round++) {
		kit_reopen(&kit);
		assert_int_equal(kit.n_recovered, ARRAY_LEN(sizes));
		assert_int_equal(kit_n_problems(&kit), 0);
		kit_check(&kit);
	}
	assert_int_equal(kit.messages[3].n_rcpts, 3);
	assert_int_equal(spool_id_high_water(kit.sp), ARRAY_LEN(sizes) + 1);
	kit_close(&kit);
}

static void many_at_once_share_commits(void **state)
{
	struct spool_statistics st;

	kit_open(&kit);
	for (uint64_t id = 1; id <= 200; id++)
		assert_int_equal(kit_begin(&kit, id, 1000, 1), 0);
	kit_run(&kit);
	spool_statistics(kit.sp, &st);
	assert_int_equal(st.n_messages, 200);
	assert_int_equal(st.n_records, 200);
	assert_true(st.n_batches < 100);
	kit_reopen(&kit);
	assert_int_equal(kit.n_recovered, 200);
	kit_check(&kit);
	kit_close(&kit);
}

static void changes_come_back(void **state)
{
	kit_open(&kit);
	kit_commit(&kit, 1, 100, 3);
	kit_commit(&kit, 2, 200000, 1);
	kit_commit(&kit, 3, 300, 1);
	kit_expand(&kit, 1, 1, 4);
	kit_run(&kit);
	kit_result(&kit, 1, 0, SPOOL_RCPT_DELIVERED, true);
	kit_result(&kit, 1, 5, SPOOL_RCPT_FAILED, false); /* rides along */
	kit_run(&kit);
	kit_remove(&kit, 3);
	kit_run(&kit);
	assert_int_equal(kit.messages[3].result, 0);
	kit.messages[2].flags = SPOOL_FLAG_HELD | 1U << 20;
	spool_set_flags(kit.sp, &kit.messages[2].entry, kit.messages[2].flags, NULL, NULL);
	kit_reopen(&kit); /* closing flushes what nobody waits for */
	assert_int_equal(kit.n_recovered, 2);
	assert_int_equal(kit.messages[1].n_rcpts, 7);
	assert_int_equal(kit.messages[1].rcpts[0].progress.state, SPOOL_RCPT_DELIVERED);
	assert_int_equal(kit.messages[1].rcpts[0].progress.attempts, 1);
	assert_int_equal(kit.messages[1].rcpts[1].progress.state, SPOOL_RCPT_EXPANDED);
	assert_int_equal(kit.messages[1].rcpts[5].progress.state, SPOOL_RCPT_FAILED);
	assert_int_equal(kit.messages[2].flags, SPOOL_FLAG_HELD | 1U << 20);
	kit_check(&kit);
	kit_close(&kit);
}

static void lazy_results_are_flushed(void **state)
{
	struct spool_statistics before, after;

	kit_open(&kit);
	kit_commit(&kit, 1, 100, 1);
	spool_statistics(kit.sp, &before);
	kit_result(&kit, 1, 0, SPOOL_RCPT_DELIVERED, false);
	kit_run(&kit); /* the loop has nothing else to wait for than the flush */
	spool_statistics(kit.sp, &after);
	assert_int_equal(after.n_records, before.n_records + 1);
	kit_close(&kit);
}

static void nothing_is_reported_before_its_sync(void **state)
{
	uv_sem_t sem;

	assert_int_equal(uv_sem_init(&sem, 0), 0);
	kit_open(&kit);
	kit_commit(&kit, 1, 100, 2);
	shim->hold_sync = &sem;
	assert_int_equal(kit_begin(&kit, 2, 5000, 1), 0);
	kit_expand(&kit, 1, 0, 2);
	for (int i = 0; i < 20; i++) {
		uv_run(&kit.loop, UV_RUN_NOWAIT);
		uv_sleep(1);
	}
	assert_int_equal(kit.messages[2].result, KIT_WAITING);
	assert_int_equal(kit.messages[1].result, KIT_WAITING);
	assert_null(kit.messages[2].entry.segment);
	for (int i = 0; i < 10; i++)
		uv_sem_post(&sem);
	kit_run(&kit);
	assert_int_equal(kit.messages[2].result, 0);
	assert_int_equal(kit.messages[1].result, 0);
	shim->hold_sync = NULL;
	kit_close(&kit);
	uv_sem_destroy(&sem);
}

static void content_is_read_in_pieces(void **state)
{
	struct buf got = BUF_INIT(100);
	struct slice peeked;
	char want[100];

	kit_open(&kit);
	kit_commit(&kit, 1, 5000, 1);
	assert_true(spool_content_peek(&kit.messages[1].entry, &peeked));
	assert_int_equal(peeked.len, 5000);
	for (int cached = 1; cached >= 0; cached--) {
		buf_clear(&got);
		assert_int_equal(spool_content_read(kit.sp, &kit.messages[1].entry, 4950, 100, &got), 0);
		assert_int_equal(got.len, 50);
		kit_fill(1, 4950, 50, want);
		assert_memory_equal(got.at, want, 50);
		assert_int_equal(spool_content_read(kit.sp, &kit.messages[1].entry, 5000, 100, &got), 0);
		assert_int_equal(got.len, 50);
		assert_int_equal(spool_content_read(kit.sp, &kit.messages[1].entry, 0, 100, &got), -EFBIG);
		spool_content_forget(kit.sp, &kit.messages[1].entry);
		assert_false(spool_content_peek(&kit.messages[1].entry, &peeked));
	}
	buf_free(&got);
	kit_close(&kit);
}

static void memory_stays_in_its_budget(void **state)
{
	struct spool_statistics st;
	struct slice peeked;

	kit.set.memory_budget = 40000;
	kit_open(&kit);
	for (uint64_t id = 1; id <= 20; id++)
		kit_commit(&kit, id, 4000, 1);
	spool_statistics(kit.sp, &st);
	assert_true(st.cached_bytes <= 40000);
	assert_true(spool_content_peek(&kit.messages[20].entry, &peeked));
	assert_false(spool_content_peek(&kit.messages[1].entry, &peeked));
	kit_check(&kit);
	/* Many unfinished messages: the threshold sinks, so they go to files. */
	struct spool_message *open[20];
	char piece[3000] = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(open); i++) {
		assert_int_equal(spool_message_new(kit.sp, 0, &open[i]), 0);
		for (int part = 0; part < 4; part++)
			assert_int_equal(
				spool_message_append(open[i], (struct slice){ piece, sizeof(piece) }), 0);
	}
	kit_run(&kit);
	assert_true(kit_count_files(&kit, "bodies") > 10);
	spool_statistics(kit.sp, &st);
	assert_true(st.cached_bytes < 20 * 12000);
	for (size_t i = 0; i < ARRAY_LEN(open); i++)
		spool_message_abort(&open[i]);
	spool_message_abort(&open[0]); /* NULL by now: does nothing */
	kit_close(&kit);
}

static void body_files_come_and_go(void **state)
{
	struct spool_message *m;
	char piece[20000] = { 0 };

	kit_open(&kit);
	kit_commit(&kit, 1, 200000, 1);
	kit_commit(&kit, 2, 200000, 1);
	assert_int_equal(kit_count_files(&kit, "bodies"), 2);
	assert_int_equal(spool_message_new(kit.sp, 0, &m), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(spool_message_append(m, (struct slice){ piece, sizeof(piece) }), 0);
	assert_true(spool_message_backlog(m) > 0);
	kit_run(&kit);
	assert_int_equal(spool_message_backlog(m), 0);
	assert_int_equal(kit_count_files(&kit, "bodies"), 3);
	spool_message_abort(&m);
	kit_remove(&kit, 1);
	kit_run(&kit);
	assert_int_equal(kit_count_files(&kit, "bodies"), 1);
	kit_reopen(&kit);
	assert_int_equal(kit.n_recovered, 1);
	kit_check(&kit);
	kit_close(&kit);
}

static void orphans_are_removed(void **state)
{
	char path[128], name[SPOOL_NAME_MAX];

	kit_open(&kit);
	kit_commit(&kit, 1, 200000, 1);
	kit_close(&kit);
	body_name(77, ".body", name);
	(void)snprintf(path, sizeof(path), "%s/bodies/%s", kit.dir, name);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	body_name(3, ".tmp", name);
	(void)snprintf(path, sizeof(path), "%s/bodies/%s", kit.dir, name);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	kit_forget(&kit);
	kit_open(&kit);
	assert_int_equal(kit.problems[SPOOL_PROBLEM_ORPHAN], 1);
	assert_int_equal(kit_count_files(&kit, "bodies"), 1);
	kit_check(&kit);
	kit_close(&kit);
}

static void missing_body_is_reported(void **state)
{
	char path[128], name[SPOOL_NAME_MAX];

	kit_open(&kit);
	kit_commit(&kit, 1, 200000, 1);
	kit_commit(&kit, 2, 100, 1);
	kit_close(&kit);
	body_name(1, ".body", name);
	(void)snprintf(path, sizeof(path), "%s/bodies/%s", kit.dir, name);
	assert_int_equal(truncate(path, 199999), 0);
	kit_forget(&kit);
	kit_open(&kit);
	assert_int_equal(kit.problems[SPOOL_PROBLEM_BODY_GONE], 1);
	assert_int_equal(kit.last_problem.id, 1);
	assert_int_equal(kit.n_recovered, 1);
	kit_close(&kit);
}

static void only_one_opener(void **state)
{
	static const struct spool_visitor nothing = { 0 };
	struct kit *second = mem_new(sizeof(*second));

	kit_open(&kit);
	memcpy(second->dir, kit.dir, sizeof(kit.dir));
	assert_int_equal(kit_try_open(second), -EBUSY);
	assert_int_equal(spool_scan(kit.dir, &nothing, NULL), -EBUSY);
	kit_close(&kit);
	assert_int_equal(spool_scan(kit.dir, &nothing, NULL), 0);
	mem_free(second);
}

struct seen {
	size_t n_messages, n_records, n_problems, n_rcpts;
};
static void see_message(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	struct seen *seen = user;

	seen->n_messages++;
	seen->n_rcpts += n_rcpts;
}
static void see_problem(void *user, const struct spool_problem *problem)
{
	((struct seen *)user)->n_problems++;
}
static void see_record(void *user, uint64_t generation, uint64_t offset, uint64_t lsn, uint64_t id,
	unsigned type, struct slice meta, uint64_t content_bytes)
{
	((struct seen *)user)->n_records++;
}

static void scan_reads_all(void **state)
{
	struct spool_visitor visitor = {
		.message = see_message, .problem = see_problem, .record = see_record, .verify_content = true
	};
	struct seen seen = { 0 };

	kit_open(&kit);
	kit_commit(&kit, 1, 100, 2);
	kit_commit(&kit, 2, 100000, 1);
	kit_commit(&kit, 3, 100, 1);
	kit_remove(&kit, 3);
	kit_close(&kit);
	assert_int_equal(spool_scan(kit.dir, &visitor, &seen), 0);
	assert_int_equal(seen.n_messages, 2);
	assert_int_equal(seen.n_rcpts, 3);
	assert_int_equal(seen.n_records, 5); /* one is the checkpoint's */
	assert_int_equal(seen.n_problems, 0);
	assert_int_equal(spool_scan("no-such-directory", &visitor, &seen), -ENOENT);
}

static void keep_result(void *user, int result)
{
	*(int *)user = result;
}

static void high_water_is_kept(void **state)
{
	int result = KIT_WAITING;

	kit_open(&kit);
	assert_int_equal(spool_id_high_water(kit.sp), 0);
	spool_update_id_high_water(kit.sp, UINT64_C(1) << 52, keep_result, &result);
	kit_run(&kit);
	assert_int_equal(result, 0);
	kit_reopen(&kit);
	assert_int_equal(spool_id_high_water(kit.sp), UINT64_C(1) << 52);
	kit_close(&kit);
}

static void too_long_fields_are_refused(void **state)
{
	char *text = mem_new(FORMAT_STRING_MAX + 1);
	struct spool_recipient r = { .forward_path = { text, FORMAT_STRING_MAX + 1 } };
	struct spool_envelope env = { .id = 9 };
	struct spool_entry entry = { 0 };
	struct spool_message *m;
	int result = KIT_WAITING;

	kit_open(&kit);
	assert_int_equal(spool_message_new(kit.sp, 0, &m), 0);
	spool_message_commit(m, &entry, &env, &r, 1, keep_result, &result);
	assert_int_equal(result, KIT_WAITING); /* never inside the call */
	kit_run(&kit);
	assert_int_equal(result, -E2BIG);
	kit_commit(&kit, 1, 10, 1);
	kit_close(&kit);
	mem_free(text);
}

static void larger_than_a_segment(void **state)
{
	kit_open(&kit);
	kit_commit(&kit, 1, 10, 1);
	kit_commit(&kit, 2, 10, 2000); /* about 130 KB of recipients */
	kit_commit(&kit, 3, 10, 1);
	kit_reopen(&kit);
	assert_int_equal(kit.n_recovered, 3);
	assert_int_equal(kit.messages[2].n_rcpts, 2000);
	assert_int_equal(kit_n_problems(&kit), 0);
	kit_close(&kit);
}

static void removed_while_a_change_is_on_its_way(void **state)
{
	kit_open(&kit);
	kit_commit(&kit, 1, 10, 2);
	kit_expand(&kit, 1, 0, 3);
	kit_remove(&kit, 1);
	kit_run(&kit);
	kit_reopen(&kit);
	assert_int_equal(kit.n_recovered, 0);
	kit_close(&kit);
}

static void problems_name_their_file(void **state)
{
	static const struct {
		struct spool_problem problem;
		const char *want;
	} rows[] = {
		{ { .kind = SPOOL_PROBLEM_TORN, .generation = 26 }, "log/000000000000001A.seg" },
		{ { .kind = SPOOL_PROBLEM_CORRUPT, .generation = 1, .id = 7 }, "log/0000000000000001.seg" },
		{ { .kind = SPOOL_PROBLEM_CONTENT, .generation = 1, .id = 7 }, "log/0000000000000001.seg" },
		{ { .kind = SPOOL_PROBLEM_CONTENT, .id = 7 }, "bodies/0000000000000007.body" },
		{ { .kind = SPOOL_PROBLEM_BODY_GONE, .id = 7 }, "bodies/0000000000000007.body" },
		{ { .kind = SPOOL_PROBLEM_ORPHAN_KEPT, .id = 7 }, "bodies/0000000000000007.body" },
		{ { .kind = SPOOL_PROBLEM_CHECKPOINT, .generation = 3 }, "log/0000000000000003.ckpt" },
		{ { .kind = SPOOL_PROBLEM_RECLAIM, .error = -EIO }, "bodies" },
	};
	char got[SPOOL_PROBLEM_FILE];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		spool_problem_file(&rows[i].problem, got);
		assert_string_equal(got, rows[i].want);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(messages_come_back),
		TEST(many_at_once_share_commits),
		TEST(changes_come_back),
		TEST(lazy_results_are_flushed),
		TEST(nothing_is_reported_before_its_sync),
		TEST(content_is_read_in_pieces),
		TEST(memory_stays_in_its_budget),
		TEST(body_files_come_and_go),
		TEST(orphans_are_removed),
		TEST(missing_body_is_reported),
		TEST(only_one_opener),
		TEST(scan_reads_all),
		TEST(high_water_is_kept),
		TEST(too_long_fields_are_refused),
		TEST(larger_than_a_segment),
		TEST(removed_while_a_change_is_on_its_way),
		cmocka_unit_test(problems_name_their_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
