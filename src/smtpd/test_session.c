/* SPDX-License-Identifier: Apache-2.0 */
/* test_session.c - the dialogue: every verb in every state, pipelining, limits, time, roles that are not
 * there */
#include "base/log.h"
#include "smtpd/session_rig.h"
#include "support/test.h"

#define HOST "[main]\nhost_name = mx.test\n"
#define LOCAL "127.0.0.1"
#define STRANGER "192.0.2.9"
#define SEND(rig, text) rig_send((rig), SLICE(text))

/* The first reply's code; 0 when there is none. */
static int code_of(struct slice replies)
{
	uint64_t code = 0;

	return slice_to_u64(slice_first(replies, 3), 599, &code) ? (int)code : 0;
}

static bool has(struct slice in, const char *what)
{
	return memmem(in.at, in.len, what, strlen(what)) != NULL;
}

static void greets_and_offers(void **state)
{
	struct rig rig;
	(void)state;

	rig_open(&rig, HOST "[message]\nmax_size = 1m\n", LOCAL);
	session_greet(&rig.session, false);
	assert_slice_equal(rig_replies(&rig), SLICE("220 mx.test ESMTP Postrider\r\n"));
	SEND(&rig, "EHLO client.test\r\n");
	assert_slice_equal(rig_replies(&rig),
		SLICE("250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1048576\r\n250-8BITMIME\r\n"
		      "250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250 DSN\r\n"));
	SEND(&rig, "HELO client.test\r\n");
	assert_slice_equal(rig_replies(&rig), SLICE("250 mx.test\r\n"));
	rig_close(&rig);
}

/* ---- every verb in every state ---- */

static const char *const way_to[] = {
	"",
	"EHLO c\r\n",
	"EHLO c\r\n|MAIL FROM:<a@b.test>\r\n",
	"EHLO c\r\n|MAIL FROM:<a@b.test>\r\nRCPT TO:<x@mx.test>\r\n",
};

static void send_parts(struct rig *rig, const char *parts)
{
	struct slice rest = slice_of(parts), part;

	while (slice_cut(&rest, '|', &part))
		rig_send(rig, part);
	if (rest.len)
		rig_send(rig, rest);
}

static void verbs_in_states(void **state)
{
	/* codes in GREETED, READY, MAIL, RCPT */
	static const struct {
		const char *line;
		int codes[4];
		const char *status; /* of the last one */
	} rows[] = {
		{ "HELO c", { 250, 250, 250, 250 }, "" },
		{ "EHLO c", { 250, 250, 250, 250 }, "" },
		{ "ehlo c", { 250, 250, 250, 250 }, "" },
		{ "EHLO", { 501, 501, 501, 501 }, "5.5.4" },
		{ "EHLO a b", { 501, 501, 501, 501 }, "5.5.4" },
		{ "LHLO c", { 500, 500, 500, 500 }, "5.5.2" },
		{ "MAIL FROM:<>", { 503, 250, 503, 503 }, "5.5.1" },
		{ "MAIL FROM:<a@b.test> SIZE=10 BODY=8BITMIME", { 503, 250, 503, 503 }, "5.5.1" },
		{ "MAIL FROM:<a@b.test> NONSENSE=1", { 503, 555, 503, 503 }, "5.5.1" },
		{ "MAIL a@b.test", { 503, 501, 503, 503 }, "5.5.1" },
		{ "RCPT TO:<y@mx.test>", { 503, 503, 250, 250 }, "2.1.5" },
		{ "RCPT TO:<>", { 503, 503, 501, 501 }, "5" },
		{ "RCPT y", { 503, 503, 501, 501 }, "5.5.4" },
		{ "DATA", { 503, 503, 554, 354 }, "" },
		{ "DATA now", { 501, 501, 501, 501 }, "5.5.4" },
		{ "BDAT 3", { 502, 502, 502, 502 }, "5.5.1" },
		{ "RSET", { 250, 250, 250, 250 }, "2.0.0" },
		{ "RSET x", { 501, 501, 501, 501 }, "5.5.4" },
		{ "NOOP", { 250, 250, 250, 250 }, "2.0.0" },
		{ "NOOP what ever", { 250, 250, 250, 250 }, "2.0.0" },
		{ "QUIT", { 221, 221, 221, 221 }, "2.0.0" },
		{ "VRFY x", { 252, 252, 252, 252 }, "2" },
		{ "VRFY", { 501, 501, 501, 501 }, "5.5.4" },
		{ "EXPN x", { 502, 502, 502, 502 }, "5.5.1" },
		{ "HELP", { 214, 214, 214, 214 }, "2.0.0" },
		{ "ETRN x", { 502, 502, 502, 502 }, "5.5.1" },
		{ "AUTH PLAIN", { 502, 502, 502, 502 }, "5.5.1" },
		{ "STARTTLS", { 502, 502, 502, 502 }, "5.5.1" },
		{ "FOO", { 500, 500, 500, 500 }, "5.5.2" },
		{ "", { 500, 500, 500, 500 }, "5.5.2" },
		{ "  ", { 500, 500, 500, 500 }, "5.5.2" },
		{ "NOOP a\001b", { 500, 500, 500, 500 }, "5.5.2" },
		{ "NOOP a\rb", { 500, 500, 500, 500 }, "5.5.2" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t k = 0; k < ARRAY_LEN(way_to); k++) {
			struct rig rig;
			struct slice got;
			rig_open(&rig, HOST, LOCAL);
			send_parts(&rig, way_to[k]);
			(void)rig_replies(&rig); /* of the way */
			rig_send(&rig, slice_of(rows[i].line));
			assert_int_equal(rig_replies(&rig).len, 0); /* half a line has no reply */
			SEND(&rig, "\r\n");
			got = rig_replies(&rig);
			if (code_of(got) != rows[i].codes[k])
				fail_msg("%s in state %zu: %.*s", rows[i].line, k, SLICE_ARG(got));
			if (k + 1 == ARRAY_LEN(way_to))
				assert_true(has(slice_first(slice_from(got, 4), 6), rows[i].status));
			rig_close(&rig);
		}
	}
}

