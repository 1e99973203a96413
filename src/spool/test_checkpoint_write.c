/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_checkpoint_write.c - checkpoints written while everything else goes on, and on a disk that fails
 *
 * What was written is judged by opening: with it and without it the same must be handed over
 * (test_picture.h).
 */
#include "spool/test_picture.h"

#define COPY "spool-test-write-copy"

static struct kit kit;

static int setup(void **state)
{
	kit_init(&kit);
	shim->skips_syncs = true; /* many commits; durability is another test's subject */
	return 0;
}

static int teardown(void **state)
{
	kit_remove_tree(COPY);
	kit_deinit(&kit);
	shim_reset();
	return 0;
}

/* Of the closed spool. Returns the number of the checkpoint that opening uses. */
static uint64_t assert_log_says_the_same(const char *what)
{
	struct picture with, without;

	picture_copy_spool(kit.dir, COPY);
	picture_take(&with, COPY, &kit.set);
	picture_copy_spool(kit.dir, COPY);
	picture_remove_checkpoints(COPY);
	picture_take(&without, COPY, &kit.set);
	assert_same_picture(&with, &without, what);
	assert_int_equal(with.problems[SPOOL_PROBLEM_CHECKPOINT], 0);
	uint64_t used = with.used;
	picture_free(&with);
	picture_free(&without);
	return used;
}

/* ---- everything at once ---- */

struct walk {
	unsigned seed;
	uint64_t next_id;
	unsigned n_begun, n_moves;
};

static unsigned dice(struct walk *w, unsigned n)
{
	w->seed = w->seed * 1103515245 + 12345;
	return (w->seed >> 16) % n;
}

static void walk_commit(struct walk *w)
{
	static const uint64_t sizes[] = { 0, 100, 1000, 5000, 9000, 30000 };
	uint64_t bytes = sizes[dice(w, ARRAY_LEN(sizes))];

	if (w->next_id < KIT_MESSAGES)
		assert_int_equal(kit_begin(&kit, w->next_id++, bytes, 1 + dice(w, 4)), 0);
}

/* Something that the queue would do: nothing happens to a recipient that is finished. */
static void walk_change(struct walk *w, uint64_t id)
{
	struct kit_message *m = &kit.messages[id];
	uint32_t rcpt_no = dice(w, (unsigned)m->n_rcpts);
	unsigned what = dice(w, 10);

	if (what == 0)
		kit_set_flags(&kit, id, dice(w, 2) ? SPOOL_FLAG_HELD : 0);
	else if (what < 4)
		kit_remove(&kit, id);
	else if (m->rcpts[rcpt_no].progress.state != SPOOL_RCPT_PENDING)
		return;
	else if (what == 4 && m->n_rcpts < 100)
		kit_expand(&kit, id, rcpt_no, dice(w, 60));
	else
		kit_result(&kit, id, rcpt_no, what < 7 ? SPOOL_RCPT_PENDING : SPOOL_RCPT_DELIVERED, what % 2);
}

static void walk_turn(struct walk *w)
{
	if (dice(w, 3) == 0)
		walk_commit(w);
	for (int tries = 0; tries < 3; tries++) {
		uint64_t id = 1 + dice(w, (unsigned)w->next_id);
		if (id < w->next_id && kit.messages[id].is_live && kit.messages[id].result != KIT_WAITING)
			walk_change(w, id);
	}
	if (kit.sp->checkpoint.state == CHECKPOINT_NONE && dice(w, 4) == 0) {
		kit_begin_checkpoint(&kit);
		w->n_begun++;
	}
	uv_run(&kit.loop, dice(w, 2) ? UV_RUN_NOWAIT : UV_RUN_ONCE);
	w->n_moves += kit.sp->move.items != NULL;
}

static void checkpoints_amid_everything(void **state)
{
	char what[80];

	for (unsigned seed = 1; seed <= 3; seed++) {
		struct walk w = { .seed = seed, .next_id = 1 };
		for (int round = 0; w.next_id < KIT_MESSAGES; round++) {
			kit_open(&kit);
			kit_check(&kit);
			for (int turn = 0; turn < 150; turn++)
				walk_turn(&w);
			kit_close_without_checkpoint(&kit);
			(void)snprintf(what, sizeof(what), "seed %u round %d", seed, round);
			assert_true(assert_log_says_the_same(what) > 0);
			kit_forget(&kit);
		}
		assert_true(w.n_begun > 20 && w.n_moves > 0);
		kit_deinit(&kit);
		kit_init(&kit);
	}
}

/* ---- one that is older than the last freeing ---- */

/* Its segments were recycled: of its messages some are gone, the others stand elsewhere. */
static void an_old_one_is_right_after_compaction(void **state)
{
	char path[256], kept[] = COPY ".ckpt";
	uint64_t first;

	kit_open(&kit);
	for (uint64_t id = 1; id <= 40; id++)
		kit_commit(&kit, id, 3000, 2);
	kit_checkpoint(&kit);
	picture_checkpoint_path(kit.dir, 1, path, sizeof(path));
	kit_copy_file(path, kept);
	first = list_first(&kit.sp->segments, struct spool_segment, node)->generation;
	for (uint64_t id = 1; id <= 30; id++)
		kit_remove(&kit, id);
	kit_result(&kit, 31, 0, SPOOL_RCPT_DELIVERED, true);
	kit_set_flags(&kit, 32, SPOOL_FLAG_HELD);
	for (uint64_t id = 41; id < 300; id++) {
		kit_commit(&kit, id, 9000, 1);
		if (id % 7)
			kit_remove(&kit, id);
		kit_run(&kit);
	}
	assert_true(list_first(&kit.sp->segments, struct spool_segment, node)->generation > first + 4);
	kit_close_without_checkpoint(&kit);
	picture_remove_checkpoints(kit.dir);
	kit_copy_file(kept, path);
	assert_int_equal(remove(kept), 0);
	assert_true(assert_log_says_the_same("older than the last freeing") <= 1);
}

