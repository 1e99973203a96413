/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control-private.h - what the files of the control socket share: clients, and walks over the queue
 *
 * control.c has the connections, client_walk.c goes over the mail they want, listing.c and groups.c say what
 * is there, acts.c and move.c change it. Layer: queue, for these files alone.
 */
#pragma once
#include "base/list.h"
#include "mail/queue_filter.h"
#include "queue/core.h"
#include "queue/walk.h"
#include <sysexits.h>

struct client_walk;
struct question;
struct explanation;

struct client_state {
	struct channel *ch;
	uid_t caller; /* who connected; in whose name he speaks, HELLO tells (ch->peer_uid) */
	bool is_greeted;
	bool is_administrator;
	uint64_t active_ms; /* when it last said something, or connected */
	size_t n_acts;	    /* it waits for the answers of */
	struct list in_clients;
	struct client_walk *walk;	 /* one at a time; NULL: none */
	struct question *question;	 /* to the history; the same */
	struct explanation *explanation; /* a dry run; the same */
};

static inline struct client_state *client_of(const struct channel *ch)
{
	return ch->user;
}
/* True when it has greeted; it is not silent then. */
bool client_speaks(struct channel *ch);
/* The final answer to a request. */
void client_reply(struct channel *ch, uint64_t request, int exit_code, const char *text);
bool client_may_see(const struct client_state *c, const struct message *m);
enum queue_mail_state mail_state(const struct message *m);

/* ---- client_walk.c: over the whole queue, or one mail, as the client reads and mail allows ---- */
struct client_walk_hooks {
	/* A wanted mail. False: it has more to say of it; called again when the walk goes on. */
	bool (*visit)(struct client_walk *w, struct message *m);
	/* There is no further mail. True when the final answer was given. */
	bool (*end)(struct client_walk *w);
	bool changes_mail; /* takes mail only that was there when it began */
};
struct client_walk {
	struct walk walk;
	const struct client_walk_hooks *hooks;
	struct client_state *client;
	uint64_t request;
	struct queue_filter filter;
	char *text;    /* of the filter, and the argument of an act */
	uint64_t mail; /* that it is at, and what is known of that: */
	enum { WANTS_UNKNOWN, WANTS_IT, WANTS_IT_NOT } wants;
	bool is_mail_sent;
	bool is_single; /* this mail was named */
	uint64_t started_us;
	size_t n_wanted;
	/* listing.c */
	enum queue_view view;
	struct groups *groups;
	/* acts.c */
	enum queue_action action;
	struct slice argument;
	bool is_quiet;
	size_t n_pending, n_done, n_failed;
};

struct client_walk_request {
	uint64_t request, queue_id;
	struct slice filter, argument;
};
/* NULL: the request was answered, it could not begin. */
struct client_walk *client_walk_start(
	struct client_state *c, const struct client_walk_request *r, const struct client_walk_hooks *hooks);
void client_walk_stop(struct client_walk *w);
/* The next recipient of m, with the present cause of one that waits for its destination. */
bool client_walk_next(struct client_walk *w, const struct message *m, struct recipient_view *out);
/* The client takes more. */
bool client_walk_has_room(const struct client_walk *w);
/* Whether the recipient is one that is not served yet and that the filter lets through. */
bool client_walk_wants_rcpt(const struct client_walk *w, const struct recipient_view *v);
/* All at once: for a mail that was named. */
bool filter_wants(const struct queue_filter *f, const struct message *m);

/* ---- listing.c, groups.c ---- */
void listing_ask(struct channel *ch, const union msg_any *m, int *fd);
void content_ask(struct channel *ch, const union msg_any *m, int *fd);
struct groups *groups_new(enum queue_by by);
void groups_free(struct groups **g);
bool groups_visit(struct client_walk *w, struct message *m);
bool groups_end(struct client_walk *w);

/* ---- history.c ---- */
void history_client_gone(struct client_state *c);
void history_ask(struct channel *ch, const union msg_any *m, int *fd);

/* ---- explain.c ---- */
void explain_client_gone(struct client_state *c);
void explain_ask(struct channel *ch, const union msg_any *m, int *fd);

/* ---- acts.c, move.c ---- */
struct act; /* on its way to the disk */
void acts_client_gone(struct client_state *c);
void acts_walk_gone(const struct client_walk *w);
void acts_ask(struct channel *ch, const union msg_any *m, int *fd);
void act_done(struct act *a, int result); /* 0 or negative errno: logs, answers, frees */
/* NULL: it is on its way, with a; else why not. */
const char *move_check(enum queue_action action, struct slice argument);
const char *move_mail(struct message *m, enum queue_action action, struct slice argument, struct act *a);
