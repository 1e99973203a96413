/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open.c - opening a spool, first part: lock, find and settle the end of the log, start; load.c is the second
 *
 * Nothing is changed on disk before the end of the log has been read, and nothing is handed over before its
 * last batch has been written over itself and synced: a message that is acted on does not vanish with a power
 * cut. How long it takes depends on the size of one segment, not on how many messages there are.
 * Tests: test_recovery.c, test_crash.c.
 */
#include "spool/spool-private.h"
#include "base/file.h"
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
#define SEGMENT_MAX                                                                                          \
	(UINT64_C(2) * 1024 * 1024 * 1024)	  /* places in it fit 32 bits, one large batch included */
#define DEAD_BODIES_MAX ((size_t)8 * 1024 * 1024) /* a million ids */

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
	return value ? value : otherwise;
}

static struct spool_settings settings_complete(const struct spool_settings *given)
{
	struct spool_settings s = *given;

	s.segment_bytes =
		format_pad(MIN(MAX(or_default(s.segment_bytes, DEFAULT_SEGMENT), SEGMENT_MIN), SEGMENT_MAX),
			FORMAT_BLOCK);
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
	s->fd = from->fd;
	from->place = s;
	return s;
}

/* In use: to the books. Prepared, and younger than all in use: ready again. Anything else is of no use. */
static void take_segments(struct spool *sp, struct replay *r)
{
	uint64_t newest = r->tail ? r->tail->generation : 0;

	for (size_t i = 0; i < r->n_segments; i++) {
		struct replay_segment *from = &r->segments[i];
		bool is_ready = !from->is_used && from->has_header && from->generation > newest &&
			from->file_bytes == sp->set.segment_bytes;
		struct spool_segment *s = take_segment(from);
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

static void continue_log(struct spool *sp, struct replay *r)
{
	struct commit *c = &sp->commit;

	sp->seen_lsn = c->synced_lsn = r->last_lsn;
	c->next_lsn = r->last_lsn + LSN_JUMP;
	c->sequence = r->sequence;
	c->high_water = sp->high_water = MAX(sp->high_water, r->high_water);
	if (!r->tail || r->tail->is_damaged || r->tail->end + FORMAT_BLOCK > r->tail->file_bytes)
		return;
	c->head = r->tail->place;
	c->head_at = r->tail->end;
}

/* ---- what a crash left in bodies/ and log/ ---- */

static void sweep_name(struct spool *sp, int dir_fd, const char *name)
{
	uint64_t number;

	if (segment_name_parse(name, ".tmp", &number) || segment_name_parse(name, ".new", &number))
		(void)!file_unlink(dir_fd, name); /* tried again at the next opening */
	else if (segment_name_parse(name, ".body", &number))
		load_add_body(sp->load, number);
}

static int sweep_dir(struct spool *sp, int dir_fd)
{
	struct dirent *e;
	DIR *dir;
	int r = file_list(dir_fd, ".", &dir);

	if (r < 0)
		return r;
	while ((e = readdir(dir)) != NULL)
		sweep_name(sp, dir_fd, e->d_name);
	(void)closedir(dir); /* was only read */
	return 0;
}

/* ---- the end of the log ---- */

/* Ids of records whose batch header is lost. */
static void survey_on_record(void *user, const struct replay_record *r)
{
	struct spool *sp = user;
	uint64_t value = 0;

	if (r->head.type == FORMAT_MESSAGE)
		value = r->head.id + 1;
	else if (r->head.type != FORMAT_HIGH_WATER || !format_get_number(r->meta, UINT64_MAX, &value))
		return;
	sp->high_water = MAX(sp->high_water, value);
}

/* What is damaged is told when all of it is read, once. */
static void survey_on_problem(void *user, const struct spool_problem *problem)
{
	if (problem->kind == SPOOL_PROBLEM_TORN)
		spool_report(user, problem);
}

static int survey(struct spool *sp)
{
	struct replay *r = load_replay(sp->load);
	int result;

	r->on_record = survey_on_record;
	r->on_problem = survey_on_problem;
	r->user = sp;
	result = replay_open(r, sp->log_fd, O_RDWR);
	if (result < 0)
		return result;
	replay_survey(r);
	result = replay_settle(r);
	/* A segment may have its name from a process that was killed before the sync, or whose sync failed.
	 */
	return result < 0 ? result : file_sync_dir(sp->log_fd);
}

/* ---- together ---- */

static int find_end(struct spool *sp)
{
	struct replay *r = load_replay(sp->load);
	int result = survey(sp);

	if (result < 0)
		return result;
	take_segments(sp, r);
	continue_log(sp, r);
	result = sweep_dir(sp, sp->bodies_fd);
	return result < 0 ? result : sweep_dir(sp, sp->log_fd);
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
	CHECK(uv_timer_init(loop, &sp->checkpoint.timer) == 0);
	sp->checkpoint.timer.data = sp;
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
	sp->load = load_new(sp);
	checkpoint_init(sp);
	return sp;
}

int spool_open(const char *dir, const struct spool_settings *settings, uv_loop_t *loop,
	const struct spool_hooks *hooks, void *user, struct spool **spool_out)
{
	struct spool *sp = spool_new(settings, loop, hooks, user);
	int r = open_files(sp, dir);

	if (r == 0)
		r = find_end(sp);
	if (r < 0) {
		spool_free(sp);
		return r;
	}
	sp->commit.bodies_fd = sp->bodies_fd;
	sp->commit.notify = &sp->notify;
	start_handles(sp);
	CHECK(commit_start(&sp->commit) == 0);
	keeper_run(sp);
	load_start(sp);
	*spool_out = sp;
	return 0;
}
