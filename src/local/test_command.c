/* SPDX-License-Identifier: Apache-2.0 */
/* test_command.c - commands of ~/.forward and in the mailbox's place: what they get, how they end, what ends
 * them; see also test_privileges.c */
#include "local/test_rig.h"
#include "base/file.h"
#include "local/command.h"
#include <signal.h>

static struct rig rig;

static bool is_alive(pid_t pid)
{
	auto_buf struct buf status = BUF_INIT(100000);
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	return file_read_path(AT_FDCWD, path, &status) == 0 && !strstr(buf_cstr(&status), "State:\tZ");
}

static pid_t written_pid(const char *path)
{
	auto_buf struct buf text = rig_read(&rig, path);
	struct slice rest = buf_slice(&text), word;
	uint64_t pid = 0;

	assert_true(slice_next_word(&rest, &word) && slice_to_u64(word, INT_MAX, &pid));
	return (pid_t)pid;
}

static void a_command_gets_mail_and_environment(void **state)
{
	char line[300], home[200];
	const struct rig_answer *a;

	(void)state;
	rig_begin(&rig, "");
	(void)snprintf(home, sizeof(home), "%s", rig_path(&rig, "home/u0"));
	a = rig_deliver_item(&rig, 1, "\"|cat > got; env > env; pwd > pwd; ls /proc/self/fd > fds\"\n");
	assert_int_equal(a->outcome, JOB_DELIVERED);
	assert_non_null(strstr(a->reason, "delivered to command: \"cat > got;"));
	rig_assert_has(&rig, "home/u0/got", "From sender@example  ");
	rig_assert_has(&rig, "home/u0/got",
		"\nReturn-Path: <sender@example>\nX-Original-To: u0@localhost\nDelivered-To: "
		"u0@localhost.localdomain\nReceived: ");
	rig_assert_has(
		&rig, "home/u0/got", "\nSubject: test\n\nHello\nFrom the body\n"); /* nothing is quoted */
	(void)snprintf(line, sizeof(line), "HOME=%s\n", home);
	rig_assert_has(&rig, "home/u0/env", line);
	rig_assert_has(&rig, "home/u0/env", "SENDER=sender@example\n");
	rig_assert_has(&rig, "home/u0/env", "RECIPIENT=u0@localhost.localdomain\n");
	rig_assert_has(&rig, "home/u0/env", "ORIGINAL_RECIPIENT=u0@localhost\n");
	rig_assert_has(&rig, "home/u0/env", "LOCAL=u0\n");
	rig_assert_has(&rig, "home/u0/env", "DOMAIN=localhost.localdomain\n");
	rig_assert_has(&rig, "home/u0/env", "LOGNAME=u0\n");
	rig_assert_has(&rig, "home/u0/env", "MESSAGE_ID=m@x\n");
	rig_assert_has(&rig, "home/u0/env", "ENVID=E1\n");
	rig_assert_has(&rig, "home/u0/env", "CLIENT_ADDRESS=192.0.2.1\n");
	rig_assert_has(&rig, "home/u0/env", "CLIENT_HELO=client.example\n");
	rig_assert_has(&rig, "home/u0/env", "CLIENT_HOSTNAME=unknown\n");
	rig_assert_has(&rig, "home/u0/env", "CLIENT_PROTOCOL=ESMTP\n");
	rig_assert_has(&rig, "home/u0/env", "SASL_USERNAME=someone\n");
	rig_assert_has(&rig, "home/u0/pwd", "home/u0\n");
	rig_assert_has(&rig, "home/u0/fds", "0\n1\n2\n3\n"); /* 3 is the one that lists them */
	{
		auto_buf struct buf fds = rig_read(&rig, "home/u0/fds");
		assert_int_equal(fds.len, 8);
	}
	rig_end(&rig);
}

