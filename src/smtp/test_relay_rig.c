/* SPDX-License-Identifier: Apache-2.0 */
/* test_relay_rig.c - see test_relay_rig.h */
#include "smtp/test_relay_rig.h"
#include "base/file.h"
#include "base/log.h"
#include <arpa/inet.h>
#include <fcntl.h>

struct relay_rig rig = { .heard = { .max = 1024 * 1024 } };
const struct server_manners rig_good_server = { 0 };

static struct dns *dns;
static struct slice content; /* of the job under way */

/* ---- queue's end ---- */

static void on_result(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_JOB_RESULT *m = &any->JOB_RESULT;
	static const char *const words[] = { [JOB_DELIVERED] = "delivered",
		[JOB_RELAYED] = "relayed",
		[JOB_RELAYED_DSN] = "relayed",
		[JOB_DEFERRED] = "deferred",
		[JOB_UNREACHABLE] = "unreachable",
		[JOB_FAILED] = "failed" };

	(void)ch, (void)fd;
	rig.last_outcome = m->outcome;
	buf_printf(&rig.heard, "%u %s %.*s %.*s (%.*s)\n", m->rcpt, words[m->outcome], SLICE_ARG(m->status),
		SLICE_ARG(m->reason), SLICE_ARG(m->remote));
}

static void on_done(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)m, (void)fd;
	rig.n_done++;
}

static void on_more(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	rig.n_asked++;
	if (rig.answers_more)
		SEND(ch, JOB_CONTENT, .job = m->JOB_MORE.job, .offset = m->JOB_MORE.offset,
			.chunk = slice_first(slice_from(content, (size_t)m->JOB_MORE.offset), RIG_CHUNK));
}

/* ---- the role's end ---- */

static void on_begin(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	relay_job_begin(&rig.relay, ch, &m->JOB_BEGIN);
}

static void on_rcpt(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	relay_job_rcpt(&rig.relay, &m->JOB_RCPT);
}

static void on_content(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	relay_job_content(&rig.relay, &m->JOB_CONTENT);
}

static void on_cancel(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	relay_job_cancel(&rig.relay, &m->JOB_CANCEL);
}

static void on_channel_closed(struct channel *ch, const char *why)
{
	(void)ch;
	fail_msg("channel: %s", why);
}

static const msg_handler queue_handlers[MSG_TYPE_COUNT] = {
	[MSG_JOB_RESULT] = on_result, [MSG_JOB_DONE] = on_done, [MSG_JOB_MORE] = on_more
};
static const msg_handler smtp_handlers[MSG_TYPE_COUNT] = { [MSG_JOB_BEGIN] = on_begin,
	[MSG_JOB_RCPT] = on_rcpt,
	[MSG_JOB_CONTENT] = on_content,
	[MSG_JOB_CANCEL] = on_cancel };
static const struct channel_hooks queue_hooks = { queue_handlers, NULL, on_channel_closed };
static const struct channel_hooks smtp_hooks = { smtp_handlers, NULL, on_channel_closed };

/* ---- the supervisor's place ---- */

static void want_socket(struct relay *relay, uint64_t number)
{
	(void)relay;
	assert_true(rig.n_wanted < ARRAY_LEN(rig.wanted));
	rig.wanted[rig.n_wanted++] = number;
	rig.n_sockets++;
}

static int open_socket(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(rig.server.port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

void rig_turn(void)
{
	(void)uv_run(rig.loop, rig.n_wanted && !rig.keeps_sockets ? UV_RUN_NOWAIT : UV_RUN_ONCE);
	while (rig.n_wanted && !rig.keeps_sockets)
		relay_socket_came(&rig.relay, rig.wanted[--rig.n_wanted],
			rig.socket_error ? -rig.socket_error : open_socket());
}

/* ---- around every test ---- */

static void report(unsigned line, const char *message, void *user)
{
	(void)user;
	fail_msg("configuration line %u: %s", line, message);
}

static void swallow_log(enum log_level level, const char *program, struct slice line, void *user)
{
	(void)program;
	(void)level, (void)line, (void)user; /* a line for each host that is passed over */
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, slice_of(text)), 0);
	(void)close(fd);
}

int rig_set_up_group(void **state)
{
	char dir[] = "/tmp/test_relay.XXXXXX", hosts[64];

	(void)state;
	log_set_sink(swallow_log, NULL);
	rig.loop = uv_default_loop();
	server_start(&rig.server, rig.loop);
	assert_non_null(mkdtemp(dir));
	(void)snprintf(hosts, sizeof(hosts), "%s/hosts", dir);
	write_file(hosts, "127.0.0.1 two.test one.test\n127.0.0.2 two.test\n");
	assert_int_equal(dns_open("/nonexistent", hosts, &dns), 0);
	assert_int_equal(dns_start(dns, rig.loop), 0);
	(void)unlink(hosts);
	(void)rmdir(dir);
	return 0;
}

int rig_tear_down_group(void **state)
{
	(void)state;
	server_stop(&rig.server);
	dns_close(&dns);
	buf_free(&rig.heard);
	(void)uv_run(rig.loop, UV_RUN_DEFAULT);
	return 0;
}

