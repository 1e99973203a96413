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

static bool has_active(const struct message *m)
{
	for (uint32_t i = 0; i < m->n_rcpts; i++)
		if (m->rcpts[i].stage != STAGE_WAITING && m->rcpts[i].stage != STAGE_DONE &&
			m->rcpts[i].stage != STAGE_NEW)
			return true;
	return false;
}

static void list_mail(struct channel *ch, uint64_t request, const struct message *m)
{
	enum queue_mail_state state = m->flags & SPOOL_FLAG_HELD ? QUEUE_MAIL_HELD
		: has_active(m)					 ? QUEUE_MAIL_ACTIVE
								 : QUEUE_MAIL_WAITING;

	SEND(ch, QUEUE_MAIL, .request = request, .queue_id = m->entry.id, .state = (uint8_t)state,
		.size = m->entry.content_bytes, .arrival_s = m->arrival_us / 1000000,
		.reverse_path = m->reverse_path);
}

static void list_rcpt(struct channel *ch, uint64_t request, const struct recipient *r)
{
	if (r->stage != STAGE_DONE)
		SEND(ch, QUEUE_RCPT, .request = request, .forward_path = r->forward_path, .status = r->status,
			.reason = r->attempts ? r->reason : SLICE_EMPTY,
			.next_attempt_s = r->next_attempt_us / 1000000, .attempts = r->attempts);
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
	if (!c->is_mail_sent)
		list_mail(c->ch, c->list_request, m);
	c->is_mail_sent = true;
	while (c->list_rcpt < m->n_rcpts) {
		if (channel_unsent(c->ch) > LIST_UNSENT)
			return false;
		list_rcpt(c->ch, c->list_request, &m->rcpts[c->list_rcpt++]);
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
