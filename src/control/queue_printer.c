/* SPDX-License-Identifier: Apache-2.0 */
/* queue_printer.c - see queue_printer.h */
#include "control/queue_printer.h"
#include "control/commands.h"
#include "mail/queue_id.h"
#include <sysexits.h>

static void take(struct printer *p, enum msg_type type, const union msg_any *m)
{
	switch (type) {
	case MSG_QUEUE_MAIL:
		if (p->n++ && p->mail_end)
			p->mail_end(p);
		p->id = m->QUEUE_MAIL.queue_id;
		p->state = m->QUEUE_MAIL.state;
		p->expires_s = m->QUEUE_MAIL.expires_s;
		p->mail(p, &m->QUEUE_MAIL);
		break;
	case MSG_QUEUE_ENVELOPE:
		if (p->envelope)
			p->envelope(p, &m->QUEUE_ENVELOPE);
		break;
	case MSG_QUEUE_RCPT: p->rcpt(p, &m->QUEUE_RCPT); break;
	case MSG_QUEUE_GROUP:
		p->n++;
		p->group(p, &m->QUEUE_GROUP);
		break;
	default: break;
	}
}

int printer_ask(struct printer *p, uint64_t id)
{
	struct client *c = &p->q->client;
	enum msg_type type = MSG_NONE;
	union msg_any m;
	int status = EX_OK;
	int r = CLIENT_SEND(c, QUEUE_LIST, .request = 1, .view = (uint8_t)p->view, .by = (uint8_t)p->by,
		.queue_id = id, .filter = p->filter);

	if (r == 0)
		r = client_flush(c);
	if (r < 0)
		return daemon_silent(r);
	while ((status = daemon_receive(c, &type, &m)) == EX_OK && type != MSG_REQUEST_DONE)
		take(p, type, &m);
	if (status != EX_OK)
		return status;
	if (id && m.REQUEST_DONE.exit_code == EX_NOINPUT)
		complain("%s: %.*s", queue_id_format(id).at, SLICE_ARG(m.REQUEST_DONE.text));
	else if (m.REQUEST_DONE.exit_code)
		(void)daemon_answer(&m.REQUEST_DONE);
	return m.REQUEST_DONE.exit_code;
}

int printer_run(struct printer *p)
{
	int status = EX_OK, wrong = EX_OK;
	size_t n_asked = 0;
	uint64_t id;

	p->line = BUF_INIT(PRINTER_LINE);
	p->json = JSON_INIT(&p->line);
	if (queue_command_is_open(p->q)) {
		status = printer_ask(p, 0);
	} else {
		while (status == EX_OK && queue_command_next_id(p->q, &id, &status)) {
			int one = printer_ask(p, id);
			n_asked++;
			if (one != EX_OK)
				wrong = one;
		}
	}
	if (p->n && p->mail_end && p->view != QUEUE_VIEW_GROUPS)
		p->mail_end(p);
	buf_free(&p->line);
	if (status == EX_OK && wrong != EX_OK)
		status = n_asked > 1 && p->n ? 1 : wrong;
	return status;
}

void printer_write_line(struct printer *p)
{
	(void)fwrite(p->line.at, 1, p->line.len, stdout); /* run() looks for errors */
	buf_clear(&p->line);
}
