/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_role.c - the whole role in a process of its own: start, jail, a relayed mail, an orderly stop
 *
 * The parent plays supervisor, queue and server. The system call filter is on, so that a call that the jail
 * forbids shows here.
 */
#include "smtp/smtp.h"
#include "smtp/test_server.h"
#include "support/role_process.h"

static uv_loop_t *loop;
static struct server server;
static struct channel *control, *queue;
static bool is_ready, is_done, is_gone;
static struct buf result = { .max = 4096 };

static void on_ready(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)m, (void)fd;
	is_ready = true;
}

static void on_log(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)m, (void)fd;
}

static void on_result(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	assert_int_equal(m->JOB_RESULT.outcome, JOB_RELAYED_DSN);
	buf_append(&result, m->JOB_RESULT.reason);
}

static void on_done(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)m, (void)fd;
	is_done = true;
}

static void on_closed(struct channel *ch, const char *why)
{
	(void)ch, (void)why;
	is_gone = true;
}

static const msg_handler handlers[MSG_TYPE_COUNT] = { [MSG_READY] = on_ready,
	[MSG_LOG_LINE] = on_log,
	[MSG_JOB_RESULT] = on_result,
	[MSG_JOB_DONE] = on_done };
static const struct channel_hooks hooks = { handlers, NULL, on_closed };

static const struct role_program program = { .name = "postriderd: smtp", .main = smtp_main };

static pid_t start_role(const char *config, int *control_out)
{
	int fds[2], config_fd = role_process_config(slice_of(config));
	pid_t pid;

	assert_int_equal(channel_pair(fds), 0);
	pid = role_process_start(&program, "/nonexistent", fds[1], config_fd);
	(void)close(fds[1]);
	(void)close(config_fd);
	*control_out = fds[0];
	return pid;
}

static void give_queue(void)
{
	int fds[2];

	assert_int_equal(channel_pair(fds), 0);
	queue = channel_new(loop, fds[0], ROLE_QUEUE, ROLE_SMTP, 0, &hooks, NULL);
	channel_send_fd(control, MSG_CHANNEL, &(struct msg_CHANNEL){ .peer = ROLE_QUEUE }, fds[1]);
}

static void send_job(const char *destination)
{
	static const struct slice content = { "Subject: x\n\nx\n", 14 };

	SEND(queue, JOB_BEGIN, .job = 1, .queue_id = 7, .destination = slice_of(destination),
		.reverse_path = SLICE_EMPTY, .envid = SLICE_EMPTY, .size = content.len, .n_rcpts = 1);
	SEND(queue, JOB_RCPT, .job = 1, .rcpt = 1, .kind = LEAF_REMOTE, .forward_path = SLICE("a@x.test"),
		.user = SLICE_EMPTY, .original = SLICE_EMPTY, .orcpt = SLICE_EMPTY, .trail = SLICE_EMPTY,
		.origin = SLICE_EMPTY);
	SEND(queue, JOB_CONTENT, .job = 1, .offset = 0, .chunk = content);
}

static void await(const bool *event)
{
	while (!*event && !is_gone)
		(void)uv_run(loop, UV_RUN_ONCE);
	assert_true(*event); /* otherwise the role died */
}

static void relays_and_stops(void **state)
{
	static const struct server_manners good = { 0 };
	char destination[64];
	int control_fd;
	pid_t pid;

	(void)state;
	pid = start_role("[main]\nhost_name = client.test\n[smtp]\nresolv_conf = /nonexistent\n"
			 "hosts_file = /nonexistent\n",
		&control_fd);
	loop = uv_default_loop();
	control = channel_new(loop, control_fd, ROLE_SUPERVISOR, ROLE_SMTP, 0, &hooks, NULL);
	server_start(&server, loop);
	server_reset(&server, &good, &good);
	await(&is_ready);
	give_queue();
	/* The resolver's thread starts in the jail with this name. */
	(void)snprintf(destination, sizeof(destination), "[localhost]:%u", server.port);
	send_job(destination);
	await(&is_done);
	assert_slice_equal(buf_slice(&result), SLICE("250 2.0.0 Ok: queued as 42"));
	SEND(control, STOP, .unused = 0);
	assert_false(is_gone);
	await(&is_gone);
	assert_int_equal(role_process_wait(pid), 0);
	channel_free(&control);
	channel_free(&queue);
	server_hang_up(&server);
	server_stop(&server);
	buf_free(&result);
	(void)uv_run(loop, UV_RUN_NOWAIT);
	(void)uv_run(loop, UV_RUN_NOWAIT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(relays_and_stops) };
	int status = role_process_main(&program, argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
