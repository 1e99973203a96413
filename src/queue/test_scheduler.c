/* SPDX-License-Identifier: Apache-2.0 */
/* test_scheduler.c - who goes first, who waits for whom: order and number of jobs, never how long they take
 */
#include "base/clock.h"
#include "queue/test_rig.h"
#include <sysexits.h>

#define LATER "retry_min = 1h\nhold_off_min = 1h\nhold_off_max = 1h\n" /* nothing is repeated by itself */

static void send_to(struct rig *rig, const char *to)
{
	(void)rig_send(rig, &(struct rig_mail){ .from = "a@far.example", .to = { to } });
}

static void send_numbered(struct rig *rig, size_t n, const char *domain)
{
	char to[64];

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(to, sizeof(to), "r%zu@%s", i, domain);
		send_to(rig, to);
	}
}

/* Ends jobs in the order in which they began until there is one for address; how many that took. */
static size_t ended_before(struct rig *rig, const char *address)
{
	size_t n = 0;

	while (!rig_job(rig, address, 0)) {
		rig_wait(rig, (n < rig->n_jobs && rig->jobs[n].content.len) || rig_job(rig, address, 0));
		if (!rig_job(rig, address, 0))
			rig_end(rig, &rig->jobs[n++]);
	}
	return n;
}

static void finish(struct rig *rig)
{
	rig->jobs_manual = false;
	for (size_t i = 0; i < rig->n_jobs; i++)
		if (!rig->jobs[i].is_ended)
			rig_end(rig, &rig->jobs[i]);
}

/* ---- fairness ---- */

static void bulk_for_a_host_lets_a_letter_pass(void **state)
{
	struct rig rig;
	struct rig_mail letter = { .from = "a@far.example", .to = { "letter@big.example" } };

	(void)state;
	rig_init(&rig,
		LATER "[smtp]\ninitial_concurrency = 1\ndestination_concurrency = 1\nmax_recipients = 1\n");
	rig_start(&rig);
	rig.jobs_manual = true;
	(void)rig_send_list(&rig, 1000, "big.example");
	rig_wait(&rig, rig.n_jobs == 1);
	(void)rig_accept(&rig, &letter);
	rig_pause(&rig, 50);
	assert_in_range(ended_before(&rig, "letter@big.example"), 1, 2);
	finish(&rig);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 2);
	rig_deinit(&rig);
}

static void bulk_for_users_lets_a_letter_pass(void **state)
{
	struct rig rig;
	struct rig_mail letter = { .from = "a@far.example", .to = { "letter@localhost" } };

	(void)state;
	rig_init(&rig, LATER "[local]\nmax_workers = 5\n");
	rig_start(&rig);
	rig.jobs_manual = true;
	(void)rig_send_list(&rig, 1000, "localhost");
	rig_wait(&rig, rig.n_jobs == 10);
	(void)rig_accept(&rig, &letter);
	rig_wait(&rig, rig_job(&rig, "letter@localhost.localdomain", 0)); /* none of the others has ended */
	assert_int_equal(rig.n_jobs, 11);
	finish(&rig);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 2);
	rig_deinit(&rig);
}

/* Two lists for one host: their deliveries alternate. Letters do not keep bulk from its share. */
static void messages_take_turns(void **state)
{
	struct rig rig;
	size_t n_first = 0;
	uint64_t first;

	(void)state;
	rig_init(&rig,
		LATER "bulk_recipients = 10\n[smtp]\ninitial_concurrency = 1\n"
		      "destination_concurrency = 1\nmax_recipients = 1\n");
	rig_start(&rig);
	rig.jobs_manual = true;
	first = rig_send_list(&rig, 100, "big.example");
	(void)rig_send_list(&rig, 100, "big.example");
	rig_wait(&rig, rig_logged(&rig, "(queue active)") == 2 && rig.n_questions == 200);
	rig_pause(&rig, 50);
	for (size_t i = 0; i < 40; i++) {
		rig_wait(&rig, rig.n_jobs > i && rig.jobs[i].content.len);
		n_first += rig.jobs[i].queue_id == first;
		rig_end(&rig, &rig.jobs[i]);
	}
	assert_in_range(n_first, 18, 24);
	send_numbered(&rig, 100, "big.example");
	rig_wait(&rig, rig_logged(&rig, "(queue active)") == 102 && rig.n_questions == 300);
	n_first = 0;
	for (size_t i = 40; i < 120; i++) {
		rig_wait(&rig, rig.n_jobs > i && rig.jobs[i].content.len);
		n_first += strcmp(rig.jobs[i].reverse_path, "list@far.example") == 0;
		rig_end(&rig, &rig.jobs[i]);
	}
	assert_in_range(n_first, 9, 13); /* each eighth, and the first */
	finish(&rig);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 102);
	rig_deinit(&rig);
}

