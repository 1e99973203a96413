/* SPDX-License-Identifier: Apache-2.0 */
/* test_transport.c - mailboxes that an LMTP server keeps: local says so, smtp gets them, results are each
 * one's */
#include "config/mailbox_transport.h"
#include "queue/test_rig.h"
#include <sysexits.h>

#define LATER "retry_min = 1h\nhold_off_min = 1h\nhold_off_max = 1h\n" /* nothing is repeated by itself */

static const struct rig_mail to_three = { .from = "a@far.example",
	.to = { "u1@localhost", "u2@localhost", "u3@localhost" } };

static void start(struct rig *rig, const char *settings)
{
	rig_init(rig, settings);
	rig_start(rig);
	rig->jobs_manual = true;
}

/* The i-th job of local for that user; local says whose mailbox it is. */
static void say_transport(struct rig *rig, const char *address, size_t i)
{
	rig_wait(rig, rig_job(rig, address, i) && rig_job(rig, address, i)->content.len);
	struct rig_job *j = rig_job(rig, address, i);
	assert_int_equal(j->to, ROLE_LOCAL);
	rig_say(rig, j, address, JOB_TRANSPORT, "2.0.0");
	rig_done(rig, j);
}

/* The job of smtp with that mailbox. */
static struct rig_job *transport_job(struct rig *rig, const char *address, size_t i)
{
	rig_wait(rig, rig_job(rig, address, i) && rig_job(rig, address, i)->content.len);
	struct rig_job *j = rig_job(rig, address, i);
	assert_int_equal(j->to, ROLE_SMTP);
	assert_string_equal(j->destination, MAILBOX_TRANSPORT_HOP);
	return j;
}

static void those_of_one_mail_go_together(void **state)
{
	struct rig rig;
	struct rig_job *j;

	(void)state;
	start(&rig, LATER);
	(void)rig_accept(&rig, &to_three);
	rig_wait(&rig,
		rig.n_jobs == 3 && rig.jobs[0].content.len && rig.jobs[1].content.len &&
			rig.jobs[2].content.len);
	say_transport(
		&rig, "u1@localhost.localdomain", 0); /* in one turn of the loop: queue hears all at once */
	say_transport(&rig, "u2@localhost.localdomain", 0);
	say_transport(&rig, "u3@localhost.localdomain", 0);
	j = transport_job(&rig, "u1@here.example", 0);
	assert_int_equal(j->n_rcpts, 3);
	assert_int_equal(rig_logged(&rig, "status="), 0); /* nothing has become of any of them yet */
	rig_say(&rig, j, "u1@here.example", JOB_DELIVERED, "2.0.0");
	rig_say(&rig, j, "u2@here.example", JOB_DEFERRED, "4.2.2");
	rig_say(&rig, j, "u3@here.example", JOB_FAILED, "5.2.2");
	rig_done(&rig, j);
	rig_wait(&rig, rig_logged(&rig, "status=bounced"));
	assert_int_equal(rig_logged(&rig, "status=sent"), 1);
	assert_int_equal(rig_logged(&rig, "status=deferred"), 1);
	rig_wait(&rig, rig_job(&rig, "a@far.example", 0)); /* the bounce */
	assert_true(rig_contains(&rig_job(&rig, "a@far.example", 0)->content, "5.2.2"));
	rig_end(&rig, rig_job(&rig, "a@far.example", 0));
	/* The next attempt asks the user's .forward again. */
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	say_transport(&rig, "u2@localhost.localdomain", 1);
	j = transport_job(&rig, "u2@here.example", 1);
	assert_int_equal(j->n_rcpts, 1);
	rig_say(&rig, j, "u2@here.example", JOB_DELIVERED, "2.0.0");
	rig_done(&rig, j);
	rig_wait(&rig, rig_logged(&rig, ": removed") == 2);
	rig_deinit(&rig);
}

/* A user whose .forward hangs keeps the others for a moment only. */
static void a_slow_one_is_not_waited_for(void **state)
{
	struct rig rig;
	struct rig_job *j;

	(void)state;
	start(&rig, LATER);
	(void)rig_accept(&rig, &to_three);
	rig_wait(&rig, rig.n_jobs == 3);
	say_transport(&rig, "u1@localhost.localdomain", 0);
	j = transport_job(&rig, "u1@here.example", 0);
	rig_say(&rig, j, "u1@here.example", JOB_DELIVERED, "2.0.0");
	rig_done(&rig, j);
	rig_wait(&rig, rig_logged(&rig, "status=sent"));
	rig.jobs_manual = false;
	rig_end(&rig, rig_job(&rig, "u2@localhost.localdomain", 0)); /* to a mailbox of ours */
	say_transport(&rig, "u3@localhost.localdomain", 0);
	rig_wait(&rig, rig_logged(&rig, ": removed"));
	rig_deinit(&rig);
}

/* The address is the mailbox's, whatever name led there; an extension goes along. */
static void addresses_of_mailboxes(void **state)
{
	static const struct rig_route routes[] = {
		{ "sales+x@here.example",
			{ { .kind = LEAF_USER, .address = "sales+x@here.example", .destination = "u1" } } },
		{ "plain@here.example",
			{ { .kind = LEAF_USER, .address = "plain@here.example", .destination = "u2" } } },
		{ "odd@here.example",
			{ { .kind = LEAF_USER, .address = "odd@here.example", .destination = "a b" } } },
		{ NULL, { { 0 } } },
	};
	static const struct {
		const char *to, *want, *bare;
	} rows[] = {
		{ "sales+x@here.example", "u1+x@here.example", "u1+x" },
		{ "plain@here.example", "u2@here.example", "u2" },
		{ "odd@here.example", "\"a b\"@here.example", "\"a b\"" },
	};
	struct rig rig;

	(void)state;
	start(&rig, LATER);
	rig.routes = routes;
	for (int bare = 0; bare < 2; bare++) {
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct rig_job *j;
			(void)rig_accept(
				&rig, &(struct rig_mail){ .from = "a@far.example", .to = { rows[i].to } });
			say_transport(&rig, rows[i].to, (size_t)bare);
			j = transport_job(&rig, bare ? rows[i].bare : rows[i].want, 0);
			rig_say(&rig, j, bare ? rows[i].bare : rows[i].want, JOB_DELIVERED, "2.0.0");
			rig_done(&rig, j);
		}
		rig_reload(&rig, LATER "[local]\nlmtp_bare_user = yes\n");
	}
	rig_wait(&rig, rig_logged(&rig, ": removed") == 6);
	assert_int_equal(
		rig_logged(&rig, "to=<sales+x@here.example>"), 2); /* the log names what mail was for */
	rig_deinit(&rig);
}

