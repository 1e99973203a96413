/* SPDX-License-Identifier: Apache-2.0 */
/* test_lock.c - the two locks of a folder, against others and against ourselves */
#include "mailx/lock.h"
#include "mailx/test_fixture.h"
#include <time.h>
#include <utime.h>

static void excludes_others_and_leaves_nothing(void **state)
{
	struct fixture f;
	struct lock first, second;
	char dotlock[128];
	auto_close int one = -1, two = -1;

	fixture_init(&f, "");
	(void)snprintf(dotlock, sizeof(dotlock), "%s.lock", f.path);
	one = open(f.path, O_RDWR | O_CLOEXEC);
	two = open(f.path, O_RDWR | O_CLOEXEC);
	assert_int_equal(lock_take(&first, one, f.path, true, 0), LOCK_TAKEN);
	assert_int_equal(access(dotlock, F_OK), 0);
	assert_int_equal(lock_take(&second, two, f.path, true, 0), LOCK_BUSY);
	lock_release(&second); /* nothing is held: harmless, and the first stays */
	assert_int_equal(access(dotlock, F_OK), 0);
	lock_release(&first);
	assert_int_not_equal(access(dotlock, F_OK), 0);
	assert_int_equal(lock_take(&second, two, f.path, true, 0), LOCK_TAKEN);
	lock_release(&second);
	fixture_deinit(&f);
}

static void respects_lock_files(void **state)
{
	static const struct {
		const char *content;
		int age_s;
		int want;
	} rows[] = {
		{ "", 0, LOCK_BUSY }, { "", 3600, LOCK_TAKEN }, /* who made it is not known, and it is old */
		{ "999999999\n", 0,
			LOCK_BUSY }, /* a process of another host may have made it: time decides */
		{ "999999999\n", 3600, LOCK_TAKEN }, { "1\n", 3600, LOCK_BUSY }, /* it lives */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		struct lock lock;
		struct utimbuf times = { .actime = time(NULL) - rows[i].age_s,
			.modtime = time(NULL) - rows[i].age_s };
		char dotlock[128];
		fixture_init(&f, "");
		(void)snprintf(dotlock, sizeof(dotlock), "%s.lock", f.path);
		fixture_write(dotlock, slice_of(rows[i].content));
		assert_int_equal(utime(dotlock, &times), 0);
		auto_close int fd = open(f.path, O_RDWR | O_CLOEXEC);
		assert_int_equal(lock_take(&lock, fd, f.path, true, 0), rows[i].want);
		lock_release(&lock);
		assert_int_equal(access(dotlock, F_OK) == 0, rows[i].want == LOCK_BUSY);
		fixture_deinit(&f);
	}
}

/* What src/local/dotlock.c leaves when it is killed in the middle of a delivery. */
static void settles_what_a_killed_delivery_left(void **state)
{
	static const struct {
		int old_size, planned_end;
		bool is_other_boot, is_other_file, is_other_host;
		int want;
		size_t size; /* of the mailbox of 10 bytes behind it */
	} rows[] = {
		{ 4, 20, false, false, false, LOCK_TAKEN, 4 },	 /* torn */
		{ 4, 10, false, false, false, LOCK_TAKEN, 4 },	 /* whole, and it comes again */
		{ 4, 9, false, false, false, LOCK_TAKEN, 10 },	 /* not as it left it */
		{ 10, 20, false, false, false, LOCK_TAKEN, 10 }, /* nothing was written yet */
		{ 4, 20, true, false, false, LOCK_TAKEN, 10 },
		{ 4, 20, false, true, false, LOCK_TAKEN, 10 },
		{ 4, 20, false, false, true, LOCK_BUSY, 10 },
	};
	auto_buf struct buf boot = BUF_INIT(1000);
	char host[HOST_NAME_MAX + 1];

	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_int_equal(file_read_path(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf note = BUF_INIT(1000);
		struct fixture f;
		struct lock lock;
		struct stat st;
		char dotlock[128];
		fixture_init(&f, NULL);
		fixture_write(f.path, SLICE("0123456789"));
		assert_int_equal(stat(f.path, &st), 0);
		(void)snprintf(dotlock, sizeof(dotlock), "%s.lock", f.path);
		buf_printf(&note, "postrider %s%s %.*s 1 %" PRIu64 " %d %d\n", host,
			rows[i].is_other_host ? "x" : "", rows[i].is_other_boot ? 1 : 36, boot.at,
			(uint64_t)st.st_ino + rows[i].is_other_file, rows[i].old_size, rows[i].planned_end);
		fixture_write(dotlock, buf_slice(&note));
		auto_close int fd = open(f.path, O_RDWR | O_CLOEXEC);
		assert_int_equal(lock_take(&lock, fd, f.path, true, 0), rows[i].want);
		assert_false(lock.must_keep_size);
		lock_release(&lock);
		assert_int_equal(stat(f.path, &st), 0);
		assert_int_equal(st.st_size, rows[i].size);
		assert_int_equal(access(dotlock, F_OK) == 0, rows[i].want == LOCK_BUSY);
		fixture_deinit(&f);
	}
}

static void needs_a_writable_file_for_an_exclusive_lock(void **state)
{
	struct fixture f;
	struct lock lock;

	fixture_init(&f, "");
	auto_close int fd = open(f.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(lock_take(&lock, fd, f.path, false, 0), LOCK_TAKEN);
	lock_release(&lock);
	assert_int_equal(lock_take(&lock, fd, f.path, true, 0), -EBADF);
	lock_release(&lock);
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(excludes_others_and_leaves_nothing),
		cmocka_unit_test(respects_lock_files),
		cmocka_unit_test(settles_what_a_killed_delivery_left),
		cmocka_unit_test(needs_a_writable_file_for_an_exclusive_lock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
