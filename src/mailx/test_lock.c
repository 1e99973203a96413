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
		cmocka_unit_test(needs_a_writable_file_for_an_exclusive_lock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
