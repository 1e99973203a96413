/* SPDX-License-Identifier: Apache-2.0 */
/* test_relay.c - jobs through a channel, as queue gives them, against servers of all manners */
#include "smtp/relay.h"
#include "base/file.h"
#include "base/log.h"
#include "mail/envelope_options.h"
#include "smtp/test_server.h"
#include "support/test.h"
#include <fcntl.h>

#define CHUNK 65536

static uv_loop_t *loop;
static struct server server;
static struct relay relay;
static struct config *config;
static struct dns *dns;
static struct channel *queue_end, *smtp_end;

/* What queue hears: "RCPT OUTCOME STATUS REASON (REMOTE)" and "done" lines. */
static struct buf heard = { .max = 1024 * 1024 };
static size_t n_done, n_asked;
static enum job_outcome last_outcome;
static struct slice content; /* of the job under way */
static bool answers_more = true;

/* ---- queue's end ---- */

static void on_result(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_JOB_RESULT *m = &any->JOB_RESULT;
	static const char *const words[] = { [JOB_RELAYED] = "relayed",
		[JOB_RELAYED_DSN] = "relayed",
		[JOB_DEFERRED] = "deferred",
		[JOB_UNREACHABLE] = "unreachable",
		[JOB_FAILED] = "failed" };

	(void)ch, (void)fd;
	last_outcome = m->outcome;
	buf_printf(&heard, "%u %s %.*s %.*s (%.*s)\n", m->rcpt, words[m->outcome], SLICE_ARG(m->status),
		SLICE_ARG(m->reason), SLICE_ARG(m->remote));
}

static void on_done(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)m, (void)fd;
	n_done++;
}

static void on_more(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	n_asked++;
	if (answers_more)
		SEND(ch, JOB_CONTENT, .job = m->JOB_MORE.job, .offset = m->JOB_MORE.offset,
			.chunk = slice_first(slice_from(content, (size_t)m->JOB_MORE.offset), CHUNK));
}

/* ---- the role's end ---- */

static void on_begin(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)fd;
	relay_job_begin(&relay, ch, &m->JOB_BEGIN);
}

static void on_rcpt(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	relay_job_rcpt(&relay, &m->JOB_RCPT);
}

static void on_content(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	relay_job_content(&relay, &m->JOB_CONTENT);
}

