/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - what sendmail's modes share: complaints, and the other programs that belong to it
 *
 * Layer: program.
 */
#pragma once
#include "config/config.h"
#include "ipc/client.h"
#include "sendmail/options.h"

/* "sendmail: ..." on standard error, named as it was called, in one line that commands no terminal. */
void program_complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* At the end of a mode that prints: status, or EX_IOERR when standard output could not be written, which is
 * told. */
MUST_USE int program_end_output(int status);
/* The path of another of our programs: beside this one in sandbox mode, else where it was installed. */
MUST_USE bool program_sibling(const char *name, const struct config *config, char *path_out, size_t size);
/* False when the mail system's directories are missing; then it has said what to do. */
MUST_USE bool program_is_set_up(const struct config *config);
/* The login name of the real uid; in sandbox mode, where all users are one, LOGNAME may choose among them. */
const char *program_login(const struct config *config);

/* Of the conversation with the daemon: what each error of client_open() and client_receive() means, and its
 * exit status. */
MUST_USE int program_complain_of_daemon(const struct client *c, int error);

/* help.c, for the name that the program was called by: to standard error; to standard output. */
void help_usage(const char *called_as);
void help_print(const char *called_as);

/* Each mode's run returns a sysexits status and has told errors. */
int send_run(const struct config *config, const struct sendmail_options *o);
int smtp_run(const struct config *config, const struct sendmail_options *o);
enum mailq_form { MAILQ_TABLE, MAILQ_JSON /* Postfix's */, MAILQ_COUNT };
int mailq_run(const struct config *config, enum mailq_form form, const struct sendmail_options *o);
int flush_run(const struct config *config, const struct sendmail_options *o);
/* The choice of -qR and -qS as the queue reads it (mail/queue_filter.h); the caller's to free. */
struct buf choice_filter(const struct sendmail_options *o);
/* verify.c: -bv, -bt */
int verify_run(const struct config *config, const struct sendmail_options *o);
int routes_run(const struct config *config, const struct sendmail_options *o);
int exim_run(const struct config *config, const struct sendmail_options *o);
int settings_run(const struct config *config, const struct sendmail_options *o);
int postqueue_run(const struct config *config, int argc, char **argv);
int postsuper_run(const struct config *config, int argc, char **argv);
/* alias_names.c; the exit statuses are those of Postfix and Sendmail. */
int postalias_run(const struct config *config, int argc, char **argv);
int praliases_run(const struct config *config, int argc, char **argv);
