/* SPDX-License-Identifier: Apache-2.0 */
/* test_trouble.c - the whole role in sandbox mode: dying workers and roles, failing syncs, a user database
 * that hangs */
#include "local/test_rig.h"
#include "base/clock.h"
#include <signal.h>
#include <sys/stat.h>

/* Waits until a worker has opened the mailbox of u0, whose lock file another program has, and kills it. */
static void kill_waiting_worker(struct rig *rig)
{
	uint64_t start = clock_mono_ms();
	pid_t pid;

	while (access(rig_path(rig, "mail/u0"), F_OK) < 0 && clock_mono_ms() - start < 10000)
		rig_turn(rig);
	assert_int_equal(rig_workers(rig, &pid, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(unlink(rig_path(rig, "mail/u0")), 0);
}

static void survives_killed_workers(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, geteuid(), true, "");
	rig_write(&rig, "mail/u0.lock", SLICE("4711\n"));
	rig_start(&rig);
	rig_give_simple(&rig, 1, "u0", 0);
	rig_give_simple(&rig, 2, "u0", 0);
	kill_waiting_worker(&rig);
	assert_int_equal(unlink(rig_path(&rig, "mail/u0.lock")), 0);
	rig_wait_done(&rig, 2);
	rig_assert_answer(&rig, 1, 0, JOB_DELIVERED, "2.0.0", "");
	rig_assert_answer(&rig, 2, 0, JOB_DELIVERED, "2.0.0", "");
	assert_int_equal(rig_count(&rig, "mail/u0", "From sender@example"), 2);
	rig_end(&rig);
}

static void gives_up_what_was_lost_twice(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, geteuid(), true, "");
	rig_write(&rig, "mail/u0.lock", SLICE("4711\n"));
	rig_start(&rig);
	rig_give_simple(&rig, 1, "u0", 0);
	kill_waiting_worker(&rig);
	kill_waiting_worker(&rig);
	rig_wait_done(&rig, 1);
	rig_assert_answer(&rig, 1, 0, JOB_DEFERRED, "4.3.0", "twice");
	rig_end(&rig);
}

/* The role is killed at some moment; queue gives the unanswered jobs again, to be reconciled. */
static void loses_and_doubles_nothing(void **state)
{
	enum { N = 300, USERS = 10 };
	struct rig rig;

	(void)state;
	rig_init(&rig, USERS, geteuid(), true, "");
	for (size_t round = 0; round < 6; round++) {
		size_t first = 1 + round * N, answered = rig.n_answers;
		bool is_answered[N] = { false };
		rig_start(&rig);
		for (size_t i = 0; i < N; i++)
			rig_give_simple(&rig, first + i, rig_user(i % USERS), 0);
		while (rig.n_answers < answered + round * N / 8 + 1)
			rig_turn(&rig);
		rig_kill(&rig);
		for (size_t i = answered; i < rig.n_answers; i++) {
			assert_int_equal(rig.answers[i].outcome, JOB_DELIVERED);
			is_answered[rig.answers[i].job - first] = true;
		}
		rig.n_done = 0;
		rig_start(&rig);
		size_t again = 0;
		for (size_t i = 0; i < N; i++)
			if (!is_answered[i]) {
				rig_give_simple(&rig, first + i, rig_user(i % USERS), RCPT_RECONCILE);
				again++;
			}
		rig_wait_done(&rig, again);
		assert_int_equal(rig_stop(&rig), 0);
	}
	for (size_t i = 0; i < 6 * N; i++) {
		char path[32], id[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i % N % USERS);
		(void)snprintf(id, sizeof(id), "id %015zX;", i + 1);
		assert_int_equal(rig_count(&rig, path, id), 1);
	}
	for (size_t i = 0; i < USERS; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i);
		assert_int_equal(rig_count(&rig, path, "\n>From the body\n\n"), 6 * N / USERS);
		assert_int_equal(rig_count(&rig, path, "From sender@example  "), 6 * N / USERS);
	}
	rig_deinit(&rig);
}

static void a_failed_sync_takes_everything_back(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 10, geteuid(), true, "");
	rig_write(&rig, "mail/u0", SLICE("From x\n\n"));
	rig_write(&rig, "sync-fails", SLICE(""));
	rig_start(&rig);
	for (size_t i = 0; i < 50; i++)
		rig_give_simple(&rig, 1000 + i, rig_user(i % 10), 0);
	rig_wait_done(&rig, 50);
	for (size_t i = 0; i < 50; i++)
		rig_assert_answer(&rig, 1000 + i, 0, JOB_DEFERRED, "4.3.0", "Input/output error");
	assert_int_equal(rig_count(&rig, "mail/u0", "From"), 1);
	for (size_t i = 1; i < 10; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i);
		assert_int_equal(access(rig_path(&rig, path), F_OK), -1);
	}
	assert_int_equal(unlink(rig_path(&rig, "sync-fails")), 0);
	rig.n_done = 0;
	rig_deliver_many(&rig, 50, 10);
	rig_end(&rig);
}

/* Looking a user up never ends: the users file is a FIFO without a writer. */
static void a_hanging_user_database_defers(void **state)
{
	struct rig rig;
	pid_t pid;

	(void)state;
	rig_init(&rig, 0, geteuid(), true, "[users]\ntimeout = 1s\n");
	assert_int_equal(unlink(rig_path(&rig, "etc/users")), 0);
	assert_int_equal(mkfifo(rig_path(&rig, "etc/users"), 0600), 0);
	rig_start(&rig);
	rig_give_simple(&rig, 1, "u0", 0);
	rig_wait_done(&rig, 1);
	rig_assert_answer(&rig, 1, 0, JOB_DEFERRED, "4.3.0", "looking the user up took too long");
	while (rig_workers(&rig, &pid,
		1)) /* killed, but its end is seen a little later; the test runner has the deadline */
		rig_turn(&rig);
	rig_end(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_killed_workers),
		cmocka_unit_test(gives_up_what_was_lost_twice),
		cmocka_unit_test(loses_and_doubles_nothing),
		cmocka_unit_test(a_failed_sync_takes_everything_back),
		cmocka_unit_test(a_hanging_user_database_defers),
	};
	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
