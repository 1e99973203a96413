/* SPDX-License-Identifier: Apache-2.0 */
/* test_role.c - the queue role through its channels: intake, routing, jobs, acts on mail, deaths and restarts
 */
#include "queue/test_rig.h"
#include <sysexits.h>

#define LATER "retry_min = 1h\n" /* nothing is repeated by itself */

static const struct rig_mail to_user = { .from = "a@far.example", .to = { "u1@localhost" } };

/* ---- intake ---- */

static void is_accepted_when_it_is_on_disk(void **state)
{
	struct rig rig;
	size_t n_asked;

	(void)state;
	rig_init(&rig, LATER);
	rig_start(&rig);
	rig.routes_manual = true;
	(void)rig_accept(&rig, &to_user);
	rig_kill(&rig);
	n_asked = rig_n_asked(&rig, "u1@localhost.localdomain"); /* before it died, or not */
	rig_start(&rig);
	rig_wait(&rig, rig_n_asked(&rig, "u1@localhost.localdomain") > n_asked);
	rig_deinit(&rig);
}

static void an_id_makes_one_mail(void **state)
{
	struct rig rig;
	struct rig_mail again = to_user;

	(void)state;
	rig_init(&rig, LATER);
	rig_start(&rig);
	again.queue_id = rig_accept(&rig, &to_user);
	(void)rig_send(&rig, &again);
	rig_wait(&rig, rig.n_results == 2);
	again.queue_id = rig.id_end; /* not leased yet */
	(void)rig_send(&rig, &again);
	rig_wait(&rig, rig.n_results == 3);
	assert_int_equal(rig_code(&rig, 1), 451);
	assert_int_equal(rig_code(&rig, 2), 451);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig.n_jobs, 1);
	rig_deinit(&rig);
}

static void bad_mail_is_refused(void **state)
{
	static const struct {
		struct rig_mail mail;
		uint16_t code;
	} rows[] = {
		{ { .from = "a@b@c", .to = { "u1" } }, 501 },
		{ { .from = "a@far.example", .to = { "u1@" } }, 501 },
		{ { .from = "a@far.example" }, 554 },
		{ { .from = "a@far.example", .to = { "u1" }, .size = 400 << 10 }, 552 },
		{ { .from = "", .to = { "u1" } }, 250 },
	};
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER "[message]\nmax_size = 64k\n");
	rig_start(&rig);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)rig_send(&rig, &rows[i].mail);
		rig_wait(&rig, rig.n_results == i + 1);
		assert_int_equal(rig_code(&rig, i), rows[i].code);
	}
	rig_deinit(&rig);
}

static void stops_with_commits_under_way(void **state)
{
	struct rig rig;
	size_t n_promised = 0;

	(void)state;
	rig_init(&rig, LATER "paused = yes\n");
	rig_start(&rig);
	(void)rig_accept(&rig, &to_user);
	for (size_t i = 0; i < 50; i++)
		(void)rig_send(&rig, &to_user);
	assert_int_equal(rig_stop(&rig), 0);
	for (size_t i = 0; i < rig.n_results; i++)
		n_promised += rig_code(&rig, i) == 250;
	(void)snprintf(rig.settings, sizeof(rig.settings), LATER);
	rig_start(&rig);
	rig_wait(&rig, rig_logged(&rig, ": removed") >= n_promised);
	rig_deinit(&rig);
}

/* ---- routing ---- */

/* Commands of this host's users may know who handed their mail in; another host is told nothing more. */
static void only_local_learns_of_the_client(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, "");
	rig_start(&rig);
	(void)rig_accept(&rig,
		&(struct rig_mail){
			.from = "a@sender.example", .to = { "u1@here.example", "b@far.example" } });
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_string_equal(
		rig_job(&rig, "u1@here.example", 0)->client, "192.0.2.1 name.example helo.example ESMTP ann");
	assert_string_equal(rig_job(&rig, "b@far.example", 0)->client, "    ");
	rig_deinit(&rig);
}

static void an_alias_goes_out_with_its_target(void **state)
{
	static const struct rig_route routes[] = {
		{ "list@here.example",
			{ { LEAF_REMOTE, 0, "far@far.example", "far.example", NULL, NULL, NULL } } },
		{ 0 },
	};
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER);
	rig.routes = routes;
	rig_start(&rig);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "list" } });
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig.n_jobs, 1);
	assert_int_equal(rig.jobs[0].to, ROLE_SMTP);
	assert_string_equal(rig.jobs[0].destination, "far.example");
	assert_string_equal(rig.jobs[0].rcpts[0].address, "far@far.example");
	rig_deinit(&rig);
}

