/* SPDX-License-Identifier: Apache-2.0 */
/* test_kit.c - a small queue around a spool, for tests; see test_kit.h */
#include "spool/test_kit.h"
#include <fcntl.h>
#include <ftw.h>
#include <dirent.h>

/* ---- directories ---- */

static int kit_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void kit_remove_tree(const char *path)
{
	(void)!nftw(path, kit_remove_one, 16, FTW_DEPTH | FTW_PHYS); /* what is not there need not go */
}

void kit_copy_file(const char *from, const char *to)
{
	static char block[1 << 16];
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	size_t n;

	assert_non_null(in);
	assert_non_null(out);
	while ((n = fread(block, 1, sizeof(block), in)) > 0)
		assert_int_equal(fwrite(block, 1, n, out), n);
	assert_int_equal(fclose(in), 0);
	assert_int_equal(fclose(out), 0);
}

size_t kit_count_files(struct kit *k, const char *sub)
{
	char path[128];
	struct dirent *e;
	size_t n = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/%s", k->dir, sub);
	dir = opendir(path);
	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

void kit_tail_path(struct kit *k, char *out, size_t size)
{
	struct replay r = { 0 };
	char log[96];
	int fd;

	(void)snprintf(log, sizeof(log), "%s/log", k->dir);
	fd = open(log, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(replay_open(&r, fd, O_RDONLY), 0);
	assert_non_null(r.tail);
	(void)snprintf(out, size, "%s/%016" PRIX64 ".seg", log, r.tail->generation);
	replay_close(&r);
	close(fd);
}

void kit_init(struct kit *k)
{
	memset(k, 0, sizeof(*k));
	(void)snprintf(k->dir, sizeof(k->dir), "spool-test-XXXXXX");
	assert_non_null(mkdtemp(k->dir));
	k->set = (struct spool_settings){
		.segment_bytes = KIT_SEGMENT, .node = 1, .flush_ms = 2, .retry_ms = 5
	};
}

static void kit_free_message(struct kit_message *m)
{
	mem_free(m->rcpts);
	mem_free(m->states);
	memset(m, 0, sizeof(*m));
}

void kit_deinit(struct kit *k)
{
	for (size_t i = 0; i < KIT_MESSAGES; i++)
		kit_free_message(&k->messages[i]);
	kit_remove_tree(k->dir);
}

/* ---- hooks ---- */

static void kit_tell(struct spool_progress *p)
{
	p->status = SLICE("2.0.0");
	p->reason = SLICE("delivered to mailbox");
}

static void kit_keep_rcpts(struct kit_message *m, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	mem_free(m->rcpts);
	m->rcpts = mem_new_array(n_rcpts, sizeof(*rcpts));
	m->n_rcpts = n_rcpts;
	for (size_t i = 0; i < n_rcpts; i++) {
		m->rcpts[i] = kit_recipient("rcpt@example.org");
		m->rcpts[i].parent = rcpts[i].parent;
		m->rcpts[i].progress = rcpts[i].progress;
		if (rcpts[i].progress.attempts) /* the slices go */
			kit_tell(&m->rcpts[i].progress);
	}
}

static struct spool_entry *kit_on_recovered(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	struct kit *k = user;
	struct kit_message *m;

	if (k->n_recovered == 0)
		k->n_events_at_recovery = shim_n_events();
	assert_true(env->id < KIT_MESSAGES);
	m = &k->messages[env->id];
	assert_false(m->is_live);
	m->kit = k;
	m->id = env->id;
	m->bytes = env->content_bytes;
	m->is_live = true;
	m->flags = env->flags;
	assert_slice_equal(env->reverse_path, SLICE("sender@example.org"));
	for (size_t i = 0; i < n_rcpts; i++)
		assert_slice_equal(rcpts[i].forward_path, SLICE("rcpt@example.org"));
	kit_keep_rcpts(m, rcpts, n_rcpts);
	memset(&m->entry, 0, sizeof(m->entry));
	k->n_recovered++;
	return &m->entry;
}

static void kit_describe(void *user, struct spool_entry *entry, struct spool_envelope *env_out,
	const struct spool_recipient **rcpts_out, size_t *n_rcpts_out)
{
	struct kit_message *m = CONTAINER_OF(entry, struct kit_message, entry);

	*env_out = (struct spool_envelope){
		.id = m->id,
		.reverse_path = SLICE("sender@example.org"),
		.flags = m->flags,
	};
	*rcpts_out = m->rcpts;
	*n_rcpts_out = m->n_rcpts;
}

static void kit_on_problem(void *user, const struct spool_problem *problem)
{
	struct kit *k = user;

	k->problems[problem->kind]++;
	k->last_problem = *problem;
}

static void kit_on_loaded(void *user, int result)
{
	struct kit *k = user;

	k->is_loaded = true;
	k->load_result = result;
}

unsigned kit_n_problems(const struct kit *k)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(k->problems); i++)
		if (i != SPOOL_PROBLEM_TORN && i != SPOOL_PROBLEM_ORPHAN)
			n += k->problems[i];
	return n;
}

/* ---- open and close ---- */

