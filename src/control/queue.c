/* SPDX-License-Identifier: Apache-2.0 */
/* queue.c - postrider queue: the mail that waits, and what an administrator does with it; see commands.h */
#include "control/commands.h"
#include "control/daemon.h"
#include "mail/queue_id.h"
#include <sysexits.h>
#include <time.h>

/* ---- list ---- */

static const char *time_text(uint64_t s)
{
	static char text[32];
	time_t t = (time_t)s;
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(text, sizeof(text), "%F %T", &tm) == 0)
		return "?";
	return text;
}

static const char *state_text(uint8_t state)
{
	switch ((enum queue_mail_state)state) {
	case QUEUE_MAIL_ACTIVE: return "under way";
	case QUEUE_MAIL_HELD: return "held";
	case QUEUE_MAIL_WAITING: break;
	}
	return "waiting";
}

static void print_mail(const struct msg_QUEUE_MAIL *m)
{
	(void)printf("%s  %s  %" PRIu64 " bytes  %s  from <", queue_id_format(m->queue_id).at,
		time_text(m->arrival_s), m->size, state_text(m->state));
	print_safely(m->reverse_path);
	(void)puts(">");
}

static void print_rcpt(const struct msg_QUEUE_RCPT *r)
{
	(void)fputs("    to <", stdout);
	print_safely(r->forward_path);
	(void)fputs(">", stdout);
	if (r->attempts)
		(void)printf("  attempts %u, next %s", r->attempts, time_text(r->next_attempt_s));
	if (r->reason.len) {
		(void)fputs("\n        ", stdout);
		print_safely(r->status);
		(void)putchar(' ');
		print_safely(r->reason);
	}
	(void)putchar('\n');
}

static int list(struct client *c)
{
	size_t n = 0;

	for (;;) {
		enum msg_type type;
		union msg_any m;
		int status = daemon_receive(c, &type, &m);
		if (status != EX_OK)
			return status;
		switch (type) {
		case MSG_QUEUE_MAIL:
			print_mail(&m.QUEUE_MAIL);
			n++;
			break;
		case MSG_QUEUE_RCPT: print_rcpt(&m.QUEUE_RCPT); break;
		case MSG_REQUEST_DONE:
			if (n == 0 && m.REQUEST_DONE.exit_code == EX_OK)
				(void)puts("the queue is empty");
			return daemon_answer(&m.REQUEST_DONE);
		default: return EX_PROTOCOL;
		}
	}
}

/* ---- acts ---- */

static const struct act {
	const char *word;
	bool with_id;
	enum queue_action action;
} acts[] = {
	{ "retry", false, QUEUE_ACT_FLUSH },
	{ "retry", true, QUEUE_ACT_FLUSH_ID },
	{ "hold", true, QUEUE_ACT_HOLD },
	{ "release", true, QUEUE_ACT_RELEASE },
	{ "delete", true, QUEUE_ACT_DELETE },
};

static int answer(struct client *c)
{
	enum msg_type type;
	union msg_any m;
	int status = daemon_receive(c, &type, &m);

	if (status != EX_OK)
		return status;
	return type == MSG_REQUEST_DONE ? daemon_answer(&m.REQUEST_DONE) : EX_PROTOCOL;
}

/* act NULL: a listing */
static int converse(const struct paths *paths, const struct act *act, const char *id)
{
	struct client c;
	int status = daemon_open(&c, paths);
	int r;

	if (status != EX_OK)
		return status;
	r = act ? CLIENT_SEND(&c, QUEUE_ACT, .request = 1, .action = (uint8_t)act->action,
			  .argument = slice_of(id))
		: CLIENT_SEND(&c, QUEUE_LIST, .request = 1);
	if (r == 0)
		r = client_flush(&c);
	if (r < 0) {
		complain("the daemon does not listen: %s", strerror(-r));
		status = EX_TEMPFAIL;
	} else {
		status = act ? answer(&c) : list(&c);
	}
	client_close(&c);
	return status;
}

int command_queue(const struct paths *paths, int n_words, char **words)
{
	const char *id = n_words == 2 ? words[1] : "";
	uint64_t number;

	if (n_words == 1 && strcmp(words[0], "list") == 0)
		return converse(paths, NULL, "");
	if (n_words != 1 && n_words != 2)
		return EX_USAGE;
	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		if (strcmp(words[0], acts[i].word) != 0 || acts[i].with_id != (n_words == 2))
			continue;
		if (acts[i].with_id && !queue_id_parse(slice_of(id), &number)) {
			complain("%s is no queue id; `mailq` shows them", id);
			return EX_DATAERR;
		}
		return converse(paths, &acts[i], id);
	}
	return EX_USAGE;
}
