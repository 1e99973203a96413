/* SPDX-License-Identifier: Apache-2.0 */
/*
 * smtpload - sends mail as fast as the server takes it, and says how fast that was
 *
 * One thread, epoll, one read and one write per step of the dialogue, so that on a shared machine the load
 * generator takes little from the server it measures. Latency is from the first command of a message (from
 * the connect, with -c) to the 250 after its content. Result: one line of name=value on standard output.
 * With -H it sends no mail: it opens the sessions, prints how many greeted it, and keeps them until its
 * standard input ends. Exit 0: every reply was a yes and no session was stuck; 1: not so; 64: usage; 71: the
 * machine refused.
 */
#include "bench/loadstats.h"
#include "base/buf.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define NS_PER_S 1000000000u
#define MAX_SESSIONS 10000
#define MAX_REPLY 4096
#define MAX_REFUSED 1000 /* a server that refuses this often is not measured any longer */

static const char usage[] =
	"usage: smtpload [-a ADDRESS] [-p PORT] [-s SESSIONS] [-n MESSAGES | -t SECONDS] [-l OCTETS]\n"
	"                [-r RECIPIENT] [-u N] [-m RECIPIENTS-PER-MESSAGE] [-f SENDER] [-w SECONDS] [-c] "
	"[-P] [-H]\n"
	"  -r  address with one %d, which runs from 0 to N - 1 (u%d@bench.test), or with one %a, the same "
	"number\n"
	"      as two octets of an IPv4 address (u@[10.1.%a])\n"
	"  -l  size of the content with its header, in octets (4096)\n"
	"  -A  goes on after SECONDS until every session has had a 250, at most as long as -w says\n"
	"  -c  a new connection for every message       -P  MAIL, RCPT and DATA in one write\n"
	"  -H  opens SESSIONS and says EHLO, nothing more; ends with standard input\n"
	"  -w  a session is stuck when nothing at all was accepted for so long after the end (10)\n";

/* What the session waits for; the order is that of the dialogue. */
enum stage {
	STAGE_GREETING, /* 220 */
	STAGE_EHLO,
	STAGE_IDLE, /* with -H: nothing */
	STAGE_MAIL,
	STAGE_RCPT,    /* n_rcpts_left more replies */
	STAGE_DATA,    /* 354 */
	STAGE_CONTENT, /* the 250 that counts */
	STAGE_RESET,   /* after a refusal */
	STAGE_QUIT,
	STAGE_CLOSED
};

struct session {
	int fd;
	enum stage stage;
	bool wants_out, is_served; /* has had a 250 for a message */
	uint64_t began_ns;	   /* of the current message */
	uint64_t n_rcpts_left;
	struct buf in, out; /* replies not yet complete; what is to be sent */
	size_t n_sent;	    /* of out; large bodies leave in parts and are not moved for it */
};

struct load {
	struct sockaddr_in server;
	uint64_t n_sessions, n_messages, run_tenths, size, n_users, n_rcpts, patience_s;
	bool is_reconnecting, is_pipelining, is_awaiting_all, is_holding;
	struct slice rcpt_head, rcpt_tail; /* around the number */
	bool is_octets;			   /* the number is written as two octets */
	const char *sender;
	struct buf content; /* everything after the Message-ID line, with the final dot */

	int epoll_fd;
	struct session *sessions;
	uint64_t n_begun, n_done, n_refused, n_connections, n_open, n_served, n_idle, next_user;
	uint64_t began_us; /* of the wall clock */
	uint64_t start_ns, end_ns /* no new message after it; 0: by number */, last_done_ns;
	struct loadstats latency;
};

static struct load load; /* the only instance: a histogram this large does not belong on the stack */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "smtpload: %s: %s\n", what, strerror(errno));
	exit(71);
}

/* Writing. */

static void watch(struct load *l, struct session *s, bool wants_out)
{
	struct epoll_event ev = { .events = EPOLLIN | (wants_out ? EPOLLOUT : 0u), .data.ptr = s };

	if (s->wants_out == wants_out)
		return;
	s->wants_out = wants_out;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, s->fd, &ev) < 0)
		die("epoll_ctl");
}

static void session_flush(struct load *l, struct session *s)
{
	size_t n_left = s->out.len - s->n_sent;
	ssize_t n = n_left > 0 ? send(s->fd, s->out.at + s->n_sent, n_left, MSG_NOSIGNAL) : 0;

	if (n > 0)
		s->n_sent += (size_t)n; /* an error shows as a reading one, there it is counted */
	if (s->n_sent == s->out.len) {
		buf_clear(&s->out);
		s->n_sent = 0;
	}
	watch(l, s, s->out.len > 0);
}