int kit_try_open(struct kit *k)
{
	static const struct spool_hooks hooks = { kit_on_recovered, kit_describe, kit_on_problem,
		kit_on_loaded };
	int r;

	assert_int_equal(uv_loop_init(&k->loop), 0);
	memset(k->problems, 0, sizeof(k->problems));
	k->n_recovered = 0;
	k->is_loaded = false;
	r = spool_open(k->dir, &k->set, &k->loop, &hooks, k, &k->sp);
	if (r < 0)
		assert_int_equal(uv_loop_close(&k->loop), 0);
	return r;
}

void kit_open(struct kit *k)
{
	assert_int_equal(kit_try_open(k), 0);
	kit_load(k);
}

void kit_load(struct kit *k)
{
	while (!k->is_loaded)
		uv_run(&k->loop, UV_RUN_ONCE);
	assert_int_equal(k->load_result, 0);
}

static void kit_closed(void *user)
{
	struct kit *k = user;

	k->is_closed = true;
}

void kit_close(struct kit *k)
{
	k->is_closed = false;
	spool_close(k->sp, kit_closed, k);
	uv_run(&k->loop, UV_RUN_DEFAULT);
	assert_true(k->is_closed);
	assert_int_equal(uv_loop_close(&k->loop), 0);
	k->sp = NULL;
}

void kit_close_without_checkpoint(struct kit *k)
{
	k->sp->checkpoint.is_last = true;
	kit_close(k);
}

void kit_begin_checkpoint(struct kit *k)
{
	k->sp->checkpoint.is_wanted = true;
	k->sp->checkpoint.not_before_ms = 0;
	checkpoint_run(k->sp);
	assert_int_not_equal(k->sp->checkpoint.state, CHECKPOINT_NONE);
}

void kit_checkpoint(struct kit *k)
{
	kit_begin_checkpoint(k);
	while (k->sp->checkpoint.state != CHECKPOINT_NONE)
		uv_run(&k->loop, UV_RUN_ONCE);
}

void kit_forget(struct kit *k)
{
	for (size_t i = 0; i < KIT_MESSAGES; i++) {
		struct kit_message *m = &k->messages[i];
		m->is_live = false;
		memset(&m->entry, 0, sizeof(m->entry));
	}
}

void kit_reopen(struct kit *k)
{
	kit_close(k);
	kit_forget(k);
	kit_open(k);
}

void kit_run(struct kit *k)
{
	uv_run(&k->loop, UV_RUN_DEFAULT);
}

static void kit_timer_nothing(uv_timer_t *timer)
{
}

void kit_run_idle(struct kit *k)
{
	uv_timer_t timer;

	assert_int_equal(uv_timer_init(&k->loop, &timer), 0);
	assert_int_equal(uv_timer_start(&timer, kit_timer_nothing, 6, 0), 0);
	kit_run(k);
	uv_close((uv_handle_t *)&timer, NULL);
	kit_run(k);
}

/* ---- messages ---- */

void kit_fill(uint64_t id, uint64_t offset, size_t n, char *to)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t x = (id << 32) + (offset + i) / 8 + 1;
		x *= UINT64_C(0x9E3779B97F4A7C15);
		x ^= x >> 29;
		x *= UINT64_C(0xBF58476D1CE4E5B9);
		to[i] = (char)(unsigned char)(x >> (8 * ((offset + i) % 8)));
	}
}

struct spool_recipient kit_recipient(const char *address)
{
	return (struct spool_recipient){ .forward_path = slice_of(address), .original = slice_of(address) };
}

static void kit_committed(void *user, int result)
{
	struct kit_message *m = user;

	m->result = result;
	m->is_live = m->is_promised = result == 0;
}

int kit_begin(struct kit *k, uint64_t id, uint64_t bytes, size_t n_rcpts)
{
	struct kit_message *m = &k->messages[id];
	struct spool_envelope env = { .id = id, .reverse_path = SLICE("sender@example.org") };
	struct spool_message *message;
	char piece[10000];
	int r = spool_message_new(k->sp, bytes / 2, &message);

	if (r < 0)
		return r;
	for (uint64_t at = 0; at < bytes && r == 0; at += sizeof(piece)) {
		size_t n = (size_t)MIN(bytes - at, (uint64_t)sizeof(piece));
		kit_fill(id, at, n, piece);
		r = spool_message_append(message, (struct slice){ piece, n });
	}
	if (r < 0) {
		spool_message_abort(&message);
		return r;
	}
	assert_int_equal(spool_message_bytes(message), bytes);
	*m = (struct kit_message){ .kit = k, .id = id, .bytes = bytes, .result = KIT_WAITING };
	m->rcpts = mem_new_array(n_rcpts, sizeof(*m->rcpts));
	m->states = mem_new_array(n_rcpts + 256, sizeof(*m->states)); /* with those of expansions */
	m->n_rcpts = n_rcpts;
	for (size_t i = 0; i < n_rcpts; i++)
		m->rcpts[i] = kit_recipient("rcpt@example.org");
	spool_message_commit(message, &m->entry, &env, m->rcpts, n_rcpts, kit_committed, m);
	return 0;
}

