/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_checkpoint.c - whatever became of the checkpoints, opening hands over what the whole log says
 *
 * One spool with two checkpoints and log behind both of them. Each row damages a copy of it, opens that, and
 * compares with the opening of a copy that has no checkpoint; it also says which one must have been used, and
 * how many must have been told as damaged. Writing them, and loading in slices: test_load.c.
 */
#include "spool/test_picture.h"
#include "base/crc32c.h"
#include <fcntl.h>
#include <sys/stat.h>

#define OLDER 1
#define NEWEST 2
#define COPY "spool-test-checkpoint-copy"

static struct kit kit;
static struct picture whole;			      /* without a checkpoint */
static struct buf newest = BUF_INIT((size_t)1 << 20); /* bytes of its file */

/* ---- the spool ---- */

static void change(uint64_t first)
{
	kit_expand(&kit, first, 0, 3);
	kit_result(&kit, first + 1, 0, SPOOL_RCPT_DELIVERED, true);
	kit_set_flags(&kit, first + 2, SPOOL_FLAG_HELD);
	kit_remove(&kit, first + 3);
	kit_result(&kit, first + 4, 0, SPOOL_RCPT_PENDING, false);
	kit_run(&kit);
	kit_result(&kit, first, 1, SPOOL_RCPT_DELIVERED, true);
	kit_run(&kit);
}

static void read_file(const char *path, struct buf *to)
{
	char block[4096];
	FILE *in = fopen(path, "rb");
	size_t n;

	assert_non_null(in);
	buf_clear(to);
	while ((n = fread(block, 1, sizeof(block), in)) > 0)
		buf_append(to, (struct slice){ block, n });
	assert_int_equal(fclose(in), 0);
	assert_true(buf_ok(to));
}

static void write_file(const char *path, struct slice bytes)
{
	FILE *out = fopen(path, "wb");

	assert_non_null(out);
	assert_int_equal(fwrite(bytes.at, 1, bytes.len, out), bytes.len);
	assert_int_equal(fclose(out), 0);
}

static int build(void **state)
{
	uint64_t numbers[8];
	char path[256];

	kit_init(&kit);
	shim->skips_syncs = true;
	kit_open(&kit);
	for (uint64_t id = 1; id <= 20; id++)
		kit_commit(&kit, id, 100 * id, id == 10 ? 2500 : 2); /* that one fills a slice */
	kit_commit(&kit, 21, 40000, 1);				     /* a body file */
	change(1);
	kit_checkpoint(&kit);
	change(11);
	kit_commit(&kit, 22, 300, 1);
	kit_checkpoint(&kit);
	change(15);
	kit_set_flags(&kit, 3, 0);
	kit_commit(&kit, 23, 400, 2);
	kit_commit(&kit, 24, 30000, 2);
	kit_remove(&kit, 23);
	kit_run(&kit);
	kit_close_without_checkpoint(&kit);
	assert_int_equal(picture_checkpoints(kit.dir, numbers, 8), 2);
	assert_true(numbers[0] == NEWEST && numbers[1] == OLDER);
	picture_checkpoint_path(kit.dir, NEWEST, path, sizeof(path));
	read_file(path, &newest);
	picture_copy_spool(kit.dir, COPY);
	picture_remove_checkpoints(COPY);
	picture_take(&whole, COPY, &kit.set);
	assert_int_equal(whole.n_messages, 20);
	return 0;
}

static int destroy(void **state)
{
	picture_free(&whole);
	buf_free(&newest);
	kit_remove_tree(COPY);
	kit_deinit(&kit);
	shim_reset();
	return 0;
}

/* ---- the parts of a file ---- */

struct parts {
	size_t at[16]; /* of each slice's header; at[n] is the end of the file */
	size_t n;
};

static struct parts parts_of(struct slice file)
{
	struct parts p = { .at = { FORMAT_CHECKPOINT_HEADER } };
	struct format_slice s;

	while (p.at[p.n] < file.len) {
		assert_int_equal(format_slice_decode(file.at + p.at[p.n], &s), FORMAT_OK);
		p.at[p.n + 1] = p.at[p.n] + FORMAT_SLICE_HEADER + s.bytes;
		p.n++;
		assert_true(p.n < ARRAY_LEN(p.at));
	}
	assert_int_equal(p.at[p.n], file.len);
	return p;
}

static void seal(char *header, size_t n, size_t n_payload)
{
	uint32_t crc = crc32c(0, (struct slice){ header + 12, n - 12 + n_payload });

	memcpy(header + 8, &crc, sizeof(crc));
}

