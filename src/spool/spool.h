/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.h - the queue on disk: one log, many messages per sync; what it confirms survives a power cut
 *
 * One object per directory, used from one thread (that of its uv_loop_t); writing, syncing and the
 * preparation of files happen on threads of its own. Every callback and hook runs on the loop's thread, never
 * inside the call that asked for it, and no callback reports 0 before a completed fdatasync that covers what
 * it reports.
 *
 * The user embeds a struct spool_entry in its own message object and keeps envelope and recipients in its own
 * form; the spool keeps no copy of them: it asks for them (hooks.describe) when it moves a message to a newer
 * segment. Records reach the disk in the order of the calls. A batch is whole after a crash, or absent.
 *
 * Never: logging (it reports through hooks), policy, network, text of messages. Errors are negative errno.
 * The format and every legal state on disk: docs/SPOOL.md. Layer: spool (base, mail, libuv).
 * Tests: test_spool.c, test_recovery.c, test_damage.c, test_crash.c, test_faults.c, test_reclaim.c,
 * test_bounds.c, test_checkpoint.c, test_checkpoint_write.c, test_load.c; tests/crash.
 */
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "mail/envelope_options.h"
#include <uv.h>

struct spool;
struct spool_message; /* being accepted, not yet committed */
struct spool_segment;
struct spool_content;

/* Where the content of a message is in its segment. */
struct spool_place {
	uint32_t content_at, content_crc; /* at: no segment has 4 GiB */
};

/* A message in the spool. Zero it before use; its fields are the spool's, id and content_bytes may be read.
 * Its memory is the user's and stays where it is from spool_message_commit (or on_recovered) until
 * spool_remove returned, or spool_close finished. There may be millions: 56 bytes. */
struct spool_entry {
	uint64_t id;
	uint64_t content_bytes;
	struct spool_segment *segment; /* NULL until committed */
	struct list in_segment;	       /* the live messages of a segment */
	union {
		struct spool_place place;
		struct spool_content *cached; /* when is_cached: it keeps the place meanwhile */
	};
	uint32_t record_bytes;	  /* its share of the segment's live bytes */
	uint32_t n_watching : 28; /* operations on their way that know this entry */
	uint32_t has_body_file : 1, is_verified : 1, is_cached : 1;
	uint32_t mark : 1; /* see struct checkpoint */
};

/* ---- what a message consists of ---- */

enum spool_flag { /* of a message; bits from 1 << 16 on are the user's own and only stored */
	SPOOL_FLAG_HELD = 1,
};

/* All slices are borrowed, at most 1 MiB each; an absent one is empty. Times are wall time, microseconds. */
struct spool_envelope {
	uint64_t id;
	uint64_t arrival_us;
	uint64_t content_bytes; /* given back by recovery; ignored by spool_message_commit, which knows it */
	struct slice reverse_path; /* without brackets; empty is <> */
	struct slice envid;	   /* RFC 3461 ENVID as received (xtext) */
	enum ret ret;
	enum body_type body_type;
	bool smtputf8;
	uint32_t flags; /* enum spool_flag */
	uint8_t priority;
	struct slice client_address, client_name, client_helo;
	struct slice protocol;	 /* "ESMTP", "local", ... */
	struct slice login;	 /* authenticated name, or "uid 1000" */
	struct slice submission; /* the sender's own id that makes intake idempotent */
};

enum spool_rcpt_state {
	SPOOL_RCPT_PENDING = 0,
	SPOOL_RCPT_DELIVERED = 1, /* final: in a mailbox, taken by a command or by the next host */
	SPOOL_RCPT_FAILED = 2,	  /* final: bounced, or its failure was not to be told */
	SPOOL_RCPT_EXPANDED = 3,  /* final: replaced by recipients appended to the message */
	SPOOL_RCPT_DUPLICATE = 4, /* final: another recipient of this message is the same */
	SPOOL_RCPT_DELETED = 5,	  /* final: removed by the administrator */
};
#define SPOOL_RCPT_STATES 6

enum spool_rcpt_kind {
	SPOOL_RCPT_ADDRESS = 0,
	SPOOL_RCPT_COMMAND = 1, /* forward_path is the command of a "|" item */
	SPOOL_RCPT_FILE = 2,	/* forward_path is a path of a file or directory */
};
#define SPOOL_RCPT_KINDS 3

