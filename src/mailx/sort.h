/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sort.h - the order in which the messages of the open folder are numbered
 *
 * Only of the numbers: the folder itself keeps its order, also when it is written. Layer: mailx. Tests:
 * test_sort.c.
 */
#pragma once
#include "mailx/mailx.h"

/* key: date, from, to, subject, size, status, or arrival (as they stand in the folder). Those that are equal
 * stay as they are; the current message stays the current one. False: there is no such key. */
MUST_USE bool sort_folder(struct mailx *mx, const char *key);
/* "date, from, ..." */
void sort_list_keys(struct buf *out);
