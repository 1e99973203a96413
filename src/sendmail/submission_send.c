/* SPDX-License-Identifier: Apache-2.0 */
/* submission_send.c - a finished submission on its way: the daemon, or the drop directory; see submission.h
 */
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "ipc/client.h"
#include "mail/drop_format.h"
#include "sendmail/program.h"
#include "sendmail/submission.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <sysexits.h>

/* ---- to the daemon ---- */

static int send_content(struct client *c, struct slice bytes)
{
	int r = 0;

	while (r == 0 && bytes.len) {
		struct slice chunk = slice_first(bytes, LIMIT_CHUNK);
		r = CLIENT_SEND(c, MAIL_CONTENT, .mail = 1, .chunk = chunk);
		bytes = slice_from(bytes, chunk.len);
	}
	return r;
}

/* sysexits status of a refusal. */
static int refused(const struct msg_MAIL_RESULT *m)
{
	program_complain("not accepted: %u %.*s %.*s", m->code, SLICE_ARG(m->status), SLICE_ARG(m->text));
	if (m->code < 500)
		return EX_TEMPFAIL;
	return m->code == 552 ? EX_UNAVAILABLE : m->code == 501 ? EX_DATAERR : EX_SOFTWARE;
}

static int send_envelope(struct client *c, const struct submission *s)
{
	int r = CLIENT_SEND(c, MAIL_BEGIN, .mail = 1, .reverse_path = s->sender, .envid = s->envid,
		.ret = (uint8_t)s->ret, .body = (uint8_t)s->body, .smtputf8 = s->smtputf8,
		.size_hint = s->header.len + s->content.len, .protocol = s->client.protocol,
		.client_address = s->client.address, .client_name = s->client.name,
		.interface = s->client.interface, .submission_id = slice_of(s->id),
		.is_for_later = s->is_for_later);

	for (size_t i = 0; r == 0 && i < s->n_rcpts; i++)
		r = CLIENT_SEND(c, MAIL_RCPT, .mail = 1, .forward_path = s->rcpts[i].address,
			.orcpt = s->rcpts[i].orcpt, .notify = (uint8_t)s->rcpts[i].notify);
	return r;
}

/* ---- -odi: until the first attempt has ended ---- */

#define AWAIT_MS 60000 /* a next hop that hangs must not hold up cron */
#define AWAIT_STEP_MS 200

/* Whether some recipient has not had its first attempt. Negative errno: the daemon does not say. */
static int has_untried(struct client *c, uint64_t id)
{
	uint64_t now_s = (uint64_t)clock_wall_s();
	bool is_held = false, found = false;
	enum msg_type type;
	union msg_any m;
	int r = CLIENT_SEND(c, QUEUE_LIST, .request = 1, .view = QUEUE_VIEW_MAILS, .queue_id = id);

	if (r == 0)
		r = client_flush(c);
	while (r == 0 && (r = client_receive(c, &type, &m)) == 0 && type != MSG_REQUEST_DONE) {
		if (type == MSG_QUEUE_MAIL)
			is_held = m.QUEUE_MAIL.state == QUEUE_MAIL_HELD;
		else if (type == MSG_QUEUE_RCPT)
			found |= m.QUEUE_RCPT.state == QUEUE_RCPT_ACTIVE ||
				(m.QUEUE_RCPT.attempts == 0 && m.QUEUE_RCPT.held_off_until_s <= now_s);
	}
	return r < 0 ? r : found && !is_held;
}

static void await_attempt(struct client *c, uint64_t id)
{
	uint64_t until_ms = clock_mono_ms() + AWAIT_MS;
	useconds_t step_us = 5000;

	while (has_untried(c, id) > 0 && clock_mono_ms() < until_ms) {
		(void)usleep(step_us); /* a signal ends the pause early, which harms nobody */
		step_us = MIN(step_us * 2, (useconds_t)AWAIT_STEP_MS * 1000);
	}
}

