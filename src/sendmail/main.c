/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - sendmail, mailq, newaliases: one program by three names; see sendmail(8)
 *
 * Holds no privilege and needs none: the daemon learns the real uid from the kernel. Works with an empty
 * environment, closed descriptors, any umask and no_new_privs.
 */
#include "base/log.h"
#include "base/userdb.h"
#include "ipc/client.h"
#include "mail/header.h"
#include "mail/queue_id.h"
#include "sendmail/newaliases.h"
#include "sendmail/options.h"
#include "sendmail/program.h"
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

static const char usage[] =
	"usage: sendmail [-ti] [-f sender] [-F name] [--] recipient ...   send the mail on standard input\n"
	"       sendmail -bp | mailq                                    list the queue\n"
	"       sendmail -q | -qI id | -qR domain | -qS sender          try queued mail now\n"
	"       sendmail -bi | newaliases                               build the alias table\n"
	"       sendmail -bs                                            SMTP on standard input\n"
	"see sendmail(8) for all options\n";

static const char *called_as = "sendmail";

void program_complain(const char *fmt, ...)
{
	auto_buf struct buf safe = BUF_INIT(2048);
	char text[2048];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* cut when too long: it is for reading */
	va_end(args);
	header_mask_text(slice_of(text), &safe); /* parts of a message may be in it */
	(void)fprintf(stderr, "%s: %.*s\n", called_as, SLICE_ARG(buf_slice(&safe)));
}

bool program_sibling(const char *name, const struct config *config, char *path_out, size_t size)
{
	/* In a sandbox: beside this program, where a build puts the daemon, or the installed one. */
	static const char *const places[] = { "", "/../supervisor", NULL };
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

/* A program started with 0, 1 or 2 closed must not find its files there. */
static bool hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return false;
	(void)close(fd); /* one more than needed */
	return true;
}

int flush_run(const struct config *config, const struct sendmail_options *o)
{
	static const char *const filters[] = {
		[FLUSH_ALL] = NULL,
		[FLUSH_ID] = NULL,
		[FLUSH_DOMAIN] = "domain",
		[FLUSH_SENDER] = "from",
	};
	auto_buf struct buf filter = BUF_INIT(4096);
	uint64_t id = 0;
	struct client c;
	enum msg_type type;
	union msg_any m;
	int status = EX_OK;
	int r;

	if (o->flush == FLUSH_ID && !queue_id_parse(slice_of(o->flush_what), &id)) {
		program_complain("%s: no such mail in the queue", o->flush_what);
		return EX_NOINPUT;
	}
	r = client_open(&c, config->paths.control_socket);
	if (r < 0) {
		if (program_is_set_up(config))
			program_complain("postriderd is not running; mail is tried when it starts");
		return EX_UNAVAILABLE;
	}
	if (filters[o->flush])
		buf_printf(&filter, "%s=%s\n", filters[o->flush], o->flush_what);
	r = CLIENT_SEND(&c, QUEUE_ACT, .request = 1, .action = QUEUE_ACT_FLUSH, .is_quiet = 1, .queue_id = id,
		.filter = buf_slice(&filter));
	if (r == 0)
		r = client_flush(&c);
	if (r == 0)
		r = client_receive(&c, &type, &m);
	if (r < 0 || type != MSG_REQUEST_DONE) {
		program_complain("postriderd did not answer");
		status = EX_TEMPFAIL;
	} else if (m.REQUEST_DONE.exit_code) {
		program_complain("%.*s", SLICE_ARG(m.REQUEST_DONE.text));
		status = m.REQUEST_DONE.exit_code;
	}
	client_close(&c);
	return status;
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

static int run(struct config *config, const struct paths *paths, const struct sendmail_options *o)
{
	switch (o->mode) {
	case MODE_SEND: return send_run(config, o);
	case MODE_SMTP: return smtp_run(config);
	case MODE_LIST: return mailq_run(config, false);
	case MODE_ALIASES: return newaliases_run(paths, o->is_verbose, o->alias_file);
	case MODE_FLUSH: return flush_run(config, o);
	case MODE_DAEMON: return daemon_run(config, true);
	case MODE_FOREGROUND: return daemon_run(config, false);
	case MODE_VERSION: return puts("Postrider " POSTRIDER_VERSION) < 0 ? EX_IOERR : EX_OK;
	}
	return EX_SOFTWARE;
}

int main(int argc, char **argv)
{
	struct sendmail_options o;
	struct paths paths;
	struct config *config;
	char complaint[256];
	int status;

	if (!hold_standard_descriptors() || argc < 1)
		return EX_OSERR;
	called_as = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	(void)signal(SIGPIPE, SIG_IGN);
	umask(077);
	tzset();
	if (!paths_init_from_environment(&paths))
		return EX_CONFIG;
	if (strcmp(called_as, "postqueue") == 0 || strcmp(called_as, "postsuper") == 0) {
		config = config_load_or_default(&paths);
		status = strcmp(called_as, "postqueue") == 0 ? postqueue_run(config, argc, argv)
							     : postsuper_run(config, argc, argv);
		config_free(&config);
		return status;
	}
	if (!options_parse(argv[0], argc, argv, &o, complaint)) {
		program_complain("%s", complaint);
		(void)fputs(usage, stderr);
		return EX_USAGE;
	}
	if (o.config_file && getuid() != 0) {
		program_complain("-C %s: only root may choose the configuration", o.config_file);
		return EX_NOPERM;
	}
	if (o.config_file)
		(void)snprintf(paths.config_file, sizeof(paths.config_file), "%s", o.config_file);
	config = config_load_or_default(&paths); /* mail must get away */
	status = run(config, &paths, &o);
	config_free(&config);
	return status;
}
