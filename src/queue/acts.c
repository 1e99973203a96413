/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acts.c - what is done with mail on somebody's order: tried now, held, released, returned, deleted, moved;
 * see control-private.h
 *
 * What changes mail is answered when it is on disk. An order about many messages goes over the queue as a
 * walk, with a bounded number of records on their way.
 * Tests: test_role.c, test_scheduler.c, tests/system/test_queue_commands.py.
 */
#include "base/clock.h"
#include "mail/queue_id.h"
#include "queue/control-private.h"

#define ACT_STEPS 20 /* of a walk; what an act costs, in recipients looked at */

struct act {
	struct list in_acts;
	struct client_state *client; /* NULL: gone */
	struct client_walk *walk;    /* NULL: the request is about this mail alone */
	uint64_t request, id;
	uid_t uid;
	enum queue_action action;
	uint32_t was_flags; /* before it, as far as the disk knows */
};

static struct list acts = { &acts, &acts }; /* struct act.in_acts, in the order of their records */

static const struct order {
	const char *done; /* in the log and in complaints */
	bool for_everybody;
	uint32_t set, clear; /* flags of the message */
} orders[QUEUE_ACT_COUNT] = {
	/* Anyone may ask for another attempt, as with the peers' sendmail -q; other acts change mail. */
	[QUEUE_ACT_FLUSH] = { "tried", .for_everybody = true },
	[QUEUE_ACT_HOLD] = { "held", .set = SPOOL_FLAG_HELD },
	[QUEUE_ACT_RELEASE] = { "released", .clear = SPOOL_FLAG_HELD },
	[QUEUE_ACT_REQUEUE] = { "released", .clear = SPOOL_FLAG_HELD },
	[QUEUE_ACT_DELETE] = { "deleted" },
	[QUEUE_ACT_EXPIRE] = { "expired", .set = MESSAGE_EXPIRE },
	[QUEUE_ACT_EXPIRE_RELEASE] = { "expired", .set = MESSAGE_EXPIRE, .clear = SPOOL_FLAG_HELD },
	[QUEUE_ACT_GIVE_UP] = { "returned", .set = MESSAGE_EXPIRE, .clear = SPOOL_FLAG_HELD },
	[QUEUE_ACT_MOVE_HOST] = { "moved" },
	[QUEUE_ACT_MOVE_ADDRESS] = { "moved" },
};

/* Who orders what, and in which walk. */
struct ordered {
	struct client_state *client;
	struct client_walk *walk;
	uint64_t request;
	enum queue_action action;
	struct slice argument;
};

/* ---- answers ---- */

/* One mail's: of a walk it is one of many. */
static void answer(const struct ordered *o, uint64_t id, int exit_code, const char *text)
{
	struct channel *ch = o->client->ch;

	if (!o->walk) {
		client_reply(ch, o->request, exit_code, text);
		return;
	}
	if (exit_code == EX_OK)
		o->walk->n_done++;
	else
		o->walk->n_failed++;
	if (exit_code != EX_OK || !o->walk->is_quiet)
		SEND(ch, QUEUE_ACTED, .request = o->request, .queue_id = id, .exit_code = (uint16_t)exit_code,
			.text = slice_of(text));
}

static struct act *act_new(const struct ordered *o, const struct message *m)
{
	struct act *a = mem_new(sizeof(*a));

	*a = (struct act){ .client = o->client,
		.walk = o->walk,
		.request = o->request,
		.id = m->entry.id,
		.uid = o->client->ch->peer_uid,
		.action = o->action,
		.was_flags = m->flags };
	a->client->n_acts++;
	if (a->walk)
		a->walk->n_pending++;
	list_push_back(&acts, &a->in_acts);
	return a;
}

static void act_answer(const struct act *a, int result, const char *text)
{
	const struct ordered o = { .client = a->client, .walk = a->walk, .request = a->request };

	a->client->n_acts--;
	a->client->active_ms = clock_mono_ms();
	if (a->walk)
		a->walk->n_pending--;
	answer(&o, a->id, result < 0 ? EX_TEMPFAIL : EX_OK, text);
}

void act_done(struct act *a, int result)
{
	const char *word = orders[a->action].done;
	struct queue_id_text id = queue_id_format(a->id);
	char text[160] = "";

	if (result < 0) {
		(void)snprintf(text, sizeof(text), "%s: not %s, that could not be written to the spool: %s",
			id.at, word, strerror(-result));
		log_error("%s", text);
	} else {
		log_info("%s: %s by the administrator", id.at, word);
		history_ordered(a->id, word, a->uid);
	}
	if (a->client)
		act_answer(a, result, text);
	list_remove(&a->in_acts);
	mem_free(a);
}

