/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadletter.h - where a text goes that could not be sent or was given up: DEAD, by default ~/dead.letter
 *
 * Replaced whole, readable by its owner alone, in a form that `mail -t < ~/dead.letter' takes again. Layer:
 * mailx. Tests: tests/system/test_mail_send.py.
 */
#pragma once
#include "mailx/draft.h"

/* note: a line at the end that says why; NULL: none. Told either way; nothing is done while `save' is unset.
 */
void deadletter_save(struct mailx *mx, const struct draft *d, const char *note);
