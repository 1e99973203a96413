/* SPDX-License-Identifier: Apache-2.0 */
/* test_errand.c - commands, files, Maildirs and lists of the whole role, in sandbox mode; see also
 * test_privileges.c */
#include "local/test_rig.h"
#include "base/clock.h"
#include "base/file.h"
#include "local/command.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define BODY SLICE("Hello\nFrom the body\n")

static struct rig rig;

static void start(const char *settings)
{
	rig_init(&rig, 2, geteuid(), true, settings);
	rig_start(&rig);
}

static void stop(void)
{
	assert_int_equal(rig_stop(&rig), 0);
	rig_deinit(&rig);
}

static void give(uint64_t job, const char *user, uint8_t kind, const char *origin, unsigned flags)
{
	auto_buf struct buf content = rig_content(1000 + job, "Message-ID: <m@x>\n", BODY);

	rig_give(&rig,
		&(struct rig_mail){ .job = job,
			.queue_id = 1000 + job,
			.users = { user },
			.kind = kind,
			.origin = origin,
			.flags = flags,
			.content = buf_slice(&content) });
}

/* Mail to u0, whose .forward is text, and then what its single reference says. */
static const struct rig_answer *deliver_item(uint64_t job, const char *text)
{
	const struct rig_answer *a;
	uint8_t kind;

	rig_write(&rig, "home/u0/.forward", slice_of(text));
	give(job, "u0", 0, NULL, 0);
	rig_wait_done(&rig, rig.n_done + 1);
	a = rig_answer(&rig, job, 0);
	assert_int_equal(a->outcome, JOB_FORWARDED);
	assert_non_null(strchr("56", a->leaves[0]));
	kind = (uint8_t)(a->leaves[0] - '0');
	{
		char origin[200];
		(void)snprintf(origin, sizeof(origin), "%s", a->origin);
		give(job + 1, "u0", kind, origin, 0);
	}
	rig_wait_done(&rig, rig.n_done + 1);
	return rig_answer(&rig, job + 1, 0);
}

static void assert_has(const char *path, const char *words)
{
	auto_buf struct buf text = rig_read(&rig, path);

	if (!text.len || !memmem(text.at, text.len, words, strlen(words)))
		fail_msg("\"%s\" is not in %s:\n%.*s", words, path, SLICE_ARG(buf_slice(&text)));
}

