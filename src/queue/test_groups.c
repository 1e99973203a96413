/* SPDX-License-Identifier: Apache-2.0 */
/* test_groups.c - mail counted by what it has in common: the sums, and the bounds of keys and of counters */
#include "ipc/client.h"
#include "queue/test_rig.h"
#include <sysexits.h>

#define PAUSED "paused = yes\n" /* all of it rests */
#define KEYS_MAX 10000		/* groups.c */
#define COUNTERS 8

struct sums {
	size_t n_groups;
	uint64_t n_mails, n_rcpts, n_other_rcpts;
	char first[64]; /* key of the largest */
	int exit_code;
};

static void ask(struct client *c, const struct rig *rig, enum queue_by by, const char *filter)
{
	assert_int_equal(client_open(c, rig_path(rig, "run/control")), 0);
	assert_int_equal(CLIENT_SEND(c, QUEUE_LIST, .request = 1, .view = QUEUE_VIEW_GROUPS,
				 .by = (uint8_t)by, .filter = slice_of(filter)),
		0);
	assert_int_equal(client_flush(c), 0);
}

static void hear(struct client *c, struct sums *s)
{
	enum msg_type type = MSG_NONE;
	union msg_any m;

	*s = (struct sums){ 0 };
	while (type != MSG_REQUEST_DONE) {
		assert_int_equal(client_receive(c, &type, &m), 0);
		if (type != MSG_QUEUE_GROUP)
			continue;
		if (s->n_groups++ == 0)
			(void)snprintf(s->first, sizeof(s->first), "%.*s", SLICE_ARG(m.QUEUE_GROUP.key));
		s->n_mails += m.QUEUE_GROUP.n_mails;
		s->n_rcpts += m.QUEUE_GROUP.n_rcpts;
		if (slice_eq(m.QUEUE_GROUP.key, SLICE("(others)")))
			s->n_other_rcpts = m.QUEUE_GROUP.n_rcpts;
	}
	s->exit_code = m.REQUEST_DONE.exit_code;
	client_close(c);
}

static struct sums count(const struct rig *rig, enum queue_by by, const char *filter)
{
	struct client c = CLIENT_INIT;
	struct sums s;

	ask(&c, rig, by, filter);
	hear(&c, &s);
	assert_int_equal(s.exit_code, EX_OK);
	return s;
}

static void sums_are_of_what_filters_want(void **state)
{
	static const struct {
		enum queue_by by;
		const char *filter, *first;
		size_t n_groups;
		uint64_t n_mails, n_rcpts;
	} rows[] = {
		{ QUEUE_BY_ALL, "", "", 1, 3, 5 },
		{ QUEUE_BY_ALL, "domain=one.example\n", "", 1, 2, 3 },
		{ QUEUE_BY_ALL, "domain=none.example\n", "", 0, 0, 0 },
		{ QUEUE_BY_SENDER, "", "a@far.example", 2, 3, 5 },
		{ QUEUE_BY_SENDER, "to=r1@\n", "a@far.example", 2, 2, 2 },
		{ QUEUE_BY_DOMAIN, "", "one.example", 2, 4, 5 }, /* one mail is of both */
		{ QUEUE_BY_DOMAIN, "from=b@\n", "two.example", 1, 1, 1 },
		{ QUEUE_BY_REASON, "", "(not tried yet)", 1, 3, 5 },
	};
	struct rig rig;

	(void)state;
	rig_init(&rig, PAUSED);
	rig_start(&rig);
	(void)rig_accept(&rig,
		&(struct rig_mail){ .from = "a@far.example",
			.to = { "r1@one.example", "r2@one.example", "r3@two.example" } });
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "a@far.example", .to = { "r4@one.example" } });
	(void)rig_accept(&rig, &(struct rig_mail){ .from = "b@far.example", .to = { "r1@two.example" } });
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sums s = count(&rig, rows[i].by, rows[i].filter);
		assert_int_equal(s.n_groups, rows[i].n_groups);
		assert_int_equal(s.n_mails, rows[i].n_mails);
		assert_int_equal(s.n_rcpts, rows[i].n_rcpts);
		assert_string_equal(s.first, rows[i].first);
	}
	rig_deinit(&rig);
}

/* One mail to a recipient in each of so many domains. */
static void send_to_domains(struct rig *rig, size_t n)
{
	struct channel *smtpd = rig->peers[ROLE_SMTPD];
	uint64_t number = ++rig->next_mail;
	char to[64];

	SEND(smtpd, MAIL_BEGIN, .mail = number, .queue_id = rig->next_id++,
		.reverse_path = SLICE("a@far.example"), .protocol = SLICE("ESMTP"));
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(to, sizeof(to), "user@a-domain-with-a-long-name-%zu.example", i);
		SEND(smtpd, MAIL_RCPT, .mail = number, .forward_path = slice_of(to));
	}
	SEND(smtpd, MAIL_CONTENT, .mail = number, .chunk = SLICE("Subject: many\n\n"));
	SEND(smtpd, MAIL_END, .mail = number);
	rig_wait(rig, rig->n_results);
	assert_int_equal(rig_code(rig, 0), 250);
}

static void keys_and_counters_are_bounded(void **state)
{
	struct client unread[COUNTERS];
	struct sums s = { 0 };
	struct rig rig;

	(void)state;
	rig_init(&rig, PAUSED);
	rig_start(&rig);
	send_to_domains(&rig, KEYS_MAX + 5);
	s = count(&rig, QUEUE_BY_DOMAIN, "");
	assert_int_equal(s.n_groups, KEYS_MAX + 1);
	assert_int_equal(s.n_rcpts, KEYS_MAX + 5);
	assert_int_equal(s.n_other_rcpts, 5);
	/* Whoever does not read the sums keeps them in the queue's memory. */
	for (size_t i = 0; i < COUNTERS; i++) {
		unread[i] = (struct client)CLIENT_INIT;
		ask(&unread[i], &rig, QUEUE_BY_DOMAIN, "");
	}
	for (uint64_t start = rig_now(); s.exit_code != EX_TEMPFAIL && rig_now() - start < RIG_WAIT_MS;) {
		struct client c = CLIENT_INIT;
		ask(&c, &rig, QUEUE_BY_ALL, "");
		hear(&c, &s);
	}
	assert_int_equal(s.exit_code, EX_TEMPFAIL);
	for (size_t i = 0; i < COUNTERS; i++) {
		hear(&unread[i], &s);
		assert_int_equal(s.n_rcpts, KEYS_MAX + 5);
	}
	assert_int_equal(count(&rig, QUEUE_BY_ALL, "").n_rcpts, KEYS_MAX + 5);
	rig_deinit(&rig);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_of_what_filters_want),
		cmocka_unit_test(keys_and_counters_are_bounded),
	};
	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
