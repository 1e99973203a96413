/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep.h - the text of a message as it goes to another file: MBOX, `save', `copy', `write'
 *
 * Layer: mailx. Tests: tests/system/test_mail_folder.py.
 */
#pragma once
#include "mailx/mailx.h"

/* In mbox form, with the fields that fields shows (NULL: all) and Status: as it stands now. 0, or negative
 * errno with the reason told. */
MUST_USE int keep_message(struct mailx *mx, size_t index, const struct fields *fields, struct buf *out);
