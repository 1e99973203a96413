/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aliases_text.h - the entries of an aliases file, one by one
 *
 * A bad line is one error, then reading goes on; duplicates are the caller's to find. The right-hand side is
 * given as text for rhs.h. Fast enough for millions of entries: copies only what it must. Layer: mail.
 * Tests: test_aliases_text.c, fuzz_aliases.c.
 */
#pragma once
#include "base/buf.h"

enum aliases_error {
	ALIASES_OK = 0,
	ALIASES_NO_COLON,     /* a line that is no entry */
	ALIASES_BAD_KEY,      /* empty, or blanks, '#', '@' or '"' outside quotes, or an open quote */
	ALIASES_KEY_DOMAIN,   /* name@domain: keys have no domain */
	ALIASES_NO_VALUE,     /* nothing behind the colon */
	ALIASES_NUL,	      /* a NUL in the entry */
	ALIASES_TOO_LONG,     /* above LIMIT_ALIAS_LINE with continuations */
	ALIASES_CONTINUATION, /* a line that begins with white space and continues nothing */
	ALIASES_ERROR_COUNT
};
const char *aliases_error_text(enum aliases_error error);

struct aliases_entry {
	enum aliases_error error; /* not ALIASES_OK: only line and key (as far as known) are set */
	struct slice key;	  /* unquoted, lower case */
	struct slice rhs; /* without comment lines and CR; LF where lines ended, so that rhs_line() counts */
	size_t line;	  /* 1 is the first */
};
/* key and rhs are valid until the next call; text stays the caller's. */
struct aliases_text {
	struct slice rest;
	size_t line; /* of the start of rest */
	struct buf key, joined;
};
void aliases_text_init(struct aliases_text *t, struct slice text);
void aliases_text_deinit(struct aliases_text *t);
bool aliases_text_next(struct aliases_text *t, struct aliases_entry *entry_out); /* false at the end */
/* A key as aliases_text gives it, for look-ups: lower case (ASCII). */
void aliases_key_append(struct slice key, struct buf *out);
