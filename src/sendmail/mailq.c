/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailq.c - the queue as people and scripts know it; see mailq(1)
 *
 * Asks the daemon and prints as answers come. With the daemon down root reads the spool and the drop
 * directory, changing nothing.
 */
#include "base/limits.h"
#include "ipc/client.h"
#include "mail/date.h"
#include "mail/queue_id.h"
#include "sendmail/program.h"
#include "spool/drop.h"
#include "spool/spool.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>

struct listing {
	uint64_t n_mails, bytes;
	struct buf reason; /* last printed: recipients of one reason follow it together */
};

/* ---- the standard layout (spec of the sendmail layer, section 5) ---- */

static void print_mail(
	struct listing *l, const char *id, char state, uint64_t size, int64_t arrival_s, struct slice sender)
{
	auto_buf struct buf date = BUF_INIT(64), id_state = BUF_INIT(64);

	if (l->n_mails == 0)
		(void)puts("-Queue ID- --Size-- ----Arrival Time---- -Sender/Recipient-------");
	date_append_mailq(&date, arrival_s);
	buf_printf(&id_state, "%s%c", id, state);
	(void)printf("%-17s %8" PRIu64 " %19.19s  %.*s\n", buf_cstr(&id_state), size, buf_cstr(&date),
		SLICE_ARG(sender.len ? sender : SLICE("MAILER-DAEMON")));
	l->n_mails++;
	l->bytes += size;
	buf_clear(&l->reason);
}

static void print_recipient(struct listing *l, struct slice address, struct slice reason)
{
	if (reason.len && !slice_eq(reason, buf_slice(&l->reason))) {
		int pad = 78 - (int)MIN(reason.len, (size_t)78); /* right-aligned to column 80 when shorter */
		(void)printf("%*s(%.*s)\n", pad, "", SLICE_ARG(reason));
		buf_clear(&l->reason);
		buf_append(&l->reason, reason);
	}
	(void)printf("%*s%.*s\n", 47, "", SLICE_ARG(address));
}

static int print_end(const struct listing *l)
{
	if (l->n_mails == 0)
		(void)puts("Mail queue is empty");
	else
		(void)printf("-- %" PRIu64 " Kbytes in %" PRIu64 " Request%s.\n", l->bytes / 1024, l->n_mails,
			l->n_mails == 1 ? "" : "s");
	return fflush(stdout) == 0 && !ferror(stdout) ? EX_OK : EX_IOERR;
}

/* ---- from the daemon ---- */

/* 0, or negative errno; -EACCES when the daemon says no, with c->refusal. */
static int list_from_daemon(struct client *c, struct listing *l)
{
	enum msg_type type;
	union msg_any m;
	int r = CLIENT_SEND(c, QUEUE_LIST, .request = 1, .view = QUEUE_VIEW_MAILS);

	if (r == 0)
		r = client_flush(c);
	while (r == 0 && (r = client_receive(c, &type, &m)) == 0 && type != MSG_REQUEST_DONE) {
		if (type == MSG_QUEUE_MAIL) {
			if (l->n_mails)
				(void)putchar('\n');
			print_mail(l, queue_id_format(m.QUEUE_MAIL.queue_id).at, (char)m.QUEUE_MAIL.state,
				m.QUEUE_MAIL.size, (int64_t)m.QUEUE_MAIL.arrival_s,
				m.QUEUE_MAIL.reverse_path);
		} else if (type == MSG_QUEUE_RCPT) {
			print_recipient(l, m.QUEUE_RCPT.forward_path, m.QUEUE_RCPT.reason);
		}
	}
	if (r == 0 && m.REQUEST_DONE.exit_code) {
		(void)snprintf(c->refusal, sizeof(c->refusal), "%.*s", SLICE_ARG(m.REQUEST_DONE.text));
		r = -EACCES;
	}
	return r;
}

/* ---- from a spool that nobody has open ---- */

static void on_message(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	struct listing *l = user;
	enum queue_mail_state state = env->flags & SPOOL_FLAG_HELD ? QUEUE_MAIL_HELD : QUEUE_MAIL_WAITING;

	if (l->n_mails)
		(void)putchar('\n');
	print_mail(l, queue_id_format(env->id).at, (char)state, env->content_bytes,
		(int64_t)(env->arrival_us / 1000000), env->reverse_path);
	for (size_t i = 0; i < n_rcpts; i++)
		if (!spool_rcpt_state_is_final(rcpts[i].progress.state))
			print_recipient(l, rcpts[i].forward_path,
				rcpts[i].progress.attempts ? rcpts[i].progress.reason : SLICE_EMPTY);
}

struct drop_listing {
	struct listing *l;
	int dir;
};

static void on_dropped(void *user, const char *name)
{
	struct drop_listing *d = user;
	struct stat st;
	char sender[64];

	if (fstatat(d->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	(void)snprintf(sender, sizeof(sender), "(uid %u, left for the daemon's start)", (unsigned)st.st_uid);
	if (d->l->n_mails)
		(void)putchar('\n');
	print_mail(d->l, "DROP", ' ', (uint64_t)st.st_size, st.st_mtime, slice_of(sender));
}

/* Nobody listens: the spool itself is asked. */
static int list_offline(const struct config *config, struct listing *l)
{
	const struct spool_visitor visitor = { .message = on_message };
	struct drop_listing drop = { .l = l };
	int r;

	if (getuid() != 0 && !*config->paths.sandbox) {
		program_complain("postriderd is not running");
		return EX_UNAVAILABLE;
	}
	r = spool_scan(config->paths.spool_dir, &visitor, l);
	if (r == -EBUSY) {
		program_complain("postriderd has its spool open, but nobody listens on %s; is it starting or "
				 "stopping?",
			config->paths.control_socket);
		return EX_TEMPFAIL;
	}
	if (r < 0 && r != -ENOENT) {
		program_complain("postriderd is not running; %s: %s", config->paths.spool_dir, strerror(-r));
		return EX_UNAVAILABLE;
	}
	drop.dir = drop_open(config->paths.drop_dir);
	if (drop.dir >= 0) {
		r = drop_list(drop.dir, on_dropped, &drop);
		(void)close(drop.dir);
	}
	program_complain("postriderd is not running; this is what its spool holds");
	return r < 0 ? EX_UNAVAILABLE : EX_OK;
}

/* What keeps us from the daemon, for each error of client_open() and client_receive(). */
static int complain_of_daemon(const struct client *c, int error)
{
	switch (error) {
	case -EACCES:
		if (!*c->refusal) /* the socket itself */
			break;
		program_complain("postriderd: %s", c->refusal);
		return EX_NOPERM;
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

int mailq_run(const struct config *config)
{
	struct listing l = { .reason = BUF_INIT(2 * LIMIT_REASON) };
	struct client c;
	int status = EX_OK;
	int r = client_open(&c, config->paths.control_socket);

	if (r == 0) {
		r = list_from_daemon(&c, &l);
		status = r < 0 ? complain_of_daemon(&c, r) : EX_OK;
		client_close(&c);
	} else if (r == -ENOENT || r == -ECONNREFUSED) {
		status = list_offline(config, &l);
	} else {
		status = complain_of_daemon(&c, r);
	}
	if (status == EX_OK && l.n_mails)
		(void)putchar('\n');
	if (status == EX_OK)
		status = print_end(&l);
	buf_free(&l.reason);
	return status;
}
