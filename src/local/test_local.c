/* SPDX-License-Identifier: Apache-2.0 */
/* test_local.c - the whole role in sandbox mode: what is delivered, forwarded, split by user */
#include "local/test_rig.h"
#include <sys/stat.h>
#include <time.h>

static void delivers_exactly(void **state)
{
	static const char want[] = "Return-Path: <sender@example>\n"
				   "X-Original-To: u0@localhost\n"
				   "Delivered-To: u0@localhost.localdomain\n"
				   "Received: by host.example (Postrider, from userid 1000)\n"
				   "\tid 000000000000001; Wed, 19 Feb 2020 05:10:35 -0500 (EST)\n"
				   "Subject: test\n\nHello\n>From the body\n\n";
	struct rig rig;
	struct buf box;
	struct slice text, line;
	struct stat st;

	(void)state;
	rig_init(&rig, 1, geteuid(), true, "");
	rig_start(&rig);
	rig_give_simple(&rig, 1, "u0", 0);
	rig_wait_done(&rig, 1);
	rig_assert_answer(&rig, 1, 0, JOB_DELIVERED, "2.0.0", "delivered to mailbox");
	box = rig_read(&rig, "mail/u0");
	text = buf_slice(&box);
	assert_true(slice_next_line(&text, &line));
	assert_true(slice_starts(line, SLICE("From sender@example  ")));
	assert_slice_equal(text, slice_of(want));
	buf_free(&box);
	assert_int_equal(stat(rig_path(&rig, "mail/u0"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(access(rig_path(&rig, "mail/u0.lock"), F_OK), -1);
	rig_end(&rig);
}

static void delivers_many(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 100, geteuid(), true, "");
	rig_start(&rig);
	rig_deliver_many(&rig, 1000, 100);
	rig_end(&rig);
}

static void keeps_to_the_number_of_workers(void **state)
{
	struct rig rig;
	pid_t pids[100];

	(void)state;
	rig_init(&rig, 20, geteuid(), true, "max_workers = 3\n");
	rig_start(&rig);
	rig_deliver_many(&rig, 100, 20);
	assert_true(rig_workers(&rig, pids, 100) <= 4); /* one that was let go may not have ended yet */
	rig_end(&rig);
}

static void splits_a_job_by_user(void **state)
{
	struct rig rig;
	auto_buf struct buf body = BUF_INIT(1 << 20), content;

	(void)state;
	for (int i = 0; i < 20000; i++)
		buf_printf(&body, "line %d of a body that needs several chunks\n", i);
	content = rig_content(7, "", buf_slice(&body));
	rig_init(&rig, 3, geteuid(), true, "");
	rig_start(&rig);
	rig_give(&rig,
		&(struct rig_mail){ .job = 1,
			.queue_id = 7,
			.users = { "u0", "u1", "nobody-here", "u2", "u0" },
			.content = buf_slice(&content) });
	rig_wait_done(&rig, 1);
	for (uint32_t i = 0; i < 5; i++)
		if (i != 2)
			rig_assert_answer(&rig, 1, i, JOB_DELIVERED, "2.0.0", "");
	rig_assert_answer(&rig, 1, 2, JOB_FAILED, "5.1.1", "unknown user: \"nobody-here\"");
	for (size_t i = 0; i < 3; i++) {
		const char *path = i == 0 ? "mail/u0" : i == 1 ? "mail/u1" : "mail/u2";
		struct buf box = rig_read(&rig, path);
		assert_int_equal(rig_count(&rig, path, "From sender@example"), i == 0 ? 2 : 1);
		assert_non_null(memmem(box.at, box.len, body.at, body.len));
		buf_free(&box);
	}
	rig_end(&rig);
}

static void forwards(void **state)
{
	struct rig rig;
	auto_buf struct buf looping = rig_content(5, "Delivered-To: u0@host.example\n", RIG_BODY);

	(void)state;
	rig_init(&rig, 1, geteuid(), true, "");
	rig_start(&rig);
	rig_write(&rig, "home/u0/.forward", SLICE("\\u0, other@far.example\n|command\n"));
	rig_give_simple(&rig, 1, "u0", 0);
	rig_give_simple(&rig, 2, "u0", RCPT_NO_FORWARD);
	rig_give(&rig,
		&(struct rig_mail){
			.job = 5, .queue_id = 5, .users = { "u0" }, .content = buf_slice(&looping) });
	rig_wait_done(&rig, 3);
	rig_assert_answer(&rig, 1, 0, JOB_FORWARDED, "2.0.0", "");
	assert_string_equal(
		rig_answer(&rig, 1, 0)->leaves, "1:3:u0 1:0:other@far.example 6:0:u0@localhost.localdomain ");
	rig_assert_answer(&rig, 2, 0, JOB_DELIVERED, "2.0.0", "");
	rig_assert_answer(
		&rig, 5, 0, JOB_FAILED, "5.4.6", "mail forwarding loop for u0@localhost.localdomain");
	assert_int_equal(rig_count(&rig, "mail/u0", "From sender@example"), 1);
	rig_end(&rig);
}

static void takes_over_new_settings(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, geteuid(), true, "");
	rig_start(&rig);
	rig_give_simple(&rig, 1, "u0", 0);
	rig_wait_done(&rig, 1);
	rig_assert_answer(&rig, 1, 0, JOB_DELIVERED, "2.0.0", "");
	rig_reload(&rig, "max_mailbox_size = 200\n");
	for (int i = 0; i < 5; i++) /* control and queue are different channels */
		rig_turn(&rig);
	rig_give_simple(&rig, 2, "u0", 0);
	rig_wait_done(&rig, 2);
	rig_assert_answer(&rig, 2, 0, JOB_DEFERRED, "4.2.2", "full");
	rig_end(&rig);
}

/* What a worker writes while the role is told to stop is finished and answered. */
static void stops_in_order(void **state)
{
	struct rig rig;
	size_t n_delivered = 0;

	(void)state;
	rig_init(&rig, 20, geteuid(), true, "");
	rig_start(&rig);
	rig_deliver_many(&rig, 20, 20);
	for (size_t i = 0; i < 200; i++)
		rig_give_simple(&rig, 100 + i, rig_user(i % 20), 0);
	rig_turn(&rig);
	assert_int_equal(rig_stop(&rig), 0);
	for (size_t i = 0; i < 20; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i);
		n_delivered += rig_count(&rig, path, "\n>From the body\n\n");
		assert_int_equal(rig_count(&rig, path, "From sender@example  "),
			rig_count(&rig, path, "\n>From the body\n\n"));
		(void)snprintf(path, sizeof(path), "mail/u%zu.lock", i);
		assert_int_equal(access(rig_path(&rig, path), F_OK), -1);
	}
	assert_int_equal(n_delivered, rig.n_answers);
	rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivers_exactly),
		cmocka_unit_test(delivers_many),
		cmocka_unit_test(keeps_to_the_number_of_workers),
		cmocka_unit_test(splits_a_job_by_user),
		cmocka_unit_test(forwards),
		cmocka_unit_test(takes_over_new_settings),
		cmocka_unit_test(stops_in_order),
	};
	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
