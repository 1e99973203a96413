/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flush.c - sendmail -q: queued mail is tried now, all of it or what is chosen; see program.h
 * Tests: tests/system/test_queue_cases.py.
 */
#include "ipc/queue_orders.h"
#include "mail/queue_id.h"
#include "sendmail/program.h"
#include <sysexits.h>

struct buf choice_filter(const struct sendmail_options *o)
{
	static const char *const names[] = {
		[CHOICE_ALL] = NULL,
		[CHOICE_ID] = NULL,
		[CHOICE_DOMAIN] = "domain",
		[CHOICE_SENDER] = "from",
	};
	struct buf filter = BUF_INIT(4096);

	if (names[o->choice])
		buf_printf(&filter, "%s=%s\n", names[o->choice], o->choice_value);
	return filter;
}

static int ask(struct client *c, const struct sendmail_options *o, uint64_t id)
{
	auto_buf struct buf filter = choice_filter(o);
	enum msg_type type = MSG_NONE;
	union msg_any m;
	int r = CLIENT_SEND(c, QUEUE_ACT, .request = 1, .action = QUEUE_ACT_FLUSH, .is_quiet = 1,
		.queue_id = id, .filter = buf_slice(&filter));

	if (r == 0)
		r = client_flush(c);
	if (r == 0)
		r = client_receive(c, &type, &m);
	if (r < 0 || type != MSG_REQUEST_DONE) {
		program_complain("postriderd did not answer");
		return EX_TEMPFAIL;
	}
	if (m.REQUEST_DONE.exit_code)
		program_complain("%.*s", SLICE_ARG(m.REQUEST_DONE.text));
	return m.REQUEST_DONE.exit_code;
}

int flush_run(const struct config *config, const struct sendmail_options *o)
{
	uint64_t id = 0;
	struct client c;
	int status;

	if (o->choice == CHOICE_ID && !queue_id_parse(slice_of(o->choice_value), &id)) {
		program_complain("%s: no such mail in the queue", o->choice_value);
		return EX_NOINPUT;
	}
	if (client_open(&c, config->paths.control_socket) < 0) {
		if (program_is_set_up(config))
			program_complain("postriderd is not running; mail is tried when it starts");
		return EX_UNAVAILABLE;
	}
	status = ask(&c, o, id);
	client_close(&c);
	return status;
}
