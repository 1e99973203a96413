/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_crash.c - the power goes at every step: no acknowledged message is missing, nothing is damaged
 *
 * The shim records each write, sync, rename and unlink of a workload, and the workload notes after which
 * event each acknowledgement was given. Then, for each event, the disk is rebuilt as a power cut at that
 * moment could leave it: what a completed sync covers is there; of later writes any sector, of later
 * directory changes any first part. A kill -9 is the case in which everything is there. The spool is opened
 * on each such disk, and judged.
 */
#include "spool/test_kit.h"
#include "support/disk.h"
#include <sys/stat.h>

#define N_IDS 64

static struct kit kit;

/* ---- what was promised, and when ---- */

struct promise {
	size_t kept_from;  /* event count at the acknowledgement; 0: never given */
	size_t removed_at; /* event count when removal was asked for; 0: never */
	size_t gone_from;  /* event count when removal was reported; 0: never */
	uint64_t bytes;
	size_t expanded_from, result_from;
};
static struct promise promises[N_IDS];

/* Waits for everything, so that "reported" can be noted with the number of events before it. */
static void run_commit(uint64_t first, uint64_t n, uint64_t bytes)
{
	for (uint64_t id = first; id < first + n; id++) {
		promises[id].bytes = bytes + id;
		assert_int_equal(kit_begin(&kit, id, bytes + id, 2), 0);
	}
	for (uint64_t left = n; left > 0;) {
		uv_run(&kit.loop, UV_RUN_ONCE);
		for (uint64_t id = first; id < first + n; id++)
			if (!promises[id].kept_from && kit.messages[id].result == 0) {
				promises[id].kept_from = shim_n_events();
				left--;
			}
	}
}

static void run_remove(uint64_t id)
{
	promises[id].removed_at = shim_n_events();
	kit_remove(&kit, id);
	kit_run(&kit);
	promises[id].gone_from = shim_n_events();
}

static void workload(void)
{
	kit_open(&kit);
	run_commit(1, 3, 500);
	run_commit(4, 1, 40000); /* a body file */
	kit_expand(&kit, 1, 0, 3);
	kit_run(&kit);
	promises[1].expanded_from = shim_n_events();
	kit_result(&kit, 2, 1, SPOOL_RCPT_DELIVERED, true);
	kit_run(&kit);
	promises[2].result_from = shim_n_events();
	run_commit(5, 6, 9000); /* more than one segment */
	run_remove(3);
	run_remove(4);
	for (uint64_t id = 5; id < 11; id++)
		run_remove(id);
	for (uint64_t id = 11; id < 60; id += 7) { /* until segments are recycled and the oldest is emptied */
		run_commit(id, 7, 8000);
		for (uint64_t gone = id; gone < id + 6; gone++)
			run_remove(gone);
	}
	kit_close(&kit);
}

/* ---- the power cut ---- */

static uint64_t log_inode, bodies_inode;

static uint64_t inode_of(const char *dir, const char *sub)
{
	char path[160];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, sub);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static struct kit after;

static void judge(size_t n, enum disk_cut cut)
{
	if (kit_n_problems(&after))
		fail_msg("event %zu cut %d: %s (segment %" PRIu64 " at %" PRIu64 ", %" PRIu64
			 " bytes, %" PRIu64 "-%" PRIu64 ", error %d)",
			n, cut, spool_problem_text(after.last_problem.kind), after.last_problem.generation,
			after.last_problem.offset, after.last_problem.bytes, after.last_problem.first_lsn,
			after.last_problem.last_lsn, after.last_problem.error);
	for (uint64_t id = 1; id < N_IDS; id++) {
		const struct promise *p = &promises[id];
		const struct kit_message *m = &after.messages[id];
		bool was_kept = p->kept_from && p->kept_from <= n;
		if (was_kept && !(p->removed_at && p->removed_at < n) && !m->is_live)
			fail_msg("event %zu cut %d: message %" PRIu64 " was acknowledged and is gone", n, cut,
				id);
		if (p->gone_from && p->gone_from <= n && m->is_live)
			fail_msg("event %zu cut %d: message %" PRIu64 " was removed and is back", n, cut, id);
		if (!m->is_live)
			continue;
		assert_int_equal(m->bytes, p->bytes);
		kit_check_content(&after, id);
		if (p->expanded_from && p->expanded_from <= n)
			assert_true(m->n_rcpts == 5 && m->rcpts[0].progress.state == SPOOL_RCPT_EXPANDED);
		assert_true(m->n_rcpts == 2 || m->n_rcpts == 5);
		if (p->result_from && p->result_from <= n)
			assert_int_equal(m->rcpts[1].progress.state, SPOOL_RCPT_DELIVERED);
	}
}

static void cut_and_judge(size_t n, enum disk_cut cut)
{
	struct disk *disk = disk_new();

	disk_add_dir(disk, log_inode, "log");
	disk_add_dir(disk, bodies_inode, "bodies");
	disk_cut(disk, shim, n, cut, (unsigned)n);
	memset(&after, 0, sizeof(after));
	after.set = kit.set;
	(void)snprintf(after.dir, sizeof(after.dir), "%.40s-cut", kit.dir);
	assert_int_equal(mkdir(after.dir, 0700), 0);
	assert_int_equal(disk_store(disk, after.dir), 0);
	disk_free(&disk);
	kit_open(&after);
	judge(n, cut);
	if (n % 16 == 0) { /* it works: takes a message, and keeps it */
		kit_commit(&after, N_IDS + 1, 3000, 1);
		kit_close(&after);
		kit_forget(&after);
		kit_open(&after);
		assert_true(after.messages[N_IDS + 1].is_live);
		kit_check_content(&after, N_IDS + 1);
		judge(n, cut);
	}
	kit_close(&after);
	kit_deinit(&after);
}

static void power_goes_at_every_step(void **state)
{
	size_t n_events;

	kit_init(&kit);
	shim_reset();
	shim->records = shim->skips_syncs = true;
	workload();
	shim->records = false;
	n_events = shim->n_events;
	disk_number_files(shim);
	log_inode = inode_of(kit.dir, "log");
	bodies_inode = inode_of(kit.dir, "bodies");
	assert_true(n_events > 200);
	for (size_t n = 1; n <= n_events; n++) {
		cut_and_judge(n, DISK_NOTHING_MORE);
		cut_and_judge(n, DISK_SOMETHING);
		cut_and_judge(n, DISK_EVERYTHING);
	}
	kit_deinit(&kit);
	shim_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(power_goes_at_every_step) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