static void put_rcpt(struct load *l, struct session *s)
{
	uint64_t n = l->next_user++ % l->n_users;

	buf_append_str(&s->out, "RCPT TO:<");
	buf_append(&s->out, l->rcpt_head);
	if (l->is_octets)
		buf_printf(&s->out, "%" PRIu64 ".%" PRIu64, n / 250, n % 250 + 1);
	else
		buf_printf(&s->out, "%" PRIu64, n);
	buf_append(&s->out, l->rcpt_tail);
	buf_append_str(&s->out, ">\r\n");
}

static void put_content(struct load *l, struct session *s)
{
	/* One line differs, so that each mail can be told from the others; its length does not. */
	buf_printf(&s->out, "Message-ID: <%016" PRIx64 ".%05zu@load.test>\r\n", s->began_ns,
		(size_t)(s - l->sessions));
	buf_append(&s->out, buf_slice(&l->content));
}

/* Stages. */

static void session_end(struct load *l, struct session *s)
{
	(void)close(s->fd); /* nothing of it is needed any more */
	s->fd = -1;
	s->stage = STAGE_CLOSED;
	buf_free(&s->in);
	buf_free(&s->out);
	l->n_open--;
}

static bool may_begin(const struct load *l)
{
	uint64_t now = clock_mono_ns();

	if (l->is_holding || l->n_refused >= MAX_REFUSED)
		return false;
	if (l->end_ns == 0)
		return l->n_begun < l->n_messages;
	return now < l->end_ns ||
		(l->is_awaiting_all && l->n_served < l->n_sessions &&
			now < l->end_ns + l->patience_s * NS_PER_S);
}

static void session_quit(struct session *s)
{
	s->stage = STAGE_QUIT;
	buf_append_str(&s->out, "QUIT\r\n");
}

static void message_begin(struct load *l, struct session *s)
{
	l->n_begun++;
	if (!l->is_reconnecting)
		s->began_ns = clock_mono_ns();
	s->stage = STAGE_MAIL;
	s->n_rcpts_left = l->n_rcpts;
	buf_printf(&s->out, "MAIL FROM:<%s>\r\n", l->sender);
	if (!l->is_pipelining)
		return;
	for (uint64_t i = 0; i < l->n_rcpts; i++)
		put_rcpt(l, s);
	buf_append_str(&s->out, "DATA\r\n");
}

static void session_open(struct load *l, struct session *s)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
	int on = 1;

	*s = (struct session){ .is_served = s->is_served, .began_ns = clock_mono_ns() }; /* STAGE_GREETING */
	s->in = BUF_INIT(MAX_REPLY);
	s->out = BUF_INIT(l->content.len + MAX_REPLY + l->n_rcpts * 400);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		die("socket");
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only slower without */
	if (connect(s->fd, (struct sockaddr *)&l->server, sizeof(l->server)) < 0 && errno != EINPROGRESS)
		die("connect");
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, s->fd, &ev) < 0)
		die("epoll_ctl");
	l->n_connections++;
	l->n_open++;
}

/* Each has had the reply it waited for, a good one, and says the next thing. */
static void after_greeting(struct load *l, struct session *s)
{
	s->stage = STAGE_EHLO;
	buf_append_str(&s->out, "EHLO load.test\r\n");
}
static void after_ready(struct load *l, struct session *s) /* EHLO, RSET */
{
	if (l->is_holding) {
		s->stage = STAGE_IDLE;
		l->n_idle++;
	} else if (may_begin(l)) {
		message_begin(l, s);
	} else {
		session_quit(s);
	}
}
static void after_mail(struct load *l, struct session *s)
{
	s->stage = STAGE_RCPT;
	if (!l->is_pipelining)
		put_rcpt(l, s);
}
static void after_rcpt(struct load *l, struct session *s)
{
	if (--s->n_rcpts_left == 0)
		s->stage = STAGE_DATA;
	if (!l->is_pipelining && s->n_rcpts_left > 0)
		put_rcpt(l, s);
	else if (!l->is_pipelining)
		buf_append_str(&s->out, "DATA\r\n");
}
static void after_data(struct load *l, struct session *s)
{
	s->stage = STAGE_CONTENT;
	put_content(l, s);
}
static void after_content(struct load *l, struct session *s)
{
	l->last_done_ns = clock_mono_ns();
	l->n_done++;
	l->n_served += !s->is_served;
	s->is_served = true;
	loadstats_add(&l->latency, (l->last_done_ns - s->began_ns) / 1000);
	if (l->is_reconnecting)
		session_quit(s);
	else
		after_ready(l, s);
}
static void after_quit(struct load *l, struct session *s)
{
	session_end(l, s);
	if (l->is_reconnecting && may_begin(l))
		session_open(l, s);
}