enum spool_rcpt_flag {		   /* bits from 1 << 16 on are the user's own and only stored */
	SPOOL_RCPT_NO_ALIAS = 1,   /* \user: the name is not looked up in the aliases again */
	SPOOL_RCPT_NO_FORWARD = 2, /* \user: nor is its ~/.forward read */
};

/* Where a command or file recipient was written: it is looked up there again before it is run. */
enum spool_origin {
	SPOOL_ORIGIN_NONE = 0,
	SPOOL_ORIGIN_ALIAS = 1, /* origin_table, origin_key, origin_item */
	SPOOL_ORIGIN_USER = 2,	/* the ~/.forward of origin_uid, entry origin_item */
};

/* What changes while a recipient is worked on: the whole of it is recorded each time. */
struct spool_progress {
	enum spool_rcpt_state state;
	uint32_t attempts;
	uint32_t flags; /* the user's own bits, e.g. "delay warning sent" */
	uint64_t first_attempt_us, last_attempt_us, next_attempt_us; /* 0: none yet, or at once */
	struct slice status;					     /* "4.4.1" */
	struct slice reason;					     /* what the administrator reads */
};

struct spool_recipient {
	struct slice forward_path; /* canonical */
	struct slice original;	   /* X-Original-To: as first accepted */
	struct slice orcpt;	   /* RFC 3461 ORCPT as received */
	struct slice reverse_path; /* this recipient's own (owner-), when has_reverse_path */
	bool has_reverse_path;	   /* so that an own reverse-path may be <> */
	struct slice trail;	   /* forwarding steps; see mail/trail.h */
	uint32_t parent; /* number of the recipient it came from; itself when it came with the message */
	uint8_t notify;	 /* enum notify */
	enum spool_rcpt_kind kind;
	uint32_t flags; /* enum spool_rcpt_flag */
	enum spool_origin origin;
	struct slice origin_table, origin_key;
	uint32_t origin_item;
	uint32_t origin_uid;
	struct spool_progress progress;
};

bool spool_rcpt_state_is_final(enum spool_rcpt_state state);

/* ---- opening ---- */

enum spool_problem_kind {
	SPOOL_PROBLEM_TORN,	    /* unconfirmed end of the log cut off: normal after a crash */
	SPOOL_PROBLEM_CORRUPT,	    /* confirmed records cannot be read; lsn range and place are given */
	SPOOL_PROBLEM_SEGMENT_GONE, /* confirmed records stood in a file that is not there */
	SPOOL_PROBLEM_BODY_GONE,    /* a message's body file is missing or of another size; id is given */
	SPOOL_PROBLEM_CONTENT,	    /* a message's content fails its checksum; id is given */
	SPOOL_PROBLEM_ORPHAN,	    /* a body file without a message was removed: normal after a crash */
	SPOOL_PROBLEM_ORPHAN_KEPT,  /* the same, but kept as NAME.lost because the log is damaged */
	SPOOL_PROBLEM_WRITE,	    /* writing or syncing failed; the segment was abandoned. error is given */
	SPOOL_PROBLEM_PREPARE,	    /* the next segment cannot be prepared; error is given */
	SPOOL_PROBLEM_RECLAIM,	    /* a file that is not needed any more cannot be freed; error is given */
	SPOOL_PROBLEM_CHECKPOINT,   /* a checkpoint cannot be used or written; generation is its number */
};
struct spool_problem {
	enum spool_problem_kind kind;
	uint64_t id;	     /* message, or 0 */
	uint64_t generation; /* segment, number of the checkpoint, or 0 */
	uint64_t offset;     /* place in the segment */
	uint64_t bytes;	     /* length of the damaged or cut region, or size of the file */
	uint64_t first_lsn, last_lsn;
	size_t n_salvaged; /* records saved from the damaged region */
	int error;	   /* negative errno, or 0 */
};
/* "a confirmed part of the log is unreadable": for the one log line of the caller. */
const char *spool_problem_text(enum spool_problem_kind kind);
/* The file it is about, below the spool directory; "bodies" when it is about several of them. */
#define SPOOL_PROBLEM_FILE 48
void spool_problem_file(const struct spool_problem *problem, char file_out[SPOOL_PROBLEM_FILE]);

