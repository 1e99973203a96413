/* SPDX-License-Identifier: Apache-2.0 */
/* test_dry_run.c - jobs that deliver nothing: what a worker tells, to whom, and that nothing is written */
#include "local/test_rig.h"

/* What a dry run of mail to u0 says; the steps are in rig->steps. */
static const struct rig_answer *ask(
	struct rig *rig, uint64_t job, uint8_t kind, const char *origin, enum dry_run dry_run, uid_t asker)
{
	rig->steps[0] = '\0';
	rig_give(rig,
		&(struct rig_mail){ .job = job,
			.queue_id = job,
			.users = { "u0" },
			.kind = kind,
			.origin = origin,
			.content = SLICE_EMPTY,
			.dry_run = dry_run,
			.asker = asker });
	rig_wait_done(rig, rig->n_done + 1);
	return rig_answer(rig, job, 0);
}

static void start(struct rig *rig, const char *settings)
{
	rig_init(rig, 1, geteuid(), true, settings);
	rig_start(rig);
}

static void finish(struct rig *rig)
{
	assert_int_equal(access(rig_path(rig, "mail/u0"), F_OK), -1); /* whatever was asked */
	assert_int_equal(rig_stop(rig), 0);
	rig_deinit(rig);
}

static void names_the_mailbox(void **state)
{
	const struct rig_answer *a;
	struct rig rig;

	(void)state;
	start(&rig, "");
	a = ask(&rig, 1, 0, NULL, DRY_RUN_ALL, 12345);
	assert_int_equal(a->outcome, JOB_DELIVERED);
	assert_string_equal(a->reason, rig_path(&rig, "mail/u0"));
	assert_non_null(strstr(rig.steps, "there is no "));
	assert_non_null(strstr(rig.steps, "home/u0/.forward\n"));
	rig_reload(&rig, "[local]\nhome_mailbox = Maildir/\n");
	a = ask(&rig, 2, 0, NULL, DRY_RUN_ALL, 12345);
	assert_string_equal(a->reason, rig_path(&rig, "home/u0/Maildir/"));
	assert_int_equal(access(rig_path(&rig, "home/u0/Maildir"), F_OK), -1);
	finish(&rig);
}

static void tells_items_with_their_lines_and_runs_none(void **state)
{
	const struct rig_answer *a;
	char text[300], origin[200];
	struct rig rig;

	(void)state;
	start(&rig, "");
	(void)snprintf(
		text, sizeof(text), "far@far.example\n|touch %s\n:fail: x\n", rig_path(&rig, "home/ran"));
	rig_write(&rig, "home/u0/.forward", slice_of(text));
	a = ask(&rig, 1, 0, NULL, DRY_RUN_ALL, 0);
	assert_int_equal(a->outcome, JOB_FORWARDED);
	assert_non_null(strstr(rig.steps, ".forward is used\n"));
	assert_non_null(strstr(rig.steps, "far@far.example ["));
	assert_non_null(strstr(rig.steps, "/home/u0/.forward:1]\n"));
	assert_non_null(strstr(rig.steps, "\"x\" is ignored: has no meaning in a .forward file ["));
	assert_string_equal(a->leaves, "1:0:far@far.example 6:0:u0@localhost.localdomain ");
	(void)snprintf(origin, sizeof(origin), "%s", a->origin);
	a = ask(&rig, 2, LEAF_COMMAND, origin, DRY_RUN_ALL, 0);
	assert_int_equal(a->outcome, JOB_DELIVERED);
	assert_non_null(strstr(a->reason, "touch "));
	assert_int_equal(access(rig_path(&rig, "home/ran"), F_OK), -1);
	finish(&rig);
}

static void tells_a_user_of_his_own_files_only(void **state)
{
	const struct rig_answer *a;
	char origin[200];
	struct rig rig;

	(void)state;
	start(&rig, "");
	rig_write(&rig, "home/u0/.forward", SLICE("secret@far.example\n|secret\n"));
	a = ask(&rig, 1, 0, NULL, DRY_RUN_OWN, geteuid() + 1);
	assert_int_equal(a->outcome, JOB_DELIVERED);
	assert_string_equal(a->reason, "");
	assert_string_equal(a->leaves, "");
	assert_string_equal(rig.steps, "not shown: it is not yours\n");
	a = ask(&rig, 2, 0, NULL, DRY_RUN_OWN, geteuid());
	assert_int_equal(a->outcome, JOB_FORWARDED);
	(void)snprintf(origin, sizeof(origin), "%s", a->origin);
	a = ask(&rig, 3, LEAF_COMMAND, origin, DRY_RUN_OWN, geteuid() + 1);
	assert_string_equal(a->reason, "");
	assert_string_equal(rig.steps, "not shown: it is not yours\n");
	a = ask(&rig, 4, LEAF_COMMAND, origin, DRY_RUN_OWN, geteuid());
	assert_string_equal(a->reason, "secret");
	finish(&rig);
}

int main(int argc, char **argv)
{
	int role = rig_main(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_mailbox),
		cmocka_unit_test(tells_items_with_their_lines_and_runs_none),
		cmocka_unit_test(tells_a_user_of_his_own_files_only),
	};

	return role >= 0 ? role : cmocka_run_group_tests(tests, NULL, NULL);
}
