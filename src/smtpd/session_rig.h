/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_rig.h - for tests and the fuzzer: a session without sockets, with a lookup and a queue that do as
 * told
 *
 * What goes to queue is kept as text, one message a line. Never part of the daemon. Layer: tests of smtpd.
 */
#pragma once
#include "smtpd/session.h"

struct rig {
	struct session_world world;
	struct session session;
	struct config *config;
	struct buf to_queue; /* "BEGIN <from> ...\n", "RCPT <to> ...\n", "CONTENT n\n", "END\n", "ABORT\n" */
	struct buf content;  /* of all CONTENT messages of the last mail */
	struct buf said;     /* replies that rig_replies() took */
	struct session_rcpt *asked[SESSION_OVERLAP_MAX + 1];
	size_t n_asked;
	uint64_t next_id; /* 0: none */
	uint64_t number;  /* of the last mail */
	size_t n_news;
	bool has_lookup, has_queue, is_full;
	bool is_manual; /* verdicts and results are the test's to give; else everyone says 250 */
	bool is_open;	/* the session has not been deinitialised */
};

/* config_text: lines of postrider.conf; client: "192.0.2.1". Greeted already; the greeting is taken. */
void rig_open(struct rig *rig, const char *config_text, const char *client);
void rig_close(struct rig *rig);
/* Bytes of the client; then, unless is_manual, all that is asked for is granted. */
void rig_send(struct rig *rig, struct slice bytes);
/* All that was said since the last call; valid until the next. */
struct slice rig_replies(struct rig *rig);
void rig_verdict(struct rig *rig, size_t index, unsigned code, const char *status, const char *text);
void rig_result(struct rig *rig, unsigned code, const char *status, const char *text);