/* What a list cannot tell now waits by itself; its members have the mail and do not get it again. */
static void a_list_with_a_verdict_repeats_nothing(void **state)
{
	static const struct rig_route routes[] = {
		{ "list@here.example",
			{ { LEAF_USER, 0, "u1@here.example", "u1", NULL, NULL, NULL },
				{ LEAF_DEFER, 0, "list@here.example", NULL, NULL, "4.3.5",
					"no such include" } } },
		{ 0 },
	};
	struct rig rig;
	struct buf listed;

	(void)state;
	rig_init(&rig, LATER);
	rig.routes = routes;
	rig_start(&rig);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "list" } });
	for (size_t i = 1; i <= 3; i++) {
		rig_wait(&rig, rig_logged(&rig, "status=deferred (no such include)") == i);
		if (i == 2) { /* and not after a restart either */
			rig_wait(&rig, rig_logged(&rig, "status=sent") == 1);
			rig_pause(&rig, 400);
			rig_kill(&rig);
			rig_start(&rig);
		}
		assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	}
	rig_wait(&rig, rig_logged(&rig, "status=deferred (no such include)") == 4);
	assert_int_equal(rig_n_jobs(&rig, "u1@here.example"), 1);
	listed = rig_list(&rig);
	assert_true(rig_contains(&listed, "list@here.example 4.3.5 4 no such include"));
	assert_false(rig_contains(&listed, "u1"));
	buf_free(&listed);
	rig_deinit(&rig);
}

static void duplicates_are_delivered_once(void **state)
{
	static const struct rig_route routes[] = {
		{ "list@here.example",
			{ { LEAF_USER, 0, "u1@here.example", "u1", NULL, NULL, NULL },
				{ LEAF_USER, 0, "u2@here.example", "u2", NULL, NULL, NULL },
				{ LEAF_USER, 0, "U1@localhost", "u1", NULL, NULL, NULL } } },
		{ 0 },
	};
	struct rig rig;
	size_t n_rcpts = 0;

	(void)state;
	rig_init(&rig, LATER);
	rig.routes = routes;
	rig_start(&rig);
	(void)rig_accept(&rig,
		&(struct rig_mail){
			.from = "a@far.example", .to = { "list", "u2", "u1@localhost", "far@far.example" } });
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	for (size_t i = 0; i < rig.n_jobs; i++)
		n_rcpts += rig.jobs[i].n_rcpts;
	assert_int_equal(n_rcpts, 3); /* u1, u2 and far */
	rig_deinit(&rig);
}

/* Both are addressed, and each forwards to the other. */
static void mutual_forwards_lose_nothing(void **state)
{
	static const struct rig_end ends[] = {
		{ "u1@here.example", JOB_FORWARDED, "2.0.0", { { LEAF_ADDRESS, 0, "u2@here.example" } } },
		{ "u2@here.example", JOB_FORWARDED, "2.0.0", { { LEAF_ADDRESS, 0, "u1@here.example" } } },
		{ 0 },
	};
	static const struct rig_mail mails[] = {
		{ .from = "a@far.example", .to = { "u1@here.example", "u2@here.example" } },
		{ .from = "a@far.example", .to = { "u1@here.example" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mails); i++) {
		struct rig rig;
		size_t n_final = 0;
		rig_init(&rig, LATER);
		rig.ends = ends;
		rig_start(&rig);
		(void)rig_accept(&rig, &mails[i]);
		rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
		for (size_t j = 0; j < rig.n_jobs; j++)
			for (size_t k = 0; k < rig.jobs[j].n_rcpts; k++)
				n_final += (rig.jobs[j].rcpts[k].flags & RCPT_NO_FORWARD) != 0;
		assert_in_range(n_final, 1, 2);
		assert_int_equal(rig_logged(&rig, "status=deferred"), 0);
		rig_deinit(&rig);
	}
}

static void questions_of_a_dead_lookup_are_asked_again(void **state)
{
	struct rig rig;
	static const struct rig_mail mail = { .from = "a@far.example",
		.to = { "u1", "u2", "x@far.example" } };

	(void)state;
	rig_init(&rig, LATER);
	rig_start(&rig);
	rig.routes_manual = true;
	(void)rig_accept(&rig, &mail);
	rig_wait(&rig, rig.n_questions == 3);
	rig_answer(&rig, rig_asked(&rig, "u1@here.example", 0));
	rig_pause(&rig, 50);
	rig_disconnect(&rig, ROLE_LOOKUP);
	rig.routes_manual = false;
	rig_connect(&rig, ROLE_LOOKUP);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig_n_asked(&rig, "u1@here.example"), 1);
	assert_int_equal(rig_n_asked(&rig, "u2@here.example"), 2);
	assert_int_equal(rig_logged(&rig, "status=sent"), 3);
	rig_deinit(&rig);
}

