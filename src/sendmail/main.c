/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - sendmail, mailq, newaliases and the names of other mail systems: one program; see sendmail(8)
 *
 * Holds no privilege and needs none: the daemon learns the real uid from the kernel. Works with an empty
 * environment, closed descriptors, any umask and no_new_privs.
 * Tests: tests/system/test_submission.py, tests/system/test_sendmail.py.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/userdb.h"
#include "mail/header.h"
#include "sendmail/newaliases.h"
#include "sendmail/options.h"
#include "sendmail/program.h"
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>

/* How complaints are made. */
static struct {
	const char *called_as;
	const char *log_tag; /* the system log hears them too, under that name; NULL: it does not */
	bool is_quiet;
} complaints = { .called_as = "sendmail" };

void program_complain(const char *fmt, ...)
{
	auto_buf struct buf safe = BUF_INIT(2048);
	char text[2048];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* cut when too long: it is for reading */
	va_end(args);
	header_mask_text(slice_of(text), &safe); /* parts of a message may be in it */
	if (!complaints.is_quiet)
		(void)fprintf(stderr, "%s: %.*s\n", complaints.called_as, SLICE_ARG(buf_slice(&safe)));
	if (complaints.log_tag) {
		openlog(complaints.log_tag, LOG_PID, LOG_MAIL);
		syslog(LOG_ERR, "%.*s", SLICE_ARG(buf_slice(&safe)));
	}
}

int program_end_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	program_complain("standard output cannot be written: %s", strerror(errno));
	return EX_IOERR;
}

bool program_sibling(const char *name, const struct config *config, char *path_out, size_t size)
{
	/* In a sandbox: beside this program, where a build puts it, or the installed one. */
	static const char *const places[] = { "", "/../supervisor", "/../control", NULL };
	char self[PATH_MAX];
	ssize_t n = *config->paths.sandbox ? readlink("/proc/self/exe", self, sizeof(self) - 1) : 0;
	int len;

	self[MAX(n, 0)] = '\0';
	for (size_t i = 0; n > 0 && places[i]; i++) {
		len = snprintf(
			path_out, size, "%.*s%s/%s", (int)(strrchr(self, '/') - self), self, places[i], name);
		if (len > 0 && (size_t)len < size && access(path_out, X_OK) == 0)
			return true;
	}
	len = snprintf(path_out, size, "%s/%s", PATH_SBIN, name);
	return len > 0 && (size_t)len < size;
}

bool program_is_set_up(const struct config *config)
{
	const char *sandbox = config->paths.sandbox;

	if (access(config->paths.drop_dir, F_OK) == 0 || errno != ENOENT)
		return true;
	if (*sandbox)
		program_complain("there is no mail system in %s yet: start `postriderd --sandbox %s`",
			sandbox, sandbox);
	else
		program_complain(
			"Postrider is not set up on this host; `postrider setup` does that, as root");
	return false;
}

int program_complain_of_daemon(const struct client *c, int error)
{
	switch (error) {
	case -EACCES:
		if (!*c->refusal) /* the socket itself */
			break;
		program_complain("postriderd: %s", c->refusal);
		return c->refusal_code ? c->refusal_code : EX_NOPERM;
	case -ETIMEDOUT: program_complain("postriderd runs but does not answer"); return EX_TEMPFAIL;
	case -EPROTO:
		program_complain("postriderd is of another version than this program; restart it");
		return EX_PROTOCOL;
	case -ECONNRESET:
	case -EPIPE: program_complain("postriderd ended the conversation"); return EX_TEMPFAIL;
	default: break;
	}
	program_complain("postriderd cannot be asked: %s", strerror(-error));
	return EX_TEMPFAIL;
}

const char *program_login(const struct config *config)
{
	static struct userdb_user user;
	const char *wanted = *config->paths.sandbox ? getenv("LOGNAME") : NULL;
	const struct passwd *pw;

	if (wanted && userdb_find(config->users_file, slice_of(wanted), &user) == USERDB_FOUND)
		return user.name;
	pw = getpwuid(getuid());
	if (pw)
		return pw->pw_name;
	(void)snprintf(user.name, sizeof(user.name), "uid%u", (unsigned)getuid());
	return user.name;
}

