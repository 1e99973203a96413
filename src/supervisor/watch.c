/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch.c - files that people edit under a running daemon; see supervisor.h
 *
 * Looked at twice a second: a stat is cheap, works on every file system, and needs no event that could be
 * lost. The aliases are rebuilt by a short-lived child, because the supervisor parses nothing.
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "supervisor/supervisor.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LOOK_EVERY_MS 500
#define STILL_MS 2000
#define REBUILD_MS 60000 /* then it is killed: its file system hangs, or its parser does */

struct stamp {
	ino_t inode;
	off_t size;
	struct timespec mtime;
};

struct watched {
	const char *path;
	struct stamp seen;
	uint64_t changed_ms; /* 0: nothing new since it was dealt with */
};

static struct {
	struct watched aliases[LIMIT_ALIAS_FILES], resolv_conf, hosts;
	size_t n_aliases;
	pid_t rebuild_pid; /* 0: none runs */
	uint64_t rebuild_started_ms;
	bool is_rebuild_overdue; /* it was killed, which may take a while, too */
	int rebuild_out;	 /* its lines about problems */
} watch = { .rebuild_out = -1 };

static struct stamp stamp_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct stamp){ 0 };
	return (struct stamp){ .inode = st.st_ino, .size = st.st_size, .mtime = st.st_mtim };
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
	return a->inode == b->inode && a->size == b->size && a->mtime.tv_sec == b->mtime.tv_sec &&
		a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/* True once per change, when the file has been still long enough for an editor to be done. */
static bool watched_settled(struct watched *w)
{
	struct stamp now = stamp_of(w->path);

	if (!stamp_equal(&now, &w->seen)) {
		w->seen = now;
		w->changed_ms = clock_mono_ms();
		return false;
	}
	if (w->changed_ms == 0 || clock_mono_ms() - w->changed_ms < STILL_MS)
		return false;
	w->changed_ms = 0;
	return true;
}

static _Noreturn void exec_rebuild(const struct supervisor *s, int out)
{
	char title[] = "postriderd: alias-rebuild", sandbox[PATH_MAX];
	char *argv[] = { title, sandbox, NULL };
	char *envp[] = { NULL };
	int binary = fcntl(s->binary_fd, F_DUPFD_CLOEXEC, 10);

	(void)snprintf(sandbox, sizeof(sandbox), "--sandbox=%s", s->paths.sandbox);
	/* A group of its own: the process that parses for it ends with it. */
	if (setpgid(0, 0) < 0 || binary < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(71);
	(void)fexecve(binary, argv, envp);
	_exit(71);
}

static int rebuild_fork(struct supervisor *s)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		exec_rebuild(s, fds[1]);
	(void)close(fds[1]);
	if (pid < 0) {
		int r = -errno;
		(void)close(fds[0]);
		return r;
	}
	watch.rebuild_pid = pid;
	watch.rebuild_out = fds[0];
	/* Whoever else holds the other end, we do not wait for. */
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	return 0;
}

/* None runs. When it cannot be started, the change stays to be dealt with. */
static void rebuild_start(struct supervisor *s)
{
	int r = rebuild_fork(s);

	if (r < 0) {
		log_error("cannot rebuild the alias table: %s", strerror(-r));
		watch.aliases[0].changed_ms = clock_mono_ms();
		return;
	}
	watch.rebuild_started_ms = clock_mono_ms();
	watch.is_rebuild_overdue = false;
}

static void rebuild_look(void)
{
	if (watch.is_rebuild_overdue || clock_mono_ms() - watch.rebuild_started_ms < REBUILD_MS)
		return;
	watch.is_rebuild_overdue = true;
	log_warning("rebuilding the alias table takes too long; the last good one stays in use");
	(void)kill(-watch.rebuild_pid, SIGKILL); /* SIGCHLD follows */
}

bool watch_is_rebuilding(void)
{
	return watch.rebuild_pid != 0 && !watch.is_rebuild_overdue;
}

bool watch_reaped(struct supervisor *s, pid_t pid, int status)
{
	auto_buf struct buf text = BUF_INIT(64 * 1024);
	struct slice rest, line;

	if (pid != watch.rebuild_pid)
		return false;
	watch.rebuild_pid = 0;
	(void)file_read_all(watch.rebuild_out, &text); /* as much as came */
	cleanup_close(&watch.rebuild_out);
	watch.rebuild_out = -1;
	rest = buf_slice(&text);
	while (slice_next_line(&rest, &line))
		log_warning("aliases: %.*s", SLICE_ARG(line));
	rest = buf_slice(&text);
	s->alias_problem[0] = '\0';
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		if (!slice_next_line(&rest, &line))
			line = watch.is_rebuild_overdue ? SLICE("rebuilding the table took too long")
							: SLICE("the table could not be rebuilt");
		(void)snprintf(s->alias_problem, sizeof(s->alias_problem), "%.*s", SLICE_ARG(line));
	}
	supervisor_report_state(s);
	return true;
}

/* All files are rebuilt that need it when one has changed. */
static bool aliases_settled(void)
{
	bool has_settled = false;

	for (size_t i = 0; i < watch.n_aliases; i++)
		has_settled |= watched_settled(&watch.aliases[i]);
	return has_settled;
}

static void on_look(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;
	bool hosts_changed;

	if (s->is_stopping)
		return;
	if (watch.rebuild_pid)
		rebuild_look(); /* an edit meanwhile is seen when this has ended */
	else if (aliases_settled())
		rebuild_start(s);
	hosts_changed = watched_settled(&watch.hosts);
	if (watched_settled(&watch.resolv_conf) || hosts_changed) {
		log_info("resolv.conf or hosts changed: the smtp role reads them anew");
		children_recycle(s, ROLE_SMTP);
	}
}

/* The name is copied: a reload frees the configuration, and which files these are needs a restart to change.
 */
static struct watched watched_start(struct slice path)
{
	char *name = slice_dup(path);

	return (struct watched){ .path = name, .seen = stamp_of(name) };
}

void watch_start(struct supervisor *s)
{
	struct slice list = slice_of(s->config->aliases_file), file;

	while (watch.n_aliases < LIMIT_ALIAS_FILES && config_list_next(&list, &file))
		watch.aliases[watch.n_aliases++] = watched_start(file);
	watch.resolv_conf = watched_start(slice_of(s->config->smtp_resolv_conf));
	watch.hosts = watched_start(slice_of(s->config->smtp_hosts_file));
	rebuild_start(s); /* an edit made while nobody watched */
	s->watch.data = s;
	CHECK(uv_timer_init(s->loop, &s->watch) == 0);
	CHECK(uv_timer_start(&s->watch, on_look, LOOK_EVERY_MS, LOOK_EVERY_MS) == 0);
}