struct spool_hooks {
	/* One call per live message, some of them in each turn of the loop, from behind spool_open until
	 * on_loaded; slices are valid for the call only. Returns the zeroed entry to fill, which must never
	 * move; NULL ends loading with -ENOMEM. */
	struct spool_entry *(*on_recovered)(void *user, const struct spool_envelope *env,
		const struct spool_recipient *rcpts, size_t n_rcpts);
	/* The present state of a message that is moved to a newer segment or put into a checkpoint: every
	 * call made for it so far is included. It may be asked until spool_close has finished. The outputs
	 * stay valid until the hook is called again or control returns to the loop. NULL where messages are
	 * only added: nothing is moved then, and there are no checkpoints. */
	void (*describe)(void *user, struct spool_entry *entry, struct spool_envelope *env_out,
		const struct spool_recipient **rcpts_out, size_t *n_rcpts_out);
	/* May be NULL. Also runs while spool_open runs. */
	void (*on_problem)(void *user, const struct spool_problem *problem);
	/* May be NULL. 0: every live message has been handed over. Else loading ended with this error: some
	 * are not known; new mail can be taken, and nothing that is on disk is given up; open it again. */
	void (*on_loaded)(void *user, int result);
};

struct spool_settings {
	uint64_t segment_bytes;	   /* 0: 64 MiB; a multiple of 4,096, 64 KiB to 2 GiB */
	uint64_t body_threshold;   /* 0: 256 KiB; longer content goes to a file of its own */
	uint64_t reserve_bytes;	   /* free space of the file system that new mail may not use; 0: none */
	uint64_t memory_budget;	   /* 0: 64 MiB; content held in memory, fresh and cached */
	uint64_t batch_bytes;	   /* 0: 8 MiB; ceiling of one commit */
	unsigned reserve_segments; /* 0: 1; prepared ones that only results may use on a full disk */
	uint32_t flush_ms; /* 0: 200; how long a result may wait for company: what a crash can repeat */
	uint32_t retry_ms; /* 0: 1,000; between attempts on a disk that fails or is full */
	uint8_t node;
};

typedef void (*spool_done)(void *user, int result); /* 0, or negative errno: not on disk */

/* Locks dir (created when missing, mode 0700), finds the end of its log, starts the commit thread: from then
 * on it takes new messages, while those that are there are handed over (hooks.on_recovered, on_loaded). dir
 * holds log/, bodies/ and lock. 0, -EBUSY when another process has it open, -EPROTONOSUPPORT for a format of
 * a later version, or another negative errno. hooks is copied. */
MUST_USE int spool_open(const char *dir, const struct spool_settings *settings, uv_loop_t *loop,
	const struct spool_hooks *hooks, void *user, struct spool **spool_out);
/* Writes what is pending, answers every callback, frees everything, then calls closed. No other call is
 * allowed after it; messages being accepted must have been aborted before. Entries are not touched
 * afterwards. */
void spool_close(struct spool *sp, void (*closed)(void *user), void *user);

/* No id at or above it was ever used with this spool. After damage it may rise until on_loaded. */
uint64_t spool_id_high_water(const struct spool *sp);
/* Ids below next_id may be handed out once done reports 0. It never sinks. */
void spool_update_id_high_water(struct spool *sp, uint64_t next_id, spool_done done, void *user);

/* New mail is refused (452): the disk is full or cannot be written; becomes false by itself. Cheap. */
bool spool_is_full(struct spool *sp);

struct spool_statistics {
	uint64_t n_messages, live_bytes; /* in segments, content of body files not counted */
	uint64_t n_segments, log_bytes;	 /* in use, the prepared ones not counted */
	uint64_t n_prepared;
	uint64_t n_batches, n_records; /* committed since opening */
	uint64_t cached_bytes;
	bool is_loading;			  /* n_messages and live_bytes are still growing */
	uint64_t n_checkpoints, checkpoint_bytes; /* written since opening; size of the last one */
};
void spool_statistics(struct spool *sp, struct spool_statistics *out);

/* ---- accepting ---- */

/* expected_bytes is a hint (SIZE=), 0 when unknown; it reserves memory of at most the body threshold.
 * 0, -ENOSPC while spool_is_full(), -ENOMEM. */