/* ---- jobs ---- */

static void jobs_of_a_dead_local_are_given_again(void **state)
{
	static const struct rig_mail mail = { .from = "a@far.example", .to = { "u1", "u2" } };
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER);
	rig_start(&rig);
	rig.jobs_manual = true;
	(void)rig_accept(&rig, &mail);
	rig_wait(&rig, rig_job(&rig, "u1@here.example", 0) && rig_job(&rig, "u2@here.example", 0));
	assert_int_equal(rig_job(&rig, "u2@here.example", 0)->rcpts[0].flags, 0);
	rig_say(&rig, rig_job(&rig, "u1@here.example", 0), "u1@here.example", JOB_DELIVERED, "2.0.0");
	rig_wait(&rig, rig_logged(&rig, "status=sent") == 1);
	rig_disconnect(&rig, ROLE_LOCAL);
	rig.jobs_manual = false;
	rig_connect(&rig, ROLE_LOCAL);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig.n_jobs, 3);
	assert_string_equal(rig.jobs[2].rcpts[0].address, "u2@here.example");
	assert_int_equal(rig.jobs[2].rcpts[0].flags, RCPT_RECONCILE);
	rig_deinit(&rig);
}

/* A recipient deferred in one job and tried in another is the second one's alone. */
static void only_the_present_job_speaks_of_a_recipient(void **state)
{
	struct rig rig;
	struct rig_job *first, *second;

	(void)state;
	rig_init(&rig, LATER);
	rig_start(&rig);
	rig.jobs_manual = true;
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "u1" } });
	rig_wait(&rig, rig_job(&rig, "u1@here.example", 0));
	first = rig_job(&rig, "u1@here.example", 0);
	rig_say(&rig, first, "u1@here.example", JOB_DEFERRED, "4.2.1");
	rig_wait(&rig, rig_logged(&rig, "status=deferred") == 1);
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	rig_wait(&rig, rig_job(&rig, "u1@here.example", 1));
	second = rig_job(&rig, "u1@here.example", 1);
	rig_say(&rig, first, "u1@here.example", JOB_FAILED, "5.0.0");
	rig_done(&rig, first);
	rig_pause(&rig, 100);
	assert_int_equal(rig_logged(&rig, "status=bounced"), 0);
	assert_int_equal(rig_logged(&rig, "status=deferred"), 1);
	rig_say(&rig, second, "u1@here.example", JOB_DELIVERED, "2.0.0");
	rig_done(&rig, second);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig_logged(&rig, "status=sent"), 1);
	rig_say(&rig, second, "u1@here.example", JOB_DEFERRED,
		"4.0.0"); /* of a job and a mail that are over */
	rig_done(&rig, second);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "u2" } });
	rig_deinit(&rig);
}

static void a_job_without_all_results_is_tried_again(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER);
	rig_start(&rig);
	rig.jobs_manual = true;
	(void)rig_accept(&rig,
		&(struct rig_mail){ .from = "a@far.example", .to = { "x@far.example", "y@far.example" } });
	rig_wait(&rig, rig_job(&rig, "x@far.example", 0));
	rig_say(&rig, &rig.jobs[0], "x@far.example", JOB_DELIVERED, "2.0.0");
	rig_done(&rig, &rig.jobs[0]);
	rig_wait(&rig, rig_logged(&rig, "the delivery ended without a result") == 1);
	rig.jobs_manual = false;
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig_n_jobs(&rig, "x@far.example"), 1);
	assert_int_equal(rig_n_jobs(&rig, "y@far.example"), 2);
	rig_deinit(&rig);
}