/* ---- RCPT ---- */

static void answers_in_order(void **state)
{
	struct rig rig;
	struct slice got;
	(void)state;

	rig_open(&rig, HOST, STRANGER);
	SEND(&rig, "EHLO c\r\n");
	rig.is_manual = true;
	SEND(&rig,
		"MAIL FROM:<a@b.test>\r\nRCPT TO:<1@mx.test>\r\nRCPT TO:<2@mx.test>\r\nRCPT TO:bad\r\n"
		"RCPT TO:<3@mx.test>\r\nDATA\r\n");
	assert_int_equal(rig.n_asked, 3);
	(void)rig_replies(&rig);
	rig_verdict(&rig, 2, 250, "2.1.5", "Ok");
	rig_verdict(&rig, 1, 550, "5.1.1", "<2@mx.test>: no such user");
	assert_int_equal(rig_replies(&rig).len, 0);
	rig_verdict(&rig, 0, 250, "2.1.5", "Ok");
	got = rig_replies(&rig);
	assert_true(slice_starts(
		got, SLICE("250 2.1.5 Ok\r\n550 5.1.1 <2@mx.test>: no such user\r\n501 5.5.2 ")));
	assert_true(has(got, "\r\n250 2.1.5 Ok\r\n354 "));
	assert_int_equal(rig.session.state, SESSION_STATE_CONTENT);
	rig_close(&rig);
}