static void ends_of_commands(void **state)
{
	static const struct {
		const char *forward;
		enum job_outcome outcome;
		const char *status, *words;
	} rows[] = {
		{ "|exit 0\n", JOB_DELIVERED, "2.0.0", "" },
		{ "|exit 67\n", JOB_FAILED, "5.1.1", "user unknown" },
		{ "|exit 75\n", JOB_DEFERRED, "4.3.0", "temporary failure" },
		{ "|/bin/false\n", JOB_FAILED, "5.3.0", "exit status 1" },
		{ "|/bin/true\n", JOB_DELIVERED, "2.0.0", "" },
		{ "|/no/such/command a b\n", JOB_DEFERRED, "4.3.0", "No such file" },
		{ "|no-such-command\n", JOB_DEFERRED, "4.3.0", "not found" },
		{ "|/etc/passwd\n", JOB_DEFERRED, "4.3.0", "Permission denied" },
		{ "\"|kill -9 $$\"\n", JOB_DEFERRED, "4.3.0", "signal 9" },
		{ "\"|echo 4.2.2 full; exit 1\"\n", JOB_DEFERRED, "4.2.2", "full" },
		{ "\"|echo 5.7.1 no >&2; exit 75\"\n", JOB_FAILED, "5.7.1", "no" },
		{ "\"|yes | head -c 300000; exit 1\"\n", JOB_FAILED, "5.3.0", "Command output: y y y" },
		{ "\"|sleep 100 & exit 0\"\n", JOB_DELIVERED, "2.0.0", "" }, /* not waited for */
	};
	uint64_t job = 1;

	(void)state;
	rig_begin(&rig, "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++, job += 2) {
		const struct rig_answer *a = rig_deliver_item(&rig, job, rows[i].forward);
		if (a->outcome != rows[i].outcome || strcmp(a->status, rows[i].status) != 0 ||
			!strstr(a->reason, rows[i].words))
			fail_msg("%s: got %u %s %s", rows[i].forward, a->outcome, a->status, a->reason);
	}
	rig_end(&rig);
}

/* Its time is over: its children go, too. */
static void a_time_limit_ends_the_whole_group(void **state)
{
	const struct rig_answer *a;
	pid_t command, child;

	(void)state;
	rig_begin(&rig, "command_timeout = 1s\n");
	a = rig_deliver_item(&rig, 1, "\"|sleep 1000 & echo $! > child; echo $$ > pid; wait\"\n");
	assert_int_equal(a->outcome, JOB_DEFERRED);
	assert_non_null(strstr(a->reason, "local.command_timeout"));
	command = written_pid("home/u0/pid");
	child = written_pid("home/u0/child");
	while (is_alive(command) || is_alive(child)) /* the test runner has the deadline */
		(void)usleep(1000);
	rig_end(&rig);
}

