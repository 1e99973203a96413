/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_json.h - a queued mail as JSON: one object in one line, as Postfix's postqueue -j has it, and some
 * more
 *
 * Begin, each recipient, end: a mail with many recipients is never in memory as a whole, whoever prints may
 * empty the buffer between the calls. Layer: mail. Tests: tests/system/test_queue_commands.py.
 */
#pragma once
#include "mail/json.h"

struct queue_json_mail {
	uint64_t id, size, arrival_s, expires_s; /* expires_s 0: not known */
	char state;				 /* as in mailq: ' ', '*', '!' */
	bool is_expiring;
	struct slice sender; /* empty: MAILER-DAEMON */
};
struct queue_json_rcpt {
	struct slice address, original, status, reason;
	const char *state; /* in a word; NULL: not told */
	uint32_t attempts;
	uint64_t next_attempt_s, last_attempt_s;
	struct slice remote, next_hop;
};

void queue_json_begin(struct json *j, const struct queue_json_mail *m);
void queue_json_rcpt(struct json *j, const struct queue_json_rcpt *r);
void queue_json_end(struct json *j); /* with the line end */
