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
#include "mail/header.h"
#include "mail/queue_id.h"
#include "mail/queue_json.h"
#include "sendmail/program.h"
#include "spool/drop.h"
#include "spool/spool.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>

struct listing {
	uint64_t n_mails, bytes;
	bool as_json;
	struct buf line;
	struct json json;
	struct buf shown;  /* what is printed, made safe for a terminal */
	struct buf reason; /* last printed: recipients of one reason follow it together */
};

/* ---- the standard layout (spec of the sendmail layer, section 5) ---- */

/* What others wrote; valid until the next call. */
static struct slice safe(struct listing *l, struct slice text)
{
	buf_clear(&l->shown);
	header_mask_text(text, &l->shown);
	return buf_slice(&l->shown);
}

static void print_mail(
	struct listing *l, const char *id, char state, uint64_t size, int64_t arrival_s, struct slice sender)
{
	auto_buf struct buf date = BUF_INIT(64), id_state = BUF_INIT(64);

	if (l->n_mails == 0)
		(void)puts("-Queue ID- --Size-- ----Arrival Time---- -Sender/Recipient-------");
	date_append_mailq(&date, arrival_s);
	buf_printf(&id_state, "%s%c", id, state);
	(void)printf("%-17s %8" PRIu64 " %19.19s  %.*s\n", buf_cstr(&id_state), size, buf_cstr(&date),
		SLICE_ARG(sender.len ? safe(l, sender) : SLICE("MAILER-DAEMON")));
	l->n_mails++;
	l->bytes += size;
	buf_clear(&l->reason);
}

static void print_recipient(struct listing *l, struct slice address, struct slice reason)
{
	if (reason.len && !slice_eq(reason, buf_slice(&l->reason))) {
		int pad = 78 - (int)MIN(reason.len, (size_t)78); /* right-aligned to column 80 when shorter */
		(void)printf("%*s(%.*s)\n", pad, "", SLICE_ARG(safe(l, reason)));
		buf_clear(&l->reason);
		buf_append(&l->reason, reason);
	}
	(void)printf("%*s%.*s\n", 47, "", SLICE_ARG(safe(l, address)));
}

/* ---- one object in a line (postqueue -j) ---- */

static void json_flush(struct listing *l)
{
	(void)fwrite(l->line.at, 1, l->line.len, stdout); /* print_end() looks for errors */
	buf_clear(&l->line);
}

static void json_mail_end(struct listing *l)
{
	if (l->n_mails)
		queue_json_end(&l->json);
	json_flush(l);
}

/* ---- either ---- */

static int print_end(struct listing *l)
{
	if (l->as_json)
		json_mail_end(l);
	else if (l->n_mails == 0)
		(void)puts("Mail queue is empty");
	else
		(void)printf("-- %" PRIu64 " Kbytes in %" PRIu64 " Request%s.\n", l->bytes / 1024, l->n_mails,
			l->n_mails == 1 ? "" : "s");
	return fflush(stdout) == 0 && !ferror(stdout) ? EX_OK : EX_IOERR;
}

struct mail {
	uint64_t id;
	char state;
	bool is_expiring;
	uint64_t size;
	int64_t arrival_s;
	struct slice sender;
};

static void list_mail(struct listing *l, const struct mail *m)
{
	char mark = m->state == QUEUE_MAIL_WAITING && m->is_expiring ? '#' : m->state;

	if (!l->as_json) {
		if (l->n_mails)
			(void)putchar('\n');
		print_mail(l, queue_id_format(m->id).at, mark, m->size, m->arrival_s, m->sender);
		return;
	}
	json_mail_end(l);
	l->n_mails++;
	queue_json_begin(&l->json,
		&(struct queue_json_mail){ .id = m->id,
			.size = m->size,
			.arrival_s = (uint64_t)m->arrival_s,
			.state = m->state,
			.is_expiring = m->is_expiring,
			.sender = m->sender });
}

static void list_recipient(struct listing *l, struct slice address, struct slice original,
	struct slice reason, uint32_t attempts)
{
	if (!l->as_json) {
		print_recipient(l, address, reason);
		return;
	}
	queue_json_rcpt(&l->json,
		&(struct queue_json_rcpt){
			.address = address, .original = original, .reason = reason, .attempts = attempts });
	json_flush(l);
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
		if (type == MSG_QUEUE_MAIL)
			list_mail(l,
				&(struct mail){ .id = m.QUEUE_MAIL.queue_id,
					.state = (char)m.QUEUE_MAIL.state,
					.is_expiring = m.QUEUE_MAIL.is_expiring,
					.size = m.QUEUE_MAIL.size,
					.arrival_s = (int64_t)m.QUEUE_MAIL.arrival_s,
					.sender = m.QUEUE_MAIL.reverse_path });
		else if (type == MSG_QUEUE_RCPT)
			list_recipient(l, m.QUEUE_RCPT.forward_path, m.QUEUE_RCPT.original,
				m.QUEUE_RCPT.reason, m.QUEUE_RCPT.attempts);
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

	list_mail(l,
		&(struct mail){ .id = env->id,
			.state = (char)state,
			.size = env->content_bytes,
			.arrival_s = (int64_t)(env->arrival_us / 1000000),
			.sender = env->reverse_path });
	for (size_t i = 0; i < n_rcpts; i++)
		if (!spool_rcpt_state_is_final(rcpts[i].progress.state))
			list_recipient(l, rcpts[i].forward_path, rcpts[i].original,
				rcpts[i].progress.attempts ? rcpts[i].progress.reason : SLICE_EMPTY,
				rcpts[i].progress.attempts);
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

	if (d->l->as_json || fstatat(d->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return; /* it has no queue id yet */
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

	if (!program_is_set_up(config))
		return EX_UNAVAILABLE;
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

int mailq_run(const struct config *config, bool as_json)
{
	struct listing l = { .as_json = as_json,
		.shown = BUF_INIT(LIMIT_FRAME),
		.reason = BUF_INIT(2 * LIMIT_REASON),
		.line = BUF_INIT(LIMIT_FRAME) };
	struct client c;
	int status = EX_OK;
	int r = client_open(&c, config->paths.control_socket);

	l.json = JSON_INIT(&l.line);
	if (r == 0) {
		r = list_from_daemon(&c, &l);
		status = r < 0 ? complain_of_daemon(&c, r) : EX_OK;
		client_close(&c);
	} else if (r == -ENOENT || r == -ECONNREFUSED) {
		status = list_offline(config, &l);
	} else {
		status = complain_of_daemon(&c, r);
	}
	if (status == EX_OK && l.n_mails && !as_json)
		(void)putchar('\n');
	if (status == EX_OK)
		status = print_end(&l);
	buf_free(&l.shown);
	buf_free(&l.reason);
	buf_free(&l.line);
	return status;
}
