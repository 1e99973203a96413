/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - see options.h */
#include "mailx/options.h"
#include <getopt.h>

static const char usage[] = "usage: mail [-BEFIinv~#] [-s subject] [-a file | 'Name: value'] [-A file] [-c "
			    "list] [-b list] [-r from]\n"
			    "            [-q file] [-M type] [-S name[=value]] address ...\n"
			    "       mail -t [options] [address ...] < message\n"
			    "       mail [-eHINnRv] [-u user] [-L messages] [-S name[=value]]\n"
			    "       mail -f [-eHINnRv] [-L messages] [-S name[=value]] [file]\n"
			    "       mail --help | --version\n";

static const struct option long_options[] = {
	{ "attach", required_argument, NULL, 'A' },
	{ "append", required_argument, NULL, 'p' },
	{ "subject", required_argument, NULL, 's' },
	{ "return-address", required_argument, NULL, 'r' },
	{ "exist", no_argument, NULL, 'e' },
	{ "headers", no_argument, NULL, 'H' },
	{ "file", no_argument, NULL, 'f' },
	{ "user", required_argument, NULL, 'u' },
	{ "to", no_argument, NULL, 't' },
	{ "content-type", required_argument, NULL, 'M' },
	{ "help", no_argument, NULL, '?' + 256 },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

/* Options that keep a word. */
static bool take_text(struct options *o, int option, const char *word)
{
	const struct {
		int option;
		const char **text;
		struct strlist *list;
		bool is_sending;
	} rows[] = {
		{ 's', &o->subject, NULL, true },
		{ 'r', &o->sender, NULL, true },
		{ 'q', &o->text_file, NULL, true },
		{ 'M', &o->type, NULL, true },
		{ 'm', &o->type, NULL, true },
		{ 'u', &o->user, NULL, false },
		{ 'L', &o->spec, NULL, false },
		{ 'c', NULL, &o->copies, true },
		{ 'b', NULL, &o->blind_copies, true },
		{ 'a', NULL, &o->additions, true },
		{ 'A', NULL, &o->files, true },
		{ 'p', NULL, &o->fields, true },
		{ 'S', NULL, &o->variables, false },
		{ 'X', NULL, &o->commands_before, false },
		{ 'Y', NULL, &o->commands_after, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].option != option)
			continue;
		if (rows[i].text)
			*rows[i].text = word;
		else
			strlist_add(rows[i].list, word);
		o->is_sending = o->is_sending || rows[i].is_sending;
		return true;
	}
	return false;
}

/* Options that switch something on, and those that are a variable. */
static bool take_switch(struct options *o, int option)
{
	const struct {
		int option;
		bool *is_on;
		const char *variable;
	} rows[] = {
		{ 't', &o->from_template, NULL }, { 'F', &o->record_by_name, NULL },
		{ 'f', &o->reads_file, NULL }, { 'e', &o->only_exists, NULL },
		{ 'H', &o->only_summary, NULL }, { 'i', &o->ignores_interrupt, NULL },
		{ 'n', &o->without_system_file, NULL }, { '~', &o->has_escapes, NULL },
		{ '#', &o->has_escapes, NULL }, { 'R', &o->is_read_only, NULL },
		{ 'I', &o->is_interactive, NULL }, { 'E', NULL, "skipemptybody" }, { 'v', NULL, "verbose" },
		{ 'd', NULL, "debug" }, { 'N', NULL, "noheader" }, { 'B', NULL, NULL },
		{ 'h', NULL, NULL }, /* a number of hops: the transport counts them itself */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].option != option)
			continue;
		if (rows[i].is_on)
			*rows[i].is_on = true;
		if (rows[i].variable)
			strlist_add(&o->variables, rows[i].variable);
		return true;
	}
	return false;
}

static bool take_option(struct options *o, int option)
{
	if (option == '#') {
		strlist_add(&o->variables, "quiet");
		strlist_add(&o->variables, "noheader");
	}
	if (option == 't' || option == 'F' || option == 'E')
		o->is_sending = true;
	return take_text(o, option, optarg) || take_switch(o, option);
}

enum options_result options_parse(struct options *o, int argc, char **argv)
{
	int option;

	*o = (struct options){ 0 };
	while ((option = getopt_long(argc, argv, "a:A:b:Bc:deEfFh:HiIL:M:m:nNq:r:RS:s:tu:vVX:Y:~#",
			long_options, NULL)) != -1) {
		if (option == '?' + 256) {
			(void)fputs(usage, stdout);
			return OPTIONS_DONE;
		}
		if (option == 'V') {
			(void)puts("Postrider mail version " POSTRIDER_VERSION);
			return OPTIONS_DONE;
		}
		if (!take_option(o, option)) {
			(void)fputs(usage, stderr);
			return OPTIONS_BAD;
		}
	}
	for (int i = optind; i < argc; i++)
		strlist_add(&o->operands, argv[i]);
	return OPTIONS_GOOD;
}

void options_free(struct options *o)
{
	strlist_free(&o->copies);
	strlist_free(&o->blind_copies);
	strlist_free(&o->additions);
	strlist_free(&o->files);
	strlist_free(&o->fields);
	strlist_free(&o->variables);
	strlist_free(&o->commands_before);
	strlist_free(&o->commands_after);
	strlist_free(&o->operands);
}