static void odd_forwards_and_outcomes_only_defer(void **state)
{
	static const struct rig_end rows[] = {
		{ "u1@here.example", JOB_FORWARDED, "4.3.0", { { LEAF_USER, 0, "u2" } } },
		{ "u1@here.example", JOB_FORWARDED, "4.3.0", { { LEAF_REMOTE, 0, "x@far.example" } } },
		{ "u1@here.example", JOB_FORWARDED, "4.3.0", { { LEAF_FAIL, 0, "u2" }, { 99, 0, "u2" } } },
		{ "u1@here.example", JOB_FORWARDED, "4.3.0", { { 0 } } },
		{ "u1@here.example", 0, "4.3.0", { { 0 } } },
		{ "u1@here.example", 99, "4.3.0", { { 0 } } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct rig_end ends[] = { rows[i], { 0 } };
		struct rig rig;
		rig_init(&rig, LATER);
		rig.ends = ends;
		rig_start(&rig);
		(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "u1" } });
		rig_wait(&rig, rig_logged(&rig, "status=deferred") == 1);
		assert_int_equal(rig.n_jobs, 1);
		rig_deinit(&rig);
	}
}

/* A channel full of content: who asked for more meanwhile gets it when there is room. */
static void content_is_asked_for_while_the_channel_is_full(void **state)
{
	enum { MAILS = 90, STARTED = 60 };
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER);
	rig_start(&rig);
	rig.content_manual = rig.jobs_manual = true;
	channel_pause(rig.peers[ROLE_LOCAL], true);
	for (size_t i = 0; i < MAILS; i++)
		(void)rig_accept(
			&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "u1" }, .size = 100000 });
	rig_pause(&rig, 3000); /* queue has begun these jobs: nobody can see it while the channel is paused */
	for (uint64_t job = 1; job <= STARTED; job++)
		SEND(rig.peers[ROLE_LOCAL], JOB_MORE, .job = job, .offset = 64 << 10);
	rig_pause(&rig, 200);
	channel_pause(rig.peers[ROLE_LOCAL], false);
	rig_wait(&rig, rig.n_jobs == MAILS && rig.jobs[MAILS - 1].content.len == 64 << 10);
	for (size_t i = 0; i < STARTED; i++)
		rig_wait(&rig, rig.jobs[i].content.len == rig.jobs[i].size);
	rig.content_manual = rig.jobs_manual = false;
	for (size_t i = 0; i < MAILS; i++) {
		if (rig.jobs[i].content.len == rig.jobs[i].size)
			rig_end(&rig, &rig.jobs[i]);
		else
			SEND(rig.peers[ROLE_LOCAL], JOB_MORE, .job = rig.jobs[i].job, .offset = 64 << 10);
	}
	rig_wait(&rig, rig_logged(&rig, ": removed") == MAILS);
	rig_deinit(&rig);
}

/* ---- acts on mail ---- */

enum moment { ROUTING, IN_LINE, IN_A_JOB, MOMENTS };

/* Two mails for one far host that takes one connection; the second one is at that moment. Its id. */
static uint64_t bring_to(struct rig *rig, enum moment moment)
{
	uint64_t id;

	rig_init(rig, LATER "[smtp]\ndestination_concurrency = 1\n");
	rig_start(rig);
	rig->jobs_manual = true;
	if (moment == IN_LINE) {
		(void)rig_accept(
			rig, &(struct rig_mail){ .from = "a@far.example", .to = { "first@far.example" } });
		rig_wait(rig, rig_job(rig, "first@far.example", 0));
	}
	rig->routes_manual = moment == ROUTING;
	id = rig_accept(rig, &(struct rig_mail){ .from = "a@far.example", .to = { "x@far.example" } });
	rig_wait(rig, rig_asked(rig, "x@far.example", 0));
	if (moment == IN_A_JOB)
		rig_wait(rig, rig_job(rig, "x@far.example", 0));
	rig_pause(rig, 50);
	return id;
}

/* What was under way ends: the question is answered, the job before is done, the job is deferred. */
static void go_on(struct rig *rig, enum moment moment)
{
	if (moment == ROUTING)
		rig_answer(rig, rig_asked(rig, "x@far.example", 0));
	if (moment == IN_LINE)
		rig_end(rig, rig_job(rig, "first@far.example", 0));
	if (moment == IN_A_JOB) {
		rig_say(rig, rig_job(rig, "x@far.example", 0), "x@far.example", JOB_DEFERRED, "4.2.1");
		rig_done(rig, rig_job(rig, "x@far.example", 0));
	}
	rig_pause(rig, 100);
	rig->routes_manual = rig->jobs_manual = false;
}

