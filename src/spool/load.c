/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - the second part of opening: what lives is handed over, some messages in each turn of the loop
 *
 * One item of work on the pool at a time. The first chooses a checkpoint and reads the log behind it; each
 * makes the next slice of messages, which the loop hands over while the pool makes the one after it. New
 * mail is taken meanwhile: it stands behind the end of the log that was surveyed, and nobody reads it here.
 * Nothing can happen to a message that was not handed over, so what the log said stays right.
 *
 * A checkpoint may be older than the last freeing of segments. A message of it whose segment is older than
 * the oldest in use is gone: segments are freed in the order of their age, when all in them is dead.
 * Tests: test_load.c, test_checkpoint.c.
 */
#include "spool/spool-private.h"
#include "base/file.h"
#include <fcntl.h>

#define SLICE_MESSAGES 256

struct body_file {
	struct table_node by_id;
	uint64_t id;
};

struct slice_of_messages {
	struct loaded *at;
	size_t n, cap;
	struct buf bytes; /* the payload of a checkpoint that they point to */
};

struct load {
	struct spool *sp;
	uv_work_t work;
	struct replay replay;
	struct recovery recovery;
	struct checkpoint_reader checkpoint; /* fd < 0: none is used, or it is read to its end */
	size_t next;			     /* in recovery.sorted */
	struct slice_of_messages made;	     /* by the pool */
	struct buf problems;		     /* struct spool_problem, met on the pool */
	bool was_begun, is_at_end;
	int result;		   /* of the pool */
	int failed;		   /* of handing over; the loop's alone */
	uint64_t used, used_bytes; /* number and size of the checkpoint that is used; 0: none */
	bool has_bad;		   /* one cannot be used */
	uint64_t last_used;	   /* highest number there is */
	uint64_t high_water; /* of checkpoints of this log: higher than the log's when its end is lost */
	struct table bodies;
	atomic_bool is_cancelled;
};

/* ---- on the pool: problems wait for the loop ---- */

static void load_problem(void *user, const struct spool_problem *problem)
{
	struct load *load = user;

	buf_append(&load->problems, (struct slice){ (const char *)problem, sizeof(*problem) });
}

static struct loaded *load_add(struct load *load)
{
	struct slice_of_messages *s = &load->made;

	if (s->n == s->cap) {
		size_t cap = MAX(s->cap * 2, (size_t)SLICE_MESSAGES);
		struct loaded *grown = mem_new_array(cap, sizeof(*grown));
		if (s->n)
			memcpy(grown, s->at, s->n * sizeof(*grown));
		mem_free(s->at);
		s->at = grown;
		s->cap = cap;
	}
	return &s->at[s->n++];
}

static void load_judge(struct load *load, struct loaded *m)
{
	auto_close int body = -1;

	if (m->is_bad)
		return;
	if (m->content_at > UINT32_MAX || m->record_bytes > UINT32_MAX) {
		m->is_bad = true;
	} else if (m->has_body_file) {
		m->is_bad = content_open_body(load->sp->bodies_fd, m->id, m->env.content_bytes, &body) < 0;
		m->problem.kind = SPOOL_PROBLEM_BODY_GONE;
	} else if (m->content_at + m->env.content_bytes > m->segment->place->bytes) {
		m->is_bad = true;
	}
}

/* ---- on the pool: from a checkpoint ---- */

static const struct replay_segment *load_find_segment(const struct load *load, uint64_t generation)
{
	const struct replay *r = &load->replay;
	size_t low = 0, high = r->n_segments;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (r->segments[middle].generation < generation)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->n_segments && r->segments[low].generation == generation && r->segments[low].is_used
		? &r->segments[low]
		: NULL;
}

static bool load_was_freed(const struct load *load, uint64_t generation)
{
	for (size_t i = 0; i < load->replay.n_segments; i++)
		if (load->replay.segments[i].is_used)
			return generation < load->replay.segments[i].generation;
	return false;
}

