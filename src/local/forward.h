/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward.h - a user's ~/.forward: may it be used, and where does it send the mail?
 *
 * Runs as the user, so that it can show nothing the user could not read. A file that others may have written
 * is ignored, with a line in the log, and the mail goes to the mailbox; a file that cannot be read now defers
 * the mail, because what its owner wanted is not known. Never runs a command, never opens what the file
 * names. Layer: local. Tests: test_forward.c.
 */
#pragma once
#include "base/arena.h"
#include "config/config.h"
#include "ipc/message.h"
#include "mail/rhs.h"
#include <sys/types.h>

/* Of a dry run: hears what is found and decided, in the log's place. line 0: of the whole file. */
struct forward_listener {
	void (*hear)(void *user, const char *path, size_t line, const char *words);
	void *user;
};

struct forward_user {
	struct slice name;
	const char *home;
	uid_t uid;
	gid_t private_gid; /* a group of this user alone, which may write too; (gid_t)-1: none */
	uint64_t told;	   /* the file whose faults are in the log already */
	const struct forward_listener *listener; /* NULL: it is no dry run */
};

enum forward_outcome {
	FORWARD_NONE = 1, /* to the mailbox */
	FORWARD_LEAVES,	  /* the mail goes to these instead */
	FORWARD_DEFER,	  /* reason says why */
};

struct forward_leaf {
	enum leaf_kind kind;
	unsigned flags;	      /* enum rcpt_flags */
	struct slice address; /* empty for a command, file or list: its recipient stays the user's address */
	struct slice origin;  /* of a command, file or list; empty for an address */
	struct slice text;    /* of the same: the command or path */
	enum rhs_kind item;   /* of the same */
	const char *file;     /* where it is written; NULL: in no file */
	size_t line;
};
struct forward {
	struct forward_leaf *leaves;
	size_t n_leaves;
	struct arena strings;
	char *path; /* of the file that was read; NULL: of a list, or none was */
	char reason[256];
};

/* extension: of user+extension; ~/.forward+extension comes before ~/.forward. May be empty. */
enum forward_outcome forward_read(
	const struct config *c, struct forward_user *u, struct slice extension, struct forward *out);
/* The leaf with that origin, or NULL: it was taken out meanwhile. */
const struct forward_leaf *forward_find(const struct forward *f, struct slice origin);
/* As it stands in the file's name: what could lead to another directory is '_'. out has room for its length
 * and a NUL. */
void forward_name_extension(struct slice extension, char *out);
/* What stands behind the delimiter of the address's local part; empty: nothing. Looks into address. */
struct slice forward_extension(const struct config *c, struct slice address);
void forward_free(struct forward *f);
/* To listener, if there is one; false: there is none. */
bool forward_tell(const struct forward_listener *listener, const char *path, size_t line, const char *fmt,
	...) PRINTF_LIKE(4, 5);
