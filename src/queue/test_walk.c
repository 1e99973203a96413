/* SPDX-License-Identifier: Apache-2.0 */
/* test_walk.c - a walk sees each mail and each recipient once, whatever happens to them between its steps */
#include "queue/walk.h"
#include "queue/core.h"
#include "support/test.h"

#define N_RCPTS (3 * WALK_STEPS)

static uv_loop_t loop;
static struct role_process process = { .loop = &loop };

struct visitor {
	struct walk walk;
	uint64_t mails[8];
	size_t n_mails, n_ends;
	uint32_t n_seen, wrong; /* recipients; those out of their order */
	bool may_not, takes_mail_away;
};

static struct visitor *visitor_of(struct walk *w)
{
	return CONTAINER_OF(w, struct visitor, walk);
}

static struct message *enter(uint64_t id, size_t n_rcpts)
{
	struct spool_envelope env = { .id = id, .arrival_us = id, .reverse_path = SLICE("s@h") };
	auto_free struct spool_recipient *rcpts = mem_new_array(n_rcpts, sizeof(*rcpts));
	struct message *m;
	char text[32];

	for (size_t i = 0; i < n_rcpts; i++)
		rcpts[i] = (struct spool_recipient){
			.forward_path = SLICE("r@h"), .original = SLICE("r@h"), .trail = SLICE("r@h")
		};
	(void)snprintf(text, sizeof(text), "first-of-%d@h", (int)id);
	if (n_rcpts)
		rcpts[0].forward_path = rcpts[0].original = rcpts[0].trail = slice_of(text);
	m = message_new(&env, rcpts, n_rcpts);
	assert_non_null(m);
	queue_enter(m);
	return m;
}

static void leave(struct message *m)
{
	walks_message_leaves(m);
	by_id_remove(&queue.by_id, m);
	list_remove(&m->in_all);
	message_free(&m);
}

static void leave_all(void)
{
	while (!list_empty(&queue.all))
		leave(CONTAINER_OF(queue.all.next, struct message, in_all));
}

static bool visit_mail(struct walk *w, struct message *m)
{
	struct visitor *v = visitor_of(w);

	v->mails[v->n_mails++] = m->entry.id;
	if (v->takes_mail_away)
		leave(m);
	return true;
}

static bool visit_recipients(struct walk *w, struct message *m)
{
	struct visitor *v = visitor_of(w);
	struct recipient_view view;

	while (walk_spend(w, 1)) {
		if (!walk_next(w, m, &view)) {
			v->mails[v->n_mails++] = m->entry.id;
			return true;
		}
		v->wrong += slice_starts(view.spool.forward_path, SLICE("first")) != (w->at.next == 1);
		v->n_seen++;
	}
	return false;
}

static bool end(struct walk *w)
{
	visitor_of(w)->n_ends++;
	walk_stop(w);
	return true;
}

static bool may_go_on(struct walk *w)
{
	return !visitor_of(w)->may_not;
}

static const struct walk_hooks over_mails = { visit_mail, end, may_go_on };
static const struct walk_hooks over_recipients = { visit_recipients, end, NULL };

static bool is_asleep(void)
{
	return uv_backend_timeout(&loop) != 0;
}

static void turn(void)
{
	(void)uv_run(&loop, UV_RUN_NOWAIT);
}