static const struct {
	char good; /* first digit of the reply that leads on */
	void (*next)(struct load *l, struct session *s);
} stages[] = {
	[STAGE_GREETING] = { '2', after_greeting },
	[STAGE_EHLO] = { '2', after_ready },
	[STAGE_IDLE] = { '\0', NULL }, /* whatever comes is a refusal */
	[STAGE_MAIL] = { '2', after_mail },
	[STAGE_RCPT] = { '2', after_rcpt },
	[STAGE_DATA] = { '3', after_data },
	[STAGE_CONTENT] = { '2', after_content },
	[STAGE_RESET] = { '2', after_ready },
	[STAGE_QUIT] = { '2', after_quit },
};

static void refused(struct load *l, struct session *s, struct slice reply)
{
	if (l->n_refused++ == 0)
		fprintf(stderr, "smtpload: refused: %.*s\n", SLICE_ARG(reply));
	/* A pipelined DATA may be under way: only a new connection is sure to be in step again. */
	if (l->is_pipelining || s->stage < STAGE_MAIL || s->stage > STAGE_CONTENT) {
		session_end(l, s);
		if (may_begin(l))
			session_open(l, s);
		return;
	}
	s->stage = STAGE_RESET;
	buf_append_str(&s->out, "RSET\r\n");
}

/* Reading. */

static void take_replies(struct load *l, struct session *s)
{
	struct slice rest = buf_slice(&s->in), line;
	uint64_t connection = l->n_connections;

	while (slice_cut(&rest, '\n', &line)) {
		line = slice_trim(line);
		if (line.len >= 4 && line.at[3] == '-')
			continue;
		if (line.len > 0 && line.at[0] == stages[s->stage].good)
			stages[s->stage].next(l, s);
		else
			refused(l, s, line);
		if (s->stage == STAGE_CLOSED || l->n_connections != connection)
			return; /* the buffer went with the connection */
	}
	buf_drop_front(&s->in, s->in.len - rest.len);
	session_flush(l, s);
}

static void session_ready(struct load *l, struct session *s, uint32_t events)
{
	char *room;
	ssize_t n;

	if (events & EPOLLOUT)
		session_flush(l, s);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	room = buf_reserve(&s->in, MAX_REPLY - s->in.len);
	n = room ? recv(s->fd, room, MAX_REPLY - s->in.len, 0) : 0;
	if (n > 0) {
		buf_grew(&s->in, (size_t)n);
		take_replies(l, s);
	} else if (n == 0 || errno != EAGAIN) {
		refused(l, s, n == 0 ? SLICE("connection closed") : slice_of(strerror(errno)));
	}
}

/* Silence for the patience after the last 250 (or the start): whoever is still open then is stuck. */
static bool is_given_up(const struct load *l)
{
	uint64_t since = MAX(MAX(l->start_ns, l->last_done_ns), l->end_ns);

	return clock_mono_ns() > since + l->patience_s * NS_PER_S;
}

static void load_run(struct load *l)
{
	struct epoll_event ev[256];

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		die("epoll");
	l->began_us = clock_wall_us();
	l->start_ns = clock_mono_ns();
	l->end_ns = l->run_tenths ? l->start_ns + l->run_tenths * (NS_PER_S / 10) : 0;
	for (uint64_t i = 0; i < l->n_sessions; i++)
		session_open(l, &l->sessions[i]);
	while (l->n_open > l->n_idle && !is_given_up(l)) {
		int n = epoll_wait(l->epoll_fd, ev, ARRAY_LEN(ev), 100);
		for (int i = 0; i < n; i++)
			session_ready(l, ev[i].data.ptr, ev[i].events);
	}
}

/* Says how many sessions are open and keeps them, without a look at them, until standard input ends. */
static void load_hold(struct load *l)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char byte;

	printf("idle=%" PRIu64 " refused=%" PRIu64 "\n", l->n_idle, l->n_refused);
	(void)fflush(stdout); /* the reader is gone when it fails, and then standard input has ended too */
	while (poll(&in, 1, -1) < 0 || read(STDIN_FILENO, &byte, 1) > 0)
		;
}

