/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary.h - the row of a message in the summary, and the line about the folder
 *
 *   >N  1 user1@centos7-1.loca  Wed Feb 19 05:10  19/683   "test lpic1"
 *
 * The layout is that of Heirloom mailx with bsdcompat; widths are columns of the terminal. Layer: mailx.
 * Tests: test_summary.c, tests/system/test_mail_read.py.
 */
#pragma once
#include "mailx/mailx.h"

void summary_row(struct mailx *mx, size_t index, struct buf *out);
/* "path": 3 messages 1 new 2 unread */
void summary_folder(struct mailx *mx, struct buf *out);
/* Rows of one page. */
size_t summary_page_size(struct mailx *mx);
