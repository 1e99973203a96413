/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_privileges.c - with root and made-up uids: what a worker is, what it holds, what it can and cannot
 * reach
 */
#include "local/test_rig.h"
#include "base/file.h"
#include "base/userdb.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#define FIRST_UID 70001
#define ONLY_ROOT                                                                                            \
	do {                                                                                                 \
		if (geteuid() != 0) {                                                                        \
			print_message("SKIP: only root can become other users\n");                           \
			skip();                                                                              \
		}                                                                                            \
	} while (0)

static gid_t mail_gid(void)
{
	gid_t gid;

	assert_int_equal(userdb_find_group("mail", &gid), USERDB_FOUND);
	return gid;
}

/* As Debian has it: root:mail 2775. */
static void start(struct rig *rig, const char *settings)
{
	rig_init(rig, 4, FIRST_UID, false, settings);
	assert_int_equal(chown(rig_path(rig, "mail"), 0, mail_gid()), 0);
	assert_int_equal(chmod(rig_path(rig, "mail"), 02775), 0);
	rig_start(rig);
}

static void give(struct rig *rig, uint64_t job, const char *user)
{
	auto_buf struct buf content = rig_content(job, "", SLICE("text\n"));

	rig_give(rig,
		&(struct rig_mail){
			.job = job, .queue_id = job, .users = { user }, .content = buf_slice(&content) });
}

static void assert_status(struct slice status, const char *name, const char *want)
{
	auto_buf struct buf got = BUF_INIT(1000);
	struct slice line, word;

	while (slice_next_line(&status, &line)) {
		if (!slice_next_word(&line, &word) || !slice_eq(word, slice_of(name)))
			continue;
		while (slice_next_word(&line, &word)) {
			if (got.len)
				buf_append_byte(&got, ' ');
			buf_append(&got, word);
		}
		if (!slice_eq(buf_slice(&got), slice_of(want)))
			fail_msg("%s %.*s, want %s", name, SLICE_ARG(buf_slice(&got)), want);
		return;
	}
	fail_msg("no %s in the status", name);
}

static struct buf status_of(pid_t pid)
{
	struct buf text = BUF_INIT(100000);
	char path[100];

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	assert_int_equal(file_read_path(AT_FDCWD, path, &text), 0);
	return text;
}

static void assert_no_capability(struct slice status)
{
	static const char none[] = "0000000000000000";

	assert_status(status, "CapInh:", none);
	assert_status(status, "CapPrm:", none);
	assert_status(status, "CapEff:", none);
	assert_status(status, "CapAmb:", none);
	assert_status(status, "NoNewPrivs:", "1");
#if !defined(__SANITIZE_ADDRESS__)
	assert_status(status, "Seccomp:", "2");
#endif
}

/* One socket (its channel), the mail directory, the loop's own; no file of anybody. */
static void assert_few_descriptors(pid_t pid, const char *mail_dir)
{
	char path[300], target[300];
	size_t n_sockets = 0;
	struct dirent *entry;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		uint64_t fd;
		ssize_t n;
		if (!slice_to_u64(slice_of(entry->d_name), INT_MAX, &fd) || fd <= 2)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%u", (int)pid, (unsigned)fd);
		n = readlink(path, target, sizeof(target) - 1);
		assert_true(n > 0);
		target[n] = '\0';
		n_sockets += strncmp(target, "socket:", 7) == 0;
		if (target[0] == '/')
			assert_string_equal(target, mail_dir);
	}
	(void)closedir(dir);
	assert_int_equal(n_sockets, 1);
}

