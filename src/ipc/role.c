/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role.c - start of a role's process: configuration, jail, loop, and the supervisor's messages; see role.h
 *
 * The log goes to the log role as soon as its channel is there; before, and when that channel is full, lines
 * go to standard error or are dropped and counted: mail never waits for the log.
 */
#include "ipc/role.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

static struct role_process role; /* one per process */

/* ---- log ---- */

#define EARLY_LINES_BYTES (256 * 1024)

static void log_to_role(enum log_level level, const char *program, struct slice line, void *user)
{
	struct role_process *rp = user;

	if (!rp->log) { /* kept until there is a log; and shown, should there never be one */
		(void)fprintf(stderr, "postrider/%s: %.*s\n", role_name(rp->hooks->role), SLICE_ARG(line));
		msg_encode(&rp->early_lines, MSG_LOG_LINE,
			&(struct msg_LOG_LINE){ .level = (uint8_t)level,
				.wall_us = clock_wall_us(),
				.pid = rp->pid,
				.program = slice_of(program),
				.line = line },
			0);
		rp->log_dropped += !buf_ok(&rp->early_lines);
		rp->early_lines.failed = false; /* the first ones matter most */
		return;
	}
	if (channel_unsent(rp->log) > LIMIT_CHANNEL_OUT / 2) {
		rp->log_dropped++;
		return;
	}
	if (rp->log_dropped) {
		char text[64];
		int n = snprintf(text, sizeof(text), "%" PRIu64 " log lines were dropped", rp->log_dropped);
		rp->log_dropped = 0;
		SEND(rp->log, LOG_LINE, .level = LOG_LEVEL_WARNING, .wall_us = clock_wall_us(),
			.pid = rp->pid, .line = { text, (size_t)n });
	}
	const struct msg_LOG_LINE m = { .level = (uint8_t)level,
		.wall_us = clock_wall_us(),
		.pid = rp->pid,
		.program = slice_of(program),
		.line = line };
	if (level <= LOG_LEVEL_WARNING) /* what came before goes with it */
		channel_send(rp->log, MSG_LOG_LINE, &m);
	else
		channel_send_later(rp->log, MSG_LOG_LINE, &m);
}

/* The log role has come: it gets what was said before. */
static void log_early_lines(struct role_process *rp)
{
	struct slice rest = buf_slice(&rp->early_lines);
	struct msg_header h;
	union msg_any m;

	while (rest.len && msg_header_decode(rest, &h)) {
		rest = slice_from(rest, MSG_HEADER_BYTES);
		CHECK(msg_decode(h.type, slice_first(rest, h.length), &m));
		channel_send(rp->log, MSG_LOG_LINE, &m.LOG_LINE);
		rest = slice_from(rest, h.length);
	}
	buf_free(&rp->early_lines);
}

static enum log_level level_from_config(const struct config *c)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_eq_nocase(slice_of(c->log_level), slice_of(names[i])))
			return (enum log_level)i;
	return LOG_LEVEL_INFO;
}

/* ---- configuration ---- */

static void report_nowhere(unsigned line, const char *message, void *user)
{
	(void)user;
	log_error("configuration line %u: %s", line, message); /* cannot be: the supervisor has parsed it */
}

static const struct config *config_from_fd(int fd, const struct paths *paths)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_CONFIG_FILE);
	struct config *c;

	if (lseek(fd, 0, SEEK_SET) < 0 || file_read_all(fd, &text) < 0)
		return NULL;
	c = config_parse_completed(buf_slice(&text), report_nowhere, NULL);
	if (c)
		c->paths = *paths;
	return c;
}

/* ---- the supervisor's messages ---- */

static const struct channel_hooks peer_hooks;

static void on_channel(struct channel *control, const union msg_any *m, int *fd)
{
	struct role_process *rp = role_of(control);
	enum role peer = m->CHANNEL.peer;
	unsigned instance = m->CHANNEL.instance;
	struct channel *ch;

	if (peer >= ROLE_COUNT || instance >= ROLE_MAX_INSTANCES || *fd < 0)
		return;
	ch = channel_new(rp->loop, take_fd(fd), rp->hooks->role, peer, instance, &peer_hooks, rp);
	if (!ch) {
		log_error("cannot watch the channel to %s", role_name(peer));
		return;
	}
	if (rp->peers[peer][instance]) { /* it closed before we noticed */
		struct channel *old = rp->peers[peer][instance];
		if (rp->hooks->on_peer_gone)
			rp->hooks->on_peer_gone(rp, old);
		channel_free(&rp->peers[peer][instance]);
	}
	rp->peers[peer][instance] = ch;
	rp->serials[peer][instance] = m->CHANNEL.serial;
	if (peer == ROLE_LOG) {
		rp->log = ch;
		log_early_lines(rp);
	}
	if (rp->hooks->on_peer)
		rp->hooks->on_peer(rp, ch);
}

static void on_listener(struct channel *control, const union msg_any *m, int *fd)
{
	struct role_process *rp = role_of(control);

	if (rp->hooks->on_listener && *fd >= 0)
		rp->hooks->on_listener(rp, m->LISTENER.address, fd);
}

