/* SPDX-License-Identifier: Apache-2.0 */
/* test_reports.c - the queue role through its channels: who is told what of failures, delays and successes */
#include "queue/test_rig.h"
#include <sysexits.h>

#define LATER "retry_min = 1h\n" /* nothing is repeated by itself */
#define FAILS(address)                                                                                       \
	{                                                                                                    \
		address, JOB_FAILED, "5.1.1",                                                                \
		{                                                                                            \
			{                                                                                    \
				0                                                                            \
			}                                                                                    \
		}                                                                                            \
	}

enum { NEVER = 1, SUCCESS = 2, FAILURE = 4, DELAY = 8 };

/* The i-th mail for someone, with all its content. */
static const struct rig_job *wait_job(struct rig *rig, const char *address, size_t i)
{
	const struct rig_job *j;

	rig_wait(rig, rig_job(rig, address, i));
	j = rig_job(rig, address, i);
	rig_wait(rig, j->content.len == j->size);
	return j;
}

static void those_that_fail_together_are_told_together(void **state)
{
	static const struct rig_end ends[] = { FAILS("u1@here.example"), FAILS("x@far.example"), { 0 } };
	static const struct rig_route routes[] = {
		{ "u3@here.example",
			{ { LEAF_FAIL, 0, "u3@here.example", NULL, NULL, "5.1.1", "unknown user" } } },
		{ 0 },
	};
	struct rig rig;
	const struct rig_job *bounce;

	(void)state;
	rig_init(&rig, LATER);
	rig.ends = ends;
	rig.routes = routes;
	rig_start(&rig);
	rig.jobs_manual = true;
	(void)rig_accept(&rig,
		&(struct rig_mail){ .from = "a@sender.example", .to = { "u1", "u2", "x@far.example" } });
	rig_wait(&rig,
		rig_job(&rig, "u1@here.example", 0) && rig_job(&rig, "u2@here.example", 0) &&
			rig_job(&rig, "x@far.example", 0));
	rig_end(&rig, rig_job(&rig, "u1@here.example", 0));
	rig_end(&rig, rig_job(&rig, "u2@here.example", 0));
	rig.jobs_manual = false;
	rig_end(&rig, rig_job(&rig, "x@far.example", 0));
	bounce = wait_job(&rig, "a@sender.example", 0);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 2);
	assert_int_equal(rig_n_jobs(&rig, "a@sender.example"), 1);
	assert_string_equal(bounce->reverse_path, "");
	assert_true(rig_contains(&bounce->content, "u1@here.example"));
	assert_true(rig_contains(&bounce->content, "x@far.example"));
	assert_false(rig_contains(&bounce->content, "u2@here.example"));
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@sender.example", .to = { "u3" } });
	bounce = wait_job(&rig, "a@sender.example", 1);
	assert_true(rig_contains(&bounce->content, "unknown user"));
	rig_deinit(&rig);
}

/* Who sees the bounce find it after a crash too, and the failure is not forgotten before. */
static void a_failure_is_recorded_after_its_bounce(void **state)
{
	static const struct rig_end ends[] = { FAILS("u1@here.example"), { 0 } };
	struct rig rig;
	size_t before;

	(void)state;
	rig_init(&rig, LATER);
	rig.ends = ends;
	rig_start(&rig);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@sender.example", .to = { "u1" } });
	rig.routes_manual = true; /* the mail itself is routed before or after, the bounce never */
	rig_wait(&rig, rig.n_questions > 0);
	if (!rig.questions[0].is_answered)
		rig_answer(&rig, &rig.questions[0]);
	rig_wait(&rig, rig_asked(&rig, "a@sender.example", 0));
	rig_kill(&rig);
	before = rig_n_asked(&rig, "a@sender.example");
	rig_start(&rig);
	rig_wait(&rig, rig_n_asked(&rig, "a@sender.example") > before);
	rig_deinit(&rig);
}

#define PLAIN "u1@here.example"
#define REMOTE "u1@far.example"
#define ALIAS_OF_TWO "two@here.example"
#define ALIAS_OF_ONE "one@here.example" /* elsewhere */
#define LIST "list@here.example"	/* with an owner */

