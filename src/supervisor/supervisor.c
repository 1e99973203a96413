/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor.c - start, reload, orderly stop; see supervisor.h */
#include "supervisor/supervisor.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/writer.h"
#include "config/directories.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#if defined(HAVE_SYSTEMD)
#include <systemd/sd-daemon.h>
#endif

static struct supervisor supervisor = {
	.config_fd = -1, .binary_fd = -1, .pid_fd = -1, .control_listener = -1
};

static void notify_manager(const char *state)
{
#if defined(HAVE_SYSTEMD)
	(void)sd_notify(0, state); /* without a service manager there is nobody to tell */
#else
	(void)state;
#endif
}

/* ---- log: through the log role's control channel; before it is there, standard error ---- */

static void log_to_log_role(enum log_level level, const char *program, struct slice line, void *user)
{
	struct supervisor *s = user;

	(void)program;
	if (s->log)
		SEND(s->log, LOG_LINE, .level = (uint8_t)level, .wall_us = clock_wall_us(),
			.pid = (uint32_t)getpid(), .line = line);
	if (!s->log || !s->said_ready)
		(void)fprintf(stderr, "postriderd: %.*s\n", SLICE_ARG(line));
}

/* ---- configuration ---- */

static int config_to_memory(const struct config *c)
{
	auto_close int fd = memfd_create("postrider.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = file_write_all(fd, buf_slice(&c->text));
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	return take_fd(&fd);
}

/* Which names this host goes by, and why: all mail shows them. */
static void tell_names(const struct config *c)
{
	log_info("host name: %s: %s", c->main_host_name, c->derived_host_name_rule);
	log_info("origin: %s: %s", c->main_origin, c->derived_origin_rule);
}

static void needs_restart(const struct setting *s)
{
	log_warning(
		"reload: %s.%s changed; it takes effect when postriderd is restarted", s->section, s->name);
}

static void reload(struct supervisor *s)
{
	struct config *fresh = config_load(&s->paths);
	int fd;

	if (!fresh) {
		log_error("reload: the configuration has mistakes (`postrider config check` names them); "
			  "the running one stays");
		return;
	}
	config_keep_fixed(fresh, s->config, needs_restart);
	fd = config_to_memory(fresh);
	if (fd < 0) {
		log_error("reload: %s; the running configuration stays", strerror(-fd));
		config_free(&fresh);
		return;
	}
	notify_manager("RELOADING=1");
	(void)close(s->config_fd);
	s->config_fd = fd;
	s->config_generation++;
	config_free(&s->config);
	s->config = fresh;
	children_send_config(s);
	supervisor_report_state(s);
	log_info("configuration reloaded");
	tell_names(fresh);
	notify_manager("READY=1");
}

/* ---- stopping: sources of mail first, then deliveries, the queue, look-ups, the log ---- */

static void stop_continue(struct supervisor *s);

static void on_stop_deadline(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	children_kill_stage(s, s->stop_stage);
}

static void stop_continue(struct supervisor *s)
{
	while (s->stop_stage < ROLE_STOP_STAGES && !children_any_in_stage(s, s->stop_stage)) {
		s->stop_stage++;
		children_stop_stage(s, s->stop_stage);
		CHECK(uv_timer_start(&s->stop_deadline, on_stop_deadline, STOP_STAGE_MS, 1000) == 0);
	}
	if (s->stop_stage == ROLE_STOP_STAGES)
		uv_stop(s->loop);
}

static void stop_begin(struct supervisor *s)
{
	if (s->is_stopping)
		return;
	log_info("stopping");
	notify_manager("STOPPING=1");
	s->is_stopping = true;
	children_stop_stage(s, 0);
	CHECK(uv_timer_start(&s->stop_deadline, on_stop_deadline, STOP_STAGE_MS, 1000) == 0);
	stop_continue(s);
}

void supervisor_give_up(struct supervisor *s)
{
	s->exit_status = 78;
	stop_begin(s);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct supervisor *s = handle->data;

	switch (number) {
	case SIGCHLD:
		children_reap(s);
		if (s->is_stopping)
			stop_continue(s);
		break;
	case SIGHUP: reload(s); break;
	default: stop_begin(s); break;
	}
}

static void watch_signals(struct supervisor *s)
{
	static const int numbers[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGQUIT };

	static_assert(ARRAY_LEN(numbers) == ARRAY_LEN(supervisor.signals), "one handle each");
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		CHECK(uv_signal_init(s->loop, &s->signals[i]) == 0);
		s->signals[i].data = s;
		CHECK(uv_signal_start(&s->signals[i], on_signal, numbers[i]) == 0);
	}
}

/* ---- directories ---- */

static void on_directory(enum directory_event event, const char *path, const char *what, void *user)
{
	(void)user;
	if (event == DIRECTORY_NO_USER)
		log_error("%s: the user or group %s does not exist; run `postrider setup`", path, what);
	if (event == DIRECTORY_FAILED)
		log_error("%s: %s", path, what);
}

/* ---- one daemon per place ---- */