static void on_config(struct channel *control, const union msg_any *m, int *fd)
{
	struct role_process *rp = role_of(control);
	const struct paths paths = rp->config->paths;
	const struct config *fresh = *fd >= 0 ? config_from_fd(*fd, &paths) : NULL;
	struct config *old = (struct config *)(uintptr_t)rp->config;

	(void)m;
	if (!fresh)
		return;
	rp->config = fresh;
	log_set_level(level_from_config(fresh));
	if (rp->hooks->on_reload)
		rp->hooks->on_reload(rp);
	config_free(&old);
}

static void on_stop(struct channel *control, const union msg_any *m, int *fd)
{
	struct role_process *rp = role_of(control);

	(void)m, (void)fd;
	if (rp->is_stopping)
		return;
	rp->is_stopping = true;
	if (!rp->hooks->on_stop)
		role_exit(rp, 0);
	rp->hooks->on_stop(rp);
}

static const msg_handler control_handlers[MSG_TYPE_COUNT] = {
	[MSG_CHANNEL] = on_channel,
	[MSG_LISTENER] = on_listener,
	[MSG_CONFIG] = on_config,
	[MSG_STOP] = on_stop,
};

/* The role's own handlers may want messages of the supervisor too (SYSTEM_STATE). */
static msg_handler merged_handlers[MSG_TYPE_COUNT];

static void on_control_closed(struct channel *control, const char *why)
{
	struct role_process *rp = role_of(control);

	(void)why;
	/* The supervisor is gone: without it nobody restarts us or our peers. What is acknowledged is on
	 * disk. */
	role_exit(rp, 1);
}

static void on_control_drain(struct channel *control)
{
	(void)control;
}

static const struct channel_hooks control_hooks = { merged_handlers, on_control_drain, on_control_closed };

/* ---- peers ---- */

static void on_peer_drain(struct channel *ch)
{
	struct role_process *rp = role_of(ch);

	if (rp->hooks->on_drain)
		rp->hooks->on_drain(rp, ch);
}

static void on_peer_closed(struct channel *ch, const char *why)
{
	struct role_process *rp = role_of(ch);
	struct channel **place = &rp->peers[ch->peer][ch->instance];

	if (ch == rp->log)
		rp->log = NULL;
	if (!rp->is_stopping && strcmp(why, "closed") != 0)
		log_warning("channel to %s: %s", role_name(ch->peer), why);
	if (rp->hooks->on_peer_gone)
		rp->hooks->on_peer_gone(rp, ch);
	if (*place != ch)
		return;
	if (!rp->is_stopping) /* when the peer lives, it is introduced to us again */
		SEND(rp->control, CHANNEL_LOST, .serial = rp->serials[ch->peer][ch->instance]);
	channel_free(place);
}

static const struct channel_hooks peer_hooks = { merged_handlers, on_peer_drain, on_peer_closed };

/* ---- start ---- */

struct start {
	uid_t uid;
	gid_t gid;
	const char *empty_dir;
};

static const char *user_setting(const struct config *c, enum role which)
{
	switch (which) {
	case ROLE_SMTPD: return c->security_smtpd_user;
	case ROLE_QUEUE: return c->security_queue_user;
	case ROLE_LOOKUP:
	case ROLE_USERS: return c->security_lookup_user;
	case ROLE_SMTP: return c->security_smtp_user;
	case ROLE_LOG: return c->security_log_user;
	case ROLE_SUPERVISOR:
	case ROLE_LOCAL:
	case ROLE_WORKER:
	case ROLE_CLIENT:
	case ROLE_COUNT: break;
	}
	return NULL;
}

