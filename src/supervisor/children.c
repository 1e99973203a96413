/* SPDX-License-Identifier: Apache-2.0 */
/* children.c - starting, connecting, restarting and stopping the processes of the roles; see supervisor.h */
#include "base/clock.h"
#include "supervisor/supervisor.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define RESTART_MIN_MS 100
#define RESTART_MAX_MS 30000
#define FAILURES_AT_START 5 /* of one role before anything was served: somebody must act */
#define HEALTHY_MS 30000    /* who lived that long starts again at once */

static void child_start(struct child *c);

static struct child *child_of(const struct channel *ch)
{
	return ch->user;
}

/* ---- connecting ---- */

static bool rows_linked(enum role a, enum role b)
{
	for (size_t i = 0; i < n_role_links; i++)
		if ((role_links[i].a == a && role_links[i].b == b) ||
			(role_links[i].a == b && role_links[i].b == a))
			return true;
	return false;
}

static void child_send_config(struct child *c)
{
	const struct supervisor *s = c->supervisor;
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", s->config_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC); /* an offset of its own for each reader */
	if (fd < 0)
		return;
	channel_send_fd(
		c->control, MSG_CONFIG, &(struct msg_CONFIG){ .generation = s->config_generation }, fd);
	c->config_generation = s->config_generation;
}

static void child_give_listeners(struct child *c)
{
	struct supervisor *s = c->supervisor;

	if (c->row->role == ROLE_QUEUE) {
		int fd = fcntl(s->control_listener, F_DUPFD_CLOEXEC, 3);
		if (fd >= 0)
			channel_send_fd(c->control, MSG_LISTENER,
				&(struct msg_LISTENER){ .address = SLICE("control") }, fd);
	}
	for (size_t i = 0; c->row->role == ROLE_SMTPD && i < s->n_listeners; i++) {
		int fd;
		if (s->listeners[i].instance != c->instance)
			continue;
		fd = fcntl(s->listeners[i].fd, F_DUPFD_CLOEXEC, 3);
		if (fd >= 0)
			channel_send_fd(c->control, MSG_LISTENER,
				&(struct msg_LISTENER){ .address = slice_of(s->listeners[i].address) }, fd);
	}
}

static void on_ready(struct channel *control, const union msg_any *m, int *fd)
{
	struct child *c = child_of(control);
	struct supervisor *s = c->supervisor;

	(void)fd;
	if (c->is_ready)
		return;
	c->is_ready = true;
	c->landlock_abi = m->READY.landlock_abi;
	c->is_sandboxed = m->READY.sandboxed;
	if (c->row->role == ROLE_LOG)
		s->log = control;
	if (c->config_generation != s->config_generation) /* a reload while it was starting */
		child_send_config(c);
	for (size_t i = 0; i < s->n_children; i++) {
		struct child *peer = &s->children[i];
		if (peer != c && peer->is_ready && rows_linked(c->row->role, peer->row->role))
			links_make(c, peer);
	}
	child_give_listeners(c);
	supervisor_report_state(s);
}

static void on_restart_wanted(struct channel *control, const union msg_any *m, int *fd)
{
	struct supervisor *s = child_of(control)->supervisor;

	(void)fd;
	for (size_t i = 0; i < s->n_children; i++) {
		struct child *c = &s->children[i];
		if (c->pid && c->row->role == ROLE_USERS && m->RESTART.role == ROLE_USERS &&
			c->instance == m->RESTART.instance) {
			log_warning("user database helper %u does not answer; starting another", c->instance);
			c->started_ms = 0;	     /* it had a long life: no pause before the next */
			(void)kill(c->pid, SIGKILL); /* it may be gone already */
		}
	}
}

static void on_channel_lost(struct channel *control, const union msg_any *m, int *fd)
{
	struct child *c = child_of(control);

	(void)fd;
	if (!c->supervisor->is_stopping)
		links_lost(c, &m->CHANNEL_LOST);
}

static void on_socket_wanted(struct channel *control, const union msg_any *m, int *fd)
{
	int socket = mailbox_socket_open(child_of(control)->supervisor->config);

	(void)fd;
	channel_send_fd(control, MSG_SOCKET_ANSWER,
		&(struct msg_SOCKET_ANSWER){
			.request = m->SOCKET_ASK.request, .error = socket < 0 ? (uint32_t)-socket : 0 },
		socket < 0 ? -1 : socket);
}

static const msg_handler control_handlers[MSG_TYPE_COUNT] = {
	[MSG_READY] = on_ready,
	[MSG_CHANNEL_LOST] = on_channel_lost,
	[MSG_RESTART] = on_restart_wanted,
	[MSG_SOCKET_ASK] = on_socket_wanted,
};

