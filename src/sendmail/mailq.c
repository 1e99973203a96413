/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailq.c - the queue as people and scripts know it; see mailq(1)
 *
 * Asks the daemon and prints as answers come. With the daemon down root reads the spool and the drop
 * directory, changing nothing.
 * Tests: tests/system/test_queue_cases.py, tests/system/test_sendmail.py,
 * tests/system/test_queue_commands.py.
 */
#include "base/limits.h"
#include "ipc/client.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/queue_filter.h"
#include "mail/queue_id.h"
#include "mail/queue_json.h"
#include "sendmail/program.h"
#include "spool/drop.h"
#include "spool/spool.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>

struct listing {
	enum mailq_form form;
	uint64_t n_mails, bytes;
	uint64_t *ids; /* of messages that were named; none: all that the filter lets through */
	size_t n_ids;
	struct buf filter;
	int status; /* of a message that was named and is not there */
	struct buf line;
	struct json json;
	struct buf shown;  /* what is printed, made safe for a terminal */
	struct buf reason; /* last printed: recipients of one reason follow it together */
};

/* ---- the layout that scripts read: that of Postfix with its long ids ---- */

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
	if (l->form == MAILQ_JSON)
		json_mail_end(l);
	else if (l->form == MAILQ_COUNT)
		(void)printf("%" PRIu64 "\n", l->n_mails);
	else if (l->n_mails == 0 && l->status == EX_OK)
		(void)puts("Mail queue is empty");
	else if (l->n_mails)
		(void)printf("\n-- %" PRIu64 " Kbytes in %" PRIu64 " Request%s.\n", l->bytes / 1024,
			l->n_mails, l->n_mails == 1 ? "" : "s");
	return program_end_output(l->status);
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

	if (l->form == MAILQ_COUNT) {
		l->n_mails++;
		return;
	}
	if (l->form == MAILQ_TABLE) {
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
	if (l->form == MAILQ_TABLE)
		print_recipient(l, address, reason);
	if (l->form != MAILQ_JSON)
		return;
	queue_json_rcpt(&l->json,
		&(struct queue_json_rcpt){
			.address = address, .original = original, .reason = reason, .attempts = attempts });
	json_flush(l);
}

/* ---- from the daemon ---- */

static void take_answer(struct listing *l, enum msg_type type, const union msg_any *m)
{
	if (type == MSG_QUEUE_GROUP)
		l->n_mails = m->QUEUE_GROUP.n_mails;
	else if (type == MSG_QUEUE_MAIL)
		list_mail(l,
			&(struct mail){ .id = m->QUEUE_MAIL.queue_id,
				.state = (char)m->QUEUE_MAIL.state,
				.is_expiring = m->QUEUE_MAIL.is_expiring,
				.size = m->QUEUE_MAIL.size,
				.arrival_s = (int64_t)m->QUEUE_MAIL.arrival_s,
				.sender = m->QUEUE_MAIL.reverse_path });
	else if (type == MSG_QUEUE_RCPT)
		list_recipient(l, m->QUEUE_RCPT.forward_path, m->QUEUE_RCPT.original, m->QUEUE_RCPT.reason,
			m->QUEUE_RCPT.attempts);
}

/* One message, or (id 0) all that is chosen. 0, or negative errno; -EACCES when the daemon says no, with
 * c->refusal. */
static int list_one(struct client *c, struct listing *l, uint64_t id)
{
	bool is_count = l->form == MAILQ_COUNT;
	enum msg_type type;
	union msg_any m;
	int r = CLIENT_SEND(c, QUEUE_LIST, .request = 1,
		.view = is_count ? QUEUE_VIEW_GROUPS : QUEUE_VIEW_MAILS, .by = is_count ? QUEUE_BY_ALL : 0,
		.queue_id = id, .filter = buf_slice(&l->filter));

	if (r == 0)
		r = client_flush(c);
	while (r == 0 && (r = client_receive(c, &type, &m)) == 0 && type != MSG_REQUEST_DONE)
		take_answer(l, type, &m);
	if (r < 0 || m.REQUEST_DONE.exit_code == EX_OK)
		return r;
	if (id && m.REQUEST_DONE.exit_code == EX_NOINPUT) {
		program_complain("%s: %.*s", queue_id_format(id).at, SLICE_ARG(m.REQUEST_DONE.text));
		l->status = EX_NOINPUT;
		return 0;
	}
	(void)snprintf(c->refusal, sizeof(c->refusal), "%.*s", SLICE_ARG(m.REQUEST_DONE.text));
	c->refusal_code = m.REQUEST_DONE.exit_code;
	return -EACCES;
}

