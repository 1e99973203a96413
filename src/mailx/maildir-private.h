/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maildir-private.h - what maildir.c and maildir_write.c share
 *
 * Layer: mailx. Tests: test_maildir.c.
 */
#pragma once
#include "mailx/maildir.h"

/* Another reader renamed the message's file: f->files gets its present name. False when it is gone. */
bool maildir_find_again(struct folder *f, size_t index);
