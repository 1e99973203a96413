/* SPDX-License-Identifier: Apache-2.0 */
/* queue_list.c - postrider queue list, show, why, cat: what is there, printed as it comes; see
 * queue_command.h */
#include "base/clock.h"
#include "base/limits.h"
#include "control/commands.h"
#include "control/queue_command.h"
#include "control/why.h"
#include "ipc/queue_orders.h"
#include "mail/header.h"
#include "mail/queue_id.h"
#include "mail/queue_json.h"
#include <sysexits.h>

#define JSON_BYTES (1024 * 1024)

/* ---- a listing, whoever prints it ---- */

struct printer {
	struct queue_command *q;
	enum queue_view view;
	void (*mail)(struct printer *p, const struct msg_QUEUE_MAIL *m);
	void (*envelope)(struct printer *p, const struct msg_QUEUE_ENVELOPE *e); /* may be NULL */
	void (*rcpt)(struct printer *p, const struct msg_QUEUE_RCPT *r);
	void (*mail_end)(struct printer *p); /* may be NULL */
	void (*group)(struct printer *p, const struct msg_QUEUE_GROUP *g);
	size_t n;
	struct buf line;
	struct json json;
	uint64_t id, expires_s;
	uint8_t state;
};

static void take(struct printer *p, enum msg_type type, const union msg_any *m)
{
	switch (type) {
	case MSG_QUEUE_MAIL:
		if (p->n++ && p->mail_end)
			p->mail_end(p);
		p->id = m->QUEUE_MAIL.queue_id;
		p->state = m->QUEUE_MAIL.state;
		p->expires_s = m->QUEUE_MAIL.expires_s;
		p->mail(p, &m->QUEUE_MAIL);
		break;
	case MSG_QUEUE_ENVELOPE:
		if (p->envelope)
			p->envelope(p, &m->QUEUE_ENVELOPE);
		break;
	case MSG_QUEUE_RCPT: p->rcpt(p, &m->QUEUE_RCPT); break;
	case MSG_QUEUE_GROUP:
		p->n++;
		p->group(p, &m->QUEUE_GROUP);
		break;
	default: break;
	}
}

/* One request; id 0: all that the filters let through. */
static int ask(struct printer *p, uint64_t id)
{
	struct client *c = &p->q->client;
	enum msg_type type = MSG_NONE;
	union msg_any m;
	int status = EX_OK;
	int r = CLIENT_SEND(c, QUEUE_LIST, .request = 1, .view = (uint8_t)p->view, .by = (uint8_t)p->q->by,
		.queue_id = id, .filter = buf_slice(&p->q->filter));

	if (r == 0)
		r = client_flush(c);
	if (r < 0)
		return daemon_silent(r);
	while ((status = daemon_receive(c, &type, &m)) == EX_OK && type != MSG_REQUEST_DONE)
		take(p, type, &m);
	if (status != EX_OK)
		return status;
	if (id && m.REQUEST_DONE.exit_code == EX_NOINPUT)
		complain("%s: %.*s", queue_id_format(id).at, SLICE_ARG(m.REQUEST_DONE.text));
	else if (m.REQUEST_DONE.exit_code)
		(void)daemon_answer(&m.REQUEST_DONE);
	return m.REQUEST_DONE.exit_code;
}

/* All that was asked for; some of several: 1. */
static int print(struct printer *p)
{
	int status = EX_OK, wrong = EX_OK;
	size_t n_asked = 0;
	uint64_t id;

	p->line = BUF_INIT(JSON_BYTES);
	p->json = JSON_INIT(&p->line);
	if (queue_command_is_open(p->q)) {
		status = ask(p, 0);
	} else {
		while (status == EX_OK && queue_command_next_id(p->q, &id, &status)) {
			int one = ask(p, id);
			n_asked++;
			if (one != EX_OK)
				wrong = one;
		}
	}
	if (p->n && p->mail_end && p->view != QUEUE_VIEW_GROUPS)
		p->mail_end(p);
	buf_free(&p->line);
	if (status == EX_OK && wrong != EX_OK)
		status = n_asked > 1 && p->n ? 1 : wrong;
	return status;
}

/* ---- as JSON ---- */

static void json_line(struct printer *p)
{
	(void)fwrite(p->line.at, 1, p->line.len, stdout); /* run() looks for errors */
	buf_clear(&p->line);
}

