/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leave.h - opening folders, and what leaving one does to its messages (`quit', `file')
 *
 * Layer: mailx. Tests: tests/system/test_mail_folder.py.
 */
#pragma once
#include "mailx/mailx.h"

/* Deleted messages go, saved ones too (unless keepsave), those that were read go to MBOX unless they are
 * held; new ones become old. False, with the reason told: the folder is as it was and stays open. */
MUST_USE bool leave_with_changes(struct mailx *mx);
void leave_unchanged(struct mailx *mx);

enum leave_open {
	LEAVE_OPENED,
	LEAVE_NO_MAIL, /* a system mailbox with nothing in it, or none; told. With `emptystart' it is open all
			  the same */
	LEAVE_FAILED,  /* told */
};
/* Opens the folder that a person calls `written' ("%" for the system mailbox); none is open. The first new
 * message, else the first unread one, else the first becomes the current one. */
MUST_USE enum leave_open leave_open_folder(struct mailx *mx, const char *written);
/* Takes in what arrived since and tells; true when there was something. */
bool leave_take_new_mail(struct mailx *mx);
