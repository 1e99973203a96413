/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_repair.c - postrider spool repair: a clean log made from all that can be read; see spool.h
 *
 * The new log is written aside, in a directory that becomes the backup, with the library's own means; each
 * message has the state it had. Files of large bodies belong to both logs, by a second name, so that old and
 * new log are each complete at any moment. The one step that matters exchanges the two log directories: a
 * crash before it leaves the old spool, a crash behind it the new one. Nothing is deleted: the old log, and
 * body files that no message refers to, are in the backup afterwards.
 *
 * A lock on the spool keeps the daemon out, from before the first look until the end; root works as the owner
 * of the log, who must be able to write to it later.
 */
#include "control/spool.h"
#include "base/file.h"
#include "control/commands.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

#define BATCH_MESSAGES 200 /* written before the loop runs: they share a sync */
#define CHUNK_BYTES 65536

struct repair {
	const char *dir;
	int dir_fd, backup_fd;
	uint64_t segment_bytes;
	char backup[64], backup_path[PATH_MAX];
	uv_loop_t loop;
	struct spool *fresh; /* NULL: only looking */
	struct saved *saved; /* in fresh */
	struct buf kept;     /* ids of the messages that are saved, 8 bytes each, ascending */
	size_t n_saved, n_lost, n_damages, n_under_way;
	int error; /* the first */
};

static void note_error(struct repair *r, int error)
{
	if (r->error == 0 && error < 0)
		r->error = error;
}

/* ---- looking ---- */

static void count_damage(void *user, const struct spool_problem *p)
{
	struct repair *r = user;
	char file[SPOOL_PROBLEM_FILE];

	if (!spool_problem_is_damage(p))
		return;
	r->n_damages++;
	spool_problem_file(p, file);
	(void)printf("%s, offset %" PRIu64 ": %s", file, p->offset, spool_problem_text(p->kind));
	if (p->last_lsn >= p->first_lsn && p->last_lsn)
		(void)printf("; records %" PRIu64 " to %" PRIu64 ", %zu of them saved", p->first_lsn,
			p->last_lsn, p->n_salvaged);
	(void)putchar('\n');
}

static int look(struct repair *r)
{
	const struct spool_visitor visitor = { .problem = count_damage, .verify_content = true };

	return spool_scan(r->dir, &visitor, r);
}

/* ---- saving ---- */

struct saved {
	struct saved *next;
	struct repair *repair;
	struct spool_entry entry;
};

static struct spool_entry *no_message(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	return NULL; /* a log that was just made has none */
}

static void raised(void *user, int result)
{
	note_error(user, result);
}

static void keep_high_water(void *user, uint64_t next_id)
{
	struct repair *r = user;

	spool_update_id_high_water(r->fresh, next_id, raised, r);
	(void)uv_run(&r->loop, UV_RUN_DEFAULT);
}

static void committed(void *user, int result)
{
	struct saved *s = user;

	note_error(s->repair, result);
	s->repair->n_saved += result == 0;
}

static int copy_content(struct spool_message *m, const struct spool_scanned *content, uint64_t bytes)
{
	auto_buf struct buf chunk = BUF_INIT(CHUNK_BYTES);
	int r = 0;

	for (uint64_t at = 0; at < bytes && r == 0; at += chunk.len) {
		buf_clear(&chunk);
		r = spool_scanned_read(content, at, CHUNK_BYTES, &chunk);
		if (r == 0)
			r = spool_message_append(m, buf_slice(&chunk));
	}
	return r;
}

/* The recipients are only known while message() runs, the content only behind it. */
struct pending {
	const struct spool_recipient *rcpts;
	size_t n_rcpts;
};
static struct pending pending;

static void remember(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	pending = (struct pending){ rcpts, n_rcpts };
}

static void tell_lost(struct repair *r, const struct spool_envelope *env)
{
	r->n_lost++;
	(void)printf("lost: %s from <", queue_id_format(env->id).at);
	print_safely(env->reverse_path);
	(void)fputs("> to", stdout);
	for (size_t i = 0; i < pending.n_rcpts; i++) {
		if (spool_rcpt_state_is_final(pending.rcpts[i].progress.state))
			continue;
		(void)fputs(" <", stdout);
		print_safely(pending.rcpts[i].forward_path);
		(void)putchar('>');
	}
	(void)puts(": its content cannot be read");
}

