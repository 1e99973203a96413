/* SPDX-License-Identifier: Apache-2.0 */
/*
 * editor.h - lets the user's editor change a text
 *
 * Layer: mailx. Tests: tests/system/test_mail_compose.py.
 */
#pragma once
#include "mailx/mailx.h"

enum editor_kind {
	EDITOR_LINE,   /* ~e, `edit': EDITOR, else ed */
	EDITOR_SCREEN, /* ~v, `visual': VISUAL, else vi */
};

/* *text becomes what the editor left. False, told, and *text unchanged when the editor could not be run or
 * failed. */
MUST_USE bool editor_change(struct mailx *mx, enum editor_kind kind, struct buf *text);
