/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - reading mail: banner, summary, prompt, commands until the end
 *
 * Layer: mailx. Tests: tests/system/test_mail_read.py.
 */
#pragma once
#include "mailx/mailx.h"

/* Opens the folder ("%": the system mailbox) and serves the user. Returns the exit status. */
int session_run(struct mailx *mx, const char *folder);
/* -H: the summary of all messages (or those of spec); changes nothing. Exit status. */
int session_summary(struct mailx *mx, const char *folder, const char *spec);
/* -e: 0 when there is mail, silently. Exit status. */
int session_exists(struct mailx *mx, const char *folder, const char *spec);