static void understands_verdicts(void **state)
{
	static const struct {
		unsigned code;
		const char *status, *text, *want;
	} rows[] = {
		{ 250, "2.1.5", "whatever", "250 2.1.5 Ok\r\n" },
		{ 554, "5.7.1", "<x@y>: Relay access denied", "554 5.7.1 <x@y>: Relay access denied\r\n" },
		{ 450, "4.2.0", "later", "450 4.2.0 later\r\n" },
		{ 550, "5.1.1", "a\r\nb", "550-5.1.1 a?\r\n550 5.1.1 b\r\n" },
		{ 0, "", "", "451 4.3.0 Temporary lookup failure; try again later\r\n" },
		{ 300, "3.0.0", "x", "451 4.3.0 Temporary failure of the mail system\r\n" },
		{ 550, "4.1.1", "x", "451 4.3.0 Temporary failure of the mail system\r\n" },
		{ 550, "", "x", "451 4.3.0 Temporary failure of the mail system\r\n" },
		{ 999, "9.9.9", "x", "451 4.3.0 Temporary failure of the mail system\r\n" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig rig;
		rig_open(&rig, HOST, STRANGER);
		rig.is_manual = true;
		SEND(&rig, "EHLO c\r\n");
		SEND(&rig, "MAIL FROM:<a@b.test>\r\nRCPT TO:<x@y.test>\r\n");
		(void)rig_replies(&rig);
		rig_verdict(&rig, 0, rows[i].code, rows[i].status, rows[i].text);
		assert_slice_equal(rig_replies(&rig), slice_of(rows[i].want));
		rig_close(&rig);
	}
}

static void lookup_is_not_there(void **state)
{
	struct rig rig;
	(void)state;

	rig_open(&rig, HOST, LOCAL);
	rig.has_lookup = false;
	SEND(&rig, "EHLO c\r\n");
	SEND(&rig, "MAIL FROM:<>\r\n");
	(void)rig_replies(&rig);
	SEND(&rig, "RCPT TO:<x@mx.test>\r\nRCPT TO:<y@mx.test>\r\nRSET\r\n");
	assert_slice_equal(rig_replies(&rig),
		SLICE("451 4.3.0 Temporary lookup failure; try again later\r\n"
		      "451 4.3.0 Temporary lookup failure; try again later\r\n250 2.0.0 Ok\r\n"));
	rig_close(&rig);
}

static void client_leaves_before_the_verdict(void **state)
{
	struct rig rig;
	(void)state;

	rig_open(&rig, HOST, LOCAL);
	rig.is_manual = true;
	SEND(&rig, "EHLO c\r\n");
	SEND(&rig, "MAIL FROM:<>\r\nRCPT TO:<x@mx.test>\r\n");
	assert_int_equal(rig.n_asked, 1);
	session_broken(&rig.session);
	assert_int_equal(rig.session.state, SESSION_STATE_CLOSED);
	assert_int_equal(rig.n_asked, 0); /* forgotten: the verdict finds nobody */
	rig_close(&rig);
}

static void trust_decides_about_unqualified(void **state)
{
	static const struct {
		const char *client, *line;
		int code;
	} rows[] = {
		{ LOCAL, "MAIL FROM:<root>\r\n", 250 },
		{ STRANGER, "MAIL FROM:<root>\r\n", 501 },
		{ STRANGER, "MAIL FROM:<>\r\nRCPT TO:<postmaster>\r\n", 250 },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig rig;
		rig_open(&rig, HOST, rows[i].client);
		SEND(&rig, "EHLO c\r\n");
		(void)rig_replies(&rig);
		rig_send(&rig, slice_of(rows[i].line));
		assert_int_equal(code_of(rig_replies(&rig)), rows[i].code);
		rig_close(&rig);
	}
}

/* ---- limits ---- */

static size_t count_of(struct slice in, const char *what)
{
	size_t n = 0;
	const char *at;

	while ((at = memmem(in.at, in.len, what, strlen(what)))) {
		in = slice_from(in, (size_t)(at - in.at) + strlen(what));
		n++;
	}
	return n;
}

static void limits_recipients(void **state)
{
	struct rig rig;
	(void)state;

	/* All at once, and one of them unknown: it takes no place. */
	auto_buf struct buf flight = BUF_INIT(100000);
	buf_append_str(&flight, "MAIL FROM:<>\r\n");
	for (int i = 0; i < 103; i++)
		buf_printf(&flight, "RCPT TO:<r%d@mx.test>\r\n", i);
	rig_open(&rig, HOST "[smtpd]\nmax_recipients = 100\n", LOCAL);
	SEND(&rig, "EHLO c\r\n");
	(void)rig_replies(&rig);
	rig.is_manual = true;
	rig_send(&rig, buf_slice(&flight));
	assert_int_equal(rig.n_asked, SESSION_OVERLAP_MAX);
	rig_verdict(&rig, 0, 550, "5.1.1", "unknown");
	while (rig.n_asked)
		rig_verdict(&rig, 0, 250, "2.1.5", "Ok");
	struct slice got = rig_replies(&rig);
	assert_int_equal(count_of(got, "250 2.1.5"), 100);
	assert_int_equal(count_of(got, "550 5.1.1"), 1);
	assert_int_equal(count_of(got, "452 4.5.3"), 2);
	assert_int_equal(rig.session.state, SESSION_STATE_RCPT);
	rig_close(&rig);
}

static void limits_errors(void **state)
{
	struct rig rig;
	struct slice got;
	(void)state;

	rig_open(&rig, HOST "[smtpd]\nmax_errors = 3\n", LOCAL);
	SEND(&rig, "A\r\nB\r\nNOOP\r\nC\r\nNOOP\r\n");
	got = rig_replies(&rig);
	assert_int_equal(count_of(got, "500 5.5.2"), 3);
	assert_int_equal(count_of(got, "250 "), 1);
	assert_true(has(got, "421 4.7.0 mx.test Error: too many errors\r\n"));
	assert_int_equal(rig.session.state, SESSION_STATE_CLOSING);
	rig_close(&rig);
}

static void limits_idle_commands(void **state)
{
	struct rig rig;
	(void)state;

	rig_open(&rig, HOST "[smtpd]\nmax_errors = 3\n", LOCAL);
	for (int i = 0; i < SESSION_IDLE_COMMANDS_MAX + 2; i++)
		SEND(&rig, "NOOP\r\n");
	assert_int_equal(rig.session.state, SESSION_STATE_GREETED);
	SEND(&rig, "RSET\r\n");
	assert_int_equal(rig.session.state, SESSION_STATE_CLOSING);
	rig_close(&rig);
}

static void limits_command_lines(void **state)
{
	struct rig rig;
	char a[5000];
	(void)state;

	memset(a, 'A', sizeof(a));
	rig_open(&rig, HOST, LOCAL);
	for (int i = 0; i < 3; i++)
		rig_send(&rig, (struct slice){ a, sizeof(a) });
	assert_int_equal(rig_replies(&rig).len, 0);
	assert_true(rig.session.in.len == 0); /* nothing of it is kept */
	SEND(&rig, "\r\nNOOP\r\n");
	assert_slice_equal(
		rig_replies(&rig), SLICE("500 5.5.6 Command line is too long\r\n250 2.0.0 Ok\r\n"));
	rig_close(&rig);
}

static void refuses_bare_lf(void **state)
{
	struct rig rig;
	(void)state;

	rig_open(&rig, HOST, LOCAL);
	SEND(&rig, "NOOP\nNOOP\r\n");
	assert_slice_equal(rig_replies(&rig),
		SLICE("500 5.5.2 Error: command lines end with CRLF, not LF alone\r\n250 2.0.0 Ok\r\n"));
	rig_close(&rig);
}

static void refuses_early_talkers(void **state)
{
	static const char *const rows[] = { "EHLO c\r\nMAIL FROM:<>\r\n", "HELO c\r\nQ",
		"EHLO c\r\n|MAIL FROM:<>\r\n|RCPT TO:<x@mx.test>\r\n|DATA\r\nSubject: x\r\n" };
	struct rig rig;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rig_open(&rig, HOST, LOCAL);
		send_parts(&rig, rows[i]);
		assert_true(has(rig_replies(&rig), "554 5.5.0 mx.test Error: SMTP protocol synchronization"));
		assert_int_equal(rig.session.state, SESSION_STATE_CLOSING);
		rig_close(&rig);
	}
	rig_open(&rig, HOST, LOCAL);
	session_greet(&rig.session, true);
	assert_int_equal(code_of(rig_replies(&rig)), 554);
	rig_close(&rig);
}

