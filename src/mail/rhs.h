/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rhs.h - the right-hand side that aliases, ~/.forward and :include: files share
 *
 * One call of rhs_next() gives one item or one error; a bad item never disables the others. Opens no file,
 * runs nothing, decides no policy (who may use commands and files is route's and local's). Layer: mail.
 * Tests: test_rhs.c, fuzz_rhs.c.
 */
#pragma once
#include "mail/address.h"

enum rhs_kind {
	RHS_ERROR = 0, /* see error; text is the item as written */
	RHS_ADDRESS,   /* text: bare address, address: its parts; unqualified = local */
	RHS_USER,      /* \user: text: that user's own mailbox, neither alias nor .forward */
	RHS_FILE,      /* text: absolute path of a mailbox to append to */
	RHS_DIRECTORY, /* text: absolute path of a Maildir, with its final slash */
	RHS_COMMAND,   /* text: command line without the bar */
	RHS_INCLUDE,   /* text: absolute path of a list file */
	RHS_FAIL,      /* :fail: or error:5xx; text: the reason, may be empty; code: 5xx */
	RHS_DEFER,     /* :defer: or error:4xx; text: the reason, may be empty; code: 4xx */
	RHS_BLACKHOLE, /* :blackhole: or /dev/null */
};
enum rhs_error {
	RHS_OK = 0,
	RHS_BAD_ADDRESS,     /* address_status says why */
	RHS_OPEN_QUOTE,	     /* a quoted string does not end */
	RHS_BAD_USER,	     /* "\" without a plain user name */
	RHS_EMPTY_COMMAND,   /* "|" alone */
	RHS_BAD_PATH,	     /* :include: without an absolute path */
	RHS_UNKNOWN_SPECIAL, /* ":word:" that is none of the above */
	RHS_BAD_CODE,	     /* error: without a code of 400..599 */
	RHS_CONTROL,	     /* a control character */
	RHS_NOT_KNOWN, /* :unknown:, which makes the entry of an alias that has nothing else count as none */
	RHS_ERROR_COUNT
};
const char *rhs_error_text(enum rhs_error error);

struct rhs_item {
	enum rhs_kind kind;
	enum rhs_error error;
	enum address_status address_status; /* for RHS_BAD_ADDRESS */
	struct slice text;		    /* valid until the next rhs_next() on this iterator */
	struct address address;		    /* for RHS_ADDRESS */
	int code;			    /* for RHS_FAIL and RHS_DEFER */
	size_t offset;			    /* of the item in the text; its line is rhs_line() */
};

enum rhs_flags {
	RHS_HASH_COMMENTS = 1, /* ~/.forward: '#' at the start, after a comma or after white space */
};
struct rhs {
	struct slice text; /* line ends inside are white space */
	size_t at;
	unsigned flags;
	bool has_open_quote; /* a quoted string does not end */
	struct buf scratch;  /* an item that had to be unquoted */
};
void rhs_init(struct rhs *r, struct slice text, unsigned flags); /* text stays the caller's */
void rhs_deinit(struct rhs *r);
bool rhs_next(struct rhs *r, struct rhs_item *item_out); /* false at the end */
/* Line of an offset, counted from first_line (the entry's own). */
size_t rhs_line(const struct rhs *r, size_t offset, size_t first_line);
