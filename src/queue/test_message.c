/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/message.h"
#include "base/limits.h"
#include "support/test.h"

static const struct spool_envelope envelope = { .id = 1, .arrival_us = 1, .reverse_path = SLICE("s@h") };

static struct spool_recipient rcpt(const char *address)
{
	return (struct spool_recipient){
		.forward_path = slice_of(address), .original = slice_of(address), .trail = slice_of(address)
	};
}

static struct message *thawed(
	const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	struct message *m = message_new(env, rcpts, n_rcpts);

	assert_non_null(m);
	message_thaw(m);
	return m;
}

/* What the counts must always be, recomputed. */
static void check_counts(const struct message *m)
{
	uint32_t n_in[STAGE_COUNT] = { 0 };

	for (uint32_t i = 0; i < m->n_rcpts; i++)
		n_in[m->rcpts[i].stage]++;
	for (size_t s = 0; s < STAGE_COUNT; s++)
		assert_int_equal(m->live->n_in[s], n_in[s]);
	assert_int_equal(message_n_open(m), m->n_rcpts - n_in[STAGE_DONE]);
}

static void stages_keep_the_counts(void **state)
{
	struct spool_recipient rcpts[] = { rcpt("a@h"), rcpt("b@h"), rcpt("c@h") };
	struct message *m;

	(void)state;
	rcpts[2].progress.state = SPOOL_RCPT_DELIVERED; /* as after a recovery */
	m = thawed(&envelope, rcpts, ARRAY_LEN(rcpts));
	check_counts(m);
	assert_int_equal(message_n_open(m), 2);
	for (int from = STAGE_NEW; from <= STAGE_DONE; from++) {
		for (int to = STAGE_NEW; to <= STAGE_DONE; to++) {
			recipient_stage(m, &m->rcpts[0], (enum recipient_stage)from);
			recipient_stage(m, &m->rcpts[0], (enum recipient_stage)to);
			check_counts(m);
		}
	}
	message_free(&m);
	assert_null(m);
}

static void the_same_delivery_is_made_once(void **state)
{
	struct spool_recipient rcpts[] = { rcpt("a@h"), rcpt("A2@h"), rcpt("x@r"), rcpt("x@r") };
	struct message *m = thawed(&envelope, rcpts, ARRAY_LEN(rcpts));

	(void)state;
	assert_true(recipient_resolve(m, &m->rcpts[0], LEAF_USER, SLICE("a")));
	assert_false(recipient_resolve(
		m, &m->rcpts[1], LEAF_USER, SLICE("a"))); /* another name of the same mailbox */
	assert_true(recipient_resolve(m, &m->rcpts[2], LEAF_REMOTE, SLICE("r")));
	assert_false(recipient_resolve(m, &m->rcpts[3], LEAF_REMOTE, SLICE("r")));
	/* resolved again after a deferral: it does not collide with itself */
	assert_true(recipient_resolve(m, &m->rcpts[0], LEAF_USER, SLICE("a")));
	message_free(&m);
}

static void a_mailbox_and_the_same_user_forwarding_differ(void **state)
{
	struct spool_recipient rcpts[] = { rcpt("a@h"), rcpt("a@h") };
	struct message *m;

	(void)state;
	rcpts[1].flags = SPOOL_RCPT_NO_FORWARD;
	m = thawed(&envelope, rcpts, ARRAY_LEN(rcpts));
	assert_true(recipient_resolve(m, &m->rcpts[0], LEAF_USER, SLICE("a")));
	assert_true(recipient_resolve(m, &m->rcpts[1], LEAF_USER, SLICE("a")));
	message_free(&m);
}

static void what_was_replaced_is_no_delivery(void **state)
{
	struct spool_recipient rcpts[] = { rcpt("a@h"), rcpt("a@h") };
	struct message *m = thawed(&envelope, rcpts, ARRAY_LEN(rcpts));

	(void)state;
	assert_true(recipient_resolve(m, &m->rcpts[0], LEAF_USER, SLICE("a")));
	m->rcpts[0].state = SPOOL_RCPT_EXPANDED;
	assert_true(recipient_resolve(
		m, &m->rcpts[1], LEAF_USER, SLICE("a"))); /* came back by another's ~/.forward */
	message_free(&m);
}