static void turns_away(void **state)
{
	struct rig rig;
	(void)state;

	rig_open(&rig, HOST, LOCAL);
	session_turn_away(&rig.session, TURN_AWAY_TOO_MANY_OF_CLIENT);
	assert_slice_equal(
		rig_replies(&rig), SLICE("421 4.7.0 mx.test Error: too many connections from you\r\n"));
	assert_int_equal(rig.session.state, SESSION_STATE_CLOSING);
	rig_close(&rig);
}

/* ---- a client that does not read ---- */

static void waits_for_readers(void **state)
{
	struct rig rig;
	auto_buf struct buf flight = BUF_INIT(100000);
	(void)state;

	for (int i = 0; i < 90; i++)
		buf_append_str(&flight, "EXPN x\r\n");
	rig_open(&rig, HOST, LOCAL);
	rig.session.is_clogged = true;
	rig_send(&rig, buf_slice(&flight));
	assert_int_equal(rig_replies(&rig).len, 0);
	rig.session.is_clogged = false;
	session_proceed(&rig.session);
	assert_true(rig_replies(&rig).len > 0);
	rig_close(&rig);
}

/* ---- time ---- */

static struct deadline *tick(struct rig *rig, uint64_t ms)
{
	struct deadline *node;

	rig->world.now_ms += ms;
	node = deadlines_next_expired(&rig->world.deadlines, rig->world.now_ms);
	if (node)
		session_expired(&rig->session);
	return node;
}