/* Whom to become. In sandbox mode everyone stays who started it. */
static int start_identity(const struct role_process *rp, struct start *s)
{
	const char *name = user_setting(rp->config, rp->hooks->role);
	const struct passwd *pw;

	*s = (struct start){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
	if (*rp->config->paths.sandbox || rp->hooks->jail->keeps_root)
		return 0;
	pw = name ? getpwnam(name) : NULL;
	if (!pw || pw->pw_uid == 0) {
		log_error(
			"the user %s does not exist (or is root); run `postrider setup`", name ? name : "?");
		return -ENOENT;
	}
	s->uid = pw->pw_uid;
	s->gid = pw->pw_gid;
	s->empty_dir = "/run/postrider/empty";
	return 0;
}

/* The directory that a setting's file lies in; nothing for a name without one. */
static const char *directory_of(const char *file, char dir[PATH_MAX])
{
	size_t n = slice_rfind(slice_of(file), '/');

	if (n == 0 || n >= PATH_MAX || !file[n])
		return NULL;
	memcpy(dir, file, n);
	dir[n] = '\0';
	return dir;
}

#define JAIL_PATHS                                                                                           \
	(LIMIT_ALIAS_FILES + 2) /* of each kind, with the state directory and the NULL at the end */

static size_t alias_directories(const struct config *c, const char **out)
{
	static char dirs[LIMIT_ALIAS_FILES][PATH_MAX];
	struct slice list = slice_of(c->aliases_file), word;
	size_t n = 0;

	while (n < LIMIT_ALIAS_FILES && config_list_next(&list, &word)) {
		auto_free char *file = slice_dup(word);
		out[n] = directory_of(file, dirs[n]);
		n += out[n] != NULL;
	}
	return n;
}

static void jail_paths(const struct role_process *rp, const char **read_below, const char **write_below)
{
	static char log_dir[PATH_MAX];
	const struct config *c = rp->config;
	const struct paths *p = &c->paths;
	size_t r = 0, w = 0;

	switch (rp->hooks->role) {
	case ROLE_QUEUE: write_below[w++] = p->spool_dir; break;
	case ROLE_LOG:
		write_below[w++] = directory_of(*c->log_target == '/' ? c->log_target : p->log_file, log_dir);
		break;
	case ROLE_LOOKUP:
		read_below[r++] = p->state_dir;
		r += alias_directories(c, read_below + r);
		break;
	default: break;
	}
	read_below[r] = write_below[w] = NULL;
}

static int role_jail(struct role_process *rp)
{
	const char *read_below[JAIL_PATHS], *write_below[JAIL_PATHS];
	struct start s;
	int r = start_identity(rp, &s);
	struct jail_request request = { .jail = rp->hooks->jail,
		.uid = s.uid,
		.gid = s.gid,
		.empty_dir = s.empty_dir,
		.write_below = write_below,
		.filter = rp->config->security_sandbox };

	if (r < 0)
		return r;
	jail_paths(rp, read_below, write_below);
	request.read_below = read_below[0] ? read_below : NULL;
	r = jail_enter(&request);
	if (r < 0) {
		log_error("cannot give up rights: %s", strerror(-r));
		return r;
	}
	rp->landlock_abi = r;
	r = rp->hooks->after_jail ? rp->hooks->after_jail(rp) : 0;
	if (r < 0)
		return r;
	r = jail_seal(&request);
	if (r < 0)
		log_error("cannot install the system call filter: %s (security.sandbox = no runs without it)",
			strerror(-r));
	return r;
}

static bool parse_arguments(struct role_process *rp, int argc, char **argv, struct paths *paths)
{
	const char *sandbox = NULL;
	uint64_t instance = 0;

	for (int i = 1; i < argc; i++) {
		struct slice a = slice_of(argv[i]);
		if (slice_skip_prefix_nocase(&a, SLICE("--sandbox=")))
			sandbox = a.at;
		else if (slice_skip_prefix_nocase(&a, SLICE("--instance=")) &&
			!slice_to_u64(a, ROLE_MAX_INSTANCES - 1, &instance))
			return false;
	}
	rp->instance = (unsigned)instance;
	return paths_init(paths, sandbox);
}

static void merge_handlers(const struct role_hooks *hooks)
{
	for (size_t i = 0; i < MSG_TYPE_COUNT; i++)
		merged_handlers[i] = control_handlers[i] ? control_handlers[i] : hooks->handlers[i];
}

void role_ready(struct role_process *rp)
{
	const struct jail *jail = rp->hooks->jail;

	SEND(rp->control, READY, .landlock_abi = (uint8_t)rp->landlock_abi,
		.sandboxed = rp->config->security_sandbox && !jail->no_filter && !jail->keeps_root);
}

int role_main(const struct role_hooks *hooks, int argc, char **argv)
{
	struct role_process *rp = &role;
	struct paths paths;
	int r;

	rp->hooks = hooks;
	rp->pid = (uint32_t)getpid();
	rp->loop = uv_default_loop();
	rp->early_lines = BUF_INIT(EARLY_LINES_BYTES);
	log_set_sink(log_to_role, rp);
	merge_handlers(hooks);
	(void)signal(SIGPIPE, SIG_IGN);
	/* A terminal's ^C reaches the whole group; the supervisor stops its roles in order. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	tzset();
	umask(077);
	if (!parse_arguments(rp, argc, argv, &paths) ||
		!(rp->config = config_from_fd(ROLE_FD_CONFIG, &paths))) {
		log_error("this program is started by postriderd only");
		return 64;
	}
	(void)close(ROLE_FD_CONFIG);
	log_set_level(level_from_config(rp->config));
	r = hooks->before_jail ? hooks->before_jail(rp) : 0;
	if (r == 0)
		r = role_jail(rp);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return 1;
	}
	rp->control =
		channel_new(rp->loop, ROLE_FD_CONTROL, hooks->role, ROLE_SUPERVISOR, 0, &control_hooks, rp);
	if (!rp->control)
		return 1;
	if (!hooks->ready_later)
		role_ready(rp);
	(void)uv_run(rp->loop, UV_RUN_DEFAULT);
	return 0;
}

void role_exit(struct role_process *rp, int status)
{
	for (size_t i = 0; i < ROLE_COUNT; i++)
		for (size_t j = 0; j < ROLE_MAX_INSTANCES; j++)
			if (rp->peers[i][j])
				channel_flush_blocking(rp->peers[i][j], 500);
	_exit(status);
}
