/* SPDX-License-Identifier: Apache-2.0 */
/* test_server.c - see test_server.h */
#include "smtp/test_server.h"
#include <arpa/inet.h>

struct peer {
	uv_tcp_t tcp;
	uv_timer_t timer; /* of the next byte */
	struct list in_server;
	struct server *server;
	const struct server_manners *manners;
	struct buf in, out;
	size_t out_done;
	bool is_lmtp, in_content, said_in_content, closes_after, is_closing, is_mute;
	size_t n_accepted; /* recipients of the mail under way */
	int n_handles;
};

static void on_peer_closed(uv_handle_t *handle)
{
	struct peer *p = handle->data;

	if (--p->n_handles)
		return;
	p->server->n_open--;
	buf_free(&p->in);
	buf_free(&p->out);
	mem_free(p);
}

static void peer_close(struct peer *p)
{
	if (p->is_closing)
		return;
	p->is_closing = true;
	list_remove(&p->in_server);
	uv_close((uv_handle_t *)&p->tcp, on_peer_closed);
	uv_close((uv_handle_t *)&p->timer, on_peer_closed);
}

static void on_tick(uv_timer_t *timer);

static void peer_flush(struct peer *p)
{
	while (!p->is_closing && p->out_done < p->out.len) {
		size_t n = p->manners->trickles ? 1 : p->out.len - p->out_done;
		uv_buf_t bytes = uv_buf_init(p->out.at + p->out_done, (unsigned)n);
		int written = uv_try_write((uv_stream_t *)&p->tcp, &bytes, 1);
		if (written < 0) {
			peer_close(p);
			return;
		}
		p->out_done += (size_t)written;
		if (p->manners->trickles) {
			CHECK(uv_timer_start(&p->timer, on_tick, 1, 0) == 0);
			return;
		}
	}
	if (p->closes_after)
		peer_close(p);
}

static void on_tick(uv_timer_t *timer)
{
	peer_flush(timer->data);
}

static void peer_say(struct peer *p, const char *reply, const char *usual)
{
	struct slice text = slice_of(reply ? reply : usual);

	p->is_mute |= slice_eq(text, SLICE(REPLY_SILENT));
	if (p->is_mute)
		return;
	if (slice_eq(text, SLICE(REPLY_DEAF))) {
		(void)uv_read_stop((uv_stream_t *)&p->tcp);
		return;
	}
	if (slice_ends_nocase(text, SLICE(REPLY_CLOSE))) {
		text.len -= sizeof(REPLY_CLOSE) - 1;
		p->closes_after = true;
	}
	buf_append(&p->out, text);
	if (!uv_is_active((uv_handle_t *)&p->timer))
		peer_flush(p);
}

