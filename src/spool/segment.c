/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment.c - segment files: written beforehand, recycled by rename, named after their generation
 *
 * A file has its final name only when all of it, header included, is on stable storage. A file that is to be
 * recycled loses its old name, and that is synced, before a byte of it changes: so a name never stands for
 * another generation's bytes, and files disappear in order. Everything here blocks and runs off the commit
 * thread.
 * Tests: test_reclaim.c, test_crash.c.
 */
#include "spool/spool-private.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/random.h>

void segment_name(uint64_t generation, const char *suffix, char name_out[SPOOL_NAME_MAX])
{
	(void)snprintf(
		name_out, SPOOL_NAME_MAX, "%016" PRIX64 "%s", generation, suffix); /* fits: 16 + suffix */
}

bool segment_name_parse(const char *name, const char *suffix, uint64_t *generation_out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 16; i++) {
		const char *digits = "0123456789ABCDEF";
		const char *digit = name[i] ? strchr(digits, name[i]) : NULL;
		if (!digit)
			return false;
		value = value << 4 | (uint64_t)(digit - digits);
	}
	if (strcmp(name + 16, suffix) != 0)
		return false;
	*generation_out = value;
	return true;
}

struct spool_segment *segment_new(uint64_t generation)
{
	struct spool_segment *s = mem_new(sizeof(*s));

	list_init(&s->node);
	list_init(&s->entries);
	s->generation = generation;
	s->fd = -1;
	return s;
}

void segment_free(struct spool_segment **s)
{
	if (!*s)
		return;
	cleanup_close(&(*s)->fd);
	mem_free(*s);
	*s = NULL;
}

/* Also clears the place of the first batch, so that an unused file is known without looking through it. */
static int segment_write_header(struct spool_segment *s, uint8_t node)
{
	char block[2 * FORMAT_BLOCK] = { 0 };
	struct format_segment header = { .node = node, .generation = s->generation, .bytes = s->bytes };

	if (getrandom(&header.nonce, sizeof(header.nonce), 0) != (ssize_t)sizeof(header.nonce))
		return -EIO;
	format_segment_encode(&header, block);
	s->nonce = header.nonce;
	return file_pwrite_all(s->fd, (struct slice){ block, sizeof(block) }, 0);
}

/* Header, name, and both synced. */
static int segment_finish(int log_fd, struct spool_segment *s, const char *aside, uint8_t node)
{
	char name[SPOOL_NAME_MAX];
	int r = segment_write_header(s, node);

	if (r == 0)
		r = file_sync(s->fd);
	if (r < 0)
		return r;
	segment_name(s->generation, ".seg", name);
	r = file_rename(log_fd, aside, log_fd, name);
	return r < 0 ? r : file_sync_dir(log_fd);
}

int segment_create(int log_fd, struct spool_segment *s, uint64_t bytes, uint8_t node)
{
	char aside[SPOOL_NAME_MAX];
	int r;

	segment_name(s->generation, ".tmp", aside);
	s->fd = openat(log_fd, aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->fd < 0)
		return -errno;
	s->bytes = bytes;
	r = file_write_zeros(s->fd, bytes);
	if (r == 0)
		r = segment_finish(log_fd, s, aside, node);
	if (r < 0)
		(void)!file_unlink(
			log_fd, aside); /* r is the failure to report; the next opening removes it */
	return r;
}

int segment_recycle(int log_fd, struct spool_segment *old, struct spool_segment *s, uint8_t node)
{
	char name[SPOOL_NAME_MAX], aside[SPOOL_NAME_MAX];
	int r;

	segment_name(old->generation, ".seg", name);
	segment_name(s->generation, ".tmp", aside);
	s->fd = take_fd(&old->fd);
	s->bytes = old->bytes;
	r = file_rename(log_fd, name, log_fd, aside);
	if (r == 0)
		r = file_sync_dir(log_fd);
	if (r == 0)
		r = segment_finish(log_fd, s, aside, node);
	if (r < 0)
		(void)!file_unlink(log_fd, aside); /* as above */
	return r;
}

/* The file may be gone already, when an earlier attempt failed half-way: then only the sync is missing. */
int segment_discard(int log_fd, struct spool_segment *s)
{
	char name[SPOOL_NAME_MAX], kept[SPOOL_NAME_MAX];
	int r;

	segment_name(s->generation, ".seg", name);
	segment_name(s->generation, ".bad", kept);
	cleanup_close(&s->fd); /* first, so that the blocks are freed by the unlink, here and not elsewhere */
	s->fd = -1;
	r = s->is_damaged ? file_rename(log_fd, name, log_fd, kept) : file_unlink(log_fd, name);
	return r < 0 && r != -ENOENT ? r : file_sync_dir(log_fd);
}