static void on_control_closed(struct channel *control, const char *why)
{
	struct child *c = child_of(control);

	if (strcmp(why, "closed") != 0) {
		log_error("%s[%d]: %s; it is stopped", role_name(c->row->role), (int)c->pid, why);
		(void)kill(c->pid, SIGKILL); /* SIGCHLD follows in any case */
	}
	c->is_ready = false;
	links_forget(c);
	if (c->supervisor->log == control)
		c->supervisor->log = NULL;
	channel_free(&c->control);
}

static const struct channel_hooks control_hooks = { control_handlers, NULL, on_control_closed };

/* ---- starting ---- */

/* In the child: descriptors 0-2, the control channel at 3, the configuration at 4, nothing else. */
static _Noreturn void child_exec(const struct child *c, int control)
{
	const struct supervisor *s = c->supervisor;
	char title[64], instance[32], sandbox[PATH_MAX];
	char *argv[] = { title, instance, sandbox, NULL };
	char *envp[] = { NULL, NULL, NULL };
	sigset_t none;
	size_t n_env = 0;
	int config, binary;

	(void)snprintf(instance, sizeof(instance), "--instance=%u", c->instance);
	(void)snprintf(sandbox, sizeof(sandbox), "--sandbox=%s", s->paths.sandbox);
	const char *tz = getenv("TZ");
	char tz_setting[256];
	if (tz && snprintf(tz_setting, sizeof(tz_setting), "TZ=%s", tz) < (int)sizeof(tz_setting))
		envp[n_env++] = tz_setting;
#if defined(__SANITIZE_ADDRESS__)
	char asan[] = "ASAN_OPTIONS=detect_leaks=0:abort_on_error=1";
	envp[n_env++] = asan;
#endif
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	control = fcntl(control, F_DUPFD, 10);
	(void)snprintf(title, sizeof(title), "/proc/self/fd/%d", s->config_fd);
	config = open(title, O_RDONLY); /* an offset of its own: others read it at the same time */
	(void)snprintf(title, sizeof(title), "postriderd: %s", role_name(c->row->role));
	binary = fcntl(s->binary_fd, F_DUPFD_CLOEXEC, 10);
	if (control < 0 || config < 0 || binary < 0 || dup2(control, ROLE_FD_CONTROL) < 0 ||
		dup2(config, ROLE_FD_CONFIG) < 0)
		_exit(71);
	(void)close(control);
	(void)close(config);
	(void)fexecve(binary, argv, envp);
	_exit(71);
}

static void on_restart_time(uv_timer_t *timer)
{
	child_start(CONTAINER_OF(timer, struct child, timer));
}

static void child_start_later(struct child *c)
{
	uint64_t lived_ms = clock_mono_ms() - c->started_ms;
	uint64_t pause_ms = 0;

	c->failures = lived_ms > HEALTHY_MS ? 0 : c->failures + 1;
	if (c->failures > 1)
		pause_ms =
			MIN((uint64_t)RESTART_MIN_MS << MIN(c->failures - 2, 16u), (uint64_t)RESTART_MAX_MS);
	CHECK(uv_timer_start(&c->timer, on_restart_time, pause_ms, 0) == 0);
}

static void child_start(struct child *c)
{
	struct supervisor *s = c->supervisor;
	int fds[2];

	if (s->is_stopping)
		return;
	c->started_ms = clock_mono_ms();
	c->config_generation = s->config_generation;
	if (channel_pair(fds) < 0) {
		log_error("cannot start %s: %s", role_name(c->row->role), strerror(errno));
		child_start_later(c);
		return;
	}
	c->pid = fork();
	if (c->pid == 0)
		child_exec(c, fds[1]);
	(void)close(fds[1]);
	if (c->pid < 0) {
		log_error("cannot start %s: %s", role_name(c->row->role), strerror(errno));
		c->pid = 0;
		(void)close(fds[0]);
		child_start_later(c);
		return;
	}
	c->control =
		channel_new(s->loop, fds[0], ROLE_SUPERVISOR, c->row->role, c->instance, &control_hooks, c);
	CHECK(c->control != NULL);
}

void children_start_all(struct supervisor *s)
{
	for (size_t i = 0; i < n_role_rows; i++) {
		unsigned n = role_rows[i].count(s->config);
		for (unsigned k = 0; k < n && s->n_children < SUPERVISOR_MAX_CHILDREN; k++) {
			struct child *c = &s->children[s->n_children++];
			*c = (struct child){ .row = &role_rows[i], .instance = k, .supervisor = s };
			CHECK(uv_timer_init(s->loop, &c->timer) == 0);
			child_start(c);
		}
	}
}

/* ---- ending ---- */

