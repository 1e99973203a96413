/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_bounds.c - long streams of mail of which little stays: how much dead space, how many files, and how
 * much of the log a start reads
 *
 * Segments of 64 KiB and messages of 1 KB, so that some hundred segments come and go. The bounds are those of
 * docs/SPOOL.md ("Freeing", "Checkpoints"); they are looked at all along the stream, not only at its end.
 */
#include "spool/test_picture.h"
#include <fcntl.h>

#define N_STREAM 12000
#define IN_FLIGHT 8 /* commits at once: a batch is a part of a segment, as it is in life */
#define CONTENT 1000
#define PENDING 100 /* records that wait for the disk: deliveries are not faster than it */
/* Turns of the loop that compaction may take: however busy the machine is, its threads get their share. */
#define ROUND_TURNS 4
#define FEW UINT64_C(10) /* segments: the slack, the one in use, and what is on its way */

static struct kit kit; /* its directory and settings only */

/* ---- a queue that keeps what is deferred or held ---- */

struct mail {
	struct spool_entry entry;
	struct list node; /* in kept */
	struct spool_recipient rcpts[40];
	size_t n_rcpts;
	uint32_t flags;
	bool is_kept, is_expanding;
};
enum keeps {
	DEFERS_1_PERCENT,
	HOLDS_1_PERCENT,
	KEEPS_NONE,
};
static struct {
	struct spool *sp;
	uv_loop_t loop;
	struct list kept;
	uint64_t next_id;
	size_t n_open;
	enum keeps keeps;
	bool is_loaded, is_closed;
	unsigned n_problems;
	uint64_t max_dead, max_log; /* seen: dead bytes beyond twice the live ones; log bytes */
	uint64_t n_records;
} q;

static struct spool_entry *on_recovered(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	struct mail *m = mem_new(sizeof(*m));

	assert_true(n_rcpts <= ARRAY_LEN(m->rcpts));
	m->n_rcpts = n_rcpts;
	m->flags = env->flags;
	m->is_kept = true;
	for (size_t i = 0; i < n_rcpts; i++)
		m->rcpts[i] = kit_recipient("rcpt@example.org");
	list_push_back(&q.kept, &m->node);
	return &m->entry;
}

static void describe(void *user, struct spool_entry *entry, struct spool_envelope *env_out,
	const struct spool_recipient **rcpts_out, size_t *n_rcpts_out)
{
	struct mail *m = CONTAINER_OF(entry, struct mail, entry);

	*env_out = (struct spool_envelope){
		.id = entry->id, .reverse_path = SLICE("sender@example.org"), .flags = m->flags
	};
	*rcpts_out = m->rcpts;
	*n_rcpts_out = m->n_rcpts;
}

static void on_problem(void *user, const struct spool_problem *problem)
{
	q.n_problems += problem->kind != SPOOL_PROBLEM_TORN;
}

static void on_loaded(void *user, int result)
{
	assert_int_equal(result, 0);
	q.is_loaded = true;
}

static void open_spool(void)
{
	static const struct spool_hooks hooks = { on_recovered, describe, on_problem, on_loaded };

	list_init(&q.kept);
	q.is_loaded = q.is_closed = false;
	assert_int_equal(uv_loop_init(&q.loop), 0);
	assert_int_equal(spool_open(kit.dir, &kit.set, &q.loop, &hooks, NULL, &q.sp), 0);
	while (!q.is_loaded)
		uv_run(&q.loop, UV_RUN_ONCE);
	assert_int_equal(q.n_problems, 0);
}

static void on_closed(void *user)
{
	q.is_closed = true;
}

/* As a kill would leave it: no checkpoint is written because of it. */
static void close_spool(void)
{
	q.sp->checkpoint.is_last = true;
	spool_close(q.sp, on_closed, NULL);
	uv_run(&q.loop, UV_RUN_DEFAULT);
	assert_true(q.is_closed);
	assert_int_equal(uv_loop_close(&q.loop), 0);
	while (!list_empty(&q.kept)) {
		struct mail *m = list_first(&q.kept, struct mail, node);
		list_remove(&m->node);
		mem_free(m);
	}
}