/* The log has the later word on some messages; others are not there any more. */
static void load_entry(struct load *load, const struct format_entry *e)
{
	const struct replay_segment *segment = load_find_segment(load, e->generation);
	struct recovered *m = recovery_find(&load->recovery, e->id);
	uint64_t lsn = load->checkpoint.slice.lsn;

	if (m && (m->is_removed || (m->segment && m->lsn > lsn)))
		return;
	if (!segment && load_was_freed(load, e->generation))
		return;
	if (!segment && m && m->segment)
		return; /* a copy is lost, what it was made of is still there */
	if (segment) {
		struct loaded *out = load_add(load);
		if (m)
			m->segment = NULL; /* the checkpoint is as new */
		loaded_from_entry(out, e, segment, lsn, m);
		load_judge(load, out);
		return;
	}
	load_problem(load,
		&(struct spool_problem){
			.kind = SPOOL_PROBLEM_CONTENT,
			.id = e->id,
			.generation = e->generation,
			.offset = e->content_at,
			.bytes = e->record_bytes,
			.error = -ENOENT,
		});
}

static void load_from_checkpoint(struct load *load)
{
	struct slice rest;
	struct format_entry e;

	load->result = checkpoint_next(&load->checkpoint); /* it was right a moment ago */
	if (load->result < 0)
		return;
	if (load->checkpoint.slice.kind == FORMAT_SLICE_END) {
		checkpoint_close(&load->checkpoint);
		return;
	}
	rest = buf_slice(&load->checkpoint.payload);
	for (uint32_t i = 0; i < load->checkpoint.slice.n_entries && format_get_entry(&rest, &e); i++)
		load_entry(load, &e);
	load->made.bytes = buf_take(&load->checkpoint.payload);
}

static bool load_was_told(const struct load *load, enum spool_problem_kind kind, uint64_t generation)
{
	struct spool_problem p;

	for (size_t at = 0; at + sizeof(p) <= load->problems.len; at += sizeof(p)) {
		memcpy(&p, load->problems.at + at, sizeof(p));
		if (p.kind == kind && p.generation == generation)
			return true;
	}
	return false;
}

/* A segment that it refers to is gone though younger than the oldest: records of it may be older than those
 * that are read. */
static void load_check_references(struct load *load, const struct checkpoint_reader *r)
{
	for (size_t i = 0; i < r->n_references; i++) {
		uint64_t generation = r->references[i].generation;
		if (load_find_segment(load, generation) || load_was_freed(load, generation) ||
			load_was_told(load, SPOOL_PROBLEM_SEGMENT_GONE, generation))
			continue;
		load_problem(load,
			&(struct spool_problem){
				.kind = SPOOL_PROBLEM_SEGMENT_GONE,
				.generation = generation,
				.error = -ENOENT,
			});
	}
}

/* Everything up to it was freed. */
static uint64_t load_freed_lsn(const struct load *load)
{
	for (size_t i = 0; i < load->replay.n_segments; i++) {
		const struct replay_segment *s = &load->replay.segments[i];
		if (s->is_used)
			return s->first_at == FORMAT_BLOCK ? s->first.synced_lsn : 0;
	}
	return UINT64_MAX;
}

/* 0, or -ESTALE: of another history. Then segments of the same generation have other nonces, or the log does
 * not reach as far, or nothing shows that it is ours while it would hide records. */
static int load_judge_history(struct load *load, const struct checkpoint_reader *r, uint64_t last_lsn)
{
	size_t n_ours = 0;

	for (size_t i = 0; i < r->n_references; i++) {
		const struct replay_segment *s = load_find_segment(load, r->references[i].generation);
		if (!s || s->header.nonce == 0) /* not there, or nothing of it can be read */
			continue;
		if (s->header.nonce != r->references[i].nonce)
			return -ESTALE;
		n_ours++;
	}
	if (n_ours)
		load->high_water = MAX(load->high_water, r->head.high_water);
	if (n_ours && r->head.lsn > last_lsn)
		load_check_references(load, r); /* ours, and the end of the log is lost */
	return r->head.lsn > last_lsn || (n_ours == 0 && r->head.lsn > load_freed_lsn(load)) ? -ESTALE : 0;
}

