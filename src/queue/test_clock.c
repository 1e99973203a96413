/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_clock.c - a wall clock that jumps expires nothing and delays nothing
 *
 * The wall clock of the role is the real one plus an offset in a file that both processes have mapped
 * (__wrap_clock_wall_us(), see meson.build).
 */
#include "base/clock.h"
#include "queue/test_rig.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sysexits.h>

#define CLOCK_FILE "POSTRIDER_TEST_CLOCK" /* in the environment */
#define DAY_S INT64_C(86400)
#define LATER "retry_min = 1h\nretry_max = 1h\nlifetime = 1d\ndelay_warning = 1d\n"
#define SOON "retry_min = 1s\nretry_max = 1s\nlifetime = 1d\ndelay_warning = 1d\n"

uint64_t __real_clock_wall_us(void);
int64_t __real_clock_wall_s(void);
uint64_t __wrap_clock_wall_us(void);
int64_t __wrap_clock_wall_s(void);

static volatile int64_t *offset_s(void)
{
	static volatile int64_t *mapped;
	const char *path = getenv(CLOCK_FILE);
	int fd = mapped ? -1 : open(path, O_RDWR | O_CLOEXEC);

	if (!mapped)
		mapped = mmap(NULL, sizeof(*mapped), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(mapped != MAP_FAILED);
	if (fd >= 0)
		(void)close(fd);
	return mapped;
}

/* The role's process, which cannot open files any more when it asks for the time. */
__attribute__((constructor)) static void map_before_the_jail(void)
{
	if (getenv(CLOCK_FILE))
		(void)offset_s();
}

uint64_t __wrap_clock_wall_us(void)
{
	return __real_clock_wall_us() + (uint64_t)(*offset_s() * 1000000);
}

int64_t __wrap_clock_wall_s(void)
{
	return __real_clock_wall_s() + *offset_s();
}

static const struct rig_end later[] = { { "r@far.example", JOB_DEFERRED, "4.2.1", { { 0 } } }, { 0 } };

static void bring_deferred(struct rig *rig, const char *settings)
{
	*offset_s() = 0;
	rig_init(rig, settings);
	rig->ends = later;
	rig_start(rig);
	(void)rig_accept(rig, &(struct rig_mail){ .from = "a@far.example", .to = { "r@far.example" } });
	rig_wait(rig, rig_logged(rig, "status=deferred") == 1);
}

/* Seconds from the (shifted) wall clock to the next attempt that people are told. */
static int64_t told_wait_s(struct rig *rig)
{
	struct buf list = rig_list(rig);
	const char *at = strstr(buf_cstr(&list), " next ");
	uint64_t next_s = 0;

	assert_non_null(at);
	at += strlen(" next ");
	assert_true(
		slice_to_u64(slice_first(slice_of(at), slice_find(slice_of(at), '\n')), UINT64_MAX, &next_s));
	buf_free(&list);
	return (int64_t)next_s - clock_wall_s();
}

static const struct {
	int64_t by_s;
	const char *said;
} jumps[] = {
	{ 365 * DAY_S, "the clock jumped forward by 365 days; times of retries move with it" },
	{ -DAY_S, "the clock jumped back by 1 day; times of retries move with it" },
};

static void nothing_expires_and_times_move_along(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
		struct rig rig;
		bring_deferred(&rig, LATER);
		assert_in_range(told_wait_s(&rig), 3000, 3700); /* an hour less jitter */
		*offset_s() = jumps[i].by_s;
		assert_in_range(told_wait_s(&rig), 3000, 3700);
		rig_wait(&rig, rig_logged(&rig, jumps[i].said) == 1);
		for (size_t n = 2; n <= 5; n++) { /* more attempts than an expiry needs */
			assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
			rig_wait(&rig, rig_logged(&rig, "status=deferred") == n);
		}
		assert_int_equal(rig_n_jobs(&rig, "a@far.example"), 0); /* neither a bounce nor a warning */
		/* The next process has only the wall clock to know its age by, and is not sure of it. */
		assert_int_equal(rig_stop(&rig), 0);
		rig_start(&rig);
		assert_true(told_wait_s(&rig) <= 3700);
		assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
		rig_wait(&rig, rig_logged(&rig, "status=deferred") == 6);
		assert_int_equal(rig_logged(&rig, "status=expired"), 0);
		assert_int_equal(rig_logged(&rig, "status=bounced"), 0);
		rig_deinit(&rig);
	}
	*offset_s() = 0;
}

static void retries_go_on_at_their_pace(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(jumps); i++) {
		struct rig rig;
		bring_deferred(&rig, SOON);
		*offset_s() = jumps[i].by_s;
		/* In time, and not one for each second that the clock passed over. */
		rig_wait(&rig, rig_logged(&rig, "status=deferred") >= 3);
		assert_true(rig_logged(&rig, "status=deferred") <= 20);
		assert_int_equal(rig_logged(&rig, "status=expired"), 0);
		rig_deinit(&rig);
	}
	*offset_s() = 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_expires_and_times_move_along),
		cmocka_unit_test(retries_go_on_at_their_pace),
	};
	char path[] = "/tmp/postrider-clock-XXXXXX";
	bool is_role = getenv(CLOCK_FILE) != NULL;
	int fd = is_role ? -1 : mkstemp(path), status;

	if (!is_role && (fd < 0 || ftruncate(fd, sizeof(int64_t)) < 0 || setenv(CLOCK_FILE, path, 1) < 0))
		return EX_OSERR;
	status = rig_main(argc, argv);
	if (status < 0)
		status = cmocka_run_group_tests(tests, NULL, NULL);
	if (!is_role)
		(void)unlink(path);
	return status;
}