static void questions_of_bulk_let_a_letter_pass(void **state)
{
	struct rig rig;
	struct rig_mail letter = { .from = "a@far.example", .to = { "letter@big.example" } };

	(void)state;
	rig_init(&rig, LATER "[smtp]\nmax_recipients = 8\n");
	rig_start(&rig);
	rig.routes_manual = true;
	(void)rig_send_list(&rig, 1000, "big.example");
	rig_wait(&rig, rig.n_questions == 200); /* of one message */
	rig_pause(&rig, 50);
	(void)rig_accept(&rig, &letter);
	rig_wait(&rig, rig_asked(&rig, "letter@big.example", 0));
	assert_int_equal(rig.n_questions, 201);
	rig.routes_manual = false;
	for (size_t i = 0; i < 201; i++)
		rig_answer(&rig, &rig.questions[i]);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 2);
	rig_deinit(&rig);
}

static void precedence_makes_bulk(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER "[smtp]\ninitial_concurrency = 1\ndestination_concurrency = 1\n");
	rig_start(&rig);
	rig.jobs_manual = true;
	send_to(&rig, "first@far.example");
	rig_wait(&rig, rig_job(&rig, "first@far.example", 0));
	(void)rig_accept(&rig,
		&(struct rig_mail){ .from = "a@far.example",
			.to = { "bulk@far.example" },
			.header = "Precedence: bulk\n" });
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "letter@far.example" } });
	rig_pause(&rig, 50);
	assert_int_equal(ended_before(&rig, "letter@far.example"), 1);
	assert_null(rig_job(&rig, "bulk@far.example", 0));
	finish(&rig);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 3);
	rig_deinit(&rig);
}

/* ---- dead destinations ---- */

static void fail_job(struct rig *rig, struct rig_job *j)
{
	for (uint32_t i = 0; i < j->n_known; i++)
		rig_say(rig, j, j->rcpts[i].address, JOB_UNREACHABLE, "4.4.1");
	rig_done(rig, j);
}

/* A thousand mails for a host that does not answer; the first one was the attempt. */
static void bring_dead(struct rig *rig, const char *settings)
{
	rig_init(rig, settings);
	rig_start(rig);
	rig->jobs_manual = true;
	send_to(rig, "first@dead.example");
	rig_wait(rig, rig_job(rig, "first@dead.example", 0));
	fail_job(rig, &rig->jobs[0]);
	rig_wait(rig, rig_logged(rig, "dead.example is held off: as the test says") == 1);
	send_numbered(rig, 1000, "dead.example");
	rig_wait(rig, rig_logged(rig, "(queue active)") == 1001 && rig->n_questions >= 1001);
	rig_pause(rig, 50);
}

static bool is_listed(struct rig *rig, const char *line)
{
	struct buf list = rig_list(rig);
	bool is_there = rig_contains(&list, line);

	buf_free(&list);
	return is_there;
}

