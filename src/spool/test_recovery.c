/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_recovery.c - the log after a crash and after damage: cut at every byte, torn sectors, flipped bits
 *
 * The workload commits messages one by one and notes where the log ended at each acknowledgement; then its
 * tail segment is rewritten as a crash or a bad disk could leave it, and the spool is read again.
 */
#include "spool/test_kit.h"
#include "base/crc32c.h"
#include <fcntl.h>
#include <sys/stat.h>

static struct kit kit;
static char *image; /* of the tail segment after the workload */
static size_t image_bytes;
static char tail[160], log_dir[96];

#define N_MESSAGES 6
static size_t end_of[N_MESSAGES + 1]; /* of the log, when message n had been acknowledged */

static void image_write(const char *bytes)
{
	int fd = open(tail, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, image_bytes, 0), image_bytes);
	close(fd);
}

static void image_read(void)
{
	struct stat st;
	int fd = open(tail, O_RDONLY);

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	image_bytes = (size_t)st.st_size;
	image = mem_new(image_bytes);
	assert_int_equal(pread(fd, image, image_bytes, 0), image_bytes);
	close(fd);
}

/* ---- reading without the whole object: quick enough for every byte ---- */

struct reading {
	struct recovery rec;
	struct replay replay;
	struct spool_problem last;
	unsigned problems[16];
	bool has[N_MESSAGES + 1];
	bool is_final[N_MESSAGES + 1];
	size_t n;
	uint64_t last_lsn;
	bool is_content_bad[N_MESSAGES + 1];
};

static void reading_problem(void *user, const struct spool_problem *problem)
{
	struct reading *r = user;

	r->problems[problem->kind]++;
	r->last = *problem;
}

static void reading_look(struct reading *r, struct recovered *found)
{
	struct loaded loaded, *m = &loaded;
	uint32_t crc;
	char *got, *want;

	loaded_from_log(m, found);
	struct spool_envelope env = m->env;
	assert_true(m->id >= 1 && m->id <= N_MESSAGES);
	assert_false(m->is_bad);
	assert_slice_equal(env.reverse_path, SLICE("sender@example.org"));
	assert_int_equal(m->rcpts.n, 1);
	r->has[m->id] = true;
	r->is_final[m->id] = m->rcpts.at[0].progress.state == SPOOL_RCPT_DELIVERED;
	loaded_free(m);
	assert_int_equal(content_crc(m->segment->fd, m->content_at, env.content_bytes, &crc), 0);
	r->is_content_bad[m->id] = crc != m->content_crc;
	if (r->is_content_bad[m->id])
		return;
	got = mem_new((size_t)env.content_bytes);
	want = mem_new((size_t)env.content_bytes);
	assert_int_equal(pread(m->segment->fd, got, (size_t)env.content_bytes, (off_t)m->content_at),
		env.content_bytes);
	kit_fill(m->id, 0, (size_t)env.content_bytes, want);
	assert_memory_equal(got, want, env.content_bytes);
	mem_free(got);
	mem_free(want);
}