/* 0: *status_out is the outcome. Negative errno: no answer; the daemon is not there, or went away. */
static int send_to_daemon(const struct submission *s, int *status_out)
{
	struct client c;
	enum msg_type type;
	union msg_any m;
	int r = client_open(&c, s->config->paths.control_socket);

	/* The daemon's word is final, not to be got round by the drop directory; but that this user has too
	 * many connections is about connections. */
	if (r == -EACCES && c.refusal_code != EX_TEMPFAIL) {
		program_complain("not accepted: %s", c.refusal);
		*status_out = EX_NOPERM;
		return 0;
	}
	if (r < 0)
		return r;
	c.timeout_ms = 300000; /* a disk that is slow is still a disk */
	r = send_envelope(&c, s);
	if (r == 0)
		r = send_content(&c, s->header);
	if (r == 0)
		r = send_content(&c, s->content);
	if (r == 0)
		r = CLIENT_SEND(&c, MAIL_END, .mail = 1);
	if (r == 0)
		r = client_flush(&c);
	if (r == 0)
		r = client_receive(&c, &type, &m);
	if (r == 0 && type != MSG_MAIL_RESULT)
		r = -EPROTO;
	if (r == 0)
		*status_out = m.MAIL_RESULT.code == 250 ? EX_OK : refused(&m.MAIL_RESULT);
	if (r == 0 && *status_out == EX_OK && s->is_awaited && m.MAIL_RESULT.queue_id)
		await_attempt(&c, m.MAIL_RESULT.queue_id);
	client_close(&c);
	return r;
}

/* ---- to the drop directory ---- */

static int write_drop(int fd, const struct submission *s)
{
	struct drop_encoder e = DROP_ENCODER_INIT;
	const struct drop_envelope envelope = {
		.submission_id = slice_of(s->id),
		.sender = s->sender,
		.ret = (enum ret)s->ret,
		.envid = s->envid,
		.body = (enum body_type)s->body,
		.smtputf8 = s->smtputf8,
		.client = s->client,
	};
	auto_buf struct buf head = BUF_INIT(LIMIT_EXPANSION * (size_t)LIMIT_PATH);
	auto_buf struct buf end = BUF_INIT(256);
	int r;

	drop_encode_begin(&e, &envelope, &head);
	for (size_t i = 0; i < s->n_rcpts; i++)
		drop_encode_recipient(&e,
			&(struct drop_recipient){ .address = s->rcpts[i].address,
				.notify = s->rcpts[i].notify,
				.orcpt = s->rcpts[i].orcpt },
			&head);
	drop_encode_content(&e, &head);
	drop_encode_data(&e, s->header);
	drop_encode_data(&e, s->content);
	drop_encode_end(&e, &end);
	if (!buf_ok(&head))
		return -EFBIG;
	r = file_write_all(fd, buf_slice(&head));
	if (r == 0)
		r = file_write_all(fd, s->header);
	if (r == 0)
		r = file_write_all(fd, s->content);
	return r < 0 ? r : file_write_all(fd, buf_slice(&end));
}

static _Noreturn void exec_drop(const struct config *config, int input)
{
	char path[PATH_MAX], sandbox[PATH_MAX];
	char *argv[] = { path, NULL };
	char *envp[] = { sandbox, NULL };

	(void)snprintf(sandbox, sizeof(sandbox), "POSTRIDER_SANDBOX=%s", config->paths.sandbox);
	if (!*config->paths.sandbox)
		envp[0] = NULL;
	if (dup2(input, STDIN_FILENO) < 0 || !program_sibling("postrider-drop", config, path, sizeof(path)))
		_exit(EX_OSERR);
	(void)execve(path, argv, envp);
	_exit(EX_OSFILE);
}

static int send_to_drop(const struct submission *s)
{
	int fds[2], status;
	pid_t pid;
	int r;

	if (!program_is_set_up(s->config))
		return EX_TEMPFAIL;
	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		program_complain("postriderd is not running, and postrider-drop cannot be started: %s",
			strerror(errno));
		return EX_OSERR;
	}
	if (pid == 0)
		exec_drop(s->config, fds[0]);
	(void)close(fds[0]);
	r = write_drop(fds[1], s);
	(void)close(fds[1]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EX_OSERR;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && r == 0)
		return EX_OK;
	program_complain("postriderd is not running, and the mail could not be left for its next start%s%s%s",
		WIFEXITED(status) && WEXITSTATUS(status) == EX_OSFILE ? ": postrider-drop cannot be run" : "",
		r < 0 && r != -EPIPE ? ": " : "", r < 0 && r != -EPIPE ? strerror(-r) : "");
	return WIFEXITED(status) && WEXITSTATUS(status) && WEXITSTATUS(status) != EX_OSFILE
		? WEXITSTATUS(status)
		: EX_TEMPFAIL;
}

int submission_send(const struct submission *s)
{
	int status = EX_SOFTWARE;
	int r = send_to_daemon(s, &status);

	if (r == 0)
		return status;
	if (r == -EPROTO)
		program_complain("postriderd is of another version; restart it");
	return send_to_drop(s);
}
