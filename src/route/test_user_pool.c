/* SPDX-License-Identifier: Apache-2.0 */
/* test_user_pool.c - questions over helpers that answer, err, hang or die */
#include "route/user_pool.h"
#include "support/test.h"

#define N_ASKED 64

/* The helpers as seen from outside: what they were asked, and which were to be replaced. */
struct bench {
	uv_loop_t loop;
	struct user_pool pool;
	struct {
		unsigned helper;
		uint64_t request;
		char name[32];
	} asked[N_ASKED];
	size_t n_asked;
	unsigned restarted[8];
	size_t n_restarted;
};
struct wish {
	struct user_waiter waiter;
	enum user_outcome outcome;
	char name[32];
	size_t n_done;
};

static void record_ask(void *user, unsigned helper, uint64_t request, struct slice name)
{
	struct bench *b = user;

	assert_true(b->n_asked < N_ASKED);
	b->asked[b->n_asked].helper = helper;
	b->asked[b->n_asked].request = request;
	(void)snprintf(b->asked[b->n_asked++].name, 32, "%.*s", SLICE_ARG(name));
}

static void record_restart(void *user, unsigned helper)
{
	struct bench *b = user;

	b->restarted[b->n_restarted++] = helper;
}

static const struct user_pool_hooks hooks = { record_ask, record_restart };

static void wish_done(struct user_waiter *w, enum user_outcome outcome, struct slice name)
{
	struct wish *wish = CONTAINER_OF(w, struct wish, waiter);

	wish->outcome = outcome;
	wish->n_done++;
	(void)snprintf(wish->name, sizeof(wish->name), "%.*s", SLICE_ARG(name));
}

/* As the askers do: an answer at once, or later. */
static void ask(struct bench *b, struct wish *w, const char *name)
{
	enum user_outcome outcome;
	struct slice found;

	*w = (struct wish){ .waiter.done = wish_done };
	if (user_pool_ask(&b->pool, slice_of(name), &w->waiter, &outcome, &found))
		wish_done(&w->waiter, outcome, found);
}

static void answer(struct bench *b, size_t asked, enum user_outcome outcome, const char *name)
{
	union msg_any m = { .USER_ANSWER = { .request = b->asked[asked].request,
				    .outcome = (uint8_t)outcome,
				    .name = slice_of(name) } };
	user_pool_answer(&b->pool, b->asked[asked].helper, m.USER_ANSWER.request, &m);
}

static void bench_open(struct bench *b, unsigned timeout_ms, unsigned n_helpers)
{
	memset(b, 0, sizeof(*b));
	assert_int_equal(uv_loop_init(&b->loop), 0);
	user_pool_init(&b->pool, &b->loop, timeout_ms, &hooks, b);
	for (unsigned i = 0; i < n_helpers; i++)
		user_pool_helper_up(&b->pool, i);
}

static void bench_close(struct bench *b)
{
	user_pool_deinit(&b->pool);
	(void)uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b->loop), 0);
}

/* The timer of pending.h does not keep a loop alive by itself. */
static void run_until_done(struct bench *b, const struct wish *w)
{
	uv_ref((uv_handle_t *)&b->pool.questions.timer);
	while (!w->n_done)
		assert_true(uv_run(&b->loop, UV_RUN_ONCE) || w->n_done);
}

static void spreads_and_queues(void **state)
{
	struct bench b;
	struct wish w[3];

	(void)state;
	bench_open(&b, 5000, 2);
	ask(&b, &w[0], "one");
	ask(&b, &w[1], "two");
	ask(&b, &w[2], "three");
	assert_int_equal(b.n_asked, 2); /* one question at a time each */
	assert_int_not_equal(b.asked[0].helper, b.asked[1].helper);
	answer(&b, 1, USER_UNKNOWN, "");
	assert_int_equal(w[1].outcome, USER_UNKNOWN);
	assert_int_equal(b.n_asked, 3);
	assert_string_equal(b.asked[2].name, "three");
	answer(&b, 2, USER_FOUND, "Three");
	assert_int_equal(w[2].outcome, USER_FOUND);
	assert_string_equal(w[2].name, "Three");
	assert_int_equal(w[0].n_done, 0);
	answer(&b, 0, USER_FOUND, "one");
	assert_int_equal(w[0].n_done, 1);
	bench_close(&b);
}

static void same_name_is_asked_once_and_remembered_when_found(void **state)
{
	struct bench b;
	struct wish w[4];

	(void)state;
	bench_open(&b, 5000, 1);
	ask(&b, &w[0], "x");
	ask(&b, &w[1], "x");
	answer(&b, 0, USER_FOUND, "x");
	assert_int_equal(w[0].n_done + w[1].n_done, 2);
	ask(&b, &w[2], "x");
	assert_int_equal(w[2].outcome, USER_FOUND);
	assert_int_equal(b.n_asked, 1);
	ask(&b, &w[3], "X"); /* another name, for all we know */
	assert_int_equal(b.n_asked, 2);
	bench_close(&b);
}

