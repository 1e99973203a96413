/* SPDX-License-Identifier: Apache-2.0 */
/* test_picture.c - see test_picture.h */
#include "spool/test_picture.h"
#include "base/crc32c.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

struct taking {
	struct picture *picture;
	struct spool_entry entries[KIT_MESSAGES];
	bool is_loaded, is_closed;
};

static struct spool_entry *taking_on_recovered(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	struct taking *t = user;
	struct buf *of = &t->picture->of[env->id];

	assert_true(env->id < KIT_MESSAGES);
	assert_int_equal(of->len, 0); /* no message comes twice */
	format_put_message(of, env, rcpts, n_rcpts);
	assert_true(buf_ok(of));
	t->picture->n_messages++;
	return &t->entries[env->id];
}

/* Never asked: nothing is moved, and no checkpoint written. */
static void taking_on_problem(void *user, const struct spool_problem *problem)
{
	struct taking *t = user;

	t->picture->problems[problem->kind]++;
	t->picture->last_problem = *problem;
}

static void taking_on_loaded(void *user, int result)
{
	struct taking *t = user;

	t->is_loaded = true;
	t->picture->load_result = result;
}

static void taking_closed(void *user)
{
	((struct taking *)user)->is_closed = true;
}

/* What fails its checksum is a content of its own kind. */
static void taking_read(struct taking *t, struct spool *sp, uint64_t id)
{
	struct buf content = BUF_INIT((size_t)1 << 20);
	int r = spool_content_read(sp, &t->entries[id], 0, content.max, &content);
	uint32_t crc = r < 0 ? (uint32_t)r : crc32c(0, buf_slice(&content));

	buf_append(&t->picture->of[id], (struct slice){ (const char *)&crc, sizeof(crc) });
	buf_free(&content);
}

void picture_take(struct picture *p, const char *dir, const struct spool_settings *set)
{
	static const struct spool_hooks hooks = { taking_on_recovered, NULL, taking_on_problem,
		taking_on_loaded };
	struct taking *t = mem_new(sizeof(*t));
	struct spool *sp;
	uv_loop_t loop;

	*p = (struct picture){ 0 };
	for (size_t id = 0; id < KIT_MESSAGES; id++)
		p->of[id] = BUF_INIT(FORMAT_META_MAX);
	t->picture = p;
	assert_int_equal(uv_loop_init(&loop), 0);
	p->open_result = spool_open(dir, set, &loop, &hooks, t, &sp);
	if (p->open_result == 0) {
		while (!t->is_loaded)
			uv_run(&loop, UV_RUN_ONCE);
		for (uint64_t id = 0; id < KIT_MESSAGES; id++)
			if (t->entries[id].segment)
				taking_read(t, sp, id);
		p->high_water = spool_id_high_water(sp);
		p->used = sp->checkpoint.previous;
		spool_close(sp, taking_closed, t);
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_true(t->is_closed);
	}
	assert_int_equal(uv_loop_close(&loop), 0);
	mem_free(t);
}

void picture_free(struct picture *p)
{
	for (size_t id = 0; id < KIT_MESSAGES; id++)
		buf_free(&p->of[id]);
}

void assert_same_picture(const struct picture *got, const struct picture *want, const char *what)
{
	if (got->open_result || got->load_result)
		fail_msg("%s: opening gave %d, loading %d", what, got->open_result, got->load_result);
	for (size_t id = 0; id < KIT_MESSAGES; id++) {
		if (!got->of[id].len != !want->of[id].len)
			fail_msg(
				"%s: message %zu is %s", what, id, want->of[id].len ? "missing" : "too many");
		if (!slice_eq(buf_slice(&got->of[id]), buf_slice(&want->of[id])))
			fail_msg("%s: message %zu is another", what, id);
	}
	assert_int_equal(got->high_water, want->high_water);
}

/* ---- files ---- */

static void copy_dir(const char *from, const char *to, const char *sub)
{
	char source[256], target[256];
	struct dirent *e;
	DIR *dir;

	(void)snprintf(target, sizeof(target), "%s/%s", to, sub);
	assert_int_equal(mkdir(target, 0700), 0);
	(void)snprintf(source, sizeof(source), "%s/%s", from, sub);
	dir = opendir(source);
	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(source, sizeof(source), "%s/%s/%.64s", from, sub, e->d_name);
		(void)snprintf(target, sizeof(target), "%s/%s/%.64s", to, sub, e->d_name);
		kit_copy_file(source, target);
	}
	closedir(dir);
}

void picture_copy_spool(const char *from, const char *to)
{
	kit_remove_tree(to);
	assert_int_equal(mkdir(to, 0700), 0);
	copy_dir(from, to, "log");
	copy_dir(from, to, "bodies");
}

size_t picture_checkpoints(const char *dir, uint64_t *numbers, size_t max)
{
	uint64_t *all;
	char path[256];
	size_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/log", dir);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(checkpoint_list(fd, &all, &n), 0);
	assert_true(n <= max);
	if (n)
		memcpy(numbers, all, n * sizeof(*numbers));
	mem_free(all);
	close(fd);
	return n;
}

void picture_checkpoint_path(const char *dir, uint64_t number, char *out, size_t size)
{
	(void)snprintf(out, size, "%s/log/%016" PRIX64 ".ckpt", dir, number);
}

void picture_remove_checkpoints(const char *dir)
{
	uint64_t numbers[8];
	size_t n = picture_checkpoints(dir, numbers, ARRAY_LEN(numbers));
	char path[256];

	for (size_t i = 0; i < n; i++) {
		picture_checkpoint_path(dir, numbers[i], path, sizeof(path));
		assert_int_equal(unlink(path), 0);
	}
}
