/* SPDX-License-Identifier: Apache-2.0 */
/* test_frozen.c - messages at rest: nothing is lost by freezing and thawing, and views tell the same of both
 */
#include "base/buf.h"
#include "queue/frozen.h"
#include "support/test.h"

#define ROUNDS 2000
#define RCPTS_MAX 12

static uint64_t seed = 88172645463325252;

static uint64_t dice(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static uint64_t some_number(void)
{
	return dice(3) ? seed >> dice(64) : 0;
}

/* Of a few, so that some are shared and some empty; valid for the test. */
static struct slice some_text(void)
{
	static char bytes[3000];

	if (bytes[0] == 0)
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (char)(i * 7 + 1);
	switch (dice(4)) {
	case 0: return SLICE_EMPTY;
	case 1: return (struct slice){ bytes, 1 + dice(4) };
	case 2: return (struct slice){ bytes + dice(100), dice(200) };
	default: return (struct slice){ bytes + dice(10), dice(20) ? 10 : 900 };
	}
}

static void some_envelope(struct spool_envelope *env)
{
	*env = (struct spool_envelope){
		.id = some_number(),
		.arrival_us = some_number(),
		.reverse_path = some_text(),
		.envid = some_text(),
		.ret = dice(3),
		.body_type = dice(3),
		.smtputf8 = dice(2),
		.flags = (uint32_t)some_number(),
		.priority = (uint8_t)dice(256),
		.client_address = some_text(),
		.client_name = some_text(),
		.client_helo = some_text(),
		.protocol = some_text(),
		.login = some_text(),
		.submission = some_text(),
	};
}

static void some_recipient(struct spool_recipient *r)
{
	*r = (struct spool_recipient){
		.forward_path = some_text(),
		.orcpt = some_text(),
		.has_reverse_path = dice(2),
		.trail = some_text(),
		.parent = (uint32_t)dice(RCPTS_MAX),
		.notify = (uint8_t)dice(16),
		.kind = dice(SPOOL_RCPT_KINDS),
		.flags = (uint32_t)some_number(),
		.origin = dice(SPOOL_ORIGIN_USER + 1),
		.origin_key = some_text(),
		.origin_item = (uint32_t)some_number(),
		.origin_uid = (uint32_t)some_number(),
		.progress = { .state = dice(2) ? SPOOL_RCPT_PENDING : dice(SPOOL_RCPT_STATES),
			.attempts = (uint32_t)some_number(),
			.flags = (uint32_t)some_number(),
			.first_attempt_us = some_number(),
			.last_attempt_us = some_number(),
			.next_attempt_us = some_number(),
			.status = slice_first(some_text(), 16),
			.reason = some_text() },
	};
	r->original = dice(2) ? r->forward_path : some_text();
	if (r->has_reverse_path)
		r->reverse_path = some_text();
	if (dice(2)) {
		r->kind = SPOOL_RCPT_ADDRESS;
		r->origin = SPOOL_ORIGIN_NONE;
		r->origin_key = SLICE_EMPTY;
		r->origin_item = r->origin_uid = 0;
	}
}

static void assert_same_envelope(const struct spool_envelope *a, const struct spool_envelope *b)
{
	assert_true(a->id == b->id && a->arrival_us == b->arrival_us);
	assert_true(a->ret == b->ret && a->body_type == b->body_type && a->smtputf8 == b->smtputf8);
	assert_true(a->flags == b->flags && a->priority == b->priority);
	assert_slice_equal(a->reverse_path, b->reverse_path);
	assert_slice_equal(a->envid, b->envid);
	assert_slice_equal(a->client_address, b->client_address);
	assert_slice_equal(a->client_name, b->client_name);
	assert_slice_equal(a->client_helo, b->client_helo);
	assert_slice_equal(a->protocol, b->protocol);
	assert_slice_equal(a->login, b->login);
	assert_slice_equal(a->submission, b->submission);
}

static void assert_same_recipient(const struct spool_recipient *a, const struct spool_recipient *b)
{
	const struct spool_progress *p = &a->progress, *q = &b->progress;

	assert_slice_equal(a->forward_path, b->forward_path);
	assert_slice_equal(a->original, b->original);
	assert_slice_equal(a->orcpt, b->orcpt);
	assert_slice_equal(a->reverse_path, b->reverse_path);
	assert_true(a->has_reverse_path == b->has_reverse_path);
	assert_slice_equal(a->trail, b->trail);
	assert_true(a->parent == b->parent && a->notify == b->notify && a->kind == b->kind);
	assert_true(a->flags == b->flags && a->origin == b->origin);
	assert_slice_equal(a->origin_key, b->origin_key);
	assert_true(a->origin_item == b->origin_item && a->origin_uid == b->origin_uid);
	assert_true(p->state == q->state && p->attempts == q->attempts && p->flags == q->flags);
	assert_true(p->first_attempt_us == q->first_attempt_us && p->last_attempt_us == q->last_attempt_us &&
		p->next_attempt_us == q->next_attempt_us);
	assert_slice_equal(p->status, q->status);
	assert_slice_equal(p->reason, q->reason);
}

static void dump_text(struct buf *to, struct slice s)
{
	buf_printf(to, "%zu:", s.len);
	buf_append(to, s);
	buf_append_byte(to, ' ');
}

static void dump_recipient(struct buf *to, const struct recipient_view *v)
{
	const struct spool_recipient *r = &v->spool;
	const struct spool_progress *p = &r->progress;

	dump_text(to, r->forward_path);
	dump_text(to, r->original);
	dump_text(to, r->orcpt);
	dump_text(to, r->reverse_path);
	dump_text(to, r->trail);
	dump_text(to, r->origin_key);
	dump_text(to, p->status);
	dump_text(to, p->reason);
	dump_text(to, v->remote);
	buf_printf(to, "%d %u %u %d %u %d %u %u ", r->has_reverse_path, r->parent, r->notify, r->kind,
		r->flags, r->origin, r->origin_item, r->origin_uid);
	buf_printf(to, "%d %u %u %" PRIu64 " %" PRIu64 " %" PRIu64 " ", p->state, p->attempts, p->flags,
		p->first_attempt_us, p->last_attempt_us, p->next_attempt_us);
	buf_printf(to, "%d %d %d %p %u", v->stage, v->reconcile, v->has_identity, (void *)v->outcome,
		v->waits_for);
	if (v->has_identity)
		buf_printf(to, " %u ", v->leaf);
	if (v->has_identity && v->leaf == LEAF_USER)
		dump_text(to, v->user);
	buf_append_byte(to, '\n');
}

/* All that the views of m say, as text; it outlives them. */
static void dump(const struct message *m, struct buf *to)
{
	struct recipient_cursor c = message_cursor(m);
	struct recipient_view v;
	uint32_t n = 0;

	buf_clear(to);
	for (; recipient_next(&c, &v); n++)
		dump_recipient(to, &v);
	assert_int_equal(n, m->n_rcpts);
	assert_false(recipient_next(&c, &v));
	buf_printf(to, "%u open", message_n_open(m));
	assert_true(buf_ok(to));
}

static void assert_same_dump(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->at, b->at, a->len);
}