static struct reading read_log(void)
{
	struct reading r = { 0 };
	int fd = open(log_dir, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	r.rec.on_problem = reading_problem;
	r.rec.user = &r;
	assert_int_equal(replay_open(&r.replay, fd, O_RDONLY), 0);
	recovery_read(&r.rec, &r.replay);
	for (size_t i = 0; i < r.rec.n_sorted; i++)
		reading_look(&r, r.rec.sorted[i]);
	r.n = r.rec.n_sorted;
	r.last_lsn = r.replay.last_lsn;
	recovery_free(&r.rec);
	replay_close(&r.replay);
	close(fd);
	return r;
}

static unsigned reading_n_damages(const struct reading *r)
{
	return r->problems[SPOOL_PROBLEM_CORRUPT] + r->problems[SPOOL_PROBLEM_SEGMENT_GONE];
}

/* ---- the workload ---- */

static size_t log_end(void)
{
	return (size_t)kit.sp->commit.head_at; /* nothing is on its way: the commit thread sleeps */
}

static int setup(void **state)
{
	kit_init(&kit);
	(void)snprintf(log_dir, sizeof(log_dir), "%s/log", kit.dir);
	kit_open(&kit);
	end_of[0] = FORMAT_BLOCK;
	for (uint64_t id = 1; id <= N_MESSAGES; id++) {
		kit_commit(&kit, id, id == 4 ? 9000 : 100 * id, 1);
		if (id == 5)
			kit_result(&kit, 2, 0, SPOOL_RCPT_DELIVERED, true);
		kit_run(&kit);
		end_of[id] = log_end();
	}
	kit_close_without_checkpoint(&kit); /* it would know all that the log has lost */
	kit_tail_path(&kit, tail, sizeof(tail));
	image_read();
	/* Without the batch that closing adds: as if the power had gone. */
	memset(image + end_of[N_MESSAGES], 0, image_bytes - end_of[N_MESSAGES]);
	image_write(image);
	kit_forget(&kit);
	return 0;
}

static int teardown(void **state)
{
	mem_free(image);
	kit_deinit(&kit);
	return 0;
}

static void assert_first(const struct reading *r, size_t n)
{
	for (size_t id = 1; id <= n; id++)
		assert_true(r->has[id] && !r->is_content_bad[id]);
	for (size_t id = n + 1; id <= N_MESSAGES; id++)
		assert_false(r->has[id]);
}

static void undamaged_log_is_read(void **state)
{
	struct reading r = read_log();

	assert_first(&r, N_MESSAGES);
	assert_true(r.is_final[2] && !r.is_final[1]);
	assert_int_equal(reading_n_damages(&r), 0);
	assert_int_equal(r.problems[SPOOL_PROBLEM_TORN], 0);
}

/* Only bytes before the cut reached the disk; behind it are zeros, or the junk of an earlier use. */
static void log_cut_at_every_byte(void **state)
{
	char *cut = mem_new(image_bytes);
	size_t n_acknowledged = 2;

	for (int junk = 0; junk < 2; junk++)
		for (size_t at = end_of[2]; at <= end_of[N_MESSAGES]; at += at < end_of[3] + 64 ? 1 : 13) {
			memcpy(cut, image, at);
			memset(cut + at, junk ? 0xA5 : 0, image_bytes - at);
			n_acknowledged = 2;
			while (n_acknowledged < N_MESSAGES && end_of[n_acknowledged + 1] <= at)
				n_acknowledged++;
			image_write(cut);
			struct reading r = read_log();
			for (size_t id = 1; id <= n_acknowledged; id++)
				assert_true(r.has[id] && !r.is_content_bad[id]);
			for (size_t id = n_acknowledged + 2; id <= N_MESSAGES; id++)
				assert_false(r.has[id]);
			/* Of the one on its way all or nothing; only padding may miss of it. */
			if (n_acknowledged < N_MESSAGES && r.has[n_acknowledged + 1])
				assert_false(r.is_content_bad[n_acknowledged + 1]);
			assert_int_equal(reading_n_damages(&r), 0);
		}
	mem_free(cut);
}

/* The last batch was being written: any of its sectors may have reached the disk. */
static void last_batch_torn_by_sectors(void **state)
{
	size_t from = end_of[3], to = end_of[4], n_sectors = (to - from) / 512;
	char *torn = mem_new(image_bytes);
	unsigned seed = 1;

	for (int round = 0; round < 300; round++) {
		bool is_whole = true;
		memcpy(torn, image, image_bytes);
		memset(torn + to, round % 2 ? 0x5A : 0, image_bytes - to);
		for (size_t i = 0; i < n_sectors; i++) {
			seed = seed * 1103515245 + 12345;
			if ((seed >> 16 & 7) < (unsigned)(round % 7 + 1))
				continue;
			/* what stood there before: zeros or a mail full of batch headers */
			if (round % 3)
				memset(torn + from + i * 512, 0, 512);
			else
				memcpy(torn + from + i * 512, image + end_of[2], 512);
			is_whole = is_whole && i * 512 > 9300;
		}
		image_write(torn);
		struct reading r = read_log();
		assert_first(&r, is_whole ? 4 : 3);
		assert_int_equal(reading_n_damages(&r), 0);
	}
	mem_free(torn);
}

/* One bit of the confirmed log is wrong: it is told, nothing else is lost, nothing damaged passes. */
static void flipped_bits_are_told(void **state)
{
	char *bad = mem_new(image_bytes);
	size_t n_told = 0;

	for (size_t bit = 0; bit < end_of[5] * 8; bit += 37) {
		size_t at = bit / 8, n_missing = 0, n_bad = 0;
		memcpy(bad, image, image_bytes);
		bad[at] = (char)(bad[at] ^ (1 << bit % 8));
		image_write(bad);
		struct reading r = read_log();
		for (size_t id = 1; id <= N_MESSAGES; id++) {
			n_missing += !r.has[id];
			n_bad += r.is_content_bad[id];
		}
		assert_true(n_missing + n_bad <= 1);
		/* Missing is always told; bad content is found when it is read. */
		if (n_missing || !r.is_final[2])
			assert_true(reading_n_damages(&r) > 0);
		n_told += reading_n_damages(&r) > 0;
	}
	assert_true(n_told > 100);
	mem_free(bad);
}

/* A whole confirmed batch header is gone: its record is saved, since it stands by itself. */
static void records_are_salvaged(void **state)
{
	char *bad = mem_new(image_bytes);

	memcpy(bad, image, image_bytes);
	memset(bad + end_of[2], 0xFF, FORMAT_BATCH_HEADER);
	image_write(bad);
	struct reading r = read_log();
	assert_first(&r, N_MESSAGES);
	assert_int_equal(r.problems[SPOOL_PROBLEM_CORRUPT], 1);
	assert_int_equal(r.last.n_salvaged, 1);
	assert_int_equal(r.last.offset, end_of[2]);
	/* The record, too: lost, and told with its number. */
	memset(bad + end_of[2], 0xFF, 512);
	image_write(bad);
	r = read_log();
	assert_int_equal(r.n, N_MESSAGES - 1);
	assert_false(r.has[3]);
	assert_int_equal(r.problems[SPOOL_PROBLEM_CORRUPT], 1);
	assert_int_equal(r.last.n_salvaged, 0);
	assert_true(r.last.first_lsn == r.last.last_lsn);
	mem_free(bad);
}

static void damaged_segment_header_is_told(void **state)
{
	char *bad = mem_new(image_bytes);

	memcpy(bad, image, image_bytes);
	bad[20] ^= 1;
	image_write(bad);
	struct reading r = read_log();
	assert_first(&r, N_MESSAGES);
	assert_int_equal(r.problems[SPOOL_PROBLEM_CORRUPT], 1);
	mem_free(bad);
}

/* After damage the log goes on in a new segment, and the damaged file is kept when it is not needed. */
static void a_damaged_spool_goes_on(void **state)
{
	char *bad = mem_new(image_bytes);
	char kept[180];

	memcpy(bad, image, image_bytes);
	memset(bad + end_of[2], 0xFF, 1024);
	image_write(bad);
	for (size_t id = 1; id <= N_MESSAGES; id++)
		kit.messages[id].is_promised = id != 3;
	kit_open(&kit);
	assert_int_equal(kit.n_recovered, N_MESSAGES - 1);
	assert_int_equal(kit.problems[SPOOL_PROBLEM_CORRUPT], 1);
	kit_check(&kit);
	kit_commit(&kit, 20, 1000, 1);
	for (size_t id = 1; id <= N_MESSAGES; id++)
		if (id != 3)
			kit_remove(&kit, id);
	kit_run(&kit);
	kit_reopen(&kit);
	assert_int_equal(kit.n_recovered, 1);
	kit_check(&kit);
	kit_close(&kit);
	(void)snprintf(kept, sizeof(kept), "%.*s.bad", (int)strlen(tail) - 4, tail);
	assert_int_equal(access(kept, F_OK), 0);
	mem_free(bad);
}

static void damaged_content_is_never_read(void **state)
{
	char *bad = mem_new(image_bytes);
	struct buf got = BUF_INIT(10000);

	memcpy(bad, image, image_bytes);
	bad[end_of[3] + 5000] ^= 4; /* in the middle of message 4 */
	image_write(bad);
	kit_open(&kit);
	assert_int_equal(kit.n_recovered, N_MESSAGES);
	assert_int_equal(spool_content_read(kit.sp, &kit.messages[4].entry, 0, 10, &got), -EBADMSG);
	assert_int_equal(got.len, 0);
	assert_int_equal(kit.problems[SPOOL_PROBLEM_CONTENT], 1);
	assert_int_equal(spool_content_read(kit.sp, &kit.messages[5].entry, 0, 10, &got), 0);
	buf_free(&got);
	kit_close(&kit);
	mem_free(bad);
}

/* The last batch could be torn; what was cut may not come back under the batch written in its place. */
static void a_torn_end_is_written_over(void **state)
{
	char *torn = mem_new(image_bytes);

	memcpy(torn, image, image_bytes);
	torn[end_of[3] + 5000] ^= 4;
	memset(torn + end_of[4], 0, image_bytes - end_of[4]);
	image_write(torn);
	for (size_t id = 4; id <= N_MESSAGES; id++)
		kit.messages[id].is_promised = false; /* in this history they came never that far */
	kit.messages[2].states[0] = 0;
	for (int round = 0; round < 3; round++) {
		kit_open(&kit);
		assert_int_equal(kit.n_recovered, 3 + round);
		assert_int_equal(kit.problems[SPOOL_PROBLEM_TORN], round == 0);
		assert_int_equal(kit_n_problems(&kit), 0);
		kit_commit(&kit, 10 + (uint64_t)round, 10, 1);
		kit_check(&kit);
		kit_close(&kit);
		kit_forget(&kit);
	}
	mem_free(torn);
}

/* A batch was cut, another written in its place and torn, too: of the two no third can be put together. */
static void torn_batches_do_not_mix(void **state)
{
	size_t at = end_of[N_MESSAGES - 1], n = end_of[N_MESSAGES] - at, head = FORMAT_BATCH_HEADER;
	char *first = mem_new(n);
	struct reading r;

	memcpy(first, image + at, n);
	image[at + 500] ^= 1;
	image_write(image);
	kit_open(&kit);
	kit_commit(&kit, 7, 100 * N_MESSAGES, 1); /* of the very same size */
	mem_free(image);
	image_read();
	kit_close(&kit);
	memcpy(image + at + head, first + head, n - head);
	memset(image + at + n, 0, image_bytes - at - n);
	image_write(image);
	r = read_log();
	assert_first(&r, N_MESSAGES - 1);
	assert_int_equal(r.problems[SPOOL_PROBLEM_TORN], 1);
	mem_free(first);
}

/* What was read may be in memory only: it is written and synced again before anybody acts on it. */
static void the_last_batch_is_settled_first(void **state)
{
	bool is_written = false, is_synced = false;

	shim_reset();
	shim->records = true;
	kit_open(&kit);
	shim->records = false;
	for (size_t i = 0; i < kit.n_events_at_recovery; i++) {
		const struct shim_event *e = &shim->events[i];
		is_written |= e->call == SHIM_WRITE && e->offset == end_of[N_MESSAGES - 1] &&
			e->n_bytes == end_of[N_MESSAGES] - end_of[N_MESSAGES - 1];
		is_synced |= is_written && e->call == SHIM_SYNC && e->begin > 0 &&
			e->file == shim->events[e->begin].file && e->begin >= i - 1;
	}
	assert_true(is_written && is_synced);
	kit_close(&kit);
	shim_reset();
}

/* Mail whose content is a batch or a record of this very segment, but for its nonce, which no sender can
 * know. */
static void commit_forgery(uint64_t id, const char *bytes, size_t at, size_t n, size_t total)
{
	char *content = mem_new(total);
	struct spool_envelope env = { .id = id, .reverse_path = SLICE("sender@example.org") };
	static struct spool_entry entries[N_MESSAGES + 4];
	struct spool_message *m;

	memcpy(content + at, bytes, n);
	assert_int_equal(spool_message_new(kit.sp, 0, &m), 0);
	assert_int_equal(spool_message_append(m, (struct slice){ content, total }), 0);
	memset(&entries[id], 0, sizeof(entries[id]));
	spool_message_commit(m, &entries[id], &env, NULL, 0, NULL, NULL);
	kit_run(&kit);
	assert_non_null(entries[id].segment);
	mem_free(content);
}

static struct reading read_problems(size_t n_messages)
{
	struct reading r = { 0 };
	int fd = open(log_dir, O_RDONLY | O_DIRECTORY);

