/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help.c - what --help prints, and the short text behind a mistake; see program.h
 * Tests: tests/system/test_sendmail.py.
 */
#include "sendmail/program.h"

static const char sendmail_usage[] =
	"usage: sendmail [-ti] [-f sender] [-F name] [--] recipient ...   send the mail on standard input\n"
	"       sendmail -bp | mailq                                    list the queue\n"
	"       sendmail -q | -qI id | -qR domain | -qS sender          try queued mail now\n"
	"       sendmail -bi | newaliases                               build the alias table\n"
	"       sendmail -bs                                            SMTP on standard input\n"
	"       sendmail --help                                         more, in short; sendmail(8): all\n";

static const char sendmail_help[] =
	"usage: sendmail [option ...] [--] recipient ...\n"
	"Sends the mail on standard input. Exit status 0: it is on stable storage, and will be delivered\n"
	"or come back. Recipients may be lists with commas and names.\n"
	"\n"
	"  -t            the recipients are in To, Cc and Bcc, besides those that are named\n"
	"  -i, -oi       a line with a single dot does not end the mail\n"
	"  -f, -r ADDR   the sender; '' or <>: nobody, no bounces\n"
	"  -F NAME       the sender's name, where From is missing\n"
	"  -N WHEN       report to the sender: never, or success,failure,delay\n"
	"  -R full|hdrs  how much of the mail a bounce returns; -V ID: its envelope id\n"
	"  -B 7BIT|8BITMIME\n"
	"  -odi, -odq    end after the first attempt; send with the next run of the queue\n"
	"  -oeq          say nothing; -L TAG: errors go to the system log too\n"
	"  -C FILE       another configuration (root)\n"
	"\n"
	"Instead of sending:\n"
	"  -bp [ID ...]  list the queue (mailq); -bpc counts it\n"
	"  -q            try all queued mail now; -qI ID, -qR DOMAIN, -qS SENDER: that\n"
	"  -bi, -I       build the alias table (newaliases)\n"
	"  -bs, -bS      SMTP on standard input, with and without replies\n"
	"  -bv ADDR ...  are they deliverable, and where; -bt: which way, and why\n"
	"  -bd, -bD      start the daemon in the background, in the foreground\n"
	"  -bP [NAME ...]  settings and their values\n"
	"  -bV           the version\n"
	"\n"
	"With queue ids, for root and the group security.admin_group:\n"
	"  -M  try now   -Mf hold   -Mt release   -Mrm delete   -Mg return to the sender\n"
	"  -Mvh header   -Mvb body  -Mvl history\n"
	"\n"
	"Other options of Sendmail, Postfix and Exim are accepted: sendmail(8).\n";

static const char mailq_help[] =
	"usage: mailq [-qI ID | -qR DOMAIN | -qS SENDER] [ID ...]\n"
	"Lists the mail that waits to be delivered: queue id, size, arrival, sender; then why the last "
	"attempt\n"
	"failed, in parentheses, and the recipients. Behind an id: * a delivery is under way, ! it is held,\n"
	"# its next attempt is the last. See mailq(1); postrider-queue(8) does something about it.\n";

static const char newaliases_help[] =
	"usage: newaliases [-v] [-oA FILE]\n"
	"Checks the aliases file and builds its table. Says nothing when all is well, and what is wrong "
	"with\n"
	"file and line. An edit takes effect by itself after two seconds. See newaliases(1), aliases(5).\n";

/* Those of sendmail stand last: whatever else the program is called. */
static const struct help {
	const char *name, *usage, *help;
} helps[] = {
	{ "mailq", "usage: mailq [-qI ID | -qR DOMAIN | -qS SENDER] [ID ...]\n", mailq_help },
	{ "newaliases", "usage: newaliases [-v] [-oA FILE]\n", newaliases_help },
	{ NULL, sendmail_usage, sendmail_help },
};

static const struct help *help_of(const char *called_as)
{
	const struct help *h = helps;

	while (h->name && strcmp(h->name, called_as) != 0)
		h++;
	return h;
}

void help_usage(const char *called_as)
{
	(void)fputs(help_of(called_as)->usage, stderr);
}

void help_print(const char *called_as)
{
	(void)fputs(help_of(called_as)->help, stdout); /* who called looks for errors */
}