static void a_worker_is_the_user_and_nothing_else(void **state)
{
	struct rig rig;
	struct buf status;
	struct stat st;
	char want[100], mail_dir[300];
	pid_t pid;

	(void)state;
	ONLY_ROOT;
	start(&rig, "");
	give(&rig, 1, "u2");
	rig_wait_done(&rig, 1);
	assert_int_equal(rig_answer(&rig, 1, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(rig_workers(&rig, &pid, 1), 1);
	status = status_of(pid);
	(void)snprintf(want, sizeof(want), "%d %d %d %d", FIRST_UID + 2, FIRST_UID + 2, FIRST_UID + 2,
		FIRST_UID + 2);
	assert_status(buf_slice(&status), "Uid:", want);
	assert_status(buf_slice(&status), "Gid:", want);
	(void)snprintf(want, sizeof(want), "%u", mail_gid());
	assert_status(buf_slice(&status), "Groups:", want);
	assert_no_capability(buf_slice(&status));
	buf_free(&status);
	(void)snprintf(mail_dir, sizeof(mail_dir), "%s", rig_path(&rig, "mail"));
	assert_few_descriptors(pid, mail_dir);
	assert_int_equal(stat(rig_path(&rig, "mail/u2"), &st), 0);
	assert_int_equal(st.st_uid, FIRST_UID + 2);
	assert_int_equal(st.st_gid, mail_gid());
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(access(rig_path(&rig, "mail/u2.lock"), F_OK), -1);
	rig_end(&rig);
}

/* Its memory and descriptors belong to root: the user's other processes cannot look into it. */
static void a_worker_cannot_be_traced_by_its_user(void **state)
{
	struct rig rig;
	char path[100];
	struct stat st;
	pid_t pid;

	(void)state;
	ONLY_ROOT;
	start(&rig, "");
	give(&rig, 1, "u0");
	rig_wait_done(&rig, 1);
	assert_int_equal(rig_workers(&rig, &pid, 1), 1);
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	rig_end(&rig);
}

static void roots_mail_is_written_without_power(void **state)
{
	struct rig rig;
	struct buf status;
	auto_buf struct buf users = BUF_INIT(1000);
	struct stat st;
	pid_t pid;

	(void)state;
	ONLY_ROOT;
	start(&rig, "");
	assert_int_equal(mkdir(rig_path(&rig, "home/root"), 0700), 0);
	buf_printf(&users, "root:x:0:0::%s/home/root:/bin/sh\n", rig.dir);
	rig_write(&rig, "etc/users", buf_slice(&users));
	give(&rig, 1, "root");
	rig_wait_done(&rig, 1);
	assert_int_equal(rig_answer(&rig, 1, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(rig_workers(&rig, &pid, 1), 1);
	status = status_of(pid);
	assert_status(buf_slice(&status), "Uid:", "0 0 0 0");
	assert_no_capability(buf_slice(&status));
	buf_free(&status);
	assert_int_equal(stat(rig_path(&rig, "mail/root"), &st), 0);
	assert_int_equal(st.st_uid, 0);
	rig_write(&rig, "home/root/.forward", SLICE("|/bin/false\nadmin@example\n"));
	give(&rig, 2, "root");
	rig_wait_done(&rig, 2);
	assert_string_equal(
		rig_answer(&rig, 2, 0)->leaves, "6:0:root@localhost.localdomain 1:0:admin@example ");
	rig_end(&rig);
}

static void forward_files_are_read_as_the_user(void **state)
{
	static const char forward[] = "friend@far.example\n";
	struct rig rig;

	(void)state;
	ONLY_ROOT;
	start(&rig, "");
	/* u0: only u0 can read it. u1: belongs to another. u2: the home is closed to its user. u3: a link to
	 * a file that only root can read. */
	for (int i = 0; i < 3; i++) {
		char path[64];
		(void)snprintf(path, sizeof(path), "home/u%d/.forward", i);
		rig_write(&rig, path, SLICE(forward));
		assert_int_equal(
			chown(rig_path(&rig, path), FIRST_UID + (i == 1 ? 0u : (uid_t)i), FIRST_UID), 0);
		assert_int_equal(chmod(rig_path(&rig, path), i == 1 ? 0644 : 0600), 0);
	}
	assert_int_equal(chown(rig_path(&rig, "home/u2"), 0, 0), 0);
	rig_write(&rig, "etc/secret", SLICE(forward));
	assert_int_equal(symlink(rig_path(&rig, "etc/secret"), rig_path(&rig, "home/u3/.forward")), 0);
	for (uint64_t i = 0; i < 4; i++) {
		char user[8];
		(void)snprintf(user, sizeof(user), "u%u", (unsigned)i);
		give(&rig, i + 1, user);
		rig_wait_done(&rig, (size_t)i + 1);
	}
	assert_int_equal(rig_answer(&rig, 1, 0)->outcome, JOB_FORWARDED);
	assert_string_equal(rig_answer(&rig, 1, 0)->leaves, "1:0:friend@far.example ");
	assert_int_equal(rig_answer(&rig, 2, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(rig_answer(&rig, 3, 0)->outcome, JOB_DEFERRED);
	assert_non_null(strstr(rig_answer(&rig, 3, 0)->reason, "Permission denied"));
	assert_int_equal(rig_answer(&rig, 4, 0)->outcome, JOB_DELIVERED);
	rig_end(&rig);
}

static void refuses_what_is_not_the_users(void **state)
{
	static const struct {
		mode_t mode;
		const char *words;
	} rows[] = {
		{ 0666, "belongs to another user" },
		{ 0600, "Permission denied" },
	};
	struct rig rig;

	(void)state;
	ONLY_ROOT;
	start(&rig, "lock_timeout = 1s\n");
	rig_write(&rig, "mail/u0", SLICE("From x\n\n"));
	assert_int_equal(chown(rig_path(&rig, "mail/u0"), FIRST_UID + 1, FIRST_UID + 1), 0);
	for (uint64_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(chmod(rig_path(&rig, "mail/u0"), rows[i].mode), 0);
		give(&rig, 10 + i, "u0");
		rig_wait_done(&rig, rig.n_done + 1);
		rig_assert_answer(&rig, 10 + i, 0, JOB_DEFERRED, "4.2.0", rows[i].words);
		assert_int_equal(rig_size(&rig, "mail/u0"), strlen("From x\n\n"));
	}
	assert_int_equal(rig_stop(&rig), 0);

	/* A mail directory that only root may write to. */
	assert_int_equal(chmod(rig_path(&rig, "mail"), 0755), 0);
	rig_write(&rig, "mail/u1", SLICE(""));
	assert_int_equal(chown(rig_path(&rig, "mail/u1"), FIRST_UID + 1, FIRST_UID + 1), 0);
	rig_start(&rig);
	give(&rig, 2, "u1");
	rig_wait_done(&rig, rig.n_done + 1);
	rig_assert_answer(&rig, 2, 0, JOB_DEFERRED, "4.2.0", "security.mail_group");
	rig_end(&rig);
}

/* What a command of uid's .forward says of itself, written to home/uN/who. */
static void run_who(struct rig *rig, const char *user, const char *home, uid_t uid)
{
	char path[64], origin[200];

	(void)snprintf(path, sizeof(path), "home/%s/.forward", home);
	rig_write(rig, path,
		SLICE("\"|(grep -E '^(Uid|Gid|Groups|NoNewPrivs):' /proc/self/status; pwd) > /tmp/who.$$; "
		      "cat /tmp/who.$$; rm /tmp/who.$$; exit 1\"\n"));
	assert_int_equal(chown(rig_path(rig, path), uid, (gid_t)-1), 0);
	give(rig, 1, user);
	rig_wait_done(rig, 1);
	(void)snprintf(origin, sizeof(origin), "%s", rig_answer(rig, 1, 0)->origin);
	rig_give(rig,
		&(struct rig_mail){ .job = 2,
			.queue_id = 2,
			.users = { user },
			.kind = LEAF_COMMAND,
			.origin = origin,
			.content = SLICE("Subject: x\n\n") });
	rig_wait_done(rig, 2);
}

static void a_command_is_its_user_and_may_use_setgid_programs(void **state)
{
	char want[200];
	struct rig rig;

	(void)state;
	ONLY_ROOT;
	start(&rig, "");
	run_who(&rig, "u1", "u1", FIRST_UID + 1);
	(void)snprintf(want, sizeof(want), "Uid: %u %u %u %u Gid: %u %u %u %u Groups: %u  NoNewPrivs: 0 ",
		FIRST_UID + 1, FIRST_UID + 1, FIRST_UID + 1, FIRST_UID + 1, FIRST_UID + 1, FIRST_UID + 1,
		FIRST_UID + 1, FIRST_UID + 1, FIRST_UID + 1);
	if (!strstr(rig_answer(&rig, 2, 0)->reason, want))
		fail_msg("got %s, want %s", rig_answer(&rig, 2, 0)->reason, want);
	assert_non_null(strstr(rig_answer(&rig, 2, 0)->reason, "/home/u1"));
	rig_end(&rig);
}

static void roots_commands_are_not_roots(void **state)
{
	auto_buf struct buf users = BUF_INIT(1000);
	struct rig rig;

	(void)state;
	ONLY_ROOT;
	start(&rig, "command_user = u2\n");
	assert_int_equal(mkdir(rig_path(&rig, "home/root"), 0700), 0);
	buf_printf(&users, "root:x:0:0::%s/home/root:/bin/sh\nu2:x:%u:%u::/nowhere:/bin/sh\n", rig.dir,
		FIRST_UID + 2, FIRST_UID + 2);
	rig_write(&rig, "etc/users", buf_slice(&users));
	run_who(&rig, "root", "root", 0);
	if (!strstr(rig_answer(&rig, 2, 0)->reason, "Uid: 70003 70003 70003 70003 "))
		fail_msg("got %s", rig_answer(&rig, 2, 0)->reason);
	rig_end(&rig);
}

static void write_roots_file(struct rig *rig, const char *name, const char *words)
{
	char path[64], text[200];

	(void)snprintf(path, sizeof(path), "home/root/%s", name);
	(void)snprintf(text, sizeof(text), "\"|echo %s; exit 1\"\n", words);
	rig_write(rig, path, slice_of(text));
}

/* What the command of root+extension says. */
static const char *run_roots(struct rig *rig, uint64_t job, const char *extension)
{
	struct rig_mail mail = { .job = job,
		.queue_id = job,
		.users = { "root" },
		.extension = extension,
		.content = SLICE("Subject: x\n\n") };
	char origin[200];

	rig_give(rig, &mail);
	rig_wait_done(rig, rig->n_done + 1);
	assert_int_equal(rig_answer(rig, job, 0)->outcome, JOB_FORWARDED);
	(void)snprintf(origin, sizeof(origin), "%s", rig_answer(rig, job, 0)->origin);
	mail.job = mail.queue_id = job + 1;
	mail.kind = LEAF_COMMAND;
	mail.origin = origin;
	rig_give(rig, &mail);
	rig_wait_done(rig, rig->n_done + 1);
	assert_int_equal(rig_answer(rig, job + 1, 0)->outcome, JOB_FAILED);
	return rig_answer(rig, job + 1, 0)->reason;
}

static void roots_extensions_have_their_own_commands(void **state)
{
	static const struct {
		const char *extension, *want;
	} rows[] = {
		{ NULL, "output: plain" },
		{ "list", "output: list" },
		{ "a$b", "output: odd" },
		{ "other", "output: plain" },
	};
	auto_buf struct buf users = BUF_INIT(1000);
	struct rig rig;
	uint64_t job = 1;

	(void)state;
	ONLY_ROOT;
	start(&rig, "command_user = u2\n");
	assert_int_equal(mkdir(rig_path(&rig, "home/root"), 0700), 0);
	buf_printf(&users, "root:x:0:0::%s/home/root:/bin/sh\nu2:x:%u:%u::/nowhere:/bin/sh\n", rig.dir,
		FIRST_UID + 2, FIRST_UID + 2);
	rig_write(&rig, "etc/users", buf_slice(&users));
	write_roots_file(&rig, ".forward", "plain");
	write_roots_file(&rig, ".forward+list", "list");
	write_roots_file(&rig, ".forward+a_b", "odd");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++, job += 2)
		assert_non_null(strstr(run_roots(&rig, job, rows[i].extension), rows[i].want));
	write_roots_file(&rig, ".forward+list", "edited"); /* and read anew */
	assert_non_null(strstr(run_roots(&rig, job, "list"), "output: edited"));
	rig_end(&rig);
}

static void commands_never_run_as_root(void **state)
{
	struct rig rig;

	(void)state;
	ONLY_ROOT;
	start(&rig, "command_user = root\n");
	rig_write(&rig, "etc/users", SLICE("root:x:0:0::/root:/bin/sh\n"));
	rig_give(&rig,
		&(struct rig_mail){ .job = 1,
			.queue_id = 1,
			.users = { "x" },
			.kind = LEAF_COMMAND,
			.origin = "aliases:x:1:1",
			.content = SLICE("Subject: x\n\n") });
	rig_wait_done(&rig, 1);
	assert_int_equal(rig_answer(&rig, 1, 0)->outcome, JOB_DEFERRED);
	rig_end(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_is_the_user_and_nothing_else),
		cmocka_unit_test(a_worker_cannot_be_traced_by_its_user),
		cmocka_unit_test(roots_mail_is_written_without_power),
		cmocka_unit_test(forward_files_are_read_as_the_user),
		cmocka_unit_test(refuses_what_is_not_the_users),
		cmocka_unit_test(a_command_is_its_user_and_may_use_setgid_programs),
		cmocka_unit_test(roots_commands_are_not_roots),
		cmocka_unit_test(roots_extensions_have_their_own_commands),
		cmocka_unit_test(commands_never_run_as_root),
	};
	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