/* ---- damage to one file ---- */

typedef void damage(const char *path, struct slice file, const struct parts *p);

static void cut(const char *path, size_t bytes)
{
	assert_int_equal(truncate(path, (off_t)bytes), 0);
}

static void flip(const char *path, struct slice file, size_t at)
{
	char *bytes = mem_new(file.len);

	memcpy(bytes, file.at, file.len);
	bytes[at] ^= 0x10;
	write_file(path, (struct slice){ bytes, file.len });
	mem_free(bytes);
}

static void cut_all(const char *path, struct slice file, const struct parts *p)
{
	cut(path, 0);
}

static void cut_in_header(const char *path, struct slice file, const struct parts *p)
{
	cut(path, FORMAT_CHECKPOINT_HEADER - 1);
}

static void cut_behind_header(const char *path, struct slice file, const struct parts *p)
{
	cut(path, FORMAT_CHECKPOINT_HEADER);
}

static void cut_in_slice_header(const char *path, struct slice file, const struct parts *p)
{
	cut(path, p->at[1] + FORMAT_SLICE_HEADER - 1);
}

static void cut_behind_slice_header(const char *path, struct slice file, const struct parts *p)
{
	cut(path, p->at[1] + FORMAT_SLICE_HEADER);
}

static void cut_in_payload(const char *path, struct slice file, const struct parts *p)
{
	cut(path, p->at[1] + FORMAT_SLICE_HEADER + 100);
}

static void cut_behind_slice(const char *path, struct slice file, const struct parts *p)
{
	cut(path, p->at[1]);
}

static void cut_end(const char *path, struct slice file, const struct parts *p)
{
	cut(path, p->at[p->n - 1]);
}

static void cut_last_byte(const char *path, struct slice file, const struct parts *p)
{
	cut(path, file.len - 1);
}

static void flip_header(const char *path, struct slice file, const struct parts *p)
{
	flip(path, file, 33);
}

static void flip_slice_header(const char *path, struct slice file, const struct parts *p)
{
	flip(path, file, p->at[1] + 40);
}

static void flip_payload(const char *path, struct slice file, const struct parts *p)
{
	flip(path, file, p->at[1] + FORMAT_SLICE_HEADER + 50);
}

static void flip_end(const char *path, struct slice file, const struct parts *p)
{
	flip(path, file, file.len - 1);
}

static void add_byte(const char *path, struct slice file, const struct parts *p)
{
	cut(path, file.len + 1);
}

static void add_slice(const char *path, struct slice file, const struct parts *p)
{
	struct buf longer = BUF_INIT(2 * file.len);

	buf_append(&longer, file);
	buf_append(&longer, slice_from(file, p->at[p->n - 1]));
	write_file(path, buf_slice(&longer));
	buf_free(&longer);
}

static void lose_slice(const char *path, struct slice file, const struct parts *p)
{
	struct buf shorter = BUF_INIT(file.len);

	buf_append(&shorter, slice_first(file, p->at[1]));
	buf_append(&shorter, slice_from(file, p->at[2]));
	write_file(path, buf_slice(&shorter));
	buf_free(&shorter);
}

static void exchange_slices(const char *path, struct slice file, const struct parts *p)
{
	struct buf other = BUF_INIT(file.len);

	assert_true(p->n > 2);
	buf_append(&other, slice_first(file, p->at[0]));
	buf_append(&other, slice_first(slice_from(file, p->at[1]), p->at[2] - p->at[1]));
	buf_append(&other, slice_first(slice_from(file, p->at[0]), p->at[1] - p->at[0]));
	buf_append(&other, slice_from(file, p->at[2]));
	write_file(path, buf_slice(&other));
	buf_free(&other);
}

/* A byte of the header becomes another, and the checksum is right. */
static void reseal_header(const char *path, struct slice file, size_t at, char value)
{
	char *bytes = mem_new(file.len);

	memcpy(bytes, file.at, file.len);
	bytes[at] = value;
	seal(bytes, FORMAT_CHECKPOINT_HEADER, 0);
	write_file(path, (struct slice){ bytes, file.len });
	mem_free(bytes);
}

static void make_later_version(const char *path, struct slice file, const struct parts *p)
{
	reseal_header(path, file, 12, FORMAT_VERSION + 1);
}

static void make_other_node(const char *path, struct slice file, const struct parts *p)
{
	reseal_header(path, file, 14, 77); /* the host was given another number: its mail is still there */
}