static bool take_pid_file(struct supervisor *s)
{
	char text[32];
	int n;

	s->pid_fd = open(s->paths.pid_file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (s->pid_fd < 0) {
		log_error("%s: %s", s->paths.pid_file, strerror(errno));
		return false;
	}
	if (flock(s->pid_fd, LOCK_EX | LOCK_NB) < 0) {
		auto_buf struct buf other = BUF_INIT(64);
		(void)file_read_all(s->pid_fd, &other); /* only for the message */
		log_error("already running, as process %.*s", SLICE_ARG(slice_trim(buf_slice(&other))));
		return false;
	}
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(s->pid_fd, 0) < 0 ||
		file_pwrite_all(s->pid_fd, (struct slice){ text, (size_t)n }, 0) < 0) {
		log_error("%s: cannot write it", s->paths.pid_file);
		return false;
	}
	return true;
}

/* ---- start ---- */

/* Told to whoever started us when mail is being served: descriptor of a pipe, or -1. */
static int background_pipe = -1;

static void on_all_ready(struct supervisor *s)
{
	char ok = 1;

	s->said_ready = true;
	log_info("postriderd %s is ready, pid %d", POSTRIDER_VERSION, (int)getpid());
	tell_names(s->config);
	notify_manager("READY=1");
	if (background_pipe >= 0) {
		(void)!write(background_pipe, &ok, 1); /* who waited may be gone */
		cleanup_close(&background_pipe);
		background_pipe = -1;
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int fd = 0; null >= 0 && fd <= 2; fd++)
			(void)dup2(null, fd);
		cleanup_close(&null);
	}
}

static void on_turn(uv_check_t *check)
{
	struct supervisor *s = check->data;

	if (s->said_ready || s->is_stopping || watch_is_rebuilding())
		return;
	for (size_t i = 0; i < s->n_children; i++)
		if (!s->children[i].is_ready)
			return;
	on_all_ready(s);
}

/* What was said until now. */
static void pass_on(int words)
{
	char text[4096];
	ssize_t n;

	while ((n = read(words, text, sizeof(text))) > 0)
		(void)!write(STDERR_FILENO, text, (size_t)n); /* nobody to tell: then it is not told */
}

/* Says what the daemon says until it is ready, or has ended; the status to leave with. */
static int wait_until_ready(pid_t pid, int ready, int words)
{
	struct pollfd fds[] = { { .fd = ready, .events = POLLIN }, { .fd = words, .events = POLLIN } };
	int status = 0;
	char ok;

	(void)fcntl(words, F_SETFL, O_NONBLOCK);
	while (fds[0].revents == 0) {
		if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
			return 1;
		pass_on(words);
		if (fds[1].revents & POLLHUP)
			fds[1].fd = -1;
	}
	pass_on(words);
	if (read(ready, &ok, 1) == 1)
		return 0;
	/* It ended: with the status that a start in the foreground has. */
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Neither the daemon nor its roles hold the caller's terminal or pipe: who reads that would wait for their
 * end. */
static bool take_background(int ready, int words)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bool is_done = null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(words, STDOUT_FILENO) >= 0 &&
		dup2(words, STDERR_FILENO) >= 0;

	cleanup_close(&null);
	(void)close(words);
	(void)setsid();
	background_pipe = ready;
	return is_done;
}

/* The process that was called waits until mail is served, then leaves with the status that says so. */
static bool go_background(void)
{
	int ready[2], words[2];
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return false;
	if (pipe2(words, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return false; /* the process ends, and its pipes with it */
	if (pid > 0) {
		(void)close(ready[1]);
		(void)close(words[1]);
		_exit(wait_until_ready(pid, ready[0], words[0]));
	}
	(void)close(ready[0]);
	(void)close(words[0]);
	return take_background(ready[1], words[1]);
}

/* It says as whom commands run. */
static void warn_of_writers(const struct paths *paths)
{
	struct file_writer w;

	if (!*paths->sandbox && file_other_writer(paths->config_file, &w))
		log_warning("%s may write %s, and so become root: %s %s", w.who, w.where, w.mend, w.where);
}

static bool supervisor_prepare(struct supervisor *s, const struct paths *paths)
{
	s->loop = uv_default_loop();
	s->paths = *paths;
	umask(022);
	s->config = config_load(paths);
	if (!s->config)
		return false;
	warn_of_writers(paths);
	s->config_fd = config_to_memory(s->config);
	s->binary_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (s->config_fd < 0 || s->binary_fd < 0) {
		log_error("cannot prepare the roles: %s", strerror(s->config_fd < 0 ? -s->config_fd : errno));
		return false;
	}
	return directories_make(s->config, on_directory, NULL) && take_pid_file(s) && listeners_open(s);
}

int supervisor_run(const struct paths *paths, bool background)
{
	struct supervisor *s = &supervisor;
	static uv_check_t turn;

	log_set_sink(log_to_log_role, s);
	if (!*paths->sandbox && geteuid() != 0) {
		log_error("must be started by root (or with --sandbox DIR by anyone)");
		return 77;
	}
	if (background && !go_background()) {
		log_error("cannot go to the background: %s", strerror(errno));
		return 71;
	}
	if (!supervisor_prepare(s, paths))
		return 78;
	watch_signals(s);
	CHECK(uv_timer_init(s->loop, &s->stop_deadline) == 0);
	s->stop_deadline.data = s;
	CHECK(uv_check_init(s->loop, &turn) == 0);
	turn.data = s;
	CHECK(uv_check_start(&turn, on_turn) == 0);
	links_init(s);
	children_start_all(s);
	watch_start(s);
	(void)uv_run(s->loop, UV_RUN_DEFAULT);
	listeners_close(s);
	(void)unlink(s->paths.pid_file); /* a leftover without its lock stops nobody */
	return s->exit_status;
}
