/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_faults.c - the n-th system call fails, for every n: what was reported as durable is there, nothing
 * hangs
 *
 * EIO and ENOSPC, once and several times in a row, whole or after half of a write. Then a full disk that
 * stays full.
 */
#include "spool/test_kit.h"

static struct kit kit;

/* Runs until nothing is on its way; every call may be refused. */
static void try_commit(uint64_t id, uint64_t bytes)
{
	if (kit_begin(&kit, id, bytes, 2) == 0)
		kit_run(&kit);
}

static void try_changes(void)
{
	if (kit.messages[1].is_live) {
		kit_expand(&kit, 1, 0, 3);
		kit_run(&kit);
	}
	if (kit.messages[2].is_live) {
		kit_result(&kit, 2, 1, SPOOL_RCPT_DELIVERED, true);
		kit_run(&kit);
		assert_int_equal(kit.messages[2].result, 0); /* facts wait until they are written */
	}
	for (uint64_t id = 3; id <= 4; id++)
		if (kit.messages[id].is_live) {
			kit_remove(&kit, id);
			kit_run(&kit);
			assert_int_equal(kit.messages[id].result, 0);
		}
}

static void workload(void)
{
	for (uint64_t id = 1; id <= 3; id++)
		try_commit(id, 1000);
	try_commit(4, 30000);
	try_changes();
	for (uint64_t id = 5; id <= 14; id++)
		try_commit(id, 9000);
	for (uint64_t id = 5; id <= 12; id++)
		if (kit.messages[id].is_live) {
			kit_remove(&kit, id);
			kit_run(&kit);
		}
	for (uint64_t id = 15; id <= 20; id++)
		try_commit(id, 9000);
}

static void assert_nothing_waits(void)
{
	for (uint64_t id = 1; id <= 20; id++)
		assert_int_not_equal(kit.messages[id].result, KIT_WAITING);
}

static void wait_until_it_takes_mail(void)
{
	for (int tries = 0; spool_is_full(kit.sp); tries++) {
		assert_true(tries < 10000); /* a minute */
		kit_run_idle(&kit);
	}
	for (int tries = 0; kit.messages[30].result != 0 || tries == 0; tries++) {
		assert_true(tries < 10);
		kit_commit(&kit, 30, 2000, 1);
	}
}

struct fault {
	int error;
	unsigned n;
	bool is_partial;
};

/* Returns how many calls were made. */
static size_t run_with_fault(size_t at, const struct fault *fault)
{
	size_t n_calls;
	int r;

	kit_init(&kit);
	shim_reset();
	shim->skips_syncs = true;
	shim->fault = (struct shim_fault){
		.is_armed = true,
		.at = (unsigned)at,
		.n = fault->n,
		.act = fault->is_partial ? SHIM_ERROR_PARTLY : SHIM_ERROR,
		.error = fault->error,
	};
	r = kit_try_open(&kit);
	if (r == 0) {
		kit_load(&kit);
		workload();
		assert_nothing_waits();
		shim->fault.is_armed = false;
		wait_until_it_takes_mail();
		kit_check(&kit);
		kit_close(&kit);
		kit_forget(&kit);
	}
	n_calls = shim->n_matched;
	shim->fault.is_armed = false;
	kit_open(&kit);
	if (kit_n_problems(&kit))
		fail_msg("call %zu, error %d x %u: after reopening: %s", at, fault->error, fault->n,
			spool_problem_text(kit.last_problem.kind));
	kit_check(&kit);
	kit_commit(&kit, 40, 100, 1);
	kit_close(&kit);
	kit_deinit(&kit);
	return n_calls;
}

static void every_call_fails(void **state)
{
	static const struct fault faults[] = {
		{ EIO, 1, false },
		{ ENOSPC, 1, true },
		{ EIO, 4, false },
		{ ENOSPC, 15, false },
	};
	size_t n_calls = run_with_fault(0, &faults[0]);

	assert_true(n_calls > 60);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		for (size_t at = 1; at <= n_calls; at += 1 + i / 2)
			(void)run_with_fault(at, &faults[i]);
	shim_reset();
}

