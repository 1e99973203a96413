/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_spool_checkpoint.c - a checkpoint with any bytes in it: what is taken for a whole one is one, byte for
 * byte
 *
 * Bit 0 of the first byte: put right the checksums, nonces, numbers and lengths of what looks like a
 * checkpoint, so that the mutations get past them. What the reader accepts is written again, and must be the
 * same file.
 */
#include "spool/spool-private.h"
#include "base/crc32c.h"
#include <fcntl.h>

#define NUMBER 1
#define NAME "0000000000000001.ckpt"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int log_fd = -1;
static char log_dir[] = "/tmp/fuzz-spool-XXXXXX";

static void close_log(void)
{
	(void)unlinkat(log_fd, NAME, 0); /* what is not there need not go */
	(void)rmdir(log_dir);		 /* a directory left behind harms nobody */
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
	uint32_t crc;

	header[12] = FORMAT_VERSION;
	header[13] = 0;
	crc = crc32c(0, (struct slice){ header + 12, n - 12 });
	memcpy(header + 8, &crc, sizeof(crc));
}

static void repair(char *bytes, size_t size)
{
	uint64_t number = NUMBER, nonce;

	if (size < FORMAT_CHECKPOINT_HEADER)
		return;
	memcpy(bytes, "PRSPLCKP", 8);
	memcpy(bytes + 16, &number, 8);
	memcpy(&nonce, bytes + 24, 8);
	seal(bytes, FORMAT_CHECKPOINT_HEADER);
	number = 0;
	for (size_t at = FORMAT_CHECKPOINT_HEADER; size - at >= FORMAT_SLICE_HEADER; number++) {
		char *slice = bytes + at;
		size_t left = size - at - FORMAT_SLICE_HEADER;
		uint32_t n;
		memcpy(&n, slice + 20, 4);
		n = (uint32_t)MIN((size_t)n, left); /* the last one reaches to the end */
		memcpy(slice, "PRSPLSLI", 8);
		memcpy(slice + 20, &n, 4);
		memcpy(slice + 24, &nonce, 8);
		memcpy(slice + 32, &number, 8);
		seal(slice, FORMAT_SLICE_HEADER + n);
		at += FORMAT_SLICE_HEADER + n;
	}
}

static void write_file(struct slice bytes)
{
	int fd = openat(log_fd, NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK(write(fd, bytes.at, bytes.len) == (ssize_t)bytes.len);
	CHECK(close(fd) == 0);
}

/* Its messages, decoded as opening does it, and encoded again. */
static void copy_entries(struct checkpoint_reader *r, struct buf *payload)
{
	static const struct replay_segment segment = { .generation = 7 };
	struct slice rest = buf_slice(&r->payload);
	struct format_entry e;

	for (uint32_t i = 0; i < r->slice.n_entries; i++) {
		struct loaded loaded;
		CHECK(format_get_entry(&rest, &e));
		loaded_from_entry(&loaded, &e, &segment, r->slice.lsn, NULL);
		CHECK(loaded.env.id == e.id);
		loaded_free(&loaded);
		format_put_entry(payload, &e);
	}
	CHECK(rest.len == 0);
}

static void copy_slice(struct checkpoint_reader *r, struct buf *file)
{
	struct buf payload = BUF_INIT(UINT32_MAX);
	char header[FORMAT_SLICE_HEADER];

	if (r->slice.kind == FORMAT_SLICE_END)
		format_put_references(&payload, r->n_messages, r->references, r->n_references);
	else
		copy_entries(r, &payload);
	format_slice_encode(&r->slice, buf_slice(&payload), header);
	buf_append(file, (struct slice){ header, sizeof(header) });
	buf_append(file, buf_slice(&payload));
	buf_free(&payload);
}

static void check_whole(struct checkpoint_reader *r, struct slice bytes)
{
	struct buf file = BUF_INIT(2 * bytes.len);
	char header[FORMAT_CHECKPOINT_HEADER];

	format_checkpoint_encode(&r->head, header);
	buf_append(&file, (struct slice){ header, sizeof(header) });
	do {
		CHECK(checkpoint_next(r) == 0);
		copy_slice(r, &file);
	} while (r->slice.kind != FORMAT_SLICE_END);
	CHECK(slice_eq(buf_slice(&file), bytes));
	buf_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct checkpoint_reader reader;
	struct slice file;
	char *bytes;

	if (size < 1)
		return 0;
	if (log_fd < 0)
		open_log();
	bytes = mem_new(size);
	memcpy(bytes, data, size);
	file = (struct slice){ bytes + 1, size - 1 };
	if (bytes[0] & 1)
		repair(bytes + 1, file.len);
	write_file(file);
	if (checkpoint_open(&reader, log_fd, NUMBER) == 0) {
		check_whole(&reader, file);
		checkpoint_close(&reader);
	}
	mem_free(bytes);
	return 0;
}
