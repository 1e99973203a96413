/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "ipc/channel.h"
#include "support/test.h"
#include <fcntl.h>
#include <sys/socket.h>

/* One end is the queue's channel, the other a raw socket or smtpd's channel. */
struct seen {
	struct channel *queue, *smtpd;
	size_t n_rcpts, n_drains, n_bytes;
	char last[64];
	const char *why;
	bool free_in_handler;
	int fd;
};

static void on_rcpt(struct channel *ch, const union msg_any *m, int *fd)
{
	struct seen *s = ch->user;

	s->n_rcpts++;
	(void)snprintf(s->last, sizeof(s->last), "%.*s", SLICE_ARG(m->MAIL_RCPT.forward_path));
	if (*fd >= 0)
		s->fd = take_fd(fd);
	if (s->free_in_handler)
		channel_free(&s->queue);
}

static void on_content(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	((struct seen *)ch->user)->n_bytes += m->MAIL_CONTENT.chunk.len;
}

static void on_drain(struct channel *ch)
{
	((struct seen *)ch->user)->n_drains++;
}

static void on_closed(struct channel *ch, const char *why)
{
	struct seen *s = ch->user;

	s->why = why;
	channel_free(ch == s->queue ? &s->queue : &s->smtpd);
}

static const msg_handler handlers[MSG_TYPE_COUNT] = {
	[MSG_MAIL_RCPT] = on_rcpt, [MSG_MAIL_CONTENT] = on_content
};
static const struct channel_hooks hooks = { handlers, on_drain, on_closed };

/* The flush handle belongs to the process's one loop. */
static uv_loop_t *the_loop;

static int setup(void **state)
{
	struct seen *s = mem_new(sizeof(*s));
	int fds[2];

	the_loop = uv_default_loop();
	s->fd = -1;
	assert_int_equal(channel_pair(fds), 0);
	s->queue = channel_new(the_loop, fds[0], ROLE_QUEUE, ROLE_SMTPD, 0, &hooks, s);
	s->smtpd = channel_new(the_loop, fds[1], ROLE_SMTPD, ROLE_QUEUE, 0, &hooks, s);
	*state = s;
	return 0;
}

static void turns(int n)
{
	for (int i = 0; i < n; i++)
		(void)uv_run(the_loop, UV_RUN_NOWAIT);
}

static int teardown(void **state)
{
	struct seen *s = *state;

	channel_free(&s->queue);
	channel_free(&s->smtpd);
	turns(3);
	mem_free(s);
	return 0;
}

static void frames_arrive_in_order(void **state)
{
	struct seen *s = *state;

	SEND(s->smtpd, MAIL_RCPT, .mail = 1, .forward_path = SLICE("one"));
	SEND(s->smtpd, MAIL_RCPT, .mail = 1, .forward_path = SLICE("two"));
	turns(3);
	assert_int_equal(s->n_rcpts, 2);
	assert_string_equal(s->last, "two");
}

static void what_is_sent_later_keeps_its_place(void **state)
{
	struct seen *s = *state;
	const struct msg_MAIL_RCPT one = { .mail = 1, .forward_path = SLICE("one") };

	channel_send_later(s->smtpd, MSG_MAIL_RCPT, &one);
	channel_flush_dirty(the_loop);
	assert_true(channel_unsent(s->smtpd) > 0);
	SEND(s->smtpd, MAIL_RCPT, .mail = 1, .forward_path = SLICE("two"));
	channel_flush_dirty(the_loop);
	assert_int_equal(channel_unsent(s->smtpd), 0);
	turns(3);
	assert_int_equal(s->n_rcpts, 2);
	assert_string_equal(s->last, "two");
}

static void what_is_sent_later_leaves_by_itself(void **state)
{
	struct seen *s = *state;
	const struct msg_MAIL_RCPT one = { .mail = 1, .forward_path = SLICE("one") };

	channel_send_later(s->smtpd, MSG_MAIL_RCPT, &one);
	for (size_t i = 0; i < 1000 && s->n_rcpts == 0; i++)
		(void)uv_run(the_loop, UV_RUN_ONCE);
	assert_int_equal(s->n_rcpts, 1);
	/* Much does not wait. */
	for (size_t i = 0; i < 5000; i++)
		channel_send_later(s->smtpd, MSG_MAIL_RCPT, &one);
	channel_flush_dirty(the_loop);
	assert_true(channel_unsent(s->smtpd) < 5000 * MSG_HEADER_BYTES);
}

static void bytes_one_at_a_time(void **state)
{
	struct seen *s = *state;
	auto_buf struct buf frame = BUF_INIT(1024);

	msg_encode(&frame, MSG_MAIL_RCPT, &(struct msg_MAIL_RCPT){ .mail = 1, .forward_path = SLICE("slow") },
		0);
	for (size_t i = 0; i < frame.len; i++) {
		assert_int_equal(s->n_rcpts, 0);
		assert_int_equal(write(s->smtpd->fd, frame.at + i, 1), 1);
		turns(2);
	}
	assert_int_equal(s->n_rcpts, 1);
}

