/* SPDX-License-Identifier: Apache-2.0 */
/* test_life.c - whose turn it is: messages at rest, the limit of those that are worked on, restarts between
 */
#include "queue/test_rig.h"
#include <sysexits.h>

#define LATER "retry_min = 1h\n" /* nothing is repeated by itself */

static const struct rig_end later[] = { { "old1@far.example", JOB_DEFERRED, "4.2.1", { { 0 } } },
	{ "old2@far.example", JOB_DEFERRED, "4.2.1", { { 0 } } },
	{ "old3@far.example", JOB_DEFERRED, "4.2.1", { { 0 } } }, { 0 } };

static void accept_each(struct rig *rig, const char *const *to)
{
	for (; *to; to++)
		(void)rig_accept(rig, &(struct rig_mail){ .from = "a@far.example", .to = { *to } });
}

/* One that is in a job takes the only place. */
static struct rig_job *occupy(struct rig *rig, const char *to)
{
	rig->jobs_manual = true;
	(void)rig_accept(rig, &(struct rig_mail){ .from = "a@far.example", .to = { to } });
	rig_wait(rig, rig_job(rig, to, 0));
	return rig_job(rig, to, 0);
}

static void no_more_than_the_limit_is_worked_on(void **state)
{
	static const char *const others[] = { "b@far.example", "c@far.example", "d@far.example", NULL };
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER "max_active = 2\n");
	rig_start(&rig);
	(void)occupy(&rig, "a@far.example");
	accept_each(&rig, others);
	rig_wait(&rig, rig_job(&rig, "b@far.example", 0));
	rig_pause(&rig, 100);
	assert_int_equal(rig.n_questions, 2); /* not even asked where they go */
	rig_end(&rig, rig_job(&rig, "b@far.example", 0));
	rig_wait(&rig, rig_job(&rig, "c@far.example", 0));
	rig_pause(&rig, 100);
	assert_int_equal(rig.n_questions, 3);
	rig_reload(&rig, LATER "max_active = 3\n");
	rig_wait(&rig, rig_job(&rig, "d@far.example", 0));
	for (size_t i = 0; i < rig.n_jobs; i++)
		if (!rig.jobs[i].is_ended)
			rig_end(&rig, &rig.jobs[i]);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 4);
	rig_deinit(&rig);
}

static void new_mail_and_retries_take_turns(void **state)
{
	static const char *const tried[] = { "old1@far.example", "old2@far.example", "old3@far.example",
		NULL };
	static const char *const fresh[] = { "new1@far.example", "new2@far.example", "new3@far.example",
		NULL };
	struct rig_job *first;
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER "max_active = 1\n");
	rig.ends = later;
	rig_start(&rig);
	accept_each(&rig, tried);
	rig_wait(&rig, rig_logged(&rig, "status=deferred") == 3);
	rig.ends = NULL;
	first = occupy(&rig, "first@far.example");
	accept_each(&rig, fresh);
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	rig.jobs_manual = false;
	rig_end(&rig, first);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 7);
	assert_int_equal(rig.n_jobs, 3 + 1 + 6);
	for (size_t i = 0; i < 6; i++) { /* whoever begins, each second one is new, and each kind in order */
		const char *to = rig.jobs[4 + i].rcpts[0].address, *before = rig.jobs[3 + i].rcpts[0].address;
		assert_int_equal(to[3], '1' + (char)(i / 2));
		if (i)
			assert_int_not_equal(to[0], before[0]);
	}
	rig_deinit(&rig);
}

/* Recipients at rest keep all they know; the one that was delivered is not tried again. */
static void what_rests_is_listed_kept_and_delivered(void **state)
{
	static const struct rig_end ends[] = { { "old1@far.example", JOB_DEFERRED, "4.2.1", { { 0 } } },
		{ "gone@far.example", JOB_DELIVERED, "2.0.0", { { 0 } } }, { 0 } };
	struct buf list;
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER);
	rig.ends = ends;
	rig_start(&rig);
	(void)rig_accept(&rig,
		&(struct rig_mail){
			.from = "sender@far.example", .to = { "old1@far.example", "gone@far.example" } });
	rig_wait(&rig, rig_logged(&rig, "status=deferred") == 1);
	rig_wait(&rig, rig_logged(&rig, "status=sent") == 1);
	for (unsigned round = 0; round < 2; round++) {
		list = rig_list(&rig);
		assert_true(rig_contains(&list, "sender@far.example  \nold1@far.example 4.2.1 1 "));
		assert_false(rig_contains(&list, "gone@far.example"));
		buf_free(&list);
		if (round == 0) {
			assert_int_equal(rig_stop(&rig), 0);
			rig_start(&rig);
		}
	}
	rig.ends = NULL;
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig_n_jobs(&rig, "old1@far.example"), 2);
	assert_int_equal(rig_n_jobs(&rig, "gone@far.example"), 1);
	rig_deinit(&rig);
}

/* A recipient rests; then another of the same mail turns out, by its list, to mean a mailbox that had it. */
static void a_mailbox_served_before_the_rest_is_not_served_again(void **state)
{
	static const struct rig_route routes[] = {
		{ "list@localhost.localdomain",
			{ { LEAF_DEFER, 0, "list@localhost.localdomain", NULL, NULL, "4.3.0", "later" } } },
		{ 0 },
	};
	static const struct rig_route routes_then[] = {
		{ "list@localhost.localdomain",
			{ { LEAF_USER, 0, "u1@localhost.localdomain", "u1", NULL, NULL, NULL },
				{ LEAF_USER, 0, "u2@localhost.localdomain", "u2", NULL, NULL, NULL } } },
		{ 0 },
	};
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER);
	rig.routes = routes;
	rig_start(&rig);
	(void)rig_accept(&rig,
		&(struct rig_mail){ .from = "a@far.example", .to = { "u1@localhost", "list@localhost" } });
	rig_wait(&rig, rig_logged(&rig, "status=deferred") == 1);
	rig_wait(&rig, rig_logged(&rig, "status=sent") == 1);
	rig.routes = routes_then;
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig_logged(&rig, "status=sent"), 2); /* u1 once, u2 once */
	assert_int_equal(rig_n_jobs(&rig, "u1@localhost.localdomain"), 1);
	rig_deinit(&rig);
}

/* Anybody may ask for attempts, as often as he likes. */
static void attempts_asked_for_put_nothing_off(void **state)
{
	struct rig rig;
	size_t n = 1;

	(void)state;
	rig_init(&rig, "retry_min = 1s\nretry_max = 1h\n");
	rig.ends = later;
	rig_start(&rig);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "old1@far.example" } });
	for (; n < 8; n++) {
		rig_wait(&rig, rig_logged(&rig, "status=deferred") >= n);
		assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	}
	/* Doubled eight times it would be minutes; the patience of rig_wait is shorter. */
	rig_wait(&rig, rig_logged(&rig, "status=deferred") >= n + 1);
	rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_than_the_limit_is_worked_on),
		cmocka_unit_test(new_mail_and_retries_take_turns),
		cmocka_unit_test(what_rests_is_listed_kept_and_delivered),
		cmocka_unit_test(a_mailbox_served_before_the_rest_is_not_served_again),
		cmocka_unit_test(attempts_asked_for_put_nothing_off),
	};
	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