static void ends_silent_sessions(void **state)
{
	struct rig rig;
	(void)state;

	rig_open(&rig, HOST "[smtpd]\ncommand_timeout = 10s\n", LOCAL);
	assert_null(tick(&rig, 9999));
	SEND(&rig, "NOOP\r\n");
	assert_null(tick(&rig, 9999));
	/* Single bytes are no progress. */
	SEND(&rig, "N");
	assert_non_null(tick(&rig, 1));
	assert_true(has(rig_replies(&rig), "421 4.4.2 mx.test Error: timeout exceeded\r\n"));
	assert_int_equal(rig.session.state, SESSION_STATE_CLOSING);
	assert_non_null(tick(&rig, 60000)); /* it does not even leave */
	assert_int_equal(rig.session.state, SESSION_STATE_CLOSED);
	rig_close(&rig);
}

static void stops(void **state)
{
	struct rig rig;
	(void)state;

	rig_open(&rig, HOST, LOCAL);
	SEND(&rig, "EHLO c\r\n");
	(void)rig_replies(&rig);
	session_stop(&rig.session);
	assert_slice_equal(
		rig_replies(&rig), SLICE("421 4.3.2 mx.test Service is stopping, try again later\r\n"));
	assert_int_equal(rig.session.state, SESSION_STATE_CLOSING);
	rig_close(&rig);
}

static void works_on_after_the_end_of_input(void **state)
{
	struct rig rig;
	(void)state;

	rig_open(&rig, HOST, LOCAL);
	rig.is_manual = true;
	SEND(&rig, "EHLO c\r\n");
	SEND(&rig, "MAIL FROM:<>\r\nRCPT TO:<x@mx.test>\r\nNOOP\r\nHAL");
	session_eof(&rig.session);
	(void)rig_replies(&rig);
	assert_int_equal(rig.session.state, SESSION_STATE_MAIL);
	rig_verdict(&rig, 0, 250, "2.1.5", "Ok");
	assert_slice_equal(rig_replies(&rig), SLICE("250 2.1.5 Ok\r\n250 2.0.0 Ok\r\n"));
	assert_int_equal(rig.session.state, SESSION_STATE_CLOSED);
	rig_close(&rig);
}

static void keeps_no_memory_when_idle(void **state)
{
	struct rig rig;
	(void)state;

	rig_open(&rig, HOST, LOCAL);
	SEND(&rig, "EHLO c\r\n");
	SEND(&rig, "MAIL FROM:<>\r\nRSE");
	SEND(&rig, "T\r\n");
	assert_null(rig.session.in.at);
	assert_null(rig.session.mail);
	assert_true(sizeof(struct session) < 640);
	rig_close(&rig);
}

static void be_quiet(enum log_level level, const char *program, struct slice line, void *user)
{
	(void)program;
	(void)level, (void)line, (void)user;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(greets_and_offers),
		cmocka_unit_test(verbs_in_states),
		cmocka_unit_test(answers_in_order),
		cmocka_unit_test(understands_verdicts),
		cmocka_unit_test(lookup_is_not_there),
		cmocka_unit_test(client_leaves_before_the_verdict),
		cmocka_unit_test(trust_decides_about_unqualified),
		cmocka_unit_test(limits_recipients),
		cmocka_unit_test(limits_errors),
		cmocka_unit_test(limits_idle_commands),
		cmocka_unit_test(limits_command_lines),
		cmocka_unit_test(refuses_bare_lf),
		cmocka_unit_test(refuses_early_talkers),
		cmocka_unit_test(turns_away),
		cmocka_unit_test(waits_for_readers),
		cmocka_unit_test(ends_silent_sessions),
		cmocka_unit_test(stops),
		cmocka_unit_test(works_on_after_the_end_of_input),
		cmocka_unit_test(keeps_no_memory_when_idle),
	};

	log_set_sink(be_quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
