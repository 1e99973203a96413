/* SPDX-License-Identifier: Apache-2.0 */
/* logd.c - see logd.h; the wording of lines is that of classic syslog files, which log analysers read */
#include "logd/logd.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "ipc/role.h"
#include <fcntl.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>

#define GATHER_BYTES (4 * 1024 * 1024) /* unwritten lines before new ones are dropped */
#define ROTATION_LOOK_MS 1000

enum log_target { TARGET_FILE, TARGET_SYSLOG, TARGET_STDERR };

static struct {
	enum log_target target;
	char path[PATH_MAX];
	int fd;
	struct buf lines;
	uint64_t dropped;
	char stamp[32]; /* text of stamp_s: formatted once a second */
	int64_t stamp_s;
	char host[256];
	uv_prepare_t turn;
	uv_timer_t rotation;
} logd = { .fd = -1 };

/* ---- targets ---- */

static int open_syslog(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return take_fd(&fd);
}

static int open_file(void)
{
	auto_close int fd =
		open(logd.path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);

	return fd < 0 ? -errno : take_fd(&fd);
}

/* The file must stay writable after the jail, when a rotation has made a new one under the same name. */
static int own_file(const struct config *c, int fd)
{
	const struct passwd *pw = *c->paths.sandbox ? NULL : getpwnam(c->security_log_user);
	struct stat st;

	if (!pw || fstat(fd, &st) < 0 || st.st_uid == pw->pw_uid)
		return 0;
	return fchown(fd, pw->pw_uid, (gid_t)-1) < 0 ? -errno : 0;
}

static int logd_before_jail(struct role_process *rp)
{
	const struct config *c = rp->config;
	const char *target = c->log_target;
	struct stat st;
	int r;

	(void)snprintf(logd.path, sizeof(logd.path), "%s", c->paths.log_file);
	(void)snprintf(logd.host, sizeof(logd.host), "%.*s", (int)strcspn(c->main_host_name, "."),
		c->main_host_name);
	umask(027); /* the group of a log file may read it */
	logd.lines = BUF_INIT(GATHER_BYTES);
	if (strcmp(target, "stderr") == 0) {
		logd.target = TARGET_STDERR;
		logd.fd = STDERR_FILENO;
		return 0;
	}
	if (*target == '/')
		(void)snprintf(logd.path, sizeof(logd.path), "%s", target);
	if (strcmp(target, "syslog") == 0 ||
		(strcmp(target, "auto") == 0 && !*c->paths.sandbox && stat("/dev/log", &st) == 0)) {
		logd.target = TARGET_SYSLOG;
		logd.fd = open_syslog();
		if (logd.fd >= 0 || strcmp(target, "syslog") == 0)
			return logd.fd < 0 ? logd.fd : 0;
	}
	logd.target = TARGET_FILE;
	logd.fd = open_file();
	if (logd.fd < 0) {
		log_error("log file %s: %s", logd.path, strerror(-logd.fd));
		return logd.fd;
	}
	r = own_file(c, logd.fd);
	return r;
}

/* A rotation moved the file away: go on in the new one, when somebody made it or we can. */
static void on_rotation_look(uv_timer_t *timer)
{
	struct stat ours, there;
	int fd;

	(void)timer;
	if (fstat(logd.fd, &ours) == 0 && stat(logd.path, &there) == 0 && ours.st_ino == there.st_ino &&
		ours.st_dev == there.st_dev)
		return;
	fd = open_file();
	if (fd >= 0) {
		(void)close(logd.fd); /* appended lines are in the old file already */
		logd.fd = fd;
	}
}

/* ---- lines ---- */

/* Every role escapes what it logs; one that was taken over does not, and must not forge lines. */
static struct slice one_line(struct slice line, char clean[LIMIT_LOG_LINE])
{
	size_t n = MIN(line.len, (size_t)LIMIT_LOG_LINE);

	for (size_t i = 0; i < n; i++)
		clean[i] = (unsigned char)line.at[i] < 0x20 || line.at[i] == 0x7f ? '?' : line.at[i];
	return (struct slice){ clean, n };
}

static const char *time_stamp(uint64_t wall_us)
{
	int64_t s = (int64_t)(wall_us / 1000000);
	time_t t = (time_t)s;
	struct tm tm;

	if (s != logd.stamp_s && localtime_r(&t, &tm)) {
		(void)strftime(logd.stamp, sizeof(logd.stamp), "%b %e %H:%M:%S", &tm); /* fits always */
		logd.stamp_s = s;
	}
	return logd.stamp;
}

