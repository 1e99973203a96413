/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exim_names.c - -M with queue ids, and -bP: the queue and the settings as people and scripts know them from
 * Exim; see sendmail(8)
 *
 * Options and messages are Exim's, what they do is ours. Who may, the daemon decides by the real uid.
 * Tests: tests/system/test_sendmail.py.
 */
#include "base/limits.h"
#include "ipc/queue_orders.h"
#include "mail/header.h"
#include "mail/queue_id.h"
#include "sendmail/program.h"
#include <sysexits.h>

/* ---- -M, -Mf, -Mt, -Mrm, -Mg ---- */

static const struct job {
	enum queue_action action;
	const char *done;
} jobs[] = {
	[EXIM_DELIVER] = { QUEUE_ACT_REQUEUE, "is being tried" },
	[EXIM_FREEZE] = { QUEUE_ACT_HOLD, "is now frozen" },
	[EXIM_THAW] = { QUEUE_ACT_RELEASE, "is no longer frozen" },
	[EXIM_REMOVE] = { QUEUE_ACT_DELETE, "has been removed" },
	[EXIM_GIVE_UP] = { QUEUE_ACT_GIVE_UP, "is returned to its sender" },
};

struct acting {
	const struct sendmail_options *o;
	const struct job *job;
	int at;
	int status; /* of what failed last */
};

static bool next(void *user, uint64_t *id_out)
{
	struct acting *a = user;

	/* options_parse() takes nothing but ids. */
	return a->at < a->o->n_words && queue_id_parse(slice_of(a->o->words[a->at++]), id_out);
}

static void told(void *user, uint64_t id, int exit_code, struct slice text)
{
	struct acting *a = user;
	const char *name = queue_id_format(id).at;

	if (exit_code == EX_OK && a->job->action != QUEUE_ACT_REQUEUE) { /* of which Exim says nothing */
		(void)printf("Message %s %s\n", name, a->job->done);
	} else if (exit_code != EX_OK) {
		a->status = exit_code;
		program_complain("%s: %.*s", name, SLICE_ARG(text));
	}
}

static int act(struct client *c, const struct sendmail_options *o)
{
	struct acting a = { .o = o, .job = &jobs[o->verb] };
	const struct queue_order order = { .action = a.job->action, .told = told, .next = next, .user = &a };
	int r = queue_order_named(c, &order);

	return r < 0 ? program_complain_of_daemon(c, r) : a.status;
}

/* ---- -Mvh, -Mvb ---- */

struct viewing {
	bool wants_body;
	struct buf text;
};

static bool gather(void *user, struct slice piece)
{
	struct viewing *v = user;

	buf_append(&v->text, piece);
	/* Where something follows the header it is complete. */
	return v->wants_body || header_length(buf_slice(&v->text)) == v->text.len;
}

static int view(struct client *c, const struct config *config, const struct sendmail_options *o)
{
	auto_buf struct buf text = BUF_INIT(4096);
	struct viewing v = { .wants_body = o->verb == EXIM_BODY,
		.text = BUF_INIT(config->message_max_size + 2 * LIMIT_HEADER) };
	struct slice header, body;
	uint64_t id = 0;
	int status = EX_OK, r;

	CHECK(queue_id_parse(slice_of(o->words[0]), &id));
	r = queue_content_read(c, id, gather, &v, &status, &text);
	header_split(buf_slice(&v.text), &header, &body);
	if (r == 0 && status == EX_OK) /* exim_run() looks for errors */
		(void)fwrite(
			v.wants_body ? body.at : header.at, 1, v.wants_body ? body.len : header.len, stdout);
	buf_free(&v.text);
	if (r < 0)
		return program_complain_of_daemon(c, r);
	if (status != EX_OK)
		program_complain("%s: %.*s", o->words[0], SLICE_ARG(buf_slice(&text)));
	return status;
}

/* ---- -Mvl ---- */

static int history(const struct config *config, const struct sendmail_options *o)
{
	char path[PATH_MAX], name[] = "postrider", verb[] = "trace";
	char *argv[] = { name, verb, o->words[0], NULL };

	if (program_sibling("postrider", config, path, sizeof(path)))
		(void)execv(path, argv);
	program_complain("%s: %s", path, strerror(errno));
	return EX_OSFILE;
}

int exim_run(const struct config *config, const struct sendmail_options *o)
{
	struct client c;
	int status, r;

	if (o->verb == EXIM_LOG)
		return history(config, o);
	r = client_open(&c, config->paths.control_socket);
	if (r < 0 && !program_is_set_up(config))
		return EX_UNAVAILABLE;
	if (r < 0)
		return program_complain_of_daemon(&c, r);
	status = o->verb == EXIM_HEADER || o->verb == EXIM_BODY ? view(&c, config, o) : act(&c, o);
	client_close(&c);
	return program_end_output(status);
}

/* ---- -bP ---- */

static void print_setting(const struct config *config, const struct setting *s)
{
	auto_free char *value = setting_value_text(config, s);

	(void)printf("%s.%s = %s\n", s->section, s->name, value);
}

int settings_run(const struct config *config, const struct sendmail_options *o)
{
	int status = EX_OK;

	for (size_t i = 0; o->n_words == 0 && i < n_settings; i++)
		print_setting(config, &settings[i]);
	for (int i = 0; i < o->n_words; i++) {
		const struct setting *s = setting_named(slice_of(o->words[i]));
		if (s) {
			print_setting(config, s);
			continue;
		}
		program_complain(
			"%s: no such setting; `postrider config list` shows all, written section.name",
			o->words[i]);
		status = EX_DATAERR;
	}
	return program_end_output(status);
}
