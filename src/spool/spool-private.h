/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool-private.h - what the files of this folder share: the spool object, segments, operations
 *
 * Threads. The loop's thread owns everything in struct spool that is not in struct commit. The commit thread
 * (commit.c) writes and syncs; what both touch stands in struct commit under its lock. Slow file work
 * (preparing and freeing segments, body files, reading for compaction) runs on libuv's pool; a work item owns
 * its data while it runs, and its results are taken over on the loop's thread.
 *
 * The way of an operation: made on the loop's thread, staged (loop) -> incoming (lock) -> batch (commit
 * thread) -> finished (lock) -> its finish function (loop). Order is kept all the way. Layer: spool, for this
 * folder alone. Tests: those of spool.h.
 */
#pragma once
#include "spool/format.h"
#include "base/table.h"
#include <stdatomic.h>

/* One round of compaction reads and writes again at least so much, and at most when much is too much. */
#define SPOOL_MOVE_BYTES ((uint64_t)256 * 1024)
#define SPOOL_MOVE_BYTES_MAX ((uint64_t)4 * 1024 * 1024)
#define SPOOL_MOVE_ENTRY_BYTES 4096 /* a message counts as so much: small ones cost as much */
#define SPOOL_SPARE_SEGMENTS 3	    /* prepared beyond the reserve out of dead ones; more are unlinked */
#define SPOOL_SLACK_SEGMENTS 4	    /* dead space that is not worth compaction */
#define SPOOL_MIN_THRESHOLD 4096
#define SPOOL_NAME_MAX 40

/* ---- segments (segment.c) ---- */

struct spool_segment {
	struct list node;    /* in prepared, taken, segments or dead */
	struct list entries; /* struct spool_entry.in_segment: live messages whose content stands here */
	uint64_t generation, nonce, bytes;
	uint64_t live_bytes;
	int fd;		     /* read and write; one descriptor from the first write to the last sync */
	size_t n_pins;	     /* operations not yet synced that made something here dead, and readers */
	bool is_abandoned;   /* a write or sync failed: never written again, its messages are moved away */
	bool is_damaged;     /* recovery found damage: kept aside as .bad when it is not needed any more */
	uint64_t checkpoint; /* number of the last one that refers to it */
	bool is_no_use;	     /* recycling it failed half-way */
};

void segment_name(uint64_t generation, const char *suffix, char name_out[SPOOL_NAME_MAX]);
/* False when name is not NNNNNNNNNNNNNNNN + suffix. */
bool segment_name_parse(const char *name, const char *suffix, uint64_t *generation_out);
struct spool_segment *segment_new(uint64_t generation);
void segment_free(struct spool_segment **s); /* closes the descriptor */
/* Writes zeros, header, syncs, gives it its name, syncs the directory. s->generation is set; the rest is
 * filled. */
MUST_USE int segment_create(int log_fd, struct spool_segment *s, uint64_t bytes, uint8_t node);
/* The same with the file of old, which is not needed any more. Its name goes first; when anything fails old
 * must be discarded before anything newer is, and the file is of no use. */
MUST_USE int segment_recycle(int log_fd, struct spool_segment *old, struct spool_segment *s, uint8_t node);
/* Unlinks the file, or keeps a damaged one aside as .bad; syncs the directory. May be tried again. */
MUST_USE int segment_discard(int log_fd, struct spool_segment *s);

/* ---- content in memory (content.c) ---- */

struct spool_content {
	struct list recent; /* in spool.recent while an entry has it cached */
	struct spool_entry *entry;
	struct spool_place place; /* the entry's, while it has it cached */
	struct buf bytes;
	size_t counted;	 /* its share of spool.memory_used */
	unsigned n_refs; /* the entry's, and those of operations on their way */
};
struct spool_content *content_new(size_t max_bytes);
void content_unref(struct spool *sp, struct spool_content **c);
void content_count(struct spool *sp, struct spool_content *c); /* after its buffer changed */
void content_attach(
	struct spool *sp, struct spool_entry *entry, struct spool_content *c); /* takes a reference */
void content_trim(struct spool *sp); /* back below the budget, oldest first */
/* These touch no spool object, so any thread may call them. -EBADMSG: the file is shorter. */
MUST_USE int content_pread(int fd, uint64_t offset, uint64_t n, struct buf *to); /* appends */
MUST_USE int content_crc(int fd, uint64_t offset, uint64_t n, uint32_t *crc_out);
MUST_USE int content_open_body(int bodies_fd, uint64_t id, uint64_t bytes, int *fd_out);

