/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alias_walk.h - where an address of this host leads, step by step, for people and for checks
 *
 * The same rules as routing (route/expand.c), told as a tree with the place of each step: duplicates, loops
 * and unusable items are steps too. Delivers nothing, asks no user database, reads no ~/.forward. Layer:
 * table. Tests: test_alias_walk.c; fuzz/fuzz_expand.c compares it with routing.
 */
#pragma once
#include "config/config.h"
#include "mail/rhs.h"
#include "table/alias_files.h"

enum alias_step_kind {
	ALIAS_STEP_ALIAS = 1, /* what it stands for follows, one deeper */
	ALIAS_STEP_USER,      /* a user of this host, unless there is none of that name */
	ALIAS_STEP_MAILBOX,   /* that user's own mailbox, without .forward */
	ALIAS_STEP_REMOTE,
	ALIAS_STEP_FILE,
	ALIAS_STEP_DIRECTORY,
	ALIAS_STEP_COMMAND,
	ALIAS_STEP_LIST, /* with reads_lists its members follow, one deeper; why: it cannot be used */
	ALIAS_STEP_FAIL,
	ALIAS_STEP_DEFER,
	ALIAS_STEP_DISCARD,
	ALIAS_STEP_LOOP,    /* leads back to an alias above: the mail is returned */
	ALIAS_STEP_DEEP,    /* too many aliases one below the other: the mail is returned */
	ALIAS_STEP_ERROR,   /* an item that is left out; why */
	ALIAS_STEP_NOTHING, /* behind the items of an alias: none is usable, so the mail waits */
	ALIAS_STEP_BROKEN,  /* no table can be asked: the mail waits */
	ALIAS_STEP_COUNT
};
struct alias_step {
	enum alias_step_kind kind;
	unsigned depth;	   /* 0: the address that was asked for */
	struct slice text; /* of the item, as rhs.h has it */
	struct slice name; /* of an alias its key, of a user the name, of the others address, path, command,
			      reason */
	const char *
		file; /* where text stands; NULL: it was asked for, or stands for a name that always exists */
	size_t line;
	const char *alias_file; /* of an alias: where its entry is; NULL: a name that always exists */
	size_t alias_line;
	struct slice owner; /* of an alias: owner-NAME, when there is such an alias; else empty */
	bool is_duplicate;  /* was there already: it gets one copy */
	bool is_own;	    /* a user: the alias above names itself */
	int code;	    /* of ALIAS_STEP_FAIL and ALIAS_STEP_DEFER */
	const char *why;    /* of ALIAS_STEP_ERROR and ALIAS_STEP_LIST; else NULL */
};
/* The step is gone when it returns. False: no more of them. */
typedef bool (*alias_visit)(const struct alias_step *step, void *user);

struct alias_walk_request {
	const struct config *config; /* domains and delimiter */
	struct alias_files *files;
	bool reads_lists; /* opens :include: files, as whoever runs this */
	alias_visit visit;
	void *user;
};
/* address: as in a mail, with or without domain. False: it is none; nothing was visited then. */
MUST_USE bool alias_walk(const struct alias_walk_request *request, struct slice address);
