/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userdb.h - who a user is: one look-up by name, in the system's user database (NSS) or a passwd(5)-like file
 *
 * NSS runs foreign code, opens files, may ask the network and may hang: call this only in a process that may
 * do all that and whose hanging holds up nobody else (the users role, a delivery worker before it drops its
 * rights, a program at its start). Only USERDB_UNKNOWN is a definite no; everything doubtful is USERDB_ERROR,
 * so that a broken directory service never bounces mail. Layer: base. Tests: test_userdb.c.
 */
#pragma once
#include "base/slice.h"
#include <sys/types.h>

enum userdb_outcome {
	USERDB_FOUND = 1,
	USERDB_UNKNOWN, /* there is no such name, for certain */
	USERDB_ERROR,	/* the database could not be asked, or its entry is unusable: try again later */
};

struct userdb_user {
	char name[256]; /* as the database writes it */
	uid_t uid;
	gid_t gid;
	char home[PATH_MAX]; /* as written there: may be empty, relative or missing */
	char shell[PATH_MAX];
};

/* users_file NULL or "": NSS. *user_out is written on USERDB_FOUND only. A name that no database can hold
 * (empty, too long, with ':', '/' or a control character) is unknown without asking. */
MUST_USE enum userdb_outcome userdb_find(
	const char *users_file, struct slice name, struct userdb_user *user_out);
/* The same as mail finds a user: the name as it is, then in lower case, since local parts ignore case where
 * the database does not have both. */
MUST_USE enum userdb_outcome userdb_find_recipient(
	const char *users_file, struct slice name, struct userdb_user *user_out);
/* A group of the system by name; for the start of a process. */
MUST_USE enum userdb_outcome userdb_find_group(const char *name, gid_t *gid_out);
/* The user's own group is a private one: named like the user, and nobody else is listed as its member. */
bool userdb_group_is_private(const struct userdb_user *user);
