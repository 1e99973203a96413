/* SPDX-License-Identifier: Apache-2.0 */
/* test_local.c - the whole role in sandbox mode: deliveries, forwards, refusals, dying workers, restarts */
#include "local/test_rig.h"
#include "base/clock.h"
#include "base/file.h"
#include "local/rest.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#define BODY SLICE("Hello\nFrom the body\n")

/* Instead of the C library's, in the role too, which is this program: while the file that TEST_SYNC_FAILS
 * names is there, no sync succeeds. The file that TEST_SYNC_COUNT names gets a byte for each. */
static int sync_result(void)
{
	const char *flag = getenv("TEST_SYNC_FAILS"), *count = getenv("TEST_SYNC_COUNT");
	auto_close int fd = count ? open(count, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd >= 0)
		assert_int_equal(write(fd, ".", 1), 1);

	if (!flag || access(flag, F_OK) < 0)
		return 0;
	errno = EIO;
	return -1;
}

int fdatasync(int fd)
{
	int r = sync_result();

	(void)fd;
	if (r < 0)
		(void)usleep(
			20000); /* so that several wait, and the file system is synced for them together */
	return r;
}

int syncfs(int fd)
{
	(void)fd;
	return sync_result();
}

static size_t count(struct slice text, const char *what)
{
	size_t n = 0, len = strlen(what);
	const char *hit;

	while ((hit = memmem(text.at, text.len, what, len))) {
		n++;
		text = slice_from(text, (size_t)(hit - text.at) + len);
	}
	return n;
}

static size_t count_in(struct rig *rig, const char *path, const char *what)
{
	auto_buf struct buf text = rig_read(rig, path);

	return count(buf_slice(&text), what);
}

static void give_simple(struct rig *rig, uint64_t job, const char *user, unsigned flags)
{
	auto_buf struct buf content = rig_content(job, "", BODY);

	rig_give(rig,
		&(struct rig_mail){ .job = job,
			.queue_id = job,
			.users = { user },
			.flags = flags,
			.content = buf_slice(&content) });
}

static void assert_answer(struct rig *rig, uint64_t job, uint32_t rcpt, enum job_outcome outcome,
	const char *status, const char *words)
{
	const struct rig_answer *a = rig_answer(rig, job, rcpt);

	if (a->outcome != outcome || strcmp(a->status, status) != 0 || !strstr(a->reason, words))
		fail_msg("job %" PRIu64 ": got %u %s \"%s\", want %u %s \"%s\"", job, a->outcome, a->status,
			a->reason, outcome, status, words);
}

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
	give_simple(&rig, 1, "u0", 0);
	rig_wait_done(&rig, 1);
	assert_answer(&rig, 1, 0, JOB_DELIVERED, "2.0.0", "delivered to mailbox");
	box = rig_read(&rig, "mail/u0");
	text = buf_slice(&box);
	assert_true(slice_next_line(&text, &line));
	assert_true(slice_starts(line, SLICE("From sender@example  ")));
	assert_slice_equal(text, slice_of(want));
	buf_free(&box);
	assert_int_equal(stat(rig_path(&rig, "mail/u0"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(access(rig_path(&rig, "mail/u0.lock"), F_OK), -1);
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
}

/* Names of users that last as long as the test. */
static const char *user_name(size_t i)
{
	static char names[200][8];

	(void)snprintf(names[i], sizeof(names[i]), "u%zu", i);
	return names[i];
}

static void deliver_many(struct rig *rig, size_t n_mails, size_t n_users)
{
	for (size_t i = 0; i < n_mails; i++)
		give_simple(rig, i + 1, user_name(i % n_users), 0);
	rig_wait_done(rig, n_mails);
	for (size_t i = 0; i < n_mails; i++)
		assert_answer(rig, i + 1, 0, JOB_DELIVERED, "2.0.0", "");
	for (size_t i = 0; i < n_users; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i);
		assert_int_equal(count_in(rig, path, "\n>From the body\n\n"), n_mails / n_users);
		assert_int_equal(count_in(rig, path, "From sender@example  "), n_mails / n_users);
	}
}

static void delivers_many(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 100, geteuid(), true, "");
	rig_start(&rig);
	deliver_many(&rig, 1000, 100);
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
}

