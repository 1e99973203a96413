/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postfix_names.c - postqueue and postsuper: the queue as people and scripts know it from Postfix; see
 * postqueue(1), postsuper(1)
 *
 * Options, messages and exit statuses are Postfix's, what they do is ours.
 * Tests: tests/system/test_queue_commands.py.
 */
#include "base/limits.h"
#include "ipc/queue_orders.h"
#include "mail/queue_filter.h"
#include "mail/queue_id.h"
#include "sendmail/program.h"
#include <sysexits.h>

/* ---- postqueue ---- */

static int queue_usage(void)
{
	program_complain("fatal: usage: postqueue -f | postqueue -i queueid | postqueue -j | postqueue -p | "
			 "postqueue -s site");
	return EX_USAGE;
}

int postqueue_run(const struct config *config, int argc, char **argv)
{
	struct sendmail_options o = { .mode = MODE_FLUSH };
	char mode = '\0';
	int letter;

	opterr = 0;
	while ((letter = getopt(argc, argv, "c:fi:jps:v")) != -1) {
		if (letter == 'v' || letter == 'c')
			continue; /* more words, another configuration directory: neither is here */
		if (letter == '?' || mode)
			return queue_usage();
		mode = (char)letter;
		o.choice_value = optarg;
	}
	if (optind < argc)
		return queue_usage();
	switch (mode) {
	case 'p': return mailq_run(config, MAILQ_TABLE, &o);
	case 'j': return mailq_run(config, MAILQ_JSON, &o);
	case 'f': o.choice = CHOICE_ALL; break;
	case 'i': o.choice = CHOICE_ID; break;
	case 's': o.choice = CHOICE_DOMAIN; break;
	default: return queue_usage();
	}
	return flush_run(config, &o);
}

/* ---- postsuper ---- */

static const struct job {
	char letter;
	enum queue_action action;
	const char *of_one, *of_all;
} jobs[] = {
	/* in the order in which Postfix does them */
	{ 'r', QUEUE_ACT_REQUEUE, "requeued", "Requeued" },
	{ 'd', QUEUE_ACT_DELETE, "removed", "Deleted" },
	{ 'h', QUEUE_ACT_HOLD, "placed on hold", "Placed on hold" },
	{ 'H', QUEUE_ACT_RELEASE, "released from hold", "Released from hold" },
	{ 'e', QUEUE_ACT_EXPIRE, "expired", "Expired" },
	{ 'f', QUEUE_ACT_EXPIRE_RELEASE, "expired", "Expired" },
};

#define ASKED_MAX 1000 /* options of one command line */

struct asked {
	const struct job *job;
	const char *what; /* an id, ALL, or - */
};

struct super {
	const struct job *job;
	const struct asked *asked;
	size_t n_asked, at;
	bool reads_input;
	size_t n_done;
	int status; /* of what failed last */
};

static void told(void *user, uint64_t id, int exit_code, struct slice text)
{
	struct super *s = user;
	struct queue_id_text name = queue_id_format(id);

	if (exit_code == EX_OK) {
		s->n_done++;
		program_complain("%s: %s", name.at, s->job->of_one);
	} else if (exit_code != EX_NOINPUT) { /* as Postfix: an id that is not there is no mistake */
		s->status = exit_code;
		program_complain("error: %s: %.*s", name.at, SLICE_ARG(text));
	}
}

static bool id_of_line(uint64_t *id_out)
{
	char line[256];

	while (fgets(line, sizeof(line), stdin))
		if (queue_id_parse(slice_trim(slice_of(line)), id_out))
			return true;
	return false;
}

/* The ids that this job's options name, one after the other. */
static bool next(void *user, uint64_t *id_out)
{
	struct super *s = user;

	for (;;) {
		if (s->reads_input && id_of_line(id_out))
			return true;
		s->reads_input = false;
		if (s->at == s->n_asked)
			return false;
		const struct asked *a = &s->asked[s->at++];
		if (a->job != s->job)
			continue;
		if (strcmp(a->what, "-") == 0)
			s->reads_input = true;
		else if (queue_id_parse(slice_of(a->what), id_out))
			return true;
		else if (strcmp(a->what, "ALL") != 0)
			program_complain("warning: invalid mail queue id: %s", a->what);
	}
}

