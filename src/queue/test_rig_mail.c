/* SPDX-License-Identifier: Apache-2.0 */
/* test_rig_mail.c - the rig's mails: handed in, found again, listed, and there before; see test_rig.h */
#include "base/clock.h"
#include "base/limits.h"
#include "ipc/client.h"
#include "mail/queue_id.h"
#include "queue/test_rig.h"
#include "spool/spool.h"

/* ---- mail ---- */

static void send_content(struct rig *rig, const struct rig_mail *mail, uint64_t number)
{
	static char chunk[LIMIT_CHUNK];
	auto_buf struct buf first = BUF_INIT(1000);
	struct channel *smtpd = rig->peers[ROLE_SMTPD];

	memset(chunk, 'x', sizeof(chunk));
	for (size_t i = 99; i < sizeof(chunk); i += 100)
		chunk[i] = '\n';
	buf_printf(&first, "%sSubject: test\n\nHello.\n", mail->header ? mail->header : "");
	SEND(smtpd, MAIL_CONTENT, .mail = number, .chunk = buf_slice(&first));
	for (size_t left = mail->size; left > 0; left -= MIN(left, sizeof(chunk)))
		SEND(smtpd, MAIL_CONTENT, .mail = number, .chunk = { chunk, MIN(left, sizeof(chunk)) });
}

uint64_t rig_send(struct rig *rig, const struct rig_mail *mail)
{
	struct channel *smtpd = rig->peers[ROLE_SMTPD];
	uint64_t id = mail->queue_id ? mail->queue_id : rig->next_id++, number = ++rig->next_mail;

	assert_true(rig->next_id <= rig->id_end);
	SEND(smtpd, MAIL_BEGIN, .mail = number, .queue_id = id, .reverse_path = slice_of(mail->from),
		.client_address = SLICE("192.0.2.1"), .client_name = SLICE("name.example"),
		.helo = SLICE("helo.example"), .protocol = SLICE("ESMTP"), .login = SLICE("ann"));
	for (size_t i = 0; i < RIG_RCPTS && mail->to[i]; i++)
		SEND(smtpd, MAIL_RCPT, .mail = number, .forward_path = slice_of(mail->to[i]),
			.notify = mail->notify);
	send_content(rig, mail, number);
	SEND(smtpd, MAIL_END, .mail = number);
	return id;
}

uint64_t rig_send_list(struct rig *rig, size_t n, const char *domain)
{
	struct channel *smtpd = rig->peers[ROLE_SMTPD];
	uint64_t id = rig->next_id++, number = ++rig->next_mail;
	char to[100];

	SEND(smtpd, MAIL_BEGIN, .mail = number, .queue_id = id, .reverse_path = SLICE("list@far.example"),
		.protocol = SLICE("ESMTP"));
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(to, sizeof(to), "r%zu@%s", i, domain);
		SEND(smtpd, MAIL_RCPT, .mail = number, .forward_path = slice_of(to));
	}
	send_content(rig, &(struct rig_mail){ 0 }, number);
	SEND(smtpd, MAIL_END, .mail = number);
	return id;
}

uint16_t rig_code(const struct rig *rig, size_t i)
{
	assert_true(i < rig->n_results);
	return rig->results[i].code;
}

uint64_t rig_accept(struct rig *rig, const struct rig_mail *mail)
{
	size_t n = rig->n_results;
	uint64_t id = rig_send(rig, mail);

	rig_wait(rig, rig->n_results > n);
	assert_int_equal(rig_code(rig, n), 250);
	assert_true(rig->results[n].queue_id == id);
	return id;
}

struct rig_question *rig_asked(struct rig *rig, const char *address, size_t i)
{
	for (size_t k = 0; k < rig->n_questions; k++)
		if (strcmp(rig->questions[k].address, address) == 0 && i-- == 0)
			return &rig->questions[k];
	return NULL;
}

size_t rig_n_asked(struct rig *rig, const char *address)
{
	size_t n = 0;

	while (rig_asked(rig, address, n))
		n++;
	return n;
}

struct rig_job *rig_job(struct rig *rig, const char *address, size_t i)
{
	for (size_t k = 0; k < rig->n_jobs; k++)
		for (uint32_t r = 0; r < rig->jobs[k].n_known; r++)
			if (strcmp(rig->jobs[k].rcpts[r].address, address) == 0 && i-- == 0)
				return rig->jobs[k].content.len ? &rig->jobs[k] : NULL;
	return NULL;
}

size_t rig_n_jobs(struct rig *rig, const char *address)
{
	size_t n = 0;

	while (rig_job(rig, address, n))
		n++;
	return n;
}

bool rig_contains(const struct buf *text, const char *part)
{
	return text->len && memmem(text->at, text->len, part, strlen(part)) != NULL;
}