/* They have the reason of the last probe, whenever they came. */
static void those_that_wait_have_one_reason(void **state)
{
	const struct rig_job *j;
	struct rig rig;
	uint64_t id;

	(void)state;
	bring_dead(&rig, LATER);
	id = rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "held@dead.example" } });
	rig_wait(&rig, is_listed(&rig, "held@dead.example 4.4.1 0 as the test says"));
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	rig_wait(&rig, rig.n_jobs == 2 && rig.jobs[1].content.len);
	j = &rig.jobs[1];
	SEND(rig.peers[j->to], JOB_RESULT, .job = j->job, .rcpt = j->rcpts[0].rcpt,
		.outcome = JOB_UNREACHABLE, .status = SLICE("4.4.3"), .reason = SLICE("another reason"),
		.remote = SLICE("mx.dead.example"));
	rig_done(&rig, &rig.jobs[1]);
	rig_wait(&rig, is_listed(&rig, "r999@dead.example 4.4.3 0 another reason"));
	assert_true(is_listed(&rig, "r998@dead.example 4.4.3 0 another reason"));
	/* Of one that is held nobody asks again: it keeps the reason, also after a crash. */
	assert_int_equal(rig_act(&rig, QUEUE_ACT_HOLD, id), EX_OK);
	rig_kill(&rig);
	rig_start(&rig);
	assert_true(is_listed(&rig, "held@dead.example 4.4.3 0 another reason"));
	rig_deinit(&rig);
}

static void a_dead_host_is_probed_once_for_all(void **state)
{
	struct rig rig;

	(void)state;
	bring_dead(&rig, LATER);
	assert_int_equal(rig.n_jobs, 1);
	assert_int_equal(rig_logged(&rig, "status=deferred"), 1);
	assert_true(is_listed(&rig, "r999@dead.example 4.4.1 0 as the test says"));
	/* A flush is a probe, and no question for each. */
	for (size_t i = 1; i <= 3; i++) {
		assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
		rig_wait(&rig, rig.n_jobs == 1 + i && rig.jobs[i].content.len);
		rig_pause(&rig, 50);
		assert_int_equal(rig.n_jobs, 1 + i);
		fail_job(&rig, &rig.jobs[i]);
		rig_wait(&rig, rig_logged(&rig, "status=deferred") == 1 + i);
	}
	assert_int_equal(rig.n_questions, 1001 + 3);
	/* Other mail goes. */
	send_to(&rig, "x@alive.example");
	rig_wait(&rig, rig_job(&rig, "x@alive.example", 0));
	rig_end(&rig, rig_job(&rig, "x@alive.example", 0));
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	/* The host is back: all follow the probe. */
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	rig_wait(&rig, rig.n_jobs == 6 && rig.jobs[5].content.len);
	finish(&rig);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1002);
	assert_int_equal(rig_logged(&rig, "dead.example answers again"), 1);
	assert_int_equal(rig.n_jobs, 6 + 1000); /* each of the others once */
	rig_deinit(&rig);
}

static void a_probe_comes_by_itself(void **state)
{
	struct rig rig;

	(void)state;
	bring_dead(&rig, "retry_min = 1h\nhold_off_min = 1s\nhold_off_max = 1s\n");
	rig_wait(&rig, rig.n_jobs == 2);
	rig_pause(&rig, 50);
	assert_int_equal(rig.n_jobs, 2);
	finish(&rig);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1001);
	rig_deinit(&rig);
}

/* What waits for a host can be flushed by itself, held, deleted, and outlives a restart. */
static void those_that_wait_are_ordinary_mail(void **state)
{
	struct rig rig;
	uint64_t held, deleted, named;

	(void)state;
	bring_dead(&rig, LATER);
	held = rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "held@dead.example" } });
	deleted = rig_accept(
		&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "gone@dead.example" } });
	named = rig_accept(
		&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "named@dead.example" } });
	rig_pause(&rig, 50);
	assert_int_equal(rig_act(&rig, QUEUE_ACT_HOLD, held), EX_OK);
	assert_int_equal(rig_act(&rig, QUEUE_ACT_DELETE, deleted), EX_OK);
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, named), EX_OK);
	rig_wait(&rig, rig.n_jobs == 2 && rig.jobs[1].content.len);
	assert_string_equal(rig.jobs[1].rcpts[0].address, "named@dead.example");
	finish(&rig);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1003); /* with the deleted one */
	assert_int_equal(rig_n_jobs(&rig, "held@dead.example"), 0);
	assert_int_equal(rig_n_jobs(&rig, "gone@dead.example"), 0);
	assert_int_equal(rig_act(&rig, QUEUE_ACT_RELEASE, held), EX_OK);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1004);
	rig_deinit(&rig);
}