/* ---- operations (record.c) ---- */

struct spool_op {
	struct list node;
	struct list watch; /* in spool.watched while entry must be forgotten when it is removed */
	enum format_type type;
	uint16_t flags; /* enum format_record_flag */
	uint64_t id;
	struct buf meta;
	struct spool_content *content; /* what follows meta in the log; NULL: nothing */
	uint32_t content_crc;
	uint64_t content_bytes;	      /* of the message, wherever they are */
	struct spool_entry *entry;    /* NULL: none, or removed meanwhile */
	struct spool_segment *pinned; /* where something is dead once this is synced */
	bool is_new_mail;	      /* may be refused when the disk is full; failed at once when it fails */
	bool is_kept;		      /* tried again until the disk takes it */
	bool has_body;
	spool_done done;
	void *user;
	struct spool *sp;
	void (*finish)(struct spool *sp, struct spool_op *op); /* frees op */
	/* Filled by the commit thread: */
	int result;
	bool was_written; /* also when the sync then failed: its bytes may turn up after a restart */
	struct spool_segment *segment;
	uint64_t offset; /* of the record */
	uint64_t lsn;
	char header[FORMAT_RECORD_HEADER];
};
struct spool_op *op_new(enum format_type type, uint64_t id, spool_done done, void *user);
void op_init(struct spool_op *op, enum format_type type, uint64_t id); /* of a zeroed one inside something */
void op_deinit(struct spool *sp, struct spool_op *op);
/* entry is forgotten by op when it is removed, and not moved while op is on its way. */
void op_watch(struct spool *sp, struct spool_op *op, struct spool_entry *entry);
void op_unwatch(struct spool_op *op);
bool entry_is_watched(const struct spool_entry *entry);
/* Hands op over to be written with the next batch; urgent: now, else within flush_ms. */
void op_stage(struct spool *sp, struct spool_op *op, bool urgent);
uint64_t op_record_bytes(const struct spool_op *op);
/* Finishes op from the loop with this error, without going to the disk. */
void op_fail_later(struct spool *sp, struct spool_op *op, int error);
/* The message's live record is there from now on; it is not any more. */
void entry_place(struct spool *sp, struct spool_entry *entry, struct spool_segment *s,
	struct spool_place place, uint64_t record_bytes);
/* Where its content is, whether cached or not. */
static inline struct spool_place *entry_place_of(struct spool_entry *entry)
{
	return entry->is_cached ? &entry->cached->place : &entry->place;
}
void entry_place_at_op(struct spool *sp, struct spool_entry *entry, const struct spool_op *op);
void entry_unplace(struct spool *sp, struct spool_entry *entry);

/* ---- commit (commit.c) ---- */

struct commit_failure {
	struct list node;
	struct spool_segment *segment; /* abandoned */
	struct spool_problem problem;
};
struct commit {
	uv_thread_t thread;
	uv_mutex_t lock;
	uv_cond_t wake; /* of the commit thread */
	uv_async_t *notify;
	/* Under the lock: */
	struct list incoming, finished; /* struct spool_op */
	struct list prepared,
		taken; /* struct spool_segment: ready for use; in use, not yet seen by the loop */
	size_t n_prepared, n_reserve;
	struct list failures; /* struct commit_failure */
	int prepare_error;    /* of the last attempt to prepare a segment; 0: none failed */
	uint64_t retry_at_ms; /* 0: the last batch was written; else when the next attempt is due */
	bool must_stop, gives_up, has_stopped; /* gives_up: nothing is tried again, the spool closes */
	uint64_t high_water;
	uint64_t n_batches, n_records, n_bytes; /* n_bytes: of batches, padding included */
	/* The commit thread's alone (before it starts: the opener's): */
	struct spool_segment *head; /* NULL: take a prepared one */
	uint64_t head_at;	    /* where the next batch begins */
	uint64_t next_lsn, synced_lsn, sequence;
	uint64_t batch_bytes, batch_high_water, batch_written, retry_ms;
	uint8_t node;
	int bodies_fd;
	struct iovec *iov;
	size_t iov_cap;
};
MUST_USE int commit_start(struct commit *c);
void commit_init(struct commit *c);
void commit_deinit(struct commit *c);
/* All of staged, in order; every id used so far is below high_water. */
void commit_give(struct commit *c, struct list *staged, uint64_t high_water);
void list_move_all(struct list *to, struct list *from);				/* to the end, in order */
void commit_add_prepared(struct commit *c, struct spool_segment *s, int error); /* s or error; any thread */
void commit_stop(struct commit *c); /* returns at once; has_stopped follows with a notification */

