/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body.c - long content streams into a file of its own while it arrives, off the loop's thread
 *
 * bodies/N.tmp while it grows; after its fsync it is named bodies/ID.body, and the commit thread syncs the
 * directory before the record that refers to it is written. One work item per body at a time: what arrives
 * meanwhile gathers for the next one.
 * Tests: test_spool.c, test_crash.c, test_faults.c.
 */
#include "spool/spool-private.h"
#include "base/file.h"
#include <fcntl.h>

#define BACKLOG_MAX ((size_t)64 * 1024 * 1024) /* of a sender that does not heed spool_message_backlog */

struct spool_body {
	struct spool *sp;
	uv_work_t work;
	bool is_running;
	uint64_t number; /* of the temporary name */
	uint64_t id;
	int fd;
	int error; /* negative errno that sticks */
	struct buf gather, writing;
	uint64_t at;	    /* where writing belongs */
	uint64_t n_counted; /* its share of spool.memory_used */
	bool must_finish, must_discard;
	bool is_last; /* the running item finishes or discards */
	void (*finished)(struct spool_op *op, int result);
	struct spool_op *op;
};

void body_name(uint64_t id, const char *suffix, char name_out[SPOOL_NAME_MAX])
{
	segment_name(id, suffix, name_out);
}

/* ---- on the pool ---- */

static int body_write(struct spool_body *b)
{
	char name[SPOOL_NAME_MAX];

	if (b->fd < 0) {
		body_name(b->number, ".tmp", name);
		b->fd = openat(
			b->sp->bodies_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
	if (b->fd < 0)
		return -errno;
	return file_pwrite_all(b->fd, buf_slice(&b->writing), b->at);
}

static int body_name_finally(struct spool_body *b)
{
	char name[SPOOL_NAME_MAX], final[SPOOL_NAME_MAX];
	int r = file_sync(b->fd);

	if (r < 0)
		return r;
	body_name(b->number, ".tmp", name);
	body_name(b->id, ".body", final);
	return file_rename(b->sp->bodies_fd, name, b->sp->bodies_fd, final);
}

static void body_discard(struct spool_body *b)
{
	char name[SPOOL_NAME_MAX];

	if (b->fd < 0)
		return;
	body_name(b->number, ".tmp", name);
	(void)!file_unlink(b->sp->bodies_fd, name); /* the next opening removes it */
}

static void body_work(uv_work_t *work)
{
	struct spool_body *b = CONTAINER_OF(work, struct spool_body, work);

	if (!b->error && !b->must_discard && (b->writing.len || b->fd < 0))
		b->error = body_write(b);
	b->at += b->writing.len;
	if (b->is_last && !b->error && !b->must_discard)
		b->error = body_name_finally(b);
	if (b->is_last && (b->error || b->must_discard))
		body_discard(b);
}

/* ---- on the loop ---- */

static void body_count(struct spool_body *b)
{
	b->sp->memory_used += b->gather.cap + b->writing.cap;
	b->sp->memory_used -= b->n_counted;
	b->n_counted = b->gather.cap + b->writing.cap;
}

static void body_free(struct spool_body *b)
{
	buf_free(&b->gather);
	buf_free(&b->writing);
	body_count(b);
	cleanup_close(&b->fd);
	mem_free(b);
}

static void body_kick(struct spool_body *b);

static void body_done(uv_work_t *work, int status)
{
	struct spool_body *b = CONTAINER_OF(work, struct spool_body, work);
	struct spool *sp = b->sp;

	CHECK(status == 0); /* nobody cancels it */
	b->is_running = false;
	buf_free(&b->writing); /* a slow sender holds no memory while it is silent */
	if (!b->is_last) {
		body_kick(b);
		body_count(b);
	} else {
		if (b->op)
			b->finished(b->op, b->error);
		body_free(b);
	}
	spool_work_done(sp);
}

static void body_kick(struct spool_body *b)
{
	struct buf swap = b->writing;
	bool is_last = b->must_finish || b->must_discard;

	if (b->is_running || (!is_last && b->gather.len == 0))
		return;
	b->writing = b->gather;
	b->gather = swap;
	b->is_last = is_last;
	b->is_running = true;
	spool_work_start(b->sp, &b->work, body_work, body_done);
}

int body_new(struct spool *sp, struct spool_body **body_out)
{
	struct spool_body *b = mem_new(sizeof(*b));

	b->sp = sp;
	b->number = sp->next_body++;
	b->fd = -1;
	b->gather = b->writing = BUF_INIT(BACKLOG_MAX);
	*body_out = b;
	return 0;
}

int body_append(struct spool_body *b, struct slice bytes)
{
	/* b->error belongs to the running item; it is seen at the next append or at the end */
	if (!b->is_running && b->error)
		return b->error;
	buf_append(&b->gather, bytes);
	if (!buf_ok(&b->gather))
		return -ENOBUFS;
	body_kick(b);
	body_count(b);
	return 0;
}

uint64_t body_backlog(const struct spool_body *b)
{
	return b->gather.len + b->writing.len;
}

void body_finish(struct spool_body *b, uint64_t id, void (*finished)(struct spool_op *op, int result),
	struct spool_op *op)
{
	b->id = id;
	b->finished = finished;
	b->op = op;
	b->must_finish = true;
	body_kick(b);
}

void body_abort(struct spool_body **b)
{
	struct spool_body *gone = take_ptr(b);

	if (!gone)
		return;
	gone->must_discard = true;
	body_kick(gone);
}
