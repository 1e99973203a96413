/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_crash.c - the power goes at every step: no acknowledged message is missing, nothing is damaged
 *
 * The shim records each write, sync, rename and unlink of a workload, and the workload notes after which
 * event each acknowledgement was given. Then, for each event, the disk is rebuilt as a power cut at that
 * moment could leave it: what a completed sync covers is there; of later writes any sector, of later
 * directory changes any first part. A kill -9 is the case in which everything is there. The spool is opened
 * on each such disk, and judged.
 */
#include "spool/test_kit.h"
#include <fcntl.h>
#include <sys/stat.h>

#define N_IDS 64
#define MAX_FILES 256

static struct kit kit;

/* ---- what was promised, and when ---- */

struct promise {
	size_t kept_from;  /* event count at the acknowledgement; 0: never given */
	size_t removed_at; /* event count when removal was asked for; 0: never */
	size_t gone_from;  /* event count when removal was reported; 0: never */
	uint64_t bytes;
	size_t expanded_from, result_from;
};
static struct promise promises[N_IDS];

/* Waits for everything, so that "reported" can be noted with the number of events before it. */
static void run_commit(uint64_t first, uint64_t n, uint64_t bytes)
{
	for (uint64_t id = first; id < first + n; id++) {
		promises[id].bytes = bytes + id;
		assert_int_equal(kit_begin(&kit, id, bytes + id, 2), 0);
	}
	for (uint64_t left = n; left > 0;) {
		uv_run(&kit.loop, UV_RUN_ONCE);
		for (uint64_t id = first; id < first + n; id++)
			if (!promises[id].kept_from && kit.messages[id].result == 0) {
				promises[id].kept_from = shim_n_events();
				left--;
			}
	}
}

static void run_remove(uint64_t id)
{
	promises[id].removed_at = shim_n_events();
	kit_remove(&kit, id);
	kit_run(&kit);
	promises[id].gone_from = shim_n_events();
}

static void workload(void)
{
	kit_open(&kit);
	run_commit(1, 3, 500);
	run_commit(4, 1, 40000); /* a body file */
	kit_expand(&kit, 1, 0, 3);
	kit_run(&kit);
	promises[1].expanded_from = shim_n_events();
	kit_result(&kit, 2, 1, SPOOL_RCPT_DELIVERED, true);
	kit_run(&kit);
	promises[2].result_from = shim_n_events();
	run_commit(5, 6, 9000); /* more than one segment */
	run_remove(3);
	run_remove(4);
	for (uint64_t id = 5; id < 11; id++)
		run_remove(id);
	for (uint64_t id = 11; id < 60; id += 7) { /* until segments are recycled and the oldest is emptied */
		run_commit(id, 7, 8000);
		for (uint64_t gone = id; gone < id + 6; gone++)
			run_remove(gone);
	}
	kit_close(&kit);
}

/* ---- the disk ---- */

struct file {
	uint64_t inode;
	char *bytes;
	size_t n_bytes, cap;
};
struct name {
	uint64_t dir, inode;
	char name[SPOOL_NAME_MAX];
};
struct disk {
	struct file files[MAX_FILES];
	size_t n_files;
	struct name names[MAX_FILES];
	size_t n_names;
};

static struct file *disk_file(struct disk *d, uint64_t inode)
{
	for (size_t i = 0; i < d->n_files; i++)
		if (d->files[i].inode == inode)
			return &d->files[i];
	assert_true(d->n_files < MAX_FILES);
	d->files[d->n_files] = (struct file){ .inode = inode };
	return &d->files[d->n_files++];
}

static void disk_write(struct disk *d, const struct shim_event *e, size_t from, size_t n)
{
	struct file *f = disk_file(d, e->file);
	size_t end = (size_t)e->offset + from + n;

	if (end > f->cap) {
		size_t cap = MAX(end, f->cap * 2);
		char *grown = mem_new(cap);
		if (f->n_bytes)
			memcpy(grown, f->bytes, f->n_bytes);
		mem_free(f->bytes);
		f->bytes = grown;
		f->cap = cap;
	}
	memcpy(f->bytes + e->offset + from, e->bytes + from, n);
	f->n_bytes = MAX(f->n_bytes, end);
}