static void make_other_number(const char *path, struct slice file, const struct parts *p)
{
	reseal_header(path, file, 16, 9);
}

static void make_other_nonce(const char *path, struct slice file, const struct parts *p)
{
	reseal_header(path, file, 24, (char)~file.at[24]);
}

static void make_later_lsn(const char *path, struct slice file, const struct parts *p)
{
	reseal_header(path, file, 38, 1); /* slices are older than what they are to be applied to */
}

/* One message fewer than the end says. */
static void miscount(const char *path, struct slice file, const struct parts *p)
{
	char *bytes = mem_new(file.len), *end = bytes + p->at[p->n - 1];

	memcpy(bytes, file.at, file.len);
	end[FORMAT_SLICE_HEADER]++;
	seal(end, FORMAT_SLICE_HEADER, file.len - p->at[p->n - 1] - FORMAT_SLICE_HEADER);
	write_file(path, (struct slice){ bytes, file.len });
	mem_free(bytes);
}

static void take_away(const char *path, struct slice file, const struct parts *p)
{
	assert_int_equal(unlink(path), 0);
}

static void make_directory(const char *path, struct slice file, const struct parts *p)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void make_link(const char *path, struct slice file, const struct parts *p)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("0000000000000001.ckpt", path), 0);
}

static const struct {
	const char *what;
	damage *inflict;
	bool is_told; /* else it counts as absent, or is good */
	bool is_used;
} damages[] = {
	{ "nothing", NULL, false, true },
	{ "empty", cut_all, true, false },
	{ "cut in the header", cut_in_header, true, false },
	{ "cut behind the header", cut_behind_header, true, false },
	{ "cut in a slice's header", cut_in_slice_header, true, false },
	{ "cut behind a slice's header", cut_behind_slice_header, true, false },
	{ "cut in a slice", cut_in_payload, true, false },
	{ "cut behind a slice", cut_behind_slice, true, false },
	{ "without its end", cut_end, true, false },
	{ "without its last byte", cut_last_byte, true, false },
	{ "bit in the header", flip_header, true, false },
	{ "bit in a slice's header", flip_slice_header, true, false },
	{ "bit in a slice", flip_payload, true, false },
	{ "bit in the end", flip_end, true, false },
	{ "a byte behind it", add_byte, true, false },
	{ "a slice behind it", add_slice, true, false },
	{ "a slice is missing", lose_slice, true, false },
	{ "slices exchanged", exchange_slices, true, false },
	{ "a later version", make_later_version, true, false },
	{ "another node", make_other_node, false, true },
	{ "another number than its name", make_other_number, true, false },
	{ "slices of another one", make_other_nonce, true, false },
	{ "a later LSN", make_later_lsn, true, false },
	{ "another count", miscount, true, false },
	{ "missing", take_away, false, false },
	{ "a directory", make_directory, true, false },
	{ "a symbolic link", make_link, true, false },
};

static void inflict(uint64_t number, damage *d)
{
	struct buf file = BUF_INIT((size_t)1 << 20);
	char path[256];

	picture_checkpoint_path(COPY, number, path, sizeof(path));
	read_file(path, &file);
	struct parts p = parts_of(buf_slice(&file));
	if (d)
		d(path, buf_slice(&file), &p);
	buf_free(&file);
}

static void judge(const char *what, uint64_t used, unsigned n_told)
{
	struct picture p;

	picture_take(&p, COPY, &kit.set);
	assert_same_picture(&p, &whole, what);
	if (p.used != used)
		fail_msg("%s: checkpoint %" PRIu64 " was used, not %" PRIu64, what, p.used, used);
	if (p.problems[SPOOL_PROBLEM_CHECKPOINT] != n_told)
		fail_msg("%s: %u were told as damaged, not %u", what, p.problems[SPOOL_PROBLEM_CHECKPOINT],
			n_told);
	for (size_t i = 0; i < ARRAY_LEN(p.problems); i++)
		if (i != SPOOL_PROBLEM_CHECKPOINT && p.problems[i])
			fail_msg("%s: %s", what, spool_problem_text((enum spool_problem_kind)i));
	picture_free(&p);
}

static void the_newest_is_damaged(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		picture_copy_spool(kit.dir, COPY);
		inflict(NEWEST, damages[i].inflict);
		judge(damages[i].what, damages[i].is_used ? NEWEST : OLDER, damages[i].is_told);
	}
}

