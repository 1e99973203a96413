/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acts.c - what an administrator does with mail: another attempt, hold, release, delete; see
 * control-private.h
 *
 * What changes mail is answered when it is on disk.
 */
#include "base/clock.h"
#include "mail/queue_id.h"
#include "queue/control-private.h"
#include <sysexits.h>

static struct list acts = { &acts, &acts }; /* struct act.in_acts, in the order of their records */

/* An act on its way to the disk. */
struct act {
	struct list in_acts;
	struct client_state *client; /* NULL: gone */
	uint64_t request, id;
	enum queue_action action;
	bool was_held; /* before it, as far as the disk knows */
};

static struct act *act_new(
	struct channel *ch, uint64_t request, const struct message *m, enum queue_action what)
{
	struct act *a = mem_new(sizeof(*a));

	*a = (struct act){ .client = client_of(ch),
		.request = request,
		.id = m->entry.id,
		.action = what,
		.was_held = m->flags & SPOOL_FLAG_HELD };
	a->client->n_acts++;
	list_push_back(&acts, &a->in_acts);
	return a;
}

/* Logs it, answers whoever asked, frees it. */
static void act_done(struct act *a, int result)
{
	const char *word = a->action == QUEUE_ACT_HOLD ? "held"
		: a->action == QUEUE_ACT_RELEASE       ? "released"
						       : "deleted";
	struct queue_id_text id = queue_id_format(a->id);
	char text[160] = "";

	if (result < 0) {
		(void)snprintf(text, sizeof(text), "%s: not %s, that could not be written to the spool: %s",
			id.at, word, strerror(-result));
		log_error("%s", text);
	} else {
		log_info("%s: %s by the administrator", id.at, word);
	}
	if (a->client) {
		a->client->n_acts--;
		a->client->active_ms = clock_mono_ms();
		client_reply(a->client->ch, a->request, result < 0 ? EX_TEMPFAIL : EX_OK, text);
	}
	list_remove(&a->in_acts);
	mem_free(a);
}

/* The record of a failed: what it had changed is as before, unless a later act on that mail stands. */
static void held_undo(const struct act *a, struct message *m)
{
	for (struct list *node = a->in_acts.next; node != &acts; node = node->next) {
		struct act *later = CONTAINER_OF(node, struct act, in_acts);
		if (later->id == a->id && later->action != QUEUE_ACT_DELETE) {
			later->was_held = a->was_held;
			return;
		}
	}
	m->flags = a->was_held ? m->flags | SPOOL_FLAG_HELD : m->flags & ~(uint32_t)SPOOL_FLAG_HELD;
}

static void on_held_recorded(void *user, int result)
{
	struct act *a = user;
	struct message *m = queue_find(a->id);

	if (m && result < 0)
		held_undo(a, m);
	act_done(a, result);
	if (m && !(m->flags & SPOOL_FLAG_HELD))
		queue_kick(m, true); /* released; or its hold failed */
}

/* What is under way goes on; a release delivers when it is on disk, a hold stops deliveries at once. */
static void set_held(struct message *m, struct act *a)
{
	bool held = a->action == QUEUE_ACT_HOLD;

	m->flags = held ? m->flags | SPOOL_FLAG_HELD : m->flags & ~(uint32_t)SPOOL_FLAG_HELD;
	spool_set_flags(queue.spool, &m->entry, m->flags, on_held_recorded, a);
	if (held) {
		scheduler_forget(m);
		queue_settle(m);
	}
}

static void delete_record(struct message *m, struct act *a);

static bool has_undeleted(const struct message *m)
{
	struct recipient_cursor c = message_cursor(m);
	struct recipient_view v;

	while (recipient_next(&c, &v))
		if (!spool_rcpt_state_is_final(v.spool.progress.state))
			return true;
	return false;
}

static void on_delete_recorded(void *user, int result)
{
	struct act *a = user;
	struct message *m = result == 0 && !queue.is_stopping ? queue_find(a->id) : NULL;

	if (m && has_undeleted(m))
		delete_record(m, a); /* an expansion that was under way brought recipients */
	else
		act_done(a, result);
}

/* Each recipient ends here on disk, whatever a delivery under way comes to: what is found after a crash is a
 * mail without recipients. Results are written even when the disk is full. */
static void delete_record(struct message *m, struct act *a)
{
	message_thaw(m);
	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		struct recipient *r = &m->rcpts[i];
		struct spool_progress p;
		bool is_last = i + 1 == m->n_rcpts;
		if (spool_rcpt_state_is_final(r->state) && !is_last)
			continue;
		if (!spool_rcpt_state_is_final(r->state))
			r->state = SPOOL_RCPT_DELETED;
		recipient_progress(r, &p);
		spool_record_result(queue.spool, &m->entry, i, &p, is_last ? on_delete_recorded : NULL,
			is_last ? a : NULL);
	}
}

static void delete_mail(struct message *m, struct act *a)
{
	m->is_deleted = true;
	router_forget(m);
	scheduler_forget(m);
	delete_record(m, a);
	queue_settle(m); /* at once, or when the delivery under way has ended */
}

static void act_on_mail(struct channel *ch, const struct msg_QUEUE_ACT *a)
{
	struct message *m;
	uint64_t id;
	char text[128];

	if (!queue_id_parse(a->argument, &id) || !(m = queue_find(id))) {
		(void)snprintf(text, sizeof(text), "%.*s: no such mail in the queue",
			(int)MIN(a->argument.len, 40u), a->argument.at);
		client_reply(ch, a->request, EX_NOINPUT, text);
		return;
	}
	enum queue_action what = (enum queue_action)a->action;
	if (what == QUEUE_ACT_DELETE) {
		delete_mail(m, act_new(ch, a->request, m, what));
	} else if (what == QUEUE_ACT_HOLD || what == QUEUE_ACT_RELEASE) {
		set_held(m, act_new(ch, a->request, m, what));
	} else {
		queue_kick(m, true);
		client_reply(ch, a->request, EX_OK, "");
	}
}

void acts_ask(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_QUEUE_ACT *a = &any->QUEUE_ACT;
	bool is_flush = a->action == QUEUE_ACT_FLUSH || a->action == QUEUE_ACT_FLUSH_DOMAIN ||
		a->action == QUEUE_ACT_FLUSH_SENDER;

	(void)fd;
	if (!client_speaks(ch))
		return;
	if (queue.is_stopping) {
		client_reply(ch, a->request, EX_TEMPFAIL, "the daemon is stopping");
		return;
	}
	/* Anyone may ask for another attempt, as with the peers' sendmail -q; other acts change mail. */
	if (!is_flush && a->action != QUEUE_ACT_FLUSH_ID && !control_is_administrator(ch->peer_uid)) {
		client_reply(ch, a->request, EX_NOPERM, "only root may do this");
		return;
	}
	if (a->action < QUEUE_ACT_FLUSH || a->action > QUEUE_ACT_DELETE) {
		client_reply(ch, a->request, EX_USAGE, "unknown action");
		return;
	}
	if (!is_flush) {
		act_on_mail(ch, a);
		return;
	}
	if (queue_flush((enum queue_action)a->action, a->argument))
		client_reply(ch, a->request, EX_OK, "");
	else
		client_reply(ch, a->request, EX_TEMPFAIL, "too many flushes are under way");
}

void acts_client_gone(struct client_state *c)
{
	list_for_each (node, &acts) {
		struct act *a = CONTAINER_OF(node, struct act, in_acts);
		if (a->client == c)
			a->client = NULL;
	}
}