static void json_mail(struct printer *p, const struct msg_QUEUE_MAIL *m)
{
	queue_json_begin(&p->json,
		&(struct queue_json_mail){ .id = m->queue_id,
			.size = m->size,
			.arrival_s = m->arrival_s,
			.expires_s = m->expires_s,
			.state = (char)m->state,
			.is_expiring = m->is_expiring,
			.sender = m->reverse_path });
}

static void json_rcpt(struct printer *p, const struct msg_QUEUE_RCPT *r)
{
	queue_json_rcpt(&p->json,
		&(struct queue_json_rcpt){ .address = r->forward_path,
			.original = r->original,
			.status = r->status,
			.reason = r->reason,
			.state = rcpt_state_text(r->state),
			.attempts = r->attempts,
			.next_attempt_s = r->next_attempt_s,
			.last_attempt_s = r->last_attempt_s,
			.remote = r->remote,
			.next_hop = r->next_hop });
	json_line(p);
}

static void json_mail_end(struct printer *p)
{
	queue_json_end(&p->json);
	json_line(p);
}

static const char *by_name(enum queue_by by)
{
	return by == QUEUE_BY_REASON ? "reason" : by == QUEUE_BY_DOMAIN ? "domain" : "sender";
}

static void json_group(struct printer *p, const struct msg_QUEUE_GROUP *g)
{
	struct json j = JSON_INIT(&p->line);

	json_put_object(&j, NULL);
	json_put_text(&j, by_name(p->q->by), g->key);
	json_put_number(&j, "messages", g->n_mails);
	json_put_number(&j, "recipients", g->n_rcpts);
	json_put_number(&j, "bytes", g->bytes);
	json_put_number(&j, "oldest", g->oldest_s);
	json_put_text(&j, "example", slice_of(queue_id_format(g->example).at));
	json_put_object_end(&j);
	buf_append_byte(&p->line, '\n');
	json_line(p);
}

/* ---- list ---- */

static void print_mail(struct printer *p, const struct msg_QUEUE_MAIL *m)
{
	(void)p;
	(void)printf("%s  %s  %" PRIu64 " bytes  %s%s  from <", queue_id_format(m->queue_id).at,
		time_text(m->arrival_s), m->size, mail_state_text(m->state),
		m->is_expiring ? ", last attempt" : "");
	print_safely(m->reverse_path);
	(void)puts(">");
}

static void print_rcpt(struct printer *p, const struct msg_QUEUE_RCPT *r)
{
	(void)p;
	(void)fputs("    to <", stdout);
	print_safely(r->forward_path);
	(void)fputs(">", stdout);
	if (r->attempts)
		(void)printf("  attempts %u, next %s", r->attempts, time_text(r->next_attempt_s));
	if (r->next_hop.len) {
		(void)fputs(", through ", stdout);
		print_safely(r->next_hop);
	}
	if (r->reason.len) {
		(void)fputs("\n        ", stdout);
		print_safely(r->status);
		(void)putchar(' ');
		print_safely(r->reason);
	}
	(void)putchar('\n');
}

static void print_group(struct printer *p, const struct msg_QUEUE_GROUP *g)
{
	uint64_t now = (uint64_t)clock_wall_s();

	if (p->n == 1)
		(void)printf("%8s %8s %10s  %-12s %-15s  %s\n", "messages", "to", "kilobytes", "oldest",
			"for example", by_name(p->q->by));
	(void)printf("%8" PRIu64 " %8" PRIu64 " %10" PRIu64 "  %-12s %s  ", g->n_mails, g->n_rcpts,
		g->bytes / 1024, age_text(now > g->oldest_s ? now - g->oldest_s : 0),
		queue_id_format(g->example).at);
	print_safely(g->key.len || p->q->by != QUEUE_BY_SENDER ? g->key : SLICE("<>"));
	(void)putchar('\n');
}

int queue_list(struct queue_command *q)
{
	struct printer p = { .q = q,
		.view = q->by ? QUEUE_VIEW_GROUPS : QUEUE_VIEW_MAILS,
		.mail = q->json ? json_mail : print_mail,
		.rcpt = q->json ? json_rcpt : print_rcpt,
		.mail_end = q->json ? json_mail_end : NULL,
		.group = q->json ? json_group : print_group };
	int status = print(&p);

	if (status == EX_OK && p.n == 0 && !q->json)
		(void)puts(q->filter.len ? "no mail that the filters let through" : "the queue is empty");
	return status;
}

