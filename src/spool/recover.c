/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recover.c - from the records of the log to the messages that live: used by opening and by spool_scan
 *
 * Per message the undecoded fields of its last MESSAGE record and of every change behind it are kept; they
 * are decoded together when the message is handed on, one at a time. A MESSAGE record replaces whatever was
 * there (a copy holds the state at its place in the log), so replaying is idempotent. Changes of messages
 * that are not known are those of messages that are gone; they mean nothing.
 */
#include "spool/spool-private.h"
#include "base/crc32c.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/file.h>

struct change_head { /* in memory only, in front of each change */
	uint32_t type, bytes;
};

void recovery_report(struct recovery *rec, const struct spool_problem *problem)
{
	if (rec->on_problem)
		rec->on_problem(rec->user, problem);
}

static struct recovered *recovery_find(const struct recovery *rec, uint64_t id)
{
	uint64_t hash = table_hash_u64(id);

	for (struct table_node *n = table_first(&rec->messages, hash); n; n = table_next(n, hash)) {
		struct recovered *m = CONTAINER_OF(n, struct recovered, by_id);
		if (m->id == id)
			return m;
	}
	return NULL;
}

bool recovery_has(const struct recovery *rec, uint64_t id)
{
	return recovery_find(rec, id) != NULL;
}

static void recovered_free(struct recovered *m)
{
	buf_free(&m->changes);
	mem_free(m);
}

static void recovered_add_change(struct recovered *m, const struct replay_record *r)
{
	struct change_head head = { .type = r->head.type, .bytes = r->head.meta_bytes };

	buf_append(&m->changes, (struct slice){ (const char *)&head, sizeof(head) });
	buf_append(&m->changes, r->meta);
}

static void recovery_on_message(struct recovery *rec, const struct replay_record *r)
{
	struct recovered *m = recovery_find(rec, r->head.id);

	if (!m) {
		m = mem_new(sizeof(*m));
		m->id = r->head.id;
		table_insert(&rec->messages, &m->by_id, table_hash_u64(m->id));
	}
	buf_free(&m->changes);
	m->changes = BUF_INIT(SIZE_MAX / 2);
	recovered_add_change(m, r);
	m->segment = r->segment;
	m->record_at = r->offset;
	m->record_bytes = format_record_bytes(&r->head);
	m->content_at = r->offset + FORMAT_RECORD_HEADER + r->head.meta_bytes;
	m->content_crc = r->head.content_crc;
	m->has_body_file = r->head.flags & FORMAT_BODY_FILE;
	rec->replay.high_water = MAX(rec->replay.high_water, m->id + 1);
}

static void recovery_on_change(struct recovery *rec, const struct replay_record *r)
{
	struct recovered *m = recovery_find(rec, r->head.id);

	if (!m)
		return;
	if (r->head.type != FORMAT_REMOVE) {
		recovered_add_change(m, r);
		return;
	}
	table_remove(&rec->messages, &m->by_id);
	recovered_free(m);
}

static void recovery_on_high_water(struct recovery *rec, const struct replay_record *r)
{
	uint64_t value;

	if (format_get_number(r->meta, UINT64_MAX, &value))
		rec->replay.high_water = MAX(rec->replay.high_water, value);
}

static void recovery_on_record(void *user, const struct replay_record *r)
{
	struct recovery *rec = user;

	if (rec->visitor && rec->visitor->record)
		rec->visitor->record(rec->user, r->segment->generation, r->offset, r->head.lsn, r->head.id,
			r->head.type, r->meta, r->head.content_bytes);
	switch (r->head.type) {
	case FORMAT_MESSAGE: recovery_on_message(rec, r); return;
	case FORMAT_EXPAND:
	case FORMAT_RESULT:
	case FORMAT_FLAGS:
	case FORMAT_REMOVE: recovery_on_change(rec, r); return;
	case FORMAT_HIGH_WATER: recovery_on_high_water(rec, r); return;
	}
	recovery_report(rec,
		&(struct spool_problem){
			.kind = SPOOL_PROBLEM_CORRUPT,
			.id = r->head.id,
			.generation = r->segment->generation,
			.offset = r->offset,
			.bytes = format_record_bytes(&r->head),
			.first_lsn = r->head.lsn,
			.last_lsn = r->head.lsn,
		});
}

static void recovery_on_replay_problem(void *user, const struct spool_problem *problem)
{
	recovery_report(user, problem);
}

