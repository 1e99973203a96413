/* SPDX-License-Identifier: Apache-2.0 */
/*
 * date.h - dates, in local time, and durations as text, always English
 *
 * The caller brings the time (mail/ has no clock) and has called tzset() before its jail. Layer: mail.
 * Tests: test_date.c.
 */
#pragma once
#include "base/buf.h"

void date_append_rfc5322(struct buf *out, int64_t time_s);    /* Wed, 19 Feb 2020 05:10:35 -0500 (EST) */
void date_append_from_line(struct buf *out, int64_t time_s);  /* Wed Feb 19 05:10:35 2020 */
void date_append_duration(struct buf *out, uint64_t seconds); /* 5 days, 36 hours, 90 minutes, 1 second */
void date_append_mailq(struct buf *out, int64_t time_s);      /* Wed Feb 19 06:39:07 */
