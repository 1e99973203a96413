/* SPDX-License-Identifier: Apache-2.0 */
/* session_rig.c - see session_rig.h */
#include "smtpd/session_rig.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static struct rig *rig_of(struct session *s)
{
	return CONTAINER_OF(s, struct rig, session);
}

static bool ask_verdict(struct session *s, struct session_rcpt *r)
{
	struct rig *rig = rig_of(s);

	if (!rig->has_lookup)
		return false;
	CHECK(rig->n_asked < ARRAY_LEN(rig->asked));
	rig->asked[rig->n_asked++] = r;
	return true;
}

static void forget_verdicts(struct session *s)
{
	rig_of(s)->n_asked = 0;
}

static uint64_t take_queue_id(struct session *s)
{
	struct rig *rig = rig_of(s);

	return rig->next_id ? rig->next_id++ : 0;
}

static void keep_message(struct rig *rig, enum msg_type type, const union msg_any *m)
{
	struct buf *out = &rig->to_queue;

	switch (type) {
	case MSG_MAIL_BEGIN:
		buf_clear(&rig->content);
		rig->number = m->MAIL_BEGIN.mail;
		buf_printf(out, "BEGIN <%.*s> envid=%.*s ret=%u body=%u utf8=%u size=%" PRIu64 " %.*s\n",
			SLICE_ARG(m->MAIL_BEGIN.reverse_path), SLICE_ARG(m->MAIL_BEGIN.envid),
			m->MAIL_BEGIN.ret, m->MAIL_BEGIN.body, m->MAIL_BEGIN.smtputf8,
			m->MAIL_BEGIN.size_hint, SLICE_ARG(m->MAIL_BEGIN.protocol));
		break;
	case MSG_MAIL_RCPT:
		buf_printf(out, "RCPT <%.*s> orcpt=%.*s notify=%u\n", SLICE_ARG(m->MAIL_RCPT.forward_path),
			SLICE_ARG(m->MAIL_RCPT.orcpt), m->MAIL_RCPT.notify);
		break;
	case MSG_MAIL_CONTENT:
		CHECK(m->MAIL_CONTENT.chunk.len > 0);
		buf_append(&rig->content, m->MAIL_CONTENT.chunk);
		break;
	case MSG_MAIL_END: buf_append_str(out, "END\n"); break;
	case MSG_MAIL_ABORT: buf_append_str(out, "ABORT\n"); break;
	default: CHECK(!"a message of smtpd to queue");
	}
}

static bool tell_queue(struct session *s, enum msg_type type, const void *m)
{
	struct rig *rig = rig_of(s);

	if (rig->has_queue)
		keep_message(rig, type, m);
	return rig->has_queue;
}

static bool queue_is_full(struct session *s)
{
	return rig_of(s)->is_full;
}

static void has_news(struct session *s)
{
	rig_of(s)->n_news++;
}

static const struct session_hooks hooks = {
	.ask_verdict = ask_verdict,
	.forget_verdicts = forget_verdicts,
	.take_queue_id = take_queue_id,
	.tell_queue = tell_queue,
	.queue_is_full = queue_is_full,
	.has_news = has_news,
};

static void report(unsigned line, const char *message, void *user)
{
	(void)user;
	(void)fprintf(stderr, "settings line %u: %s\n", line, message);
}

void rig_open(struct rig *rig, const char *config_text, const char *client)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct client_address address;

	*rig = (struct rig){ .to_queue = BUF_INIT(64 * 1024 * 1024),
		.content = BUF_INIT(64 * 1024 * 1024),
		.said = BUF_INIT(1024 * 1024),
		.next_id = 0xABC,
		.has_lookup = true,
		.has_queue = true,
		.is_open = true };
	rig->config = config_parse(slice_of(config_text), report, NULL);
	CHECK(rig->config && inet_pton(AF_INET, client, &from.sin_addr) == 1);
	CHECK(client_address_of((const struct sockaddr *)&from, &address));
	session_world_init(&rig->world, &hooks, rig->config);
	rig->world.now_ms = 1000;
	session_init(&rig->session, &rig->world, &address);
	session_greet(&rig->session, false);
	(void)rig_replies(rig); /* the greeting has a test of its own */
}

void rig_close(struct rig *rig)
{
	if (rig->is_open)
		session_deinit(&rig->session);
	rig->is_open = false;
	session_world_deinit(&rig->world);
	config_free(&rig->config);
	buf_free(&rig->to_queue);
	buf_free(&rig->content);
	buf_free(&rig->said);
}

void rig_verdict(struct rig *rig, size_t index, unsigned code, const char *status, const char *text)
{
	struct session_rcpt *r = rig->asked[index];
	const struct msg_RCPT_VERDICT m = {
		.code = (uint16_t)code, .status = slice_of(status), .text = slice_of(text)
	};

	rig->n_asked--;
	memmove(&rig->asked[index], &rig->asked[index + 1], (rig->n_asked - index) * sizeof(rig->asked[0]));
	session_verdict(r, code ? &m : NULL);
}

void rig_result(struct rig *rig, unsigned code, const char *status, const char *text)
{
	const struct msg_MAIL_RESULT m = { .mail = rig->number,
		.code = (uint16_t)code,
		.status = slice_of(status),
		.text = slice_of(text) };

	session_result(&rig->world, &m);
}

void rig_send(struct rig *rig, struct slice bytes)
{
	session_input(&rig->session, bytes);
	while (!rig->is_manual) {
		if (rig->n_asked)
			rig_verdict(rig, 0, 250, "2.1.5", "Ok");
		else if (rig->session.state == SESSION_STATE_RESULT)
			rig_result(rig, 250, "2.0.0", "Ok");
		else
			break;
	}
}

struct slice rig_replies(struct rig *rig)
{
	buf_clear(&rig->said);
	buf_append(&rig->said, buf_slice(&rig->session.out));
	buf_free(&rig->session.out);
	return buf_slice(&rig->said);
}
