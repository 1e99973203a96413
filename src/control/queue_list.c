/* SPDX-License-Identifier: Apache-2.0 */
/* queue_list.c - postrider queue list, show, cat: what is there, printed as it comes; see
 * queue_command.h */
#include "base/clock.h"
#include "base/limits.h"
#include "control/commands.h"
#include "control/queue_printer.h"
#include "ipc/queue_orders.h"
#include "mail/header.h"
#include "mail/queue_id.h"
#include "mail/queue_json.h"
#include <sysexits.h>

/* ---- as JSON ---- */

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
	printer_write_line(p);
}

static void json_mail_end(struct printer *p)
{
	queue_json_end(&p->json);
	printer_write_line(p);
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
	printer_write_line(p);
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
		.by = q->by,
		.filter = buf_slice(&q->filter),
		.mail = q->json ? json_mail : print_mail,
		.rcpt = q->json ? json_rcpt : print_rcpt,
		.mail_end = q->json ? json_mail_end : NULL,
		.group = q->json ? json_group : print_group };
	int status = printer_run(&p);

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
	struct printer p = { .q = q,
		.view = QUEUE_VIEW_GROUPS,
		.by = QUEUE_BY_ALL,
		.filter = buf_slice(&q->filter),
		.group = count_group };
	int status = printer_run(&p);

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
		return printer_run(&p);
	while (status == EX_OK && queue_command_next_id(q, &id, &status)) {
		int r = printer_ask(&p, id);
		if (r == EX_OK)
			show_header(&p);
		one = r != EX_OK ? r : one;
	}
	return status != EX_OK ? status : one != EX_OK && p.n ? 1 : one;
}
