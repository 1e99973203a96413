/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.c - what happened to each message, written down beside the mail's path; see core.h
 *
 * Events gather in memory and are written some kilobytes at a time on another thread, never synced; when that
 * thread does not keep up, events are left out and their number is told. Questions are answered from the
 * files, on another thread too, after what had gathered before them was written.
 * Tests: tests/system/test_queue_commands.py; the files: spool/test_history.c.
 */
#include "spool/history.h"
#include "base/clock.h"
#include "base/limits.h"
#include "mail/queue_id.h"
#include "queue/control-private.h"

#define GATHER_BYTES (64 * 1024)     /* written when there is so much */
#define GATHER_MS 1000		     /* or after that time */
#define GATHER_MAX (4 * 1024 * 1024) /* while a write is under way */
#define RCPTS_TOLD 20		     /* of an accepted message */
#define ANSWER_BYTES (1024 * 1024)   /* of one question */
#define QUESTIONS_AT_ONCE 4

static struct {
	struct history *files; /* NULL: none is kept */
	struct buf gathered, writing;
	uint64_t n_lost;
	uint64_t n_begun, n_done; /* writes */
	int write_result;
	bool has_failed; /* was told */
	uv_timer_t timer;
	uv_work_t write;
	struct list questions;
	size_t n_questions;
} history;

/* ---- writing ---- */

static void write_out(void);

static void on_thread(uv_work_t *work)
{
	(void)work;
	history.write_result = history_write(history.files, buf_slice(&history.writing));
}

static void answer_waiting(void);

static void on_written(uv_work_t *work, int status)
{
	(void)work, (void)status;
	history.n_done = history.n_begun;
	if (history.write_result < 0 && !history.has_failed)
		log_warning(
			"the history of messages cannot be written: %s; `postrider trace` will not know them",
			strerror(-history.write_result));
	history.has_failed = history.write_result < 0;
	buf_clear(&history.writing);
	if (history.gathered.len >= GATHER_BYTES || !list_empty(&history.questions))
		write_out();
	answer_waiting();
}

static bool is_writing(void)
{
	return history.n_done != history.n_begun;
}

static void write_out(void)
{
	struct buf empty = history.writing;

	if (is_writing() || history.gathered.len == 0)
		return;
	if (history.n_lost) {
		log_warning("%" PRIu64 " events of messages are missing in their history: the disk is slow",
			history.n_lost);
		history.n_lost = 0;
	}
	history.writing = history.gathered;
	history.gathered = empty;
	history.n_begun++;
	CHECK(uv_queue_work(queue.rp->loop, &history.write, on_thread, on_written) == 0);
}

static void on_time(uv_timer_t *timer)
{
	(void)timer;
	write_out();
}

/* Where an event's line goes; NULL: none is kept. */
static struct buf *begin(uint64_t id, const char *event)
{
	struct buf *b = &history.gathered;

	if (!history.files)
		return NULL;
	if (b->len + HISTORY_LINE > b->max) {
		history.n_lost++;
		return NULL;
	}
	if (b->len == 0)
		CHECK(uv_timer_start(&history.timer, on_time, GATHER_MS, 0) == 0);
	history_begin(b, clock_wall_us(), id, event);
	return b;
}

static void end(struct buf *b)
{
	history_end(b);
	if (b->len >= GATHER_BYTES)
		write_out();
}

/* ---- events ---- */

void history_accepted(const struct message *m, struct slice message_id)
{
	struct buf *b = begin(m->entry.id, "accepted");
	struct recipient_cursor at;
	struct recipient_view v;
	struct spool_envelope e;

	if (!b)
		return;
	message_envelope(m, &e);
	history_text(
		b, "from", e.reverse_path.len ? slice_first(e.reverse_path, LIMIT_ADDRESS) : SLICE("<>"));
	history_number(b, "size", m->entry.content_bytes);
	history_number(b, "nrcpt", m->n_rcpts);
	history_text(b, "client", slice_first(e.client_address, 100));
	history_text(b, "login", slice_first(e.login, 100));
	history_text(b, "proto", slice_first(e.protocol, 20));
	history_text(b, "message-id", history_bare_id(message_id));
	at = message_cursor(m);
	for (uint32_t i = 0; i < RCPTS_TOLD && recipient_next(&at, &v); i++)
		history_text(b, "to", slice_first(v.spool.forward_path, LIMIT_DOMAIN));
	end(b);
}

void history_result(const struct message *m, const struct recipient *r, const char *what, struct slice words)
{
	struct buf *b = begin(m->entry.id, what);

	if (!b)
		return;
	history_text(b, "to", slice_first(r->forward_path, LIMIT_ADDRESS));
	if (!slice_eq(r->original, r->forward_path))
		history_text(b, "orig_to", slice_first(r->original, LIMIT_ADDRESS));
	history_text(b, "relay", slice_first(r->remote, LIMIT_ADDRESS));
	history_text(b, "dsn", r->status);
	history_text(b, "reason", slice_first(words, LIMIT_REASON));
	end(b);
}

void history_expanded(const struct message *m, const struct recipient *r, size_t n, struct slice first)
{
	struct buf *b = begin(m->entry.id, "expanded");

	if (!b)
		return;
	history_text(b, "to", slice_first(r->forward_path, LIMIT_ADDRESS));
	history_number(b, "members", n);
	history_text(b, "first", slice_first(first, LIMIT_ADDRESS));
	end(b);
}