void acts_client_gone(struct client_state *c)
{
	if (c->walk)
		client_walk_stop(c->walk);
	list_for_each (node, &acts) {
		struct act *a = CONTAINER_OF(node, struct act, in_acts);
		if (a->client == c)
			a->client = NULL;
	}
}

void acts_walk_gone(const struct client_walk *w)
{
	list_for_each (node, &acts) {
		struct act *a = CONTAINER_OF(node, struct act, in_acts);
		if (a->walk == w)
			a->walk = NULL;
	}
}

/* ---- flags: hold, release, expire ---- */

static uint32_t changed_by(enum queue_action action)
{
	return orders[action].set | orders[action].clear;
}

/* The record of a failed: what it had changed is as before, unless a later act on that mail stands. */
static void flags_undo(const struct act *a, struct message *m)
{
	uint32_t mask = changed_by(a->action);

	for (struct list *node = a->in_acts.next; node != &acts; node = node->next) {
		struct act *later = CONTAINER_OF(node, struct act, in_acts);
		uint32_t common = later->id == a->id ? mask & changed_by(later->action) : 0;
		later->was_flags = (later->was_flags & ~common) | (a->was_flags & common);
		mask &= ~common;
	}
	m->flags = (m->flags & ~mask) | (a->was_flags & mask);
}

static void on_flags_recorded(void *user, int result)
{
	struct act *a = user;
	struct message *m = queue_find(a->id);
	bool is_given_up;

	if (m && result < 0)
		flags_undo(a, m);
	is_given_up = a->action == QUEUE_ACT_GIVE_UP && result == 0;
	act_done(a, result);
	if (m && is_given_up && !m->is_deleted && !queue.is_stopping)
		queue_give_up(m);
	else if (m && !(m->flags & SPOOL_FLAG_HELD))
		queue_kick(m, 0); /* released; or its hold failed */
}

/* Nobody looks for their reasons again while they are held, also after a restart. */
static void keep_causes(struct message *m)
{
	message_thaw(m);
	for (uint32_t i = 0; i < m->n_rcpts; i++) {
		if (m->rcpts[i].stage != STAGE_WAITING || !m->rcpts[i].waits_for)
			continue;
		recipient_take_cause(&m->rcpts[i]);
		recipient_record(m, &m->rcpts[i]);
	}
}

/* What is under way goes on; a release delivers when it is on disk, a hold stops deliveries at once. */
static void set_flags(struct message *m, const struct ordered *o)
{
	struct act *a = act_new(o, m);

	m->flags = (m->flags & ~orders[o->action].clear) | orders[o->action].set;
	spool_set_flags(queue.spool, &m->entry, m->flags, on_flags_recorded, a);
	if (o->action == QUEUE_ACT_HOLD) {
		scheduler_forget(m);
		keep_causes(m);
		queue_settle(m);
	}
}

/* ---- delete ---- */

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

static void delete_mail(struct message *m, const struct ordered *o)
{
	m->is_deleted = true;
	router_forget(m);
	scheduler_forget(m);
	delete_record(m, act_new(o, m));
	queue_settle(m); /* at once, or when the delivery under way has ended */
}

/* ---- one mail ---- */

/* Why it cannot be tried now; NULL: it can. */
static const char *idle_reason(const struct message *m)
{
	if (m->flags & SPOOL_FLAG_HELD)
		return "held; `postrider queue release` tries it again";
	if (queue.rp->config->queue_paused)
		return "deliveries are paused (queue.paused = yes)";
	return NULL;
}

static void try_now(struct message *m, const struct ordered *o)
{
	const char *why_not = idle_reason(m);

	if (why_not && o->walk)
		return; /* of many: those that may */
	queue_kick(m, o->walk ? o->walk->started_us : 0);
	answer(o, m->entry.id, why_not ? EX_TEMPFAIL : EX_OK, why_not ? why_not : "");
}

static void move(struct message *m, const struct ordered *o)
{
	struct act *a = act_new(o, m);
	const char *why_not = move_mail(m, o->action, o->argument, a);

	if (!why_not)
		return;
	act_answer(a, -EAGAIN, why_not);
	list_remove(&a->in_acts);
	mem_free(a);
}