static int recovered_by_id(const void *a, const void *b)
{
	const struct recovered *x = *(struct recovered *const *)a, *y = *(struct recovered *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

static void recovery_collect(struct table_node *node, void *user)
{
	struct recovery *rec = user;

	rec->sorted[rec->n_sorted++] = CONTAINER_OF(node, struct recovered, by_id);
}

int recovery_read(struct recovery *rec, int log_fd, int open_flags)
{
	struct replay *r = &rec->replay;
	int result;

	rec->messages = TABLE_INIT;
	*r = (struct replay){
		.on_record = recovery_on_record,
		.on_problem = recovery_on_replay_problem,
		.user = rec,
	};
	result = replay_open(r, log_fd, open_flags);
	if (result < 0)
		return result;
	replay_run(r);
	rec->sorted = mem_new_array(rec->messages.n, sizeof(struct recovered *));
	table_each(&rec->messages, recovery_collect, rec);
	qsort(rec->sorted, rec->n_sorted, sizeof(struct recovered *), recovered_by_id);
	return 0;
}

static void recovery_free_one(struct table_node *node, void *user)
{
	recovered_free(CONTAINER_OF(node, struct recovered, by_id));
}

void recovery_free(struct recovery *rec)
{
	table_each(&rec->messages, recovery_free_one, NULL);
	table_deinit(&rec->messages);
	mem_free(rec->sorted);
	replay_close(&rec->replay);
}

/* ---- state ---- */

/* A change that does not fit (the one before it was lost to damage) leaves the state as it is. */
static void recovered_apply(
	unsigned type, struct slice meta, struct spool_envelope *env, struct format_rcpts *rcpts)
{
	size_t n_before = rcpts->n;
	uint64_t flags;

	switch (type) {
	case FORMAT_EXPAND:
		if (!format_get_expand(meta, rcpts))
			rcpts->n = n_before;
		return;
	case FORMAT_RESULT: (void)!format_get_result(meta, rcpts); return;
	case FORMAT_FLAGS:
		if (format_get_number(meta, UINT32_MAX, &flags))
			env->flags = (uint32_t)flags;
		return;
	}
}

bool recovered_describe(
	const struct recovered *m, struct spool_envelope *env_out, struct format_rcpts *rcpts_out)
{
	struct slice rest = buf_slice(&m->changes);
	bool is_first = true;

	while (rest.len) {
		struct change_head head;
		struct slice meta;
		memcpy(&head, rest.at, sizeof(head));
		meta = slice_first(slice_from(rest, sizeof(head)), head.bytes);
		rest = slice_from(rest, sizeof(head) + head.bytes);
		if (!is_first)
			recovered_apply(head.type, meta, env_out, rcpts_out);
		else if (!format_get_message(meta, env_out, rcpts_out))
			return false;
		is_first = false;
	}
	env_out->id = m->id;
	return true;
}

/* ---- looking at a spool that nobody has open ---- */

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
	struct scan *scan, const struct recovered *m, const struct spool_scanned *content, int error)
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

static void scan_content(struct scan *scan, const struct recovered *m, const struct spool_envelope *env,
	const struct format_rcpts *rcpts)
{
	struct spool_scanned content = { m->segment->fd, m->content_at, env->content_bytes };
	auto_close int body = -1;
	bool is_whole;
	int error = 0;

	if (m->has_body_file) {
		error = content_open_body(scan->bodies_fd, m->id, env->content_bytes, &body);
		content.fd = body;
		content.at = 0;
	}
	is_whole = scan_check(scan, m, &content, error);
	if (scan->visitor->message)
		scan->visitor->message(scan->user, env, rcpts->at, rcpts->n);
	if (scan->visitor->content)
		scan->visitor->content(scan->user, env, &content, is_whole);
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

static void scan_message(struct scan *scan, const struct recovered *m)
{
	struct format_rcpts rcpts = { 0 };
	struct spool_envelope env;

	if (recovered_describe(m, &env, &rcpts)) {
		scan_content(scan, m, &env, &rcpts);
	} else {
		recovery_report(&scan->rec,
			&(struct spool_problem){
				.kind = SPOOL_PROBLEM_CORRUPT,
				.id = m->id,
				.generation = m->segment->generation,
				.offset = m->record_at,
				.bytes = m->record_bytes,
			});
	}
	format_rcpts_free(&rcpts);
}

static int scan_run(struct scan *scan, int log_fd)
{
	int r;

	scan->rec.visitor = scan->visitor;
	scan->rec.on_problem = scan->visitor->problem;
	scan->rec.user = scan->user;
	r = recovery_read(&scan->rec, log_fd, O_RDONLY);
	if (r == 0 && scan->visitor->high_water)
		scan->visitor->high_water(scan->user, scan->rec.replay.high_water);
	for (size_t i = 0; r == 0 && i < scan->rec.n_sorted; i++)
		scan_message(scan, scan->rec.sorted[i]);
	recovery_free(&scan->rec);
	return r;
}

int spool_scan(const char *dir, const struct spool_visitor *visitor, void *user)
{
	struct scan scan = { .visitor = visitor, .user = user };
	auto_close int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int lock_fd = -1, log_fd = -1, bodies_fd = -1;

	if (dir_fd < 0)
		return -errno;
	lock_fd = openat(dir_fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
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