static void reports_are_sent_as_asked_for(void **state)
{
	static const struct {
		const char *to;
		uint8_t notify, outcome;   /* of u1, wherever it is; all others are delivered */
		const char *told, *told_2; /* the sender; NULL: nothing more */
		const char *owner;	   /* is told */
	} rows[] = {
		{ PLAIN, 0, JOB_FAILED, "Action: failed", NULL, NULL },
		{ REMOTE, FAILURE, JOB_FAILED, "Action: failed", NULL, NULL },
		{ PLAIN, NEVER, JOB_FAILED, NULL, NULL, NULL },
		{ PLAIN, SUCCESS, JOB_FAILED, NULL, NULL, NULL },
		{ REMOTE, DELAY, JOB_FAILED, NULL, NULL, NULL },
		{ PLAIN, 0, JOB_DELIVERED, NULL, NULL, NULL },
		{ PLAIN, NEVER, JOB_DELIVERED, NULL, NULL, NULL },
		{ PLAIN, FAILURE, JOB_DELIVERED, NULL, NULL, NULL },
		{ PLAIN, SUCCESS, JOB_DELIVERED, "Action: delivered", NULL, NULL },
		{ REMOTE, SUCCESS, JOB_RELAYED, "Action: relayed", NULL, NULL },
		{ REMOTE, SUCCESS, JOB_RELAYED_DSN, NULL, NULL, NULL },
		/* one other address: everything goes on with it */
		{ ALIAS_OF_ONE, SUCCESS, JOB_RELAYED, "Action: relayed", NULL, NULL },
		{ ALIAS_OF_ONE, SUCCESS, JOB_RELAYED_DSN, NULL, NULL, NULL },
		{ ALIAS_OF_ONE, 0, JOB_FAILED, "Action: failed", NULL, NULL },
		/* several: success ends here */
		{ ALIAS_OF_TWO, 0, JOB_DELIVERED, NULL, NULL, NULL },
		{ ALIAS_OF_TWO, SUCCESS, JOB_DELIVERED, "Action: expanded", NULL, NULL },
		{ ALIAS_OF_TWO, SUCCESS, JOB_FAILED, "Action: expanded", NULL, NULL },
		{ ALIAS_OF_TWO, SUCCESS | FAILURE, JOB_FAILED, "Action: expanded", "Action: failed", NULL },
		{ ALIAS_OF_TWO, FAILURE, JOB_FAILED, "Action: failed", NULL, NULL },
		{ ALIAS_OF_TWO, NEVER, JOB_FAILED, NULL, NULL, NULL },
		/* a list: it has the mail, the rest is its owner's */
		{ LIST, SUCCESS | FAILURE, JOB_FAILED, "Action: delivered", NULL, "Action: failed" },
		{ LIST, NEVER, JOB_FAILED, NULL, NULL, "Action: failed" },
		{ LIST, SUCCESS, JOB_DELIVERED, "Action: delivered", NULL, NULL },
	};
	static const struct rig_route routes[] = {
		{ ALIAS_OF_TWO,
			{ { LEAF_USER, 0, PLAIN, "u1", NULL, NULL, NULL },
				{ LEAF_USER, 0, "u2@here.example", "u2", NULL, NULL, NULL } } },
		{ ALIAS_OF_ONE, { { LEAF_REMOTE, 0, REMOTE, "far.example", NULL, NULL, NULL } } },
		{ LIST,
			{ { LEAF_USER, 0, PLAIN, "u1", "owner-list@here.example", NULL, NULL },
				{ LEAF_USER, 0, "u2@here.example", "u2", "owner-list@here.example", NULL,
					NULL } } },
		{ 0 },
	};
	struct rig rig;
	size_t n_removed = 0, n_told = 0, n_owner = 0;

	(void)state;
	rig_init(&rig, LATER);
	rig.routes = routes;
	rig_start(&rig);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *status = rows[i].outcome == JOB_FAILED ? "5.1.1" : "2.0.0";
		const struct rig_end ends[] = {
			{ PLAIN, rows[i].outcome, status, { { 0 } } },
			{ REMOTE, rows[i].outcome, status, { { 0 } } },
			{ 0 },
		};
		const char *told[] = { rows[i].told, rows[i].told_2 };
		rig.ends = ends;
		(void)rig_accept(&rig,
			&(struct rig_mail){
				.from = "a@sender.example", .to = { rows[i].to }, .notify = rows[i].notify });
		n_removed += 1 + !!rows[i].told + !!rows[i].told_2 + !!rows[i].owner;
		rig_wait(&rig, rig_logged(&rig, ": removed") == n_removed);
		rig_pause(&rig, 50);
		for (size_t k = 0; k < ARRAY_LEN(told) && told[k]; k++)
			if (!rig_contains(&wait_job(&rig, "a@sender.example", n_told++)->content, told[k]))
				fail_msg("row %zu: no %s", i, told[k]);
		if (rows[i].owner)
			assert_true(
				rig_contains(&wait_job(&rig, "owner-list@here.example", n_owner++)->content,
					rows[i].owner));
		if (rig_n_jobs(&rig, "a@sender.example") != n_told)
			fail_msg("row %zu: %zu reports", i, rig_n_jobs(&rig, "a@sender.example"));
		assert_int_equal(rig_n_jobs(&rig, "owner-list@here.example"), n_owner);
	}
	rig_deinit(&rig);
}

