/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submission.h - one mail from a command to the queue: to the daemon, or, when it does not answer, to the
 * drop directory
 *
 * submission_send() returns 0 only when the mail is on stable storage. Both ways carry the same submission
 * id, so that a mail whose answer was lost is not taken twice. Layer: program. Tests: tests/system.
 */
#pragma once
#include "base/buf.h"
#include "config/config.h"

struct submission_recipient {
	struct slice address; /* qualified */
};

struct submission {
	const struct config *config;
	char id[65];	     /* ours, unique */
	struct slice sender; /* qualified; empty: null */
	struct submission_recipient *rcpts;
	size_t n_rcpts, cap;
	unsigned notify;
	unsigned ret, body;
	struct slice envid;
	char **kept;
	size_t n_kept, cap_kept;
	struct slice header, content; /* header with its blank line, then the rest */
};

void submission_init(struct submission *s, const struct config *config);
void submission_free(struct submission *s);
/* A copy that lives as long as s. */
struct slice submission_keep(struct submission *s, struct slice text);
/* Adds a recipient, with @origin when it has no domain. */
void submission_add(struct submission *s, struct slice local, struct slice domain);
/* Returns a sysexits status; errors are told on standard error, each with what to do. */
MUST_USE int submission_send(const struct submission *s);