/* What an attempt may leave behind. */
static void live_a_little(struct message *m)
{
	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		struct recipient *r = &m->rcpts[i];
		if (dice(3) == 0)
			recipient_set_outcome(
				r, slice_first(some_text(), 16), some_text(), slice_first(some_text(), 512));
		if (dice(2))
			(void)!recipient_resolve(
				m, r, dice(2) ? LEAF_USER : LEAF_REMOTE, slice_first(some_text(), 5));
		if (r->stage != STAGE_DONE)
			recipient_stage(m, r, dice(2) ? STAGE_WAITING : STAGE_NEW);
		r->reconcile = dice(2);
		r->waits_for = (uint32_t)some_number();
	}
	while (m->n_rcpts < RCPTS_MAX && dice(3) == 0) {
		struct spool_recipient more;
		some_recipient(&more);
		(void)message_add(m, &more);
	}
}

static struct message *some_message(struct spool_envelope *env, struct spool_recipient *rcpts)
{
	size_t n = 1 + dice(RCPTS_MAX - 1);
	struct message *m;

	some_envelope(env);
	for (size_t i = 0; i < n; i++)
		some_recipient(&rcpts[i]);
	m = dice(2) ? message_new(env, rcpts, n) : message_recover(env, rcpts, n);
	assert_non_null(m);
	return m;
}

static void assert_nothing_is_left(void)
{
	assert_int_equal(message_texts.table.n, 0);
	assert_int_equal(message_n_live(), 0);
	assert_int_equal(message_n_live_recipients(), 0);
}

static void a_new_message_is_what_was_given(void **state)
{
	struct spool_recipient rcpts[RCPTS_MAX], seen[RCPTS_MAX];
	struct spool_envelope env, got;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct message *m = some_message(&env, rcpts);
		uint32_t n_open = 0;
		message_envelope(m, &got);
		assert_same_envelope(&env, &got);
		assert_slice_equal(message_reverse_path(m), env.reverse_path);
		assert_slice_equal(message_submission(m), env.submission);
		message_recipients(m, seen);
		for (uint32_t i = 0; i < m->n_rcpts; i++) {
			assert_same_recipient(&rcpts[i], &seen[i]);
			n_open += !spool_rcpt_state_is_final(rcpts[i].progress.state);
		}
		assert_int_equal(message_n_open(m), n_open);
		message_free(&m);
	}
	assert_nothing_is_left();
}

static void freezing_and_thawing_lose_nothing(void **state)
{
	auto_buf struct buf before = BUF_INIT(SIZE_MAX / 2), after = BUF_INIT(SIZE_MAX / 2);
	struct spool_recipient rcpts[RCPTS_MAX];
	struct spool_envelope env, got;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct message *m = some_message(&env, rcpts);
		for (unsigned times = 0; times < 4; times++) {
			dump(m, &before);
			message_thaw(m);
			dump(m, &after);
			assert_same_dump(&before, &after);
			live_a_little(m);
			dump(m, &before);
			message_freeze(m);
			assert_null(m->live);
			dump(m, &after);
			assert_same_dump(&before, &after);
			message_envelope(m, &got);
			assert_same_envelope(&env, &got);
		}
		if (dice(2))
			message_thaw(m); /* a live one is freed as well */
		message_free(&m);
	}
	assert_nothing_is_left();
}