	r.rec.on_problem = reading_problem;
	r.rec.user = &r;
	assert_int_equal(replay_open(&r.replay, fd, O_RDONLY), 0);
	recovery_read(&r.rec, &r.replay);
	assert_int_equal(r.rec.n_sorted, n_messages);
	assert_non_null(recovery_find(&r.rec, 1));
	recovery_free(&r.rec);
	replay_close(&r.replay);
	close(fd);
	return r;
}

static size_t content_offset_in_batch(uint64_t id)
{
	struct spool_envelope env = {
		.id = id, .content_bytes = 12000, .reverse_path = SLICE("sender@example.org")
	};
	struct buf meta = BUF_INIT(1000);
	size_t n;

	format_put_message(&meta, &env, NULL, 0);
	n = FORMAT_BATCH_HEADER + FORMAT_RECORD_HEADER + meta.len;
	buf_free(&meta);
	return n;
}

static void mail_cannot_pose_as_a_batch(void **state)
{
	char header[FORMAT_BATCH_HEADER];
	size_t start = content_offset_in_batch(7);

	kit_open(&kit);
	struct format_batch forged = {
		.generation = kit.sp->commit.head->generation,
		.nonce = 0x4711,
		.first_lsn = UINT64_MAX - 10,
		.last_lsn = UINT64_MAX - 11,
		.synced_lsn = UINT64_MAX - 11,
		.bytes = FORMAT_BATCH_HEADER,
	};
	format_batch_encode(&forged, header);
	commit_forgery(7, header, FORMAT_BLOCK - start, sizeof(header), 12000);
	mem_free(image);
	image_read();
	kit_close_without_checkpoint(&kit);
	size_t at = end_of[N_MESSAGES];
	assert_memory_equal(image + at + FORMAT_BLOCK, header, sizeof(header));
	image[at + start] ^= 1; /* torn */
	image_write(image);
	struct reading r = read_problems(N_MESSAGES);
	assert_int_equal(r.problems[SPOOL_PROBLEM_TORN], 1);
	assert_int_equal(reading_n_damages(&r), 0);
}

static void mail_cannot_pose_as_a_record(void **state)
{
	char header[FORMAT_RECORD_HEADER];
	size_t start = content_offset_in_batch(7);

	kit_open(&kit);
	struct format_record forged = {
		.nonce = 0x4711,
		.generation = kit.sp->commit.head->generation,
		.lsn = kit.sp->commit.next_lsn,
		.id = 1,
		.type = FORMAT_REMOVE,
	};
	format_record_encode(&forged, SLICE_EMPTY, header);
	commit_forgery(7, header, format_pad(start + 1000, 8) - start, sizeof(header), 12000);
	commit_forgery(8, "", 0, 0, 12000);
	mem_free(image);
	image_read();
	kit_close_without_checkpoint(&kit);
	size_t at = end_of[N_MESSAGES];
	assert_memory_equal(image + at + format_pad(start + 1000, 8), header, sizeof(header));
	memset(image + at, 0xFF,
		start); /* confirmed, and its headers are unreadable: the region is searched */
	image_write(image);
	struct reading r = read_problems(N_MESSAGES + 1);
	assert_int_equal(r.problems[SPOOL_PROBLEM_CORRUPT], 1);
	assert_int_equal(r.last.n_salvaged, 0);
}

static void a_later_version_is_refused(void **state)
{
	char *newer = mem_new(image_bytes);

	memcpy(newer, image, image_bytes);
	newer[12] = 2;
	/* the checksum is made by the same code: take the header apart and seal it again */
	uint32_t crc = crc32c(0, (struct slice){ newer + 12, FORMAT_SEGMENT_HEADER - 12 });
	memcpy(newer + 8, &crc, 4);
	image_write(newer);
	assert_int_equal(kit_try_open(&kit), -EPROTONOSUPPORT);
	mem_free(newer);
}

static void missing_segment_is_told(void **state)
{
	uint64_t id = 10;

	for (size_t i = 1; i <= N_MESSAGES; i++)
		kit.messages[i].is_promised = true;
	kit_open(&kit);
	while (kit.sp->n_segments < 3)
		kit_commit(&kit, id++, 9000, 1);
	uint64_t gone = list_first(&kit.sp->segments, struct spool_segment, node)->generation + 1;
	kit_close_without_checkpoint(&kit);
	char path[160];
	(void)snprintf(path, sizeof(path), "%s/%016" PRIX64 ".seg", log_dir, gone);
	assert_int_equal(unlink(path), 0);
	kit_forget(&kit);
	kit_open(&kit);
	assert_int_equal(kit.problems[SPOOL_PROBLEM_SEGMENT_GONE], 1);
	kit_close_without_checkpoint(&kit);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(undamaged_log_is_read),
		TEST(log_cut_at_every_byte),
		TEST(last_batch_torn_by_sectors),
		TEST(flipped_bits_are_told),
		TEST(records_are_salvaged),
		TEST(damaged_segment_header_is_told),
		TEST(a_damaged_spool_goes_on),
		TEST(damaged_content_is_never_read),
		TEST(a_torn_end_is_written_over),
		TEST(torn_batches_do_not_mix),
		TEST(the_last_batch_is_settled_first),
		TEST(mail_cannot_pose_as_a_batch),
		TEST(mail_cannot_pose_as_a_record),
		TEST(a_later_version_is_refused),
		TEST(missing_segment_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
