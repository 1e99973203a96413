/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - the command line of sendmail: the flags of Sendmail 8, Postfix, Exim and qmail's wrapper
 *
 * Parsing only; what is accepted and without effect says so in the table. Layer: program. Tests:
 * test_options.c.
 */
#pragma once
#include "base/slice.h"

enum sendmail_mode {
	MODE_SEND,	 /* -bm */
	MODE_SMTP,	 /* -bs */
	MODE_LIST,	 /* -bp, mailq */
	MODE_ALIASES,	 /* -bi, -I, newaliases */
	MODE_FLUSH,	 /* -q... */
	MODE_DAEMON,	 /* -bd: the daemon in the background */
	MODE_FOREGROUND, /* -bD */
	MODE_VERSION,	 /* -bV */
};

enum flush_kind { FLUSH_ALL, FLUSH_ID, FLUSH_DOMAIN, FLUSH_SENDER };

struct sendmail_options {
	enum sendmail_mode mode;
	bool from_header; /* -t */
	bool ignore_dots; /* -i, -oi */
	bool is_verbose;  /* -v */
	bool has_sender;  /* -f, -r */
	const char *sender;
	const char *full_name;	 /* -F; NULL: not given */
	const char *notify;	 /* -N */
	const char *ret;	 /* -R */
	const char *envid;	 /* -V */
	const char *body;	 /* -B */
	const char *alias_file;	 /* -oA */
	const char *config_file; /* -C */
	enum flush_kind flush;
	const char *flush_what;
	char **addresses; /* the rest of argv */
	int n_addresses;
	bool after_dashes; /* "--" came before them: they may begin with '-' */
};

/* name: how the program was called (mailq and newaliases choose the mode). False: *complaint_out says what is
 * wrong. */
MUST_USE bool options_parse(
	const char *name, int argc, char **argv, struct sendmail_options *out, char complaint_out[256]);