/* ---- the keeper: one slow file task at a time, in order (keeper.c) ---- */

enum keeper_task {
	KEEPER_NONE = 0,
	KEEPER_CREATE,	/* prepare a segment */
	KEEPER_RECYCLE, /* prepare a segment from one that is not needed any more */
	KEEPER_DISCARD, /* take one away that is not needed any more */
	KEEPER_BODIES,	/* unlink body files of messages that are gone */
};
struct keeper {
	uv_work_t work;
	enum keeper_task task;
	struct spool_segment *old, *fresh;
	struct buf bodies; /* ids, 8 bytes each */
	int result;
	uint64_t create_at_ms, free_at_ms; /* after a failure: when it is tried again */
	int reported;			   /* the failure to prepare that was last reported */
};
void keeper_run(struct spool *sp); /* starts the next task if there is one and none runs */
void keeper_remove_body(struct spool *sp, uint64_t id);

/* ---- accepting (message.c) and its body files (body.c) ---- */

struct spool_body;
MUST_USE int body_new(struct spool *sp, struct spool_body **body_out);
MUST_USE int body_append(struct spool_body *b, struct slice bytes);
uint64_t body_backlog(const struct spool_body *b);
/* Writes the rest, syncs, names it after id; then finished(op, result), on the loop's thread, and the body is
 * gone. */
void body_finish(struct spool_body *b, uint64_t id, void (*finished)(struct spool_op *op, int result),
	struct spool_op *op);
void body_abort(struct spool_body **b);
void body_name(uint64_t id, const char *suffix, char name_out[SPOOL_NAME_MAX]);

/* ---- reclaiming (reclaim.c) ---- */

struct move_item {
	struct spool_op op;
	uint64_t read_at; /* where its content is now; a cached one is not read */
	int error;	  /* of reading, or -EBADMSG */
};
struct move_round {
	uv_work_t work;
	struct move_item *items; /* NULL: none runs */
	size_t n_items, n_open;	 /* n_open: not yet finished */
	uint64_t not_before_ms;	 /* after a failure */
};
void reclaim_run(struct spool *sp); /* frees what is dead, starts a round of compaction when it pays */

/* ---- opening, second part (load.c): messages are handed over in slices ---- */

struct load;
struct load *load_new(struct spool *sp); /* its replay is for open.c to fill and survey */
struct replay *load_replay(struct load *load);
/* The body files that are there; those without a message are orphans. */
void load_add_body(struct load *load, uint64_t id);
void load_start(struct spool *sp);
void load_cancel(struct spool *sp); /* ends at the next slice */
void load_free(struct load **load);

/* ---- checkpoints: written in slices (checkpoint.c), read (checkpoint_read.c) ---- */

enum checkpoint_state {
	CHECKPOINT_NONE = 0,
	CHECKPOINT_SLICES,  /* messages are being written, or the next turn is waited for */
	CHECKPOINT_BARRIER, /* all that the slices tell of must be in the log first */
	CHECKPOINT_NAMING,  /* sync, rename, sync of the directory */
};
struct checkpoint {
	enum checkpoint_state state;
	uv_work_t work;
	uv_timer_t timer;
	uint64_t number, previous; /* previous: the last good one, or 0 */
	uint64_t bytes_previous;   /* its size */
	struct format_checkpoint head;
	bool mark;	     /* entry.mark of those that have been written, and of new ones */
	uint64_t n_unmarked; /* live messages to be written */
	uint64_t n_messages, n_slices, bytes, n_synced;
	uint64_t log_bytes_at; /* sp->log_written at the beginning of the last one, or of this one */
	bool is_wanted;	       /* without regard to how much was written */
	struct format_reference *references;
	size_t n_references, cap_references;
	struct buf slice, fields; /* header and payload of the slice; the fields of one message */
	struct format_slice slice_head;
	bool is_end_made, is_last; /* is_last: of this spool, which closes: no other one is begun */
	uint64_t not_before_ms;	   /* after a failure */
	uint64_t n_written;	   /* since opening */
	uint64_t began_ns;	   /* of the slice */
	int fd, error;
};
void checkpoint_init(struct spool *sp);
void checkpoint_deinit(struct spool *sp);
void checkpoint_run(
	struct spool *sp); /* begins one when it is due; once closing, sooner and without pauses */