static void save(
	void *user, const struct spool_envelope *env, const struct spool_scanned *content, bool is_whole)
{
	struct repair *r = user;
	struct spool_message *m;
	struct saved *s;
	int error;

	if (r->error < 0)
		return;
	if (!is_whole) {
		tell_lost(r, env);
		return;
	}
	error = spool_message_new(r->fresh, env->content_bytes, &m);
	if (error == 0)
		error = copy_content(m, content, env->content_bytes);
	if (error < 0) {
		note_error(r, error);
		return;
	}
	s = mem_new(sizeof(*s)); /* until the spool is closed, which refers to it */
	s->repair = r;
	s->next = r->saved;
	r->saved = s;
	buf_append(&r->kept, (struct slice){ (const char *)&env->id, sizeof(env->id) });
	spool_message_commit(m, &s->entry, env, pending.rcpts, pending.n_rcpts, committed, s);
	if (++r->n_under_way % BATCH_MESSAGES == 0 || env->content_bytes > CHUNK_BYTES)
		(void)uv_run(&r->loop, UV_RUN_DEFAULT);
}

static void closed(void *user)
{
}

static int fill_fresh(struct repair *r)
{
	static const struct spool_hooks hooks = { no_message, NULL, NULL, NULL };
	const struct spool_settings like_the_queue = { .segment_bytes = r->segment_bytes & ~UINT64_C(4095) };
	const struct spool_visitor visitor = {
		.high_water = keep_high_water, .message = remember, .content = save, .verify_content = true
	};
	int error = spool_open(r->backup_path, &like_the_queue, &r->loop, &hooks, r, &r->fresh);

	if (error < 0)
		return error;
	error = spool_scan(r->dir, &visitor, r);
	(void)uv_run(&r->loop, UV_RUN_DEFAULT);
	spool_close(r->fresh, closed, NULL);
	(void)uv_run(&r->loop, UV_RUN_DEFAULT);
	while (r->saved) {
		struct saved *s = r->saved;
		r->saved = s->next;
		mem_free(s);
	}
	return error < 0 ? error : r->error;
}

/* The clean log in the backup directory, complete and synced. */
static int write_fresh(struct repair *r)
{
	int error;

	CHECK(uv_loop_init(&r->loop) == 0);
	error = fill_fresh(r);
	CHECK(uv_loop_close(&r->loop) == 0);
	return error;
}

/* ---- bodies ---- */