static double cpu_seconds(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) < 0)
		die("getrusage");
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		(double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void report(const struct load *l)
{
	double seconds = l->n_done ? (double)(l->last_done_ns - l->start_ns) / 1e9 : 0;
	double rate = l->n_done ? (double)l->n_done / seconds : 0;

	printf("done=%" PRIu64 " refused=%" PRIu64 " stuck=%" PRIu64 " seconds=%.3f rate=%.1f mbps=%.2f "
	       "p50_ms=%.3f p99_ms=%.3f max_ms=%.3f connections=%" PRIu64 " gencpu_s=%.3f began_s=%.6f\n",
		l->n_done, l->n_refused, l->n_open, seconds, rate, rate * (double)l->size / 1e6,
		(double)loadstats_quantile(&l->latency, 0.5) / 1e3,
		(double)loadstats_quantile(&l->latency, 0.99) / 1e3, (double)l->latency.max_us / 1e3,
		l->n_connections, cpu_seconds(), (double)l->began_us / 1e6);
}

/* Start. */

static void content_make(struct load *l)
{
	struct buf *b = &l->content;
	size_t n_id = strlen("Message-ID: <0123456789abcdef.00001@load.test>\r\n");
	size_t n_text;

	*b = BUF_INIT(l->size + MAX_REPLY);
	buf_printf(
		b, "From: Load <%s>\r\nTo: Users <users@load.test>\r\nSubject: one of many\r\n", l->sender);
	buf_append_str(b, "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMIME-Version: 1.0\r\n\r\n");
	for (n_text = n_id + b->len; n_text + 2 < l->size; n_text = n_id + b->len) {
		size_t n_line = MIN(72, l->size - n_text - 2);
		for (size_t i = 0; i < n_line; i++)
			buf_append_byte(b, (char)('a' + i % 26));
		buf_append_str(b, "\r\n");
	}
	buf_append_str(b, ".\r\n");
	CHECK(buf_ok(b));
}

static bool rcpt_pattern(struct load *l, struct slice pattern)
{
	size_t at = slice_find(pattern, '%');

	l->rcpt_head = slice_first(pattern, at);
	l->rcpt_tail = slice_from(pattern, at + 2);
	l->is_octets = at + 1 < pattern.len && pattern.at[at + 1] == 'a';
	return l->is_octets || (at + 1 < pattern.len && pattern.at[at + 1] == 'd');
}

/* A number of seconds with at most one decimal, in tenths. */
static bool to_tenths(const char *text, uint64_t *tenths_out)
{
	struct slice rest = slice_of(text), whole;
	uint64_t w, tenth = 0;

	if (!slice_cut(&rest, '.', &whole))
		whole = rest;
	else if (!slice_to_u64(rest, 9, &tenth))
		return false;
	if (!slice_to_u64(whole, 86400, &w))
		return false;
	*tenths_out = w * 10 + tenth;
	return true;
}

static bool option(struct load *l, int opt, uint64_t *port)
{
	struct slice arg = slice_of(optarg);

	switch (opt) {
	case 'a': return inet_pton(AF_INET, optarg, &l->server.sin_addr) == 1;
	case 'p': return slice_to_u64(arg, UINT16_MAX, port);
	case 's': return slice_to_u64(arg, MAX_SESSIONS, &l->n_sessions) && l->n_sessions > 0;
	case 'n': return slice_to_u64(arg, UINT64_MAX, &l->n_messages);
	case 't': return to_tenths(optarg, &l->run_tenths);
	case 'l': return slice_to_u64(arg, 1u << 30, &l->size);
	case 'r': return rcpt_pattern(l, arg);
	case 'u': return slice_to_u64(arg, UINT32_MAX, &l->n_users) && l->n_users > 0;
	case 'm': return slice_to_u64(arg, 100000, &l->n_rcpts) && l->n_rcpts > 0;
	case 'w': return slice_to_u64(arg, 3600, &l->patience_s);
	case 'f': return (l->sender = optarg) != NULL;
	case 'c': return l->is_reconnecting = true;
	case 'A': return l->is_awaiting_all = true;
	case 'P': return l->is_pipelining = true;
	case 'H': return l->is_holding = true;
	default: return false;
	}
}

/* One descriptor for each session, whatever the shell's limit is. */
static void allow_descriptors(uint64_t n)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		die("getrlimit");
	r.rlim_cur = MAX(r.rlim_cur, n + 32);
	r.rlim_max = MAX(r.rlim_max, r.rlim_cur);
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		die("setrlimit");
}

int main(int argc, char **argv)
{
	struct load *l = &load;
	uint64_t port = 25;
	int opt;

	*l = (struct load){ .server = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
		.n_sessions = 50,
		.n_messages = 1000,
		.size = 4096,
		.n_users = 100,
		.n_rcpts = 1,
		.patience_s = 10,
		.sender = "sender@load.test" };
	CHECK(rcpt_pattern(l, SLICE("u%d@bench.test")));
	while ((opt = getopt(argc, argv, "a:p:s:n:t:l:r:u:m:f:w:cAPH")) >= 0) {
		if (!option(l, opt, &port)) {
			fputs(usage, stderr);
			return 64;
		}
	}
	l->server.sin_port = htons((uint16_t)port);
	content_make(l);
	allow_descriptors(l->n_sessions);
	l->sessions = mem_new_array(l->n_sessions, sizeof(*l->sessions));
	load_run(l);
	if (l->is_holding) {
		load_hold(l);
		return l->n_idle == l->n_sessions ? 0 : 1;
	}
	report(l);
	return l->n_refused == 0 && l->n_open == 0 && l->n_done > 0 ? 0 : 1;
}