struct checkpoint_reader {
	int fd;
	struct format_checkpoint head;
	uint64_t at, number, bytes; /* the next slice; size of the file */
	uint64_t n_messages;
	struct format_reference *references;
	size_t n_references;
	struct format_slice slice;
	struct buf payload;
};
/* Numbers of the checkpoints in the directory, newest first; the caller's to mem_free. */
MUST_USE int checkpoint_list(int log_fd, uint64_t **numbers_out, size_t *n_out);
/* Opens it and looks at every byte. -EBADMSG: damaged; -EPROTONOSUPPORT: of a later version. */
MUST_USE int checkpoint_open(struct checkpoint_reader *r, int log_fd, uint64_t number);
/* The next slice, checked; slice.kind says whether it was the last. payload is valid until the next call. */
MUST_USE int checkpoint_next(struct checkpoint_reader *r);
void checkpoint_rewind(struct checkpoint_reader *r);
void checkpoint_close(struct checkpoint_reader *r);

/* ---- the object (spool.c) ---- */

struct spool {
	struct spool_settings set;
	struct spool_hooks hooks;
	void *user;
	uv_loop_t *loop;
	int dir_fd, log_fd, bodies_fd, lock_fd;
	struct commit commit;
	struct list
		staged; /* struct spool_op: goes to the commit thread at the end of this turn of the loop */
	struct list refused; /* struct spool_op: to be finished without having been written */
	struct list watched; /* struct spool_op by .watch */
	size_t n_pending;    /* operations between op_stage and finish */
	bool is_urgent;
	uv_async_t notify;
	uv_check_t after_poll;
	uv_prepare_t before_poll;
	uv_timer_t flush_timer, retry_timer;
	struct list segments; /* in use, oldest first; the last one is being written */
	struct list dead;     /* to be recycled or unlinked, in order */
	uint64_t n_segments, n_abandoned, n_messages, log_bytes, live_bytes;
	uint64_t next_generation, high_water;
	struct keeper keeper;
	struct buf dead_bodies;
	struct move_round move;
	struct load *load; /* NULL: all messages have been handed over */
	bool is_loaded;	   /* false for good when loading failed */
	struct checkpoint checkpoint;
	uint64_t seen_lsn;		     /* every record up to it is in the books */
	uint64_t log_written;		     /* bytes since opening */
	struct list recent;		     /* struct spool_content, oldest first */
	uint64_t memory_used, memory_cached; /* all content in memory; that of entries, which may go */
	size_t n_works;			     /* items on libuv's pool */
	uint64_t next_body;
	uint64_t space_checked_ms;
	bool lacks_space;
	bool is_closing;  /* spool_close was called */
	bool is_stopping; /* nothing is on its way any more: the commit thread ends */
	int n_handles;
	void (*closed)(void *user);
	void *closed_user;
};
void spool_flush(uv_timer_t *timer); /* what is staged goes with the end of this turn of the loop */
/* For open.c: */
void spool_on_notify(uv_async_t *async);
void spool_after_poll(uv_check_t *check);
void spool_before_poll(uv_prepare_t *prepare);
void spool_close_handles(struct spool *sp); /* then frees sp and calls sp->closed */
void spool_free(struct spool *sp);

void spool_report(struct spool *sp, const struct spool_problem *problem);
void spool_step_closing(struct spool *sp);
/* Pool work is counted, so that spool_close waits for it: after calls spool_work_done last. */
void spool_work_start(struct spool *sp, uv_work_t *work, uv_work_cb run, uv_after_work_cb after);
void spool_work_done(struct spool *sp);

/* ---- recovery (replay.c reads the log, recover.c makes messages of it) ---- */