static bool is_kept(const struct repair *r, const char *name)
{
	uint64_t low = 0, high = r->kept.len / sizeof(uint64_t), id;
	char want[40];

	while (low < high) {
		uint64_t middle = (low + high) / 2;
		memcpy(&id, r->kept.at + middle * sizeof(id), sizeof(id));
		(void)snprintf(want, sizeof(want), "%016" PRIX64 ".body", id);
		int order = strcmp(name, want);
		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* Calls one() for each name of the directory. */
static int each_name(struct repair *r, int dir_fd, int (*one)(struct repair *r, int dir_fd, const char *name))
{
	struct dirent *e;
	DIR *dir;
	int error = file_list(dir_fd, ".", &dir);

	if (error < 0)
		return error;
	while (error == 0 && (e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			error = one(r, dir_fd, e->d_name);
	(void)closedir(dir); /* was only read */
	return error;
}

/* A body file that the new log made: the spool's own directory gets the name, where it lacks it. */
static int share_body(struct repair *r, int fresh_bodies, const char *name)
{
	auto_close int bodies = openat(r->dir_fd, "bodies", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = bodies < 0 ? -errno : file_link(fresh_bodies, name, bodies, name);

	return error == -EEXIST ? 0 : error; /* its content was read from there, and is right */
}

/* A body file without a message: the next start would remove it. Perhaps it is all that is left of a mail. */
static int set_body_aside(struct repair *r, int bodies, const char *name)
{
	char aside[NAME_MAX + 16];
	auto_close int to = -1;

	if (is_kept(r, name))
		return 0;
	to = openat(r->backup_fd, "bodies", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0)
		return -errno;
	(void)snprintf(aside, sizeof(aside), "%s", name);
	int error = file_link(bodies, name, to, aside);
	return error == -EEXIST ? 0 : error;
}

static int sort_bodies(struct repair *r)
{
	auto_close int bodies = openat(r->dir_fd, "bodies", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int fresh = openat(r->backup_fd, "bodies", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = bodies < 0 || fresh < 0 ? -errno : each_name(r, fresh, share_body);

	if (error == 0)
		error = each_name(r, bodies, set_body_aside);
	if (error == 0)
		error = file_sync_dir(bodies);
	return error < 0 ? error : file_sync_dir(fresh);
}

/* ---- the whole ---- */

static int make_backup_dir(struct repair *r)
{
	time_t now = time(NULL);
	struct tm tm;
	int n = 0;

	if (!localtime_r(&now, &tm))
		return -EOVERFLOW;
	do
		(void)snprintf(r->backup, sizeof(r->backup), "before-repair.%04d%02d%02d-%02d%02d%02d.%d",
			tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, n);
	while (mkdirat(r->dir_fd, r->backup, 0700) < 0 && errno == EEXIST && ++n < 100);
	(void)snprintf(r->backup_path, sizeof(r->backup_path), "%s/%s", r->dir, r->backup);
	r->backup_fd = openat(r->dir_fd, r->backup, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return r->backup_fd < 0 ? -errno : 0;
}

static int exchange(struct repair *r)
{
	int error = file_sync_dir(r->dir_fd);

	if (error == 0)
		error = file_exchange(r->dir_fd, "log", r->backup_fd, "log");
	if (error == 0)
		error = file_sync_dir(r->backup_fd);
	return error < 0 ? error : file_sync_dir(r->dir_fd);
}

static int rebuild(struct repair *r)
{
	int error = make_backup_dir(r);

	if (error == 0)
		error = write_fresh(r);
	if (error == 0)
		error = sort_bodies(r);
	if (error == 0)
		error = exchange(r);
	if (error < 0) {
		complain("%s: nothing was changed, the clean log could not be made: %s; what was begun is in "
			 "%s and may "
			 "be removed",
			r->dir, strerror(-error), r->backup);
		return error == -ENOSPC ? EX_TEMPFAIL : EX_IOERR;
	}
	(void)printf("%zu messages are in the clean log, %zu were lost; what was there before is in %s\n",
		r->n_saved, r->n_lost, r->backup_path);
	return r->n_lost ? SPOOL_EXIT_DAMAGE : EX_OK;
}

/* As the owner of the log: what is written here the queue must be able to open. */
static int become_owner(int dir_fd)
{
	struct stat st;

	if (fstatat(dir_fd, "log", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (geteuid() != 0 || st.st_uid == 0)
		return 0;
	return setegid(st.st_gid) < 0 || seteuid(st.st_uid) < 0 ? -errno : 0;
}

static int lock(struct repair *r, int *lock_out)
{
	auto_close int fd = openat(r->dir_fd, "lock", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	/* Another repair: the directory itself is locked against it, the scan needs the first lock shared. */
	if (flock(r->dir_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	*lock_out = take_fd(&fd);
	return 0;
}

/* Segments of another size the queue would throw away. 0: the usual one. */
static uint64_t configured_segment(const struct paths *paths)
{
	struct config *c = config_load(paths);
	uint64_t bytes = c ? c->queue_segment_size : 0;

	config_free(&c);
	return bytes;
}

int spool_repair(const struct paths *paths, const struct spool_words *w)
{
	struct repair r = { .dir = paths->spool_dir, .backup_fd = -1, .kept = BUF_INIT(SIZE_MAX / 2) };
	auto_close int dir_fd = open(r.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int lock_fd = -1;
	int error, status;

	(void)w;
	r.dir_fd = dir_fd;
	r.segment_bytes = configured_segment(paths);
	error = dir_fd < 0 ? -errno : become_owner(dir_fd);
	if (error == 0)
		error = lock(&r, &lock_fd);
	if (error == 0)
		error = look(&r);
	if (error < 0)
		return spool_fail(r.dir, error);
	if (r.n_damages == 0) {
		(void)puts("the spool is not damaged; nothing was changed");
		return EX_OK;
	}
	status = rebuild(&r);
	cleanup_close(&r.backup_fd);
	buf_free(&r.kept);
	return status;
}