/* Nothing can be created any more. Results are still written, and what they free is used again. */
static void full_disk(void **state)
{
	uint64_t id, n_kept = 0;

	kit_init(&kit);
	shim_reset();
	shim->skips_syncs = true;
	kit_open(&kit);
	kit_commit(&kit, 1, 100, 2);
	shim->fault = (struct shim_fault){
		.is_armed = true, .calls = 1U << SHIM_CREATE, .at = 1, .n = UINT_MAX / 2, .error = ENOSPC
	};
	for (id = 2; id < 200; id++) {
		if (kit_begin(&kit, id, 9000, 1) < 0)
			break;
		kit_run(&kit);
		n_kept += kit.messages[id].result == 0;
		assert_true(kit.messages[id].result == 0 || kit.messages[id].result == -ENOSPC);
	}
	assert_true(id < 200 && n_kept > 3);
	assert_true(spool_is_full(kit.sp));
	assert_int_equal(kit.problems[SPOOL_PROBLEM_PREPARE], 1); /* told once, not every time it is tried */
	for (int i = 0; i < 150; i++) { /* more than what is left of the segment in use */
		kit_result(&kit, 1, 0, SPOOL_RCPT_PENDING, true);
		kit_run(&kit);
		assert_int_equal(kit.messages[1].result, 0);
		if (i % 4 == 0) /* the reserve lasts for a while, not for ever: what is dead comes back
				   meanwhile */
			kit_run_idle(&kit);
		if (i == 8) /* before the reserve is used up: something must go */
			for (uint64_t gone = 2; gone < id; gone++)
				if (kit.messages[gone].is_live) {
					kit_remove(&kit, gone);
					kit_run(&kit);
				}
	}
	kit_remove(&kit, 1);
	kit_run(&kit);
	for (int tries = 0; spool_is_full(kit.sp) && tries < 100; tries++)
		kit_run_idle(&kit);
	assert_false(spool_is_full(kit.sp));
	kit_commit(&kit, 300, 9000, 1);
	shim->fault.is_armed = false;
	kit_reopen(&kit);
	kit_check(&kit);
	kit_close(&kit);
	kit_deinit(&kit);
	shim_reset();
}

/* The clock of a loop that was busy is behind: its timer comes before the next attempt is due. */
static void a_timer_that_comes_early_is_no_end(void **state)
{
	kit_init(&kit);
	shim_reset();
	kit.set.retry_ms = 50;
	shim->fault = (struct shim_fault){
		.is_armed = true, .calls = 1U << SHIM_CREATE, .at = 2, .n = UINT_MAX / 2, .error = ENOSPC
	}; /* the first is the lock */
	kit_open(&kit);
	while (!kit.problems[SPOOL_PROBLEM_PREPARE])
		uv_run(&kit.loop, UV_RUN_ONCE);
	assert_true(spool_is_full(kit.sp));
	shim->fault.is_armed = false;
	assert_int_equal(uv_timer_stop(&kit.sp->retry_timer), 0);
	keeper_run(kit.sp); /* as the timer does */
	for (int tries = 0; spool_is_full(kit.sp); tries++) {
		assert_true(tries < 10000);
		kit_run_idle(&kit);
	}
	kit_commit(&kit, 1, 100, 1);
	kit_close(&kit);
	kit_deinit(&kit);
	shim_reset();
}

static void reserve_of_the_file_system_is_kept(void **state)
{
	struct spool_message *m = NULL;

	kit_init(&kit);
	kit.set.reserve_bytes = UINT64_MAX;
	kit_open(&kit);
	assert_true(spool_is_full(kit.sp));
	assert_int_equal(spool_message_new(kit.sp, 0, &m), -ENOSPC);
	assert_null(m);
	kit_close(&kit);
	kit_deinit(&kit);
}

/* What stands in a segment whose sync failed is written again elsewhere, at once. */
static void an_abandoned_segment_is_emptied(void **state)
{
	struct spool_statistics st;

	kit_init(&kit);
	shim_reset();
	kit_open(&kit);
	for (uint64_t id = 1; id <= 4; id++)
		kit_commit(&kit, id, 2000, 1);
	uint64_t bad = kit.messages[1].entry.segment->generation;
	shim->fault = (struct shim_fault){
		.is_armed = true, .calls = 1U << SHIM_SYNC, .at = 1, .n = 1, .error = EIO
	};
	assert_int_equal(kit_begin(&kit, 5, 2000, 1), 0);
	kit_result(&kit, 2, 0, SPOOL_RCPT_DELIVERED, true); /* of the same batch: it is kept */
	kit_run(&kit);
	assert_int_equal(kit.messages[5].result, -EIO);
	assert_int_equal(kit.messages[2].result, 0);
	assert_int_equal(kit.problems[SPOOL_PROBLEM_WRITE], 1);
	kit_commit(&kit, 6, 2000, 1);
	kit_run(&kit);
	for (uint64_t id = 1; id <= 4; id++)
		assert_true(kit.messages[id].entry.segment->generation > bad);
	spool_statistics(kit.sp, &st);
	assert_int_equal(st.n_segments, 1);
	kit_reopen(&kit);
	assert_int_equal(kit_n_problems(&kit), 0);
	assert_int_equal(kit.n_recovered, 5); /* the refused one is void */
	kit_check(&kit);
	kit_close(&kit);
	kit_deinit(&kit);
	shim_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_fails),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(a_timer_that_comes_early_is_no_end),
		cmocka_unit_test(reserve_of_the_file_system_is_kept),
		cmocka_unit_test(an_abandoned_segment_is_emptied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
