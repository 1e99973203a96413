/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_damage.c - a segment cannot be read, or is no segment any more: it is told, and the rest of the queue
 * runs
 *
 * The oldest, one in the middle, the youngest; with and without a checkpoint. All that stands elsewhere is
 * handed over, whole; new mail is taken; and what is left of the file is kept when nothing in it is needed
 * any more. Damage within a segment: test_recovery.c.
 */
#include "spool/test_kit.h"
#include <fcntl.h>
#include <sys/stat.h>

#define N 24

static struct kit kit;

/* ---- what happens to the file ---- */

static void becomes_zeros(const char *path)
{
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, KIT_SEGMENT), 0);
}

static void becomes_junk(const char *path)
{
	static char junk[KIT_SEGMENT];
	FILE *out = fopen(path, "wb");

	memset(junk, 0xA5, sizeof(junk));
	assert_int_equal(fwrite(junk, 1, sizeof(junk), out), sizeof(junk));
	assert_int_equal(fclose(out), 0);
}

static void becomes_empty(const char *path)
{
	assert_int_equal(truncate(path, 0), 0);
}

static void loses_all_but_its_header(const char *path)
{
	assert_int_equal(truncate(path, FORMAT_BLOCK), 0);
}

static void loses_its_second_half(const char *path)
{
	assert_int_equal(truncate(path, KIT_SEGMENT / 2), 0);
}

static void becomes_a_directory(const char *path)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void becomes_a_fifo(const char *path)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
}

static void is_missing(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static const struct {
	const char *what;
	void (*happens)(const char *path);
	bool is_kept; /* there is something to keep */
} rows[] = {
	{ "zeros", becomes_zeros, true },
	{ "junk", becomes_junk, true },
	{ "empty", becomes_empty, true },
	{ "only its header", loses_all_but_its_header, true },
	{ "its first half", loses_its_second_half, true },
	{ "a directory", becomes_a_directory, true },
	{ "a FIFO", becomes_a_fifo, true },
	{ "missing", is_missing, false },
};

/* ---- one case ---- */

enum position {
	OLDEST,
	MIDDLE,
	YOUNGEST,
};

static void path_of(uint64_t generation, const char *suffix, char *out, size_t size)
{
	(void)snprintf(out, size, "%s/log/%016" PRIX64 "%s", kit.dir, generation, suffix);
}

static uint64_t generations[N + 1]; /* where each message stands */

static uint64_t build(enum position position, bool with_checkpoint)
{
	static const uint64_t ids[] = { [OLDEST] = 1, [MIDDLE] = N / 2, [YOUNGEST] = N };

	kit_init(&kit);
	shim->skips_syncs = true;
	kit_open(&kit);
	for (uint64_t id = 1; id <= N; id++)
		kit_commit(&kit, id, 9000, 1);
	kit_result(&kit, N, 0, SPOOL_RCPT_PENDING, true);
	kit_run(&kit);
	if (with_checkpoint)
		kit_checkpoint(&kit);
	for (uint64_t id = 1; id <= N; id++)
		generations[id] = kit.messages[id].entry.segment->generation;
	assert_true(generations[1] < generations[N / 2] && generations[N / 2] < generations[N]);
	kit_close_without_checkpoint(&kit);
	kit_forget(&kit);
	return generations[ids[position]];
}

/* Those that stood elsewhere are there; of the others none, or those that can be read. */
static void judge(const char *what, uint64_t bad)
{
	struct buf content = BUF_INIT(10000);

	for (uint64_t id = 1; id <= N; id++) {
		struct kit_message *m = &kit.messages[id];
		if (generations[id] != bad && !m->is_live)
			fail_msg("%s: message %" PRIu64 " is gone, which stood elsewhere", what, id);
		if (!m->is_live)
			continue;
		int r = spool_content_read(kit.sp, &m->entry, 0, 10000, &content);
		if (r == 0)
			kit_check_content(&kit, id);
		else if (generations[id] != bad)
			fail_msg("%s: content of message %" PRIu64 ": %s", what, id, strerror(-r));
		buf_clear(&content);
	}
	buf_free(&content);
}

static void strike(size_t row, enum position position, bool with_checkpoint)
{
	uint64_t bad = build(position, with_checkpoint);
	char path[160], what[80];
	unsigned n_told;

	(void)snprintf(what, sizeof(what), "%s %d %s", rows[row].what, position,
		with_checkpoint ? "with a checkpoint" : "without");
	path_of(bad, ".seg", path, sizeof(path));
	rows[row].happens(path);
	kit_open(&kit);
	n_told = kit.problems[SPOOL_PROBLEM_CORRUPT] + kit.problems[SPOOL_PROBLEM_SEGMENT_GONE];
	/* A log without its oldest file looks like one that never had it; without its youngest as well, but
	 * for a checkpoint. */
	if (n_told == 0 &&
		(rows[row].is_kept || position == MIDDLE || (position == YOUNGEST && with_checkpoint)))
		fail_msg("%s: nobody was told", what);
	if (with_checkpoint) /* it knows which ids were used */
		assert_true(spool_id_high_water(kit.sp) > N);
	judge(what, bad);
	kit_commit(&kit, 100, 3000, 1);
	for (uint64_t id = 1; id <= N; id++)
		if (kit.messages[id].is_live)
			kit_remove(&kit, id);
	kit_run(&kit);
	kit_close(&kit);
	kit_forget(&kit);
	path_of(bad, ".bad", path, sizeof(path));
	if ((access(path, F_OK) == 0) != rows[row].is_kept)
		fail_msg("%s: is %skept", what, rows[row].is_kept ? "not " : "");
	kit_open(&kit);
	assert_int_equal(kit_n_problems(&kit), 0);
	assert_int_equal(kit.n_recovered, 1);
	kit_check_content(&kit, 100);
	kit_close(&kit);
	kit_deinit(&kit);
	shim_reset();
}

static void the_rest_of_the_queue_runs(void **state)
{
	for (size_t row = 0; row < ARRAY_LEN(rows); row++)
		for (enum position p = OLDEST; p <= YOUNGEST; p++) {
			strike(row, p, false);
			strike(row, p, true);
		}
}

/* Of a spool that may not be read nothing is taken for broken: it is not opened. */
static void a_file_of_another_user_is_no_damage(void **state)
{
	char path[160];

	if (geteuid() == 0)
		skip(); /* root may read everything */
	uint64_t bad = build(MIDDLE, false);
	path_of(bad, ".seg", path, sizeof(path));
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(kit_try_open(&kit), -EACCES);
	kit_deinit(&kit);
	shim_reset();
}

/* Nobody waits for the other end of what stands in a body's place. */
static void a_fifo_is_no_body(void **state)
{
	char path[200];
	int bodies, fd = -1;

	(void)state;
	kit_init(&kit);
	(void)snprintf(path, sizeof(path), "%s/%016X.body", kit.dir, 1);
	assert_int_equal(mkfifo(path, 0600), 0);
	bodies = open(kit.dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(content_open_body(bodies, 1, 0, &fd), -EBADMSG);
	assert_int_equal(fd, -1);
	assert_int_equal(close(bodies), 0);
	assert_int_equal(unlink(path), 0);
	kit_deinit(&kit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rest_of_the_queue_runs),
		cmocka_unit_test(a_file_of_another_user_is_no_damage),
		cmocka_unit_test(a_fifo_is_no_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