static void plain_lines_need_no_shell(void **state)
{
	static const struct {
		const char *line, *words; /* blanks are ends of words; NULL: needs a shell */
	} rows[] = {
		{ "/bin/a", "/bin/a" },
		{ "  /bin/a  -b \t c=d@e.f,g:h/%i+j ", "/bin/a -b c=d@e.f,g:h/%i+j" },
		{ "a", NULL },
		{ "exit 67", NULL },
		{ "/bin/a 'b c'", NULL },
		{ "/bin/a $B", NULL },
		{ "/bin/a > b", NULL },
		{ "/bin/a *", NULL },
		{ "/bin/a\n/bin/b", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char words[100];
		assert_int_equal(command_is_plain(rows[i].line, words), rows[i].words != NULL);
		if (!rows[i].words)
			continue;
		size_t n = strlen(rows[i].words);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(words[k], rows[i].words[k] == ' ' ? '\0' : rows[i].words[k]);
		assert_int_equal(words[n], '\0');
		assert_int_equal(words[n + 1], '\0');
	}
}

/* Each waits for the other: a command that runs alone would never end. */
static void commands_run_side_by_side(void **state)
{
	char origin[200];

	(void)state;
	rig_begin(&rig, "command_timeout = 20s\n");
	rig_write(&rig, "home/u0/.forward",
		SLICE("\"|echo $RECIPIENT >> began; until test `wc -l < began` = 2; do sleep 0.01; "
		      "done\"\n"));
	rig_give_item(&rig, 1, "u0", 0, NULL, 0);
	rig_wait_done(&rig, 1);
	(void)snprintf(origin, sizeof(origin), "%s", rig_answer(&rig, 1, 0)->origin);
	rig_give_item(&rig, 2, "u0", LEAF_COMMAND, origin, 0);
	rig_give_item(&rig, 3, "u0", LEAF_COMMAND, origin, 0);
	rig_wait_done(&rig, 3);
	assert_int_equal(rig_answer(&rig, 2, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(rig_answer(&rig, 3, 0)->outcome, JOB_DELIVERED);
	rig_end(&rig);
}

static pid_t errand_process(void)
{
	pid_t pids[10];
	size_t n = rig_workers(&rig, pids, ARRAY_LEN(pids));

	for (size_t i = 0; i < n; i++) {
		auto_buf struct buf name = BUF_INIT(100);
		char path[64];
		(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pids[i]);
		assert_int_equal(file_read_path(AT_FDCWD, path, &name), 0);
		if (strcmp(buf_cstr(&name), "errand\n") == 0)
			return pids[i];
	}
	fail_msg("there is no errand");
	return -1;
}

/* Mail to u0 whose command has begun: it and its child never end. A second one would tell of the first. */
static void begin_endless_command(void)
{
	char origin[200];

	rig_write(&rig, "home/u0/.forward",
		SLICE("\"|if test -e done; then for p in `cat pid child`; do "
		      "grep State: /proc/$p/status; done > seen; exit 0; fi; "
		      "sleep 1000 & echo $$ > pid; echo $! > child; touch done; wait\"\n"));
	rig_give_item(&rig, 1, "u0", 0, NULL, 0);
	rig_wait_done(&rig, 1);
	(void)snprintf(origin, sizeof(origin), "%s", rig_answer(&rig, 1, 0)->origin);
	rig_give_item(&rig, 2, "u0", LEAF_COMMAND, origin, 0);
	while (access(rig_path(&rig, "home/u0/done"), F_OK) < 0)
		rig_turn(&rig);
}

static void a_command_is_gone_before_it_runs_again(void **state)
{
	(void)state;
	rig_begin(&rig, "");
	begin_endless_command();
	assert_true(is_alive(written_pid("home/u0/pid")) && is_alive(written_pid("home/u0/child")));
	assert_int_equal(kill(errand_process(), SIGKILL), 0);
	rig_wait_done(&rig, 2);
	assert_int_equal(rig_answer(&rig, 2, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(
		rig_count(&rig, "home/u0/seen", "State:"), rig_count(&rig, "home/u0/seen", "State:\tZ"));
	rig_end(&rig);
}

/* Its job is unknown then, and comes again after the restart. */
static void commands_end_with_the_role(void **state)
{
	pid_t command, child;

	(void)state;
	rig_begin(&rig, "");
	begin_endless_command();
	command = written_pid("home/u0/pid");
	child = written_pid("home/u0/child");
	rig_kill(&rig);
	while (is_alive(command) || is_alive(child)) /* the test runner has the deadline */
		(void)usleep(1000);
	rig_deinit(&rig);
}

static void a_mailbox_command_takes_the_place_of_the_mailbox(void **state)
{
	const struct rig_answer *a;

	(void)state;
	rig_begin(&rig, "mailbox_command = \"cat > $HOME/got\"\n");
	rig_give_item(&rig, 1, "u0", 0, NULL, 0);
	rig_wait_done(&rig, 1);
	a = rig_answer(&rig, 1, 0);
	assert_int_equal(a->outcome, JOB_FORWARDED);
	assert_string_equal(a->leaves, "6:0:u0@localhost.localdomain ");
	assert_string_equal(a->origin, "mailbox:u0");
	rig_give_item(&rig, 2, "u0", LEAF_COMMAND, "mailbox:u0", 0);
	rig_wait_done(&rig, 2);
	assert_int_equal(rig_answer(&rig, 2, 0)->outcome, JOB_DELIVERED);
	rig_assert_has(&rig, "home/u0/got", "\nSubject: test\n");
	assert_int_equal(access(rig_path(&rig, "mail/u0"), F_OK), -1);
	rig_end(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_gets_mail_and_environment),
		cmocka_unit_test(ends_of_commands),
		cmocka_unit_test(a_time_limit_ends_the_whole_group),
		cmocka_unit_test(plain_lines_need_no_shell),
		cmocka_unit_test(commands_run_side_by_side),
		cmocka_unit_test(a_command_is_gone_before_it_runs_again),
		cmocka_unit_test(commands_end_with_the_role),
		cmocka_unit_test(a_mailbox_command_takes_the_place_of_the_mailbox),
	};
	int role = rig_main(argc, argv);

	return role >= 0 ? role : cmocka_run_group_tests(tests, NULL, NULL);
}
