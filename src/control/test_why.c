/* SPDX-License-Identifier: Apache-2.0 */
/* Words for why mail waits: each row of the table is what somebody sees. */
#include "control/why.h"
#include "mail/queue_id.h"
#include "support/test.h"

static void every_row_is_reached(void **state)
{
	static const struct {
		const char *status, *reason, *part; /* of the words */
		char kind;			    /* 'h' held, 'a' active, 'n' new, 't' tried */
	} rows[] = {
		{ "4.4.1", "Connection refused", "on hold", 'h' },
		{ "", "", "being delivered", 'a' },
		{ "", "", "not tried yet", 'n' },
		{ "4.4.1", "connect to mx.a.example[192.0.2.1]:25: Connection refused",
			"does not take connections", 't' },
		{ "4.4.1", "connect to mx.a.example[192.0.2.1]:25: Connection timed out", "does not answer",
			't' },
		{ "4.4.1", "connect to mx.a.example[192.0.2.1]:25: Network is unreachable", "no way through",
			't' },
		{ "4.4.1", "no session", "No connection", 't' },
		{ "4.4.2", "lost connection", "broke in the middle", 't' },
		{ "4.4.3", "Host or domain name not found", "DNS does not answer", 't' },
		{ "4.4.7", "x", "on the way failed", 't' },
		{ "4.2.2", "the mailbox is full (local.max_mailbox_size)", "mailbox is full", 't' },
		{ "4.2.0", "another program holds a lock on the mailbox", "keeps the mailbox locked", 't' },
		{ "4.2.0", "/home/a/.forward cannot be read", "~/.forward", 't' },
		{ "4.2.0", "cannot look at the home directory /home/a: Stale file handle", "home directory",
			't' },
		{ "4.2.0", "mail waits while the home directory /home/a is sticky: chmod -t",
			"home directory", 't' },
		{ "4.2.0", "the mailbox belongs to another user", "not safe to write", 't' },
		{ "4.2.1", "Greylisted, try later", "makes new senders wait", 't' },
		{ "4.2.1", "x", "takes no mail at the moment", 't' },
		{ "4.3.1", "No space left on device", "disk is full", 't' },
		{ "4.3.3", "|command", "cannot serve this kind", 't' },
		{ "4.3.5", "the list /etc/mail/team cannot be used: No such file or directory",
			"file of a mailing list", 't' },
		{ "4.3.5", "the alias \"a\" (/etc/aliases line 4) has no usable recipient; run newaliases",
			"alias has no recipient", 't' },
		{ "4.3.5", "x", "configuration leads nowhere", 't' },
		{ "4.3.0", "the command cannot be started (No such file or directory): \"/x\"",
			"that an alias or .forward gives the mail to failed", 't' },
		{ "4.3.0", "host mx.example said: 451 4.3.0 x (in reply to DATA command)",
			"failed for the moment", 't' },
		{ "4.3.0", "temporary failure (exit status 75 of the command): \"exit 75\"",
			"that an alias or .forward gives the mail to failed", 't' },
		{ "4.3.2", "too busy", "too busy", 't' },
		{ "4.3.0", "the user database cannot be asked now", "user database did not answer", 't' },
		{ "4.3.0", "the message is damaged on disk", "damaged on disk", 't' },
		{ "4.3.0", "the message cannot be read from disk", "spool could not be read", 't' },
		{ "4.3.0", "x", "failed for the moment", 't' },
		{ "4.7.1", "greylisting in action", "makes new senders wait", 't' },
		{ "4.7.1", "blocked", "reasons of policy", 't' },
		{ "4.1.8", "x", "address is right", 't' },
		{ "4.5.0", "x", "does not speak SMTP", 't' },
		{ "5.1.1", "x", "bounce could not be written", 't' },
		{ "4.9.9", "x", "the reason says how", 't' },
	};
	bool seen[100] = { false };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct why_facts f = { .status = slice_of(rows[i].status),
			.reason = slice_of(rows[i].reason),
			.is_held = rows[i].kind == 'h',
			.is_active = rows[i].kind == 'a',
			.attempts = rows[i].kind != 'n' };
		size_t row;
		const struct why_words *w = why_find(&f, &row);
		if (!strstr(w->what, rows[i].part))
			fail_msg("%s %s: %s", rows[i].status, rows[i].reason, w->what);
		assert_true(row < ARRAY_LEN(seen) && *w->whose && *w->help);
		auto_buf struct buf help = BUF_INIT(1000);
		why_append_help(&help, w, &f);
		assert_null(strchr(buf_cstr(&help), '{'));
		assert_null(strstr(buf_cstr(&help), "HOST"));
		seen[row] = true;
	}
	for (size_t i = 0; i < n_why_rows; i++)
		if (!seen[i])
			fail_msg("row %zu is never reached", i);
}

static void names_are_the_mails_own(void **state)
{
	static const struct why_words words = { .help = "{id} {host} {port} {domain} {user}." };
	static const struct {
		const char *remote, *recipient, *want;
	} rows[] = {
		{ "mx.a.example[192.0.2.1]:2525", "u@a.example", "192.0.2.1 2525 a.example u." },
		{ "mx.a.example[2001:db8::1]:25", "u+x@a.example", "2001:db8::1 25 a.example u." },
		{ "mx.a.example[192.0.2.1]", "u@a.example", "192.0.2.1 25 a.example u." },
		{ "mx.a.example", "u@a.example", "mx.a.example 25 a.example u." },
		{ "", "u@a.example", "a.example 25 a.example u." },
		{ "", "user", " 25  user." },
		{ "", "a&reboot@a.example", "a.example 25 a.example USER." },
		{ "", "-x@`id`.example", "HOST 25 DOMAIN USER." },
		{ "$(id)[192.0.2.1]:2;5", "u@a.example", "192.0.2.1 PORT a.example u." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct why_facts f = { .remote = slice_of(rows[i].remote),
			.recipient = slice_of(rows[i].recipient),
			.id = queue_id_make(1, 1) };
		auto_buf struct buf got = BUF_INIT(1000), want = BUF_INIT(1000);
		buf_append_str(&want, "010000000000001 ");
		buf_append_str(&want, rows[i].want);
		why_append_help(&got, &words, &f);
		assert_slice_equal(buf_slice(&got), buf_slice(&want));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_row_is_reached),
		cmocka_unit_test(names_are_the_mails_own) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
