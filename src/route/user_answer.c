/* SPDX-License-Identifier: Apache-2.0 */
/* user_answer.c - see user_answer.h */
#include "route/user_answer.h"

static enum user_outcome find(const char *users_file, struct slice name, struct userdb_user *found_out)
{
	switch (userdb_find(users_file, name, found_out)) {
	case USERDB_FOUND: return USER_FOUND;
	case USERDB_UNKNOWN: return USER_UNKNOWN;
	case USERDB_ERROR: break;
	}
	return USER_UNAVAILABLE;
}

enum user_outcome user_answer(const char *users_file, struct slice name, struct userdb_user *found_out)
{
	char lower[sizeof(found_out->name)];
	struct slice folded = { lower, name.len };
	enum user_outcome outcome = find(users_file, name, found_out);

	if (outcome != USER_UNKNOWN || name.len > sizeof(lower))
		return outcome;
	for (size_t i = 0; i < name.len; i++)
		lower[i] = ascii_lower(name.at[i]);
	return slice_eq(folded, name) ? outcome : find(users_file, folded, found_out);
}
