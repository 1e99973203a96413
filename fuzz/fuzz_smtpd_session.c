/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_smtpd_session.c - an SMTP session against any client, and against a lookup and a queue that fail at
 * will
 *
 * The byte 0xff introduces an event: the next byte says which. All other bytes come from the client, in
 * pieces that end at events. What must always hold is checked: replies are well-formed lines, and queue is
 * never given a NUL or a CR as the content of a mail that it is told to keep.
 */
#include "base/log.h"
#include "smtpd/session_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void be_quiet(enum log_level level, const char *program, struct slice line, void *user)
{
	(void)program;
	(void)level, (void)line, (void)user;
}

static void check_replies(struct slice replies)
{
	struct slice line;

	while (slice_cut(&replies, '\n', &line)) {
		CHECK(line.len >= 5 && line.len < 512 && line.at[line.len - 1] == '\r');
		CHECK(ascii_is_digit(line.at[0]) && (line.at[3] == ' ' || line.at[3] == '-'));
		for (size_t i = 0; i + 1 < line.len; i++)
			CHECK(ascii_is_print(line.at[i]));
	}
	CHECK(replies.len == 0);
}

static void check_kept(struct rig *rig)
{
	struct slice content = buf_slice(&rig->content);

	if (rig->session.state != SESSION_STATE_RESULT)
		return;
	CHECK(slice_find(content, '\0') == content.len && slice_find(content, '\r') == content.len);
	CHECK(content.len && content.at[content.len - 1] == '\n');
}

static void answer(struct rig *rig, uint8_t how)
{
	static const uint16_t codes[] = { 250, 550, 450, 0, 999 };

	if (rig->n_asked)
		rig_verdict(
			rig, how % rig->n_asked, codes[how % ARRAY_LEN(codes)], "5.1.1", "no \n such \x01");
	else
		rig_result(rig, codes[how % ARRAY_LEN(codes)], "4.3.0", "later");
}

static void tick(struct rig *rig)
{
	rig->world.now_ms += 60000;
	if (deadlines_next_expired(&rig->world.deadlines, rig->world.now_ms))
		session_expired(&rig->session);
}

static void event(struct rig *rig, uint8_t what)
{
	switch (what % 10) {
	case 0: rig->is_manual = !rig->is_manual; break;
	case 1: rig->is_full = !rig->is_full; break;
	case 2: rig->has_lookup = !rig->has_lookup; break;
	case 3:
		rig->has_queue = !rig->has_queue;
		if (!rig->has_queue)
			session_queue_gone(&rig->world);
		break;
	case 4: tick(rig); break;
	case 5: session_eof(&rig->session); break;
	case 6: session_stop(&rig->session); break;
	case 7: rig->session.is_clogged = !rig->session.is_clogged; break;
	default: answer(rig, what);
	}
	session_proceed(&rig->session);
}

static void feed(struct rig *rig, struct slice in)
{
	struct slice piece;

	while (in.len && rig->session.state != SESSION_STATE_CLOSED) {
		piece = slice_first(in, slice_find(in, '\xff'));
		in = slice_from(in, piece.len);
		if (piece.len && !rig->session.is_eof && !session_has_enough(&rig->session))
			rig_send(rig, piece);
		if (in.len >= 2)
			event(rig, (uint8_t)in.at[1]);
		in = slice_from(in, 2);
		check_kept(rig);
		check_replies(rig_replies(rig));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig rig;

	log_set_sink(be_quiet, NULL);
	rig_open(&rig,
		"[main]\nhost_name = mx.test\n[smtpd]\nmax_recipients = 100\n[message]\nmax_size = 4k\n",
		"192.0.2.1");
	feed(&rig, (struct slice){ (const char *)data, size });
	rig_close(&rig);
	return 0;
}
