/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/client.h"
#include "support/test.h"
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A server in a thread that sends fixed bytes and closes. */
struct server {
	int fd;
	char path[108];
	struct buf says;
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->fd, NULL, NULL);
	char heard[256];

	(void)!read(fd, heard, sizeof(heard));
	(void)!write(fd, s->says.at, s->says.len);
	close(fd);
	return NULL;
}

static void server_listen(struct server *s)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/postrider-test-XXXXXX";

	assert_non_null(mkdtemp(dir));
	(void)snprintf(s->path, sizeof(s->path), "%s/s", dir);
	memcpy(a.sun_path, s->path, sizeof(s->path));
	s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->fd, 1), 0);
}

static void server_start(struct server *s)
{
	server_listen(s);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_close(struct server *s)
{
	close(s->fd);
	unlink(s->path);
	*strrchr(s->path, '/') = '\0';
	rmdir(s->path);
	buf_free(&s->says);
}

static void server_end(struct server *s)
{
	pthread_join(s->thread, NULL);
	server_close(s);
}

static void a_missing_daemon_is_told_from_others(void **state)
{
	struct client c;

	(void)state;
	assert_int_equal(client_open(&c, "/nonexistent/socket"), -ENOENT);
	assert_int_equal(c.fd, -1);
}

static void a_full_backlog_costs_no_more_than_the_deadline(void **state)
{
	struct server s = { .says = BUF_INIT(64) };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int waiting[8];
	struct client c;
	size_t n = 0;

	(void)state;
	server_listen(&s); /* and takes none */
	memcpy(a.sun_path, s.path, sizeof(s.path));
	do {
		waiting[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		assert_true(waiting[n] >= 0);
	} while (connect(waiting[n++], (struct sockaddr *)&a, sizeof(a)) == 0 && n < 8);
	assert_true(n < 8);
	assert_int_equal(client_open_within(&c, s.path, 100), -ETIMEDOUT);
	assert_int_equal(c.fd, -1);
	while (n)
		close(waiting[--n]);
	server_close(&s);
}

static void greets_and_reads_messages(void **state)
{
	struct server s = { .says = BUF_INIT(4096) };
	struct client c;
	enum msg_type type;
	union msg_any m;

	(void)state;
	msg_encode(&s.says, MSG_WELCOME,
		&(struct msg_WELCOME){ .protocol = msg_protocol_hash(), .host = SLICE("h") }, 0);
	msg_encode(&s.says, MSG_REQUEST_DONE,
		&(struct msg_REQUEST_DONE){ .request = 1, .text = SLICE("done") }, 0);
	server_start(&s);
	assert_int_equal(client_open(&c, s.path), 0);
	assert_int_equal(client_receive(&c, &type, &m), 0);
	assert_int_equal(type, MSG_REQUEST_DONE);
	assert_slice_equal(m.REQUEST_DONE.text, SLICE("done"));
	assert_int_equal(client_receive(&c, &type, &m), -ECONNRESET);
	client_close(&c);
	server_end(&s);
}

static void another_version_and_garbage_are_refused(void **state)
{
	(void)state;
	for (int garbage = 0; garbage < 2; garbage++) {
		struct server s = { .says = BUF_INIT(4096) };
		struct client c;
		if (garbage)
			buf_append(&s.says, SLICE("220 mx.example ESMTP\r\n"));
		else
			msg_encode(&s.says, MSG_WELCOME,
				&(struct msg_WELCOME){ .protocol = msg_protocol_hash() + 1 }, 0);
		server_start(&s);
		assert_int_equal(client_open(&c, s.path), -EPROTO);
		server_end(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_daemon_is_told_from_others),
		cmocka_unit_test(a_full_backlog_costs_no_more_than_the_deadline),
		cmocka_unit_test(greets_and_reads_messages),
		cmocka_unit_test(another_version_and_garbage_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
