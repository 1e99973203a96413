/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint_read.c - a checkpoint is used only when every byte of it is right
 *
 * So it is read twice: once to judge it, once to hand its messages over. Nothing in it is believed that its
 * checksums do not cover, and nothing is missed without one: slices are numbered, and the last one says how
 * many messages there are.
 * Tests: test_checkpoint.c, fuzz/fuzz_spool_checkpoint.c.
 */
#include "spool/spool-private.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/stat.h>

static int newest_first(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x < y) - (x > y);
}

int checkpoint_list(int log_fd, uint64_t **numbers_out, size_t *n_out)
{
	struct buf numbers = BUF_INIT(SIZE_MAX / 2);
	uint64_t number;
	struct dirent *e;
	DIR *dir;
	int r = file_list(log_fd, ".", &dir);

	if (r < 0)
		return r;
	while ((e = readdir(dir)) != NULL)
		if (segment_name_parse(e->d_name, ".ckpt", &number))
			buf_append(&numbers, (struct slice){ (const char *)&number, sizeof(number) });
	(void)closedir(dir); /* was only read */
	*n_out = numbers.len / sizeof(number);
	*numbers_out = mem_new_array(*n_out, sizeof(number));
	if (numbers.len)
		memcpy(*numbers_out, numbers.at, numbers.len);
	qsort(*numbers_out, *n_out, sizeof(number), newest_first);
	buf_free(&numbers);
	return 0;
}

void checkpoint_rewind(struct checkpoint_reader *r)
{
	r->at = FORMAT_CHECKPOINT_HEADER;
	r->number = 0;
}

static int checkpoint_read_head(struct checkpoint_reader *r, uint64_t number)
{
	char header[FORMAT_CHECKPOINT_HEADER];
	struct stat st;
	int result;

	if (fstat(r->fd, &st) < 0)
		return -errno;
	r->bytes = (uint64_t)st.st_size;
	result = file_pread_all(r->fd, header, sizeof(header), 0);
	if (result < 0)
		return result == -ENODATA ? -EBADMSG : result;
	switch (format_checkpoint_decode(header, &r->head)) {
	case FORMAT_OK: return r->head.number == number ? 0 : -EBADMSG;
	case FORMAT_NEWER: return -EPROTONOSUPPORT;
	case FORMAT_BAD: break;
	}
	return -EBADMSG;
}

int checkpoint_next(struct checkpoint_reader *r)
{
	char header[FORMAT_SLICE_HEADER];
	int result = file_pread_all(r->fd, header, sizeof(header), r->at);
	char *room;

	if (result < 0)
		return result == -ENODATA ? -EBADMSG : result;
	if (format_slice_decode(header, &r->slice) != FORMAT_OK)
		return -EBADMSG;
	if (r->slice.nonce != r->head.nonce || r->slice.number != r->number || r->slice.lsn < r->head.lsn ||
		r->slice.bytes > r->bytes - r->at - sizeof(header))
		return -EBADMSG;
	buf_clear(&r->payload);
	room = buf_reserve(&r->payload, r->slice.bytes);
	if (!room)
		return -ENOMEM;
	result = file_pread_all(r->fd, room, r->slice.bytes, r->at + sizeof(header));
	if (result < 0)
		return result;
	buf_grew(&r->payload, r->slice.bytes);
	r->at += sizeof(header) + r->slice.bytes;
	r->number++;
	return format_slice_check(header, buf_slice(&r->payload)) ? 0 : -EBADMSG;
}

/* As many entries as it says, and nothing else. */
static bool slice_is_whole(const struct checkpoint_reader *r)
{
	struct slice rest = buf_slice(&r->payload);
	struct format_entry e;
	uint32_t n = 0;

	while (rest.len && n < r->slice.n_entries && format_get_entry(&rest, &e))
		n++;
	return rest.len == 0 && n == r->slice.n_entries;
}

/* Every slice up to the end of the file. */
static int checkpoint_judge(struct checkpoint_reader *r)
{
	uint64_t n_messages = 0;
	int result;

	checkpoint_rewind(r);
	while ((result = checkpoint_next(r)) == 0 && r->slice.kind == FORMAT_SLICE_MESSAGES) {
		if (!slice_is_whole(r))
			return -EBADMSG;
		n_messages += r->slice.n_entries;
	}
	if (result < 0)
		return result;
	if (r->slice.n_entries ||
		!format_get_references(
			buf_slice(&r->payload), &r->n_messages, &r->references, &r->n_references))
		return -EBADMSG;
	return r->n_messages == n_messages && r->at == r->bytes ? 0 : -EBADMSG;
}

int checkpoint_open(struct checkpoint_reader *r, int log_fd, uint64_t number)
{
	char name[SPOOL_NAME_MAX];
	int result;

	*r = (struct checkpoint_reader){ .payload = BUF_INIT(UINT32_MAX) };
	segment_name(number, ".ckpt", name);
	r->fd = openat(log_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (r->fd < 0)
		return -errno;
	result = checkpoint_read_head(r, number);
	if (result == 0)
		result = checkpoint_judge(r);
	checkpoint_rewind(r);
	if (result < 0)
		checkpoint_close(r);
	return result;
}

void checkpoint_close(struct checkpoint_reader *r)
{
	cleanup_close(&r->fd);
	buf_free(&r->payload);
	mem_free(r->references);
	r->references = NULL;
	r->n_references = 0;
	r->fd = -1;
}
