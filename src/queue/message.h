/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h - a queued message in memory: envelope, recipients and where each of them stands
 *
 * The spool has the truth; this is what scheduling needs of it. Most messages of a large queue rest: nothing
 * of them moves, and they are wanted as few bytes. A message at rest is frozen: envelope and recipients lie
 * packed in one allocation (frozen.c), texts that many share are kept once. One of which something moves has
 * been thawed: m->live and m->rcpts are there. message_envelope() and the cursor read both kinds, allocate
 * nothing and are all that a listing needs.
 *
 * Thawing happens in life.c, where the number of live messages is bounded, and where somebody changes a
 * message for a person; queue_settle() freezes. So a pointer to a recipient is good until queue_settle(), a
 * pointer to a message until it leaves the queue. Layer: queue. Tests: test_message.c.
 */
#pragma once
#include "base/heap.h"
#include "base/intern.h"
#include "base/list.h"
#include "base/table.h"
#include "ipc/message.h"
#include "spool/spool.h"

struct destination;

/* Where a recipient stands now; what is final is in progress.state. */
enum recipient_stage {
	STAGE_NEW,	 /* to be routed */
	STAGE_ROUTING,	 /* lookup was asked */
	STAGE_RESOLVED,	 /* knows its leaf; waits for the other recipients' routing */
	STAGE_RECORDING, /* an expansion is on its way to the disk */
	STAGE_READY,	 /* in a delivery that waits for its turn */
	STAGE_ACTIVE,	 /* in a job */
	STAGE_WAITING,	 /* for its next attempt */
	STAGE_FAILED,	 /* its bounce is to be written, with those of the others that fail now */
	STAGE_REPORTING, /* its bounce is being written; the failure is recorded after it */
	STAGE_DONE,
	STAGE_COUNT
};

/* spool_envelope.priority: letters (bounces too) go before mail in bulk, which keeps a share of its own. */
enum message_priority { PRIORITY_LETTER = 0, PRIORITY_BULK = 1 };
#define PRIORITY_LEVELS 2

/* Bits of the user's own in spool_progress.flags. */
#define PROGRESS_DELAY_TOLD (1u << 16)

/* Of the user's own in spool_recipient.flags: an item that is a verdict (:defer:, :fail:); status and reason
 * are kept, and it is never routed. */
#define RECIPIENT_VERDICT (1u << 16)
/* An administrator gave it a next hop of its own, which origin_key is: it is never routed either. */
#define RECIPIENT_NEXT_HOP (1u << 17)

/* Of the user's own in the flags of a message (17: report.c): an administrator wants it returned when its
 * next attempt fails. */
#define MESSAGE_EXPIRE (1u << 18)

struct recipient {
	struct slice forward_path, original, orcpt, reverse_path, trail, origin_key;
	char *text;			     /* holds these; NULL: they are in the message's packed bytes */
	struct slice status, reason, remote; /* into outcome */
	struct interned *outcome;
	bool has_reverse_path, reconcile;
	bool by_transport; /* this attempt: the mailbox of LEAF_USER is that of local.mailbox_transport */
	uint8_t notify, stage;
	uint8_t leaf;	/* enum leaf_kind, when resolved */
	uint32_t flags; /* enum rcpt_flags that are stored: NO_ALIAS, NO_FORWARD */
	uint32_t parent, origin_item, origin_uid;
	enum spool_rcpt_kind kind;
	enum spool_origin origin;
	enum spool_rcpt_state state;
	uint32_t attempts, progress_flags;
	uint32_t waits_for; /* WAITING: number of the destination that it waits for; 0: for next_attempt_us */
	uint64_t job;	    /* whose result counts while ACTIVE */
	uint64_t first_attempt_us, last_attempt_us, next_attempt_us;
	uint64_t setup_us, transmission_us; /* of the attempt that ended with that outcome */
	struct slice user;		    /* LEAF_USER: name of the mailbox; into leaf_text */
	char *leaf_text;		    /* destination of the leaf */
	struct table_node identity;	    /* in message.live.identities once resolved */
	bool has_identity;
};

/* Why a recipient is not served yet: what its last attempt met, or the last one at its destination. */
struct cause {
	struct slice status, reason, remote;
};

/* What a message has only while something of it moves. */
struct live {
	struct message *m;
	uint64_t since_us;	    /* wall clock */
	struct list in_routing;	    /* waits for lookup's attention */
	uint32_t n_in[STAGE_COUNT]; /* recipients at each stage */
	uint32_t n_jobs;	    /* under way: they know this message until each has ended */
	uint32_t n_reports;	    /* bounces being written */
	uint32_t ask_from;	    /* router: recipients below it have been asked about */
	uint32_t dispatch_from;	    /* router: those below it have been dispatched */
	uint64_t gather_until_ms;   /* router: those RESOLVED wait for others until then */
	uint32_t cap;		    /* of m->rcpts */
	struct table identities;    /* of resolved recipients; only when there are several */
};

