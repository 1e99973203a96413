/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_printer.h - asks the daemon for a listing and hands its parts to whoever prints them, as they come
 *
 * Layer: program. Tests: tests/system/test_queue_commands.py.
 */
#pragma once
#include "control/queue_command.h"
#include "mail/json.h"

#define PRINTER_LINE (1024 * 1024) /* of JSON */

struct printer {
	struct queue_command *q;
	enum queue_view view;
	enum queue_by by;    /* of groups */
	struct slice filter; /* mail/queue_filter.h */
	void (*mail)(struct printer *p, const struct msg_QUEUE_MAIL *m);
	void (*envelope)(struct printer *p, const struct msg_QUEUE_ENVELOPE *e); /* may be NULL */
	void (*rcpt)(struct printer *p, const struct msg_QUEUE_RCPT *r);
	void (*mail_end)(struct printer *p); /* may be NULL */
	void (*group)(struct printer *p, const struct msg_QUEUE_GROUP *g);
	size_t n;
	struct buf line;
	struct json json;
	uint64_t id, expires_s;
	uint8_t state;
};

/* One request, answered by p's functions; id 0: all that the filters let through. EX_OK, or the exit status.
 */
int printer_ask(struct printer *p, uint64_t id);
/* All that the command line asks for; 1: some of several. */
int printer_run(struct printer *p);
void printer_write_line(struct printer *p); /* the line, to standard output */
