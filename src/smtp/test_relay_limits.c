/* SPDX-License-Identifier: Apache-2.0 */
/* test_relay_limits.c - how many connections, cancelled jobs, and what ends while it is under way */
#include "smtp/test_relay_rig.h"

/* ---- limits, cancelling, ends ---- */

static void limits_connections(void **state)
{
	(void)state;
	rig_start("destination_concurrency = 2\n");
	server_reset(&rig.server, &rig_good_server, &rig_good_server);
	for (uint64_t i = 1; i <= 50; i++)
		rig_send_job(i, &(struct rig_job){ 0 });
	rig_await_done(50);
	assert_int_equal(rig.server.n_mails, 50);
	assert_int_equal(rig.server.n_connections, 2);
	rig_stop();
	rig_start("destination_concurrency = 1\nmessages_per_connection = 20\n");
	server_reset(&rig.server, &rig_good_server, &rig_good_server);
	for (uint64_t i = 1; i <= 50; i++)
		rig_send_job(i, &(struct rig_job){ 0 });
	rig_await_done(50);
	assert_int_equal(rig.server.n_mails, 50);
	assert_int_equal(rig.server.n_connections, 3);
	rig_stop();
	rig_start("max_connections = 1\n");
	server_reset(&rig.server, &rig_good_server, &rig_good_server);
	for (uint64_t i = 1; i <= 20; i++)
		rig_send_job(i, &(struct rig_job){ .destination = i % 2 ? "[127.0.0.1]" : "[127.0.0.2]" });
	rig_await_done(20);
	assert_int_equal(rig.server.n_mails, 20);
	rig_stop();
}

static void cancels(void **state)
{
	(void)state;
	rig_start("destination_concurrency = 1\n");
	server_reset(&rig.server, &(struct server_manners){ .rcpt = REPLY_SILENT }, &rig_good_server);
	rig_send_job(1, &(struct rig_job){ 0 });
	rig_send_job(2, &(struct rig_job){ 0 });
	rig_send_job(3, &(struct rig_job){ 0 });
	while (rig.server.commands.len < 60)
		(void)uv_run(rig.loop, UV_RUN_ONCE);
	SEND(rig.queue_end, JOB_CANCEL, .job = 2); /* waits */
	SEND(rig.queue_end, JOB_CANCEL, .job = 1); /* in the middle */
	SEND(rig.queue_end, JOB_CANCEL, .job = 9); /* unknown */
	rig_await_done(3);
	rig_assert_lines(buf_slice(&rig.heard), "1 relayed");
	assert_int_equal(rig.relay.jobs.n, 0);
	rig_stop();
}

static void cancel_is_too_late_after_the_dot(void **state)
{
	(void)state;
	rig_start("");
	server_reset(&rig.server, &(struct server_manners){ .body = "250 ok\r\n", .trickles = true },
		&rig_good_server);
	rig_send_job(1, &(struct rig_job){ 0 });
	while (rig.server.n_mails == 0)
		(void)uv_run(rig.loop, UV_RUN_ONCE);
	SEND(rig.queue_end, JOB_CANCEL, .job = 1);
	rig_await_done(1);
	rig_assert_lines(buf_slice(&rig.heard), "1 relayed");
	rig_stop();
}

static void queue_dies(void **state)
{
	(void)state;
	rig_start("destination_concurrency = 2\n");
	server_reset(&rig.server, &(struct server_manners){ .rcpt = REPLY_SILENT }, &rig_good_server);
	for (uint64_t i = 1; i <= 5; i++)
		rig_send_job(i, &(struct rig_job){ .destination = i == 5 ? "nowhere.example" : NULL });
	while (rig.server.commands.len < 60)
		(void)uv_run(rig.loop, UV_RUN_ONCE);
	relay_drop_all(&rig.relay);
	assert_int_equal(rig.relay.jobs.n, 0);
	assert_int_equal(rig.relay.n_sessions, 0);
	assert_int_equal(rig.relay.lanes.n, 0);
	rig_stop();
}

static size_t n_stopped;

static void on_stopped(struct relay *r)
{
	(void)r;
	n_stopped++;
}

static void stopping_waits_for_verdicts(void **state)
{
	(void)state;
	rig_start("");
	server_reset(&rig.server, &(struct server_manners){ .trickles = true }, &rig_good_server);
	rig_send_job(1, &(struct rig_job){ 0 });
	while (rig.server.n_mails == 0)
		(void)uv_run(rig.loop, UV_RUN_ONCE);
	n_stopped = 0;
	rig.relay.on_stopped = on_stopped;
	relay_stop(&rig.relay);
	assert_int_equal(n_stopped, 0);
	while (n_stopped == 0)
		(void)uv_run(rig.loop, UV_RUN_ONCE);
	rig_await_done(1);
	rig_assert_lines(buf_slice(&rig.heard), "1 relayed");
	rig_stop();
}

static void confused_queue(void **state)
{
	(void)state;
	rig_start("");
	server_reset(&rig.server, &rig_good_server, &rig_good_server);
	SEND(rig.queue_end, JOB_BEGIN, .job = 1, .queue_id = 7, .destination = SLICE("x"),
		.reverse_path = SLICE_EMPTY, .envid = SLICE_EMPTY, .size = 2, .n_rcpts = 0);
	SEND(rig.queue_end, JOB_BEGIN, .job = 2, .queue_id = 7, .destination = SLICE("x"),
		.reverse_path = SLICE_EMPTY, .envid = SLICE_EMPTY, .size = 2, .n_rcpts = 4000000000);
	SEND(rig.queue_end, JOB_CONTENT, .job = 3, .offset = 0, .chunk = SLICE("x\n"));
	SEND(rig.queue_end, JOB_BEGIN, .job = 4, .queue_id = 7, .destination = SLICE("x"),
		.reverse_path = SLICE_EMPTY, .envid = SLICE_EMPTY, .size = 2, .n_rcpts = 1);
	rig_send_rcpts(4, &(struct rig_job){ 0 }, SLICE("a@x"));
	SEND(rig.queue_end, JOB_CONTENT, .job = 4, .offset = 1, .chunk = SLICE("x\n"));
	rig_await_done(3);
	rig_assert_lines(buf_slice(&rig.heard), "1 deferred 4.3.0");
	assert_int_equal(rig.relay.jobs.n, 0);
	rig_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(limits_connections),
		RIG_TEST(cancels),
		RIG_TEST(cancel_is_too_late_after_the_dot),
		RIG_TEST(queue_dies),
		RIG_TEST(stopping_waits_for_verdicts),
		RIG_TEST(confused_queue),
	};
	return cmocka_run_group_tests(tests, rig_set_up_group, rig_tear_down_group);
}