static void held_mail_waits_for_its_release(void **state)
{
	(void)state;
	for (enum moment moment = 0; moment < MOMENTS; moment++) {
		struct rig rig;
		uint64_t id = bring_to(&rig, moment);
		size_t n_others = moment == IN_LINE;
		assert_int_equal(rig_act(&rig, QUEUE_ACT_HOLD, id), EX_OK);
		go_on(&rig, moment);
		assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
		rig_pause(&rig, 100);
		assert_int_equal(rig_n_jobs(&rig, "x@far.example"), moment == IN_A_JOB);
		assert_int_equal(rig_act(&rig, QUEUE_ACT_RELEASE, id), EX_OK);
		rig_wait(&rig, rig_logged(&rig, ": removed") == 1 + n_others);
		assert_int_equal(rig_n_jobs(&rig, "x@far.example"), 1 + (moment == IN_A_JOB));
		rig_deinit(&rig);
	}
}

static void deleted_mail_is_gone(void **state)
{
	(void)state;
	for (enum moment moment = 0; moment < MOMENTS; moment++) {
		struct rig rig;
		uint64_t id = bring_to(&rig, moment);
		size_t n_others = moment == IN_LINE;
		assert_int_equal(rig_act(&rig, QUEUE_ACT_DELETE, id), EX_OK);
		go_on(&rig, moment);
		rig_wait(&rig, rig_logged(&rig, ": removed") == 1 + n_others);
		assert_int_equal(rig_act(&rig, QUEUE_ACT_RELEASE, id), EX_NOINPUT);
		rig_pause(&rig, 400);
		rig_kill(&rig);
		rig_start(&rig);
		rig_pause(&rig, 100);
		assert_int_equal(rig_n_asked(&rig, "x@far.example"), 1);
		assert_int_equal(rig_logged(&rig, "status=bounced"), 0);
		rig_deinit(&rig);
	}
}

/* Deleted while a delivery is under way, which was to be the last, or fails for good: nobody is told. */
static void deleted_mail_tells_nobody(void **state)
{
	static const struct {
		enum job_outcome outcome;
		const char *status;
	} rows[] = { { JOB_DEFERRED, "4.2.1" }, { JOB_FAILED, "5.1.1" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig rig;
		uint64_t id = bring_to(&rig, IN_A_JOB);
		assert_int_equal(rig_act(&rig, QUEUE_ACT_EXPIRE, id), EX_OK);
		assert_int_equal(rig_act(&rig, QUEUE_ACT_DELETE, id), EX_OK);
		rig_say(&rig, rig_job(&rig, "x@far.example", 0), "x@far.example", rows[i].outcome,
			rows[i].status);
		rig_done(&rig, rig_job(&rig, "x@far.example", 0));
		rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
		rig_pause(&rig, 100);
		assert_int_equal(rig_logged(&rig, "status=expired"), 0);
		assert_int_equal(rig_logged(&rig, "from=<>"), 0);
		rig_deinit(&rig);
	}
}

static void paused_mail_goes_when_the_pause_ends(void **state)
{
	(void)state;
	for (enum moment moment = 0; moment < MOMENTS; moment++) {
		struct rig rig;
		size_t n_mails = 1 + (moment == IN_LINE);
		(void)bring_to(&rig, moment);
		rig_reload(&rig, LATER "paused = yes\n[smtp]\ndestination_concurrency = 1\n");
		go_on(&rig, moment);
		assert_int_equal(rig_n_jobs(&rig, "x@far.example"), moment == IN_A_JOB);
		(void)rig_accept(&rig, &to_user);
		rig_pause(&rig, 100);
		assert_int_equal(rig_logged(&rig, ": removed"), n_mails - 1);
		rig_reload(&rig, LATER);
		if (moment == IN_A_JOB) /* it waits for its time, as before */
			assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
		rig_wait(&rig, rig_logged(&rig, ": removed") == n_mails + 1);
		rig_deinit(&rig);
	}
}

/* One recipient was put back by the pause while another was in a job that outlasted it. */
static void no_recipient_is_left_behind_by_a_pause(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER "[smtp]\ndestination_concurrency = 1\n");
	rig_start(&rig);
	rig.jobs_manual = true;
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "first@far.example" } });
	rig_wait(&rig, rig_job(&rig, "first@far.example", 0));
	(void)rig_accept(&rig,
		&(struct rig_mail){ .from = "a@far.example", .to = { "x@far.example", "y@other.example" } });
	rig_wait(&rig, rig_job(&rig, "y@other.example", 0));
	rig_reload(&rig, LATER "paused = yes\n[smtp]\ndestination_concurrency = 1\n");
	rig_end(&rig, rig_job(&rig, "first@far.example", 0));
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	rig.jobs_manual = false;
	rig_reload(&rig, LATER);
	rig_end(&rig, rig_job(&rig, "y@other.example", 0));
	rig_wait(&rig, rig_logged(&rig, ": removed") == 2);
	assert_int_equal(rig_n_jobs(&rig, "x@far.example"), 1);
	rig_deinit(&rig);
}