static bool wants_all(const struct super *s)
{
	for (size_t i = 0; i < s->n_asked; i++)
		if (s->asked[i].job == s->job && strcmp(s->asked[i].what, "ALL") == 0)
			return true;
	return false;
}

static int fatal(const struct super *s, int exit_code, struct slice text)
{
	(void)s;
	program_complain("fatal: %.*s", SLICE_ARG(text));
	return exit_code;
}

static int do_job(struct client *c, struct super *s)
{
	auto_buf struct buf text = BUF_INIT(4096);
	struct queue_order o = { .action = s->job->action, .told = told, .next = next, .user = s };
	int code = EX_OK, r;

	r = wants_all(s) ? queue_order_all(c, &o, &code, &text) : queue_order_named(c, &o);
	if (r < 0)
		return fatal(s, EX_TEMPFAIL, slice_of(strerror(-r)));
	if (code != EX_OK && text.len)
		return fatal(s, code, buf_slice(&text));
	if (s->n_done)
		program_complain("%s: %zu message%s", s->job->of_all, s->n_done, s->n_done == 1 ? "" : "s");
	return s->status;
}

static int super_usage(void)
{
	program_complain("fatal: usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (force "
			 "expire)] [-f queue_id (force expire and unhold)] [-h queue_id (hold)] "
			 "[-H queue_id (un-hold)] [-p (purge temporary files)] [-r queue_id (requeue)] "
			 "[-s (structure fix)] [-S (undo -s)] [-v (verbose)] [queue...]");
	return EX_USAGE;
}

/* Names of Postfix's queues: every message is in the one queue here, in that state or another. */
static bool are_queues(int n, char **words)
{
	static const char *const names[] = { "active", "bounce", "corrupt", "defer", "deferred", "flush",
		"hold", "incoming", "maildrop", "saved", "trace" };

	for (int i = 0; i < n; i++) {
		bool is_known = false;
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			is_known |= strcmp(words[i], names[k]) == 0;
		if (!is_known) {
			program_complain("fatal: unknown mail queue directory: %s", words[i]);
			return false;
		}
	}
	return true;
}

static size_t asked_parse(int argc, char **argv, struct asked *out)
{
	size_t n = 0;
	int letter;

	opterr = 0;
	while ((letter = getopt(argc, argv, "c:d:e:f:h:H:pr:sSv")) != -1) {
		if (letter == '?' || n == ASKED_MAX)
			return SIZE_MAX;
		for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
			if (jobs[i].letter == letter)
				out[n++] = (struct asked){ &jobs[i], optarg };
	}
	return n;
}

static int do_all(struct client *c, const struct asked *asked, size_t n)
{
	int status = EX_OK;

	for (size_t i = 0; status == EX_OK && i < ARRAY_LEN(jobs); i++) {
		struct super s = { .job = &jobs[i], .asked = asked, .n_asked = n };
		bool is_asked = false;
		for (size_t k = 0; k < n; k++)
			is_asked |= asked[k].job == &jobs[i];
		if (is_asked)
			status = do_job(c, &s);
	}
	return status;
}

int postsuper_run(const struct config *config, int argc, char **argv)
{
	auto_free struct asked *asked = mem_new_array(ASKED_MAX, sizeof(*asked));
	size_t n = asked_parse(argc, argv, asked);
	struct client c;
	int r;

	if (n == SIZE_MAX)
		return super_usage();
	if (!are_queues(argc - optind, argv + optind))
		return EX_USAGE;
	if (n == 0)
		return EX_OK; /* checks of files: `postrider spool check` makes them */
	r = client_open(&c, config->paths.control_socket);
	if (r < 0) {
		program_complain("fatal: the mail system is down; postsuper needs postriderd to run");
		return r == -ENOENT || r == -ECONNREFUSED ? EX_UNAVAILABLE : EX_TEMPFAIL;
	}
	r = do_all(&c, asked, n);
	client_close(&c);
	return r;
}
