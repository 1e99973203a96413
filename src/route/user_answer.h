/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user_answer.h - what the users role says to a name: one look-up, as mail writes names
 *
 * Calls the user database, so only the users role may call it. Layer: role (users). Tests: test_users.c.
 */
#pragma once
#include "base/userdb.h"
#include "ipc/message.h"

/* See userdb_find_recipient(). *found_out is written on USER_FOUND only. */
MUST_USE enum user_outcome user_answer(
	const char *users_file, struct slice name, struct userdb_user *found_out);
