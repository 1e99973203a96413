/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - postrider: the administrator's command; see postrider(8)
 *
 * Holds no privilege of its own: what only root may do is refused by the kernel or by the daemon, which
 * learns the real uid of who asks.
 * Tests: tests/system/test_queue_commands.py, test_program.c.
 */
#include "control/commands.h"
#include "mail/header.h"
#include <signal.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

static const struct command {
	const char *name, *words, *help;
	command_run run;
} commands[] = {
	{ "status", "", "is it well: processes, queue, spool, aliases", command_status },
	{ "reload", "", "check the configuration and make it take effect", command_reload },
	{ "stop", "", "stop the daemon in order and wait until it is gone", command_stop },
	{ "setup", "[--replace | --undo]", "make Postrider the mail system of this host", command_setup },
	{ "config", "check | get NAME | list", "the configuration: mistakes, values, all settings",
		command_config },
	{ "queue", "list|show|why|cat|retry|hold|release|expire|delete|move [ID...] [OPTION...]",
		"the mail that waits; postrider-queue(8)", command_queue },
	{ "explain", "[--json] [--from SENDER] ADDRESS", "where mail to an address would go, and why",
		command_explain },
	{ "trace", "[--json] ID|MESSAGE-ID|ADDRESS", "what happened to a message, also when it is gone",
		command_trace },
	{ "spool", "check [--json] | dump [--json] [ID] | dump --content ID | repair",
		"a stopped spool: what is damaged, what it holds, saving what can be saved", command_spool },
	{ "aliases", "check [--json] [FILE] | query [--json] NAME | expand [--json] ADDRESS | build [FILE]",
		"the aliases: what is wrong, what a name says, where an address leads, newaliases",
		command_aliases },
};

static void print_usage(FILE *to)
{
	(void)fputs("usage: postrider COMMAND\n", to);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)fprintf(to, "  %s%s%s\n        %s\n", commands[i].name, *commands[i].words ? " " : "",
			commands[i].words, commands[i].help);
	(void)fputs("see postrider(8)\n", to);
}

static void put_safely(FILE *to, struct slice text)
{
	auto_buf struct buf safe = BUF_INIT(text.len);

	header_mask_text(text, &safe);
	(void)fwrite(safe.at, 1, safe.len, to); /* run() looks for errors */
}

void complain(const char *fmt, ...)
{
	char text[4096];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* cut when too long: it is for reading */
	va_end(args);
	(void)fputs("postrider: ", stderr);
	put_safely(stderr, slice_of(text));
	(void)fputc('\n', stderr);
}

int unknown_word(const char *command, int n_words, char **words, const char *hint)
{
	if (n_words > 0)
		complain("%s %s: no such command%s", command, words[0], hint);
	return EX_USAGE;
}

void print_safely(struct slice text)
{
	put_safely(stdout, text);
}

static void print_command_usage(FILE *to, const struct command *c)
{
	(void)fprintf(to, "usage: postrider %s%s%s\n", c->name, *c->words ? " " : "", c->words);
}

static int run(const struct command *c, const struct paths *paths, int n_words, char **words)
{
	bool is_help = n_words > 0 && strcmp(words[n_words - 1], "--help") == 0;
	int status = is_help ? EX_OK : c->run(paths, n_words, words);

	if (is_help) {
		print_command_usage(stdout, c);
		(void)printf("  %s\n", c->help);
	}
	if (status == EX_USAGE)
		print_command_usage(stderr, c);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		complain("cannot write: %s", strerror(errno));
		return status == EX_OK ? EX_IOERR : status;
	}
	return status;
}

int main(int argc, char **argv)
{
	struct paths paths;

	(void)signal(SIGPIPE, SIG_IGN);
	umask(022);
	tzset();
	if (!paths_init_from_environment(&paths)) {
		complain("POSTRIDER_SANDBOX: the directory's name is too long");
		return EX_CONFIG;
	}
	if (argc == 2 &&
		(strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
			strcmp(argv[1], "help") == 0)) {
		print_usage(stdout);
		return EX_OK;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return puts("postrider " POSTRIDER_VERSION) < 0 ? EX_IOERR : EX_OK;
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(&commands[i], &paths, argc - 2, argv + 2);
	if (argc > 1)
		complain("%s: no such command", argv[1]);
	print_usage(stderr);
	return EX_USAGE;
}
