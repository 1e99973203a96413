/* SPDX-License-Identifier: Apache-2.0 */
/* test_load.c - the whole role in sandbox mode: much mail, large mail, mail that waits for more */
#include "local/test_rig.h"
#include "base/clock.h"
#include "local/rest.h"
#include <signal.h>

static struct buf large_content(void)
{
	auto_buf struct buf body = BUF_INIT(1 << 20);

	while (body.len < 200 * 1024)
		buf_append_str(&body, "one line of a body that needs several chunks\n");
	return rig_content(1, "", buf_slice(&body));
}

/* One to each user in turn. */
static void give_large(struct rig *rig, struct slice content, uint64_t from, uint64_t to, size_t n_users)
{
	for (uint64_t i = from; i < to; i++) {
		char user[24];
		(void)snprintf(user, sizeof(user), "u%zu", (size_t)i % n_users);
		rig_give(rig,
			&(struct rig_mail){
				.job = i + 1, .queue_id = i + 1, .users = { user }, .content = content });
	}
}

static void assert_large_delivered(struct rig *rig, uint64_t n_mails, size_t n_users)
{
	for (uint64_t i = 0; i < n_mails; i++)
		rig_assert_answer(rig, i + 1, 0, JOB_DELIVERED, "2.0.0", "");
	for (size_t i = 0; i < n_users; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i);
		assert_int_equal(rig_count(rig, path, "\nSubject: test\n"), n_mails / n_users);
	}
}

/* More than a channel holds unread: neither the role's nor a worker's may be closed over it. */
static void takes_many_large_mails(size_t n_users)
{
	struct rig rig;
	auto_buf struct buf content = large_content();

	rig_init(&rig, n_users, geteuid(), true, "");
	rig_start(&rig);
	give_large(&rig, buf_slice(&content), 0, 300, n_users);
	rig_wait_done(&rig, 300);
	assert_large_delivered(&rig, 300, n_users);
	rig_end(&rig);
}

static void takes_many_large_mails_of_one_user(void **state)
{
	(void)state;
	takes_many_large_mails(1);
}

static void takes_many_large_mails_of_many_users(void **state)
{
	(void)state;
	takes_many_large_mails(50);
}

/* What a batch costs is shared by all that comes while the mailbox rests, however it trickles in. The load is
 * mail that waits for another mailbox's lock. */
static void a_mailbox_rests_between_batches(void **state)
{
	const size_t n_bursts = 20, n_burst = 3;
	struct rig rig;
	struct buf syncs;
	uint64_t began_ms;

	(void)state;
	rig_init(&rig, 2, geteuid(), true, "");
	rig_write(&rig, "mail/u1.lock", SLICE("4711\n"));
	rig_write(&rig, "syncs", SLICE(""));
	rig_start(&rig);
	for (size_t i = 0; i < REST_LOAD; i++)
		rig_give_simple(&rig, 1000 + i, "u1", 0);
	began_ms = clock_mono_ms();
	for (size_t i = 0; i < n_bursts; i++) {
		for (size_t k = 0; k < n_burst; k++)
			rig_give_simple(&rig, i * n_burst + k, "u0", 0);
		rig_turn_for(&rig, 10);
	}
	rig_wait_done(&rig, n_bursts * n_burst);
	syncs = rig_read(&rig, "syncs");
	assert_in_range(syncs.len, 1, 2 + (clock_mono_ms() - began_ms) / REST_MS);
	buf_free(&syncs);
	assert_int_equal(unlink(rig_path(&rig, "mail/u1.lock")), 0);
	rig_wait_done(&rig, n_bursts * n_burst + REST_LOAD);
	rig_end(&rig);
}

/* The answers meet a channel that is full of unread first chunks: they are asked for again. */
static void content_waits_for_a_worker_that_does_not_read(void **state)
{
	struct rig rig;
	auto_buf struct buf content = large_content();
	pid_t worker;

	(void)state;
	rig_init(&rig, 1, geteuid(), true, "");
	rig_start(&rig);
	rig.is_silent = true;
	give_large(&rig, buf_slice(&content), 0, 20, 1);
	while (rig.n_questions == 0)
		rig_turn(&rig);
	rig_turn_for(&rig, 300);
	assert_int_equal(rig.n_questions, 4); /* of 20 mails: it fetches a few at a time */
	assert_int_equal(rig_workers(&rig, &worker, 1), 1);
	assert_int_equal(kill(worker, SIGSTOP), 0);
	give_large(&rig, buf_slice(&content), 20, 200, 1);
	rig_turn_for(&rig, 300);
	rig_speak(&rig);
	rig_turn_for(&rig, 300);
	assert_int_equal(rig.n_done, 0);
	assert_int_equal(kill(worker, SIGCONT), 0);
	rig_wait_done(&rig, 200);
	assert_large_delivered(&rig, 200, 1);
	rig_end(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mailbox_rests_between_batches),
		cmocka_unit_test(takes_many_large_mails_of_one_user),
		cmocka_unit_test(takes_many_large_mails_of_many_users),
		cmocka_unit_test(content_waits_for_a_worker_that_does_not_read),
	};
	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
