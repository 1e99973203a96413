/* SPDX-License-Identifier: Apache-2.0 */
/* test_connection.c - connections to a plain socket that the test holds the other end of */
#include "net/connection.h"
#include "support/test.h"
#include <arpa/inet.h>
#include <sys/socket.h>

static uv_loop_t *loop;
static int listener = -1, peer = -1;
static struct endpoint here;

static struct {
	bool is_open;
	size_t n_drains;
	enum connection_end end;
	char why[128];
	struct buf bytes;
	size_t keep; /* bytes that on_bytes leaves */
	bool closes_in_hook;
} seen = { .bytes = { .max = 1024 * 1024 } };
static struct connection *connection;

static void on_open(struct connection *c)
{
	assert_ptr_equal(connection_user(c), &seen);
	seen.is_open = true;
}

static void on_bytes(struct connection *c, struct slice *in)
{
	size_t n = in->len - MIN(seen.keep, in->len);

	(void)c;
	buf_append(&seen.bytes, slice_first(*in, n));
	*in = slice_from(*in, n);
	if (seen.closes_in_hook)
		connection_close(&connection);
}

static void on_drain(struct connection *c)
{
	(void)c;
	seen.n_drains++;
}

static void on_end(struct connection *c, enum connection_end end, const char *why)
{
	(void)c;
	seen.end = end;
	(void)snprintf(seen.why, sizeof(seen.why), "%s", why);
}

static const struct connection_hooks hooks = { on_open, on_bytes, on_drain, on_end };

static int set_up(void **state)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	socklen_t size = sizeof(any);

	(void)state;
	loop = uv_default_loop();
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&any, size), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&any, &size), 0);
	here = (struct endpoint){ .host = "here", .address = { .v4 = any } };
	buf_clear(&seen.bytes);
	seen.is_open = seen.closes_in_hook = false;
	seen.n_drains = seen.keep = 0;
	seen.end = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	connection_close(&connection);
	cleanup_close(&listener);
	cleanup_close(&peer);
	listener = peer = -1;
	(void)uv_run(loop, UV_RUN_DEFAULT); /* ends: nothing is left open */
	buf_free(&seen.bytes);
	return 0;
}

