/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - the command line of sendmail: the flags of Sendmail 8, Postfix, Exim and qmail's wrapper
 *
 * Parsing only: nothing is looked up, nobody's rights are checked. What is accepted and without effect says
 * so in the table of flags. Layer: program. Tests: test_options.c, fuzz/fuzz_sendmail.c.
 */
#pragma once
#include "base/slice.h"

enum sendmail_mode {
	MODE_SEND,	 /* -bm */
	MODE_SMTP,	 /* -bs */
	MODE_BATCH,	 /* -bS: SMTP without replies */
	MODE_LIST,	 /* -bp, mailq */
	MODE_COUNT,	 /* -bpc */
	MODE_SETTINGS,	 /* -bP */
	MODE_ALIASES,	 /* -bi, -I, newaliases */
	MODE_FLUSH,	 /* -q... */
	MODE_VERIFY,	 /* -bv: are they deliverable? */
	MODE_ROUTES,	 /* -bt: where mail would go, and why */
	MODE_NOTHING,	 /* -bh, -bH: a store of host states that is not there */
	MODE_EXIM,	 /* -M... with queue ids */
	MODE_DAEMON,	 /* -bd: the daemon in the background */
	MODE_FOREGROUND, /* -bD */
	MODE_VERSION,	 /* -bV, -d0.1, -V alone, --version */
	MODE_HELP,	 /* --help */
};

/* Which of the queued mail -q and -bp mean. */
enum mail_choice { CHOICE_ALL, CHOICE_ID, CHOICE_DOMAIN, CHOICE_SENDER };

/* When the delivery begins: -od, -O DeliveryMode. */
enum delivery_mode {
	DELIVERY_BACKGROUND, /* at once, and nobody waits for it */
	DELIVERY_AWAITED,    /* sendmail ends after the first attempt */
	DELIVERY_QUEUED,     /* with the next run of the queue */
};

/* Exim's -M: what is to be done with the messages that are named. */
enum exim_verb {
	EXIM_DELIVER, /* -M */
	EXIM_FREEZE,  /* -Mf */
	EXIM_THAW,    /* -Mt */
	EXIM_REMOVE,  /* -Mrm */
	EXIM_GIVE_UP, /* -Mg */
	/* From here on one message is shown. */
	EXIM_HEADER, /* -Mvh */
	EXIM_BODY,   /* -Mvb */
	EXIM_LOG,    /* -Mvl */
};

/* Where the message came from, in the words of a program that hands it on; NULL: not given. */
struct client_words {
	const char *protocol;  /* -oMr, -p */
	const char *address;   /* -oMa */
	const char *name;      /* -oMs, -p */
	const char *interface; /* -oMi */
};

struct sendmail_options {
	enum sendmail_mode mode;
	bool from_header; /* -t */
	bool ignore_dots; /* -i, -oi */
	bool is_verbose;  /* -v */
	bool is_quiet;	  /* -oeq: errors are told by the exit status alone */
	bool has_sender;  /* -f, -r */
	const char *sender;
	const char *full_name;	 /* -F; NULL: not given */
	const char *notify;	 /* -N */
	const char *ret;	 /* -R */
	const char *envid;	 /* -V */
	const char *body;	 /* -B */
	const char *alias_file;	 /* -oA */
	const char *config_file; /* -C */
	const char *log_tag;	 /* -L */
	struct client_words client;
	enum delivery_mode delivery;
	enum exim_verb verb; /* MODE_EXIM */
	enum mail_choice choice;
	const char *choice_value;
	char **words; /* the rest of argv: recipients, queue ids, names of settings */
	int n_words;
	bool after_dashes; /* "--" came before them: they may begin with '-' */
};

/* name: how the program was called (mailq and newaliases choose the mode). False: *complaint_out says what is
 * wrong. */
MUST_USE bool options_parse(
	const char *name, int argc, char **argv, struct sendmail_options *out, char complaint_out[256]);
