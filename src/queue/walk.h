/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.h - over the mail in the queue, a few steps in each turn of the loop
 *
 * However many messages there are, and however many recipients one of them has, mail goes on between two
 * steps: all walks together make at most WALK_STEPS in a turn, and a walk goes on from the very recipient
 * where it stopped. The loop does not sleep while one of them could go on; one that may not (its client does
 * not read) costs nothing.
 *
 * client_walk.c walks for commands, resume.c for the queue itself. Never changes mail; what visit() does may
 * take any message out of the queue. Layer: queue. Tests: test_walk.c.
 */
#pragma once
#include "queue/message.h"

#define WALK_STEPS 1000	  /* of all walks in a turn: about a millisecond */
#define WALK_STEPS_MIN 50 /* of each, when there are many */

struct walk;
struct walk_hooks {
	/* The mail that comes next. False: there is more to say of it, and nothing of the queue was changed;
	 * called again. True: the walk goes on to the mail behind it. */
	bool (*visit)(struct walk *w, struct message *m);
	/* There is no further mail, or the daemon stops. True: it is over, w was stopped and may be freed;
	 * false: called again when it may go on. */
	bool (*end)(struct walk *w);
	bool (*may_go_on)(struct walk *w); /* NULL: always */
};

/* The caller's; nothing in it is for others. */
struct walk {
	struct list in_walks;
	const struct walk_hooks *hooks;
	struct list *next; /* struct message.in_all: whose turn it is; mails that leave correct it */
	struct recipient_cursor
		at;	   /* behind the last one seen of that mail; .m is NULL when its bytes moved */
	struct list *last; /* there it ends; NULL: at the end */
	size_t budget;	   /* of this turn */
	bool is_single;
};

void walks_init(void);
/* only: over this mail alone; NULL: over all. Its first step comes in this turn of the loop. */
void walk_start(struct walk *w, const struct walk_hooks *hooks, struct message *only);
void walk_start_nowhere(struct walk *w, const struct walk_hooks *hooks); /* end() comes at once */
/* Mail that comes from now on is not visited. */
void walk_end_here(struct walk *w);
void walk_stop(struct walk *w);
/* For visit(): steps of about a microsecond that were made; false when the turn's are used up. The mail
 * itself costs one. */
bool walk_spend(struct walk *w, size_t n);
/* For visit(): the next recipient of m; false when all were seen. */
bool walk_next(struct walk *w, const struct message *m, struct recipient_view *out);
/* Begins with m's first recipient again. */
void walk_rewind(struct walk *w);
bool walk_is_at_end(const struct walk *w); /* all mail was visited */

/* For life.c: m leaves, and is still in queue.all; m's packed bytes were replaced. */
void walks_message_leaves(const struct message *m);
void walks_message_froze(const struct message *m);
