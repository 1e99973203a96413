/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_walk.c - a command's walk over mail: which mail it wants, and as much as it reads; see
 * control-private.h. The going itself is walk.h's.
 * Tests: tests/system/test_queue_commands.py; the going itself: test_walk.c.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "queue/control-private.h"

#define WALK_UNSENT (256 * 1024) /* a walk pauses above this */
#define RECORDS_MAX 500		 /* on their way to the disk, of one walk */
#define FILTER_BYTES 8192	 /* each of its conditions is one argument of a command */

static struct client_walk *client_walk_of(struct walk *w)
{
	return CONTAINER_OF(w, struct client_walk, walk);
}

bool client_walk_has_room(const struct client_walk *w)
{
	return channel_unsent(w->client->ch) < WALK_UNSENT;
}

void client_walk_stop(struct client_walk *w)
{
	acts_walk_gone(w);
	walk_stop(&w->walk);
	w->client->walk = NULL;
	w->client->active_ms = clock_mono_ms();
	groups_free(&w->groups);
	mem_free(w->text);
	mem_free(w);
}

/* ---- what the filter wants ---- */

/* Those that wait for one destination wait for one reason, which each probe may change. */
static void tell_cause(struct recipient_view *v)
{
	struct cause cause;

	if (!v->waits_for || !destination_cause(v->waits_for, &cause))
		return;
	v->spool.progress.status = cause.status;
	v->spool.progress.reason = cause.reason;
	v->remote = cause.remote;
}

bool client_walk_next(struct client_walk *w, const struct message *m, struct recipient_view *out)
{
	if (!walk_next(&w->walk, m, out))
		return false;
	tell_cause(out);
	return true;
}

static bool wants_rcpt(const struct queue_filter *f, const struct recipient_view *v)
{
	return v->stage != STAGE_DONE &&
		queue_filter_wants_rcpt(
			f, v->spool.forward_path, v->spool.progress.status, v->spool.progress.reason);
}

bool client_walk_wants_rcpt(const struct client_walk *w, const struct recipient_view *v)
{
	return wants_rcpt(&w->filter, v);
}

static bool wants_mail(const struct queue_filter *f, const struct message *m)
{
	return queue_filter_wants_mail(f, message_reverse_path(m), (char)mail_state(m), message_age_s(m));
}

bool filter_wants(const struct queue_filter *f, const struct message *m)
{
	struct recipient_cursor at = message_cursor(m);
	struct recipient_view v;
	bool wanted = !queue_filter_by_rcpt(f);

	while (!wanted && recipient_next(&at, &v)) {
		tell_cause(&v);
		wanted = wants_rcpt(f, &v);
	}
	return wanted && wants_mail(f, m);
}

static bool is_out_of_question(const struct client_walk *w, const struct message *m)
{
	return m->is_deleted || !wants_mail(&w->filter, m) || !client_may_see(w->client, m);
}

/* Goes on with what is not known yet of m; the turn's steps may end before all is. */
static void decide(struct client_walk *w, const struct message *m)
{
	struct recipient_view v;
	bool is_wanted = !queue_filter_by_rcpt(&w->filter);

	while (!is_wanted && client_walk_next(w, m, &v)) {
		is_wanted = wants_rcpt(&w->filter, &v);
		if (!walk_spend(&w->walk, 1) && !is_wanted)
			return;
	}
	w->wants = is_wanted ? WANTS_IT : WANTS_IT_NOT;
	w->n_wanted += is_wanted;
	walk_rewind(&w->walk);
}

/* ---- steps ---- */

static bool visit(struct walk *walk, struct message *m)
{
	struct client_walk *w = client_walk_of(walk);

	if (w->mail != m->entry.id) {
		w->mail = m->entry.id;
		w->is_mail_sent = false;
		w->wants = is_out_of_question(w, m) ? WANTS_IT_NOT : WANTS_UNKNOWN;
	}
	if (w->wants == WANTS_UNKNOWN)
		decide(w, m);
	switch (w->wants) {
	case WANTS_IT: return w->hooks->visit(w, m);
	case WANTS_IT_NOT: return true;
	case WANTS_UNKNOWN: break;
	}
	return false;
}

static bool end(struct walk *walk)
{
	struct client_walk *w = client_walk_of(walk);

	if (queue.is_stopping)
		client_reply(w->client->ch, w->request, EX_TEMPFAIL, "the daemon is stopping");
	else if (!w->hooks->end(w))
		return false;
	client_walk_stop(w);
	return true;
}

static bool may_go_on(struct walk *walk)
{
	const struct client_walk *w = client_walk_of(walk);

	return queue.is_stopping ||
		(client_walk_has_room(w) && w->n_pending < (walk_is_at_end(walk) ? 1 : RECORDS_MAX));
}

static const struct walk_hooks walk_hooks = { visit, end, may_go_on };

/* False: the request was answered. */
static bool read_request(struct client_walk *w, const struct client_walk_request *r)
{
	const char *complaint = NULL;
	struct slice filter;
	const struct packed parts[] = { { &filter, r->filter }, { &w->argument, r->argument } };

	w->text = packed_copy(parts, ARRAY_LEN(parts));
	if (queue_filter_parse(filter, &w->filter, &complaint))
		return true;
	client_reply(w->client->ch, r->request, EX_DATAERR, complaint);
	return false;
}

struct client_walk *client_walk_start(
	struct client_state *c, const struct client_walk_request *r, const struct client_walk_hooks *hooks)
{
	struct message *m = r->queue_id ? queue_find(r->queue_id) : NULL;
	struct client_walk *w;

	if (c->walk) {
		client_reply(c->ch, r->request, EX_TEMPFAIL, "one request about many messages at a time");
		return NULL;
	}
	if (r->filter.len > FILTER_BYTES || r->argument.len > LIMIT_PATH) {
		client_reply(c->ch, r->request, EX_DATAERR, "the filters are too long");
		return NULL;
	}
	w = mem_new(sizeof(*w));
	w->client = c;
	if (!read_request(w, r)) {
		mem_free(w->text);
		mem_free(w);
		return NULL;
	}
	w->hooks = hooks;
	w->request = r->request;
	w->is_single = r->queue_id != 0;
	w->started_us = clock_wall_us();
	if (w->is_single && !m)
		walk_start_nowhere(&w->walk, &walk_hooks);
	else
		walk_start(&w->walk, &walk_hooks, m);
	if (hooks->changes_mail)
		walk_end_here(&w->walk);
	c->walk = w;
	return w;
}