static void a_command_gets_mail_and_environment(void **state)
{
	char line[300], home[200];
	const struct rig_answer *a;

	(void)state;
	start("");
	(void)snprintf(home, sizeof(home), "%s", rig_path(&rig, "home/u0"));
	a = deliver_item(1, "\"|cat > got; env > env; pwd > pwd; ls /proc/self/fd > fds\"\n");
	assert_int_equal(a->outcome, JOB_DELIVERED);
	assert_non_null(strstr(a->reason, "delivered to command: \"cat > got;"));
	assert_has("home/u0/got", "From sender@example  ");
	assert_has("home/u0/got",
		"\nReturn-Path: <sender@example>\nX-Original-To: u0@localhost\nDelivered-To: "
		"u0@localhost.localdomain\nReceived: ");
	assert_has("home/u0/got", "\nSubject: test\n\nHello\nFrom the body\n"); /* nothing is quoted */
	(void)snprintf(line, sizeof(line), "HOME=%s\n", home);
	assert_has("home/u0/env", line);
	assert_has("home/u0/env", "SENDER=sender@example\n");
	assert_has("home/u0/env", "RECIPIENT=u0@localhost.localdomain\n");
	assert_has("home/u0/env", "ORIGINAL_RECIPIENT=u0@localhost\n");
	assert_has("home/u0/env", "LOCAL=u0\n");
	assert_has("home/u0/env", "DOMAIN=localhost.localdomain\n");
	assert_has("home/u0/env", "LOGNAME=u0\n");
	assert_has("home/u0/env", "MESSAGE_ID=m@x\n");
	assert_has("home/u0/env", "ENVID=E1\n");
	assert_has("home/u0/env", "CLIENT_ADDRESS=192.0.2.1\n");
	assert_has("home/u0/env", "CLIENT_HELO=client.example\n");
	assert_has("home/u0/env", "CLIENT_HOSTNAME=unknown\n");
	assert_has("home/u0/env", "CLIENT_PROTOCOL=ESMTP\n");
	assert_has("home/u0/env", "SASL_USERNAME=someone\n");
	assert_has("home/u0/pwd", "home/u0\n");
	assert_has("home/u0/fds", "0\n1\n2\n3\n"); /* 3 is the one that lists them */
	{
		auto_buf struct buf fds = rig_read(&rig, "home/u0/fds");
		assert_int_equal(fds.len, 8);
	}
	stop();
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
		{ "\"|sleep 100; exit 0\"\n", JOB_DEFERRED, "4.3.0", "local.command_timeout" },
	};
	uint64_t job = 1;

	(void)state;
	start("command_timeout = 1s\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++, job += 2) {
		const struct rig_answer *a = deliver_item(job, rows[i].forward);
		if (a->outcome != rows[i].outcome || strcmp(a->status, rows[i].status) != 0 ||
			!strstr(a->reason, rows[i].words))
			fail_msg("%s: got %u %s %s", rows[i].forward, a->outcome, a->status, a->reason);
	}
	stop();
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
	start("command_timeout = 20s\n");
	rig_write(&rig, "home/u0/.forward",
		SLICE("\"|echo $RECIPIENT >> began; until test `wc -l < began` = 2; do sleep 0.01; "
		      "done\"\n"));
	give(1, "u0", 0, NULL, 0);
	rig_wait_done(&rig, 1);
	(void)snprintf(origin, sizeof(origin), "%s", rig_answer(&rig, 1, 0)->origin);
	give(2, "u0", LEAF_COMMAND, origin, 0);
	give(3, "u0", LEAF_COMMAND, origin, 0);
	rig_wait_done(&rig, 3);
	assert_int_equal(rig_answer(&rig, 2, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(rig_answer(&rig, 3, 0)->outcome, JOB_DELIVERED);
	stop();
}

/* ---- an errand that dies ---- */

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
	give(1, "u0", 0, NULL, 0);
	rig_wait_done(&rig, 1);
	(void)snprintf(origin, sizeof(origin), "%s", rig_answer(&rig, 1, 0)->origin);
	give(2, "u0", LEAF_COMMAND, origin, 0);
	while (access(rig_path(&rig, "home/u0/done"), F_OK) < 0)
		rig_turn(&rig);
}