static void child_ended(struct child *c, int status)
{
	struct supervisor *s = c->supervisor;
	const char *name = role_name(c->row->role);

	if (!s->is_stopping) {
		if (WIFSIGNALED(status))
			log_error("%s[%d] was killed by signal %d; starting another", name, (int)c->pid,
				WTERMSIG(status));
		else if (WEXITSTATUS(status) != 0)
			log_error("%s[%d] ended with status %d; starting another", name, (int)c->pid,
				WEXITSTATUS(status));
	}
	c->pid = 0;
	c->is_ready = false;
	links_forget(c);
	if (s->log && c->row->role == ROLE_LOG)
		s->log = NULL;
	channel_free(&c->control);
	if (!s->is_stopping)
		child_start_later(c);
	if (!s->said_ready && !s->is_stopping && c->failures >= FAILURES_AT_START) {
		log_error("%s cannot start, for the reason above; mail is not served (`postrider config "
			  "check`, "
			  "`postrider setup`)",
			name);
		supervisor_give_up(s);
	}
	supervisor_report_state(s);
}

void children_reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (watch_reaped(s, pid, status))
			continue;
		for (size_t i = 0; i < s->n_children; i++)
			if (s->children[i].pid == pid)
				child_ended(&s->children[i], status);
	}
}

bool children_any_in_stage(const struct supervisor *s, unsigned stage)
{
	for (size_t i = 0; i < s->n_children; i++)
		if (s->children[i].pid && s->children[i].row->stop_stage == stage)
			return true;
	return false;
}

void children_stop_stage(struct supervisor *s, unsigned stage)
{
	for (size_t i = 0; i < s->n_children; i++) {
		struct child *c = &s->children[i];
		if (c->row->stop_stage != stage || !c->pid)
			continue;
		if (c->control && c->is_ready)
			SEND(c->control, STOP, 0);
		else
			(void)kill(c->pid, SIGKILL); /* still starting: it holds nothing yet */
	}
}

static void child_kill(const struct child *c)
{
	log_warning("%s[%d] does not stop; killed", role_name(c->row->role), (int)c->pid);
	(void)kill(c->pid, SIGKILL); /* SIGCHLD follows */
}

void children_kill_stage(struct supervisor *s, unsigned stage)
{
	for (size_t i = 0; i < s->n_children; i++)
		if (s->children[i].pid && s->children[i].row->stop_stage == stage)
			child_kill(&s->children[i]);
}

static void on_stop_overdue(uv_timer_t *timer)
{
	const struct child *c = CONTAINER_OF(timer, struct child, timer);

	if (c->pid)
		child_kill(c);
}

void children_recycle(struct supervisor *s, enum role role)
{
	for (size_t i = 0; i < s->n_children; i++) {
		struct child *c = &s->children[i];
		if (c->row->role == role && c->control && c->is_ready) {
			if (uv_is_active((uv_handle_t *)&c->timer))
				continue; /* it was told already */
			c->started_ms = 0;
			SEND(c->control, STOP, 0);
			CHECK(uv_timer_start(&c->timer, on_stop_overdue, STOP_STAGE_MS, 0) == 0);
		}
	}
}

void children_send_config(struct supervisor *s)
{
	for (size_t i = 0; i < s->n_children; i++) {
		struct child *c = &s->children[i];
		if (c->control && c->is_ready)
			child_send_config(c);
	}
}

/* ---- for `postrider status` ---- */

void supervisor_report_state(struct supervisor *s)
{
	auto_buf struct buf text = BUF_INIT(64 * 1024);

	for (size_t i = 0; i < s->n_children; i++) {
		const struct child *c = &s->children[i];
		buf_printf(&text, "%s %u: %s", role_name(c->row->role), c->instance,
			c->is_ready	 ? "running"
				: c->pid ? "starting"
					 : "stopped");
		if (c->pid)
			buf_printf(&text, ", pid %d", (int)c->pid);
		if (c->is_ready && c->is_sandboxed)
			buf_printf(&text, ", system call filter, %s",
				c->landlock_abi ? "Landlock" : "no Landlock in this kernel");
		if (c->failures > 1)
			buf_printf(&text, ", failed %u times in a row", c->failures);
		buf_append_byte(&text, '\n');
	}
	buf_printf(&text, "host name: %s: %s\norigin: %s: %s\n", s->config->main_host_name,
		s->config->derived_host_name_rule, s->config->main_origin, s->config->derived_origin_rule);
	if (*s->alias_problem)
		buf_printf(&text, "aliases: %s (the last good table is in use)\n", s->alias_problem);
	for (size_t i = 0; i < s->n_children && buf_ok(&text); i++)
		if (s->children[i].row->role == ROLE_QUEUE && s->children[i].is_ready &&
			s->children[i].control)
			SEND(s->children[i].control, SYSTEM_STATE, .text = buf_slice(&text));
}