static void keeps_to_the_number_of_workers(void **state)
{
	struct rig rig;
	pid_t pids[100];

	(void)state;
	rig_init(&rig, 20, geteuid(), true, "max_workers = 3\n");
	rig_start(&rig);
	deliver_many(&rig, 100, 20);
	assert_true(rig_workers(&rig, pids, 100) <= 4); /* one that was let go may not have ended yet */
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
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
			assert_answer(&rig, 1, i, JOB_DELIVERED, "2.0.0", "");
	assert_answer(&rig, 1, 2, JOB_FAILED, "5.1.1", "unknown user: \"nobody-here\"");
	for (size_t i = 0; i < 3; i++) {
		struct buf box = rig_read(&rig, i == 0 ? "mail/u0" : i == 1 ? "mail/u1" : "mail/u2");
		assert_int_equal(count(buf_slice(&box), "From sender@example"), i == 0 ? 2 : 1);
		assert_non_null(memmem(box.at, box.len, body.at, body.len));
		buf_free(&box);
	}
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
}

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
		assert_answer(rig, i + 1, 0, JOB_DELIVERED, "2.0.0", "");
	for (size_t i = 0; i < n_users; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i);
		assert_int_equal(count_in(rig, path, "\nSubject: test\n"), n_mails / n_users);
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
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
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

static void turn_for(struct rig *rig, uint64_t ms)
{
	uint64_t end = clock_mono_ms() + ms;

	while (clock_mono_ms() < end)
		rig_turn(rig);
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
	assert_int_equal(setenv("TEST_SYNC_COUNT", rig_path(&rig, "mail/syncs"), 1), 0);
	rig_start(&rig);
	for (size_t i = 0; i < REST_LOAD; i++)
		give_simple(&rig, 1000 + i, "u1", 0);
	began_ms = clock_mono_ms();
	for (size_t i = 0; i < n_bursts; i++) {
		for (size_t k = 0; k < n_burst; k++)
			give_simple(&rig, i * n_burst + k, "u0", 0);
		turn_for(&rig, 10);
	}
	rig_wait_done(&rig, n_bursts * n_burst);
	syncs = rig_read(&rig, "mail/syncs");
	assert_in_range(syncs.len, 1, 2 + (clock_mono_ms() - began_ms) / REST_MS);
	buf_free(&syncs);
	assert_int_equal(unlink(rig_path(&rig, "mail/u1.lock")), 0);
	rig_wait_done(&rig, n_bursts * n_burst + REST_LOAD);
	assert_int_equal(rig_stop(&rig), 0);
	assert_int_equal(unsetenv("TEST_SYNC_COUNT"), 0);
	rig_deinit(&rig);
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
	turn_for(&rig, 300);
	assert_int_equal(rig.n_questions, 4); /* of 20 mails: it fetches a few at a time */
	assert_int_equal(rig_workers(&rig, &worker, 1), 1);
	assert_int_equal(kill(worker, SIGSTOP), 0);
	give_large(&rig, buf_slice(&content), 20, 200, 1);
	turn_for(&rig, 300);
	rig_speak(&rig);
	turn_for(&rig, 300);
	assert_int_equal(rig.n_done, 0);
	assert_int_equal(kill(worker, SIGCONT), 0);
	rig_wait_done(&rig, 200);
	assert_large_delivered(&rig, 200, 1);
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
}

static void forwards(void **state)
{
	struct rig rig;
	auto_buf struct buf looping = rig_content(5, "Delivered-To: u0@host.example\n", BODY);

	(void)state;
	rig_init(&rig, 1, geteuid(), true, "");
	rig_start(&rig);
	rig_write(&rig, "home/u0/.forward", SLICE("\\u0, other@far.example\n|command\n"));
	give_simple(&rig, 1, "u0", 0);
	give_simple(&rig, 2, "u0", RCPT_NO_FORWARD);
	rig_give(&rig,
		&(struct rig_mail){
			.job = 5, .queue_id = 5, .users = { "u0" }, .content = buf_slice(&looping) });
	rig_wait_done(&rig, 3);
	assert_answer(&rig, 1, 0, JOB_FORWARDED, "2.0.0", "");
	assert_string_equal(
		rig_answer(&rig, 1, 0)->leaves, "1:3:u0 1:0:other@far.example 6:0:u0@localhost.localdomain ");
	assert_answer(&rig, 2, 0, JOB_DELIVERED, "2.0.0", "");
	assert_answer(&rig, 5, 0, JOB_FAILED, "5.4.6", "mail forwarding loop for u0@localhost.localdomain");
	assert_int_equal(count_in(&rig, "mail/u0", "From sender@example"), 1);
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
}

