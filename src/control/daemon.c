/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - commands about the daemon as a whole: status, reload, stop; see daemon.h */
#include "control/daemon.h"
#include "base/clock.h"
#include "base/file.h"
#include "control/commands.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sysexits.h>

/* Longer than the supervisor's own patience: five stages of ten seconds (STOP_STAGE_MS in supervisor.c). */
#define STOP_WAIT_MS 90000

/* ---- asking ---- */

static int not_running(const struct paths *paths)
{
	if (*paths->sandbox)
		complain(
			"postriderd is not running; start it with `postriderd --sandbox %s`", paths->sandbox);
	else
		complain("postriderd is not running; start it with `systemctl start postrider` or "
			 "`postriderd -b`. Mail that sendmail takes meanwhile waits in %s",
			paths->drop_dir);
	return EX_UNAVAILABLE;
}

int daemon_open(struct client *c, const struct paths *paths)
{
	int r = client_open(c, paths->control_socket);

	switch (r) {
	case 0: return EX_OK;
	case -ENOENT:
	case -ECONNREFUSED: return not_running(paths);
	case -EPROTO:
		complain("the running postriderd is of another version than this command; restart it");
		return EX_PROTOCOL;
	case -EACCES:
		complain("%s: %s", paths->control_socket,
			*c->refusal ? c->refusal : "the daemon does not talk to this user");
		return c->refusal_code ? c->refusal_code : EX_NOPERM;
	default:
		complain("%s: %s; the daemon runs but does not answer, see its log", paths->control_socket,
			strerror(-r));
		return EX_TEMPFAIL;
	}
}

int daemon_silent(int error)
{
	complain("the daemon went silent: %s", strerror(-error));
	return EX_TEMPFAIL;
}

int daemon_receive(struct client *c, enum msg_type *type_out, union msg_any *m_out)
{
	int r = client_receive(c, type_out, m_out);

	return r == 0 ? EX_OK : daemon_silent(r);
}

int daemon_answer(const struct msg_REQUEST_DONE *done)
{
	if (done->exit_code != EX_OK)
		complain("%.*s", SLICE_ARG(done->text));
	else
		(void)fwrite(done->text.at, 1, done->text.len, stdout); /* run() looks for errors */
	return done->exit_code;
}

int command_status(const struct paths *paths, int n_words, char **words)
{
	struct client c;
	enum msg_type type;
	union msg_any m;
	int status;

	(void)words;
	if (n_words != 0)
		return EX_USAGE;
	status = daemon_open(&c, paths);
	if (status != EX_OK)
		return status;
	status = CLIENT_SEND(&c, STATUS_ASK, .request = 1) == 0 && client_flush(&c) == 0
		? daemon_receive(&c, &type, &m)
		: EX_TEMPFAIL;
	if (status == EX_OK)
		status = type == MSG_REQUEST_DONE ? daemon_answer(&m.REQUEST_DONE) : EX_PROTOCOL;
	client_close(&c);
	return status;
}

/* ---- signalling ---- */

/* The pid file names the daemon only while the daemon's lock is on it. */
static bool is_locked(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK;
	(void)flock(fd, LOCK_UN); /* and closing does it in any case */
	return false;
}

int daemon_process(const struct paths *paths, int *status_out)
{
	auto_close int fd = open(paths->pid_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	auto_close int process = -1;
	auto_buf struct buf text = BUF_INIT(64);
	uint64_t pid;

	if (fd < 0 && errno != ENOENT) {
		complain("%s: %s", paths->pid_file, strerror(errno));
		*status_out = EX_OSERR;
		return -1;
	}
	*status_out = EX_UNAVAILABLE;
	/* The process comes before the lock: to test the lock is to hold it, and a daemon that starts in that
	 * moment must not be told that another one runs. */
	if (fd >= 0 && file_read_all(fd, &text) == 0 &&
		slice_to_u64(slice_trim(buf_slice(&text)), INT32_MAX, &pid))
		process = pidfd_open((pid_t)pid, 0);
	if (process < 0 || !is_locked(fd)) {
		(void)not_running(paths);
		return -1;
	}
	return take_fd(&process);
}

static int daemon_signal(const struct paths *paths, int process, int number)
{
	if (pidfd_send_signal(process, number, NULL, 0) == 0)
		return EX_OK;
	if (errno == ESRCH)
		return not_running(paths);
	complain("cannot signal the daemon: %s%s", strerror(errno),
		errno == EPERM ? "; only root may do this" : "");
	return errno == EPERM ? EX_NOPERM : EX_OSERR;
}

int command_reload(const struct paths *paths, int n_words, char **words)
{
	auto_close int process = -1;
	struct config *c;
	int status;

	(void)words;
	if (n_words != 0)
		return EX_USAGE;
	c = config_load(paths);
	if (!c) {
		complain("nothing was reloaded: mend the lines above; the running configuration stays");
		return EX_CONFIG;
	}
	process = daemon_process(paths, &status);
	if (process >= 0)
		status = daemon_signal(paths, process, SIGHUP);
	if (status == EX_OK)
		configuration_tell_restarts(paths, c);
	config_free(&c);
	return status;
}

int command_stop(const struct paths *paths, int n_words, char **words)
{
	auto_close int process = -1;
	int status, r;

	(void)words;
	if (n_words != 0)
		return EX_USAGE;
	process = daemon_process(paths, &status);
	if (process < 0)
		return status;
	status = daemon_signal(paths, process, SIGTERM);
	if (status != EX_OK)
		return status;
	struct pollfd p = { .fd = process, .events = POLLIN }; /* readable: it has ended */
	uint64_t deadline = clock_mono_ms() + STOP_WAIT_MS, now;
	do
		r = (now = clock_mono_ms()) < deadline ? poll(&p, 1, (int)(deadline - now)) : 0;
	while (r < 0 && errno == EINTR);
	if (r == 1)
		return EX_OK;
	complain("postriderd has not stopped after %d seconds; its log says what it waits for",
		STOP_WAIT_MS / 1000);
	return EX_TEMPFAIL;
}