static void count_group(struct printer *p, const struct msg_QUEUE_GROUP *g)
{
	p->n = (size_t)g->n_mails;
}

int queue_count(struct queue_command *q, uint64_t *n_out)
{
	struct printer p = { .q = q, .view = QUEUE_VIEW_GROUPS, .group = count_group };
	int status;

	q->by = QUEUE_BY_ALL;
	status = print(&p);
	*n_out = p.n;
	return status;
}

/* ---- cat ---- */

/* The content piece by piece to take_piece(), until it says false. */
static int read_content(
	struct client *c, uint64_t id, bool (*take_piece)(void *user, struct slice piece), void *user)
{
	auto_buf struct buf text = BUF_INIT(4096);
	int status = EX_OK;
	int r = queue_content_read(c, id, take_piece, user, &status, &text);

	if (r < 0)
		return daemon_silent(r);
	if (status != EX_OK)
		complain("%s: %.*s", queue_id_format(id).at, SLICE_ARG(buf_slice(&text)));
	return status;
}

static bool write_piece(void *user, struct slice piece)
{
	(void)user;
	return fwrite(piece.at, 1, piece.len, stdout) == piece.len; /* run() tells */
}

int queue_cat(struct queue_command *q)
{
	int status = EX_OK, one = EX_OK;
	size_t n_done = 0;
	uint64_t id;

	while (status == EX_OK && queue_command_next_id(q, &id, &status)) {
		int r = read_content(&q->client, id, write_piece, NULL);
		one = r != EX_OK ? r : one;
		n_done += r == EX_OK;
	}
	return status != EX_OK ? status : one != EX_OK && n_done ? 1 : one;
}

/* ---- show ---- */

static void line_of(const char *name, struct slice value)
{
	if (value.len == 0)
		return;
	(void)printf("  %-11s ", name);
	print_safely(value);
	(void)putchar('\n');
}

static void show_mail(struct printer *p, const struct msg_QUEUE_MAIL *m)
{
	(void)printf("%s%s\n", p->n > 1 ? "\n" : "", queue_id_format(m->queue_id).at);
	line_of("from", m->reverse_path.len ? m->reverse_path : SLICE("<>"));
	(void)printf("  %-11s %s, %" PRIu64 " bytes, %u recipient%s left\n", "state",
		mail_state_text(m->state), m->size, m->n_rcpts, m->n_rcpts == 1 ? "" : "s");
	(void)printf("  %-11s %s\n", "arrived", time_text(m->arrival_s));
	(void)printf("  %-11s %s\n", "returned",
		m->is_expiring ? "when the next attempt fails" : time_text(m->expires_s));
}

static void show_envelope(struct printer *p, const struct msg_QUEUE_ENVELOPE *e)
{
	(void)p;
	line_of("by", e->protocol);
	line_of("client", e->client_address);
	line_of("name", e->client_name);
	line_of("helo", e->helo);
	line_of("login", e->login);
	line_of("envid", e->envid);
}

static void show_rcpt(struct printer *p, const struct msg_QUEUE_RCPT *r)
{
	(void)p;
	line_of("to", r->forward_path);
	if (!slice_eq(r->original, r->forward_path))
		line_of("  first", r->original);
	(void)printf("  %-11s %s", "  state", rcpt_state_text(r->state));
	if (r->attempts)
		(void)printf(", %u attempt%s, the last at %s", r->attempts, r->attempts == 1 ? "" : "s",
			time_text(r->last_attempt_s));
	if (r->attempts && r->state == QUEUE_RCPT_WAITING)
		(void)printf(", next at %s", time_text(r->next_attempt_s));
	(void)putchar('\n');
	line_of("  status", r->status);
	line_of("  reason", r->reason);
	line_of("  relay", r->remote);
	line_of("  next hop", r->next_hop);
}

static bool keep_header(void *user, struct slice piece)
{
	struct buf *b = user;

	buf_append(b, slice_first(piece, b->max - b->len));
	return b->len < b->max && header_length(buf_slice(b)) == b->len;
}

/* Whoever may not read the content is told, and sees all else. */
static void show_header(struct printer *p)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_HEADER);
	struct slice rest, line;

	if (read_content(&p->q->client, p->id, keep_header, &text) != EX_OK)
		return;
	rest = slice_first(buf_slice(&text), header_length(buf_slice(&text)));
	(void)puts("  header");
	while (slice_next_line(&rest, &line)) {
		(void)fputs("    ", stdout);
		print_safely(line);
		(void)putchar('\n');
	}
}