static void sees_each_mail_in_order(void **state)
{
	struct visitor v = { .n_ends = 0 };

	(void)state;
	for (uint64_t id = 1; id <= 3; id++)
		(void)enter(id, 1);
	walk_start(&v.walk, &over_mails, NULL);
	assert_false(is_asleep());
	turn();
	assert_int_equal(v.n_mails, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(v.mails[i], i + 1);
	assert_int_equal(v.n_ends, 1);
	assert_true(is_asleep());
	leave_all();
}

static void mail_may_leave_under_it(void **state)
{
	struct visitor v = { .takes_mail_away = true, .may_not = true };
	struct message *first;

	(void)state;
	first = enter(1, 1);
	(void)enter(2, 1);
	(void)enter(3, 1);
	walk_start(&v.walk, &over_mails, NULL);
	turn();
	assert_int_equal(v.n_mails, 0);
	assert_true(is_asleep()); /* it may not, and costs nothing */
	leave(first);		  /* at which it stands */
	v.may_not = false;
	turn();
	assert_int_equal(v.n_mails, 2);
	assert_int_equal(v.mails[0], 2);
	assert_int_equal(v.n_ends, 1);
	assert_true(list_empty(&queue.all));
}

/* Also when the last one of those leaves. */
static void later_mail_is_not_its_own(void **state)
{
	(void)state;
	for (uint64_t gone = 0; gone <= 3; gone++) {
		struct visitor v = { .may_not = true };
		struct message *m[4];
		size_t n = 0;

		for (uint64_t id = 1; id <= 3; id++)
			m[id] = enter(id, 1);
		walk_start(&v.walk, &over_mails, NULL);
		walk_end_here(&v.walk);
		(void)enter(4, 1);
		if (gone)
			leave(m[gone]);
		(void)enter(5, 1);
		v.may_not = false;
		turn();
		assert_int_equal(v.n_ends, 1);
		for (uint64_t id = 1; id <= 3; id++)
			if (id != gone)
				assert_int_equal(v.mails[n++], id);
		assert_int_equal(v.n_mails, n);
		leave_all();
	}
}

static void one_mail_is_all_or_nothing(void **state)
{
	struct visitor v = { .n_ends = 0 }, gone = { .may_not = true }, none = { .n_ends = 0 };
	struct message *m;

	(void)state;
	(void)enter(1, 1);
	m = enter(2, 1);
	(void)enter(3, 1);
	walk_start(&v.walk, &over_mails, m);
	walk_start(&gone.walk, &over_mails, m);
	walk_start_nowhere(&none.walk, &over_mails);
	turn();
	assert_int_equal(v.n_mails, 1);
	assert_int_equal(v.mails[0], 2);
	leave(m);
	gone.may_not = false;
	turn();
	assert_int_equal(gone.n_mails, 0); /* not the one behind it */
	assert_int_equal(none.n_mails, 0);
	assert_int_equal(v.n_ends + gone.n_ends + none.n_ends, 3);
	leave_all();
}

/* Between two turns the mail rests, moves, grows and rests again. */
static void goes_on_where_it_stopped(void **state)
{
	struct spool_recipient one_more = { .forward_path = SLICE("r@h"), .original = SLICE("r@h") };
	struct visitor v = { .n_ends = 0 };
	struct message *m;
	uint32_t n_added = 0;

	(void)state;
	m = enter(7, N_RCPTS);
	walk_start(&v.walk, &over_recipients, NULL);
	for (unsigned n = 0; v.n_ends == 0; n++) {
		uint32_t n_before = v.n_seen;
		turn();
		if (v.n_ends)
			break;
		assert_true(v.n_seen > n_before && v.n_seen - n_before <= WALK_STEPS);
		assert_ptr_equal(v.walk.at.m, m); /* not looked for again, in each turn from the start */
		assert_int_equal(v.walk.at.next, v.n_seen);
		if (n % 2 == 0) {
			message_thaw(m);
			(void)message_add(m, &one_more);
			n_added++;
		} else {
			message_freeze(m);
			walks_message_froze(m);
			assert_null(v.walk.at.m);
		}
	}
	assert_true(n_added >= 2);
	assert_int_equal(v.n_seen, N_RCPTS + n_added);
	assert_int_equal(v.wrong, 0);
	leave_all();
}

static void many_share_a_turn(void **state)
{
	static struct visitor v[2 * WALK_STEPS / WALK_STEPS_MIN];

	(void)state;
	(void)enter(1, WALK_STEPS);
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		walk_start(&v[i].walk, &over_recipients, NULL);
	turn();
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_true(v[i].n_seen > 0);
		assert_true(v[i].n_seen <= WALK_STEPS_MIN);
	}
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		walk_stop(&v[i].walk);
	turn();
	assert_true(is_asleep());
	leave_all();
}

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	queue.rp = &process;
	list_init(&queue.all);
	channel_loop_init(&loop);
	message_memory_init(SIZE_MAX);
	walks_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sees_each_mail_in_order),
		cmocka_unit_test(mail_may_leave_under_it),
		cmocka_unit_test(later_mail_is_not_its_own),
		cmocka_unit_test(one_mail_is_all_or_nothing),
		cmocka_unit_test(goes_on_where_it_stopped),
		cmocka_unit_test(many_share_a_turn),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
