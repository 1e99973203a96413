/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.c - postrider trace: the history of a message, also of one that is gone; see commands.h
 *
 * Asks the daemon; when none runs root reads the history itself.
 */
#include "control/commands.h"
#include "control/daemon.h"
#include "mail/json.h"
#include "mail/queue_id.h"
#include "spool/history.h"
#include <sysexits.h>
#include <time.h>

struct tracing {
	bool as_json;
	uint64_t last_id;
	size_t n;
};

static void print_time(uint64_t us)
{
	time_t t = (time_t)(us / 1000000);
	char text[32] = "?";
	struct tm tm;

	if (localtime_r(&t, &tm))
		(void)strftime(text, sizeof(text), "%F %T", &tm);
	(void)printf("  %s.%03u", text, (unsigned)(us / 1000 % 1000));
}

static void print_event(struct tracing *t, struct history_event *e)
{
	auto_buf struct buf text = BUF_INIT(HISTORY_LINE);
	struct slice name, value;

	if (t->last_id != e->id)
		(void)printf("%s%s\n", t->n ? "\n" : "", queue_id_format(e->id).at);
	print_time(e->time_us);
	(void)printf("  %-9.*s", SLICE_ARG(e->name));
	while (history_field_next(&e->fields, &name, &value)) {
		buf_clear(&text);
		history_unescape(value, &text);
		(void)printf(" %.*s=", SLICE_ARG(name));
		print_safely(buf_slice(&text));
	}
	(void)putchar('\n');
}

/* A name that comes several times is a list: the recipients of an accepted message. */
static void print_json(const struct history_event *e)
{
	auto_buf struct buf line = BUF_INIT(16 * HISTORY_LINE), text = BUF_INIT(HISTORY_LINE);
	struct slice fields = e->fields, name, value;
	struct json j = JSON_INIT(&line);
	bool is_list = slice_eq(e->name, SLICE("accepted"));

	json_put_object(&j, NULL);
	json_put_text(&j, "queue_id", slice_of(queue_id_format(e->id).at));
	json_put_number(&j, "time_us", e->time_us);
	json_put_text(&j, "event", e->name);
	while (history_field_next(&fields, &name, &value)) {
		auto_free char *word = slice_dup(name);
		if (is_list && slice_eq(name, SLICE("to")))
			continue;
		buf_clear(&text);
		history_unescape(value, &text);
		json_put_text(&j, word, buf_slice(&text));
	}
	if (is_list) {
		json_put_array(&j, "to");
		for (fields = e->fields; history_field_next(&fields, &name, &value);) {
			if (!slice_eq(name, SLICE("to")))
				continue;
			buf_clear(&text);
			history_unescape(value, &text);
			json_put_text(&j, NULL, buf_slice(&text));
		}
		json_put_array_end(&j);
	}
	json_put_object_end(&j);
	(void)puts(buf_cstr(&line));
}

static bool on_line(void *user, struct slice line)
{
	struct tracing *t = user;
	struct history_event e;

	if (!history_parse(line, &e))
		return true;
	if (t->as_json)
		print_json(&e);
	else
		print_event(t, &e);
	t->last_id = e.id;
	t->n++;
	return true;
}

static int trace_offline(const struct paths *paths, const char *what, struct tracing *t)
{
	int r = history_find(paths->spool_dir, slice_of(what), on_line, t);

	if (r < 0 && r != -ENOENT) {
		complain("%s/history: %s", paths->spool_dir, strerror(-r));
		return r == -EACCES ? EX_NOPERM : EX_IOERR;
	}
	if (t->n)
		return EX_OK;
	complain("%s: the history knows nothing of it", what);
	return EX_NOINPUT;
}

static int trace_by_daemon(struct client *c, const char *what, struct tracing *t)
{
	enum msg_type type = MSG_NONE;
	union msg_any m;
	int status = EX_OK;
	int r = CLIENT_SEND(c, TRACE_ASK, .request = 1, .what = slice_of(what));

	if (r == 0)
		r = client_flush(c);
	if (r < 0)
		return daemon_silent(r);
	while ((status = daemon_receive(c, &type, &m)) == EX_OK && type == MSG_TRACE_EVENT)
		(void)on_line(t, m.TRACE_EVENT.line);
	if (status != EX_OK)
		return status;
	if (type != MSG_REQUEST_DONE)
		return EX_PROTOCOL;
	if (m.REQUEST_DONE.text.len)
		complain("%s: %.*s", what, SLICE_ARG(slice_trim(m.REQUEST_DONE.text)));
	return m.REQUEST_DONE.exit_code;
}

int command_trace(const struct paths *paths, int n_words, char **words)
{
	struct tracing t = { .as_json = n_words == 2 && strcmp(words[0], "--json") == 0 };
	const char *what;
	struct client c;
	int r;

	if (n_words != (t.as_json ? 2 : 1) || !*words[n_words - 1])
		return EX_USAGE;
	what = words[n_words - 1];
	if (getuid() == 0 || *paths->sandbox) {
		r = client_open(&c, paths->control_socket);
		client_close(&c);
		if (r == -ENOENT || r == -ECONNREFUSED)
			return trace_offline(paths, what, &t);
	}
	r = daemon_open(&c, paths);
	if (r != EX_OK)
		return r;
	r = trace_by_daemon(&c, what, &t);
	client_close(&c);
	return r;
}
