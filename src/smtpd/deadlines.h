/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadlines.h - how long each session may stay as it is
 *
 * A few kinds of waiting, each with one time to live: a list per kind is in order of expiry by itself, so
 * that setting a deadline costs the same with ten sessions and with ten thousand. Knows no clock: the caller
 * brings the time. Layer: role (smtpd). Tests: test_deadlines.c.
 */
#pragma once
#include "base/list.h"

enum deadline_kind {
	DEADLINE_NONE = 0, /* waits for another role, which has a deadline of its own */
	DEADLINE_CLIENT,   /* a whole command, or more of the content */
	DEADLINE_RESULT,   /* queue's word about a mail */
	DEADLINE_CLOSE,	   /* the client's last chance to read our last reply */
	DEADLINE_COUNT
};

struct deadline {
	struct list in_kind;
	uint64_t since_ms;
	enum deadline_kind kind;
};
struct deadlines {
	struct list kinds[DEADLINE_COUNT]; /* oldest first */
	uint64_t timeout_ms[DEADLINE_COUNT];
};

void deadlines_init(struct deadlines *d);
void deadline_init(struct deadline *node);
/* Begins to wait now, whatever it was waiting for before; DEADLINE_NONE takes it out. */
void deadline_set(struct deadlines *d, struct deadline *node, enum deadline_kind kind, uint64_t now_ms);
/* One that has expired, taken out; NULL when there is none (any more). Its kind says what it waited for. */
struct deadline *deadlines_next_expired(struct deadlines *d, uint64_t now_ms);
/* When deadlines_next_expired() is worth a call; UINT64_MAX: nobody waits. */
uint64_t deadlines_next_ms(const struct deadlines *d);