size_t rig_logged(struct rig *rig, const char *text)
{
	struct slice rest = buf_slice(&rig->log);
	const char *at;
	size_t n = 0;

	for (; rest.len && (at = memmem(rest.at, rest.len, text, strlen(text))); n++)
		rest = slice_from(rest, (size_t)(at - rest.at) + strlen(text));
	return n;
}

/* ---- the control socket ---- */

int rig_act(struct rig *rig, enum queue_action action, uint64_t id)
{
	struct client c = CLIENT_INIT;
	enum msg_type type = MSG_NONE;
	union msg_any m;
	int code;

	channel_flush_dirty(rig->loop);
	assert_int_equal(client_open(&c, rig_path(rig, "run/control")), 0);
	assert_int_equal(CLIENT_SEND(&c, QUEUE_ACT, .request = 1, .action = (uint8_t)action, .is_quiet = 1,
				 .queue_id = id),
		0);
	assert_int_equal(client_flush(&c), 0);
	assert_int_equal(client_receive(&c, &type, &m), 0);
	assert_int_equal(type, MSG_REQUEST_DONE);
	code = m.REQUEST_DONE.exit_code;
	client_close(&c);
	rig_pause(rig, 30);
	return code;
}

struct buf rig_list(struct rig *rig)
{
	struct buf out = BUF_INIT(1 << 20);
	struct client c = CLIENT_INIT;
	enum msg_type type = MSG_NONE;
	union msg_any m;

	assert_int_equal(client_open(&c, rig_path(rig, "run/control")), 0);
	assert_int_equal(CLIENT_SEND(&c, QUEUE_LIST, .request = 1, .view = QUEUE_VIEW_MAILS), 0);
	assert_int_equal(client_flush(&c), 0);
	while (type != MSG_REQUEST_DONE) {
		assert_int_equal(client_receive(&c, &type, &m), 0);
		if (type == MSG_QUEUE_MAIL)
			buf_printf(
				&out, "%.*s %c\n", SLICE_ARG(m.QUEUE_MAIL.reverse_path), m.QUEUE_MAIL.state);
		if (type == MSG_QUEUE_RCPT)
			buf_printf(&out, "%.*s %.*s %u %.*s next %" PRIu64 "\n",
				SLICE_ARG(m.QUEUE_RCPT.forward_path), SLICE_ARG(m.QUEUE_RCPT.status),
				m.QUEUE_RCPT.attempts, SLICE_ARG(m.QUEUE_RCPT.reason),
				m.QUEUE_RCPT.next_attempt_s);
	}
	client_close(&c);
	return out;
}

/* ---- mail that was there before ---- */

static void on_seeded(void *user, int result)
{
	assert_int_equal(result, 0);
	*(bool *)user = true;
}

static void on_spool_closed(void *user)
{
	*(bool *)user = true;
}

static struct spool_entry *no_recovery(
	void *user, const struct spool_envelope *env, const struct spool_recipient *rcpts, size_t n_rcpts)
{
	(void)user, (void)env, (void)rcpts, (void)n_rcpts;
	return NULL;
}

uint64_t rig_seed(struct rig *rig, uint64_t age_s, uint32_t attempts, const char *from, const char *to)
{
	static const struct spool_hooks spool_hooks = { no_recovery, NULL, NULL, NULL };
	const struct spool_settings how = { .segment_bytes = 256 * 1024, .node = 1 };
	uint64_t id = queue_id_make(1, 123456), then = clock_wall_us() - age_s * 1000000;
	const struct spool_recipient rcpt = { .forward_path = slice_of(to),
		.original = slice_of(to),
		.trail = slice_of(to),
		.progress = { .attempts = attempts, .first_attempt_us = then, .last_attempt_us = then } };
	const struct spool_envelope env = { .id = id, .arrival_us = then, .reverse_path = slice_of(from) };
	struct spool_entry entry = { 0 };
	struct spool_message *content = NULL;
	struct spool *spool = NULL;
	volatile bool is_seeded = false, is_closed = false; /* set by callbacks */

	assert_int_equal(spool_open(rig_path(rig, "spool"), &how, rig->loop, &spool_hooks, NULL, &spool), 0);
	assert_int_equal(spool_message_new(spool, 0, &content), 0);
	assert_int_equal(spool_message_append(content, SLICE("Subject: old\n\nHello.\n")), 0);
	spool_message_commit(content, &entry, &env, &rcpt, 1, on_seeded, (void *)(uintptr_t)&is_seeded);
	rig_wait(rig, is_seeded);
	spool_close(spool, on_spool_closed, (void *)(uintptr_t)&is_closed);
	rig_wait(rig, is_closed);
	return id;
}
