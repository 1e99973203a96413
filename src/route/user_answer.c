/* SPDX-License-Identifier: Apache-2.0 */
/* user_answer.c - see user_answer.h */
#include "route/user_answer.h"

enum user_outcome user_answer(const char *users_file, struct slice name, struct userdb_user *found_out)
{
	switch (userdb_find_recipient(users_file, name, found_out)) {
	case USERDB_FOUND: return USER_FOUND;
	case USERDB_UNKNOWN: return USER_UNKNOWN;
	case USERDB_ERROR: break;
	}
	return USER_UNAVAILABLE;
}
