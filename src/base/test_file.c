/* SPDX-License-Identifier: Apache-2.0 */
/* test_file.c - file access in a scratch directory, the checksum, the log's escaping */
#include "support/test.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char scratch[] = "/tmp/postrider-test-XXXXXX";
static int dir = -1;

static int make_scratch(void **state)
{
	(void)state;
	if (!mkdtemp(scratch))
		return -1;
	dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

static void remove_all(int at)
{
	DIR *d = fdopendir(at);

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) < 0) {
			remove_all(openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
			assert_int_equal(unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR), 0);
		}
	}
	(void)closedir(d);
}

static int remove_scratch(void **state)
{
	(void)state;
	remove_all(dir);
	return rmdir(scratch);
}

static size_t count_files(void)
{
	DIR *d = opendir(scratch);
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static void writes_and_reads(void **state)
{
	auto_close int fd = openat(dir, "rw", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	auto_buf struct buf all = BUF_INIT(100), low = BUF_INIT(3);
	char part[5];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, SLICE("hello ")), 0);
	assert_int_equal(file_write_all(fd, SLICE_EMPTY), 0);
	assert_int_equal(file_pwrite_all(fd, SLICE("world"), 6), 0);
	assert_int_equal(file_sync_data(fd), 0);
	assert_int_equal(file_sync(fd), 0);
	assert_int_equal(file_sync_dir(dir), 0);
	assert_int_equal(file_pread_all(fd, part, 5, 6), 0);
	assert_memory_equal(part, "world", 5);
	assert_int_equal(file_pread_all(fd, part, 5, 7), -ENODATA);
	assert_int_equal(file_read_path(dir, "rw", &all), 0);
	assert_slice_equal(buf_slice(&all), SLICE("hello world"));
	assert_int_equal(file_read_path(dir, "rw", &low), -EFBIG);
	assert_int_equal(file_read_path(dir, "missing", &all), -ENOENT);
}

