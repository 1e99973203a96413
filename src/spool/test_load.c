/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_load.c - messages are handed over in slices: what happens meanwhile, and what closing in the middle
 * leaves
 */
#include "spool/test_picture.h"

#define N_OLD 400 /* more than a slice */
#define COPY "spool-test-load-copy"

static struct kit kit;

static int setup(void **state)
{
	kit_init(&kit);
	shim->skips_syncs = true;
	kit_open(&kit);
	for (uint64_t id = 1; id <= N_OLD; id++)
		assert_int_equal(kit_begin(&kit, id, 200, 2), 0);
	kit_run(&kit);
	return 0;
}

static int teardown(void **state)
{
	kit_remove_tree(COPY);
	kit_deinit(&kit);
	shim_reset();
	return 0;
}

/* Each message that has just been handed over: some are delivered, some held, some go. */
static void work_on_loaded(bool *has_worked)
{
	for (uint64_t id = 1; id <= N_OLD; id++) {
		struct kit_message *m = &kit.messages[id];
		if (!m->is_live || has_worked[id])
			continue;
		has_worked[id] = true;
		if (id % 5 == 0)
			kit_result(&kit, id, 1, SPOOL_RCPT_DELIVERED, id % 2);
		else if (id % 5 == 1)
			kit_set_flags(&kit, id, SPOOL_FLAG_HELD);
		else if (id % 50 == 2)
			kit_remove(&kit, id);
		else if (id % 50 == 3)
			kit_expand(&kit, id, 0, 2);
	}
}

/* Opens, turns the loop n times with new mail and changes in each, and closes. True: all had been loaded. */
static bool open_for(unsigned n, uint64_t *new_id)
{
	bool has_worked[N_OLD + 1] = { false }, was_loaded;

	assert_int_equal(kit_try_open(&kit), 0);
	assert_false(kit.is_loaded); /* it takes mail before */
	for (unsigned turn = 0; turn < n && !kit.is_loaded; turn++) {
		if (*new_id < KIT_MESSAGES)
			assert_int_equal(kit_begin(&kit, (*new_id)++, 700, 1), 0);
		uv_run(&kit.loop, UV_RUN_ONCE);
		work_on_loaded(has_worked);
	}
	was_loaded = kit.is_loaded;
	kit_close_without_checkpoint(&kit);
	kit_forget(&kit);
	return was_loaded;
}

static void open_again_and_again(void)
{
	struct picture with, without;
	uint64_t new_id = N_OLD + 1;
	unsigned n = 0, n_cut_short = 0;

	while (!open_for(n++, &new_id))
		n_cut_short++;
	assert_true(n_cut_short > 1);
	picture_copy_spool(kit.dir, COPY);
	picture_take(&with, COPY, &kit.set);
	picture_copy_spool(kit.dir, COPY);
	picture_remove_checkpoints(COPY);
	picture_take(&without, COPY, &kit.set);
	assert_same_picture(&with, &without, "after loading was cut short");
	picture_free(&with);
	picture_free(&without);
	kit_open(&kit);
	assert_int_equal(kit.n_recovered, N_OLD - N_OLD / 50 + (new_id - N_OLD - 1));
	assert_int_equal(kit_n_problems(&kit), 0);
	kit_check(&kit);
	kit_close(&kit);
}

static void loading_from_the_log_is_cut_short(void **state)
{
	kit_close_without_checkpoint(&kit);
	kit_forget(&kit);
	open_again_and_again();
}

static void loading_from_a_checkpoint_is_cut_short(void **state)
{
	kit_checkpoint(&kit);
	kit_result(&kit, 7, 0, SPOOL_RCPT_DELIVERED, true);
	kit_run(&kit);
	kit_close_without_checkpoint(&kit);
	kit_forget(&kit);
	open_again_and_again();
}

/* Statistics say so; and nothing is freed, moved or written down as a checkpoint before all are known. */
static void nothing_is_freed_while_loading(void **state)
{
	struct spool_statistics st;

	kit_close_without_checkpoint(&kit);
	kit_forget(&kit);
	assert_int_equal(kit_try_open(&kit), 0);
	uint64_t n_segments = kit.sp->n_segments;
	spool_statistics(kit.sp, &st);
	assert_true(st.is_loading);
	kit.sp->checkpoint.is_wanted = true;
	checkpoint_run(kit.sp);
	reclaim_run(kit.sp);
	assert_int_equal(kit.sp->checkpoint.state, CHECKPOINT_NONE);
	assert_int_equal(kit.sp->n_segments, n_segments);
	kit_load(&kit);
	spool_statistics(kit.sp, &st);
	assert_false(st.is_loading);
	assert_int_equal(st.n_messages, N_OLD);
	kit_check(&kit);
	kit_close(&kit);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(loading_from_the_log_is_cut_short),
		TEST(loading_from_a_checkpoint_is_cut_short),
		TEST(nothing_is_freed_while_loading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