static void unknown_and_errors_are_not_remembered(void **state)
{
	static const enum user_outcome outcomes[] = { USER_UNKNOWN, USER_UNAVAILABLE };
	struct bench b;
	struct wish w;

	(void)state;
	bench_open(&b, 5000, 1);
	for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
		ask(&b, &w, "x");
		answer(&b, i, outcomes[i], "");
		assert_int_equal(w.outcome, outcomes[i]);
		assert_int_equal(w.n_done, 1);
	}
	ask(&b, &w, "x");
	assert_int_equal(b.n_asked, 3);
	bench_close(&b);
}

static void nonsense_is_unavailable(void **state)
{
	struct bench b;
	struct wish w;

	(void)state;
	bench_open(&b, 5000, 2);
	ask(&b, &w, "x");
	answer(&b, 0, 77, "");
	assert_int_equal(w.outcome, USER_UNAVAILABLE);
	ask(&b, &w, "x");
	answer(&b, 1, USER_FOUND, ""); /* found, but nobody */
	assert_int_equal(w.outcome, USER_UNAVAILABLE);
	ask(&b, &w, "x");
	b.asked[2].helper ^= 1;
	answer(&b, 2, USER_UNKNOWN, ""); /* from a helper that was not asked */
	assert_int_equal(w.n_done, 0);
	b.asked[2].helper = 1000;
	answer(&b, 2, USER_UNKNOWN, "");
	assert_int_equal(w.n_done, 0);
	bench_close(&b);
}

static void hanging_helper_is_replaced_and_holds_up_nobody(void **state)
{
	struct bench b;
	struct wish hangs, other, waits;

	(void)state;
	bench_open(&b, 50, 2);
	ask(&b, &hangs, "hangs");
	ask(&b, &other, "other");
	answer(&b, 1, USER_FOUND, "other");
	assert_int_equal(other.outcome, USER_FOUND);
	run_until_done(&b, &hangs);
	assert_int_equal(hangs.outcome, USER_UNAVAILABLE);
	assert_int_equal(b.n_restarted, 1);
	assert_int_equal(b.restarted[0], b.asked[0].helper);
	answer(&b, 0, USER_UNKNOWN, ""); /* too late: nobody listens */
	assert_int_equal(hangs.n_done, 1);
	ask(&b, &waits, "next"); /* goes to the other one */
	assert_int_equal(b.asked[2].helper, b.asked[1].helper);
	ask(&b, &hangs, "after"); /* waits for a helper */
	assert_int_equal(b.n_asked, 3);
	user_pool_helper_up(&b.pool, b.asked[0].helper);
	assert_string_equal(b.asked[3].name, "after");
	bench_close(&b);
}

static void without_helpers_the_deadline_answers(void **state)
{
	struct bench b;
	struct wish w;

	(void)state;
	bench_open(&b, 30, 0);
	ask(&b, &w, "x");
	run_until_done(&b, &w);
	assert_int_equal(w.outcome, USER_UNAVAILABLE);
	assert_int_equal(b.n_restarted, 0);
	bench_close(&b);
}

static void dying_helper_costs_its_question_only(void **state)
{
	struct bench b;
	struct wish w[2];

	(void)state;
	bench_open(&b, 5000, 1);
	ask(&b, &w[0], "killer");
	ask(&b, &w[1], "next");
	user_pool_helper_down(&b.pool, 0);
	assert_int_equal(w[0].outcome, USER_UNAVAILABLE);
	assert_int_equal(w[1].n_done, 0);
	assert_int_equal(b.n_restarted, 0); /* the supervisor knows */
	user_pool_helper_up(&b.pool, 0);
	assert_int_equal(b.n_asked, 2);
	answer(&b, 1, USER_FOUND, "next");
	assert_int_equal(w[1].outcome, USER_FOUND);
	bench_close(&b);
}

static void cancelled_waiters_are_not_called(void **state)
{
	struct bench b;
	struct wish w;

	(void)state;
	bench_open(&b, 5000, 1);
	ask(&b, &w, "x");
	user_pool_cancel(&w.waiter);
	user_pool_cancel(&w.waiter);
	answer(&b, 0, USER_FOUND, "x");
	assert_int_equal(w.n_done, 0);
	bench_close(&b);
}

static void memory_of_names_is_bounded(void **state)
{
	struct bench b;
	struct wish w;

	(void)state;
	bench_open(&b, 5000, 1);
	for (size_t i = 0; i < 10000; i++) {
		char name[32];
		b.n_asked = 0;
		(void)snprintf(name, sizeof(name), "user%zu", i);
		ask(&b, &w, name);
		answer(&b, 0, USER_FOUND, name);
		assert_int_equal(w.n_done, 1);
	}
	assert_true(b.pool.n_known <= 4096);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spreads_and_queues),
		cmocka_unit_test(same_name_is_asked_once_and_remembered_when_found),
		cmocka_unit_test(unknown_and_errors_are_not_remembered),
		cmocka_unit_test(nonsense_is_unavailable),
		cmocka_unit_test(hanging_helper_is_replaced_and_holds_up_nobody),
		cmocka_unit_test(without_helpers_the_deadline_answers),
		cmocka_unit_test(dying_helper_costs_its_question_only),
		cmocka_unit_test(cancelled_waiters_are_not_called),
		cmocka_unit_test(memory_of_names_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