static void load_choose_checkpoint(struct load *load)
{
	uint64_t *numbers = NULL, last_lsn = load->replay.last_lsn;
	size_t n = 0;
	int r = checkpoint_list(load->sp->log_fd, &numbers, &n);

	load->last_used = n ? numbers[0] : 0;
	for (size_t i = 0; r == 0 && i < n && !load->used; i++) {
		struct checkpoint_reader reader;
		int result = checkpoint_open(&reader, load->sp->log_fd, numbers[i]);
		if (result == 0)
			result = load_judge_history(load, &reader, last_lsn);
		if (result == 0) {
			load->checkpoint = reader;
			load->used = numbers[i];
			load->used_bytes = reader.bytes;
			continue;
		}
		checkpoint_close(&reader);
		load->has_bad = true;
		load_problem(load,
			&(struct spool_problem){
				.kind = SPOOL_PROBLEM_CHECKPOINT,
				.generation = numbers[i],
				.error = result,
			});
	}
	mem_free(numbers);
}

/* ---- on the pool: together ---- */

static void load_begin(struct load *load)
{
	load->was_begun = true;
	load_choose_checkpoint(load);
	if (load->used) {
		load->replay.skip_lsn = load->checkpoint.head.lsn;
		load->recovery.has_checkpoint = true;
	}
	load->recovery.on_problem = load_problem;
	load->recovery.user = load;
	replay_rewind(&load->replay);
	recovery_read(&load->recovery, &load->replay);
	if (load->used)
		load_check_references(load, &load->checkpoint);
}

static void load_from_log(struct load *load)
{
	struct recovery *rec = &load->recovery;

	for (size_t i = 0; i < SLICE_MESSAGES && load->next < rec->n_sorted; i++) {
		struct recovered *m = rec->sorted[load->next++];
		if (!m->segment)
			continue; /* the checkpoint had it */
		struct loaded *out = load_add(load);
		loaded_from_log(out, m);
		recovery_drop(rec, m);
		load_judge(load, out);
	}
	load->is_at_end = load->next == rec->n_sorted;
}

static void load_work(uv_work_t *work)
{
	struct load *load = work->data;

	if (!load->was_begun)
		load_begin(load);
	if (atomic_load(&load->is_cancelled))
		return;
	if (load->checkpoint.fd >= 0)
		load_from_checkpoint(load);
	else
		load_from_log(load);
}

/* ---- on the loop ---- */

struct load *load_new(struct spool *sp)
{
	struct load *load = mem_new(sizeof(*load));

	load->sp = sp;
	load->checkpoint.fd = -1;
	load->problems = BUF_INIT(SIZE_MAX / 2);
	load->bodies = TABLE_INIT;
	return load;
}

struct replay *load_replay(struct load *load)
{
	return &load->replay;
}

void load_add_body(struct load *load, uint64_t id)
{
	struct body_file *b = mem_new(sizeof(*b));

	b->id = id;
	table_insert(&load->bodies, &b->by_id, table_hash_u64(id));
}

static void load_found_body(struct load *load, uint64_t id)
{
	uint64_t hash = table_hash_u64(id);

	for (struct table_node *n = table_first(&load->bodies, hash); n; n = table_next(n, hash)) {
		struct body_file *b = CONTAINER_OF(n, struct body_file, by_id);
		if (b->id == id) {
			table_remove(&load->bodies, n);
			mem_free(b);
			return;
		}
	}
}

static void slice_free(struct slice_of_messages *s)
{
	for (size_t i = 0; i < s->n; i++)
		loaded_free(&s->at[i]);
	mem_free(s->at);
	buf_free(&s->bytes);
	*s = (struct slice_of_messages){ 0 };
}

static void load_free_body(struct table_node *node, void *user)
{
	mem_free(CONTAINER_OF(node, struct body_file, by_id));
}

void load_free(struct load **lp)
{
	struct load *load = take_ptr(lp);

	if (!load)
		return;
	slice_free(&load->made);
	checkpoint_close(&load->checkpoint);
	recovery_free(&load->recovery);
	replay_close(&load->replay);
	buf_free(&load->problems);
	table_each(&load->bodies, load_free_body, NULL);
	table_deinit(&load->bodies);
	mem_free(load);
}

static void load_report(struct load *load)
{
	struct buf problems = buf_take(&load->problems);
	struct spool_problem problem;

	for (size_t at = 0; at + sizeof(problem) <= problems.len; at += sizeof(problem)) {
		memcpy(&problem, problems.at + at, sizeof(problem));
		spool_report(load->sp, &problem);
	}
	buf_free(&problems);
}