static const struct spool_recipient one = { .forward_path = SLICE_CONST("user@example.net"),
	.original = SLICE_CONST("user@example.net"),
	.trail = SLICE_CONST("user@example.net") };

static void what_was_delivered_is_known_after_the_rest(void **state)
{
	const struct spool_recipient rcpts[] = { one, one, one };
	const struct spool_envelope env = { .id = 1 };
	struct message *m = message_new(&env, rcpts, 3);
	uint32_t n;

	(void)state;
	message_thaw(m);
	assert_true(recipient_resolve(m, &m->rcpts[0], LEAF_USER, SLICE("user")));
	m->rcpts[0].state = SPOOL_RCPT_DELIVERED;
	recipient_stage(m, &m->rcpts[0], STAGE_DONE);
	assert_true(recipient_resolve(m, &m->rcpts[1], LEAF_REMOTE, SLICE("example.net")));
	m->rcpts[1].state = SPOOL_RCPT_DELIVERED;
	recipient_stage(m, &m->rcpts[1], STAGE_DONE);
	recipient_stage(m, &m->rcpts[2], STAGE_WAITING);
	message_freeze(m);
	message_thaw(m);
	n = message_add(m, &one);
	assert_false(recipient_resolve(m, &m->rcpts[n], LEAF_USER, SLICE("user")));
	assert_false(recipient_resolve(m, &m->rcpts[n], LEAF_REMOTE, SLICE("other.example")));
	assert_true(recipient_resolve(m, &m->rcpts[n], LEAF_USER, SLICE("user2")));
	message_free(&m);
	assert_nothing_is_left();
}

static void a_shared_reason_is_kept_once(void **state)
{
	struct spool_recipient rcpt = one;
	const struct spool_envelope env = { .id = 1, .client_name = SLICE("client.example") };
	struct message *messages[100];

	(void)state;
	rcpt.progress.reason = SLICE("connect to example.net[192.0.2.1]:25: connection refused");
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		messages[i] = message_new(&env, &rcpt, 1);
		assert_int_equal(message_texts.table.n, 2);
	}
	message_thaw(messages[0]);
	recipient_set_outcome(&messages[0]->rcpts[0], SLICE("4.4.1"), SLICE("timed out"), SLICE("mx"));
	assert_int_equal(message_texts.table.n, 3);
	message_freeze(messages[0]);
	assert_int_equal(message_texts.table.n, 3);
	message_thaw(messages[0]);
	recipient_set_outcome(&messages[0]->rcpts[0], SLICE_EMPTY, rcpt.progress.reason, SLICE_EMPTY);
	assert_int_equal(message_texts.table.n, 2);
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		message_free(&messages[i]);
	assert_nothing_is_left();
}

/* Whatever the ceiling, a message is made whole or not at all, and one that cannot be frozen lives on. */
static void no_memory_is_told_and_loses_nothing(void **state)
{
	auto_buf struct buf before = BUF_INIT(SIZE_MAX / 2), after = BUF_INIT(SIZE_MAX / 2);
	struct spool_recipient rcpts[3000];
	const struct spool_envelope env = { .id = 1, .client_name = SLICE("client.example") };
	char reasons[3000][60];
	size_t n_refused = 0, n_made = 0, least = message_slabs.bytes;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rcpts); i++) {
		(void)snprintf(
			reasons[i], sizeof(reasons[i]), "each of them has a reason of its own: %zu", i);
		rcpts[i] = one;
		rcpts[i].progress.reason = slice_of(reasons[i]);
	}
	for (size_t max = least; max < least + 1024 * 1024; max += 16 * 1024) {
		message_slabs.max_bytes = max;
		struct message *m = message_new(&env, rcpts, ARRAY_LEN(rcpts));
		n_made += m != NULL;
		n_refused += m == NULL;
		message_free(&m);
		assert_nothing_is_left();
	}
	assert_true(n_made > 10 && n_refused > 10);
	message_slabs.max_bytes = SIZE_MAX;
	struct message *m = message_new(&env, rcpts, ARRAY_LEN(rcpts));
	message_thaw(m);
	dump(m, &before);
	message_slabs.max_bytes = 0;
	message_freeze(m);
	assert_non_null(m->live);
	dump(m, &after);
	assert_same_dump(&before, &after);
	message_slabs.max_bytes = SIZE_MAX;
	message_freeze(m);
	assert_null(m->live);
	dump(m, &after);
	assert_same_dump(&before, &after);
	message_free(&m);
	assert_nothing_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_message_is_what_was_given),
		cmocka_unit_test(freezing_and_thawing_lose_nothing),
		cmocka_unit_test(what_was_delivered_is_known_after_the_rest),
		cmocka_unit_test(a_shared_reason_is_kept_once),
		cmocka_unit_test(no_memory_is_told_and_loses_nothing),
	};
	message_memory_init(SIZE_MAX);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