static void act_on(struct message *m, const struct ordered *o)
{
	enum queue_action action = o->action;
	const struct order *order = &orders[action];
	bool is_so = (m->flags & changed_by(action)) == order->set;
	uint64_t id = m->entry.id;

	if (action == QUEUE_ACT_REQUEUE && is_so)
		action = QUEUE_ACT_FLUSH;
	if (action == QUEUE_ACT_FLUSH)
		try_now(m, o);
	else if (action == QUEUE_ACT_DELETE)
		delete_mail(m, o);
	else if (action == QUEUE_ACT_MOVE_HOST || action == QUEUE_ACT_MOVE_ADDRESS)
		move(m, o);
	else if (!is_so || action == QUEUE_ACT_GIVE_UP)
		set_flags(m, o);
	else if (!o->walk) /* of many only those count that are changed */
		answer(o, id, EX_OK, "");
}

/* ---- many ---- */

static bool act_visit(struct client_walk *w, struct message *m)
{
	(void)walk_spend(&w->walk, ACT_STEPS + m->n_rcpts);
	act_on(m,
		&(struct ordered){ .client = w->client,
			.walk = w,
			.request = w->request,
			.action = w->action,
			.argument = w->argument });
	return true;
}

static bool act_end(struct client_walk *w)
{
	const char *why_not = w->action == QUEUE_ACT_FLUSH && queue.rp->config->queue_paused
		? "deliveries are paused (queue.paused = yes)"
		: NULL;

	client_reply(w->client->ch, w->request,
		w->n_failed	  ? 1
			: why_not ? EX_TEMPFAIL
				  : EX_OK,
		why_not ? why_not : "");
	return true;
}

static const struct client_walk_hooks act_hooks = { act_visit, act_end, true };

static void act_on_named(struct channel *ch, const struct msg_QUEUE_ACT *a)
{
	struct message *m = queue_find(a->queue_id);
	const char *complaint = "";
	struct queue_filter filter;

	if (!m || m->is_deleted || !client_may_see(client_of(ch), m)) {
		client_reply(ch, a->request, EX_NOINPUT, "no such mail in the queue");
		return;
	}
	if (!queue_filter_parse(a->filter, &filter, &complaint)) {
		client_reply(ch, a->request, EX_DATAERR, complaint);
		return;
	}
	if (!filter_wants(&filter, m)) {
		client_reply(ch, a->request, EX_NOINPUT, "the filters do not let it through");
		return;
	}
	act_on(m,
		&(struct ordered){ .client = client_of(ch),
			.request = a->request,
			.action = (enum queue_action)a->action,
			.argument = a->argument });
}

static void act_on_many(struct channel *ch, const struct msg_QUEUE_ACT *a)
{
	struct client_walk *w = client_walk_start(client_of(ch),
		&(struct client_walk_request){
			.request = a->request, .filter = a->filter, .argument = a->argument },
		&act_hooks);

	if (!w)
		return;
	w->action = (enum queue_action)a->action;
	w->is_quiet = a->is_quiet;
}

static void tell_forbidden(struct channel *ch, uint64_t request)
{
	const char *group = queue.rp->config->security_admin_group;
	char text[200] = "only root may do this; use sudo, or name a group in security.admin_group";

	if (*group)
		(void)snprintf(text, sizeof(text),
			"only root and members of the group %.100s (security.admin_group) may do this; use "
			"sudo",
			group);
	client_reply(ch, request, EX_NOPERM, text);
}

void acts_ask(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_QUEUE_ACT *a = &any->QUEUE_ACT;
	const char *complaint;

	(void)fd;
	if (!client_speaks(ch))
		return;
	if (queue.is_stopping) {
		client_reply(ch, a->request, EX_TEMPFAIL, "the daemon is stopping");
		return;
	}
	if (a->action < QUEUE_ACT_FLUSH || a->action >= QUEUE_ACT_COUNT) {
		client_reply(ch, a->request, EX_USAGE, "unknown action");
		return;
	}
	if (!orders[a->action].for_everybody && !client_of(ch)->is_administrator) {
		tell_forbidden(ch, a->request);
		return;
	}
	complaint = move_check((enum queue_action)a->action, a->argument);
	if (complaint)
		client_reply(ch, a->request, EX_DATAERR, complaint);
	else if (a->queue_id)
		act_on_named(ch, a);
	else
		act_on_many(ch, a);
}