void rig_start(const char *extra)
{
	int fds[2];
	auto_buf struct buf text = BUF_INIT(4096);

	buf_printf(&text,
		"[main]\nhost_name = client.test\n[smtp]\nconnect_timeout = 1\ncommand_timeout = 1\n"
		"data_timeout = 1\n%s",
		extra);
	rig.config = config_parse(buf_slice(&text), report, NULL);
	relay_init(&rig.relay, rig.loop, rig.config, dns);
	rig.relay.want_socket = want_socket;
	assert_int_equal(channel_pair(fds), 0);
	rig.queue_end = channel_new(rig.loop, fds[0], ROLE_QUEUE, ROLE_SMTP, 0, &queue_hooks, NULL);
	rig.smtp_end = channel_new(rig.loop, fds[1], ROLE_SMTP, ROLE_QUEUE, 0, &smtp_hooks, NULL);
	buf_clear(&rig.heard);
	rig.n_done = rig.n_asked = rig.n_sockets = rig.n_wanted = 0;
	rig.socket_error = 0;
	rig.keeps_sockets = false;
	rig.answers_more = true;
}

void rig_stop(void)
{
	if (!rig.config)
		return;
	relay_deinit(&rig.relay);
	channel_free(&rig.queue_end);
	channel_free(&rig.smtp_end);
	while (rig.server.n_open)
		(void)uv_run(rig.loop, UV_RUN_ONCE);
	(void)uv_run(rig.loop, UV_RUN_NOWAIT);
	config_free(&rig.config);
}

void rig_send_rcpts(uint64_t job, const struct rig_job *row, struct slice rcpts)
{
	struct slice word;

	for (uint32_t i = 1; slice_next_word(&rcpts, &word); i++) {
		auto_free char *trail = slice_dup(word);
		for (char *c = trail; *c; c++)
			*c = *c == '|' ? '\n' : *c == '^' ? '\t' : *c;
		SEND(rig.queue_end, JOB_RCPT, .job = job, .rcpt = i, .kind = LEAF_REMOTE,
			.forward_path = slice_first(word, slice_find(word, '|')), .user = SLICE_EMPTY,
			.original = SLICE_EMPTY, .orcpt = slice_of(row->orcpt), .notify = row->notify,
			.trail = slice_of(trail), .origin = SLICE_EMPTY);
	}
}

void rig_send_job(uint64_t job, const struct rig_job *row)
{
	char destination[64];
	struct slice rcpts = slice_of(row->rcpts ? row->rcpts : "a@x.test"), rest = rcpts, word;
	uint32_t n = 0;

	if (row->destination && strcmp(row->destination, MAILBOX_TRANSPORT_HOP) == 0)
		(void)snprintf(destination, sizeof(destination), "%s", row->destination);
	else
		(void)snprintf(destination, sizeof(destination), "%s:%u",
			row->destination ? row->destination : "[127.0.0.1]", rig.server.port);
	while (slice_next_word(&rest, &word))
		n++;
	content = row->content.len ? row->content : SLICE("Subject: x\n\nhello\n.dot\n");
	SEND(rig.queue_end, JOB_BEGIN, .job = job, .queue_id = 7, .destination = slice_of(destination),
		.reverse_path = slice_of(row->reverse_path), .envid = slice_of(row->envid), .ret = RET_HDRS,
		.body = row->body, .smtputf8 = row->smtputf8, .size = content.len, .n_rcpts = n);
	rig_send_rcpts(job, row, rcpts);
	SEND(rig.queue_end, JOB_CONTENT, .job = job, .offset = 0, .chunk = slice_first(content, RIG_CHUNK));
}

void rig_await_done(size_t n)
{
	while (rig.n_done < n)
		rig_turn();
}

void rig_assert_lines(struct slice got, const char *want)
{
	struct slice all = got, rest = slice_of(want), g, w;

	while (slice_next_line(&rest, &w)) {
		if (!slice_next_line(&got, &g))
			fail_msg("missing \"%.*s\" in:\n%.*s", SLICE_ARG(w), SLICE_ARG(all));
		if (!memmem(g.at, g.len, w.at, w.len))
			fail_msg("got \"%.*s\", want \"%.*s\"", SLICE_ARG(g), SLICE_ARG(w));
	}
	if (got.len)
		fail_msg("too much:\n%.*s", SLICE_ARG(got));
}

void rig_run_one(const struct server_manners *first, const struct server_manners *later, const char *extra,
	const struct rig_job *row)
{
	rig_start(extra);
	server_reset(&rig.server, first, later);
	rig_send_job(1, row);
	rig_await_done(1);
}

void rig_run_to(const char *destination)
{
	rig_start("");
	SEND(rig.queue_end, JOB_BEGIN, .job = 1, .queue_id = 7, .destination = slice_of(destination),
		.reverse_path = SLICE_EMPTY, .envid = SLICE_EMPTY, .size = 2, .n_rcpts = 1);
	rig_send_rcpts(1, &(struct rig_job){ 0 }, SLICE("a@x.test"));
	SEND(rig.queue_end, JOB_CONTENT, .job = 1, .offset = 0, .chunk = SLICE("x\n"));
	rig_await_done(1);
}

int rig_tear_down(void **state)
{
	(void)state;
	server_hang_up(&rig.server);
	rig_stop(); /* what a failed test left */
	return 0;
}
