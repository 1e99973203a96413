/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.h - what happened to each message, kept for some time after it is gone, in two bounded files
 *
 * SPOOL/history/new is appended to; when it is half of what the setting allows it becomes SPOOL/history/old,
 * whose former self goes. Nothing is synced: after a power cut the newest lines may be missing or be rubbish,
 * which readers pass over. No promise about mail hangs on it. A line is
 *
 *	microseconds TAB queue id TAB event { TAB name=value } LF
 *
 * with bytes below blank, DEL and backslash in values as \xNN. Layer: spool. Tests: test_history.c,
 * fuzz/fuzz_history.c.
 */
#pragma once
#include "base/buf.h"

#define HISTORY_LINE 8192 /* longer ones are not written, and not read */

/* ---- lines ---- */

struct history_event {
	uint64_t time_us, id;
	struct slice name;
	struct slice fields; /* for history_field_next */
};
MUST_USE bool history_parse(struct slice line, struct history_event *out);
/* value_out is as written; history_unescape() makes it text. */
bool history_field_next(struct slice *fields, struct slice *name_out, struct slice *value_out);
void history_unescape(struct slice value, struct buf *out);

void history_begin(struct buf *out, uint64_t time_us, uint64_t id, const char *event);
void history_text(struct buf *out, const char *name, struct slice value); /* nothing when value is empty */
/* A Message-ID without its angle brackets, as it is kept and found. */
struct slice history_bare_id(struct slice message_id);
void history_number(struct buf *out, const char *name, uint64_t value);
void history_end(struct buf *out);

/* ---- files: one writer at a time, on whatever thread ---- */

struct history;
/* Makes the directory when it is missing. 0 or negative errno. */
MUST_USE int history_open(const char *spool_dir, uint64_t max_bytes, struct history **out);
/* Whole lines. 0 or negative errno; the lines are lost then. */
MUST_USE int history_write(struct history *h, struct slice lines);
void history_close(struct history **h);

/* Every line about what: a queue id, or an address or Message-ID (in angle brackets or without) that stands
 * in some line of a mail, of which the last HISTORY_MAILS are told. Oldest first. visit says false to end it.
 * 0 or negative errno; -ENOENT when there is no history. */
#define HISTORY_MAILS 100
typedef bool (*history_visit)(void *user, struct slice line);
MUST_USE int history_find(const char *spool_dir, struct slice what, history_visit visit, void *user);
