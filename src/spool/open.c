/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open.c - opening a spool: lock, replay, settle the end of the log, hand over what lives, sweep, start
 *
 * Nothing is changed on disk before the whole log has been read, and nothing is handed over before the last
 * batch has been written over itself and synced: a message that is acted on does not vanish with a power cut.
 */
#include "spool/spool-private.h"
#include "base/file.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

/* Numbers start anew far behind the last one, so that no number stands for two records, even torn ones. One
 * batch has fewer records: its ceiling is far below LSN_JUMP * FORMAT_RECORD_HEADER bytes. */
#define LSN_JUMP (UINT64_C(1) << 32)
#define DEFAULT_SEGMENT (UINT64_C(64) * 1024 * 1024)
#define DEFAULT_THRESHOLD (UINT64_C(256) * 1024)
#define DEFAULT_BUDGET (UINT64_C(64) * 1024 * 1024)
#define DEFAULT_BATCH (UINT64_C(8) * 1024 * 1024)
#define DEFAULT_FLUSH_MS 200
#define DEFAULT_RETRY_MS 1000
#define SEGMENT_MIN (UINT64_C(64) * 1024)
#define DEAD_BODIES_MAX ((size_t)8 * 1024 * 1024) /* a million ids */

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
	return value ? value : otherwise;
}

static struct spool_settings settings_complete(const struct spool_settings *given)
{
	struct spool_settings s = *given;

	s.segment_bytes =
		format_pad(MAX(or_default(s.segment_bytes, DEFAULT_SEGMENT), SEGMENT_MIN), FORMAT_BLOCK);
	s.body_threshold = MIN(or_default(s.body_threshold, DEFAULT_THRESHOLD), s.segment_bytes / 4);
	s.memory_budget = or_default(s.memory_budget, DEFAULT_BUDGET);
	s.batch_bytes = MIN(or_default(s.batch_bytes, DEFAULT_BATCH), s.segment_bytes / 4);
	s.reserve_segments = (unsigned)or_default(s.reserve_segments, 1);
	s.flush_ms = (uint32_t)or_default(s.flush_ms, DEFAULT_FLUSH_MS);
	s.retry_ms = (uint32_t)or_default(s.retry_ms, DEFAULT_RETRY_MS);
	return s;
}

/* ---- directories and the lock ---- */

static int open_dir(int at, const char *name, int *fd_out)
{
	int fd;

	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*fd_out = fd;
	return 0;
}