static void attempt(struct mail *m, size_t rcpt_no)
{
	struct spool_progress *p = &m->rcpts[rcpt_no].progress;

	p->attempts++;
	p->last_attempt_us = p->attempts;
	p->status = SLICE("4.4.1");
	p->reason =
		SLICE("connect to mx.example.org[192.0.2.1]:25: connection timed out after thirty seconds");
	spool_record_result(q.sp, &m->entry, (uint32_t)rcpt_no, p, NULL, NULL);
}

static void committed(void *user, int result)
{
	struct mail *m = user;

	assert_int_equal(result, 0);
	q.n_open--;
	if (q.keeps != KEEPS_NONE && m->entry.id % 100 == 0) {
		m->is_kept = true;
		list_push_back(&q.kept, &m->node);
		spool_content_forget(q.sp, &m->entry);
		if (q.keeps == HOLDS_1_PERCENT) {
			m->flags = SPOOL_FLAG_HELD;
			spool_set_flags(q.sp, &m->entry, m->flags, NULL, NULL);
		} else {
			attempt(m, 0);
		}
		return;
	}
	spool_remove(q.sp, &m->entry, NULL, NULL);
	mem_free(m);
}

static void commit_one(void)
{
	static const char content[CONTENT];
	struct mail *m = mem_new(sizeof(*m));
	struct spool_envelope env = { .id = q.next_id++, .reverse_path = SLICE("sender@example.org") };
	struct spool_message *message;

	m->rcpts[0] = kit_recipient("rcpt@example.org");
	m->n_rcpts = 1;
	assert_int_equal(spool_message_new(q.sp, CONTENT, &message), 0);
	assert_int_equal(spool_message_append(message, (struct slice){ content, CONTENT }), 0);
	q.n_open++;
	spool_message_commit(message, &m->entry, &env, m->rcpts, 1, committed, m);
}

/* ---- the bounds ---- */

static void look(void)
{
	struct spool_statistics st;

	spool_statistics(q.sp, &st);
	size_t n_files = (size_t)st.n_segments + 8; /* prepared, in preparation, checkpoints */
	uint64_t dead = st.log_bytes - st.live_bytes;
	q.max_dead = MAX(q.max_dead, dead > 2 * st.live_bytes ? dead - 2 * st.live_bytes : 0);
	q.max_log = MAX(q.max_log, st.log_bytes);
	q.n_records = st.n_records;
	if (dead > 2 * st.live_bytes + FEW * KIT_SEGMENT)
		fail_msg("after %" PRIu64 " messages: %" PRIu64 " bytes are dead, %" PRIu64 " live",
			q.next_id, dead, st.live_bytes);
	list_for_each (node, &q.sp->dead) /* they go one by one */
		n_files++;
	if (kit_count_files(&kit, "log") > n_files)
		fail_msg("%zu files for %" PRIu64 " segments", kit_count_files(&kit, "log"), st.n_segments);
}

struct reading {
	uint64_t n_records, bytes;
};

static void count_record(void *user, const struct replay_record *r)
{
	((struct reading *)user)->n_records++;
}

static void no_problem(void *user, const struct spool_problem *problem)
{
	fail_msg("%s", spool_problem_text(problem->kind));
}

/* What a start reads of the log behind the newest checkpoint. */
static struct reading read_behind_checkpoint(uint64_t *checkpoint_bytes_out)
{
	struct reading reading = { 0 };
	struct replay r = { .on_record = count_record, .on_problem = no_problem, .user = &reading };
	struct checkpoint_reader c;
	uint64_t numbers[4];
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/log", kit.dir);
	int log = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(picture_checkpoints(kit.dir, numbers, ARRAY_LEN(numbers)) > 0);
	assert_int_equal(checkpoint_open(&c, log, numbers[0]), 0);
	r.skip_lsn = c.head.lsn;
	*checkpoint_bytes_out = c.bytes;
	checkpoint_close(&c);
	assert_int_equal(replay_open(&r, log, O_RDONLY), 0);
	replay_run(&r);
	reading.bytes = r.bytes_taken;
	replay_close(&r);
	close(log);
	return reading;
}