static void says_why_not(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 4, geteuid(), true, "lock_timeout = 1s\nmax_mailbox_size = 200\n");
	rig_write(&rig, "mail/u0.lock", SLICE("4711\n"));
	rig_write(&rig, "mail/u1", SLICE(""));
	assert_int_equal(symlink("u1", rig_path(&rig, "mail/u2")), 0);
	rig_start(&rig);
	give_simple(&rig, 1, "u0", 0);
	give_simple(&rig, 2, "u2", 0);
	give_simple(&rig, 3, "u1", 0);
	rig_give(
		&rig, &(struct rig_mail){ .job = 4, .queue_id = 4, .users = { "u3" }, .kind = LEAF_COMMAND });
	rig_give(&rig, &(struct rig_mail){ .job = 5, .queue_id = 5, .users = { "u3" }, .kind = LEAF_FILE });
	rig_wait_done(&rig, 5);
	assert_answer(
		&rig, 1, 0, JOB_DEFERRED, "4.2.0", "mail/u0: another program holds the mailbox's .lock file");
	assert_answer(&rig, 2, 0, JOB_DEFERRED, "4.2.0", "symbolic link");
	assert_answer(&rig, 3, 0, JOB_DEFERRED, "4.2.2", "full");
	assert_answer(&rig, 4, 0, JOB_DEFERRED, "4.3.3", "not a local delivery");
	assert_answer(&rig, 5, 0, JOB_DEFERRED, "4.3.3", "not a local delivery");
	assert_int_equal(count_in(&rig, "mail/u0", "From"), 0);
	assert_int_equal(count_in(&rig, "mail/u1", "From"), 0);
	rig_write(&rig, "etc/users", SLICE("u9:broken\n"));
	give_simple(&rig, 6, "u9", 0);
	rig_wait_done(&rig, 6);
	assert_answer(&rig, 6, 0, JOB_DEFERRED, "4.3.0", "user database");
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
}

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
	give_simple(&rig, 1, "u0", 0);
	give_simple(&rig, 2, "u0", 0);
	kill_waiting_worker(&rig);
	assert_int_equal(unlink(rig_path(&rig, "mail/u0.lock")), 0);
	rig_wait_done(&rig, 2);
	assert_answer(&rig, 1, 0, JOB_DELIVERED, "2.0.0", "");
	assert_answer(&rig, 2, 0, JOB_DELIVERED, "2.0.0", "");
	assert_int_equal(count_in(&rig, "mail/u0", "From sender@example"), 2);
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
}

static void gives_up_what_was_lost_twice(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, geteuid(), true, "");
	rig_write(&rig, "mail/u0.lock", SLICE("4711\n"));
	rig_start(&rig);
	give_simple(&rig, 1, "u0", 0);
	kill_waiting_worker(&rig);
	kill_waiting_worker(&rig);
	rig_wait_done(&rig, 1);
	assert_answer(&rig, 1, 0, JOB_DEFERRED, "4.3.0", "twice");
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
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
			give_simple(&rig, first + i, user_name(i % USERS), 0);
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
				give_simple(&rig, first + i, user_name(i % USERS), RCPT_RECONCILE);
				again++;
			}
		rig_wait_done(&rig, again);
		assert_int_equal(rig_stop(&rig), 0);
	}
	for (size_t i = 0; i < 6 * N; i++) {
		char path[32], id[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i % N % USERS);
		(void)snprintf(id, sizeof(id), "id %015zX;", i + 1);
		assert_int_equal(count_in(&rig, path, id), 1);
	}
	for (size_t i = 0; i < USERS; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i);
		assert_int_equal(count_in(&rig, path, "\n>From the body\n\n"), 6 * N / USERS);
		assert_int_equal(count_in(&rig, path, "From sender@example  "), 6 * N / USERS);
	}
	rig_deinit(&rig);
}