static struct name *disk_name(struct disk *d, uint64_t dir, const char *name)
{
	for (size_t i = 0; i < d->n_names; i++)
		if (d->names[i].dir == dir && strcmp(d->names[i].name, name) == 0)
			return &d->names[i];
	return NULL;
}

static void disk_unname(struct disk *d, uint64_t dir, const char *name)
{
	struct name *n = disk_name(d, dir, name);

	if (n)
		*n = d->names[--d->n_names];
}

static void disk_change_dir(struct disk *d, const struct shim_event *e)
{
	struct name *n;

	switch (e->call) {
	case SHIM_CREATE:
		assert_true(d->n_names < MAX_FILES);
		n = &d->names[d->n_names++];
		*n = (struct name){ .dir = e->dir, .inode = e->file };
		memcpy(n->name, e->name, sizeof(n->name));
		return;
	case SHIM_RENAME:
		disk_unname(d, e->dir, e->to);
		n = disk_name(d, e->dir, e->name);
		assert_non_null(n);
		memcpy(n->name, e->to, sizeof(n->name));
		return;
	case SHIM_UNLINK: disk_unname(d, e->dir, e->name); return;
	default: return;
	}
}

static bool event_is_of_dir(const struct shim_event *e)
{
	return e->call == SHIM_CREATE || e->call == SHIM_RENAME || e->call == SHIM_UNLINK;
}

static void disk_free(struct disk *d)
{
	for (size_t i = 0; i < d->n_files; i++)
		mem_free(d->files[i].bytes);
	memset(d, 0, sizeof(*d));
}

/* ---- the power cut ---- */

enum cut { CUT_NOTHING_MORE, CUT_EVERYTHING, CUT_SOMETHING };
static unsigned cut_seed;
static unsigned cut_random(void)
{
	cut_seed = cut_seed * 1103515245 + 12345;
	return cut_seed >> 16 & 0x7fff;
}

/* A number for each file that was created: the file system gives a free inode to the next file. */
static void events_number_files(void)
{
	uint64_t n_created = 0;

	for (size_t i = 0; i < shim.n_events; i++) {
		uint64_t inode = shim.events[i].file;
		if (shim.events[i].call != SHIM_CREATE)
			continue;
		n_created++;
		for (size_t k = i; k < shim.n_events; k++) {
			if (k > i && shim.events[k].call == SHIM_CREATE && shim.events[k].file == inode)
				break;
			if (shim.events[k].file == inode)
				shim.events[k].file = UINT64_MAX - n_created;
		}
	}
}

/* Has a sync that began after event i ended before event n? */
static bool event_is_covered(size_t i, size_t n)
{
	const struct shim_event *e = &shim.events[i];
	uint64_t inode = event_is_of_dir(e) ? e->dir : e->file;

	for (size_t s = i + 1; s < n; s++)
		if (shim.events[s].call == SHIM_SYNC && shim.events[s].file == inode &&
			shim.events[s].begin > i)
			return true;
	return false;
}

static void cut_write(struct disk *d, const struct shim_event *e, enum cut cut)
{
	for (size_t at = 0; at < e->n_bytes; at += 512)
		if (cut == CUT_EVERYTHING || (cut == CUT_SOMETHING && cut_random() % 2))
			disk_write(d, e, at, MIN((size_t)512, e->n_bytes - at));
}

static struct disk disk;

/* The disk when the power goes after n events. */
static void cut_build(size_t n, enum cut cut)
{
	bool dir_goes_on = true;

	disk_free(&disk);
	for (size_t i = 0; i < n; i++) {
		const struct shim_event *e = &shim.events[i];
		bool is_covered = event_is_covered(i, n);
		if (e->call == SHIM_PWRITE && is_covered)
			disk_write(&disk, e, 0, e->n_bytes);
		else if (e->call == SHIM_PWRITE)
			cut_write(&disk, e, cut);
		else if (event_is_of_dir(e) && is_covered)
			disk_change_dir(&disk, e);
		else if (event_is_of_dir(e)) {
			dir_goes_on = dir_goes_on &&
				(cut == CUT_EVERYTHING || (cut == CUT_SOMETHING && cut_random() % 4));
			if (dir_goes_on)
				disk_change_dir(&disk, e);
		}
	}
}

