/* SPDX-License-Identifier: Apache-2.0 */
/* test_drop.c - what may lie in the drop directory, and what is made of it */
#include "spool/drop.h"
#include "support/test.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/socket.h>

static char dir[] = "spool-drop-XXXXXX";
static int dir_fd;

static int setup(void **state)
{
	memcpy(dir + sizeof("spool-drop-") - 1, "XXXXXX", 6);
	if (!mkdtemp(dir))
		return -1;
	dir_fd = drop_open(dir);
	return dir_fd < 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "good", "mode", "two", "three", "link", "fifo", "sub", ".hidden",
		".bad-good", "large", "empty", "sock" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (unlinkat(dir_fd, names[i], 0) < 0)
			(void)unlinkat(dir_fd, names[i], AT_REMOVEDIR); /* most are not there */
	close(dir_fd);
	return rmdir(dir);
}

static void make_file(const char *name, const char *content, mode_t mode)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

static void files_are_read_whole(void **state)
{
	struct buf content = BUF_INIT(1000);
	struct drop_file file;

	make_file("good", "from here", 0640);
	make_file("empty", "", 0600);
	assert_int_equal(drop_read(dir_fd, "good", 100, &content, &file), DROP_READ_OK);
	assert_slice_equal(buf_slice(&content), SLICE("from here"));
	assert_string_equal(file.name, "good");
	assert_int_equal(file.owner, geteuid());
	assert_int_equal(file.bytes, 9);
	assert_true(file.modified_us > 0);
	assert_int_equal(drop_read(dir_fd, "empty", 100, &content, &file), DROP_READ_OK);
	assert_int_equal(content.len, 0);
	assert_int_equal(drop_read(dir_fd, "good", 9, &content, &file), DROP_READ_OK);
	assert_int_equal(drop_read(dir_fd, "good", 8, &content, &file), DROP_READ_TOO_LARGE);
	assert_int_equal(file.bytes, 9);
	buf_free(&content);
	content = BUF_INIT(5); /* the ceiling of the buffer is an error of the machine, not of the file */
	assert_int_equal(drop_read(dir_fd, "good", 100, &content, &file), -ENOMEM);
	buf_free(&content);
}

static void nothing_else_is_opened(void **state)
{
	static const struct {
		const char *name;
		enum drop_outcome want;
	} rows[] = {
		{ "mode", DROP_READ_NOT_OURS },	 /* others could write it */
		{ "two", DROP_READ_NOT_OURS },	 /* has a second name */
		{ "three", DROP_READ_NOT_OURS }, /* is that name */
		{ "link", DROP_READ_NOT_OURS },	 /* symbolic */
		{ "fifo", DROP_READ_NOT_OURS },	 /* would wait for a writer */
		{ "sock", DROP_READ_NOT_OURS },
		{ "sub", DROP_READ_NOT_OURS },
		{ ".hidden", DROP_READ_NOT_OURS }, /* unfinished */
		{ "../passwd", DROP_READ_NOT_OURS },
		{ "a\nb", DROP_READ_NOT_OURS },
		{ "", DROP_READ_NOT_OURS },
		{ "gone", DROP_READ_GONE },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789",
			DROP_READ_NOT_OURS },
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct buf content = BUF_INIT(1000);
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	make_file("mode", "x", 0620);
	make_file("two", "x", 0600);
	make_file(".hidden", "x", 0600);
	assert_int_equal(linkat(dir_fd, "two", dir_fd, "three", 0), 0);
	assert_int_equal(symlinkat("two", dir_fd, "link"), 0);
	assert_int_equal(mkfifoat(dir_fd, "fifo", 0600), 0);
	assert_int_equal(mkdirat(dir_fd, "sub", 0700), 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", dir);
	assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
	close(sock);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct drop_file file = { .bytes = 77 };
		assert_int_equal(drop_read(dir_fd, rows[i].name, 100, &content, &file), rows[i].want);
		assert_int_equal(file.bytes, 77);
	}
	buf_free(&content);
}

static void count_names(void *user, const char *name)
{
	(*(size_t *)user)++;
	assert_true(strcmp(name, "good") == 0 || strcmp(name, "empty") == 0 || strcmp(name, "large") == 0);
}

