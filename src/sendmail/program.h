/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - what sendmail's modes share: complaints, and the other programs that belong to it
 *
 * Layer: program.
 */
#pragma once
#include "config/config.h"
#include "sendmail/options.h"

/* "sendmail: ..." on standard error, named as it was called, in one line that commands no terminal. */
void program_complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The path of another of our programs: beside this one in sandbox mode, else where it was installed. */
MUST_USE bool program_sibling(const char *name, const struct config *config, char *path_out, size_t size);
/* False when the mail system's directories are missing; then it has said what to do. */
MUST_USE bool program_is_set_up(const struct config *config);
/* The login name of the real uid; in sandbox mode, where all users are one, LOGNAME may choose among them. */
const char *program_login(const struct config *config);

int send_run(const struct config *config, const struct sendmail_options *o);
int smtp_run(const struct config *config);
/* The queue in the standard layout, or as Postfix's JSON. */
int mailq_run(const struct config *config, bool as_json);
int flush_run(const struct config *config, const struct sendmail_options *o);
int postqueue_run(const struct config *config, int argc, char **argv);
int postsuper_run(const struct config *config, int argc, char **argv);
