/* SPDX-License-Identifier: Apache-2.0 */
/* test_reclaim.c - space comes back: recycling, compaction, and what must survive both */
#include "spool/test_kit.h"

static struct kit kit;
static struct spool_statistics st;

static int setup(void **state)
{
	kit_init(&kit);
	shim->skips_syncs = true; /* many commits; durability is another test's subject */
	return 0;
}

static int teardown(void **state)
{
	shim_reset();
	kit_deinit(&kit);
	return 0;
}

static void dead_segments_are_recycled(void **state)
{
	kit_open(&kit);
	for (uint64_t id = 1; id < 200; id++) {
		kit_commit(&kit, id, 9000, 1);
		kit_remove(&kit, id);
		kit_run(&kit);
	}
	spool_statistics(kit.sp, &st);
	assert_int_equal(st.n_messages, 0);
	assert_int_equal(st.live_bytes, 0);
	assert_true(st.n_segments <= 3);
	assert_true(kit_count_files(&kit, "log") <= 3 + 1 + SPOOL_SPARE_SEGMENTS);
	kit_reopen(&kit);
	assert_int_equal(kit.n_recovered, 0);
	assert_int_equal(kit_n_problems(&kit), 0);
	kit_check(&kit);
	kit_close(&kit);
}

static void surplus_is_unlinked(void **state)
{
	kit_open(&kit);
	for (uint64_t id = 1; id < 150; id++)
		kit_commit(&kit, id, 9000, 1);
	spool_statistics(kit.sp, &st);
	assert_true(st.n_segments > 20);
	for (uint64_t id = 1; id < 150; id++)
		kit_remove(&kit, id);
	kit_run(&kit);
	spool_statistics(kit.sp, &st);
	assert_true(st.n_segments <= 3);
	assert_true(st.n_prepared <= 1 + SPOOL_SPARE_SEGMENTS);
	assert_true(kit_count_files(&kit, "log") <= 3 + 1 + SPOOL_SPARE_SEGMENTS);
	kit_close(&kit);
}

static void segments_go_in_order_of_age(void **state)
{
	kit_open(&kit);
	for (uint64_t id = 1; id <= 12; id++)
		kit_commit(&kit, id, 9000, 1);
	spool_statistics(kit.sp, &st);
	uint64_t before = st.n_segments;
	for (uint64_t id = 2; id <= 12; id++) /* the first segment lives on with message 1 */
		kit_remove(&kit, id);
	kit_run(&kit);
	spool_statistics(kit.sp, &st);
	assert_int_equal(st.n_segments, before);
	kit_reopen(&kit);
	assert_int_equal(kit.n_recovered, 1);
	kit_check(&kit);
	kit_remove(&kit, 1);
	kit_run(&kit);
	spool_statistics(kit.sp, &st);
	assert_true(st.n_segments <= 2);
	kit_close(&kit);
}

/* One of ten stays for ever; with all its changes it wanders through the log. */
static void live_messages_are_moved(void **state)
{
	kit_open(&kit);
	for (uint64_t id = 1; id < 400; id++) {
		bool stays = id % 10 == 1;
		kit_commit(&kit, id, stays && id % 20 == 1 ? 20000 : 3000, 2);
		if (stays) {
			kit_expand(&kit, id, 0, 3);
			kit_run(&kit);
			kit_result(&kit, id, 1, SPOOL_RCPT_DELIVERED, true);
			kit.messages[id].flags = SPOOL_FLAG_HELD;
			spool_set_flags(kit.sp, &kit.messages[id].entry, SPOOL_FLAG_HELD, NULL, NULL);
			kit_run(&kit);
			if (id % 3)
				spool_content_forget(kit.sp, &kit.messages[id].entry);
			continue;
		}
		kit_remove(&kit, id);
		kit_run(&kit);
	}
	spool_statistics(kit.sp, &st);
	assert_int_equal(st.n_messages, 40);
	/* live about 60 KB + 20 body files */
	assert_true(st.log_bytes <= 3 * st.live_bytes + (SPOOL_SLACK_SEGMENTS + 2) * KIT_SEGMENT);
	kit_check(&kit);
	for (int round = 0; round < 3; round++) {
		kit_reopen(&kit);
		assert_int_equal(kit.n_recovered, 40);
		assert_int_equal(kit_n_problems(&kit), 0);
		kit_check(&kit);
		for (uint64_t id = 1; id < 400; id += 10) {
			assert_int_equal(kit.messages[id].flags, SPOOL_FLAG_HELD);
			assert_int_equal(kit.messages[id].n_rcpts, 5);
			assert_int_equal(kit.messages[id].rcpts[0].progress.state, SPOOL_RCPT_EXPANDED);
			assert_int_equal(kit.messages[id].rcpts[1].progress.state, SPOOL_RCPT_DELIVERED);
		}
	}
	kit_close(&kit);
}

/* Removing while the same messages are on their way to a newer segment. */
static size_t remove_one_that_moves(void)
{
	for (uint64_t id = 1; kit.sp->move.items && id < KIT_MESSAGES; id++)
		if (kit.messages[id].is_live && entry_is_watched(&kit.messages[id].entry)) {
			kit_remove(&kit, id);
			return 1;
		}
	return 0;
}