static void a_failed_sync_takes_everything_back(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 10, geteuid(), true, "");
	rig_write(&rig, "mail/u0", SLICE("From x\n\n"));
	rig_write(&rig, "no-sync", SLICE(""));
	assert_int_equal(setenv("TEST_SYNC_FAILS", rig_path(&rig, "no-sync"), 1), 0);
	rig_start(&rig);
	for (size_t i = 0; i < 50; i++)
		give_simple(&rig, 1000 + i, user_name(i % 10), 0);
	rig_wait_done(&rig, 50);
	for (size_t i = 0; i < 50; i++)
		assert_answer(&rig, 1000 + i, 0, JOB_DEFERRED, "4.3.0", "Input/output error");
	assert_int_equal(count_in(&rig, "mail/u0", "From"), 1);
	for (size_t i = 1; i < 10; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i);
		assert_int_equal(access(rig_path(&rig, path), F_OK), -1);
	}
	assert_int_equal(unlink(rig_path(&rig, "no-sync")), 0);
	rig.n_done = 0;
	deliver_many(&rig, 50, 10);
	assert_int_equal(rig_stop(&rig), 0);
	assert_int_equal(unsetenv("TEST_SYNC_FAILS"), 0);
	rig_deinit(&rig);
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
	give_simple(&rig, 1, "u0", 0);
	rig_wait_done(&rig, 1);
	assert_answer(&rig, 1, 0, JOB_DEFERRED, "4.3.0", "looking the user up took too long");
	while (rig_workers(&rig, &pid,
		1)) /* killed, but its end is seen a little later; the test runner has the deadline */
		rig_turn(&rig);
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
}

static void takes_over_new_settings(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 1, geteuid(), true, "");
	rig_start(&rig);
	give_simple(&rig, 1, "u0", 0);
	rig_wait_done(&rig, 1);
	assert_answer(&rig, 1, 0, JOB_DELIVERED, "2.0.0", "");
	rig_reload(&rig, "max_mailbox_size = 200\n");
	for (int i = 0; i < 5; i++) /* control and queue are different channels */
		rig_turn(&rig);
	give_simple(&rig, 2, "u0", 0);
	rig_wait_done(&rig, 2);
	assert_answer(&rig, 2, 0, JOB_DEFERRED, "4.2.2", "full");
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
}

/* What a worker writes while the role is told to stop is finished and answered. */
static void stops_in_order(void **state)
{
	struct rig rig;
	size_t n_delivered = 0;

	(void)state;
	rig_init(&rig, 20, geteuid(), true, "");
	rig_start(&rig);
	deliver_many(&rig, 20, 20);
	for (size_t i = 0; i < 200; i++)
		give_simple(&rig, 100 + i, user_name(i % 20), 0);
	rig_turn(&rig);
	assert_int_equal(rig_stop(&rig), 0);
	for (size_t i = 0; i < 20; i++) {
		char path[32];
		(void)snprintf(path, sizeof(path), "mail/u%zu", i);
		n_delivered += count_in(&rig, path, "\n>From the body\n\n");
		assert_int_equal(count_in(&rig, path, "From sender@example  "),
			count_in(&rig, path, "\n>From the body\n\n"));
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
		cmocka_unit_test(a_mailbox_rests_between_batches),
		cmocka_unit_test(keeps_to_the_number_of_workers),
		cmocka_unit_test(splits_a_job_by_user),
		cmocka_unit_test(takes_many_large_mails_of_one_user),
		cmocka_unit_test(takes_many_large_mails_of_many_users),
		cmocka_unit_test(content_waits_for_a_worker_that_does_not_read),
		cmocka_unit_test(forwards),
		cmocka_unit_test(says_why_not),
		cmocka_unit_test(survives_killed_workers),
		cmocka_unit_test(gives_up_what_was_lost_twice),
		cmocka_unit_test(loses_and_doubles_nothing),
		cmocka_unit_test(a_failed_sync_takes_everything_back),
		cmocka_unit_test(a_hanging_user_database_defers),
		cmocka_unit_test(takes_over_new_settings),
		cmocka_unit_test(stops_in_order),
	};

	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