void history_told(const struct message *m, uint64_t report_id)
{
	struct buf *b = begin(m->entry.id, "reported");
	struct queue_id_text id = queue_id_format(report_id);

	if (!b)
		return;
	history_text(b, "report", slice_of(id.at));
	end(b);
}

void history_ordered(uint64_t id, const char *what, uid_t uid)
{
	struct buf *b = begin(id, what);

	if (!b)
		return;
	history_number(b, "uid", uid);
	end(b);
}

void history_removed(uint64_t id)
{
	struct buf *b = begin(id, "removed");

	if (b)
		end(b);
}

/* ---- questions ---- */

struct question {
	uv_work_t work;
	struct list in_questions;
	struct client_state *client; /* NULL: gone */
	uint64_t request;
	uint64_t after; /* writes that must be done before */
	char *what;
	char spool_dir[PATH_MAX];
	struct buf lines;
	bool is_cut;
	int result;
};

static bool keep_line(void *user, struct slice line)
{
	struct question *q = user;

	if (q->lines.len + line.len + 1 > q->lines.max) {
		q->is_cut = true;
		return false;
	}
	buf_append(&q->lines, line);
	buf_append_byte(&q->lines, '\n');
	return true;
}

static void search_on_thread(uv_work_t *work)
{
	struct question *q = CONTAINER_OF(work, struct question, work);

	q->result = history_find(q->spool_dir, slice_of(q->what), keep_line, q);
}

static void answer_question(const struct question *q)
{
	struct channel *ch = q->client->ch;
	struct slice rest = buf_slice(&q->lines), line;

	while (slice_next_line(&rest, &line))
		SEND(ch, TRACE_EVENT, .request = q->request, .line = line);
	if (q->result < 0)
		client_reply(ch, q->request, EX_IOERR, strerror(-q->result));
	else if (q->lines.len == 0)
		client_reply(ch, q->request, EX_NOINPUT, "the history knows nothing of it");
	else
		client_reply(ch, q->request, EX_OK, q->is_cut ? "there is more, which is not shown\n" : "");
}

static void on_found(uv_work_t *work, int status)
{
	struct question *q = CONTAINER_OF(work, struct question, work);

	(void)status;
	if (q->client) {
		q->client->active_ms = clock_mono_ms();
		q->client->question = NULL;
		answer_question(q);
	}
	history.n_questions--;
	buf_free(&q->lines);
	mem_free(q->what);
	mem_free(q);
}

static void answer_waiting(void)
{
	list_for_each_safe (node, &history.questions) {
		struct question *q = CONTAINER_OF(node, struct question, in_questions);
		if (q->after > history.n_done)
			continue;
		list_remove(&q->in_questions);
		CHECK(uv_queue_work(queue.rp->loop, &q->work, search_on_thread, on_found) == 0);
	}
}

void history_client_gone(struct client_state *c)
{
	if (c->question)
		c->question->client = NULL;
	c->question = NULL;
}

static const char *why_not(const struct client_state *c)
{
	if (!history.files)
		return "no history is kept (queue.history = 0)";
	if (c->question || history.n_questions == QUESTIONS_AT_ONCE)
		return "others ask for the history just now; try again";
	return queue.is_stopping ? "the daemon is stopping" : NULL;
}

void history_ask(struct channel *ch, const union msg_any *any, int *fd)
{
	const struct msg_TRACE_ASK *a = &any->TRACE_ASK;
	struct client_state *c = client_of(ch);
	struct question *q;

	(void)fd;
	if (!client_speaks(ch))
		return;
	if (!c->is_administrator) {
		client_reply(ch, a->request, EX_NOPERM,
			"only an administrator may see the history of messages; use sudo");
		return;
	}
	if (why_not(c)) {
		client_reply(ch, a->request, history.files ? EX_TEMPFAIL : EX_CONFIG, why_not(c));
		return;
	}
	q = mem_new(sizeof(*q));
	q->client = c;
	q->request = a->request;
	q->what = slice_dup(slice_first(a->what, LIMIT_PATH));
	q->lines = BUF_INIT(ANSWER_BYTES);
	(void)snprintf(q->spool_dir, sizeof(q->spool_dir), "%s", queue.rp->config->paths.spool_dir);
	q->after = history.n_begun + (history.gathered.len ? 1 : 0);
	c->question = q;
	history.n_questions++;
	list_push_back(&history.questions, &q->in_questions);
	write_out();
	answer_waiting();
}

/* ---- start and stop ---- */

void history_start(void)
{
	const struct config *c = queue.rp->config;
	int r;

	history.gathered = history.writing = BUF_INIT(GATHER_MAX);
	list_init(&history.questions);
	CHECK(uv_timer_init(queue.rp->loop, &history.timer) == 0);
	if (c->queue_history == 0)
		return;
	r = history_open(c->paths.spool_dir, c->queue_history, &history.files);
	if (r < 0)
		log_warning(
			"%s/history: %s; no history of messages is kept", c->paths.spool_dir, strerror(-r));
}

/* The last lines: written in place, the thread that might be writing has had its time by then. */
void history_stop(void)
{
	(void)uv_timer_stop(&history.timer);
	if (history.files && !is_writing() && history.gathered.len)
		history.write_result = history_write(history.files, buf_slice(&history.gathered));
	buf_clear(&history.gathered);
}
