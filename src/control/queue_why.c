/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_why.c - postrider queue why: each recipient's cause in words, and how much other mail has the same;
 * see queue_command.h
 *
 * The words are in why.c. How much mail has a cause is asked before, once for all causes: only the sums
 * travel.
 */
#include "base/clock.h"
#include "base/table.h"
#include "control/commands.h"
#include "control/queue_printer.h"
#include "control/why.h"
#include "mail/queue_id.h"
#include <sysexits.h>

#define HELP_BYTES 8192

/* ---- how much mail has a cause ---- */

struct cause {
	struct table_node node;
	struct slice reason; /* cut at QUEUE_GROUP_KEY */
	char *text;
	uint64_t n_mails;
};
static struct table causes;

static struct cause *cause_find(struct slice reason)
{
	struct slice key = slice_first(reason, QUEUE_GROUP_KEY);
	uint64_t hash = table_hash_nocase(key);

	for (struct table_node *n = table_first(&causes, hash); n; n = table_next(n, hash)) {
		struct cause *c = CONTAINER_OF(n, struct cause, node);
		if (slice_eq_nocase(c->reason, key))
			return c;
	}
	return NULL;
}

static void keep_cause(struct printer *p, const struct msg_QUEUE_GROUP *g)
{
	struct cause *c = mem_new(sizeof(*c));

	(void)p;
	c->text = slice_dup(g->key);
	c->reason = (struct slice){ c->text, g->key.len };
	c->n_mails = g->n_mails;
	table_insert(&causes, &c->node, table_hash_nocase(c->reason));
}

static int count_causes(struct queue_command *q)
{
	struct printer p = { .q = q, .view = QUEUE_VIEW_GROUPS, .by = QUEUE_BY_REASON, .group = keep_cause };

	return printer_ask(&p, 0);
}

static void free_cause(struct table_node *node, void *user)
{
	struct cause *c = CONTAINER_OF(node, struct cause, node);

	(void)user;
	mem_free(c->text);
	mem_free(c);
}

static void forget_causes(void)
{
	table_each(&causes, free_cause, NULL);
	table_deinit(&causes);
}

/* Besides this one. */
static uint64_t n_others(const struct msg_QUEUE_RCPT *r)
{
	const struct cause *c = r->reason.len ? cause_find(r->reason) : NULL;

	return c && c->n_mails ? c->n_mails - 1 : 0;
}

/* ---- one recipient's ---- */

static void why_mail(struct printer *p, const struct msg_QUEUE_MAIL *m)
{
	uint64_t now = (uint64_t)clock_wall_s();

	(void)printf("%s%s: from <", p->n > 1 ? "\n" : "", queue_id_format(m->queue_id).at);
	print_safely(m->reverse_path);
	(void)printf(">, here for %s\n", age_text(now > m->arrival_s ? now - m->arrival_s : 0));
}

static struct why_facts facts_of(const struct printer *p, const struct msg_QUEUE_RCPT *r)
{
	return (struct why_facts){ .status = r->status,
		.reason = r->reason,
		.remote = r->remote,
		.recipient = r->forward_path,
		.id = p->id,
		.is_held = p->state == QUEUE_MAIL_HELD,
		.is_active = r->state == QUEUE_RCPT_ACTIVE,
		.attempts = r->attempts };
}

static void print_in_full(const struct msg_QUEUE_RCPT *r)
{
	uint64_t n = n_others(r);

	if (r->reason.len == 0)
		return;
	(void)fputs("    in full        ", stdout);
	print_safely(r->status);
	(void)putchar(' ');
	print_safely(r->reason);
	(void)putchar('\n');
	if (n)
		(void)printf("    others         %" PRIu64 " other message%s for the same reason\n", n,
			n == 1 ? " waits" : "s wait");
}

static void why_rcpt(struct printer *p, const struct msg_QUEUE_RCPT *r)
{
	const struct why_facts f = facts_of(p, r);
	const struct why_words *w = why_find(&f, NULL);
	auto_buf struct buf help = BUF_INIT(HELP_BYTES);
	uint64_t now = (uint64_t)clock_wall_s();

	why_append_help(&help, w, &f);
	(void)fputs("  to <", stdout);
	print_safely(r->forward_path);
	(void)puts(">");
	(void)printf("    what happened  %s\n", w->what);
	print_in_full(r);
	(void)printf("    whose problem  %s\n", w->whose);
	if (r->next_attempt_s && p->state != QUEUE_MAIL_HELD && r->state == QUEUE_RCPT_WAITING)
		(void)printf("    next attempt   %s (in %s); number %u%s%s\n", time_text(r->next_attempt_s),
			age_text(r->next_attempt_s > now ? r->next_attempt_s - now : 0), r->attempts + 1,
			w->ends_early ? "" : "; returned after ",
			w->ends_early ? "" : time_text(p->expires_s));
	if (r->held_off_until_s > now)
		(void)printf("    held off       no attempts to this destination before %s\n",
			time_text(r->held_off_until_s));
	(void)fputs("    what helps     ", stdout);
	print_safely(buf_slice(&help));
	(void)putchar('\n');
}

static void why_rcpt_json(struct printer *p, const struct msg_QUEUE_RCPT *r)
{
	const struct why_facts f = facts_of(p, r);
	const struct why_words *w = why_find(&f, NULL);
	auto_buf struct buf help = BUF_INIT(HELP_BYTES);
	struct json j = JSON_INIT(&p->line);

	why_append_help(&help, w, &f);
	json_put_object(&j, NULL);
	json_put_text(&j, "queue_id", slice_of(queue_id_format(p->id).at));
	json_put_text(&j, "recipient", r->forward_path);
	json_put_text(&j, "status", r->status);
	json_put_text(&j, "reason", r->reason);
	json_put_text(&j, "what", slice_of(w->what));
	json_put_text(&j, "whose", slice_of(w->whose));
	json_put_text(&j, "help", buf_slice(&help));
	json_put_number(&j, "others", n_others(r));
	json_put_number(&j, "attempts", r->attempts);
	json_put_number(&j, "next_attempt", r->next_attempt_s);
	json_put_number(&j, "expiry_time", p->expires_s);
	json_put_object_end(&j);
	buf_append_byte(&p->line, '\n');
	printer_write_line(p);
}

static void why_mail_json(struct printer *p, const struct msg_QUEUE_MAIL *m)
{
	(void)p, (void)m; /* told with each recipient */
}

int queue_why(struct queue_command *q)
{
	struct printer p = { .q = q,
		.view = QUEUE_VIEW_MAILS,
		.filter = buf_slice(&q->filter),
		.mail = q->json ? why_mail_json : why_mail,
		.rcpt = q->json ? why_rcpt_json : why_rcpt };
	int status = count_causes(q);

	if (status == EX_OK)
		status = printer_run(&p);
	forget_causes();
	if (status == EX_OK && p.n == 0 && !q->json)
		(void)puts(q->filter.len ? "no mail that the filters let through" : "the queue is empty");
	return status;
}