static uint64_t log_inode, bodies_inode;

static void cut_materialize(const char *dir)
{
	char path[160];

	assert_int_equal(mkdir(dir, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/log", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/bodies", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < disk.n_names; i++) {
		const struct name *n = &disk.names[i];
		const struct file *f = disk_file(&disk, n->inode);
		assert_true(n->dir == log_inode || n->dir == bodies_inode);
		(void)snprintf(
			path, sizeof(path), "%s/%s/%s", dir, n->dir == log_inode ? "log" : "bodies", n->name);
		int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, f->bytes ? f->bytes : "", f->n_bytes), f->n_bytes);
		close(fd);
	}
}

static uint64_t inode_of(const char *dir, const char *sub)
{
	char path[160];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, sub);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static struct kit after;

static void judge(size_t n, enum cut cut)
{
	if (kit_n_problems(&after))
		fail_msg("event %zu cut %d: %s (segment %" PRIu64 " at %" PRIu64 ", %" PRIu64
			 " bytes, %" PRIu64 "-%" PRIu64 ", error %d)",
			n, cut, spool_problem_text(after.last_problem.kind), after.last_problem.generation,
			after.last_problem.offset, after.last_problem.bytes, after.last_problem.first_lsn,
			after.last_problem.last_lsn, after.last_problem.error);
	for (uint64_t id = 1; id < N_IDS; id++) {
		const struct promise *p = &promises[id];
		const struct kit_message *m = &after.messages[id];
		bool was_kept = p->kept_from && p->kept_from <= n;
		if (was_kept && !(p->removed_at && p->removed_at < n) && !m->is_live)
			fail_msg("event %zu cut %d: message %" PRIu64 " was acknowledged and is gone", n, cut,
				id);
		if (p->gone_from && p->gone_from <= n && m->is_live)
			fail_msg("event %zu cut %d: message %" PRIu64 " was removed and is back", n, cut, id);
		if (!m->is_live)
			continue;
		assert_int_equal(m->bytes, p->bytes);
		kit_check_content(&after, id);
		if (p->expanded_from && p->expanded_from <= n)
			assert_true(m->n_rcpts == 5 && m->rcpts[0].progress.state == SPOOL_RCPT_EXPANDED);
		assert_true(m->n_rcpts == 2 || m->n_rcpts == 5);
		if (p->result_from && p->result_from <= n)
			assert_int_equal(m->rcpts[1].progress.state, SPOOL_RCPT_DELIVERED);
	}
}

static void cut_and_judge(size_t n, enum cut cut)
{
	cut_build(n, cut);
	memset(&after, 0, sizeof(after));
	after.set = kit.set;
	(void)snprintf(after.dir, sizeof(after.dir), "%.40s-cut", kit.dir);
	cut_materialize(after.dir);
	kit_open(&after);
	judge(n, cut);
	if (n % 16 == 0) { /* it works: takes a message, and keeps it */
		kit_commit(&after, N_IDS + 1, 3000, 1);
		kit_close(&after);
		kit_forget(&after);
		kit_open(&after);
		assert_true(after.messages[N_IDS + 1].is_live);
		kit_check_content(&after, N_IDS + 1);
		judge(n, cut);
	}
	kit_close(&after);
	kit_deinit(&after);
}

static void power_goes_at_every_step(void **state)
{
	size_t n_events;

	kit_init(&kit);
	shim_reset();
	shim.records = shim.skips_syncs = true;
	workload();
	shim.records = false;
	n_events = shim.n_events;
	events_number_files();
	log_inode = inode_of(kit.dir, "log");
	bodies_inode = inode_of(kit.dir, "bodies");
	assert_true(n_events > 200);
	cut_seed = 1;
	for (size_t n = 1; n <= n_events; n++) {
		cut_and_judge(n, CUT_NOTHING_MORE);
		cut_and_judge(n, CUT_SOMETHING);
		cut_and_judge(n, CUT_EVERYTHING);
	}
	disk_free(&disk);
	kit_deinit(&kit);
	shim_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(power_goes_at_every_step) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