/* Held or deleted while it is gathered. */
static void what_is_held_goes_nowhere(void **state)
{
	struct rig rig;
	uint64_t id;

	(void)state;
	start(&rig, LATER);
	id = rig_accept(&rig, &to_three);
	rig_wait(&rig, rig.n_jobs == 3);
	rig_wait(&rig, rig.jobs[2].content.len);
	rig_say(&rig, rig_job(&rig, "u1@localhost.localdomain", 0), "u1@localhost.localdomain", JOB_TRANSPORT,
		"2.0.0");
	rig_done(&rig, rig_job(&rig, "u1@localhost.localdomain", 0));
	assert_int_equal(rig_act(&rig, QUEUE_ACT_HOLD, id), EX_OK);
	say_transport(&rig, "u2@localhost.localdomain", 0);
	say_transport(&rig, "u3@localhost.localdomain", 0);
	rig_pause(&rig, 150);
	size_t before = rig_n_jobs(&rig, "u3@here.example"); /* u1 may have gone before the order came */
	assert_int_equal(before, 0);
	assert_int_equal(rig_n_jobs(&rig, "u2@here.example"), 0);
	rig.jobs_manual = false;
	for (size_t i = 0; i < rig.n_jobs; i++)
		if (!rig.jobs[i].is_ended)
			rig_end(&rig, &rig.jobs[i]);
	assert_int_equal(rig_act(&rig, QUEUE_ACT_RELEASE, id), EX_OK);
	rig_wait(&rig, rig_logged(&rig, ": removed"));
	rig_deinit(&rig);
}

/* No host answers for it: it is held off as another host would be, and other mail is not. */
static void a_server_that_is_down(void **state)
{
	struct rig rig;
	struct rig_job *j;

	(void)state;
	start(&rig, LATER);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "u1@localhost" } });
	say_transport(&rig, "u1@localhost.localdomain", 0);
	j = transport_job(&rig, "u1@here.example", 0);
	rig_say(&rig, j, "u1@here.example", JOB_UNREACHABLE, "4.4.1");
	rig_done(&rig, j);
	rig_wait(&rig, rig_logged(&rig, MAILBOX_TRANSPORT_HOP " is held off"));
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "u2@localhost" } });
	say_transport(&rig, "u2@localhost.localdomain", 0);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "x@far.example" } });
	rig_wait(&rig, rig_job(&rig, "x@far.example", 0));
	assert_int_equal(rig_n_jobs(&rig, "u2@here.example"), 0);
	rig.jobs_manual = false;
	rig_end(&rig, rig_job(&rig, "x@far.example", 0));
	rig_wait(&rig, rig_logged(&rig, ": removed") == 1);
	/* A flush probes it: the first goes, and the other follows it. */
	rig.jobs_manual = true;
	assert_int_equal(rig_act(&rig, QUEUE_ACT_FLUSH, 0), EX_OK);
	say_transport(&rig, "u1@localhost.localdomain", 1);
	rig_wait(&rig, rig_n_jobs(&rig, "u1@here.example") == 2 || rig_n_jobs(&rig, "u2@here.example") == 1);
	for (size_t seen = 0; rig_logged(&rig, ": removed") < 3; rig_turn(&rig)) {
		for (; seen < rig.n_jobs && (rig.jobs[seen].content.len || rig.jobs[seen].is_ended); seen++) {
			struct rig_job *next = &rig.jobs[seen];
			if (next->is_ended)
				continue;
			if (next->to == ROLE_LOCAL)
				rig_say(&rig, next, next->rcpts[0].address, JOB_TRANSPORT, "2.0.0");
			else
				rig_say(&rig, next, next->rcpts[0].address, JOB_DELIVERED, "2.0.0");
			rig_done(&rig, next);
		}
	}
	rig_deinit(&rig);
}

/* Only local may say it, and only of a user's mailbox: anything else is tried again later. */
static void who_may_say_so(void **state)
{
	struct rig rig;

	(void)state;
	start(&rig, LATER);
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "x@far.example" } });
	rig_wait(&rig, rig_job(&rig, "x@far.example", 0) && rig_job(&rig, "x@far.example", 0)->content.len);
	rig_say(&rig, rig_job(&rig, "x@far.example", 0), "x@far.example", JOB_TRANSPORT, "2.0.0");
	rig_done(&rig, rig_job(&rig, "x@far.example", 0));
	rig_wait(&rig, rig_logged(&rig, "to=<x@far.example>") && rig_logged(&rig, "status=deferred"));
	rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_of_one_mail_go_together),
		cmocka_unit_test(a_slow_one_is_not_waited_for),
		cmocka_unit_test(addresses_of_mailboxes),
		cmocka_unit_test(what_is_held_goes_nowhere),
		cmocka_unit_test(a_server_that_is_down),
		cmocka_unit_test(who_may_say_so),
	};
	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
