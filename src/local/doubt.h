/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doubt.h - deliveries that were given up with an unknown outcome: their next attempt looks at the mailbox
 * first
 *
 * Bounded: the oldest is forgotten, which can cost a duplicate, never a loss. Layer: local. Tests:
 * test_doubt.c.
 */
#pragma once
#include "base/slice.h"

#define DOUBT_MAX 10000

void doubt_init(void);
void doubt_add(uint64_t queue_id, struct slice user);
/* Whether it is doubtful; it is forgotten here. */
bool doubt_take(uint64_t queue_id, struct slice user);