/* What succeeds together is told together, and is on disk before the success is: a crash at worst repeats. */
static void successes_are_told_together(void **state)
{
	struct rig rig;
	const struct rig_job *report;

	(void)state;
	rig_init(&rig, LATER);
	rig_start(&rig);
	rig.jobs_manual = true;
	(void)rig_accept(&rig,
		&(struct rig_mail){ .from = "a@sender.example",
			.to = { "x@far.example", "y@far.example" },
			.notify = SUCCESS });
	rig_wait(&rig, rig_job(&rig, "y@far.example", 0));
	rig_say(&rig, rig_job(&rig, "x@far.example", 0), "x@far.example", JOB_RELAYED, "2.0.0");
	rig_say(&rig, rig_job(&rig, "y@far.example", 0), "y@far.example", JOB_RELAYED, "2.0.0");
	rig_done(&rig, rig_job(&rig, "y@far.example", 0));
	report = wait_job(&rig, "a@sender.example", 0);
	assert_true(rig_contains(&report->content, "Final-Recipient: rfc822; x@far.example\n"));
	assert_true(rig_contains(&report->content, "Final-Recipient: rfc822; y@far.example\n"));
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	rig_kill(&rig);
	rig_start(&rig); /* the report again, which had no result yet; the mail itself never */
	rig_wait(&rig, rig_n_jobs(&rig, "a@sender.example") == 2);
	assert_int_equal(rig_n_jobs(&rig, "x@far.example"), 1);
	rig_deinit(&rig);
}

static void a_bounce_that_fails_goes_to_postmaster_and_ends_there(void **state)
{
	static const struct rig_end ends[] = { FAILS("u1@here.example"), FAILS("a@sender.example"),
		FAILS("postmaster@here.example"), { 0 } };
	static const struct rig_end no_postmaster[] = { FAILS("u1@here.example"), FAILS("a@sender.example"),
		{ 0 } };
	struct rig rig;
	const struct rig_job *copy;

	(void)state;
	rig_init(&rig, LATER);
	rig.ends = no_postmaster;
	rig_start(&rig);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@sender.example", .to = { "u1" } });
	copy = wait_job(&rig, "postmaster@here.example", 0);
	assert_true(rig_contains(&copy->content, "Subject: Postmaster Copy: Undelivered Mail\n"));
	rig_wait(&rig, rig_logged(&rig, ": removed") == 3);
	rig.ends = ends;
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@sender.example", .to = { "u1" } });
	rig_wait(&rig, rig_logged(&rig, ": removed") == 6);
	assert_int_equal(rig_logged(&rig, "queue.double_bounce_to cannot be reached; nobody is told"), 1);
	assert_int_equal(rig_n_jobs(&rig, "postmaster@here.example"), 2);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "", .to = { "u1" } }); /* the null reverse-path */
	rig_wait(&rig, rig_logged(&rig, ": removed") == 8);
	assert_int_equal(rig_n_jobs(&rig, "postmaster@here.example"), 3);
	assert_int_equal(rig_n_jobs(&rig, "a@sender.example"), 2);
	rig_deinit(&rig);
}

