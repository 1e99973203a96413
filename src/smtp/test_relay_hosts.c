/* SPDX-License-Identifier: Apache-2.0 */
/* test_relay_hosts.c - which host is next, and destinations that lead to none */
#include "smtp/test_relay_rig.h"

/* ---- the next host ---- */

static void goes_on_to_the_next_host(void **state)
{
	static const struct {
		struct server_manners first, later;
		struct rig_job row;
		const char *want;
		size_t n_connections;
	} rows[] = {
		{ { .greeting = "554 no\r\n" }, { 0 }, { 0 }, "1 relayed", 2 },
		{ { .greeting = "521 no\r\n" }, { .greeting = "521 no\r\n" }, { 0 }, "1 failed 5.3.2", 2 },
		{ { .greeting = "450 no\r\n" }, { .greeting = "521 no\r\n" }, { 0 }, "1 unreachable 4.3.0",
			2 },
		{ { .greeting = REPLY_CLOSE }, { 0 }, { 0 }, "1 relayed", 2 },
		{ { .ehlo = "421 no\r\n" }, { 0 }, { 0 }, "1 relayed", 2 },
		{ { .mail = "421 no\r\n" }, { 0 }, { 0 }, "1 relayed", 2 },
		{ { .mail = REPLY_CLOSE }, { 0 }, { 0 }, "1 relayed", 2 },
		{ { .rcpt = "421 no\r\n" }, { 0 }, { 0 }, "1 relayed", 2 },
		{ { .rcpt = "junk\r\n" }, { 0 }, { 0 }, "1 relayed", 2 },
		{ { .mail = "450 no\r\n" }, { 0 }, { 0 }, "1 deferred 4.0.0", 1 },
		{ { .rcpt = "550 no\r\n" }, { 0 }, { 0 }, "1 failed 5.0.0", 1 },
		{ { .data = "421 no\r\n" }, { 0 }, { 0 }, "1 deferred 4.4.2", 1 }, /* it had accepted one */
		{ { .body = REPLY_CLOSE }, { 0 }, { 0 }, "1 deferred 4.4.2", 1 },  /* and who knows */
		{ { 0 }, { 0 }, { .rcpts = "no@x a@x" }, "1 failed\n2 relayed", 1 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig_job row = rows[i].row;
		row.destination = "[two.test]";
		rig_run_one(&rows[i].first, &rows[i].later, "", &row);
		rig_assert_lines(buf_slice(&rig.heard), rows[i].want);
		assert_int_equal(rig.server.n_connections, rows[i].n_connections);
		rig_stop();
	}
}

static void loops_are_seen(void **state)
{
	static const struct server_manners ourselves = { .ehlo = "250 Client.test\r\n" };

	(void)state;
	rig_run_one(&ourselves, &rig_good_server, "", &(struct rig_job){ 0 }); /* told to go there: allowed */
	rig_assert_lines(buf_slice(&rig.heard), "1 relayed");
	rig_stop();
	rig_run_one(&ourselves, &rig_good_server, "", &(struct rig_job){ .destination = "one.test" });
	rig_assert_lines(buf_slice(&rig.heard), "1 failed 5.4.6 mail for one.test:");
	rig_stop();
}

/* A kept connection that the server closed meanwhile costs nothing. */
static void stale_connections(void **state)
{
	static const struct server_manners once = { .body = "250 2.0.0 Ok\r\n" REPLY_CLOSE };

	(void)state;
	rig_run_one(&once, &once, "", &(struct rig_job){ 0 });
	for (uint64_t i = 2; i < 6; i++) {
		rig_send_job(i, &(struct rig_job){ 0 });
		rig_await_done(i);
	}
	rig_assert_lines(buf_slice(&rig.heard), "1 relayed\n1 relayed\n1 relayed\n1 relayed\n1 relayed");
	assert_int_equal(rig.server.n_connections, 5);
	rig_stop();
}

static void hosts_that_are_not_there(void **state)
{
	(void)state;
	rig_start("");
	SEND(rig.queue_end, JOB_BEGIN, .job = 1, .queue_id = 7, .destination = SLICE("[two.test]:1"),
		.reverse_path = SLICE_EMPTY, .envid = SLICE_EMPTY, .size = 2, .n_rcpts = 1);
	rig_send_rcpts(1, &(struct rig_job){ 0 }, SLICE("a@x.test"));
	SEND(rig.queue_end, JOB_CONTENT, .job = 1, .offset = 0, .chunk = SLICE("x\n"));
	rig_await_done(1);
	rig_assert_lines(buf_slice(&rig.heard), "]:1: Connection refused (two.test[127.0.0.");
	rig_stop();
}

static void bad_destinations(void **state)
{
	static const struct {
		const char *destination, *want;
	} rows[] = {
		{ "[x", "1 deferred 4.3.5 bad next hop" },
		{ "a b", "1 failed 5.1.2 bad next hop" },
		{ "[two.test]:0", "1 deferred 4.3.5 bad next hop" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rig_run_to(rows[i].destination);
		rig_assert_lines(buf_slice(&rig.heard), rows[i].want);
		rig_stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(goes_on_to_the_next_host),
		RIG_TEST(loops_are_seen),
		RIG_TEST(stale_connections),
		RIG_TEST(hosts_that_are_not_there),
		RIG_TEST(bad_destinations),
	};
	return cmocka_run_group_tests(tests, rig_set_up_group, rig_tear_down_group);
}