static void candidates_are_listed(void **state)
{
	size_t n = 0;

	make_file("good", "x", 0600);
	make_file("empty", "", 0600);
	make_file("large", "", 0600);
	make_file(".hidden", "", 0600);
	assert_int_equal(drop_list(dir_fd, count_names, &n), 3);
	assert_int_equal(n, 3);
	assert_int_equal(n, 3);
	assert_int_equal(drop_open("no-such-directory"), -ENOENT);
}

static void a_walk_survives_changes(void **state)
{
	static const char *const all[] = { "good", "empty", "large" };
	char name[DROP_NAME_MAX + 1];
	struct drop_walk *walk;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		make_file(all[i], "x", 0600);
	assert_int_equal(drop_walk_open(dir_fd, &walk), 0);
	while (drop_walk_next(walk, name) == 1) {
		assert_int_equal(unlinkat(dir_fd, name, 0), 0); /* each is told, though it goes at once */
		n++;
	}
	assert_int_equal(n, ARRAY_LEN(all));
	assert_int_equal(drop_walk_next(walk, name), 0);
	drop_walk_close(&walk);
	assert_null(walk);
	drop_walk_close(&walk);
}

static void the_head_is_read_alone(void **state)
{
	static const struct {
		const char *name;
		size_t max;
		int want;
		const char *head;
	} rows[] = {
		{ "good", 4, DROP_READ_OK, "from" },
		{ "good", 9, DROP_READ_OK, "from here" },
		{ "good", 100, DROP_READ_OK, "from here" },
		{ "empty", 100, DROP_READ_OK, "" },
		{ "mode", 100, DROP_READ_NOT_OURS, "" },
		{ ".hidden", 100, DROP_READ_NOT_OURS, "" },
		{ "gone", 100, DROP_READ_GONE, "" },
	};
	struct buf content = BUF_INIT(100);

	make_file("good", "from here", 0600);
	make_file("empty", "", 0600);
	make_file("mode", "x", 0620);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct drop_file file = { .bytes = 77 };
		assert_int_equal(
			drop_read_head(dir_fd, rows[i].name, rows[i].max, &content, &file), rows[i].want);
		assert_slice_equal(buf_slice(&content), slice_of(rows[i].head));
		if (rows[i].want == DROP_READ_OK)
			assert_int_equal(file.bytes, strcmp(rows[i].name, "good") == 0 ? 9 : 0);
	}
	buf_free(&content);
}

static void only_the_file_that_was_read_is_removed(void **state)
{
	struct buf content = BUF_INIT(100);
	struct drop_file file;

	make_file("good", "one", 0600);
	assert_int_equal(drop_read(dir_fd, "good", 100, &content, &file), DROP_READ_OK);
	make_file("large", "two", 0600);
	assert_int_equal(renameat(dir_fd, "large", dir_fd, "good"), 0);
	assert_int_equal(drop_remove(dir_fd, &file, true), 0);
	assert_int_equal(faccessat(dir_fd, "good", F_OK, 0), 0); /* another file by now */
	assert_int_equal(drop_read(dir_fd, "good", 100, &content, &file), DROP_READ_OK);
	assert_int_equal(drop_remove(dir_fd, &file, false), 0);
	assert_int_equal(drop_read(dir_fd, "good", 100, &content, &file), DROP_READ_GONE);
	assert_int_equal(drop_remove(dir_fd, &file, true), 0);
	buf_free(&content);
}

static void bad_files_are_set_aside(void **state)
{
	size_t n = 0;

	make_file("good", "junk", 0600);
	assert_int_equal(drop_set_aside(dir_fd, "good"), 0);
	assert_int_equal(faccessat(dir_fd, ".bad-good", F_OK, 0), 0);
	assert_int_equal(drop_list(dir_fd, count_names, &n), 0);
	assert_int_equal(drop_set_aside(dir_fd, "../x"), -EINVAL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(files_are_read_whole),
		TEST(nothing_else_is_opened),
		TEST(candidates_are_listed),
		TEST(a_walk_survives_changes),
		TEST(the_head_is_read_alone),
		TEST(only_the_file_that_was_read_is_removed),
		TEST(bad_files_are_set_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
