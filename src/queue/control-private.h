/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control-private.h - what the files of the control socket share: a client and what it is owed
 *
 * control.c has the connections, listing.c what is asked, acts.c what is ordered. Layer: queue, for
 * control.c, listing.c and acts.c alone.
 */
#pragma once
#include "base/list.h"
#include "queue/core.h"

struct client_state {
	struct channel *ch;
	bool is_greeted;
	uint64_t active_ms; /* when it last said something, or connected */
	size_t n_acts;	    /* it waits for the answers of */
	struct list in_clients;
	/* A listing under way: the node in queue.all of the mail that comes next, which mails that leave
	 * correct, and that mail's first recipient that was not sent yet. */
	struct list in_listings;
	uint64_t list_request;
	struct list *list_next;
	uint32_t list_rcpt;
	bool is_mail_sent;
};

static inline struct client_state *client_of(const struct channel *ch)
{
	return ch->user;
}
/* True when it has greeted; it is not silent then. */
bool client_speaks(struct channel *ch);
/* The final answer to a request. */
void client_reply(struct channel *ch, uint64_t request, int exit_code, const char *text);

/* ---- listing.c ---- */
void listing_init(void);
void listing_client_gone(struct client_state *c);
void listing_ask(struct channel *ch, const union msg_any *m, int *fd);

/* ---- acts.c ---- */
void acts_client_gone(struct client_state *c);
void acts_ask(struct channel *ch, const union msg_any *m, int *fd);
