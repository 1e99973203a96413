/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup.c - postrider setup: makes Postrider the mail system of this host, or takes that back
 *
 * `make install` puts files only where no other package has any (/usr/lib/postrider, postriderd, postrider,
 * postrider-drop). Here the names that every program knows are pointed at them: last of all, so that a
 * sendmail that can be called is one that works.
 */
#include "control/setup.h"
#include "control/commands.h"
#include "control/program.h"
#include "ipc/client.h"
#include <sys/stat.h>
#include <sysexits.h>

static bool (*const steps[])(struct setup *s) = {
	setup_commands_free,
	setup_accounts,
	setup_directories,
	setup_configuration,
	setup_log_file,
	setup_drop_program,
	setup_aliases_file,
	setup_commands,
	setup_alias_table,
};

void setup_changed(struct setup *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vprintf(fmt, args);
	(void)putchar('\n');
	va_end(args);
	s->n_changes++;
}

bool setup_tool(const char *const words[])
{
	auto_buf struct buf output = BUF_INIT(4096);
	int status = program_run(words, &output);

	if (status == 0)
		return true;
	if (status < 0)
		complain("cannot run %s: %s", words[0], strerror(-status));
	else if (status == PROGRAM_MISSING)
		complain("%s is not installed on this host; install it and run setup again", words[0]);
	else
		complain("%s failed with status %d: %.*s", words[0], status,
			SLICE_ARG(slice_trim(buf_slice(&output))));
	return false;
}

/* ---- what is left to the administrator ---- */

static bool daemon_runs(const struct paths *paths)
{
	struct client c;

	if (client_open(&c, paths->control_socket) < 0)
		return false;
	client_close(&c);
	return true;
}

static bool has_systemd(void)
{
	struct stat st;

	return stat("/run/systemd/system", &st) == 0;
}

static void tell_next(const struct setup *s)
{
	if (s->replaced)
		(void)printf("The other mail system%s%s%s is still installed: stop its service, which holds "
			     "port 25, for good.\n",
			*s->other ? ", " : "", s->other, *s->other ? "," : "");
	if (!daemon_runs(s->paths))
		(void)printf("Start it: %s\n",
			has_systemd() ? "systemctl enable --now postrider" : PATH_SBIN "/postriderd -b");
}

static int run_steps(struct setup *s)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (steps[i](s))
			continue;
		if (i > 0)
			complain("setup is not complete; run it again when this is mended");
		return i > 0 ? EX_OSERR : EX_CANTCREAT;
	}
	if (s->n_changes == 0)
		(void)puts("Nothing to change: Postrider is the mail system of this host.");
	else
		(void)puts("Postrider is the mail system of this host now.");
	tell_next(s);
	return EX_OK;
}

static int undo(struct setup *s)
{
	if (!setup_commands_undo(s))
		return EX_OSERR;
	if (s->n_changes == 0)
		(void)puts("Nothing to take back: the mail commands are not Postrider's.");
	(void)printf("Left as they are: mailboxes, queued mail (%s), %s, %s, users and groups.\n",
		s->paths->spool_dir, s->paths->config_file, s->config->aliases_file);
	if (daemon_runs(s->paths))
		(void)printf("postriderd still runs and delivers what is queued. Stop it: %s\n",
			has_systemd() ? "systemctl disable --now postrider" : "postrider stop");
	return EX_OK;
}

int command_setup(const struct paths *paths, int n_words, char **words)
{
	struct setup s = { .paths = paths };
	struct config *config;
	bool is_undo = false;
	int status;

	for (int i = 0; i < n_words; i++) {
		if (strcmp(words[i], "--replace") == 0)
			s.replace = true;
		else if (strcmp(words[i], "--undo") == 0)
			is_undo = true;
		else
			return EX_USAGE;
	}
	if (s.replace && is_undo)
		return EX_USAGE;
	if (*paths->sandbox) {
		complain("setup is for the host; a sandbox needs none (POSTRIDER_SANDBOX is set)");
		return EX_USAGE;
	}
	if (geteuid() != 0) {
		complain("setup makes users and system files: only root can do that");
		return EX_NOPERM;
	}
	config = is_undo ? config_load_or_default(paths) : config_load(paths);
	if (!config)
		return EX_CONFIG;
	s.config = config;
	status = is_undo ? undo(&s) : run_steps(&s);
	config_free(&config);
	return status;
}