MUST_USE int spool_message_new(struct spool *sp, uint64_t expected_bytes, struct spool_message **message_out);
/* Appends content (copied). 0, or the negative errno of the message's body file, which sticks: abort it. */
MUST_USE int spool_message_append(struct spool_message *m, struct slice bytes);
uint64_t spool_message_bytes(const struct spool_message *m); /* content so far */
/* Bytes of m that wait for the disk: a sender of a large body should pause above some MiB. Small ones: 0. */
uint64_t spool_message_backlog(const struct spool_message *m);
/* Takes m over. env and rcpts are encoded before it returns. env->id must be new. When done reports 0 the
 * message is on stable storage and entry stands for it; otherwise entry is unused again and nothing is left.
 */
void spool_message_commit(struct spool_message *m, struct spool_entry *entry,
	const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts,
	spool_done done, void *user);
void spool_message_abort(struct spool_message **m);

/* ---- changing: entry's commit has been reported ---- */

/* Recipient rcpt_no becomes EXPANDED and rcpts are appended with the next numbers, both or neither. Act on
 * the new recipients only when done reports 0; otherwise nothing has changed. */
void spool_expand(struct spool *sp, struct spool_entry *entry, uint32_t rcpt_no,
	const struct spool_recipient *rcpts, size_t n_rcpts, spool_done done, void *user);
/* done may be NULL: then the record goes with the next commit, at the latest after 200 ms. While
 * the disk fails or is full the record is kept and tried again, and done waits; only spool_close gives up. */
void spool_record_result(struct spool *sp, struct spool_entry *entry, uint32_t rcpt_no,
	const struct spool_progress *progress, spool_done done, void *user);
/* The whole set of flags (hold, release, own bits). When done reports an error nothing has changed. */
void spool_set_flags(
	struct spool *sp, struct spool_entry *entry, uint32_t flags, spool_done done, void *user);
/* The message is finished or deleted. entry is free for reuse when this returns; the disk space follows once
 * the record is synced. done may be NULL, as with spool_record_result. */
void spool_remove(struct spool *sp, struct spool_entry *entry, spool_done done, void *user);

/* ---- content ---- */

/* Appends at most max bytes from offset on to *to; fewer only at the end of the content. 0, -EBADMSG when the
 * content fails its checksum, -EFBIG when *to is too small, another negative errno. From memory, else a pread
 * on this thread. */
MUST_USE int spool_content_read(
	struct spool *sp, struct spool_entry *entry, uint64_t offset, size_t max, struct buf *to);
/* The whole content in memory, without a copy; false when it is on disk only. Valid until control returns to
 * the loop, or spool_content_forget or spool_remove is called. */
bool spool_content_peek(const struct spool_entry *entry, struct slice *content_out);
/* Nobody will read it soon: its memory may go. */
void spool_content_forget(struct spool *sp, struct spool_entry *entry);

/* ---- reading a spool that nobody has open ---- */

struct spool_scanned;  /* the content of one message */
struct spool_visitor { /* each may be NULL; messages come in order of their ids */
	/* Once, before the messages: no id at or above it was ever used. */
	void (*high_water)(void *user, uint64_t next_id);
	void (*message)(void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts,
		size_t n_rcpts);
	void (*problem)(void *user, const struct spool_problem *problem);
	/* Every valid record in the order of the log, before message() is called for the first time; type as
	 * in docs/SPOOL.md, meta are its undecoded fields. */
	void (*record)(void *user, uint64_t generation, uint64_t offset, uint64_t lsn, uint64_t id,
		unsigned type, struct slice meta, uint64_t content_bytes);
	/* Behind message(). is_whole: it is there and, with verify_content, its checksum is right. */
	void (*content)(void *user, const struct spool_envelope *env, const struct spool_scanned *content,
		bool is_whole);
	bool verify_content; /* reads all content and reports what fails its checksum */
};
/* Changes nothing. 0 (also with problems), -EBUSY while a daemon has it open, or another negative errno. */
MUST_USE int spool_scan(const char *dir, const struct spool_visitor *visitor, void *user);
/* While content() runs: appends at most max bytes from offset on, as they stand there. */
MUST_USE int spool_scanned_read(
	const struct spool_scanned *content, uint64_t offset, size_t max, struct buf *to);