static void writes_vectors(void **state)
{
	auto_close int fd = openat(dir, "vector", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char one[] = "one", two[] = "two";
	struct iovec iov[] = { { NULL, 0 }, { one, 3 }, { NULL, 0 }, { two, 3 }, { NULL, 0 } };
	auto_buf struct buf all = BUF_INIT(100);

	(void)state;
	assert_int_equal(file_pwritev_all(fd, iov, ARRAY_LEN(iov), 1), 0);
	assert_int_equal(file_read_path(dir, "vector", &all), 0);
	assert_slice_equal(buf_slice(&all), SLICE("\0onetwo"));
	assert_int_equal(file_write_zeros(fd, 100000), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 100000);
}

static void reports_failures(void **state)
{
	auto_close int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	auto_close int reader = openat(dir, "rw", O_RDONLY | O_CLOEXEC | O_CREAT, 0600);

	(void)state;
	assert_int_equal(file_write_all(full, SLICE("x")), -ENOSPC);
	assert_int_equal(file_write_all(reader, SLICE("x")), -EBADF);
	assert_int_equal(file_sync(-1), -EBADF);
	assert_int_equal(file_rename(dir, "nothing", dir, "other"), -ENOENT);
	assert_int_equal(file_unlink(dir, "nothing"), -ENOENT);
	assert_int_equal(file_replace(dir, "missing/dir", 0600, SLICE("x")), -ENOENT);
}

static void replaces_whole(void **state)
{
	auto_buf struct buf all = BUF_INIT(100);
	char aside[64];
	struct stat st;
	size_t before = count_files();
	auto_close int left = -1;

	(void)state;
	assert_int_equal(file_replace(dir, "whole", 0640, SLICE("first")), 0);
	assert_int_equal(fstatat(dir, "whole", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	/* a rest of a killed process with our number */
	(void)snprintf(aside, sizeof(aside), "whole.%d.new", (int)getpid());
	left = openat(dir, aside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(file_write_all(left, SLICE("half of a longer text")), 0);
	assert_int_equal(file_replace(dir, "whole", 0600, SLICE("second")), 0);
	assert_int_equal(file_read_path(dir, "whole", &all), 0);
	assert_slice_equal(buf_slice(&all), SLICE("second"));
	assert_int_equal(count_files(), before + 1);
}

static void links_and_makes_dirs(void **state)
{
	char path[128];
	struct stat st;

	(void)state;
	assert_int_equal(file_replace(dir, "a", 0600, SLICE("x")), 0);
	assert_int_equal(file_link(dir, "a", dir, "b"), 0);
	assert_int_equal(file_link(dir, "a", dir, "b"), -EEXIST);
	assert_int_equal(file_rename_new(dir, "a", dir, "b"), -EEXIST);
	assert_int_equal(file_rename_new(dir, "nothing", dir, "c"), -ENOENT);
	assert_int_equal(file_rename_new(dir, "a", dir, "c"), 0);
	assert_int_equal(file_rename(dir, "c", dir, "a"), 0);
	assert_int_equal(file_rename(dir, "a", dir, "c"), 0);
	assert_int_equal(fstatat(dir, "c", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(file_unlink(dir, "b"), 0);
	(void)snprintf(path, sizeof(path), "%s/x/y//z/", scratch);
	assert_int_equal(file_make_dirs(path, 0700), 0);
	assert_int_equal(file_make_dirs(path, 0700), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	(void)snprintf(path, sizeof(path), "%s/c/under-a-file", scratch);
	assert_int_equal(file_make_dirs(path, 0700), -ENOTDIR);
	assert_int_equal(file_make_dirs("", 0700), -ENAMETOOLONG);
}

/* Each set of the three that a caller may have closed. */
static void holds_standard_descriptors(void **state)
{
	(void)state;
	for (int closed = 0; closed < 8; closed++) {
		int status;
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct stat st, null;
			int fd;
			for (int i = 0; i < 3; i++)
				if (closed & 1 << i)
					(void)close(i);
			if (file_hold_standard() < 0 || stat("/dev/null", &null) < 0)
				_exit(1);
			for (int i = 0; i < 3; i++)
				if (fstat(i, &st) < 0 || ((closed & 1 << i) && st.st_rdev != null.st_rdev))
					_exit(2);
			fd = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			_exit(fd > 2 ? 0 : 3);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void sums_like_everyone(void **state)
{
	static const struct {
		struct slice in;
		uint32_t sum;
	} rows[] = {
		{ { "", 0 }, 0 },
		{ { "123456789", 9 }, 0xe3069283 }, /* the customary check value */
		{ { "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32 }, 0x8a9136aa },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(crc32c(0, rows[i].in), rows[i].sum);
	assert_int_equal(crc32c(crc32c(0, SLICE("1234")), SLICE("56789")), 0xe3069283);
}

static char last_line[LIMIT_LOG_LINE * 4];
static const char *last_program;
static size_t n_lines;

static void keep_line(enum log_level level, const char *program, struct slice line, void *user)
{
	(void)level;
	last_program = program;
	assert_ptr_equal(user, last_line);
	(void)snprintf(last_line, sizeof(last_line), "%.*s", SLICE_ARG(line));
	n_lines++;
}

static void logs_safely(void **state)
{
	(void)state;
	log_set_sink(keep_line, last_line);
	log_info("to=<%s>", "a\r\nb\x7f\t");
	assert_string_equal(last_line, "to=<a\\x0d\\x0ab\\x7f\\x09>");
	log_info("%s", "gr\xc3\xbc\xc3\x9f");
	assert_string_equal(last_line, "gr\xc3\xbc\xc3\x9f");
	assert_null(last_program);
	log_as("pickup", "uid=%d", 1000);
	assert_string_equal(last_program, "pickup");
	assert_string_equal(last_line, "uid=1000");
	n_lines = 0;
	log_debug("not wanted");
	assert_int_equal(n_lines, 0);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("wanted");
	assert_int_equal(n_lines, 1);
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("not wanted");
	log_as("pickup", "not wanted");
	assert_int_equal(n_lines, 1);
	assert_true(log_wants(LOG_LEVEL_ERROR));
	log_error("%0*d", LIMIT_LOG_LINE + 1, 0);
	assert_string_equal(last_line, "(a log line was too long)");
	log_set_level(LOG_LEVEL_INFO);
	log_set_sink(NULL, NULL);
}

static void logs_controls_at_full_length(void **state)
{
	static char controls[LIMIT_LOG_LINE + 1];

	(void)state;
	memset(controls, '\n', LIMIT_LOG_LINE);
	log_set_sink(keep_line, last_line);
	log_error("%s", controls);
	assert_int_equal(strlen(last_line), sizeof(last_line) - 1);
	log_set_sink(NULL, NULL);
}

static void lists(void **state)
{
	DIR *d = NULL;
	bool is_found = false;

	(void)state;
	assert_int_equal(mkdirat(dir, "listed", 0700), 0);
	assert_int_equal(file_replace(dir, "listed/a", 0600, SLICE("x")), 0);
	assert_int_equal(file_list(dir, "listed", &d), 0);
	for (const struct dirent *e; (e = readdir(d));)
		is_found |= strcmp(e->d_name, "a") == 0;
	assert_true(is_found);
	(void)closedir(d);
	d = NULL;
	assert_int_equal(file_list(dir, "missing", &d), -ENOENT);
	assert_int_equal(file_list(dir, "listed/a", &d), -ENOTDIR);
	assert_null(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_and_reads),
		cmocka_unit_test(writes_vectors),
		cmocka_unit_test(reports_failures),
		cmocka_unit_test(replaces_whole),
		cmocka_unit_test(links_and_makes_dirs),
		cmocka_unit_test(lists),
		cmocka_unit_test(holds_standard_descriptors),
		cmocka_unit_test(sums_like_everyone),
		cmocka_unit_test(logs_safely),
		cmocka_unit_test(logs_controls_at_full_length),
	};
	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