static int open_files(struct spool *sp, const char *dir)
{
	int r;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	sp->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sp->dir_fd < 0)
		return -errno;
	sp->lock_fd = openat(sp->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (sp->lock_fd < 0)
		return -errno;
	if (flock(sp->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	r = open_dir(sp->dir_fd, "log", &sp->log_fd);
	if (r == 0)
		r = open_dir(sp->dir_fd, "bodies", &sp->bodies_fd);
	return r < 0 ? r : file_sync_dir(sp->dir_fd);
}

/* ---- segments ---- */

static struct spool_segment *take_segment(struct replay_segment *from)
{
	struct spool_segment *s = segment_new(from->generation);

	s->nonce = from->header.nonce;
	s->bytes = from->file_bytes;
	s->fd = take_fd(&from->fd);
	s->is_damaged = from->is_damaged;
	return s;
}

/* In use: to the books. Prepared, and younger than all in use: ready again. Anything else is of no use. */
static void take_segments(struct spool *sp, struct replay *r, struct spool_segment **by_index)
{
	uint64_t newest = r->tail ? r->tail->generation : 0;

	for (size_t i = 0; i < r->n_segments; i++) {
		struct replay_segment *from = &r->segments[i];
		bool is_ready = !from->is_used && from->has_header && from->generation > newest &&
			from->file_bytes == sp->set.segment_bytes;
		struct spool_segment *s = take_segment(from);
		by_index[i] = s;
		sp->next_generation = MAX(sp->next_generation, s->generation + 1);
		if (from->is_used) {
			list_push_back(&sp->segments, &s->node);
			sp->n_segments++;
			sp->log_bytes += s->bytes;
		} else if (is_ready) {
			list_push_back(&sp->commit.prepared, &s->node);
			sp->commit.n_prepared++;
		} else {
			s->is_no_use = true;
			list_push_back(&sp->dead, &s->node);
		}
	}
}

static void continue_log(struct spool *sp, struct replay *r, struct spool_segment **by_index)
{
	struct commit *c = &sp->commit;

	c->synced_lsn = r->last_lsn;
	c->next_lsn = r->last_lsn + LSN_JUMP;
	c->sequence = r->sequence;
	c->high_water = sp->high_water = r->high_water;
	if (!r->tail || r->tail->is_damaged || r->tail->end + FORMAT_BLOCK > r->tail->file_bytes)
		return;
	c->head = by_index[r->tail - r->segments];
	c->head_at = r->tail->end;
}

/* ---- messages ---- */

static int hand_over(struct spool *sp, const struct recovered *m, struct spool_segment *segment)
{
	struct format_rcpts rcpts = { 0 };
	struct spool_envelope env;
	struct spool_problem problem = {
		.kind = SPOOL_PROBLEM_CORRUPT,
		.id = m->id,
		.generation = segment->generation,
		.offset = m->record_at,
		.bytes = m->record_bytes,
	};
	auto_close int body = -1;
	struct spool_entry *entry;
	int r = 0;

	if (!recovered_describe(m, &env, &rcpts)) {
		spool_report(sp, &problem);
	} else if (m->has_body_file &&
		content_open_body(sp->bodies_fd, m->id, env.content_bytes, &body) < 0) {
		problem.kind = SPOOL_PROBLEM_BODY_GONE;
		spool_report(sp, &problem);
	} else if ((entry = sp->hooks.on_recovered(sp->user, &env, rcpts.at, rcpts.n)) != NULL) {
		*entry = (struct spool_entry){
			.id = m->id,
			.content_bytes = env.content_bytes,
			.content_crc = m->content_crc,
			.has_body_file = m->has_body_file,
		};
		entry_place(sp, entry, segment, m->content_at, m->record_bytes);
		sp->n_messages++;
	} else {
		r = -ENOMEM;
	}
	format_rcpts_free(&rcpts);
	return r;
}

/* ---- what a crash left in bodies/ and log/ ---- */

struct sweep {
	struct spool *sp;
	const struct recovery *rec;
	int dir_fd;
};

static void sweep_orphan(struct sweep *sweep, const char *name, uint64_t id)
{
	struct spool_problem problem = { .kind = SPOOL_PROBLEM_ORPHAN, .id = id };
	char lost[SPOOL_NAME_MAX];

	if (sweep->rec->replay.is_damaged) {
		problem.kind = SPOOL_PROBLEM_ORPHAN_KEPT;
		body_name(id, ".lost", lost);
		problem.error = file_rename(sweep->dir_fd, name, sweep->dir_fd, lost);
	} else {
		problem.error = file_unlink(sweep->dir_fd, name);
	}
	spool_report(sweep->sp, &problem);
}

static void sweep_name(struct sweep *sweep, const char *name)
{
	uint64_t number;

	if (segment_name_parse(name, ".tmp", &number))
		(void)!file_unlink(sweep->dir_fd, name); /* tried again at the next opening */
	else if (segment_name_parse(name, ".body", &number) && !recovery_has(sweep->rec, number))
		sweep_orphan(sweep, name, number);
}

static int sweep_dir(struct spool *sp, const struct recovery *rec, int dir_fd)
{
	struct sweep sweep = { .sp = sp, .rec = rec, .dir_fd = dir_fd };
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		int r = -errno;
		cleanup_close(&fd);
		return r;
	}
	while ((e = readdir(dir)) != NULL)
		sweep_name(&sweep, e->d_name);
	(void)closedir(dir); /* was only read */
	return 0;
}

/* ---- together ---- */

static int recover(struct spool *sp, struct recovery *rec)
{
	struct replay *r = &rec->replay;
	struct spool_segment **by_index;
	int result;

	rec->on_problem = sp->hooks.on_problem;
	rec->user = sp->user;
	result = recovery_read(rec, sp->log_fd, O_RDWR);
	if (result == 0)
		result = replay_settle(r);
	if (result < 0)
		return result;
	by_index = mem_new_array(r->n_segments, sizeof(struct spool_segment *));
	take_segments(sp, r, by_index);
	continue_log(sp, r, by_index);
	for (size_t i = 0; result == 0 && i < rec->n_sorted; i++)
		result = hand_over(sp, rec->sorted[i], by_index[rec->sorted[i]->segment - r->segments]);
	mem_free(by_index);
	if (result == 0)
		result = sweep_dir(sp, rec, sp->bodies_fd);
	return result < 0 ? result : sweep_dir(sp, rec, sp->log_fd);
}

static void start_handles(struct spool *sp)
{
	uv_loop_t *loop = sp->loop;

	CHECK(uv_async_init(loop, &sp->notify, spool_on_notify) == 0);
	CHECK(uv_check_init(loop, &sp->after_poll) == 0);
	CHECK(uv_prepare_init(loop, &sp->before_poll) == 0);
	CHECK(uv_timer_init(loop, &sp->flush_timer) == 0);
	CHECK(uv_timer_init(loop, &sp->retry_timer) == 0);
	CHECK(uv_check_start(&sp->after_poll, spool_after_poll) == 0);
	CHECK(uv_prepare_start(&sp->before_poll, spool_before_poll) == 0);
	sp->notify.data = sp->after_poll.data = sp->before_poll.data = sp;
	sp->flush_timer.data = sp->retry_timer.data = sp;
	/* An idle spool does not keep the loop alive; the async handle does while something is on its way. */
	uv_unref((uv_handle_t *)&sp->notify);
	uv_unref((uv_handle_t *)&sp->after_poll);
	uv_unref((uv_handle_t *)&sp->before_poll);
	uv_unref((uv_handle_t *)&sp->retry_timer);
}

static struct spool *spool_new(
	const struct spool_settings *settings, uv_loop_t *loop, const struct spool_hooks *hooks, void *user)
{
	struct spool *sp = mem_new(sizeof(*sp));
	struct list *lists[] = { &sp->staged, &sp->refused, &sp->watched, &sp->segments, &sp->dead,
		&sp->recent };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		list_init(lists[i]);
	sp->set = settings_complete(settings);
	sp->hooks = *hooks;
	sp->user = user;
	sp->loop = loop;
	sp->dir_fd = sp->log_fd = sp->bodies_fd = sp->lock_fd = -1;
	sp->next_generation = 1;
	sp->dead_bodies = BUF_INIT(DEAD_BODIES_MAX);
	sp->keeper.bodies = BUF_INIT(DEAD_BODIES_MAX);
	commit_init(&sp->commit);
	sp->commit.batch_bytes = sp->set.batch_bytes;
	sp->commit.n_reserve = sp->set.reserve_segments;
	sp->commit.node = sp->set.node;
	sp->commit.retry_ms = sp->set.retry_ms;
	return sp;
}

int spool_open(const char *dir, const struct spool_settings *settings, uv_loop_t *loop,
	const struct spool_hooks *hooks, void *user, struct spool **spool_out)
{
	struct spool *sp = spool_new(settings, loop, hooks, user);
	struct recovery rec = { 0 };
	int r = open_files(sp, dir);

	if (r == 0)
		r = recover(sp, &rec);
	recovery_free(&rec);
	if (r < 0) {
		spool_free(sp);
		return r;
	}
	sp->commit.bodies_fd = sp->bodies_fd;
	sp->commit.notify = &sp->notify;
	start_handles(sp);
	CHECK(commit_start(&sp->commit) == 0);
	keeper_run(sp);
	*spool_out = sp;
	return 0;
}