struct replay_segment {
	uint64_t generation, file_bytes;
	struct format_segment header; /* damaged: zeros, but for the nonce, which is taken from a batch */
	bool has_header;
	bool is_short, is_unreadable; /* the file is not as long as it was made; a read of it failed */
	bool is_used;		      /* it has a batch, or had one, as far as can be seen */
	struct format_batch first;    /* when used */
	uint64_t first_at; /* its place: FORMAT_BLOCK unless the first is lost; UINT64_MAX: all are */
	bool is_damaged;
	uint64_t end; /* behind its last valid batch */
	int fd;
	struct spool_segment *place; /* that took fd over; NULL: fd is closed by replay_close */
};
struct replay_record {
	const struct replay_segment *segment;
	uint64_t offset; /* of the record */
	struct format_record head;
	struct slice meta;
};
struct replay {
	/* Set by the caller: */
	void (*on_record)(void *user, const struct replay_record *r);
	void (*on_problem)(void *user, const struct spool_problem *problem);
	void *user;
	uint64_t skip_lsn;	   /* records up to it are not wanted, and mostly not looked at */
	atomic_bool *is_cancelled; /* NULL, or: stop when it becomes true */
	/* Found: */
	struct replay_segment *segments; /* ascending by generation */
	size_t n_segments, cap;
	uint64_t last_lsn, sequence, high_water;
	struct replay_segment *tail;	       /* last used one, or NULL */
	struct replay_segment *last_batch_in;  /* the batch that nothing behind it confirms */
	uint64_t last_batch, last_batch_bytes; /* 0 bytes: there is none */
	bool is_damaged;
	uint64_t bytes_taken; /* of batches whose records were looked at */
	/* Inner: */
	struct replay_segment *in_window;
	struct buf window;
	uint64_t window_at;
};
/* Opens every segment in log_fd with open_flags. -EPROTONOSUPPORT: a later version wrote it. */
MUST_USE int replay_open(struct replay *r, int log_fd, int open_flags);
/* Calls on_record for each valid record in the order of the log, on_problem for each damage. */
void replay_run(struct replay *r);
/* The same for the end of the log alone: finds tail, last batch, last_lsn, sequence and high_water. */
void replay_survey(struct replay *r);
/* After replay_survey: replay_run may follow, and looks at nothing behind the end that was found, where the
 * log goes on meanwhile. */
void replay_rewind(struct replay *r);
void replay_close(struct replay *r); /* closes the descriptors that were not taken over */
/* Writes the last batch over itself and syncs it: what was read may be in memory only. */
MUST_USE int replay_settle(struct replay *r);

/* What the log (from some LSN on) says of one message. Its fields stay on the disk, changes are kept. */
struct recovered {
	struct table_node by_id;
	uint64_t id;
	const struct replay_segment
		*segment; /* of its MESSAGE record; NULL: that is older than what was read */
	uint64_t record_at, lsn;
	uint32_t meta_bytes;
	bool is_removed; /* and it may be in the checkpoint */
	bool is_copy;
	struct buf
		changes; /* every later change, behind its head; older results of a recipient are dropped */
	size_t n_folded; /* bytes of changes when that was last done */
};
struct recovery {
	/* Set by the caller: */
	const struct spool_visitor *visitor; /* its record(); NULL when opening */
	void (*on_problem)(void *user, const struct spool_problem *problem);
	void *user;
	bool has_checkpoint; /* messages that the log does not tell of may be known from there */
	/* Found: */
	struct replay *replay;
	struct table messages;
	struct recovered **sorted; /* in order of their place in the log */
	size_t n_sorted;
};
/* replay has been opened (and surveyed); reads it. */
void recovery_read(struct recovery *rec, struct replay *replay);
void recovery_drop(struct recovery *rec, struct recovered *m); /* it is not needed any more */
struct recovered *recovery_find(const struct recovery *rec, uint64_t id);
void recovery_report(struct recovery *rec, const struct spool_problem *problem);
void recovery_free(struct recovery *rec);

/* One live message with its present state, decoded. */
struct loaded {
	uint64_t id;
	const struct replay_segment *segment;
	uint64_t content_at, record_bytes;
	uint32_t content_crc;
	bool has_body_file;
	struct spool_envelope env;
	struct format_rcpts rcpts;
	struct buf bytes, changes; /* what env and rcpts point to, unless that is a slice of a checkpoint */
	struct spool_problem problem;
	bool is_bad; /* problem says why it cannot be handed over */
};
/* Reads the record of m again, and takes over its changes; is_bad when it is not there any more. */
void loaded_from_log(struct loaded *out, struct recovered *m);
/* From a checkpoint as of an LSN, with the changes behind it (m may be NULL). */
void loaded_from_entry(struct loaded *out, const struct format_entry *e, const struct replay_segment *segment,
	uint64_t lsn, struct recovered *m);
void loaded_free(struct loaded *l);
