/* SPDX-License-Identifier: Apache-2.0 */
/* logd.c - see logd.h; the wording of lines is that of classic syslog files, which log analysers read */
#include "logd/logd.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "ipc/role.h"
#include "logd/order.h"
#include <fcntl.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>

#define GATHER_BYTES (4 * 1024 * 1024) /* unwritten lines before new ones are dropped */
#define ROTATION_LOOK_MS 1000
#define LAST_TURNS 3

enum log_target { TARGET_FILE, TARGET_SYSLOG, TARGET_STDERR };

static struct {
	struct role_process *rp;
	enum log_target target;
	char path[PATH_MAX];
	int fd;
	struct buf lines;
	uint64_t dropped;
	char stamp[32]; /* text of stamp_s: formatted once a second */
	int64_t stamp_s;
	char host[256];
	uv_prepare_t turn;
	struct order order; /* lines that wait for older ones */
	uint64_t released_us;
	uv_timer_t release, rotation;
	uv_check_t last_turns; /* from the order to stop on */
	uv_idle_t no_sleep;
	unsigned n_last_turns;
} logd = { .fd = -1, .order = { .max_bytes = GATHER_BYTES } };

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

	logd.rp = rp;
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

/* False: syslogd does not take it now. */
static bool send_syslog(const struct order_line *l)
{
	static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	char text[LIMIT_LOG_LINE + 128];
	int n = snprintf(text, sizeof(text), "<%d>%s postrider/%s[%u]: %s%.*s",
		LOG_MAIL | priorities[l->level % ARRAY_LEN(priorities)], time_stamp(l->wall_us), l->tag,
		l->pid, level_prefix(l->level), SLICE_ARG(l->text));

	if (send(logd.fd, text, MIN((size_t)n, sizeof(text) - 1), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno == ECONNREFUSED || errno == ENOTCONN || errno == ECONNRESET)
		role_exit(logd.rp, 0); /* syslogd was restarted; we cannot connect from the jail, but the
					  next process can */
	return false;
}

/* False: too much is unwritten. */
static bool gather(const struct order_line *l)
{
	size_t before = logd.lines.len;

	buf_printf(&logd.lines, "%s %s postrider/%s[%u]: %s", time_stamp(l->wall_us), logd.host, l->tag,
		l->pid, level_prefix(l->level));
	buf_append(&logd.lines, l->text);
	buf_append_byte(&logd.lines, '\n');
	if (buf_ok(&logd.lines))
		return true;
	logd.lines.failed = false;
	logd.lines.len = before;
	return false;
}

static bool put_line(const struct order_line *l)
{
	return logd.target == TARGET_SYSLOG ? send_syslog(l) : gather(l);
}

static bool put_own_line(enum log_level level, struct slice text)
{
	return put_line(&(struct order_line){ .level = (uint8_t)level,
		.wall_us = clock_wall_us(),
		.tag = role_name(ROLE_LOG),
		.pid = logd.rp->pid,
		.text = text });
}

static void tell_dropped(void)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%" PRIu64 " log lines were dropped", logd.dropped);

	if (put_own_line(LOG_LEVEL_WARNING, (struct slice){ text, (size_t)n }))
		logd.dropped = 0;
}

/* Work that other mail systems have programs of their own for: analysers look for their names. */
static const char *program_of(struct slice name, enum role from)
{
	static const char *const programs[] = { "pickup", "cleanup" };

	for (size_t i = 0; name.len && i < ARRAY_LEN(programs); i++)
		if (slice_eq(name, slice_of(programs[i])))
			return programs[i];
	return from == ROLE_SUPERVISOR ? "postriderd" : role_name(from);
}

static void put_lines_until(uint64_t until_us)
{
	struct order_line *line;

	while ((line = order_take(&logd.order, until_us))) {
		logd.dropped += !put_line(line);
		mem_free(line);
	}
}

static void on_release(uv_timer_t *timer)
{
	uint64_t now_us = clock_wall_us();

	/* After a clock that was set back no line need wait for its time to come again. */
	put_lines_until(now_us < logd.released_us ? UINT64_MAX : now_us - ORDER_US);
	logd.released_us = now_us;
	if (heap_min(&logd.order.lines))
		CHECK(uv_timer_start(timer, on_release, ORDER_US / 1000, 0) == 0);
}

static void on_log_line(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_LOG_LINE *m = &any->LOG_LINE;
	char clean[LIMIT_LOG_LINE];

	(void)fd;
	logd.dropped += !order_put(&logd.order,
		&(struct order_line){ .level = m->level,
			.wall_us = m->wall_us,
			.tag = program_of(m->program, ch->peer),
			.pid = m->pid,
			.text = one_line(m->line, clean) },
		clock_wall_us());
	if (!uv_is_active((uv_handle_t *)&logd.release))
		CHECK(uv_timer_start(&logd.release, on_release, ORDER_US / 1000, 0) == 0);
}

static void write_gathered(void)
{
	ssize_t n = logd.lines.len ? write(logd.fd, logd.lines.at, logd.lines.len) : 0;

	if (n > 0)
		buf_drop_front(&logd.lines, (size_t)n);
}

static void on_turn(uv_prepare_t *handle)
{
	(void)handle;
	write_gathered();
	if (logd.dropped && logd.lines.len == 0) {
		tell_dropped();
		write_gathered();
	}
}

/* ---- the role ---- */

static int logd_after_jail(struct role_process *rp)
{
	CHECK(uv_check_init(rp->loop, &logd.last_turns) == 0 && uv_idle_init(rp->loop, &logd.no_sleep) == 0);
	CHECK(uv_prepare_init(rp->loop, &logd.turn) == 0);
	CHECK(uv_timer_init(rp->loop, &logd.release) == 0);
	CHECK(uv_prepare_start(&logd.turn, on_turn) == 0);
	if (logd.target == TARGET_FILE) {
		CHECK(uv_timer_init(rp->loop, &logd.rotation) == 0);
		CHECK(uv_timer_start(&logd.rotation, on_rotation_look, ROTATION_LOOK_MS, ROTATION_LOOK_MS) ==
			0);
	}
	return 0;
}

/* The log role cannot send its own lines to itself. */
static void log_to_own_lines(enum log_level level, const char *program, struct slice line, void *user)
{
	(void)program, (void)user;
	logd.dropped += !put_own_line(level, line);
}

static void logd_on_peer(struct role_process *rp, struct channel *ch)
{
	(void)rp, (void)ch;
	log_set_sink(log_to_own_lines, NULL);
}

static void on_no_sleep(uv_idle_t *handle)
{
	(void)handle; /* that it is active is enough */
}

static void on_last_turn(uv_check_t *handle)
{
	(void)handle;
	if (++logd.n_last_turns < LAST_TURNS)
		return;
	put_lines_until(UINT64_MAX);
	on_turn(NULL);
	role_exit(logd.rp, 0);
}

/* Last words of the others are in our channels: a few more turns read them, then we are done. */
static void logd_on_stop(struct role_process *rp)
{
	(void)rp;
	CHECK(uv_idle_start(&logd.no_sleep, on_no_sleep) == 0);
	CHECK(uv_check_start(&logd.last_turns, on_last_turn) == 0);
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