static int load_hand_over(struct load *load, const struct loaded *m)
{
	struct spool *sp = load->sp;
	struct spool_place place = { (uint32_t)m->content_at, m->content_crc };
	struct spool_entry *entry;

	if (m->has_body_file)
		load_found_body(load, m->id);
	if (m->is_bad) {
		spool_report(sp, &m->problem);
		return 0;
	}
	entry = sp->hooks.on_recovered(sp->user, &m->env, m->rcpts.at, m->rcpts.n);
	if (!entry)
		return -ENOMEM;
	*entry = (struct spool_entry){
		.id = m->id,
		.content_bytes = m->env.content_bytes,
		.has_body_file = m->has_body_file,
		.mark = sp->checkpoint.mark,
	};
	entry_place(sp, entry, m->segment->place, place, m->record_bytes);
	sp->n_messages++;
	return 0;
}

/* ---- the end ---- */

static void load_sweep_body(struct table_node *node, void *user)
{
	struct load *load = user;
	uint64_t id = CONTAINER_OF(node, struct body_file, by_id)->id;
	struct spool_problem problem = { .kind = SPOOL_PROBLEM_ORPHAN, .id = id };
	char name[SPOOL_NAME_MAX], lost[SPOOL_NAME_MAX];
	int dir = load->sp->bodies_fd;

	body_name(id, ".body", name);
	body_name(id, ".lost", lost);
	if (load->replay.is_damaged) {
		problem.kind = SPOOL_PROBLEM_ORPHAN_KEPT;
		problem.error = file_rename(dir, name, dir, lost);
	} else {
		problem.error = file_unlink(dir, name);
	}
	spool_report(load->sp, &problem);
}

static void load_end(struct spool *sp, int result)
{
	struct load *load = sp->load;

	if (result == 0) {
		table_each(&load->bodies, load_sweep_body, load);
		for (size_t i = 0; i < load->replay.n_segments; i++)
			if (load->replay.segments[i].is_used)
				load->replay.segments[i].place->is_damaged |=
					load->replay.segments[i].is_damaged;
		sp->is_loaded = true;
		sp->high_water = MAX(sp->high_water, MAX(load->high_water, load->replay.high_water));
		sp->checkpoint.log_bytes_at -= load->replay.bytes_taken; /* wraps: only differences count */
		sp->checkpoint.is_wanted = load->has_bad;
		sp->checkpoint.number = load->last_used;
		sp->checkpoint.previous = load->used;
		sp->checkpoint.bytes_previous = load->used_bytes;
	}
	load_free(&sp->load);
	if (sp->hooks.on_loaded)
		sp->hooks.on_loaded(sp->user, result);
	reclaim_run(sp);
	checkpoint_run(sp);
}

static void load_done(uv_work_t *work, int status);

static void load_go_on(struct load *load)
{
	load->work.data = load;
	spool_work_start(load->sp, &load->work, load_work, load_done);
}

/* The next slice is made while this one is handed over: behind load_go_on the pool's part is not ours. */
static void load_done(uv_work_t *work, int status)
{
	struct load *load = work->data;
	struct spool *sp = load->sp;
	struct slice_of_messages made = load->made;
	int result = load->failed ? load->failed : load->result;
	bool goes_on = !sp->is_closing && result == 0 && !load->is_at_end;

	CHECK(status == 0); /* nobody cancels it */
	load->made = (struct slice_of_messages){ 0 };
	load_report(load);
	if (goes_on)
		load_go_on(load);
	for (size_t i = 0; i < made.n && result == 0 && !sp->is_closing; i++)
		result = load_hand_over(load, &made.at[i]);
	slice_free(&made);
	if (goes_on)
		load->failed = result;
	else if (sp->is_closing)
		load_free(&sp->load);
	else
		load_end(sp, result);
	spool_work_done(sp);
}

void load_start(struct spool *sp)
{
	load_go_on(sp->load);
}

void load_cancel(struct spool *sp)
{
	if (sp->load)
		atomic_store(&sp->load->is_cancelled, true);
}
