/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/pending.h"
#include "support/test.h"

struct seen {
	unsigned n_answers, n_failures;
	uint64_t argument;
	struct pending *ask_again;
};

static void on_done(void *owner, uint64_t argument, const union msg_any *m)
{
	struct seen *s = owner;

	s->argument = argument;
	if (m)
		s->n_answers++;
	else
		s->n_failures++;
	if (s->ask_again)
		assert_true(pending_add(s->ask_again, on_done, s, argument, NULL) != 0);
}

static const union msg_any answer = { 0 };

/* One loop for all tests; the object of each lives until its handle is closed. */
static struct pending pendings[5];

static struct pending *start(size_t i, size_t credits, unsigned timeout_ms)
{
	pending_init(&pendings[i], uv_default_loop(), credits, timeout_ms);
	return &pendings[i];
}

static void end(struct pending *p)
{
	assert_int_equal(p->n, 0);
	uv_close((uv_handle_t *)&p->timer, NULL);
	(void)uv_run(uv_default_loop(), UV_RUN_NOWAIT);
	table_deinit(&p->by_id);
}

static void an_answer_finds_its_request(void **state)
{
	struct seen s = { 0 };
	uint64_t a, b;

	(void)state;
	struct pending *p = start(0, 10, 1000);
	a = pending_add(p, on_done, &s, 11, NULL);
	b = pending_add(p, on_done, &s, 22, NULL);
	assert_true(pending_answer(p, b, &answer));
	assert_int_equal(s.argument, 22);
	assert_false(pending_answer(p, b, &answer)); /* once */
	assert_true(pending_answer(p, a, &answer));
	assert_false(pending_answer(p, 999, &answer));
	assert_int_equal(s.n_answers, 2);
	end(p);
}

static void credits_bound_the_open_requests(void **state)
{
	struct seen s = { 0 };
	uint64_t first;

	(void)state;
	struct pending *p = start(1, 2, 1000);
	first = pending_add(p, on_done, &s, 0, NULL);
	assert_true(pending_add(p, on_done, &s, 0, NULL) != 0);
	assert_int_equal(pending_add(p, on_done, &s, 0, NULL), 0);
	assert_true(pending_answer(p, first, &answer));
	assert_true(pending_add(p, on_done, &s, 0, NULL) != 0);
	pending_fail_all(p);
	end(p);
}

static void an_owner_takes_its_requests_along(void **state)
{
	struct seen s = { 0 };
	struct list owned;

	(void)state;
	list_init(&owned);
	struct pending *p = start(2, 10, 1000);
	uint64_t mine = pending_add(p, on_done, &s, 0, &owned);
	uint64_t other = pending_add(p, on_done, &s, 0, NULL);
	pending_cancel_all(p, &owned);
	assert_false(pending_answer(p, mine, &answer));
	assert_true(pending_answer(p, other, &answer));
	assert_int_equal(s.n_failures, 0);
	end(p);
}

static void a_dead_peer_fails_all_but_new_requests(void **state)
{
	struct seen s = { 0 };

	(void)state;
	struct pending *p = start(3, 10, 1000);
	s.ask_again = p;
	assert_true(pending_add(p, on_done, &s, 0, NULL) != 0);
	assert_true(pending_add(p, on_done, &s, 0, NULL) != 0);
	pending_fail_all(p);
	assert_int_equal(s.n_failures, 2);
	assert_int_equal(p->n, 2);
	s.ask_again = NULL;
	pending_fail_all(p);
	assert_int_equal(p->n, 0);
	end(p);
}

static void a_deadline_answers_with_nothing(void **state)
{
	struct seen s = { 0 };

	(void)state;
	struct pending *p = start(4, 10, 1);
	uv_ref((uv_handle_t *)&p->timer);
	assert_true(pending_add(p, on_done, &s, 5, NULL) != 0);
	(void)uv_run(uv_default_loop(), UV_RUN_DEFAULT); /* ends when the timer has nothing to watch */
	assert_int_equal(s.n_failures, 1);
	assert_int_equal(s.argument, 5);
	end(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_finds_its_request),
		cmocka_unit_test(credits_bound_the_open_requests),
		cmocka_unit_test(an_owner_takes_its_requests_along),
		cmocka_unit_test(a_dead_peer_fails_all_but_new_requests),
		cmocka_unit_test(a_deadline_answers_with_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
