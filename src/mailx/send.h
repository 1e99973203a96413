/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send.h - hands a finished draft to the transport: `sendmail -i [-f sender] -- address ...'
 *
 * No address ever stands where an option could; nothing is sent unless all attachments can be read. Layer:
 * mailx. Tests: tests/system/test_mail_send.py.
 */
#pragma once
#include "mailx/draft.h"

/* 0: sent (or, with the variable `debug', shown). Else an exit status, with the reason told and the text
 * saved in dead.letter. Takes signature, autocc, record from the variables. */
MUST_USE int send_draft(struct mailx *mx, struct draft *d);
/* A message as it is to the addressees (resend); 0 or an exit status. */
MUST_USE int send_bytes(struct mailx *mx, const struct draft *d, struct slice message);
/* False, and told, when some attachment cannot be read: nothing may be asked of the user then. */
MUST_USE bool send_check_attachments(struct mailx *mx, const struct draft *d);