static void both_are_damaged(void **state)
{
	for (size_t i = 1; i < ARRAY_LEN(damages); i++) {
		picture_copy_spool(kit.dir, COPY);
		inflict(NEWEST, cut_last_byte);
		inflict(OLDER, damages[i].inflict);
		judge(damages[i].what, damages[i].is_used ? OLDER : 0, 1 + damages[i].is_told);
	}
}

static void the_older_is_damaged(void **state)
{
	picture_copy_spool(kit.dir, COPY);
	inflict(OLDER, flip_payload);
	judge("only the older one", NEWEST, 0); /* nobody looks at it */
}

/* No shorter file, and none with another byte, is taken for a whole one. */
static void every_byte_counts(void **state)
{
	struct checkpoint_reader r;
	char path[256], dir[256];
	int log;

	picture_copy_spool(kit.dir, COPY);
	picture_checkpoint_path(COPY, NEWEST, path, sizeof(path));
	(void)snprintf(dir, sizeof(dir), "%s/log", COPY);
	log = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(checkpoint_open(&r, log, NEWEST), 0);
	checkpoint_close(&r);
	int fd = open(path, O_RDWR);
	for (size_t at = 0; at < newest.len; at += at < 4000 || at + 400 > newest.len ? 1 : 97) {
		char bad = (char)(newest.at[at] ^ (1 << at % 8));
		assert_int_equal(pwrite(fd, &bad, 1, (off_t)at), 1);
		assert_int_equal(checkpoint_open(&r, log, NEWEST), -EBADMSG);
		assert_int_equal(pwrite(fd, newest.at + at, 1, (off_t)at), 1);
	}
	for (size_t bytes = newest.len; bytes-- > 0; bytes -= bytes < 4000 ? 0 : MIN(bytes, (size_t)96)) {
		assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
		assert_int_equal(checkpoint_open(&r, log, NEWEST), -EBADMSG);
	}
	close(fd);
	close(log);
}

/* ---- a file of another spool ---- */

/* Its checkpoint, under the number of our newest one. */
static void bring_foreign(void (*live)(struct kit *other), const char *what)
{
	struct kit *other = mem_new(sizeof(*other));
	char from[256], to[256];

	kit_init(other);
	kit_open(other);
	live(other);
	other->sp->checkpoint.number = NEWEST - 1;
	kit_checkpoint(other);
	kit_close_without_checkpoint(other);
	picture_copy_spool(kit.dir, COPY);
	picture_checkpoint_path(other->dir, NEWEST, from, sizeof(from));
	picture_checkpoint_path(COPY, NEWEST, to, sizeof(to));
	kit_copy_file(from, to);
	judge(what, OLDER, 1);
	kit_deinit(other);
	mem_free(other);
}

static void live_alike(struct kit *other)
{
	for (uint64_t id = 1; id <= 30; id++)
		kit_commit(other, id, 100, 1);
}

static void live_shortly(struct kit *other)
{
	kit_commit(other, 1, 100, 1);
	kit_remove(other, 1);
	kit_run(other);
}

static void live_longer(struct kit *other)
{
	for (int i = 0; i < 3; i++)
		kit_reopen(other); /* numbers jump each time */
	kit_commit(other, 1, 100, 1);
}

static void another_spool_is_told(void **state)
{
	bring_foreign(live_alike, "of a spool with the same generations");
	bring_foreign(live_shortly, "of an empty spool");
	bring_foreign(live_longer, "of a spool with later numbers");
}

/* It says of nothing that it need not be read. */
static void an_empty_one_of_another_spool_does_no_harm(void **state)
{
	struct picture p;
	struct kit *other = mem_new(sizeof(*other));
	char from[256], to[256];

	kit_init(other);
	kit_open(other);
	kit_checkpoint(other);
	kit_close_without_checkpoint(other);
	picture_copy_spool(kit.dir, COPY);
	picture_remove_checkpoints(COPY);
	picture_checkpoint_path(other->dir, 1, from, sizeof(from));
	picture_checkpoint_path(COPY, 1, to, sizeof(to));
	kit_copy_file(from, to);
	picture_take(&p, COPY, &kit.set);
	assert_same_picture(&p, &whole, "of a spool that was never used");
	picture_free(&p);
	kit_deinit(other);
	mem_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_is_damaged),
		cmocka_unit_test(both_are_damaged),
		cmocka_unit_test(the_older_is_damaged),
		cmocka_unit_test(every_byte_counts),
		cmocka_unit_test(another_spool_is_told),
		cmocka_unit_test(an_empty_one_of_another_spool_does_no_harm),
	};

	return cmocka_run_group_tests(tests, build, destroy);
}
