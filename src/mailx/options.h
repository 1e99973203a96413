/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - the command line of mail(1)
 *
 * Options may stand after addresses (POSIXLY_CORRECT: not); behind -- everything is an address. Layer: mailx.
 * Tests: tests/system/test_mail_send.py.
 */
#pragma once
#include "mailx/strlist.h"

struct options {
	const char *subject;				/* -s; NULL: not given */
	const char *sender;				/* -r */
	const char *text_file;				/* -q */
	const char *type;				/* -M, -m */
	const char *user;				/* -u */
	const char *spec;				/* -L */
	struct strlist copies, blind_copies;		/* -c, -b */
	struct strlist additions;			/* -a: a file or a field */
	struct strlist files;				/* -A, --attach */
	struct strlist fields;				/* --append */
	struct strlist variables;			/* -S */
	struct strlist commands_before, commands_after; /* -X, -Y */
	struct strlist operands;
	bool from_template;	  /* -t */
	bool record_by_name;	  /* -F */
	bool reads_file;	  /* -f */
	bool only_exists;	  /* -e */
	bool only_summary;	  /* -H */
	bool ignores_interrupt;	  /* -i */
	bool without_system_file; /* -n */
	bool has_escapes;	  /* -~, -# */
	bool is_read_only;	  /* -R */
	bool is_interactive;	  /* -I */
	bool is_sending;	  /* some option that makes sense for sending only */
};

enum options_result {
	OPTIONS_GOOD,
	OPTIONS_BAD,  /* told, with the usage */
	OPTIONS_DONE, /* --help, --version: answered */
};
/* Strings belong to argv. */
enum options_result options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);