int queue_show(struct queue_command *q)
{
	struct printer p = { .q = q,
		.view = QUEUE_VIEW_FULL,
		.mail = q->json ? json_mail : show_mail,
		.envelope = q->json ? NULL : show_envelope,
		.rcpt = q->json ? json_rcpt : show_rcpt,
		.mail_end = q->json ? json_mail_end : NULL };
	int status = EX_OK, one = EX_OK;
	uint64_t id;

	if (q->json)
		return print(&p);
	while (status == EX_OK && queue_command_next_id(q, &id, &status)) {
		int r = ask(&p, id);
		if (r == EX_OK)
			show_header(&p);
		one = r != EX_OK ? r : one;
	}
	return status != EX_OK ? status : one != EX_OK && p.n ? 1 : one;
}

/* ---- why ---- */

static void why_mail(struct printer *p, const struct msg_QUEUE_MAIL *m)
{
	uint64_t now = (uint64_t)clock_wall_s();

	(void)printf("%s%s: from <", p->n > 1 ? "\n" : "", queue_id_format(m->queue_id).at);
	print_safely(m->reverse_path);
	(void)printf(">, here since %s\n", age_text(now > m->arrival_s ? now - m->arrival_s : 0));
}

static const struct why_words *words_of(const struct printer *p, const struct msg_QUEUE_RCPT *r)
{
	const struct why_facts f = { .status = r->status,
		.reason = r->reason,
		.is_held = p->state == QUEUE_MAIL_HELD,
		.is_active = r->state == QUEUE_RCPT_ACTIVE,
		.attempts = r->attempts };

	return why_find(&f, NULL);
}

static void why_rcpt(struct printer *p, const struct msg_QUEUE_RCPT *r)
{
	const struct why_words *w = words_of(p, r);
	uint64_t now = (uint64_t)clock_wall_s();

	(void)fputs("  to <", stdout);
	print_safely(r->forward_path);
	(void)puts(">");
	(void)printf("    what happened  %s\n", w->what);
	if (r->reason.len) {
		(void)fputs("    in full        ", stdout);
		print_safely(r->status);
		(void)putchar(' ');
		print_safely(r->reason);
		(void)putchar('\n');
	}
	(void)printf("    whose problem  %s\n", w->whose);
	if (r->next_attempt_s && p->state != QUEUE_MAIL_HELD && r->state == QUEUE_RCPT_WAITING)
		(void)printf("    next attempt   %s (in %s); number %u; returned after %s\n",
			time_text(r->next_attempt_s),
			age_text(r->next_attempt_s > now ? r->next_attempt_s - now : 0), r->attempts + 1,
			time_text(p->expires_s));
	if (r->held_off_until_s > now)
		(void)printf("    held off       no attempts to this destination before %s\n",
			time_text(r->held_off_until_s));
	(void)printf("    what helps     %s\n", w->help);
}

static void why_rcpt_json(struct printer *p, const struct msg_QUEUE_RCPT *r)
{
	const struct why_words *w = words_of(p, r);
	struct json j = JSON_INIT(&p->line);

	json_put_object(&j, NULL);
	json_put_text(&j, "queue_id", slice_of(queue_id_format(p->id).at));
	json_put_text(&j, "recipient", r->forward_path);
	json_put_text(&j, "status", r->status);
	json_put_text(&j, "reason", r->reason);
	json_put_text(&j, "what", slice_of(w->what));
	json_put_text(&j, "whose", slice_of(w->whose));
	json_put_text(&j, "help", slice_of(w->help));
	json_put_number(&j, "attempts", r->attempts);
	json_put_number(&j, "next_attempt", r->next_attempt_s);
	json_put_number(&j, "expiry_time", p->expires_s);
	json_put_object_end(&j);
	buf_append_byte(&p->line, '\n');
	json_line(p);
}

static void why_mail_json(struct printer *p, const struct msg_QUEUE_MAIL *m)
{
	(void)p, (void)m; /* told with each recipient */
}

int queue_why(struct queue_command *q)
{
	struct printer p = { .q = q,
		.view = QUEUE_VIEW_MAILS,
		.mail = q->json ? why_mail_json : why_mail,
		.rcpt = q->json ? why_rcpt_json : why_rcpt };
	int status = print(&p);

	if (status == EX_OK && p.n == 0 && !q->json)
		(void)puts(q->filter.len ? "no mail that the filters let through" : "the queue is empty");
	return status;
}