/* ---- restarts ---- */

static void recovered_mail_is_reconciled(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER);
	rig_start(&rig);
	rig.jobs_manual = true;
	(void)rig_accept(&rig,
		&(struct rig_mail){ .from = "a@far.example",
			.to = { "u1@far.example", "u2@far.example", "u3@far.example" } });
	rig_wait(&rig, rig_job(&rig, "u3@far.example", 0));
	rig_say(&rig, &rig.jobs[0], "u1@far.example", JOB_DELIVERED, "2.0.0");
	rig_say(&rig, &rig.jobs[0], "u2@far.example", JOB_DEFERRED, "4.2.1");
	rig_wait(&rig, rig_logged(&rig, "status=") == 2);
	rig_pause(&rig, 500); /* results are written within 200 ms */
	rig_kill(&rig);
	rig_start(&rig);
	rig_wait(&rig, rig_job(&rig, "u3@far.example", 1));
	rig_pause(&rig, 100);
	assert_int_equal(rig_n_asked(&rig, "u1@far.example"), 1);
	assert_int_equal(rig_n_asked(&rig, "u2@far.example"), 1); /* its time has not come */
	assert_int_equal(rig.jobs[1].n_rcpts, 1);
	assert_int_equal(rig.jobs[1].rcpts[0].flags, RCPT_RECONCILE);
	rig.jobs_manual = false;
	rig_end(&rig, &rig.jobs[1]);
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	assert_int_equal(rig_n_jobs(&rig, "u1@far.example"), 1);
	assert_int_equal(rig_n_jobs(&rig, "u2@far.example"), 2);
	rig_deinit(&rig);
}

static void waits_no_longer_than_its_time(void **state)
{
	static const struct rig_end ends[] = { { "u1@here.example", JOB_DEFERRED, "4.2.1", { { 0 } } },
		{ 0 } };
	struct rig rig;

	(void)state;
	rig_init(&rig, "retry_min = 1s\nretry_max = 1s\n");
	rig.ends = ends;
	rig_start(&rig);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "u1" } });
	rig_wait(&rig, rig_logged(&rig, "status=deferred") == 2);
	rig.ends = NULL;
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_accepted_when_it_is_on_disk),
		cmocka_unit_test(an_id_makes_one_mail),
		cmocka_unit_test(bad_mail_is_refused),
		cmocka_unit_test(stops_with_commits_under_way),
		cmocka_unit_test(only_local_learns_of_the_client),
		cmocka_unit_test(an_alias_goes_out_with_its_target),
		cmocka_unit_test(a_list_with_a_verdict_repeats_nothing),
		cmocka_unit_test(duplicates_are_delivered_once),
		cmocka_unit_test(mutual_forwards_lose_nothing),
		cmocka_unit_test(questions_of_a_dead_lookup_are_asked_again),
		cmocka_unit_test(jobs_of_a_dead_local_are_given_again),
		cmocka_unit_test(only_the_present_job_speaks_of_a_recipient),
		cmocka_unit_test(a_job_without_all_results_is_tried_again),
		cmocka_unit_test(odd_forwards_and_outcomes_only_defer),
		cmocka_unit_test(content_is_asked_for_while_the_channel_is_full),
		cmocka_unit_test(held_mail_waits_for_its_release),
		cmocka_unit_test(deleted_mail_is_gone),
		cmocka_unit_test(deleted_mail_tells_nobody),
		cmocka_unit_test(paused_mail_goes_when_the_pause_ends),
		cmocka_unit_test(no_recipient_is_left_behind_by_a_pause),
		cmocka_unit_test(recovered_mail_is_reconciled),
		cmocka_unit_test(waits_no_longer_than_its_time),
	};
	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
