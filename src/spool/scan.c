/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.c - looking at a spool that nobody has open: every record, every message, and on request all content
 *
 * Reads the whole log, whatever checkpoints there are: it is the truth, they only save time.
 * Tests: test_spool.c, tests/system/test_spool_command.py.
 */
#include "spool/spool-private.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/file.h>

struct scan {
	struct recovery rec;
	const struct spool_visitor *visitor;
	void *user;
	int bodies_fd;
};

struct spool_scanned {
	int fd; /* of the segment or the body file */
	uint64_t at, bytes;
};

static bool scan_check(
	struct scan *scan, const struct loaded *m, const struct spool_scanned *content, int error)
{
	struct spool_problem problem = {
		.kind = SPOOL_PROBLEM_BODY_GONE,
		.id = m->id,
		.generation = m->has_body_file ? 0 : m->segment->generation,
		.offset = content->at,
		.bytes = content->bytes,
		.error = error,
	};
	uint32_t crc = 0;

	if (error == 0 && scan->visitor->verify_content) {
		problem.kind = SPOOL_PROBLEM_CONTENT;
		problem.error = content_crc(content->fd, content->at, content->bytes, &crc);
	}
	if (error == 0 && (!scan->visitor->verify_content || (problem.error == 0 && crc == m->content_crc)))
		return true;
	recovery_report(&scan->rec, &problem);
	return false;
}

static void scan_content(struct scan *scan, const struct loaded *m)
{
	struct spool_scanned content = { m->segment->fd, m->content_at, m->env.content_bytes };
	auto_close int body = -1;
	bool is_whole;
	int error = 0;

	if (m->has_body_file) {
		error = content_open_body(scan->bodies_fd, m->id, m->env.content_bytes, &body);
		content.fd = body;
		content.at = 0;
	}
	is_whole = scan_check(scan, m, &content, error);
	if (scan->visitor->message)
		scan->visitor->message(scan->user, &m->env, m->rcpts.at, m->rcpts.n);
	if (scan->visitor->content)
		scan->visitor->content(scan->user, &m->env, &content, is_whole);
}

int spool_scanned_read(const struct spool_scanned *content, uint64_t offset, size_t max, struct buf *to)
{
	size_t n = (size_t)MIN((uint64_t)max, content->bytes - MIN(offset, content->bytes));
	char *room = buf_reserve(to, n);
	int r;

	if (!room)
		return -ENOMEM;
	r = file_pread_all(content->fd, room, n, content->at + offset);
	if (r == 0)
		buf_grew(to, n);
	return r;
}

static void scan_message(struct scan *scan, struct recovered *recovered)
{
	struct loaded m;

	loaded_from_log(&m, recovered);
	if (m.is_bad) {
		recovery_report(&scan->rec, &m.problem);
	} else {
		scan_content(scan, &m);
	}
	loaded_free(&m);
}

static int by_id(const void *a, const void *b)
{
	const struct recovered *x = *(struct recovered *const *)a, *y = *(struct recovered *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

static int scan_run(struct scan *scan, int log_fd)
{
	struct replay replay = { 0 };
	int r = replay_open(&replay, log_fd, O_RDONLY);

	scan->rec.visitor = scan->visitor;
	scan->rec.on_problem = scan->visitor->problem;
	scan->rec.user = scan->user;
	if (r == 0)
		recovery_read(&scan->rec, &replay);
	if (r == 0 && scan->visitor->high_water)
		scan->visitor->high_water(scan->user, replay.high_water);
	if (scan->rec.n_sorted)
		qsort(scan->rec.sorted, scan->rec.n_sorted, sizeof(struct recovered *), by_id);
	for (size_t i = 0; i < scan->rec.n_sorted; i++)
		scan_message(scan, scan->rec.sorted[i]);
	recovery_free(&scan->rec);
	replay_close(&replay);
	return r;
}

int spool_scan(const char *dir, const struct spool_visitor *visitor, void *user)
{
	struct scan scan = { .visitor = visitor, .user = user };
	auto_close int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int lock_fd = -1, log_fd = -1, bodies_fd = -1;

	if (dir_fd < 0)
		return -errno;
	lock_fd = openat(dir_fd, "lock", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (lock_fd < 0)
		return -errno;
	if (flock(lock_fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	log_fd = openat(dir_fd, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (log_fd < 0)
		return -errno;
	bodies_fd = openat(dir_fd, "bodies", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (bodies_fd < 0)
		return -errno;
	scan.bodies_fd = bodies_fd;
	return scan_run(&scan, log_fd);
}