/* A server that takes no more connections is alive. */
static void trouble_beside_success_holds_off_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER);
	rig_start(&rig);
	rig.jobs_manual = true;
	send_numbered(&rig, 3, "far.example");
	rig_wait(&rig, rig_job(&rig, "r2@far.example", 0));
	rig_end(&rig, &rig.jobs[0]);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	fail_job(&rig, &rig.jobs[1]);
	rig_wait(&rig, rig_logged(&rig, "status=deferred") == 1);
	assert_int_equal(rig_logged(&rig, "held off"), 0);
	finish(&rig);
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 3);
	rig_deinit(&rig);
}

/* ---- limits ---- */

static void limits_are_of_single_hops_and_reloaded(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER "[smtp]\ndestination_limits = slow.example=1 rare.example=1/1h\n");
	rig_start(&rig);
	rig.jobs_manual = true;
	send_numbered(&rig, 5, "slow.example");
	send_numbered(&rig, 5, "rare.example");
	send_numbered(&rig, 5, "far.example");
	rig_wait(&rig, rig.n_jobs == 1 + 1 + 5);
	rig_pause(&rig, 50);
	assert_int_equal(rig.n_jobs, 1 + 1 + 5);
	finish(&rig);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 5 + 1 + 5);
	rig_deinit(&rig);
}

/* ---- jobs ---- */

static void a_silent_job_is_given_up(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER "job_timeout = 1s\n");
	rig_start(&rig);
	rig.jobs_manual = true;
	send_to(&rig, "u1@localhost");
	rig_wait(&rig, rig_logged(&rig, "local said nothing of the delivery") == 1);
	rig_end(&rig, &rig.jobs[0]); /* too late */
	rig.jobs_manual = false;
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig.n_jobs, 2);
	assert_int_equal(rig.jobs[1].rcpts[0].flags, RCPT_RECONCILE);
	rig_deinit(&rig);
}

/* The last result is enough: whoever said it may die before it says done. */
static void the_last_result_ends_a_mail(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER);
	rig_start(&rig);
	rig.jobs_manual = true;
	send_to(&rig, "x@far.example");
	rig_wait(&rig, rig_job(&rig, "x@far.example", 0));
	rig_say(&rig, &rig.jobs[0], "x@far.example", JOB_RELAYED, "2.0.0");
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	rig_disconnect(&rig, ROLE_SMTP);
	rig_connect(&rig, ROLE_SMTP);
	rig_pause(&rig, 300); /* results are on disk within 200 ms */
	rig_kill(&rig);
	rig_start(&rig);
	rig_pause(&rig, 100);
	assert_int_equal(rig.n_jobs, 1);
	rig_deinit(&rig);
}

/* Many mailboxes: a turn does not look at each of them. */
static void many_lines_cost_no_more_than_few(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER "[local]\nmax_workers = 10000\n");
	rig_start(&rig);
	rig.jobs_manual = true;
	(void)rig_send_list(&rig, 4000, "localhost");
	rig_wait(&rig, rig.n_jobs == 2500); /* half of what local may have */
	finish(&rig);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig.n_jobs, 4000);
	rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bulk_for_a_host_lets_a_letter_pass),
		cmocka_unit_test(bulk_for_users_lets_a_letter_pass),
		cmocka_unit_test(messages_take_turns),
		cmocka_unit_test(questions_of_bulk_let_a_letter_pass),
		cmocka_unit_test(precedence_makes_bulk),
		cmocka_unit_test(a_dead_host_is_probed_once_for_all),
		cmocka_unit_test(those_that_wait_have_one_reason),
		cmocka_unit_test(a_probe_comes_by_itself),
		cmocka_unit_test(those_that_wait_are_ordinary_mail),
		cmocka_unit_test(trouble_beside_success_holds_off_nothing),
		cmocka_unit_test(limits_are_of_single_hops_and_reloaded),
		cmocka_unit_test(a_silent_job_is_given_up),
		cmocka_unit_test(the_last_result_ends_a_mail),
		cmocka_unit_test(many_lines_cost_no_more_than_few),
	};
	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