static void double_bounces_go_where_the_administrator_says(void **state)
{
	static const struct rig_end ends[] = { FAILS("u1@here.example"), { 0 } };
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER "double_bounce_to = hostmaster@far.example\n");
	rig.ends = ends;
	rig_start(&rig);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "", .to = { "u1" } });
	assert_true(rig_contains(&wait_job(&rig, "hostmaster@far.example", 0)->content, "Hello.\n"));
	rig_wait(&rig, rig_logged(&rig, ": removed") == 2);
	rig_reload(&rig, LATER "double_bounce_to =\n");
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "", .to = { "u1" } });
	rig_wait(&rig, rig_logged(&rig, "queue.double_bounce_to is empty") == 1);
	rig_reload(&rig, LATER "double_bounce_to = no address\n");
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "", .to = { "u1" } });
	rig_wait(&rig, rig_logged(&rig, "queue.double_bounce_to is not a valid address") == 1);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 4);
	rig_deinit(&rig);
}

static void owners_are_told_of_their_lists(void **state)
{
	static const struct rig_route routes[] = {
		{ "list@here.example",
			{ { LEAF_USER, 0, "u1@here.example", "u1", "owner-list@here.example", NULL, NULL },
				{ LEAF_USER, 0, "u2@here.example", "u2", "owner-list@here.example", NULL,
					NULL } } },
		{ 0 },
	};
	static const struct rig_end ends[] = { FAILS("u1@here.example"), FAILS("u2@here.example"),
		FAILS("u3@here.example"), { 0 } };
	struct rig rig;
	const struct rig_job *bounce;

	(void)state;
	rig_init(&rig, LATER);
	rig.routes = routes;
	rig.ends = ends;
	rig_start(&rig);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@sender.example", .to = { "list", "u3" } });
	bounce = wait_job(&rig, "owner-list@here.example", 0);
	assert_true(rig_contains(&bounce->content, "u1@here.example"));
	assert_true(rig_contains(&bounce->content, "u2@here.example"));
	assert_false(rig_contains(&bounce->content, "u3@here.example"));
	bounce = wait_job(&rig, "a@sender.example", 0);
	assert_true(rig_contains(&bounce->content, "u3@here.example"));
	assert_false(rig_contains(&bounce->content, "u1@here.example"));
	rig_wait(&rig, rig_logged(&rig, ": removed") == 3);
	assert_string_equal(rig_job(&rig, "u1@here.example", 0)->reverse_path, "owner-list@here.example");
	assert_string_equal(rig_job(&rig, "u3@here.example", 0)->reverse_path, "a@sender.example");
	assert_int_equal(rig_n_jobs(&rig, "owner-list@here.example"), 1);
	assert_int_equal(rig_n_jobs(&rig, "a@sender.example"), 1);
	rig_deinit(&rig);
}

static void old_mail_comes_back_after_enough_attempts(void **state)
{
	static const struct {
		uint64_t age_s;
		uint32_t attempts; /* before */
		enum job_outcome outcome;
		const char *expires; /* with that status */
		const char *settings;
	} rows[] = {
		/* Only the wall clock knows its age: it is tried some more. */
		{ 100, 2, JOB_DEFERRED, "5.4.7",
			"retry_min = 1s\nretry_max = 1s\nlifetime = 60s\ndelay_warning = 0\n" },
		{ 100, 2, JOB_MISCONFIGURED, "5.3.5",
			"retry_min = 1s\nretry_max = 1s\nmisconfigured_lifetime = 60s\n" },
		{ 100, 2, JOB_MISCONFIGURED, "5.3.5", "retry_min = 1s\nretry_max = 1s\nlifetime = 60s\n" },
		{ 100, 5, JOB_DEFERRED, NULL, LATER "misconfigured_lifetime = 60s\ndelay_warning = 0\n" },
		{ 30, 5, JOB_MISCONFIGURED, NULL, LATER "misconfigured_lifetime = 60s\ndelay_warning = 0\n" },
		{ 100, 5, JOB_DEFERRED, NULL, LATER "lifetime = 60s\ndelay_warning = 0\n" },
		{ 30, 5, JOB_DEFERRED, NULL, LATER "lifetime = 60s\ndelay_warning = 0\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct rig_end ends[] = {
			{ "u1@here.example", (uint8_t)rows[i].outcome, "4.2.1", { { 0 } } }, { 0 }
		};
		struct rig rig;
		rig_init(&rig, rows[i].settings);
		rig.ends = ends;
		(void)rig_seed(&rig, rows[i].age_s, rows[i].attempts, "a@sender.example", "u1@here.example");
		rig_start(&rig);
		rig_wait(&rig, rig_logged(&rig, "status=deferred") == 1);
		if (rows[i].expires) {
			const struct buf *bounce = &wait_job(&rig, "a@sender.example", 0)->content;
			assert_true(rig_contains(bounce, "gave up after"));
			assert_true(rig_contains(bounce, rows[i].expires));
			assert_in_range(rig_n_jobs(&rig, "u1@here.example"), 2, 5);
			rig_wait(&rig, rig_logged(&rig, ": removed") == 2);
		} else {
			rig_pause(&rig, 100);
			assert_int_equal(rig_logged(&rig, "status=expired"), 0);
		}
		rig_deinit(&rig);
	}
}

