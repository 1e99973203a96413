/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_spool_segment.c - recovery of a log of up to two segments with any bytes in them
 *
 * Bit 0 of the first byte: put right the checksums, generations and nonces of whatever looks like a header,
 * so that the mutations get past them. Bit 1: the rest is two segments, halved at a block, instead of one.
 */
#include "spool/spool-private.h"
#include "base/crc32c.h"
#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int log_fd = -1;

static void remove_files(void)
{
	(void)unlinkat(log_fd, "0000000000000001.seg", 0); /* what is not there need not go */
	(void)unlinkat(log_fd, "0000000000000002.seg", 0);
}

static char log_dir[] = "/tmp/fuzz-spool-XXXXXX";

static void close_log(void)
{
	remove_files();
	(void)rmdir(log_dir); /* a directory left behind harms nobody */
}

static void open_log(void)
{
	CHECK(mkdtemp(log_dir));
	log_fd = open(log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(log_fd >= 0);
	CHECK(atexit(close_log) == 0);
}

static void seal(char *header, size_t n)
{
	uint32_t crc = crc32c(0, (struct slice){ header + 12, n - 12 });

	memcpy(header + 8, &crc, sizeof(crc));
}

/* Records from at on, as far as their lengths lead. */
static void repair_records(char *at, char *end, uint64_t generation, uint64_t nonce)
{
	while (end - at >= FORMAT_RECORD_HEADER) {
		struct format_record r;
		format_record_decode(at, &r);
		r.generation = generation;
		r.nonce = nonce;
		if (r.meta_bytes > (size_t)(end - at) - FORMAT_RECORD_HEADER ||
			r.content_bytes > (size_t)(end - at) || format_record_bytes(&r) > (size_t)(end - at))
			return;
		format_record_encode(&r, (struct slice){ at + FORMAT_RECORD_HEADER, r.meta_bytes }, at);
		at += format_record_bytes(&r);
	}
}

static void repair(char *bytes, size_t size, uint64_t generation)
{
	uint64_t nonce = 0x1122334455667788;

	for (size_t at = 0; at + FORMAT_BLOCK <= size; at += FORMAT_BLOCK) {
		char *header = bytes + at;
		if (at && memcmp(header, "PRSPLBAT", 8) != 0)
			continue;
		header[12] = 1;
		header[13] = 0;
		memcpy(header + (at ? 24 : 16), &generation, 8);
		memcpy(header + (at ? 32 : 24), &nonce, 8);
		seal(header, at ? FORMAT_BATCH_HEADER : FORMAT_SEGMENT_HEADER);
		if (at)
			repair_records(header + FORMAT_BATCH_HEADER, bytes + size, generation, nonce);
	}
}

static void write_segment(const uint8_t *data, size_t size, uint64_t generation, bool repairs)
{
	char name[SPOOL_NAME_MAX], *bytes = mem_new(size);
	int fd;

	if (size)
		memcpy(bytes, data, size);
	if (repairs)
		repair(bytes, size, generation);
	segment_name(generation, ".seg", name);
	fd = openat(log_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK(write(fd, bytes, size) == (ssize_t)size);
	CHECK(close(fd) == 0);
	mem_free(bytes);
}

static void look_at(struct recovered *m)
{
	struct loaded loaded;

	loaded_from_log(&loaded, m);
	CHECK(loaded.env.id == m->id);
	loaded_free(&loaded);
}

static void survey_record(void *user, const struct replay_record *r)
{
	(void)user, (void)r;
}

static void survey_problem(void *user, const struct spool_problem *problem)
{
	(void)user, (void)problem;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recovery rec = { 0 };
	struct replay replay = { 0 };
	size_t half = size / 2 / FORMAT_BLOCK * FORMAT_BLOCK;

	if (size < 1)
		return 0;
	if (log_fd < 0)
		open_log();
	remove_files();
	if (data[0] & 2) {
		write_segment(data + 1, half, 1, data[0] & 1);
		write_segment(data + 1 + half, size - 1 - half, 2, data[0] & 1);
	} else {
		write_segment(data + 1, size - 1, 1, data[0] & 1);
	}
	/* As opening does it: the end first, then all of it again up to that end. */
	if (replay_open(&replay, log_fd, O_RDONLY) == 0) {
		rec.replay = &replay;
		replay.on_record = survey_record;
		replay.on_problem = survey_problem;
		replay_survey(&replay);
		uint64_t last_lsn = replay.last_lsn;
		replay_rewind(&replay);
		recovery_read(&rec, &replay);
		CHECK(replay.last_lsn <= last_lsn || replay.is_damaged);
	}
	for (size_t i = 0; i < rec.n_sorted; i++)
		look_at(rec.sorted[i]);
	recovery_free(&rec);
	replay_close(&replay);
	return 0;
}