static const char *level_prefix(uint8_t level)
{
	return level == LOG_LEVEL_ERROR ? "error: " : level == LOG_LEVEL_WARNING ? "warning: " : "";
}

static void send_syslog(
	struct role_process *rp, const struct msg_LOG_LINE *m, const char *tag, struct slice text)
{
	static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	char line[LIMIT_LOG_LINE + 128];
	int n = snprintf(line, sizeof(line), "<%d>%s postrider/%s[%u]: %s%.*s",
		LOG_MAIL | priorities[m->level % ARRAY_LEN(priorities)], time_stamp(m->wall_us), tag, m->pid,
		level_prefix(m->level), SLICE_ARG(text));

	if (send(logd.fd, line, MIN((size_t)n, sizeof(line) - 1), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return;
	logd.dropped++;
	if (errno == ECONNREFUSED || errno == ENOTCONN || errno == ECONNRESET)
		role_exit(rp, 0); /* syslogd was restarted; we cannot connect from the jail, but the next
				     process can */
}

static void on_log_line(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_LOG_LINE *m = &any->LOG_LINE;
	const char *tag = ch->peer == ROLE_SUPERVISOR ? "postriderd" : role_name(ch->peer);
	char clean[LIMIT_LOG_LINE];
	struct slice text = one_line(m->line, clean);

	(void)fd;
	if (logd.target == TARGET_SYSLOG) {
		send_syslog(role_of(ch), m, tag, text);
		return;
	}
	buf_printf(&logd.lines, "%s %s postrider/%s[%u]: %s", time_stamp(m->wall_us), logd.host, tag, m->pid,
		level_prefix(m->level));
	buf_append(&logd.lines, text);
	buf_append_byte(&logd.lines, '\n');
	if (!buf_ok(&logd.lines)) {
		size_t whole = slice_rfind(buf_slice(&logd.lines), '\n');
		logd.lines.failed = false;
		logd.lines.len = whole < logd.lines.len ? whole + 1 : 0;
		logd.dropped++;
	}
}

static void on_turn(uv_prepare_t *handle)
{
	ssize_t n;

	(void)handle;
	if (logd.lines.len == 0)
		return;
	n = write(logd.fd, logd.lines.at, logd.lines.len);
	if (n > 0)
		buf_drop_front(&logd.lines, (size_t)n);
	if (logd.dropped && logd.lines.len == 0) {
		buf_printf(&logd.lines,
			"%s %s postrider/log[%d]: warning: %" PRIu64 " log lines were dropped\n", logd.stamp,
			logd.host, (int)getpid(), logd.dropped);
		logd.dropped = 0;
	}
}

/* ---- the role ---- */

static int logd_after_jail(struct role_process *rp)
{
	CHECK(uv_prepare_init(rp->loop, &logd.turn) == 0);
	CHECK(uv_prepare_start(&logd.turn, on_turn) == 0);
	if (logd.target == TARGET_FILE) {
		CHECK(uv_timer_init(rp->loop, &logd.rotation) == 0);
		CHECK(uv_timer_start(&logd.rotation, on_rotation_look, ROTATION_LOOK_MS, ROTATION_LOOK_MS) ==
			0);
	}
	return 0;
}

/* The log role cannot send its own lines to itself. */
static void log_to_own_lines(enum log_level level, struct slice line, void *user)
{
	(void)user;
	buf_printf(&logd.lines, "%s %s postrider/log[%d]: %s%.*s\n", time_stamp(clock_wall_us()), logd.host,
		(int)getpid(), level_prefix((uint8_t)level), SLICE_ARG(line));
}

static void logd_on_peer(struct role_process *rp, struct channel *ch)
{
	(void)rp, (void)ch;
	log_set_sink(log_to_own_lines, NULL);
}

static void logd_on_stop(struct role_process *rp)
{
	/* Last words of the others are in our channels: one more turn reads them, then we are done. */
	for (int i = 0; i < 3; i++)
		(void)uv_run(rp->loop, UV_RUN_NOWAIT);
	on_turn(NULL);
	role_exit(rp, 0);
}

static const msg_handler handlers[MSG_TYPE_COUNT] = { [MSG_LOG_LINE] = on_log_line };
static const struct jail jail = { .may_write_files = true };
static const struct role_hooks hooks = {
	.role = ROLE_LOG,
	.handlers = handlers,
	.jail = &jail,
	.before_jail = logd_before_jail,
	.after_jail = logd_after_jail,
	.on_peer = logd_on_peer,
	.on_stop = logd_on_stop,
};

int logd_main(int argc, char **argv)
{
	return role_main(&hooks, argc, argv);
}
