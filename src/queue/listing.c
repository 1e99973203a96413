/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing.c - the queue as commands ask for it; see control-private.h
 *
 * A listing is sent piece by piece as the command reads, and never holds up mail.
 */
#include "queue/control-private.h"
#include <sysexits.h>

#define LIST_UNSENT (256 * 1024) /* a listing pauses above this */

static struct list listings = { &listings, &listings }; /* struct client_state.in_listings */

static void list_mail(struct channel *ch, uint64_t request, const struct message *m)
{
	enum queue_mail_state state = m->flags & SPOOL_FLAG_HELD ? QUEUE_MAIL_HELD
		: message_n_moving(m)				 ? QUEUE_MAIL_ACTIVE
								 : QUEUE_MAIL_WAITING;

	SEND(ch, QUEUE_MAIL, .request = request, .queue_id = m->entry.id, .state = (uint8_t)state,
		.size = m->entry.content_bytes, .arrival_s = m->arrival_us / 1000000,
		.reverse_path = message_reverse_path(m));
}

static void list_rcpt(struct channel *ch, uint64_t request, const struct recipient_view *v)
{
	const struct spool_progress *p = &v->spool.progress;

	if (v->stage != STAGE_DONE)
		SEND(ch, QUEUE_RCPT, .request = request, .forward_path = v->spool.forward_path,
			.status = p->status, .reason = p->attempts || v->waits_for ? p->reason : SLICE_EMPTY,
			.next_attempt_s = queue_wall_of(v->waits_for ? scheduler_next_probe_us(v->waits_for)
								     : p->next_attempt_us) /
				1000000,
			.attempts = p->attempts);
}

static void list_go_to(struct client_state *c, struct list *next)
{
	c->list_next = next;
	c->list_rcpt = 0;
	c->is_mail_sent = false;
}

/* True when all of the mail was sent; else it goes on behind the recipient that was the last. */
static bool list_one(struct client_state *c, const struct message *m)
{
	struct recipient_cursor at = message_cursor(m);
	struct recipient_view v;

	if (!c->is_mail_sent)
		list_mail(c->ch, c->list_request, m);
	c->is_mail_sent = true;
	while (recipient_next(&at, &v)) {
		if (at.next <= c->list_rcpt)
			continue; /* was sent */
		if (channel_unsent(c->ch) > LIST_UNSENT)
			return false;
		list_rcpt(c->ch, c->list_request, &v);
		c->list_rcpt = at.next;
	}
	return true;
}

/* From the place on, as much as the channel takes; the rest when it drains. */
static void list_some(struct client_state *c)
{
	while (c->list_next != &queue.all) {
		if (channel_unsent(c->ch) > LIST_UNSENT ||
			!list_one(c, CONTAINER_OF(c->list_next, struct message, in_all)))
			return;
		list_go_to(c, c->list_next->next);
	}
	list_remove(&c->in_listings);
	client_reply(c->ch, c->list_request, EX_OK, "");
}

void listing_message_leaves(const struct message *m)
{
	list_for_each (node, &listings) {
		struct client_state *c = CONTAINER_OF(node, struct client_state, in_listings);
		if (c->list_next == &m->in_all)
			list_go_to(c, m->in_all.next);
	}
}

/* The channel says drained only after congestion; a listing looks after itself once per turn. */
static void on_turn(uv_check_t *check)
{
	(void)check;
	list_for_each_safe (node, &listings) {
		struct client_state *c = CONTAINER_OF(node, struct client_state, in_listings);
		if (channel_unsent(c->ch) < LIST_UNSENT / 2)
			list_some(c);
	}
}

void listing_ask(struct channel *ch, const union msg_any *m, int *fd)
{
	struct client_state *c = client_of(ch);

	(void)fd;
	if (!client_speaks(ch))
		return;
	if (list_linked(&c->in_listings)) {
		client_reply(ch, m->QUEUE_LIST.request, EX_TEMPFAIL, "one listing at a time");
		return;
	}
	list_push_back(&listings, &c->in_listings);
	c->list_request = m->QUEUE_LIST.request;
	list_go_to(c, queue.all.next);
	list_some(c);
}

void listing_client_gone(struct client_state *c)
{
	list_remove(&c->in_listings);
}

void listing_init(void)
{
	static uv_check_t turn;

	CHECK(uv_check_init(queue.rp->loop, &turn) == 0);
	CHECK(uv_check_start(&turn, on_turn) == 0);
}