static void a_message_that_may_not_be_sent_ends_the_channel(void **state)
{
	struct seen *s = *state;
	auto_buf struct buf frame = BUF_INIT(1024);

	msg_encode(&frame, MSG_JOB_DONE, &(struct msg_JOB_DONE){ .job = 1 },
		0); /* smtpd has no business with jobs */
	assert_int_equal(write(s->smtpd->fd, frame.at, frame.len), (ssize_t)frame.len);
	turns(3);
	assert_null(s->queue);
}

static void garbage_ends_the_channel(void **state)
{
	struct seen *s = *state;

	assert_int_equal(write(s->smtpd->fd, "\xff\xff\xff\xff\xff\xff\xff\xff", 8), 8);
	turns(3);
	assert_null(s->queue);
}

static void congestion_ends_with_a_drain(void **state)
{
	struct seen *s = *state;
	static char chunk[LIMIT_CHUNK];
	size_t n = 0;

	while (!channel_congested(s->smtpd)) {
		SEND(s->smtpd, MAIL_CONTENT, .mail = 1, .chunk = { chunk, sizeof(chunk) });
		n++;
	}
	assert_true(n * sizeof(chunk) <= LIMIT_CHANNEL_OUT);
	for (int i = 0; i < 2000 && s->n_bytes < n * sizeof(chunk); i++)
		turns(1);
	assert_int_equal(s->n_bytes, n * sizeof(chunk));
	assert_int_equal(s->n_drains, 1);
	assert_false(channel_congested(s->smtpd));
}

static void a_peer_that_never_reads_costs_only_its_channel(void **state)
{
	struct seen *s = *state;
	static char chunk[LIMIT_CHUNK];

	channel_pause(s->queue, true);
	for (int i = 0; i < 400; i++)
		SEND(s->smtpd, MAIL_CONTENT, .mail = 1, .chunk = { chunk, sizeof(chunk) });
	assert_null(s->why); /* told in the next turn, not in the middle of the sender's work */
	turns(3);
	assert_null(s->smtpd);
}

static void paused_frames_wait(void **state)
{
	struct seen *s = *state;

	channel_pause(s->queue, true);
	SEND(s->smtpd, MAIL_RCPT, .mail = 1, .forward_path = SLICE("later"));
	turns(5);
	assert_int_equal(s->n_rcpts, 0);
	channel_pause(s->queue, false);
	turns(5);
	assert_int_equal(s->n_rcpts, 1);
}

static void freed_in_its_own_handler(void **state)
{
	struct seen *s = *state;

	s->free_in_handler = true;
	SEND(s->smtpd, MAIL_RCPT, .mail = 1, .forward_path = SLICE("one"));
	SEND(s->smtpd, MAIL_RCPT, .mail = 1, .forward_path = SLICE("two"));
	turns(4);
	assert_int_equal(s->n_rcpts, 1);
	assert_null(s->queue);
}

static void a_descriptor_comes_with_its_frame(void **state)
{
	struct seen *s = *state;
	int null = open("/dev/null", O_RDONLY);

	SEND(s->smtpd, MAIL_RCPT, .mail = 1, .forward_path = SLICE("without"));
	channel_send_fd(s->smtpd, MSG_MAIL_RCPT,
		&(struct msg_MAIL_RCPT){ .mail = 1, .forward_path = SLICE("with") }, null);
	SEND(s->smtpd, MAIL_RCPT, .mail = 1, .forward_path = SLICE("after"));
	turns(5);
	assert_int_equal(s->n_rcpts, 3);
	assert_true(s->fd >= 0);
	close(s->fd);
}

static void many_descriptors_in_one_turn(void **state)
{
	struct seen *s = *state;

	for (size_t i = 0; i < 4 * ARRAY_LEN(s->smtpd->fds_out); i++) {
		channel_send_fd(s->smtpd, MSG_MAIL_RCPT,
			&(struct msg_MAIL_RCPT){ .mail = i, .forward_path = SLICE("with") },
			open("/dev/null", O_RDONLY));
		SEND(s->smtpd, MAIL_RCPT, .mail = i, .forward_path = SLICE("without"));
	}
	for (int i = 0; i < 100 && s->n_rcpts < 8 * ARRAY_LEN(s->smtpd->fds_out); i++) {
		turns(1);
		cleanup_close(&s->fd);
		s->fd = -1;
	}
	assert_null(s->why);
	assert_int_equal(s->n_rcpts, 8 * ARRAY_LEN(s->smtpd->fds_out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(frames_arrive_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_sent_later_keeps_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_sent_later_leaves_by_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_message_that_may_not_be_sent_ends_the_channel, setup, teardown),
		cmocka_unit_test_setup_teardown(garbage_ends_the_channel, setup, teardown),
		cmocka_unit_test_setup_teardown(congestion_ends_with_a_drain, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_peer_that_never_reads_costs_only_its_channel, setup, teardown),
		cmocka_unit_test_setup_teardown(paused_frames_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(freed_in_its_own_handler, setup, teardown),
		cmocka_unit_test_setup_teardown(a_descriptor_comes_with_its_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(many_descriptors_in_one_turn, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