/* Four segments or three checkpoints, and what came while the last one was being written. */
static void look_at_start(uint64_t n_written)
{
	uint64_t checkpoint_bytes;
	struct reading reading = read_behind_checkpoint(&checkpoint_bytes);
	uint64_t limit = MAX(4 * KIT_SEGMENT, 3 * checkpoint_bytes) + FEW * KIT_SEGMENT;

	if (reading.bytes > limit)
		fail_msg("%" PRIu64 " bytes of log are read, the checkpoint has %" PRIu64, reading.bytes,
			checkpoint_bytes);
	assert_true(reading.n_records < n_written / 4);
}

/* ---- streams ---- */

static void attempt_some(unsigned n)
{
	for (; n > 0 && q.sp->n_pending < PENDING && !list_empty(&q.kept); n--) {
		struct mail *m = list_first(&q.kept, struct mail, node);
		attempt(m, 0);
		list_remove(&m->node);
		list_push_back(&q.kept, &m->node);
	}
}

/* n messages; in between those that are kept are tried again, so that results are most of what is written. */
static void stream(size_t n, unsigned n_attempts)
{
	unsigned n_turns = 0;

	for (size_t i = 0; i < n || q.n_open;) {
		n_turns = q.sp->move.items ? n_turns + 1 : 0;
		if (n_turns <= ROUND_TURNS) {
			for (; i < n && q.n_open < IN_FLIGHT; i++)
				commit_one();
			attempt_some(n_attempts);
		}
		uv_run(&q.loop, UV_RUN_ONCE);
		look();
	}
	uv_run(&q.loop, UV_RUN_DEFAULT);
	look();
}

static size_t n_kept(void)
{
	size_t n = 0;

	list_for_each (node, &q.kept)
		n++;
	return n;
}

static void stream_and_start(enum keeps keeps, unsigned n_attempts, size_t n_stay)
{
	q.keeps = keeps;
	q.next_id = 1;
	open_spool();
	stream(N_STREAM, n_attempts);
	assert_int_equal(n_kept(), n_stay);
	close_spool();
	look_at_start(q.n_records);
	open_spool();
	assert_int_equal(n_kept(), n_stay);
	stream(N_STREAM / 4, n_attempts); /* after a start it is bounded as well */
	close_spool();
	print_message("    at most %.1f segments of log, %.1f dead beyond twice the live, for %.0f written\n",
		(double)q.max_log / KIT_SEGMENT, (double)q.max_dead / KIT_SEGMENT,
		(double)N_STREAM * (CONTENT + 300) / KIT_SEGMENT);
}

static int setup(void **state)
{
	kit_init(&kit);
	memset(&q, 0, sizeof(q));
	shim->skips_syncs = true;
	return 0;
}

static int teardown(void **state)
{
	kit_deinit(&kit);
	shim_reset();
	return 0;
}

static void one_percent_is_deferred(void **state)
{
	stream_and_start(DEFERS_1_PERCENT, 1, N_STREAM / 100);
}

static void one_percent_is_held(void **state)
{
	stream_and_start(HOLDS_1_PERCENT, 0, N_STREAM / 100);
}

static void results_are_most_of_what_is_written(void **state)
{
	stream_and_start(DEFERS_1_PERCENT, 100, N_STREAM / 100);
}

/* All that is old lives: no space comes back before it has been moved out of the way. */
static void a_block_of_held_mail_is_old(void **state)
{
	q.keeps = HOLDS_1_PERCENT;
	q.next_id = 1;
	open_spool();
	for (int i = 0; i < 400; i++) {
		q.next_id = 100 * ((uint64_t)i + 1); /* every one is held */
		commit_one();
		uv_run(&q.loop, UV_RUN_DEFAULT);
	}
	q.keeps = KEEPS_NONE;
	stream(N_STREAM, 0);
	assert_int_equal(n_kept(), 400);
	close_spool();
	print_message("    at most %.1f segments of log, %.1f dead beyond twice the live\n",
		(double)q.max_log / KIT_SEGMENT, (double)q.max_dead / KIT_SEGMENT);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_percent_is_deferred),
		TEST(one_percent_is_held),
		TEST(results_are_most_of_what_is_written),
		TEST(a_block_of_held_mail_is_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
