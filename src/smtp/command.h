/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h - MAIL and RCPT as they go on the wire, with the parameters that the server understands
 *
 * Addresses come from another role: what is no address never gets here (command_path_is_safe), so nothing can
 * add a line or a parameter. Layer: role smtp. Tests: test_command.c.
 */
#pragma once
#include "smtp/capabilities.h"
#include "smtp/job.h"

/* An address that may stand between the brackets; the null reverse-path may only with allow_null. */
bool command_path_is_safe(struct slice path, bool allow_null);
bool command_path_is_ascii(struct slice path);

struct command_mail_options {
	uint64_t size; /* octets for SIZE= */
	bool eight_bit, smtputf8;
};
void command_mail(const struct job *job, const struct capabilities *can,
	const struct command_mail_options *options, struct buf *out);
void command_rcpt(const struct job_rcpt *rcpt, const struct capabilities *can, struct buf *out);