static void commands_of_a_user_share_a_destination(void **state)
{
	static const struct {
		unsigned kind;
		const char *origin, *destination;
	} rows[] = {
		{ SPOOL_RCPT_COMMAND, "forward:u1::1", "forward:u1" },
		{ SPOOL_RCPT_FILE, "forward:u1:x:2", "forward:u1" },
		{ SPOOL_RCPT_COMMAND, "forward:u2::1", "forward:u2" },
		{ SPOOL_RCPT_COMMAND, "mailbox:u1", "mailbox:u1" },
		{ SPOOL_RCPT_COMMAND, "aliases:u1:1:1", "aliases:u1:1:1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct spool_recipient r = rcpt("a@h");
		struct message *m;
		r.kind = rows[i].kind;
		r.origin_key = slice_of(rows[i].origin);
		m = thawed(&envelope, &r, 1);
		assert_true(recipient_resolve_item(m, &m->rcpts[0]));
		assert_slice_equal(m->rcpts[0].user, slice_of(rows[i].destination));
		message_free(&m);
	}
}

static void expansions_are_bounded_in_sum(void **state)
{
	static char trail[2000];
	static const struct {
		uint32_t n_rcpts;
		size_t n, trail;
		bool has_room;
	} rows[] = {
		{ 1, LIMIT_EXPANSION, 100, true },
		{ LIMIT_EXPANSION, LIMIT_EXPANSION, 100, true },
		{ LIMIT_RECIPIENTS - LIMIT_EXPANSION, LIMIT_EXPANSION, 100, true },
		{ LIMIT_RECIPIENTS - LIMIT_EXPANSION + 1, LIMIT_EXPANSION, 100, false },
		{ LIMIT_RECIPIENTS, 1, 100, false },
		{ UINT32_MAX, 1, 100, false },
		{ 1, 20000, sizeof(trail), true },
		{ 1, LIMIT_EXPANSION, sizeof(trail), false },
	};

	(void)state;
	memset(trail, 'a', sizeof(trail));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct message m = { .n_rcpts = rows[i].n_rcpts };
		const struct recipient r = { .trail = { trail, rows[i].trail } };
		assert_int_equal(message_has_room(&m, &r, rows[i].n), rows[i].has_room);
	}
}

static void identities_survive_growth(void **state)
{
	struct spool_recipient first[] = { rcpt("u0@h"), rcpt("u1@h") };
	struct message *m = thawed(&envelope, first, 2);
	char name[32];

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof(name), "u%u@h", i);
		if (i >= 2) {
			struct spool_recipient r = rcpt(name);
			assert_int_equal(message_add(m, &r), i);
		}
		assert_true(recipient_resolve(m, &m->rcpts[i], LEAF_USER, slice_of(name)));
	}
	struct spool_recipient again = rcpt("other@h");
	uint32_t n = message_add(m, &again);
	assert_false(recipient_resolve(m, &m->rcpts[n], LEAF_USER, SLICE("u0@h")));
	assert_false(recipient_resolve(m, &m->rcpts[n], LEAF_USER, SLICE("u199@h")));
	message_free(&m);
}

static void views_give_back_what_came(void **state)
{
	struct spool_recipient in = rcpt("a@h"), out;
	struct message *m;

	(void)state;
	in.orcpt = SLICE("rfc822;a@h");
	in.notify = NOTIFY_DELAY;
	in.has_reverse_path = true;
	in.reverse_path = SLICE("owner-l@h");
	in.trail = SLICE("a@h\nb@h\tb");
	in.progress.attempts = 3;
	in.progress.status = SLICE("4.4.1");
	in.progress.reason = SLICE("connection refused");
	m = thawed(&envelope, &in, 1);
	recipient_view(&m->rcpts[0], &out);
	assert_slice_equal(out.orcpt, in.orcpt);
	assert_slice_equal(out.reverse_path, in.reverse_path);
	assert_slice_equal(out.trail, in.trail);
	assert_slice_equal(out.progress.reason, in.progress.reason);
	assert_int_equal(out.progress.attempts, 3);
	assert_slice_equal(recipient_reverse_path(m, &m->rcpts[0]), SLICE("owner-l@h"));
	message_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_keep_the_counts),
		cmocka_unit_test(the_same_delivery_is_made_once),
		cmocka_unit_test(a_mailbox_and_the_same_user_forwarding_differ),
		cmocka_unit_test(what_was_replaced_is_no_delivery),
		cmocka_unit_test(commands_of_a_user_share_a_destination),
		cmocka_unit_test(expansions_are_bounded_in_sum),
		cmocka_unit_test(identities_survive_growth),
		cmocka_unit_test(views_give_back_what_came),
	};

	message_memory_init(SIZE_MAX);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
