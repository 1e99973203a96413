/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rcpt_check.h - may this recipient come in? The verdict that smtpd answers RCPT with; pure
 *
 * Every refusal is one row of one table. A doubtful answer of the user database is 451, never 550. Layer:
 * role (lookup). Tests: test_rcpt_check.c.
 */
#pragma once
#include "ipc/message.h"
#include "route/rules.h"

enum rcpt_step {
	RCPT_STEP_VERDICT = 1, /* code, status and text are set */
	RCPT_STEP_ASK_USER,    /* user is to be asked for; then rcpt_check_answer() */
};
struct rcpt_check {
	uint16_t code;
	char status[16];
	char text[LIMIT_REPLY_LINE];
	char user[LIMIT_LOCAL_PART + 1];
	char path[LIMIT_REPLY_LINE / 2]; /* the recipient, for the text; cut when longer */
};
/* may_relay: the client may send to other hosts through this one. */
MUST_USE enum rcpt_step rcpt_check_start(
	struct rcpt_check *check, const struct route_rules *rules, struct slice forward_path, bool may_relay);
void rcpt_check_answer(struct rcpt_check *check, enum user_outcome outcome);
