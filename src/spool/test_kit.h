/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_kit.h - a small queue for the spool's tests: remembers what it was promised, and checks it after
 * reopening
 *
 * Content is made from id and length, so a message read back needs nothing else to be judged. Every kit has
 * its own directory below the current one, removed by kit_deinit. The system calls that change files go
 * through the shim (support/shim.h). Layer: tests of spool.
 */
#pragma once
#include "spool/spool-private.h"
#include "support/shim.h"
#include "support/test.h"

#define KIT_MESSAGES 512
#define KIT_SEGMENT (UINT64_C(64) * 1024)

struct kit_message {
	struct spool_entry entry;
	struct kit *kit;
	uint64_t id, bytes;
	bool is_live;	  /* commit was reported, or recovered */
	bool is_promised; /* acknowledged and not removed: must be there after a crash */
	bool is_removing; /* removal was asked for: may be there or not */
	int result;	  /* of the last operation; KIT_WAITING before it is reported */
	uint32_t flags, flags_wanted;
	struct spool_recipient *rcpts;
	size_t n_rcpts;
	unsigned *states; /* promised state of each recipient */
};
#define KIT_WAITING 1

struct kit {
	char dir[64];
	uv_loop_t loop;
	struct spool *sp;
	struct spool_settings set;
	struct kit_message messages[KIT_MESSAGES]; /* by id, which is below KIT_MESSAGES */
	size_t n_recovered;
	unsigned problems[16]; /* by kind */
	struct spool_problem last_problem;
	bool is_closed, is_loaded;
	int load_result;
	size_t n_events_at_recovery; /* of the shim, when the first message was handed over */
};

void kit_init(struct kit *k); /* makes the directory; settings for small segments */
void kit_deinit(struct kit *k);
int kit_try_open(struct kit *k);
void kit_open(struct kit *k); /* and waits until all is handed over */
void kit_load(struct kit *k);
void kit_close(struct kit *k);
void kit_close_without_checkpoint(struct kit *k);
void kit_begin_checkpoint(struct kit *k);
void kit_checkpoint(struct kit *k); /* and waits until it is there, or has failed */
void kit_reopen(struct kit *k);
/* Forgets everything it knows of messages, but what was promised. */
void kit_forget(struct kit *k);
void kit_run(struct kit *k);	  /* until nothing is on its way */
void kit_run_idle(struct kit *k); /* a few ms of a loop that has nothing to do: retries happen */

void kit_fill(uint64_t id, uint64_t offset, size_t n, char *to);
struct spool_recipient kit_recipient(const char *address);
/* Starts a commit; kit_run finishes it. A negative errno when it could not even start. */
int kit_begin(struct kit *k, uint64_t id, uint64_t bytes, size_t n_rcpts);
void kit_commit(struct kit *k, uint64_t id, uint64_t bytes, size_t n_rcpts); /* and runs, asserting success */
void kit_result(struct kit *k, uint64_t id, uint32_t rcpt_no, enum spool_rcpt_state state, bool waits);
void kit_expand(struct kit *k, uint64_t id, uint32_t rcpt_no, size_t n_new);
void kit_set_flags(struct kit *k, uint64_t id, uint32_t flags);
void kit_remove(struct kit *k, uint64_t id);
/* Content as it must be, states as promised, nothing lost, nothing foreign. */
void kit_check(struct kit *k);
void kit_check_content(struct kit *k, uint64_t id);
unsigned kit_n_problems(const struct kit *k); /* of all kinds but a torn end and orphans */

void kit_copy_file(const char *from, const char *to);
void kit_remove_tree(const char *path);
size_t kit_count_files(struct kit *k, const char *sub);
/* The only, or the newest, segment in use: path to out. */
void kit_tail_path(struct kit *k, char *out, size_t size);