static int daemon_run(const struct config *config, bool background)
{
	char path[PATH_MAX], sandbox[PATH_MAX + 16];
	char name[] = "postriderd", dash_b[] = "-b";
	char *argv[4] = { name, NULL };
	size_t n = 1;

	if (!program_sibling("postriderd", config, path, sizeof(path)))
		return EX_OSERR;
	if (background)
		argv[n++] = dash_b;
	if (*config->paths.sandbox) {
		(void)snprintf(sandbox, sizeof(sandbox), "--sandbox=%s", config->paths.sandbox);
		argv[n++] = sandbox;
	}
	(void)execv(path, argv);
	program_complain("%s: %s", path, strerror(errno));
	return EX_OSERR;
}

/* What needs neither a configuration nor anything else. */
static int tell(const struct sendmail_options *o)
{
	if (o->mode == MODE_HELP)
		help_print(complaints.called_as);
	else
		(void)puts("Postrider " POSTRIDER_VERSION);
	return program_end_output(EX_OK);
}

static int run(struct config *config, const struct paths *paths, const struct sendmail_options *o)
{
	switch (o->mode) {
	case MODE_SEND: return send_run(config, o);
	case MODE_SMTP:
	case MODE_BATCH: return smtp_run(config, o);
	case MODE_LIST: return mailq_run(config, MAILQ_TABLE, o);
	case MODE_COUNT: return mailq_run(config, MAILQ_COUNT, o);
	case MODE_SETTINGS: return settings_run(config, o);
	case MODE_ALIASES: return newaliases_run(paths, o->is_verbose, o->alias_file);
	case MODE_FLUSH: return flush_run(config, o);
	case MODE_VERIFY: return verify_run(config, o);
	case MODE_ROUTES: return routes_run(config, o);
	case MODE_NOTHING: return EX_OK;
	case MODE_EXIM: return exim_run(config, o);
	case MODE_DAEMON: return daemon_run(config, true);
	case MODE_FOREGROUND: return daemon_run(config, false);
	case MODE_VERSION:
	case MODE_HELP: return tell(o);
	}
	return EX_SOFTWARE;
}

static int run_configured(struct paths *paths, const struct sendmail_options *o)
{
	struct config *config;
	int status;

	if (o->config_file && getuid() != 0) {
		program_complain("-C %s: only root may choose the configuration", o->config_file);
		return EX_NOPERM;
	}
	if (o->config_file &&
		snprintf(paths->config_file, sizeof(paths->config_file), "%s", o->config_file) >=
			(int)sizeof(paths->config_file)) {
		program_complain("-C: the file name is too long");
		return EX_USAGE;
	}
	if (o->config_file &&
		access(o->config_file, F_OK) < 0) { /* by its default name it need not be there */
		program_complain("-C %s: %s", o->config_file, strerror(errno));
		return EX_NOINPUT;
	}
	config = config_load_or_default(paths); /* mail must get away */
	status = run(config, paths, o);
	config_free(&config);
	return status;
}

static bool is_called(const char *name)
{
	return strcmp(complaints.called_as, name) == 0;
}

/* Names with options of their own. */
static const struct {
	const char *name;
	int (*run)(const struct config *config, int argc, char **argv);
} other_names[] = {
	{ "postqueue", postqueue_run },
	{ "postsuper", postsuper_run },
	{ "postalias", postalias_run },
	{ "praliases", praliases_run },
};

/* -1: it is none of those names. */
static int run_other_name(const struct paths *paths, int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(other_names); i++) {
		if (!is_called(other_names[i].name))
			continue;
		struct config *config = config_load_or_default(paths);
		int status = other_names[i].run(config, argc, argv);
		config_free(&config);
		return program_end_output(status);
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct sendmail_options o;
	struct paths paths;
	char complaint[256];
	int status;

	if (file_hold_standard() < 0 || argc < 1)
		return EX_OSERR;
	complaints.called_as = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	(void)signal(SIGPIPE, SIG_IGN);
	umask(077);
	tzset();
	if (!paths_init_from_environment(&paths))
		return EX_CONFIG;
	status = run_other_name(&paths, argc, argv);
	if (status >= 0)
		return status;
	if (!options_parse(argv[0], argc, argv, &o, complaint)) {
		program_complain("%s", complaint);
		help_usage(complaints.called_as);
		return EX_USAGE;
	}
	if (o.mode == MODE_HELP || o.mode == MODE_VERSION)
		return tell(&o);
	complaints.is_quiet = o.is_quiet;
	complaints.log_tag = *paths.sandbox ? NULL : o.log_tag; /* a sandbox leaves the host alone */
	return run_configured(&paths, &o);
}