static const char *usual_rcpt(struct slice line)
{
	static const struct {
		const char *start, *reply;
	} rows[] = {
		{ "RCPT TO:<no", "550 5.1.1 no such user\r\n" },
		{ "RCPT TO:<later", "450 4.2.1 come\tback\r\n" },
		{ "RCPT TO:<many", "452 4.5.3 too many\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (slice_starts(line, slice_of(rows[i].start)))
			return rows[i].reply;
	return "250 2.1.5 Ok\r\n";
}

static void peer_rcpt(struct peer *p, struct slice line)
{
	const char *reply = p->manners->rcpt ? p->manners->rcpt : usual_rcpt(line);

	p->n_accepted += reply[0] == '2';
	peer_say(p, reply, NULL);
}

static void peer_judge(struct peer *p)
{
	auto_buf struct buf replies = BUF_INIT(4096);

	for (size_t i = 0; p->is_lmtp && i < p->n_accepted; i++)
		buf_printf(&replies, "250 2.0.0 <%zu> Saved\r\n", i + 1);
	peer_say(p, p->manners->body, p->is_lmtp ? buf_cstr(&replies) : "250 2.0.0 Ok: queued as 42\r\n");
}

static void peer_command(struct peer *p, struct slice line)
{
	const struct server_manners *m = p->manners;
	struct slice rest = line, verb;

	buf_append(&p->server->commands, line);
	buf_append_byte(&p->server->commands, '\n');
	if (!slice_next_word(&rest, &verb))
		return;
	if (slice_eq(verb, SLICE("LHLO")))
		p->is_lmtp = true;
	if (slice_eq(verb, SLICE("EHLO")) || slice_eq(verb, SLICE("LHLO")))
		peer_say(p, m->ehlo,
			"250-fake.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 1000000\r\n250-DSN\r\n"
			"250 ENHANCEDSTATUSCODES\r\n");
	else if (slice_eq(verb, SLICE("HELO")))
		peer_say(p, m->helo, "250 fake.test\r\n");
	else if (slice_eq(verb, SLICE("MAIL"))) {
		p->n_accepted = 0;
		peer_say(p, m->mail, "250 2.1.0 Ok\r\n");
	} else if (slice_eq(verb, SLICE("RCPT")))
		peer_rcpt(p, line);
	else if (slice_eq(verb, SLICE("DATA")) && p->is_lmtp && !m->data && p->n_accepted == 0)
		peer_say(p, NULL, "503 5.5.1 no recipients\r\n"); /* RFC 2033 4.2 */
	else if (slice_eq(verb, SLICE("DATA"))) {
		p->in_content = !m->data || m->data[0] == '3';
		p->said_in_content = false;
		peer_say(p, m->data, "354 go on\r\n");
	} else if (slice_eq(verb, SLICE("RSET")))
		peer_say(p, m->rset, "250 2.0.0 Ok\r\n");
	else if (slice_eq(verb, SLICE("QUIT")))
		peer_say(p, NULL, "221 2.0.0 Bye\r\n" REPLY_CLOSE);
	else
		peer_say(p, NULL, "502 5.5.2 what?\r\n");
}

/* False: more is needed. */
static bool peer_content(struct peer *p)
{
	struct slice in = buf_slice(&p->in);
	bool is_empty = slice_starts(in, SLICE(".\r\n"));
	const char *end = is_empty || !in.len ? in.at : memmem(in.at, in.len, "\r\n.\r\n", 5);
	size_t n;

	if (!in.len)
		return false;
	if (p->manners->in_body && !p->said_in_content)
		peer_say(p, p->manners->in_body, NULL);
	p->said_in_content = true;
	if (!end)
		return false;
	n = is_empty ? 3 : (size_t)(end - in.at) + 5;
	buf_append(&p->server->content, slice_first(in, n));
	buf_append_str(&p->server->commands, "(content)\n");
	buf_drop_front(&p->in, n);
	p->in_content = false;
	p->server->n_mails++;
	peer_judge(p);
	return true;
}

static void peer_work(struct peer *p)
{
	struct slice in = buf_slice(&p->in), line;

	while (!p->is_closing && !p->closes_after) {
		if (p->in_content) {
			if (!peer_content(p))
				return;
			in = buf_slice(&p->in);
			continue;
		}
		if (slice_find(in, '\n') == in.len || !slice_next_line(&in, &line))
			return;
		peer_command(p, line);
		buf_drop_front(&p->in, p->in.len - in.len);
		in = buf_slice(&p->in);
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
	struct peer *p = handle->data;
	char *room = buf_reserve(&p->in, 65536);

	(void)suggested;
	CHECK(room != NULL);
	*out = uv_buf_init(room, 65536);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *in)
{
	struct peer *p = stream->data;

	(void)in;
	if (n < 0) {
		peer_close(p);
		return;
	}
	buf_grew(&p->in, (size_t)n);
	peer_work(p);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct server *s = listener->data;
	struct peer *p = mem_new(sizeof(*p));

	CHECK(status == 0);
	*p = (struct peer){ .server = s,
		.manners = s->n_connections++ ? s->later : s->first,
		.in = BUF_INIT(64 * 1024 * 1024),
		.out = BUF_INIT(1024 * 1024),
		.n_handles = 2 };
	s->n_open++;
	list_push_back(&s->peers, &p->in_server);
	CHECK(uv_tcp_init(listener->loop, &p->tcp) == 0);
	CHECK(uv_timer_init(listener->loop, &p->timer) == 0);
	p->tcp.data = p->timer.data = p;
	CHECK(uv_accept(listener, (uv_stream_t *)&p->tcp) == 0);
	CHECK(uv_tcp_nodelay(&p->tcp, 1) == 0);
	CHECK(uv_read_start((uv_stream_t *)&p->tcp, on_alloc, on_read) == 0);
	peer_say(p, p->manners->greeting, "220 fake.test ESMTP\r\n");
}

void server_start(struct server *s, uv_loop_t *loop)
{
	struct sockaddr_in any;
	struct sockaddr_storage bound;
	int size = sizeof(bound);

	*s = (struct server){ .commands = BUF_INIT(16 * 1024 * 1024), .content = BUF_INIT(64 * 1024 * 1024) };
	list_init(&s->peers);
	CHECK(uv_tcp_init(loop, &s->listener) == 0);
	s->listener.data = s;
	CHECK(uv_ip4_addr("0.0.0.0", 0, &any) == 0); /* 127.0.0.1 and 127.0.0.2: two hosts */
	CHECK(uv_tcp_bind(&s->listener, (const struct sockaddr *)&any, 0) == 0);
	CHECK(uv_listen((uv_stream_t *)&s->listener, 128, on_connection) == 0);
	CHECK(uv_tcp_getsockname(&s->listener, (struct sockaddr *)&bound, &size) == 0);
	s->port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
}

void server_reset(struct server *s, const struct server_manners *first, const struct server_manners *later)
{
	s->first = first;
	s->later = later;
	s->n_connections = s->n_mails = 0;
	buf_clear(&s->commands);
	buf_clear(&s->content);
}

void server_hang_up(struct server *s)
{
	while (!list_empty(&s->peers))
		peer_close(CONTAINER_OF(s->peers.next, struct peer, in_server));
}

void server_stop(struct server *s)
{
	buf_free(&s->commands);
	buf_free(&s->content);
	uv_close((uv_handle_t *)&s->listener, NULL);
}