struct message {
	struct spool_entry entry; /* first: found from it */
	struct message *next_by_id;
	struct list in_all;	 /* arrival order */
	struct heap_node retry;	 /* in one of the heaps of life.c; only while frozen */
	char *packed;		 /* the envelope; the recipients as of the last freezing */
	struct live *live;	 /* NULL: frozen */
	struct recipient *rcpts; /* NULL: frozen */
	uint64_t arrival_us;
	uint32_t packed_bytes, envelope_bytes; /* the envelope's are the first of them, and never change */
	uint32_t born_mono_s; /* age is counted on the monotonic clock: a clock jump expires nothing */
	uint32_t n_rcpts;
	uint32_t n_open_frozen;		  /* of a frozen one */
	uint32_t flags;			  /* enum spool_flag */
	uint8_t ret, body_type, priority; /* enum message_priority, as it came in */
	bool smtputf8 : 1, is_deleted : 1;
	bool was_recovered : 1; /* its identities of recipients that were done before are not known */
	bool was_tried : 1;	/* it has had its first turn */
	bool has_drop_file : 1; /* it cannot be removed: the spool's record stays, whatever becomes of the
				   mail */
	bool is_kicked : 1;	/* when its turn comes all its recipients are tried, due or not */
};

/* Memory of messages in all: above it new ones are refused. Once per process. */
void message_memory_init(size_t max_bytes);

/* Copies everything. The entry is zeroed, for the spool to fill. NULL: there is no memory. The message is
 * frozen; recipients that were tried before wait for their next attempt. */
MUST_USE struct message *message_new(
	const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts);
/* One of an earlier process: any of its recipients may have been delivered by an attempt that was cut off. */
MUST_USE struct message *message_recover(
	const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts);
/* How many are live, and their recipients. */
size_t message_n_live(void);
size_t message_n_live_recipients(void);
void message_free(struct message **m);
void message_thaw(struct message *m); /* does nothing when it is live */
/* Back to few bytes; nothing may move. Nothing changes when there is no memory for it: it stays live. */
void message_freeze(struct message *m);
/* Appends a recipient (copied); its number is returned. Live messages only. */
uint32_t message_add(struct message *m, const struct spool_recipient *rcpt);

/* ---- frozen or live ---- */

/* Borrowed views: valid until the message changes. */
void message_envelope(const struct message *m, struct spool_envelope *out);
struct slice message_reverse_path(const struct message *m);
struct slice message_submission(const struct message *m);
void message_recipients(const struct message *m, struct spool_recipient *out); /* n_rcpts of them */
struct recipient_view {
	struct spool_recipient spool; /* as the spool keeps it, with its progress */
	uint32_t waits_for;
	enum recipient_stage stage;
	bool reconcile, has_identity;
	uint8_t leaf;	   /* with an identity */
	struct slice user; /* LEAF_USER with an identity */
	struct slice remote;
	struct interned *outcome; /* holds status, reason and remote; the message's */
};
/* Over the recipients in order of their numbers: for (cursor = message_cursor(m); cursor_next(&cursor, &v);)
 * The message must not change meanwhile. */
struct recipient_cursor {
	const struct message *m;
	uint32_t next; /* number of the next one */
	struct slice rest;
};
struct recipient_cursor message_cursor(const struct message *m);
bool recipient_next(struct recipient_cursor *c, struct recipient_view *out); /* false at the end */
/* Not final. */
static inline uint32_t message_n_open(const struct message *m)
{
	return m->live ? m->n_rcpts - m->live->n_in[STAGE_DONE] : m->n_open_frozen;
}
/* Neither final nor at rest: somebody will come back for them. */
static inline uint32_t message_n_moving(const struct message *m)
{
	return m->live ? message_n_open(m) - m->live->n_in[STAGE_NEW] - m->live->n_in[STAGE_WAITING] : 0;
}
uint64_t message_age_s(const struct message *m);
static inline struct message *message_of_entry(struct spool_entry *entry)
{
	return CONTAINER_OF(entry, struct message, entry);
}

/* ---- live messages only ---- */

/* Borrowed views for the spool. */
void recipient_view(const struct recipient *r, struct spool_recipient *out);
void recipient_progress(const struct recipient *r, struct spool_progress *out);
/* Replaces status, reason and remote (copied, bounded by LIMIT_REASON). */
void recipient_set_outcome(
	struct recipient *r, struct slice status, struct slice reason, struct slice remote);
/* Moves between stages and keeps the message's counts right. */
void recipient_stage(struct message *m, struct recipient *r, enum recipient_stage stage);
/* The leaf is known: copies its destination; false when another recipient of the message is the same
 * delivery. */
MUST_USE bool recipient_resolve(
	struct message *m, struct recipient *r, enum leaf_kind leaf, struct slice destination);
/* The same for a command, file or list: all of one user's have one destination, so that however many he
 * writes, they take no more of the places than another's mailbox. */
MUST_USE bool recipient_resolve_item(struct message *m, struct recipient *r);
/* Whether r may become n others. What lists and .forward files add is bounded in sum too: each of them may
 * lead to others, or to itself by another address. */
bool message_has_room(const struct message *m, const struct recipient *r, size_t n);
/* The sender of this recipient's bounces: its own reverse-path (owner-) or the message's. */
struct slice recipient_reverse_path(const struct message *m, const struct recipient *r);

/* Copies of strings that live together: one allocation, the caller's to mem_free. */
struct packed {
	struct slice *to;
	struct slice from;
};
MUST_USE char *packed_copy(const struct packed *parts, size_t n);
