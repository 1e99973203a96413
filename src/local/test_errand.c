/* SPDX-License-Identifier: Apache-2.0 */
/* test_errand.c - files and Maildirs that ~/.forward or a setting names, and references that lead nowhere, in
 * sandbox mode; see also test_privileges.c */
#include "local/test_rig.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/stat.h>

static struct rig rig;

static void what_is_not_written_there_is_routed_anew(void **state)
{
	static const char *const origins[] = { "forward:u0::1", "forward:u0:ext:1", "aliases:none:1:1",
		"list:none:1:1", "mailbox:u0" };

	(void)state;
	rig_begin(&rig, "");
	rig_write(&rig, "home/u0/.forward", SLICE("\"|touch ran\"\n"));
	for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
		rig_give_item(&rig, i + 1, "u0", LEAF_COMMAND, origins[i], 0);
		rig_wait_done(&rig, i + 1);
		assert_int_equal(rig_answer(&rig, i + 1, 0)->outcome, JOB_FORWARDED);
		assert_string_equal(rig_answer(&rig, i + 1, 0)->leaves,
			i == 4 ? "1:3:u0@localhost.localdomain " : "1:0:u0@localhost.localdomain ");
	}
	rig_give_item(&rig, 9, "u0", LEAF_COMMAND, "|touch ran", 0); /* a command line is no reference */
	rig_wait_done(&rig, 6);
	assert_int_equal(rig_answer(&rig, 9, 0)->outcome, JOB_DEFERRED);
	assert_int_equal(access(rig_path(&rig, "home/u0/ran"), F_OK), -1);
	rig_end(&rig);
}

static void files_are_appended_to(void **state)
{
	char forward[300];
	const struct rig_answer *a;
	char origin[200];

	(void)state;
	rig_begin(&rig, "lock_timeout = 1s\n");
	(void)snprintf(forward, sizeof(forward), "%s\n", rig_path(&rig, "home/u0/box"));
	a = rig_deliver_item(&rig, 1, forward);
	assert_int_equal(a->outcome, JOB_DELIVERED);
	assert_non_null(strstr(a->reason, "delivered to file: /"));
	rig_assert_has(&rig, "home/u0/box", "\n>From the body\n\n");
	(void)snprintf(origin, sizeof(origin), "%s", rig_answer(&rig, 1, 0)->origin);
	rig_give_item(
		&rig, 2, "u0", LEAF_FILE, origin, RCPT_RECONCILE); /* the first attempt's copy is there */
	rig_wait_done(&rig, 3);
	assert_int_equal(rig_answer(&rig, 2, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(rig_count(&rig, "home/u0/box", "From sender@example"), 1);
	rig_give_item(&rig, 3, "u0", LEAF_FILE, origin, 0);
	rig_wait_done(&rig, 4);
	assert_int_equal(rig_count(&rig, "home/u0/box", "From sender@example"), 2);
	rig_write(&rig, "home/u0/box.lock", SLICE("4711\n"));
	rig_give_item(&rig, 4, "u0", LEAF_FILE, origin, 0);
	rig_wait_done(&rig, 5);
	assert_int_equal(rig_answer(&rig, 4, 0)->outcome, JOB_DEFERRED);
	assert_non_null(strstr(rig_answer(&rig, 4, 0)->reason, "lock"));
	assert_int_equal(rig_count(&rig, "home/u0/box", "From sender@example"), 2);
	rig_end(&rig);
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
	rig_begin(&rig, "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char forward[100];
		(void)snprintf(forward, sizeof(forward), "%s\n", rows[i].item);
		const struct rig_answer *a = rig_deliver_item(&rig, 2 * i + 1, forward);
		assert_int_equal(a->outcome, JOB_DEFERRED);
		if (!strstr(a->reason, rows[i].words))
			fail_msg("%s: %s", rows[i].item, a->reason);
	}
	rig_end(&rig);
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
	rig_begin(&rig, "");
	(void)snprintf(forward, sizeof(forward), "%s/\n", rig_path(&rig, "home/u0/Maildir"));
	a = rig_deliver_item(&rig, 1, forward);
	assert_int_equal(a->outcome, JOB_DELIVERED);
	assert_non_null(strstr(a->reason, "delivered to maildir: /"));
	assert_int_equal(n_files("home/u0/Maildir/new"), 1);
	assert_int_equal(n_files("home/u0/Maildir/tmp"), 0);
	(void)snprintf(origin, sizeof(origin), "%s", rig_answer(&rig, 1, 0)->origin);
	rig_give_item(&rig, 2, "u0", LEAF_FILE, origin, RCPT_RECONCILE);
	rig_wait_done(&rig, 3);
	assert_int_equal(rig_answer(&rig, 2, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(n_files("home/u0/Maildir/new"), 1); /* that mail was there already */
	rig_give_item(&rig, 3, "u0", LEAF_FILE, origin, 0);
	rig_wait_done(&rig, 4);
	assert_int_equal(n_files("home/u0/Maildir/new"), 2);
	rig_end(&rig);
}

/* What an attempt left that was cut off before its sync is no delivery until its name is synced. */
static void a_maildir_copy_counts_when_it_is_synced(void **state)
{
	static const char *const places[] = { "home/u0/Maildir/new", "home/u0/Maildir/cur" };
	char forward[300], origin[200];
	uint64_t job = 10;

	(void)state;
	rig_begin(&rig, "");
	(void)snprintf(forward, sizeof(forward), "%s/\n", rig_path(&rig, "home/u0/Maildir"));
	assert_int_equal(rig_deliver_item(&rig, 1, forward)->outcome, JOB_DELIVERED);
	(void)snprintf(origin, sizeof(origin), "%s", rig_answer(&rig, 1, 0)->origin);
	for (size_t i = 0; i < ARRAY_LEN(places); i++, job += 2) {
		auto_buf struct buf content = rig_content(1002, "Message-ID: <m@x>\n", RIG_BODY);
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
	rig_end(&rig);
}

static void a_home_mailbox_takes_the_place_of_the_mailbox(void **state)
{
	(void)state;
	rig_begin(&rig, "home_mailbox = Maildir/\n");
	rig_give_item(&rig, 1, "u0", 0, NULL, 0);
	rig_wait_done(&rig, 1);
	assert_int_equal(rig_answer(&rig, 1, 0)->outcome, JOB_DELIVERED);
	assert_int_equal(n_files("home/u0/Maildir/new"), 1);
	rig_end(&rig);
	rig_begin(&rig, "home_mailbox = mail/inbox\n");
	assert_int_equal(mkdir(rig_path(&rig, "home/u0/mail"), 0700), 0);
	rig_give_item(&rig, 1, "u0", 0, NULL, 0);
	rig_wait_done(&rig, 1);
	assert_int_equal(rig_answer(&rig, 1, 0)->outcome, JOB_DELIVERED);
	rig_assert_has(&rig, "home/u0/mail/inbox", "\n>From the body\n\n");
	assert_int_equal(access(rig_path(&rig, "mail/u0"), F_OK), -1);
	rig_end(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_written_there_is_routed_anew),
		cmocka_unit_test(files_are_appended_to),
		cmocka_unit_test(files_that_are_none),
		cmocka_unit_test(maildirs),
		cmocka_unit_test(a_maildir_copy_counts_when_it_is_synced),
		cmocka_unit_test(a_home_mailbox_takes_the_place_of_the_mailbox),
	};
	int role = rig_main(argc, argv);

	return role >= 0 ? role : cmocka_run_group_tests(tests, NULL, NULL);
}
