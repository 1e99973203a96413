/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h - a queued message in memory: envelope, recipients and where each of them stands
 *
 * The spool has the truth; this is what scheduling needs of it. A message owns copies of all its strings.
 * Layer: queue. Tests: test_message.c.
 */
#pragma once
#include "base/heap.h"
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

/* Bits of the user's own in spool_progress.flags. */
#define PROGRESS_DELAY_TOLD (1u << 16)

/* Of the user's own in spool_recipient.flags: an item that is a verdict (:defer:, :fail:); status and reason
 * are kept, and it is never routed. */
#define RECIPIENT_VERDICT (1u << 16)

struct recipient {
	struct slice forward_path, original, orcpt, reverse_path, trail, origin_key; /* into text */
	char *text;
	struct slice status, reason, remote; /* into outcome_text */
	char *outcome_text;
	bool has_reverse_path, reconcile;
	uint8_t notify, stage;
	uint8_t leaf;	/* enum leaf_kind, when resolved */
	uint32_t flags; /* enum rcpt_flags that are stored: NO_ALIAS, NO_FORWARD */
	uint32_t parent, origin_item, origin_uid;
	enum spool_rcpt_kind kind;
	enum spool_origin origin;
	enum spool_rcpt_state state;
	uint32_t attempts, progress_flags;
	uint64_t job; /* whose result counts while ACTIVE */
	uint64_t first_attempt_us, last_attempt_us, next_attempt_us;
	struct slice user;	    /* LEAF_USER: name of the mailbox; into leaf_text */
	char *leaf_text;	    /* destination of the leaf */
	struct table_node identity; /* in message.identities once resolved */
	bool has_identity;
};

struct message {
	struct spool_entry entry; /* first: found from it */
	struct table_node by_id;
	struct list in_all;	/* arrival order */
	struct list in_routing; /* waits for lookup's attention */
	struct heap_node retry;
	uint64_t arrival_us;
	uint64_t born_mono_ms; /* age is counted on the monotonic clock: a clock jump expires nothing */
	uint32_t flags;	       /* enum spool_flag */
	uint8_t ret, body_type;
	bool smtputf8, is_deleted;
	bool was_recovered; /* its identities of recipients that were done before are not known */
	struct slice reverse_path, envid, client_address, client_name, client_helo, protocol, login,
		submission;
	char *text;
	struct recipient *rcpts;
	uint32_t n_rcpts;
	uint32_t n_in[STAGE_COUNT]; /* recipients at each stage */
	uint32_t n_jobs;	    /* under way: they know this message until each has ended */
	uint32_t n_reports;	    /* bounces being written */
	uint32_t ask_from;	    /* router: recipients below it have been asked about */
	struct table identities;    /* of resolved recipients; only when there are several */
};

/* Copies of strings that live together: one allocation, the caller's to mem_free. */
struct packed {
	struct slice *to;
	struct slice from;
};
MUST_USE char *packed_copy(const struct packed *parts, size_t n);

/* Copies everything. The entry is zeroed, for the spool to fill. */
struct message *message_new(
	const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts);
void message_free(struct message **m);
/* Appends a recipient (copied); its number is returned. */
uint32_t message_add(struct message *m, const struct spool_recipient *rcpt);
/* Borrowed views for the spool. */
void message_envelope(const struct message *m, struct spool_envelope *out);
void recipient_view(const struct recipient *r, struct spool_recipient *out);
void recipient_progress(const struct recipient *r, struct spool_progress *out);
/* Replaces status, reason and remote (copied, bounded by LIMIT_REASON). */
void recipient_set_outcome(
	struct recipient *r, struct slice status, struct slice reason, struct slice remote);
/* Not final. */
static inline uint32_t message_n_open(const struct message *m)
{
	return m->n_rcpts - m->n_in[STAGE_DONE];
}
/* Neither final nor at rest: somebody will come back for them. */
static inline uint32_t message_n_moving(const struct message *m)
{
	return message_n_open(m) - m->n_in[STAGE_NEW] - m->n_in[STAGE_WAITING];
}
/* Moves between stages and keeps the message's counts right. */
void recipient_stage(struct message *m, struct recipient *r, enum recipient_stage stage);
/* The leaf is known: copies its destination; false when another recipient of the message is the same
 * delivery. */
MUST_USE bool recipient_resolve(
	struct message *m, struct recipient *r, enum leaf_kind leaf, struct slice destination);
/* The sender of this recipient's bounces: its own reverse-path (owner-) or the message's. */
struct slice recipient_reverse_path(const struct message *m, const struct recipient *r);
uint64_t message_age_s(const struct message *m);
static inline struct message *message_of_entry(struct spool_entry *entry)
{
	return CONTAINER_OF(entry, struct message, entry);
}