static void a_delay_is_told_once(void **state)
{
	static const struct rig_end ends[] = { { "u1@here.example", JOB_DEFERRED, "4.2.1", { { 0 } } },
		{ 0 } };
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER "delay_warning = 10s\n");
	rig.ends = ends;
	(void)rig_seed(&rig, 100, 0, "a@sender.example", "u1@here.example");
	rig_start(&rig);
	assert_true(rig_contains(&wait_job(&rig, "a@sender.example", 0)->content, "Action: delayed"));
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	rig_wait(&rig, rig_logged(&rig, "status=deferred") == 2);
	rig_pause(&rig, 400);
	assert_int_equal(rig_stop(&rig), 0);
	rig_start(&rig);
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	rig_wait(&rig, rig_logged(&rig, "status=deferred") == 3);
	rig_pause(&rig, 100);
	assert_int_equal(rig_n_jobs(&rig, "a@sender.example"), 1);
	rig_deinit(&rig);
}

/* Several recipients that wait: one warning, of those that may be warned of. */
static void delays_are_told_together(void **state)
{
	static const struct rig_end ends[] = { { "u1@here.example", JOB_DEFERRED, "4.2.1", { { 0 } } },
		{ "x@far.example", JOB_DEFERRED, "4.4.1", { { 0 } } }, { 0 } };
	struct rig rig;
	const struct rig_job *warning;

	(void)state;
	rig_init(&rig, LATER "delay_warning = 1s\n");
	rig.ends = ends;
	rig_start(&rig);
	(void)rig_accept(&rig,
		&(struct rig_mail){
			.from = "a@sender.example", .to = { "u1", "x@far.example" }, .notify = DELAY });
	(void)rig_accept(
		&rig, &(struct rig_mail){ .from = "b@sender.example", .to = { "u1" }, .notify = FAILURE });
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "", .to = { "u1" } });
	rig_wait(&rig, rig_logged(&rig, "status=deferred") == 4);
	rig_pause(&rig, 2100); /* old enough now: ages count in whole seconds */
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	warning = wait_job(&rig, "a@sender.example", 0);
	assert_true(rig_contains(&warning->content, "Final-Recipient: rfc822; u1@here.example\n"));
	assert_true(rig_contains(&warning->content, "Final-Recipient: rfc822; x@far.example\n"));
	assert_true(rig_contains(&warning->content, "Will-Retry-Until: "));
	rig_wait(&rig, rig_logged(&rig, "status=deferred") == 8);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig_n_jobs(&rig, "a@sender.example"), 1);
	assert_int_equal(rig_n_jobs(&rig, "b@sender.example"), 0);
	assert_int_equal(rig_n_jobs(&rig, "postmaster@here.example"), 0);
	rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_that_fail_together_are_told_together),
		cmocka_unit_test(a_failure_is_recorded_after_its_bounce),
		cmocka_unit_test(reports_are_sent_as_asked_for),
		cmocka_unit_test(a_bounce_that_fails_goes_to_postmaster_and_ends_there),
		cmocka_unit_test(successes_are_told_together),
		cmocka_unit_test(double_bounces_go_where_the_administrator_says),
		cmocka_unit_test(owners_are_told_of_their_lists),
		cmocka_unit_test(old_mail_comes_back_after_enough_attempts),
		cmocka_unit_test(a_delay_is_told_once),
		cmocka_unit_test(delays_are_told_together),
	};
	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