static void a_command_is_gone_before_it_runs_again(void **state)
{
	(void)state;
	start("");
	begin_endless_command();
	assert_true(is_alive(written_pid("home/u0/pid")) && is_alive(written_pid("home/u0/child")));
	assert_int_equal(kill(errand_process(), SIGKILL), 0);
	rig_wait_done(&rig, 2);
	assert_int_equal(rig_answer(&rig, 2, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(
		rig_count(&rig, "home/u0/seen", "State:"), rig_count(&rig, "home/u0/seen", "State:\tZ"));
	stop();
}

/* Its job is unknown then, and comes again after the restart. */
static void commands_end_with_the_role(void **state)
{
	pid_t command, child;

	(void)state;
	start("");
	begin_endless_command();
	command = written_pid("home/u0/pid");
	child = written_pid("home/u0/child");
	rig_kill(&rig);
	while (is_alive(command) || is_alive(child)) /* the test runner has the deadline */
		(void)usleep(1000);
	rig_deinit(&rig);
}

/* ---- what is gone from the file ---- */

static void what_is_not_written_there_is_routed_anew(void **state)
{
	static const char *const origins[] = { "forward:u0::1", "forward:u0:ext:1", "aliases:none:1:1",
		"list:none:1:1", "mailbox:u0" };

	(void)state;
	start("");
	rig_write(&rig, "home/u0/.forward", SLICE("\"|touch ran\"\n"));
	for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
		give(i + 1, "u0", LEAF_COMMAND, origins[i], 0);
		rig_wait_done(&rig, i + 1);
		assert_int_equal(rig_answer(&rig, i + 1, 0)->outcome, JOB_FORWARDED);
		assert_string_equal(rig_answer(&rig, i + 1, 0)->leaves,
			i == 4 ? "1:3:u0@localhost.localdomain " : "1:0:u0@localhost.localdomain ");
	}
	give(9, "u0", LEAF_COMMAND, "|touch ran", 0); /* a command line is no reference */
	rig_wait_done(&rig, 6);
	assert_int_equal(rig_answer(&rig, 9, 0)->outcome, JOB_DEFERRED);
	assert_int_equal(access(rig_path(&rig, "home/u0/ran"), F_OK), -1);
	stop();
}

static void files_are_appended_to(void **state)
{
	char forward[300];
	const struct rig_answer *a;
	char origin[200];

	(void)state;
	start("lock_timeout = 1s\n");
	(void)snprintf(forward, sizeof(forward), "%s\n", rig_path(&rig, "home/u0/box"));
	a = deliver_item(1, forward);
	assert_int_equal(a->outcome, JOB_DELIVERED);
	assert_non_null(strstr(a->reason, "delivered to file: /"));
	assert_has("home/u0/box", "\n>From the body\n\n");
	(void)snprintf(origin, sizeof(origin), "%s", rig_answer(&rig, 1, 0)->origin);
	give(2, "u0", LEAF_FILE, origin, RCPT_RECONCILE); /* the first attempt's copy is there */
	rig_wait_done(&rig, 3);
	assert_int_equal(rig_answer(&rig, 2, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(rig_count(&rig, "home/u0/box", "From sender@example"), 1);
	give(3, "u0", LEAF_FILE, origin, 0);
	rig_wait_done(&rig, 4);
	assert_int_equal(rig_count(&rig, "home/u0/box", "From sender@example"), 2);
	rig_write(&rig, "home/u0/box.lock", SLICE("4711\n"));
	give(4, "u0", LEAF_FILE, origin, 0);
	rig_wait_done(&rig, 5);
	assert_int_equal(rig_answer(&rig, 4, 0)->outcome, JOB_DEFERRED);
	assert_non_null(strstr(rig_answer(&rig, 4, 0)->reason, "lock"));
	assert_int_equal(rig_count(&rig, "home/u0/box", "From sender@example"), 2);
	stop();
}

static void files_that_are_none(void **state)
{
	static const struct {
		const char *item, *words;
	} rows[] = {
		{ "/dev/full", "not a regular file" },
		{ "/no/such/directory/box", "No such file or directory" },
		{ "/etc", "not a regular file" },
	};

	(void)state;
	start("");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char forward[100];
		(void)snprintf(forward, sizeof(forward), "%s\n", rows[i].item);
		const struct rig_answer *a = deliver_item(2 * i + 1, forward);
		assert_int_equal(a->outcome, JOB_DEFERRED);
		if (!strstr(a->reason, rows[i].words))
			fail_msg("%s: %s", rows[i].item, a->reason);
	}
	stop();
}

static size_t n_files(const char *path)
{
	DIR *dir = opendir(rig_path(&rig, path));
	size_t n = 0;

	assert_non_null(dir);
	for (const struct dirent *e; (e = readdir(dir));)
		n += e->d_name[0] != '.';
	(void)closedir(dir);
	return n;
}

/* As a mail reader does; how many there were. */
static size_t rename_all(const char *from, const char *to, const char *suffix)
{
	DIR *dir = opendir(rig_path(&rig, from));
	size_t n = 0;

	assert_non_null(dir);
	for (const struct dirent *e; (e = readdir(dir));) {
		char old[400], new[400];
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(old, sizeof(old), "%s/%s", rig_path(&rig, from), e->d_name);
		(void)snprintf(new, sizeof(new), "%s/%s%s", rig_path(&rig, to), e->d_name, suffix);
		assert_int_equal(file_rename(AT_FDCWD, old, AT_FDCWD, new), 0);
		n++;
	}
	(void)closedir(dir);
	return n;
}

static void maildirs(void **state)
{
	char forward[300], origin[200];
	const struct rig_answer *a;

	(void)state;
	start("");
	(void)snprintf(forward, sizeof(forward), "%s/\n", rig_path(&rig, "home/u0/Maildir"));
	a = deliver_item(1, forward);
	assert_int_equal(a->outcome, JOB_DELIVERED);
	assert_non_null(strstr(a->reason, "delivered to maildir: /"));
	assert_int_equal(n_files("home/u0/Maildir/new"), 1);
	assert_int_equal(n_files("home/u0/Maildir/tmp"), 0);
	(void)snprintf(origin, sizeof(origin), "%s", rig_answer(&rig, 1, 0)->origin);
	give(2, "u0", LEAF_FILE, origin, RCPT_RECONCILE);
	rig_wait_done(&rig, 3);
	assert_int_equal(rig_answer(&rig, 2, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(n_files("home/u0/Maildir/new"), 1); /* that mail was there already */
	give(3, "u0", LEAF_FILE, origin, 0);
	rig_wait_done(&rig, 4);
	assert_int_equal(n_files("home/u0/Maildir/new"), 2);
	stop();
}

/* What an attempt left that was cut off before its sync is no delivery until its name is synced. */
static void a_maildir_copy_counts_when_it_is_synced(void **state)
{
	static const char *const places[] = { "home/u0/Maildir/new", "home/u0/Maildir/cur" };
	char forward[300], origin[200];
	uint64_t job = 10;

	(void)state;
	start("");
	(void)snprintf(forward, sizeof(forward), "%s/\n", rig_path(&rig, "home/u0/Maildir"));
	assert_int_equal(deliver_item(1, forward)->outcome, JOB_DELIVERED);
	(void)snprintf(origin, sizeof(origin), "%s", rig_answer(&rig, 1, 0)->origin);
	for (size_t i = 0; i < ARRAY_LEN(places); i++, job += 2) {
		auto_buf struct buf content = rig_content(1002, "Message-ID: <m@x>\n", BODY);
		const struct rig_mail again = { .queue_id = 1002,
			.users = { "u0" },
			.kind = LEAF_FILE,
			.origin = origin,
			.flags = RCPT_RECONCILE,
			.content = buf_slice(&content) };
		struct rig_mail first = again, second = again;
		first.job = job;
		second.job = job + 1;
		rig_write(&rig, "sync-fails", SLICE(""));
		rig_give(&rig, &first);
		rig_wait_done(&rig, rig.n_done + 1);
		assert_int_equal(rig_answer(&rig, job, 0)->outcome, JOB_DEFERRED);
		assert_int_equal(unlink(rig_path(&rig, "sync-fails")), 0);
		rig_give(&rig, &second);
		rig_wait_done(&rig, rig.n_done + 1);
		assert_int_equal(rig_answer(&rig, job + 1, 0)->outcome, JOB_DELIVERED);
		assert_int_equal(n_files(places[i]), 1);
		if (i == 0)
			assert_int_equal(rename_all(places[0], places[1], ":2,S"), 1);
	}
	assert_int_equal(n_files("home/u0/Maildir/new"), 0);
	stop();
}

static void a_home_mailbox_takes_the_place_of_the_mailbox(void **state)
{
	(void)state;
	start("home_mailbox = Maildir/\n");
	give(1, "u0", 0, NULL, 0);
	rig_wait_done(&rig, 1);
	assert_int_equal(rig_answer(&rig, 1, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(n_files("home/u0/Maildir/new"), 1);
	stop();
	start("home_mailbox = mail/inbox\n");
	assert_int_equal(mkdir(rig_path(&rig, "home/u0/mail"), 0700), 0);
	give(1, "u0", 0, NULL, 0);
	rig_wait_done(&rig, 1);
	assert_int_equal(rig_answer(&rig, 1, 0)->outcome, JOB_DELIVERED);
	assert_has("home/u0/mail/inbox", "\n>From the body\n\n");
	assert_int_equal(access(rig_path(&rig, "mail/u0"), F_OK), -1);
	stop();
}

static void a_mailbox_command_takes_the_place_of_the_mailbox(void **state)
{
	const struct rig_answer *a;

	(void)state;
	start("mailbox_command = \"cat > $HOME/got\"\n");
	give(1, "u0", 0, NULL, 0);
	rig_wait_done(&rig, 1);
	a = rig_answer(&rig, 1, 0);
	assert_int_equal(a->outcome, JOB_FORWARDED);
	assert_string_equal(a->leaves, "6:0:u0@localhost.localdomain ");
	assert_string_equal(a->origin, "mailbox:u0");
	give(2, "u0", LEAF_COMMAND, "mailbox:u0", 0);
	rig_wait_done(&rig, 2);
	assert_int_equal(rig_answer(&rig, 2, 0)->outcome, JOB_DELIVERED);
	assert_has("home/u0/got", "\nSubject: test\n");
	assert_int_equal(access(rig_path(&rig, "mail/u0"), F_OK), -1);
	stop();
}

static void lists(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		enum job_outcome outcome;
		const char *leaves, *words;
	} rows[] = {
		{ "a@x\nB <b@y>, \\u1 # c\n", 0600, JOB_FORWARDED, "1:0:a@x 1:0:b@y 1:3:u1 ", "" },
		{ "|/bin/false\n/etc/passwd\na@x\n", 0600, JOB_FORWARDED, "1:0:a@x ", "" },
		{ "# nobody\n", 0600, JOB_DELIVERED, "", "no members" },
		{ "|/bin/false\n", 0600, JOB_MISCONFIGURED, "", "no usable member" },
		{ "a@x\n", 0602, JOB_MISCONFIGURED, "", "chmod go-w" },
		{ ":include:/no/such/list\n", 0600, JOB_MISCONFIGURED, "", "/no/such/list" },
	};
	char forward[300];

	(void)state;
	start("");
	(void)snprintf(forward, sizeof(forward), ":include:%s\n", rig_path(&rig, "home/u0/list"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rig_write(&rig, "home/u0/list", slice_of(rows[i].text));
		assert_int_equal(chmod(rig_path(&rig, "home/u0/list"), rows[i].mode), 0);
		const struct rig_answer *a = deliver_item(2 * i + 1, forward);
		if (a->outcome != rows[i].outcome || strcmp(a->leaves, rows[i].leaves) != 0 ||
			!strstr(a->reason, rows[i].words))
			fail_msg("row %zu: got %u %s %s", i, a->outcome, a->leaves, a->reason);
	}
	stop();
}

static void lists_in_circles_end(void **state)
{
	char forward[300], itself[400];
	const struct rig_answer *a;

	(void)state;
	start("");
	(void)snprintf(forward, sizeof(forward), ":include:%s\n", rig_path(&rig, "home/u0/list"));
	(void)snprintf(itself, sizeof(itself), "a@x\n%s", forward);
	rig_write(&rig, "home/u0/list", slice_of(itself));
	a = deliver_item(1, forward);
	assert_int_equal(a->outcome, JOB_MISCONFIGURED);
	assert_non_null(strstr(a->reason, "lists include each other"));
	stop();
}

/* Each of nine lists names the next eight times: 16 million lists, if all were read. */
static void lists_that_multiply_end(void **state)
{
	enum { LEVELS = 9, TIMES = 8 };
	auto_buf struct buf text = BUF_INIT(20000);
	const struct rig_answer *a;
	char name[40], forward[300];

	(void)state;
	start("");
	for (int level = 0; level < LEVELS; level++) {
		buf_clear(&text);
		for (int i = 0; i < TIMES && level + 1 < LEVELS; i++)
			buf_printf(&text, ":include:%s%d\n# %01000d\n", rig_path(&rig, "home/u0/list"),
				level + 1, 0);
		buf_append_str(&text, "# nobody\n");
		(void)snprintf(name, sizeof(name), "home/u0/list%d", level);
		rig_write(&rig, name, buf_slice(&text));
	}
	(void)snprintf(forward, sizeof(forward), ":include:%s\n", rig_path(&rig, "home/u0/list0"));
	a = deliver_item(1, forward);
	assert_int_equal(a->outcome, JOB_MISCONFIGURED);
	assert_non_null(strstr(a->reason, "too large"));
	stop();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_gets_mail_and_environment),
		cmocka_unit_test(ends_of_commands),
		cmocka_unit_test(plain_lines_need_no_shell),
		cmocka_unit_test(commands_run_side_by_side),
		cmocka_unit_test(a_command_is_gone_before_it_runs_again),
		cmocka_unit_test(commands_end_with_the_role),
		cmocka_unit_test(what_is_not_written_there_is_routed_anew),
		cmocka_unit_test(files_are_appended_to),
		cmocka_unit_test(files_that_are_none),
		cmocka_unit_test(maildirs),
		cmocka_unit_test(a_maildir_copy_counts_when_it_is_synced),
		cmocka_unit_test(a_home_mailbox_takes_the_place_of_the_mailbox),
		cmocka_unit_test(a_mailbox_command_takes_the_place_of_the_mailbox),
		cmocka_unit_test(lists),
		cmocka_unit_test(lists_in_circles_end),
		cmocka_unit_test(lists_that_multiply_end),
	};
	int role = rig_main(argc, argv);

	return role >= 0 ? role : cmocka_run_group_tests(tests, NULL, NULL);
}