/* ---- a segment is missing, and the checkpoint knows what stood there ---- */

static void a_missing_segment_is_told_with_its_messages(void **state)
{
	enum { N = 20 };
	struct picture p;
	char path[256];
	unsigned n_gone = 0;
	uint64_t gone;

	kit_open(&kit);
	for (uint64_t id = 1; id <= N; id++)
		kit_commit(&kit, id, 9000, 1);
	gone = kit.messages[15].entry.segment->generation;
	for (uint64_t id = 1; id <= N; id++)
		n_gone += kit.messages[id].entry.segment->generation == gone;
	kit_checkpoint(&kit);
	kit_close_without_checkpoint(&kit);
	(void)snprintf(path, sizeof(path), "%s/log/%016" PRIX64 ".seg", kit.dir, gone);
	assert_int_equal(unlink(path), 0);
	picture_take(&p, kit.dir, &kit.set);
	assert_int_equal(p.used, 1);
	assert_int_equal(p.n_messages, N - n_gone);
	assert_int_equal(p.problems[SPOOL_PROBLEM_SEGMENT_GONE], 1);
	assert_int_equal(p.problems[SPOOL_PROBLEM_CONTENT], n_gone);
	picture_free(&p);
}

/* ---- a disk that fails ---- */

/* False when there was no call to strike any more. */
static bool write_with_fault(unsigned at, unsigned n, int error)
{
	uint64_t used, numbers[4];
	bool was_struck, has_failed;
	size_t n_written;

	kit_open(&kit);
	for (uint64_t id = 1; id <= 20; id++)
		kit_commit(&kit, id, 500, id == 5 ? 2500 : 2);
	kit_checkpoint(&kit);
	kit_result(&kit, 1, 0, SPOOL_RCPT_DELIVERED, false);
	kit_remove(&kit, 2);
	shim->fault = (struct shim_fault){ .is_armed = true, .at = at, .n = n, .error = error };
	kit_checkpoint(&kit);
	kit_run(&kit);
	was_struck = shim->n_struck > 0;
	has_failed = kit.sp->checkpoint.error != 0;
	shim->fault.is_armed = false;
	assert_int_equal(kit.problems[SPOOL_PROBLEM_CHECKPOINT], has_failed);
	n_written = picture_checkpoints(kit.dir, numbers, ARRAY_LEN(numbers));
	assert_int_equal(numbers[n_written - 1], 1); /* the former one stays */
	while (spool_is_full(kit.sp))
		kit_run_idle(&kit);
	kit_commit(&kit, 30, 500, 1); /* mail goes on */
	kit_close_without_checkpoint(&kit);
	used = assert_log_says_the_same("after a failure");
	assert_true(has_failed ? used == numbers[0] : used == 2);
	kit_forget(&kit);
	kit_open(&kit);
	kit_check(&kit);
	kit_checkpoint(&kit); /* and the next one works */
	assert_int_equal(picture_checkpoints(kit.dir, numbers, ARRAY_LEN(numbers)), 2);
	kit_close(&kit);
	return was_struck;
}

static void every_call_fails(void **state)
{
	static const int errors[] = { EIO, ENOSPC };
	unsigned at = 1;

	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		for (unsigned n = 1; n <= 3; n += 2) {
			for (at = 1; write_with_fault(at, n, errors[i]); at++) {
				teardown(NULL);
				setup(NULL);
			}
			teardown(NULL);
			setup(NULL);
		}
	assert_true(at > 8); /* create, head, slices, the record behind them, its sync, sync, name, sync */
}

/* It is given up: there is no time to mark the rest, and no other one is begun. */
static void one_that_fails_does_not_hold_up_closing(void **state)
{
	kit_open(&kit);
	for (uint64_t id = 1; id < KIT_MESSAGES; id++)
		assert_int_equal(kit_begin(&kit, id, 10, 1), 0);
	kit_run(&kit);
	shim->fault = (struct shim_fault){
		.is_armed = true, .calls = 1U << SHIM_CREATE, .at = 1, .n = 1, .error = EIO
	};
	kit_begin_checkpoint(&kit);
	kit_close(&kit);
	assert_int_equal(shim->n_struck, 1);
	assert_int_equal(kit.problems[SPOOL_PROBLEM_CHECKPOINT], 1);
	kit_forget(&kit);
	shim->fault.is_armed = false;
	kit_open(&kit);
	kit_check(&kit);
	kit_close(&kit);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(checkpoints_amid_everything),
		TEST(an_old_one_is_right_after_compaction),
		TEST(a_missing_segment_is_told_with_its_messages),
		TEST(every_call_fails),
		TEST(one_that_fails_does_not_hold_up_closing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
