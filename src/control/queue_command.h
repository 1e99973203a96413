/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_command.h - postrider queue: the words behind it, and what its verbs share
 *
 * Layer: program. Tests: tests/system/test_queue_commands.py, test_why.c.
 */
#pragma once
#include "config/paths.h"
#include "control/daemon.h"

struct queue_command {
	const struct paths *paths;
	const char *verb;
	char **ids;
	int n_ids;
	bool ids_from_input; /* "-" */
	bool all, yes, json;
	struct buf filter;		  /* mail/queue_filter.h */
	enum queue_by by;		  /* 0: not grouped */
	const char *to_host, *to_address; /* of move */
	struct client client;		  /* connected */
};

/* Names no mail by its id. */
static inline bool queue_command_is_open(const struct queue_command *q)
{
	return q->n_ids == 0 && !q->ids_from_input;
}
/* The next id of the command line or of standard input; false at the end. *status_out becomes EX_DATAERR when
 * a word is none, which is told. */
bool queue_command_next_id(struct queue_command *q, uint64_t *id_out, int *status_out);
/* As date_append_duration(). In one of two static buffers. */
const char *age_text(uint64_t seconds);
const char *time_text(uint64_t s); /* in one of four static buffers */
const char *mail_state_text(uint8_t state);
const char *rcpt_state_text(uint8_t state);

int queue_list(struct queue_command *q);
int queue_show(struct queue_command *q);
int queue_why(struct queue_command *q);
int queue_cat(struct queue_command *q);
int queue_act(struct queue_command *q);
/* The number of messages that the filters let through. EX_OK, or the exit status. */
int queue_count(struct queue_command *q, uint64_t *n_out);