static void removal_meets_compaction(void **state)
{
	size_t n_met = 0, n_left = 0;

	kit_open(&kit);
	for (uint64_t id = 1; id < 500; id++) {
		assert_int_equal(kit_begin(&kit, id, 3000, 1), 0);
		while (kit.messages[id].result == KIT_WAITING) {
			uv_run(&kit.loop, UV_RUN_ONCE);
			if (n_met < 20) /* some stay */
				n_met += remove_one_that_moves();
		}
		if (id % 10 != 1 && kit.messages[id].is_live)
			kit_remove(&kit, id);
	}
	kit_run(&kit);
	for (uint64_t id = 1; id < 500; id++)
		n_left += kit.messages[id].is_live;
	assert_true(n_met > 0);
	assert_int_equal(n_left, 50 - n_met);
	kit_check(&kit);
	kit_reopen(&kit);
	assert_int_equal(kit.n_recovered, n_left);
	kit_check(&kit);
	kit_close(&kit);
}

/* A recipient is being expanded, which the queue does not count on before it is synced: a copy of the message
 * made now would hold the state without it, and would stand behind it in the log. */
static void compaction_waits_for_changes(bool starts_first)
{
	uv_sem_t sem;

	assert_int_equal(uv_sem_init(&sem, 0), 0);
	kit_open(&kit);
	kit.sp->move.not_before_ms = UINT64_MAX;
	kit_commit(&kit, 1, 3000, 2);
	for (uint64_t id = 2; id < 60; id++) {
		kit_commit(&kit, id, 9000, 1);
		kit_remove(&kit, id);
		kit_run(&kit);
	}
	uint64_t before = kit.messages[1].entry.segment->generation;
	shim->hold_sync = &sem;
	if (!starts_first)
		kit_expand(&kit, 1, 0, 3);
	kit.sp->move.not_before_ms = 0;
	reclaim_run(kit.sp);
	assert_true((kit.sp->move.items != NULL) == starts_first);
	if (starts_first)
		kit_expand(&kit, 1, 0, 3);
	for (int i = 0; i < 100; i++)
		uv_sem_post(&sem);
	kit_run_idle(&kit);	      /* a round that came to nothing is not repeated at once */
	kit_commit(&kit, 60, 100, 1); /* something happens: now it is moved */
	kit_run(&kit);
	assert_true(kit.messages[1].entry.segment->generation > before);
	shim->hold_sync = NULL;
	kit_reopen(&kit);
	assert_int_equal(kit.messages[1].n_rcpts, 5);
	kit_check(&kit);
	kit_close(&kit);
	uv_sem_destroy(&sem);
}

static void compaction_starts_before_a_change(void **state)
{
	compaction_waits_for_changes(true);
}

static void compaction_starts_after_a_change(void **state)
{
	compaction_waits_for_changes(false);
}

static void damaged_content_is_moved_as_damaged(void **state)
{
	struct buf got = BUF_INIT(10000);
	char junk[100] = { 0 };

	kit_open(&kit);
	kit_commit(&kit, 1, 3000, 1);
	spool_content_forget(kit.sp, &kit.messages[1].entry);
	assert_int_equal(pwrite(kit.messages[1].entry.segment->fd, junk, sizeof(junk),
				 (off_t)entry_place_of(&kit.messages[1].entry)->content_at + 1000),
		sizeof(junk));
	uint64_t first = kit.messages[1].entry.segment->generation;
	for (uint64_t id = 2; id < 150; id++) {
		kit_commit(&kit, id, 9000, 1);
		kit_remove(&kit, id);
		kit_run(&kit);
	}
	assert_true(kit.messages[1].entry.segment->generation > first);
	assert_true(kit.problems[SPOOL_PROBLEM_CONTENT] > 0);
	assert_int_equal(spool_content_read(kit.sp, &kit.messages[1].entry, 0, 10, &got), -EBADMSG);
	kit_reopen(&kit);
	assert_int_equal(spool_content_read(kit.sp, &kit.messages[1].entry, 0, 10, &got), -EBADMSG);
	buf_free(&got);
	kit_close(&kit);
}

static void many_reopenings(void **state)
{
	for (uint64_t id = 1; id <= 60; id++) {
		kit_open(&kit);
		assert_int_equal(kit.n_recovered, id - 1);
		assert_int_equal(kit_n_problems(&kit), 0);
		kit_check(&kit);
		if (id % 3)
			kit_commit(&kit, id, 500, 1);
		else
			assert_int_equal(kit_begin(&kit, id, 500, 1), 0); /* closing finishes it */
		kit_close(&kit);
		assert_int_equal(kit.messages[id].result, 0);
		kit_forget(&kit);
	}
	assert_true(kit_count_files(&kit, "log") <= 12);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(dead_segments_are_recycled),
		TEST(surplus_is_unlinked),
		TEST(segments_go_in_order_of_age),
		TEST(live_messages_are_moved),
		TEST(removal_meets_compaction),
		TEST(compaction_starts_before_a_change),
		TEST(compaction_starts_after_a_change),
		TEST(damaged_content_is_moved_as_damaged),
		TEST(many_reopenings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
