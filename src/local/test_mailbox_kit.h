/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_mailbox_kit.h - a scratch mail directory, and system calls that fail on request
 *
 * Layer: tests of local.
 */
#pragma once
#include "local/mailbox.h"
#include "support/test.h"

extern int box_dir; /* the mail directory */
extern bool box_sync_fails, box_truncate_fails;
extern unsigned box_n_syncs;
extern time_t box_lock_age_s; /* how much older a lock file looks than it is: its ctime cannot be set */

/* For cmocka_run_group_tests; the second fails when a test left something. */
int box_make_dir(void **state);
int box_remove_dir(void **state);
void box_put(const char *name, struct slice text);
void box_assert_content(const char *name, struct slice want);
bool box_is_there(const char *name);
/* Its locks can be taken; u.lock is gone afterwards. */
void box_assert_free(const char *name);