void kit_commit(struct kit *k, uint64_t id, uint64_t bytes, size_t n_rcpts)
{
	assert_int_equal(kit_begin(k, id, bytes, n_rcpts), 0);
	kit_run(k);
	assert_int_equal(k->messages[id].result, 0);
}

struct kit_change {
	struct kit_message *m;
	uint64_t id;
	uint32_t rcpt_no;
	enum spool_rcpt_state state;
	size_t n_new;
};

static void kit_changed(void *user, int result)
{
	struct kit_change *c = user;
	struct kit_message *m = c->m;

	if (m->id == c->id) {
		m->result = result;
		if (result == 0)
			m->states[c->rcpt_no] = c->state;
		if (result == 0 && c->state == SPOOL_RCPT_EXPANDED) {
			m->rcpts[c->rcpt_no].progress.state = SPOOL_RCPT_EXPANDED;
			m->n_rcpts += c->n_new;
		}
	}
	mem_free(c);
}

static struct kit_change *kit_change(struct kit_message *m, uint32_t rcpt_no, enum spool_rcpt_state state)
{
	struct kit_change *c = mem_new(sizeof(*c));

	*c = (struct kit_change){ .m = m, .id = m->id, .rcpt_no = rcpt_no, .state = state };
	m->result = KIT_WAITING;
	return c;
}

void kit_result(struct kit *k, uint64_t id, uint32_t rcpt_no, enum spool_rcpt_state state, bool waits)
{
	struct kit_message *m = &k->messages[id];
	struct spool_progress *p = &m->rcpts[rcpt_no].progress;

	p->state = state;
	p->attempts++;
	kit_tell(p);
	if (waits)
		spool_record_result(k->sp, &m->entry, rcpt_no, p, kit_changed, kit_change(m, rcpt_no, state));
	else
		spool_record_result(k->sp, &m->entry, rcpt_no, p, NULL, NULL);
}

void kit_expand(struct kit *k, uint64_t id, uint32_t rcpt_no, size_t n_new)
{
	struct kit_message *m = &k->messages[id];
	struct spool_recipient *grown = mem_new_array(m->n_rcpts + n_new, sizeof(*grown));
	struct kit_change *c = kit_change(m, rcpt_no, SPOOL_RCPT_EXPANDED);

	memcpy(grown, m->rcpts, m->n_rcpts * sizeof(*grown));
	for (size_t i = 0; i < n_new; i++) {
		grown[m->n_rcpts + i] = kit_recipient("rcpt@example.org");
		grown[m->n_rcpts + i].parent = rcpt_no;
	}
	mem_free(m->rcpts);
	m->rcpts = grown;
	c->n_new = n_new;
	spool_expand(k->sp, &m->entry, rcpt_no, grown + m->n_rcpts, n_new, kit_changed, c);
}

static void kit_flags_set(void *user, int result)
{
	struct kit_message *m = user;

	m->result = result;
	if (result == 0)
		m->flags = m->flags_wanted;
}

void kit_set_flags(struct kit *k, uint64_t id, uint32_t flags)
{
	struct kit_message *m = &k->messages[id];

	m->result = KIT_WAITING;
	m->flags_wanted = flags;
	spool_set_flags(k->sp, &m->entry, flags, kit_flags_set, m);
}

static void kit_removed(void *user, int result)
{
	struct kit_message *m = user;

	m->result = result;
}

void kit_remove(struct kit *k, uint64_t id)
{
	struct kit_message *m = &k->messages[id];

	m->is_live = m->is_promised = false;
	m->is_removing = true;
	m->result = KIT_WAITING;
	spool_remove(k->sp, &m->entry, kit_removed, m);
	assert_null(m->entry.segment);
}

/* ---- judging ---- */

void kit_check_content(struct kit *k, uint64_t id)
{
	struct kit_message *m = &k->messages[id];
	static char want[40000];
	struct buf got = BUF_INIT(sizeof(want));

	for (uint64_t at = 0; at < m->bytes; at += got.len) {
		buf_clear(&got);
		assert_int_equal(spool_content_read(k->sp, &m->entry, at, sizeof(want), &got), 0);
		assert_true(got.len > 0 && got.len <= m->bytes - at);
		kit_fill(id, at, got.len, want);
		assert_memory_equal(got.at, want, got.len);
	}
	buf_free(&got);
}

void kit_check(struct kit *k)
{
	for (uint64_t id = 0; id < KIT_MESSAGES; id++) {
		struct kit_message *m = &k->messages[id];
		if (m->is_promised && !m->is_live)
			fail_msg("message %" PRIu64 " was acknowledged and is gone", id);
		if (m->is_removing && m->result == 0 && m->is_live)
			fail_msg("message %" PRIu64 " was removed and is back", id);
		if (!m->is_live)
			continue;
		kit_check_content(k, id);
		for (size_t i = 0; m->is_promised && i < m->n_rcpts; i++)
			if (m->states[i] && m->rcpts[i].progress.state != m->states[i])
				fail_msg("message %" PRIu64 " recipient %zu: state %d, promised %u", id, i,
					m->rcpts[i].progress.state, m->states[i]);
	}
}
