/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing.c - the queue as commands ask for it: mails, one in full, content; see control-private.h
 * Tests: test_life.c, test_groups.c, tests/system/test_queue_commands.py.
 */
#include "base/limits.h"
#include "mail/queue_id.h"
#include "queue/control-private.h"

enum queue_mail_state mail_state(const struct message *m)
{
	return m->flags & SPOOL_FLAG_HELD ? QUEUE_MAIL_HELD
		: message_n_moving(m)	  ? QUEUE_MAIL_ACTIVE
					  : QUEUE_MAIL_WAITING;
}

bool client_may_see(const struct client_state *c, const struct message *m)
{
	struct spool_envelope env;
	char login[32];

	if (c->is_administrator || queue.rp->config->queue_public)
		return true;
	(void)snprintf(login, sizeof(login), LOCAL_LOGIN "%u", (unsigned)c->ch->peer_uid);
	message_envelope(m, &env);
	return slice_eq(env.login, slice_of(login));
}

/* ---- one mail ---- */

static void send_mail(struct channel *ch, uint64_t request, const struct message *m)
{
	const struct config *c = queue.rp->config;
	struct slice reverse_path = message_reverse_path(m);
	uint64_t lifetime_s = reverse_path.len ? c->queue_lifetime : c->queue_bounce_lifetime;

	SEND(ch, QUEUE_MAIL, .request = request, .queue_id = m->entry.id, .state = (uint8_t)mail_state(m),
		.is_expiring = (m->flags & MESSAGE_EXPIRE) != 0, .size = m->entry.content_bytes,
		.arrival_s = m->arrival_us / 1000000, .expires_s = m->arrival_us / 1000000 + lifetime_s,
		.n_rcpts = message_n_open(m), .reverse_path = reverse_path);
}

static void send_envelope(struct channel *ch, uint64_t request, const struct message *m)
{
	struct spool_envelope e;

	message_envelope(m, &e);
	SEND(ch, QUEUE_ENVELOPE, .request = request, .envid = e.envid, .ret = (uint8_t)e.ret,
		.body = (uint8_t)e.body_type, .smtputf8 = e.smtputf8, .client_address = e.client_address,
		.client_name = e.client_name, .helo = e.client_helo, .protocol = e.protocol,
		.login = e.login);
}

static enum queue_rcpt_state rcpt_state(const struct recipient_view *v)
{
	switch (v->spool.progress.state) {
	case SPOOL_RCPT_PENDING: break;
	case SPOOL_RCPT_DELIVERED: return QUEUE_RCPT_DELIVERED;
	case SPOOL_RCPT_FAILED: return QUEUE_RCPT_FAILED;
	case SPOOL_RCPT_EXPANDED: return QUEUE_RCPT_EXPANDED;
	case SPOOL_RCPT_DUPLICATE: return QUEUE_RCPT_DUPLICATE;
	case SPOOL_RCPT_DELETED: return QUEUE_RCPT_DELETED;
	}
	return v->stage == STAGE_NEW || v->stage == STAGE_WAITING ? QUEUE_RCPT_WAITING : QUEUE_RCPT_ACTIVE;
}

static void send_rcpt(struct channel *ch, uint64_t request, const struct recipient_view *v)
{
	const struct spool_progress *p = &v->spool.progress;
	uint64_t probe_us = v->waits_for ? destination_next_probe_us(v->waits_for) : 0;

	SEND(ch, QUEUE_RCPT, .request = request, .forward_path = v->spool.forward_path,
		.original = v->spool.original, .state = (uint8_t)rcpt_state(v), .status = p->status,
		.reason = p->reason, .remote = v->remote,
		.next_hop = v->spool.flags & RECIPIENT_NEXT_HOP ? v->spool.origin_key : SLICE_EMPTY,
		.next_attempt_s = queue_wall_of(v->waits_for ? probe_us : p->next_attempt_us) / 1000000,
		.held_off_until_s = v->waits_for ? queue_wall_of(probe_us) / 1000000 : 0,
		.last_attempt_s = p->last_attempt_us / 1000000, .attempts = p->attempts, .kind = v->leaf);
}

