/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content.c - reading the content of messages: the accept buffer while it is kept, else the disk
 *
 * A fresh message keeps the very buffer that was written to the log, so that delivering it reads nothing.
 * Buffers go when the queue says so, or the oldest first when they exceed the budget. Content from disk is
 * checked as a whole before its first byte is handed out: what is damaged never leaves as mail.
 * Tests: test_spool.c, test_damage.c.
 */
#include "spool/spool-private.h"
#include "base/crc32c.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/stat.h>

#define READ_BYTES (64 * 1024)

struct spool_content *content_new(size_t max_bytes)
{
	struct spool_content *c = mem_new(sizeof(*c));

	list_init(&c->recent);
	c->bytes = BUF_INIT(max_bytes);
	c->n_refs = 1;
	return c;
}

void content_count(struct spool *sp, struct spool_content *c)
{
	sp->memory_used += c->bytes.cap;
	sp->memory_used -= c->counted;
	c->counted = c->bytes.cap;
}

void content_unref(struct spool *sp, struct spool_content **c)
{
	struct spool_content *gone = take_ptr(c);

	if (!gone || --gone->n_refs > 0)
		return;
	list_remove(&gone->recent);
	sp->memory_used -= gone->counted;
	buf_free(&gone->bytes);
	mem_free(gone);
}

void content_attach(struct spool *sp, struct spool_entry *entry, struct spool_content *c)
{
	CHECK(!entry->is_cached);
	c->n_refs++;
	c->entry = entry;
	c->place = entry->place;
	entry->cached = c;
	entry->is_cached = true;
	list_push_back(&sp->recent, &c->recent);
	sp->memory_cached += c->counted;
	content_trim(sp);
}

void content_trim(struct spool *sp)
{
	while (sp->memory_used > sp->set.memory_budget && !list_empty(&sp->recent))
		spool_content_forget(sp, list_first(&sp->recent, struct spool_content, recent)->entry);
}

void spool_content_forget(struct spool *sp, struct spool_entry *entry)
{
	struct spool_content *c = entry->cached;

	if (!entry->is_cached)
		return;
	list_remove(&c->recent);
	sp->memory_cached -= c->counted;
	c->entry = NULL;
	entry->place = c->place;
	entry->is_cached = false;
	content_unref(sp, &c);
}

bool spool_content_peek(const struct spool_entry *entry, struct slice *content_out)
{
	if (!entry->is_cached)
		return false;
	*content_out = buf_slice(&entry->cached->bytes);
	return true;
}

int content_pread(int fd, uint64_t offset, uint64_t n, struct buf *to)
{
	char *room = n > SIZE_MAX ? NULL : buf_reserve(to, (size_t)n);
	int r;

	if (!room)
		return -EFBIG;
	r = file_pread_all(fd, room, (size_t)n, offset);
	if (r == 0)
		buf_grew(to, (size_t)n);
	return r == -ENODATA ? -EBADMSG : r;
}

int content_crc(int fd, uint64_t offset, uint64_t n, uint32_t *crc_out)
{
	char chunk[READ_BYTES];
	uint32_t crc = 0;

	while (n > 0) {
		size_t part = (size_t)MIN(n, (uint64_t)sizeof(chunk));
		int r = file_pread_all(fd, chunk, part, offset);
		if (r < 0)
			return r == -ENODATA ? -EBADMSG : r;
		crc = crc32c(crc, (struct slice){ chunk, part });
		offset += part;
		n -= part;
	}
	*crc_out = crc;
	return 0;
}

int content_open_body(int bodies_fd, uint64_t id, uint64_t bytes, int *fd_out)
{
	char name[SPOOL_NAME_MAX];
	struct stat st;
	auto_close int fd = -1;

	body_name(id, ".body", name);
	fd = openat(bodies_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != bytes)
		return -EBADMSG;
	*fd_out = take_fd(&fd);
	return 0;
}

static int content_verify(struct spool *sp, struct spool_entry *entry, int fd, uint64_t start)
{
	uint32_t crc;
	int r = content_crc(fd, start, entry->content_bytes, &crc);

	if (r == 0 && crc != entry_place_of(entry)->content_crc)
		r = -EBADMSG;
	if (r < 0)
		spool_report(sp,
			&(struct spool_problem){
				.kind = SPOOL_PROBLEM_CONTENT,
				.id = entry->id,
				.generation = entry->segment->generation,
				.offset = entry_place_of(entry)->content_at,
				.bytes = entry->content_bytes,
				.error = r,
			});
	entry->is_verified = r == 0;
	return r;
}

int spool_content_read(
	struct spool *sp, struct spool_entry *entry, uint64_t offset, size_t max, struct buf *to)
{
	auto_close int body = -1;
	struct slice cached;
	uint64_t start = entry->has_body_file ? 0 : entry_place_of(entry)->content_at;
	int fd, r = 0;

	CHECK(entry->segment);
	if (offset >= entry->content_bytes)
		return 0;
	max = (size_t)MIN((uint64_t)max, entry->content_bytes - offset);
	if (spool_content_peek(entry, &cached)) {
		buf_append(to, slice_first(slice_from(cached, (size_t)offset), max));
		return buf_ok(to) ? 0 : -EFBIG;
	}
	if (entry->has_body_file)
		r = content_open_body(sp->bodies_fd, entry->id, entry->content_bytes, &body);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	fd = entry->has_body_file ? body : entry->segment->fd;
	if (!entry->is_verified)
		r = content_verify(sp, entry, fd, start);
	return r < 0 ? r : content_pread(fd, start + offset, max, to);
}
