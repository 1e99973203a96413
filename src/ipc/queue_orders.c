/* SPDX-License-Identifier: Apache-2.0 */
/* queue_orders.c - see queue_orders.h; a request's number is its place in the window */
#include "ipc/queue_orders.h"

/* Requests whose answers are awaited: each waits for the disk, and they share its syncs. */
#define WINDOW 256

struct window {
	uint64_t ids[WINDOW];
	unsigned free[WINDOW];
	unsigned n_free;
};

static int order_one(struct client *c, const struct queue_order *o, struct window *w, uint64_t id)
{
	unsigned place = w->free[--w->n_free];

	w->ids[place] = id;
	return CLIENT_SEND(c, QUEUE_ACT, .request = place, .action = (uint8_t)o->action, .queue_id = id,
		.filter = o->filter, .argument = o->argument);
}

static int take_answer(struct client *c, const struct queue_order *o, struct window *w)
{
	enum msg_type type;
	union msg_any m;
	int r = client_receive(c, &type, &m);

	if (r < 0)
		return r;
	if (type != MSG_REQUEST_DONE || m.REQUEST_DONE.request >= WINDOW)
		return -EPROTO;
	o->told(o->user, w->ids[m.REQUEST_DONE.request], m.REQUEST_DONE.exit_code, m.REQUEST_DONE.text);
	w->free[w->n_free++] = (unsigned)m.REQUEST_DONE.request;
	return 0;
}

int queue_order_named(struct client *c, const struct queue_order *o)
{
	struct window w = { .n_free = WINDOW };
	bool has_more = true;
	uint64_t id;
	int r = 0;

	for (unsigned i = 0; i < WINDOW; i++)
		w.free[i] = i;
	while (r == 0 && (has_more || w.n_free < WINDOW)) {
		while (r == 0 && has_more && w.n_free && (has_more = o->next(o->user, &id)))
			r = order_one(c, o, &w, id);
		if (r == 0)
			r = client_flush(c);
		if (r == 0 && w.n_free < WINDOW)
			r = take_answer(c, o, &w);
	}
	return r;
}

int queue_order_all(struct client *c, const struct queue_order *o, int *exit_code_out, struct buf *text_out)
{
	enum msg_type type = MSG_NONE;
	union msg_any m;
	int r = CLIENT_SEND(c, QUEUE_ACT, .request = 1, .action = (uint8_t)o->action, .is_quiet = o->is_quiet,
		.filter = o->filter, .argument = o->argument);

	if (r == 0)
		r = client_flush(c);
	while (r == 0 && (r = client_receive(c, &type, &m)) == 0 && type == MSG_QUEUE_ACTED)
		o->told(o->user, m.QUEUE_ACTED.queue_id, m.QUEUE_ACTED.exit_code, m.QUEUE_ACTED.text);
	if (r < 0)
		return r;
	if (type != MSG_REQUEST_DONE)
		return -EPROTO;
	*exit_code_out = m.REQUEST_DONE.exit_code;
	buf_append(text_out, m.REQUEST_DONE.text);
	return 0;
}

int queue_content_read(struct client *c, uint64_t id, bool (*take_piece)(void *user, struct slice piece),
	void *user, int *exit_code_out, struct buf *text_out)
{
	enum msg_type type;
	union msg_any m;

	*exit_code_out = 0;
	for (uint64_t offset = 0;; offset += m.QUEUE_CONTENT.chunk.len) {
		int r = CLIENT_SEND(c, QUEUE_READ, .request = 2, .queue_id = id, .offset = offset);
		if (r == 0)
			r = client_flush(c);
		if (r == 0)
			r = client_receive(c, &type, &m);
		if (r < 0)
			return r;
		if (type == MSG_REQUEST_DONE) {
			*exit_code_out = m.REQUEST_DONE.exit_code;
			buf_append(text_out, m.REQUEST_DONE.text);
			return 0;
		}
		if (type != MSG_QUEUE_CONTENT)
			return -EPROTO;
		if (m.QUEUE_CONTENT.chunk.len == 0 || !take_piece(user, m.QUEUE_CONTENT.chunk))
			return 0;
	}
}