static int list_from_daemon(struct client *c, struct listing *l)
{
	int r = 0;

	if (l->n_ids == 0)
		return list_one(c, l, 0);
	for (size_t i = 0; r == 0 && i < l->n_ids; i++)
		r = list_one(c, l, l->ids[i]);
	return r;
}

/* ---- from a spool that nobody has open ---- */

/* Whether it is one of those that were named. */
static bool is_named(struct listing *l, uint64_t id)
{
	bool is_one = l->n_ids == 0;

	for (size_t i = 0; i < l->n_ids; i++) {
		is_one |= l->ids[i] == id;
		if (l->ids[i] == id)
			l->ids[i] = 0; /* those that are left were not found */
	}
	return is_one;
}

static bool filter_wants(const struct queue_filter *f, const struct spool_envelope *env,
	const struct spool_recipient *rcpts, size_t n_rcpts)
{
	bool wants = !queue_filter_by_rcpt(f);

	for (size_t i = 0; !wants && i < n_rcpts; i++)
		wants = !spool_rcpt_state_is_final(rcpts[i].progress.state) &&
			queue_filter_wants_rcpt(
				f, rcpts[i].forward_path, rcpts[i].progress.status, rcpts[i].progress.reason);
	return wants && queue_filter_wants_mail(f, env->reverse_path, QUEUE_MAIL_WAITING, 0);
}

static void on_message(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	struct listing *l = user;
	enum queue_mail_state state = env->flags & SPOOL_FLAG_HELD ? QUEUE_MAIL_HELD : QUEUE_MAIL_WAITING;
	struct queue_filter filter;
	const char *wrong = NULL;

	if (!is_named(l, env->id) || !queue_filter_parse(buf_slice(&l->filter), &filter, &wrong) ||
		!filter_wants(&filter, env, rcpts, n_rcpts))
		return;
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

	if (d->l->form == MAILQ_JSON || fstatat(d->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return; /* it has no queue id yet */
	if (d->l->form == MAILQ_COUNT) {
		d->l->n_mails++;
		return;
	}
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
		program_complain("postriderd is not running; what waits meanwhile only root may list");
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
	for (size_t i = 0; i < l->n_ids; i++)
		if (l->ids[i]) {
			program_complain("%s: no such mail in the queue", queue_id_format(l->ids[i]).at);
			l->status = EX_NOINPUT;
		}
	/* What waits there has neither an id nor a place in a choice yet. */
	drop.dir = l->n_ids || l->filter.len ? -1 : drop_open(config->paths.drop_dir);
	if (drop.dir >= 0) {
		r = drop_list(drop.dir, on_dropped, &drop);
		(void)close(drop.dir);
	}
	program_complain("postriderd is not running; this is what its spool holds");
	return r < 0 ? EX_UNAVAILABLE : EX_OK;
}

/* The messages that the command line names. */
static void take_ids(struct listing *l, const struct sendmail_options *o)
{
	size_t n = 0;

	l->ids = mem_new_array((size_t)o->n_words + 1, sizeof(*l->ids));
	for (int i = 0; i < o->n_words; i++)
		n += queue_id_parse(slice_of(o->words[i]), &l->ids[n]);
	if (o->choice == CHOICE_ID)
		n += queue_id_parse(slice_of(o->choice_value), &l->ids[n]);
	l->n_ids = n;
}

static int list_from_any(const struct config *config, struct listing *l)
{
	struct client c;
	int status = EX_OK, r = client_open(&c, config->paths.control_socket);

	if (r == 0) {
		r = list_from_daemon(&c, l);
		status = r < 0 ? program_complain_of_daemon(&c, r) : EX_OK;
		client_close(&c);
	} else if (r == -ENOENT || r == -ECONNREFUSED) {
		status = list_offline(config, l);
	} else {
		status = program_complain_of_daemon(&c, r);
	}
	return status;
}

int mailq_run(const struct config *config, enum mailq_form form, const struct sendmail_options *o)
{
	struct listing l = { .form = form,
		.filter = choice_filter(o),
		.shown = BUF_INIT(LIMIT_FRAME),
		.reason = BUF_INIT(2 * LIMIT_REASON),
		.line = BUF_INIT(LIMIT_FRAME) };
	int status;

	l.json = JSON_INIT(&l.line);
	take_ids(&l, o);
	status = list_from_any(config, &l);
	if (status == EX_OK)
		status = print_end(&l);
	mem_free(l.ids);
	buf_free(&l.filter);
	buf_free(&l.shown);
	buf_free(&l.reason);
	buf_free(&l.line);
	return status;
}