static void connect_here(void)
{
	connection = connection_open(loop, &here, 5, &hooks, &seen);
	while (!seen.is_open && !seen.end)
		(void)uv_run(loop, UV_RUN_ONCE);
	if (seen.is_open)
		peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static void await_end(void)
{
	while (!seen.end)
		(void)uv_run(loop, UV_RUN_ONCE);
}

static void carries_bytes(void **state)
{
	char room[16];

	(void)state;
	connect_here();
	buf_append_str(connection_out(connection), "hello");
	connection_send(connection);
	assert_int_equal(connection_unsent(connection), 0);
	assert_int_equal(recv(peer, room, sizeof(room), 0), 5);
	assert_memory_equal(room, "hello", 5);
	assert_int_equal(send(peer, "world", 5, 0), 5);
	while (seen.bytes.len < 5)
		(void)uv_run(loop, UV_RUN_ONCE);
	assert_slice_equal(buf_slice(&seen.bytes), SLICE("world"));
}

static void gives_unread_bytes_again(void **state)
{
	(void)state;
	seen.keep = 2;
	connect_here();
	assert_int_equal(send(peer, "abc", 3, 0), 3);
	while (seen.bytes.len < 1)
		(void)uv_run(loop, UV_RUN_ONCE);
	assert_int_equal(send(peer, "de", 2, 0), 2);
	while (seen.bytes.len < 3)
		(void)uv_run(loop, UV_RUN_ONCE);
	assert_slice_equal(buf_slice(&seen.bytes), SLICE("abc"));
}

/* A socket that somebody else connected, of another family too. */
static void adopts_a_socket(void **state)
{
	int fds[2];
	char room[16];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	peer = fds[1];
	connection = connection_adopt(loop, fds[0], &hooks, &seen);
	assert_false(seen.is_open); /* told by the loop, never from inside */
	while (!seen.is_open)
		(void)uv_run(loop, UV_RUN_ONCE);
	buf_append_str(connection_out(connection), "hello");
	connection_send(connection);
	assert_int_equal(recv(peer, room, sizeof(room), 0), 5);
	assert_int_equal(send(peer, "world", 5, 0), 5);
	cleanup_close(&peer);
	peer = -1;
	await_end();
	assert_int_equal(seen.end, CONNECTION_LOST);
	assert_slice_equal(buf_slice(&seen.bytes), SLICE("world"));
}

static void refusal_has_words(void **state)
{
	(void)state;
	cleanup_close(&listener);
	listener = -1;
	connect_here();
	assert_int_equal(seen.end, CONNECTION_FAILED);
	assert_string_equal(seen.why, "Connection refused");
}

static void immediate_failure_comes_later(void **state)
{
	(void)state;
	here.address.v4.sin_addr.s_addr = htonl(INADDR_BROADCAST); /* refused by connect() itself */
	connection = connection_open(loop, &here, 5, &hooks, &seen);
	assert_int_equal(seen.end, 0);
	await_end();
	assert_int_equal(seen.end, CONNECTION_FAILED);
}

static void opening_has_a_deadline(void **state)
{
	int full[16];

	(void)state;
	/* A listener whose backlog is full does not answer. */
	assert_int_equal(listen(listener, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(full); i++) {
		full[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(full[i], &here.address.any, sizeof(here.address.v4)); /* under way is enough */
	}
	connection = connection_open(loop, &here, 1, &hooks, &seen);
	await_end();
	assert_int_equal(seen.end, CONNECTION_FAILED);
	assert_string_equal(seen.why, "Connection timed out");
	for (size_t i = 0; i < ARRAY_LEN(full); i++)
		(void)close(full[i]);
}

static void loss_is_told(void **state)
{
	(void)state;
	connect_here();
	cleanup_close(&peer);
	peer = -1;
	await_end();
	assert_int_equal(seen.end, CONNECTION_LOST);
}

/* The reason for which a peer closed in the middle of our sending is worth more than the broken pipe. */
static void last_words_are_heard(void **state)
{
	(void)state;
	connect_here();
	for (int i = 0; i < 30; i++)
		buf_append_str(connection_out(connection), "0123456789012345678901234567890123456789");
	connection_send(connection);
	assert_int_equal(send(peer, "421 bye\r\n", 9, 0), 9);
	cleanup_close(&peer); /* unread bytes: a reset */
	peer = -1;
	await_end();
	assert_int_equal(seen.end, CONNECTION_LOST);
	assert_slice_equal(buf_slice(&seen.bytes), SLICE("421 bye\r\n"));
}

static void deadline_ends_nothing(void **state)
{
	char room[8];

	(void)state;
	connect_here();
	connection_deadline(connection, 1);
	await_end();
	assert_int_equal(seen.end, CONNECTION_TIMED_OUT);
	buf_append_str(connection_out(connection), "QUIT");
	connection_send(connection);
	assert_int_equal(recv(peer, room, sizeof(room), 0), 4);
}

static void full_socket_congests(void **state)
{
	static char room[65536];
	size_t sent = 0, received = 0;

	(void)state;
	connect_here();
	while (!connection_congested(connection)) {
		buf_append(connection_out(connection), (struct slice){ room, sizeof(room) });
		connection_send(connection);
		sent += sizeof(room);
		assert_true(sent < 64 * 1024 * 1024);
	}
	assert_int_equal(seen.n_drains, 0);
	while (received < sent) {
		ssize_t n = recv(peer, room, sizeof(room), MSG_DONTWAIT);
		received += n > 0 ? (size_t)n : 0;
		(void)uv_run(loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(seen.n_drains, 1);
	assert_false(connection_congested(connection));
}

/* A piece is missing: what follows would be garbage to the peer. */
static void overflow_sends_nothing_more(void **state)
{
	static char room[CONNECTION_OUT_MAX];
	ssize_t n;

	(void)state;
	connect_here();
	buf_append(connection_out(connection), (struct slice){ room, sizeof(room) });
	buf_append_str(connection_out(connection), "DATA\r\n");
	connection_send(connection);
	buf_append_str(connection_out(connection), "more");
	connection_send(connection);
	n = recv(peer, room, sizeof(room), MSG_DONTWAIT);
	assert_int_equal(n, -1);
}

static void closes_in_a_hook(void **state)
{
	(void)state;
	seen.closes_in_hook = true;
	connect_here();
	assert_int_equal(send(peer, "x", 1, 0), 1);
	while (connection)
		(void)uv_run(loop, UV_RUN_ONCE);
	assert_int_equal(seen.end, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(carries_bytes),
		TEST(gives_unread_bytes_again),
		TEST(adopts_a_socket),
		TEST(refusal_has_words),
		TEST(immediate_failure_comes_later),
		TEST(opening_has_a_deadline),
		TEST(loss_is_told),
		TEST(last_words_are_heard),
		TEST(deadline_ends_nothing),
		TEST(full_socket_congests),
		TEST(overflow_sends_nothing_more),
		TEST(closes_in_a_hook),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