/* ---- walks ---- */

static bool list_visit(struct client_walk *w, struct message *m)
{
	struct channel *ch = w->client->ch;
	struct recipient_view v;

	if (!w->is_mail_sent) {
		send_mail(ch, w->request, m);
		if (w->view == QUEUE_VIEW_FULL)
			send_envelope(ch, w->request, m);
	}
	w->is_mail_sent = true;
	while (client_walk_has_room(w) && walk_spend(&w->walk, 1)) {
		if (!client_walk_next(w, m, &v))
			return true;
		if (w->view == QUEUE_VIEW_FULL || v.stage != STAGE_DONE)
			send_rcpt(ch, w->request, &v);
	}
	return false;
}

static bool list_end(struct client_walk *w)
{
	bool is_missing = w->is_single && w->n_wanted == 0;

	client_reply(w->client->ch, w->request, is_missing ? EX_NOINPUT : EX_OK,
		is_missing ? "no such mail in the queue" : "");
	return true;
}

void listing_ask(struct channel *ch, const union msg_any *any, int *fd)
{
	static const struct client_walk_hooks list_hooks = { list_visit, list_end, false };
	static const struct client_walk_hooks group_hooks = { groups_visit, groups_end, false };
	const struct msg_QUEUE_LIST *l = &any->QUEUE_LIST;
	bool is_grouped = l->view == QUEUE_VIEW_GROUPS;
	struct client_walk *w;

	(void)fd;
	if (!client_speaks(ch))
		return;
	age_check_clock(); /* the times that are told now are right */
	if (l->view < QUEUE_VIEW_MAILS || l->view > QUEUE_VIEW_GROUPS ||
		(is_grouped && (l->by < QUEUE_BY_ALL || l->by > QUEUE_BY_SENDER))) {
		client_reply(ch, l->request, EX_USAGE, "unknown kind of listing");
		return;
	}
	w = client_walk_start(client_of(ch),
		&(struct client_walk_request){
			.request = l->request, .queue_id = l->queue_id, .filter = l->filter },
		is_grouped ? &group_hooks : &list_hooks);
	if (!w)
		return;
	w->view = (enum queue_view)l->view;
	w->groups = is_grouped ? groups_new((enum queue_by)l->by) : NULL;
	if (is_grouped && !w->groups) {
		client_reply(ch, l->request, EX_TEMPFAIL, "others count the queue just now; try again");
		client_walk_stop(w);
	}
}

/* ---- content ---- */

/* Piece by piece, each on request: nothing is kept between them. */
void content_ask(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_QUEUE_READ *q = &any->QUEUE_READ;
	auto_buf struct buf chunk = BUF_INIT(LIMIT_CHUNK);
	struct message *m;
	int r;

	(void)fd;
	if (!client_speaks(ch))
		return;
	if (!client_of(ch)->is_administrator) {
		client_reply(ch, q->request, EX_NOPERM,
			"only an administrator may read the mail of others; use sudo");
		return;
	}
	m = queue.is_stopping ? NULL : queue_find(q->queue_id);
	if (!m) {
		client_reply(ch, q->request, EX_NOINPUT, "no such mail in the queue");
		return;
	}
	r = q->offset < m->entry.content_bytes
		? spool_content_read(queue.spool, &m->entry, q->offset, LIMIT_CHUNK, &chunk)
		: 0;
	if (r < 0)
		client_reply(ch, q->request, EX_IOERR,
			r == -EBADMSG ? "the message is damaged on disk; see `postrider spool check`"
				      : strerror(-r));
	else
		SEND(ch, QUEUE_CONTENT, .request = q->request, .size = m->entry.content_bytes,
			.chunk = buf_slice(&chunk));
}