static void on_cancel(struct channel *ch, const union msg_any *m, int *fd)
{
	(void)ch, (void)fd;
	relay_job_cancel(&relay, &m->JOB_CANCEL);
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

static int set_up_group(void **state)
{
	char dir[] = "/tmp/test_relay.XXXXXX", hosts[64];

	(void)state;
	log_set_sink(swallow_log, NULL);
	loop = uv_default_loop();
	server_start(&server, loop);
	assert_non_null(mkdtemp(dir));
	(void)snprintf(hosts, sizeof(hosts), "%s/hosts", dir);
	write_file(hosts, "127.0.0.1 two.test one.test\n127.0.0.2 two.test\n");
	assert_int_equal(dns_open("/nonexistent", hosts, &dns), 0);
	assert_int_equal(dns_start(dns, loop), 0);
	(void)unlink(hosts);
	(void)rmdir(dir);
	return 0;
}

static int tear_down_group(void **state)
{
	(void)state;
	server_stop(&server);
	dns_close(&dns);
	buf_free(&heard);
	(void)uv_run(loop, UV_RUN_DEFAULT);
	return 0;
}

static void start(const char *extra)
{
	int fds[2];
	auto_buf struct buf text = BUF_INIT(4096);

	buf_printf(&text,
		"[main]\nhost_name = client.test\n[smtp]\nconnect_timeout = 1\ncommand_timeout = 1\n"
		"data_timeout = 1\n%s",
		extra);
	config = config_parse(buf_slice(&text), report, NULL);
	relay_init(&relay, loop, config, dns);
	assert_int_equal(channel_pair(fds), 0);
	queue_end = channel_new(loop, fds[0], ROLE_QUEUE, ROLE_SMTP, 0, &queue_hooks, NULL);
	smtp_end = channel_new(loop, fds[1], ROLE_SMTP, ROLE_QUEUE, 0, &smtp_hooks, NULL);
	buf_clear(&heard);
	n_done = n_asked = 0;
	answers_more = true;
}

/* Everything that was opened must go. */
static void stop(void)
{
	if (!config)
		return;
	relay_deinit(&relay);
	channel_free(&queue_end);
	channel_free(&smtp_end);
	while (server.n_open)
		(void)uv_run(loop, UV_RUN_ONCE);
	(void)uv_run(loop, UV_RUN_NOWAIT);
	config_free(&config);
}

struct job_row {
	const char *destination, *reverse_path;
	const char *rcpts; /* separated by blanks; "address|trail line^user|trail line" */
	struct slice content;
	bool smtputf8;
	uint8_t body, notify;
	const char *envid, *orcpt;
};

static void send_rcpts(uint64_t job, const struct job_row *row, struct slice rcpts)
{
	struct slice word;

	for (uint32_t i = 1; slice_next_word(&rcpts, &word); i++) {
		auto_free char *trail = slice_dup(word);
		for (char *c = trail; *c; c++)
			*c = *c == '|' ? '\n' : *c == '^' ? '\t' : *c;
		SEND(queue_end, JOB_RCPT, .job = job, .rcpt = i, .kind = LEAF_REMOTE,
			.forward_path = slice_first(word, slice_find(word, '|')), .user = SLICE_EMPTY,
			.original = SLICE_EMPTY, .orcpt = slice_of(row->orcpt), .notify = row->notify,
			.trail = slice_of(trail), .origin = SLICE_EMPTY);
	}
}

static void send_job(uint64_t job, const struct job_row *row)
{
	char destination[64];
	struct slice rcpts = slice_of(row->rcpts ? row->rcpts : "a@x.test"), rest = rcpts, word;
	uint32_t n = 0;

	(void)snprintf(destination, sizeof(destination), "%s:%u",
		row->destination ? row->destination : "[127.0.0.1]", server.port);
	while (slice_next_word(&rest, &word))
		n++;
	content = row->content.len ? row->content : SLICE("Subject: x\n\nhello\n.dot\n");
	SEND(queue_end, JOB_BEGIN, .job = job, .queue_id = 7, .destination = slice_of(destination),
		.reverse_path = slice_of(row->reverse_path), .envid = slice_of(row->envid), .ret = RET_HDRS,
		.body = row->body, .smtputf8 = row->smtputf8, .size = content.len, .n_rcpts = n);
	send_rcpts(job, row, rcpts);
	SEND(queue_end, JOB_CONTENT, .job = job, .offset = 0, .chunk = slice_first(content, CHUNK));
}

static void await_done(size_t n)
{
	while (n_done < n)
		(void)uv_run(loop, UV_RUN_ONCE);
}

/* Each line of want is found in the line of got at the same place; equally many lines. */
static void assert_lines(struct slice got, const char *want)
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

static const struct server_manners good = { 0 };

static void run_one(const struct server_manners *first, const struct server_manners *later, const char *extra,
	const struct job_row *row)
{
	start(extra);
	server_reset(&server, first, later);
	send_job(1, row);
	await_done(1);
}

/* ---- a good server ---- */

static void relays(void **state)
{
	(void)state;
	run_one(&good, &good, "", &(struct job_row){ .reverse_path = "s@y.test" });
	assert_lines(buf_slice(&heard), "1 relayed 2.0.0 250 2.0.0 Ok: queued as 42 (127.0.0.1[127.0.0.1]:");
	assert_lines(buf_slice(&server.commands),
		"EHLO client.test\nMAIL FROM:<s@y.test> SIZE=27 RET=HDRS\nRCPT "
		"TO:<a@x.test>\nDATA\n(content)\n");
	assert_slice_equal(buf_slice(&server.content), SLICE("Subject: x\r\n\r\nhello\r\n..dot\r\n.\r\n"));
	stop();
}

static void reuses_connections(void **state)
{
	(void)state;
	run_one(&good, &good, "idle_time = 60\n", &(struct job_row){ 0 });
	for (uint64_t i = 2; i < 20; i++) {
		send_job(i, &(struct job_row){ .rcpts = i % 3 ? "a@x.test" : "no@x.test" });
		await_done(i);
	}
	assert_int_equal(server.n_connections, 1);
	assert_int_equal(server.n_mails, 19); /* some of them without recipients */
	stop();
}

/* The job's end need not wait for RSET, so the next one may come before its reply. */
static void idle_connections_end(void **state)
{
	(void)state;
	run_one(&good, &good, "idle_time = 0\n", &(struct job_row){ 0 });
	while (server.n_open || relay.n_sessions)
		(void)uv_run(loop, UV_RUN_ONCE);
	assert_int_equal(relay.lanes.n, 0);
	assert_true(slice_ends_nocase(buf_slice(&server.commands), SLICE("QUIT\n")));
	stop();
}

static void groups_by_trail(void **state)
{
	static const struct job_row row = {
		.rcpts = "a@x.test|u1@here^u1 b@x.test c@x.test|u1@here^u1 no@x.test "
			 "d@x.test|u2@here^u2|u1@here^u1",
	};
	(void)state;
	run_one(&good, &good, "", &row);
	assert_lines(buf_slice(&heard), "1 relayed\n3 relayed\n4 failed 5.1.1\n2 relayed\n5 relayed\n");
	assert_int_equal(server.n_connections, 1);
	assert_slice_equal(buf_slice(&server.content),
		SLICE("Delivered-To: u1@here\r\nSubject: x\r\n\r\nhello\r\n..dot\r\n.\r\n"
		      "Subject: x\r\n\r\nhello\r\n..dot\r\n.\r\n"
		      "Delivered-To: u2@here\r\nDelivered-To: u1@here\r\nSubject: "
		      "x\r\n\r\nhello\r\n..dot\r\n.\r\n"));
	stop();
}

static void sends_what_is_offered(void **state)
{
	static const struct server_manners bare = { .ehlo = "250 fake.test\r\n" };
	static const struct server_manners all = {
		.ehlo = "250-fake.test\r\n250-pipelining\r\n250-8bitmime\r\n250-SIZE\r\n250-DSN\r\n250 "
			"SMTPUTF8\r\n"
	};
	static const struct {
		const struct server_manners *manners;
		struct job_row row;
		const char *mail, *rcpt;
	} rows[] = {
		{ &bare, { .envid = "e", .notify = NOTIFY_NEVER, .orcpt = "rfc822;o@x" }, "MAIL FROM:<>",
			"RCPT TO:<a@x.test>" },
		{ &all, { .envid = "e", .notify = NOTIFY_NEVER, .orcpt = "rfc822;o@x" },
			"MAIL FROM:<> SIZE=27 RET=HDRS ENVID=e",
			"RCPT TO:<a@x.test> NOTIFY=NEVER ORCPT=rfc822;o@x" },
		{ &all, { .content = SLICE("\n\xc3\xa4\n"), .body = BODY_8BITMIME },
			"MAIL FROM:<> SIZE=6 BODY=8BITMIME RET=HDRS", "RCPT TO:<a@x.test>" },
		{ &bare, { .content = SLICE("\n\xc3\xa4\n"), .body = BODY_8BITMIME }, "MAIL FROM:<>",
			"RCPT TO:<a@x.test>" },
		{ &all, { .rcpts = "\xc3\xa4@x.test" }, "MAIL FROM:<> SIZE=27 SMTPUTF8 RET=HDRS",
			"RCPT TO:<\xc3\xa4@x.test>" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf want = BUF_INIT(1024);
		run_one(rows[i].manners, &good, "", &rows[i].row);
		buf_printf(&want, "EHLO client.test\n%s\n%s\nDATA\n(content)\n", rows[i].mail, rows[i].rcpt);
		assert_slice_equal(buf_slice(&server.commands), buf_slice(&want));
		assert_lines(buf_slice(&heard), "1 relayed 2.0.0");
		assert_int_equal(last_outcome, rows[i].manners == &bare ? JOB_RELAYED : JOB_RELAYED_DSN);
		stop();
	}
}

/* ---- content ---- */

static void large_content_comes_in_chunks(void **state)
{
	size_t size = 3 * 1000 * 1000 + 1;
	auto_free char *large = mem_new(size);
	uint64_t n_lines = 0;

	(void)state;
	for (size_t i = 0; i < size; i++) {
		large[i] = i % 71 == 70 ? '\n' : 'x';
		n_lines += large[i] == '\n';
	}
	run_one(&(struct server_manners){ .ehlo = "250 fake\r\n" }, &good, "",
		&(struct job_row){ .content = { large, size } });
	assert_lines(buf_slice(&heard), "1 relayed");
	assert_int_equal(n_asked, size / CHUNK);
	assert_int_equal(server.content.len, size + n_lines + 2 + 3);
	stop();
}

static void missing_content_defers(void **state)
{
	auto_free char *large = mem_new(100000);

	(void)state;
	memset(large, 'x', 100000);
	start("");
	answers_more = false;
	server_reset(&server, &good, &good);
	send_job(1, &(struct job_row){ .content = { large, 100000 } });
	while (n_asked == 0)
		(void)uv_run(loop, UV_RUN_ONCE);
	SEND(queue_end, JOB_CONTENT, .job = 1, .offset = 65536, .chunk = SLICE_EMPTY);
	await_done(1);
	assert_lines(buf_slice(&heard), "1 deferred 4.3.0 the message could not be read ()");
	while (server.n_open)
		(void)uv_run(loop, UV_RUN_ONCE);
	assert_int_equal(server.n_mails, 0); /* half a message was not taken for a whole one */
	stop();
}

static void empty_content(void **state)
{
	(void)state;
	start("");
	server_reset(&server, &good, &good);
	SEND(queue_end, JOB_BEGIN, .job = 1, .queue_id = 7, .destination = SLICE("[127.0.0.1]:1"),
		.reverse_path = SLICE_EMPTY, .envid = SLICE_EMPTY, .size = 0, .n_rcpts = 1);
	send_rcpts(1, &(struct job_row){ 0 }, SLICE("a@x.test"));
	SEND(queue_end, JOB_CONTENT, .job = 1, .offset = 0, .chunk = SLICE_EMPTY);
	await_done(1);
	assert_lines(buf_slice(&heard),
		"1 unreachable 4.4.1 connect to 127.0.0.1[127.0.0.1]:1: Connection refused");
	stop();
}

/* ---- servers that refuse, break, and lie ---- */

static const struct server_manners no_pipelining = { .ehlo = "250 fake.test\r\n" };

static void results_follow_replies(void **state)
{
	static const struct {
		struct server_manners manners;
		struct job_row row;
		const char *want; /* of the only host */
	} rows[] = {
		/* the greeting and before */
		{ { .greeting = "554 5.7.1 go away\r\n" }, { 0 },
			"1 unreachable 4.3.2 host 127.0.0.1[127.0.0.1] refused to talk to me: 554 5.7.1 go "
			"away" },
		{ { .greeting = "521 5.3.2 no mail\r\n" }, { 0 },
			"1 failed 5.3.2 host 127.0.0.1[127.0.0.1] refused" },
		{ { .greeting = "421 4.3.2 busy\r\n" REPLY_CLOSE }, { 0 }, "1 unreachable 4.3.2 host" },
		{ { .greeting = REPLY_CLOSE }, { 0 },
			"1 unreachable 4.4.2 lost connection with 127.0.0.1[127.0.0.1] while receiving the "
			"initial "
			"server greeting" },
		{ { .greeting = "220-hal" REPLY_CLOSE }, { 0 }, "1 unreachable 4.4.2 lost connection with" },
		{ { .greeting = "SSH-2.0-x\r\n" }, { 0 },
			"1 unreachable 4.5.0 host 127.0.0.1[127.0.0.1]: reply that is no SMTP" },
		{ { .greeting = "220 a\r\n250 early\r\n" }, { 0 },
			"1 unreachable 4.5.0 host 127.0.0.1[127.0.0.1]: reply to nothing" },
		{ { .greeting = REPLY_SILENT }, { 0 },
			"1 unreachable 4.4.2 conversation with 127.0.0.1[127.0.0.1] timed out while "
			"receiving "
			"the initial" },
		/* EHLO and HELO */
		{ { .ehlo = "502 5.5.1 no\r\n" }, { 0 }, "1 relayed" },
		{ { .ehlo = "502 no\r\n", .helo = "550 5.7.1 no\r\n" }, { 0 }, "1 failed 5.7.1 host" },
		{ { .ehlo = "450 4.3.2 no\r\n" }, { 0 }, "1 unreachable 4.3.2 host" },
		{ { .ehlo = "421 bye\r\n" REPLY_CLOSE }, { 0 }, "1 unreachable 4.3.2 host" },
		{ { .ehlo = "354 what\r\n" }, { 0 },
			"1 unreachable 4.5.0 host 127.0.0.1[127.0.0.1]: unexpected reply" },
		{ { .ehlo = "250-a\r\n251 b\r\n" }, { 0 }, "1 unreachable 4.5.0" },
		{ { .ehlo = REPLY_CLOSE }, { 0 }, "1 unreachable 4.4.2" },
		/* MAIL */
		{ { .mail = "550 5.7.1 not you\r\n" }, { .rcpts = "a@x b@x" },
			"1 failed 5.7.1 host 127.0.0.1[127.0.0.1] said: 550 5.7.1 not you (in reply to MAIL "
			"FROM command)\n2 failed" },
		{ { .mail = "451 4.3.0 later\r\n" }, { 0 }, "1 deferred 4.3.0 host" },
		{ { .mail = "421 4.3.2 bye\r\n" REPLY_CLOSE }, { 0 },
			"1 deferred 4.3.2 host 127.0.0.1[127.0.0.1] said: 421 4.3.2 bye (in reply to MAIL "
			"FROM command)" },
		{ { .mail = REPLY_CLOSE }, { 0 },
			"1 deferred 4.4.2 lost connection with 127.0.0.1[127.0.0.1] while sending MAIL "
			"FROM" },
		{ { .mail = "rubbish\r\n" }, { 0 }, "1 deferred 4.5.0" },
		/* RCPT */
		{ { 0 }, { .rcpts = "no@x a@x later@x" },
			"1 failed 5.1.1 host 127.0.0.1[127.0.0.1] said: 550 5.1.1 no such user (in reply to "
			"RCPT TO command)\n"
			"3 deferred 4.2.1 host 127.0.0.1[127.0.0.1] said: 450 4.2.1 come back (in reply to "
			"RCPT TO command)\n2 relayed" },
		{ { 0 }, { .rcpts = "no@x no2@x" }, "1 failed 5.1.1\n2 failed 5.1.1" },
		{ { .rcpt = "421 4.7.0 bye\r\n" REPLY_CLOSE }, { .rcpts = "a@x b@x" },
			"1 deferred 4.7.0\n2 deferred 4.7.0" },
		{ { .rcpt = REPLY_CLOSE }, { 0 },
			"1 deferred 4.4.2 lost connection with 127.0.0.1[127.0.0.1] while sending RCPT TO" },
		{ { .rcpt = REPLY_SILENT }, { 0 }, "1 deferred 4.4.2 conversation with" },
		/* DATA */
		{ { .data = "554 5.7.1 no\r\n" }, { 0 },
			"1 failed 5.7.1 host 127.0.0.1[127.0.0.1] said: 554 5.7.1 no (in reply to DATA "
			"command)" },
		{ { .data = "451 no\r\n" }, { 0 }, "1 deferred 4.0.0" },
		{ { .data = "421 no\r\n" REPLY_CLOSE }, { 0 }, "1 deferred 4.4.2 host" },
		{ { .data = "250 hm\r\n" }, { 0 }, "1 deferred 4.5.0" },
		{ { .data = REPLY_CLOSE }, { 0 },
			"1 deferred 4.4.2 lost connection with 127.0.0.1[127.0.0.1] while sending DATA "
			"command" },
		/* content */
		{ { .body = "550 5.7.1 spam\r\n" }, { .rcpts = "no@x a@x" },
			"1 failed 5.1.1\n2 failed 5.7.1 host 127.0.0.1[127.0.0.1] said: 550 5.7.1 spam (in "
			"reply to end of DATA command)" },
		{ { .body = "451 4.3.0 disk\r\n" }, { 0 }, "1 deferred 4.3.0" },
		{ { .body = "421 4.3.0 disk\r\n" REPLY_CLOSE }, { 0 }, "1 deferred 4.3.0" },
		{ { .body = "250 ok\r\n421 bye\r\n" REPLY_CLOSE }, { 0 }, "1 relayed 2.0.0 250 ok" },
		{ { .body = "250-one\r\n250 2.6.0 two\r\n" }, { 0 }, "1 relayed 2.0.0 250 one two" },
		{ { .body = REPLY_CLOSE }, { 0 },
			"1 deferred 4.4.2 lost connection with 127.0.0.1[127.0.0.1] while sending end of "
			"data -- message may be sent more than once" },
		{ { .body = REPLY_SILENT }, { 0 }, "1 deferred 4.4.2 conversation with" },
		{ { .body = "!\r\n" }, { 0 }, "1 deferred 4.5.0" },
		{ { .body = "354 more\r\n" }, { 0 }, "1 deferred 4.5.0" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int pipelining = 0; pipelining < 2; pipelining++) {
			struct server_manners manners = rows[i].manners;
			if (!manners.ehlo && !pipelining)
				manners.ehlo = no_pipelining.ehlo;
			run_one(&manners, &good, "", &rows[i].row);
			if (!strstr(rows[i].want, "\n") || pipelining)
				assert_lines(buf_slice(&heard), rows[i].want);
			assert_int_equal(server.n_connections, 1);
			stop();
		}
	}
}

/* Refusals before the content that a server would not have to send. */
static void refuses_in_advance(void **state)
{
	static const struct {
		struct server_manners manners;
		struct job_row row;
		const char *want;
	} rows[] = {
		{ { .ehlo = "250-f\r\n250 SIZE 10\r\n" }, { .rcpts = "a@x b@x" },
			"1 failed 5.3.4 message size 23 exceeds size limit 10 of server "
			"127.0.0.1[127.0.0.1]\n2 failed 5.3.4" },
		{ { 0 }, { .reverse_path = "\xc3\xa4@x" },
			"1 failed 5.6.7 SMTPUTF8 is required, but was not offered by host "
			"127.0.0.1[127.0.0.1]" },
		{ { 0 }, { .rcpts = "\xc3\xa4@x a@x" }, "1 failed 5.6.7\n2 relayed" },
		{ { 0 }, { .smtputf8 = true }, "1 relayed" }, /* asked for, not needed */
		{ { 0 }, { .smtputf8 = true, .content = SLICE("Subject: \xc3\xa4\n\nx\n") },
			"1 failed 5.6.7" },
		{ { 0 }, { .rcpts = "a>b@x c@x" }, "1 failed 5.1.3\n2 relayed" },
		{ { 0 }, { .reverse_path = "a b" }, "1 failed 5.1.7" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run_one(&rows[i].manners, &good, "", &rows[i].row);
		assert_lines(buf_slice(&heard), rows[i].want);
		stop();
	}
}

static void early_verdict_counts(void **state)
{
	size_t size = 8 * 1000 * 1000;
	auto_free char *large = mem_new(size);

	(void)state;
	memset(large, 'x', size);
	run_one(&(struct server_manners){ .ehlo = "250 f\r\n",
			.in_body = "552 5.3.4 enough\r\n" REPLY_CLOSE },
		&good, "", &(struct job_row){ .content = { large, size } });
	assert_lines(buf_slice(&heard), "1 failed 5.3.4 host");
	stop();
	run_one(&(struct server_manners){ .ehlo = "250 f\r\n", .in_body = "250 lovely\r\n" }, &good, "",
		&(struct job_row){ .content = { large, size } });
	assert_lines(buf_slice(&heard),
		"1 deferred 4.5.0 host 127.0.0.1[127.0.0.1]: reply before the end of the message");
	stop();
}

static void deaf_server_times_out(void **state)
{
	size_t size = 16 * 1000 * 1000;
	auto_free char *large = mem_new(size);

	(void)state;
	memset(large, 'x', size);
	run_one(&(struct server_manners){ .ehlo = "250 f\r\n", .in_body = REPLY_DEAF }, &good, "",
		&(struct job_row){ .content = { large, size } });
	assert_lines(buf_slice(&heard),
		"1 deferred 4.4.2 conversation with 127.0.0.1[127.0.0.1] timed out while sending message "
		"body");
	server_hang_up(&server);
	stop();
}

static void trickling_server(void **state)
{
	(void)state;
	run_one(&(struct server_manners){ .trickles = true }, &good, "",
		&(struct job_row){ .rcpts = "a@x no@x b@x" });
	assert_lines(buf_slice(&heard), "2 failed\n1 relayed\n3 relayed");
	stop();
}

static void nobody_is_left_after_354(void **state)
{
	(void)state;
	run_one(&good, &good, "", &(struct job_row){ .rcpts = "no@x" });
	assert_lines(buf_slice(&heard), "1 failed 5.1.1");
	while (server.n_mails == 0) /* the dot that the server waits for */
		(void)uv_run(loop, UV_RUN_ONCE);
	assert_slice_equal(buf_slice(&server.content), SLICE(".\r\n"));
	send_job(2, &(struct job_row){ 0 });
	await_done(2);
	assert_int_equal(server.n_connections, 1);
	stop();
}

static void too_many_go_again(void **state)
{
	static const struct server_manners limits = {
		.ehlo = "250-f\r\n250-PIPELINING\r\n250 LIMITS X=1 RCPTMAX=2\r\n"
	};
	(void)state;
	run_one(&good, &good, "", &(struct job_row){ .rcpts = "a@x many@x" });
	assert_lines(buf_slice(&heard), "1 relayed\n2 deferred 4.5.3");
	assert_int_equal(server.n_mails, 2); /* the second with nobody left */
	stop();
	run_one(&limits, &good, "", &(struct job_row){ .rcpts = "a@x b@x c@x d@x e@x" });
	assert_lines(buf_slice(&heard), "1 relayed\n2 relayed\n3 relayed\n4 relayed\n5 relayed");
	assert_int_equal(server.n_mails, 3);
	stop();
	run_one(&good, &good, "max_recipients = 1\n", &(struct job_row){ .rcpts = "a@x b@x" });
	assert_int_equal(server.n_mails, 2);
	stop();
}

/* ---- the next host ---- */

static void goes_on_to_the_next_host(void **state)
{
	static const struct {
		struct server_manners first, later;
		struct job_row row;
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
		struct job_row row = rows[i].row;
		row.destination = "[two.test]";
		run_one(&rows[i].first, &rows[i].later, "", &row);
		assert_lines(buf_slice(&heard), rows[i].want);
		assert_int_equal(server.n_connections, rows[i].n_connections);
		stop();
	}
}

static void loops_are_seen(void **state)
{
	static const struct server_manners ourselves = { .ehlo = "250 Client.test\r\n" };

	(void)state;
	run_one(&ourselves, &good, "", &(struct job_row){ 0 }); /* told to go there: allowed */
	assert_lines(buf_slice(&heard), "1 relayed");
	stop();
	run_one(&ourselves, &good, "", &(struct job_row){ .destination = "one.test" });
	assert_lines(buf_slice(&heard), "1 failed 5.4.6 mail for one.test:");
	stop();
}

/* A kept connection that the server closed meanwhile costs nothing. */
static void stale_connections(void **state)
{
	static const struct server_manners once = { .body = "250 2.0.0 Ok\r\n" REPLY_CLOSE };

	(void)state;
	run_one(&once, &once, "", &(struct job_row){ 0 });
	for (uint64_t i = 2; i < 6; i++) {
		send_job(i, &(struct job_row){ 0 });
		await_done(i);
	}
	assert_lines(buf_slice(&heard), "1 relayed\n1 relayed\n1 relayed\n1 relayed\n1 relayed");
	assert_int_equal(server.n_connections, 5);
	stop();
}

static void hosts_that_are_not_there(void **state)
{
	(void)state;
	start("");
	SEND(queue_end, JOB_BEGIN, .job = 1, .queue_id = 7, .destination = SLICE("[two.test]:1"),
		.reverse_path = SLICE_EMPTY, .envid = SLICE_EMPTY, .size = 2, .n_rcpts = 1);
	send_rcpts(1, &(struct job_row){ 0 }, SLICE("a@x.test"));
	SEND(queue_end, JOB_CONTENT, .job = 1, .offset = 0, .chunk = SLICE("x\n"));
	await_done(1);
	assert_lines(buf_slice(&heard), "]:1: Connection refused (two.test[127.0.0.");
	stop();
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
		start("");
		SEND(queue_end, JOB_BEGIN, .job = 1, .queue_id = 7,
			.destination = slice_of(rows[i].destination), .reverse_path = SLICE_EMPTY,
			.envid = SLICE_EMPTY, .size = 2, .n_rcpts = 1);
		send_rcpts(1, &(struct job_row){ 0 }, SLICE("a@x.test"));
		SEND(queue_end, JOB_CONTENT, .job = 1, .offset = 0, .chunk = SLICE("x\n"));
		await_done(1);
		assert_lines(buf_slice(&heard), rows[i].want);
		stop();
	}
}

/* ---- limits, cancelling, ends ---- */

static void limits_connections(void **state)
{
	(void)state;
	start("destination_concurrency = 2\n");
	server_reset(&server, &good, &good);
	for (uint64_t i = 1; i <= 50; i++)
		send_job(i, &(struct job_row){ 0 });
	await_done(50);
	assert_int_equal(server.n_mails, 50);
	assert_int_equal(server.n_connections, 2);
	stop();
	start("destination_concurrency = 1\nmessages_per_connection = 20\n");
	server_reset(&server, &good, &good);
	for (uint64_t i = 1; i <= 50; i++)
		send_job(i, &(struct job_row){ 0 });
	await_done(50);
	assert_int_equal(server.n_mails, 50);
	assert_int_equal(server.n_connections, 3);
	stop();
	start("max_connections = 1\n");
	server_reset(&server, &good, &good);
	for (uint64_t i = 1; i <= 20; i++)
		send_job(i, &(struct job_row){ .destination = i % 2 ? "[127.0.0.1]" : "[127.0.0.2]" });
	await_done(20);
	assert_int_equal(server.n_mails, 20);
	stop();
}

static void cancels(void **state)
{
	(void)state;
	start("destination_concurrency = 1\n");
	server_reset(&server, &(struct server_manners){ .rcpt = REPLY_SILENT }, &good);
	send_job(1, &(struct job_row){ 0 });
	send_job(2, &(struct job_row){ 0 });
	send_job(3, &(struct job_row){ 0 });
	while (server.commands.len < 60)
		(void)uv_run(loop, UV_RUN_ONCE);
	SEND(queue_end, JOB_CANCEL, .job = 2); /* waits */
	SEND(queue_end, JOB_CANCEL, .job = 1); /* in the middle */
	SEND(queue_end, JOB_CANCEL, .job = 9); /* unknown */
	await_done(3);
	assert_lines(buf_slice(&heard), "1 relayed");
	assert_int_equal(relay.jobs.n, 0);
	stop();
}

static void cancel_is_too_late_after_the_dot(void **state)
{
	(void)state;
	start("");
	server_reset(&server, &(struct server_manners){ .body = "250 ok\r\n", .trickles = true }, &good);
	send_job(1, &(struct job_row){ 0 });
	while (server.n_mails == 0)
		(void)uv_run(loop, UV_RUN_ONCE);
	SEND(queue_end, JOB_CANCEL, .job = 1);
	await_done(1);
	assert_lines(buf_slice(&heard), "1 relayed");
	stop();
}

static void queue_dies(void **state)
{
	(void)state;
	start("destination_concurrency = 2\n");
	server_reset(&server, &(struct server_manners){ .rcpt = REPLY_SILENT }, &good);
	for (uint64_t i = 1; i <= 5; i++)
		send_job(i, &(struct job_row){ .destination = i == 5 ? "nowhere.example" : NULL });
	while (server.commands.len < 60)
		(void)uv_run(loop, UV_RUN_ONCE);
	relay_drop_all(&relay);
	assert_int_equal(relay.jobs.n, 0);
	assert_int_equal(relay.n_sessions, 0);
	assert_int_equal(relay.lanes.n, 0);
	stop();
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
	start("");
	server_reset(&server, &(struct server_manners){ .trickles = true }, &good);
	send_job(1, &(struct job_row){ 0 });
	while (server.n_mails == 0)
		(void)uv_run(loop, UV_RUN_ONCE);
	n_stopped = 0;
	relay.on_stopped = on_stopped;
	relay_stop(&relay);
	assert_int_equal(n_stopped, 0);
	while (n_stopped == 0)
		(void)uv_run(loop, UV_RUN_ONCE);
	await_done(1);
	assert_lines(buf_slice(&heard), "1 relayed");
	stop();
}

static void confused_queue(void **state)
{
	(void)state;
	start("");
	server_reset(&server, &good, &good);
	SEND(queue_end, JOB_BEGIN, .job = 1, .queue_id = 7, .destination = SLICE("x"),
		.reverse_path = SLICE_EMPTY, .envid = SLICE_EMPTY, .size = 2, .n_rcpts = 0);
	SEND(queue_end, JOB_BEGIN, .job = 2, .queue_id = 7, .destination = SLICE("x"),
		.reverse_path = SLICE_EMPTY, .envid = SLICE_EMPTY, .size = 2, .n_rcpts = 4000000000);
	SEND(queue_end, JOB_CONTENT, .job = 3, .offset = 0, .chunk = SLICE("x\n"));
	SEND(queue_end, JOB_BEGIN, .job = 4, .queue_id = 7, .destination = SLICE("x"),
		.reverse_path = SLICE_EMPTY, .envid = SLICE_EMPTY, .size = 2, .n_rcpts = 1);
	send_rcpts(4, &(struct job_row){ 0 }, SLICE("a@x"));
	SEND(queue_end, JOB_CONTENT, .job = 4, .offset = 1, .chunk = SLICE("x\n"));
	await_done(3);
	assert_lines(buf_slice(&heard), "1 deferred 4.3.0");
	assert_int_equal(relay.jobs.n, 0);
	stop();
}

static int tear_down(void **state)
{
	(void)state;
	server_hang_up(&server);
	stop(); /* what a failed test left */
	return 0;
}
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(relays),
		TEST(reuses_connections),
		TEST(idle_connections_end),
		TEST(groups_by_trail),
		TEST(sends_what_is_offered),
		TEST(large_content_comes_in_chunks),
		TEST(missing_content_defers),
		TEST(empty_content),
		TEST(results_follow_replies),
		TEST(refuses_in_advance),
		TEST(early_verdict_counts),
		TEST(deaf_server_times_out),
		TEST(trickling_server),
		TEST(nobody_is_left_after_354),
		TEST(too_many_go_again),
		TEST(goes_on_to_the_next_host),
		TEST(loops_are_seen),
		TEST(stale_connections),
		TEST(hosts_that_are_not_there),
		TEST(bad_destinations),
		TEST(limits_connections),
		TEST(cancels),
		TEST(cancel_is_too_late_after_the_dot),
		TEST(queue_dies),
		TEST(stopping_waits_for_verdicts),
		TEST(confused_queue),
	};
	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
