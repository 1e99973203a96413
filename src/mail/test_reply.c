/* SPDX-License-Identifier: Apache-2.0 */
/* test_reply.c - replies written within 512 octets, replies read from peers of every kind */
#include "support/test.h"
#include "base/limits.h"
#include "mail/reply.h"

static void writes(void **state)
{
	static const struct {
		int code;
		const char *status;
		struct slice text;
		const char *want;
	} rows[] = {
		{ 250, "2.1.0", { "Ok", 2 }, "250 2.1.0 Ok\r\n" },
		{ 220, NULL, { "host ESMTP", 10 }, "220 host ESMTP\r\n" },
		{ 354, "", { "Go on", 5 }, "354 Go on\r\n" },
		{ 250, NULL, { "host\nSIZE 10\nDSN", 16 }, "250-host\r\n250-SIZE 10\r\n250 DSN\r\n" },
		{ 550, "5.1.1", { "one\ntwo", 7 }, "550-5.1.1 one\r\n550 5.1.1 two\r\n" },
		{ 250, NULL, { "", 0 }, "250 \r\n" },
		{ 550, "5.1.1", { "a\r\0\x1b\x7f\xc3\xbc\tb", 9 }, "550 5.1.1 a?????? b\r\n" },
		{ 250, NULL, { "a\n", 2 }, "250 a\r\n" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000);
		reply_append(&out, rows[i].code, rows[i].status, rows[i].text);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
}

/* Whatever the text, every line keeps to the limit and nothing of it is lost. */
static void breaks_long_lines(void **state)
{
	static const char *const words[] = { "x", "word ", "a long word that is repeated ", " " };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		auto_buf struct buf text = BUF_INIT(5000), out = BUF_INIT(10000), joined = BUF_INIT(10000);
		struct slice rest, line;
		while (text.len < 3000)
			buf_append_str(&text, words[i]);
		reply_append(&out, 550, "5.7.1", buf_slice(&text));
		rest = buf_slice(&out);
		while (rest.len) {
			assert_true(slice_cut(&rest, '\n', &line));
			assert_true(line.len + 1 <= LIMIT_REPLY_LINE);
			assert_slice_equal(slice_first(line, 3), SLICE("550"));
			assert_int_equal(line.at[3], rest.len ? '-' : ' ');
			assert_slice_equal(slice_first(slice_from(line, 4), 6), SLICE("5.7.1 "));
			buf_append(&joined, slice_trim(slice_from(line, 10)));
			if (rest.len && i)
				buf_append_byte(&joined, ' ');
		}
		assert_slice_equal(slice_trim(buf_slice(&joined)), slice_trim(buf_slice(&text)));
	}
}

#define REPLIED(c, s, t) REPLY_DONE, (c), (s), (t)
static const struct {
	const char *in;
	enum reply_progress want;
	int code;
	const char *status, *text;
	const char *rest;
} replies[] = {
	{ "220 host ESMTP\r\n", REPLIED(220, "", "host ESMTP"), "" },
	{ "250 2.1.0 Ok\r\n354 go\r\n", REPLIED(250, "2.1.0", "Ok"), "354 go\r\n" },
	{ "250\r\n", REPLIED(250, "", ""), "" },
	{ "250 \r\n", REPLIED(250, "", ""), "" },
	{ "250 ok\n", REPLIED(250, "", "ok"), "" },
	{ "250-host\r\n250-SIZE 10\r\n250 DSN\r\n", REPLIED(250, "", "host\nSIZE 10\nDSN"), "" },
	{ "550-5.1.1 no\r\n550 5.1.1 such user\r\n", REPLIED(550, "5.1.1", "no\nsuch user"), "" },
	{ "550-5.1.1 no\r\n550 plain\r\n", REPLIED(550, "5.1.1", "no\nplain"), "" },
	{ "550-no\r\n550 5.1.1 late\r\n", REPLIED(550, "", "no\nlate"), "" },
	{ "550 5.7.26\r\n", REPLIED(550, "5.7.26", ""), "" },
	{ "550 4.1.1 other class\r\n", REPLIED(550, "", "4.1.1 other class"), "" },
	{ "550 5.1.1x no status\r\n", REPLIED(550, "", "5.1.1x no status"), "" },
	{ "550 5.1.1.1 no status\r\n", REPLIED(550, "", "5.1.1.1 no status"), "" },
	{ "550 5..1 no\r\n", REPLIED(550, "", "5..1 no"), "" },
	{ "550 5.1234.1 no\r\n", REPLIED(550, "", "5.1234.1 no"), "" },
	{ "550 a\x1b[2Jb\x01\xc3\xbc\tc\r\n", REPLIED(550, "", "a?[2Jb?\xc3\xbc c"), "" },
	{ "", REPLY_MORE, 0, NULL, NULL, "" },
	{ "250", REPLY_MORE, 0, NULL, NULL, "250" },
	{ "250-a\r\n", REPLY_MORE, 0, NULL, NULL, "" },
	{ "250-a\r\n25", REPLY_MORE, 0, NULL, NULL, "25" },
	{ "SSH-2.0-OpenSSH\r\n", REPLY_GARBAGE, 0, NULL, NULL, NULL },
	{ "\r\n", REPLY_GARBAGE, 0, NULL, NULL, NULL },
	{ "25\r\n", REPLY_GARBAGE, 0, NULL, NULL, NULL },
	{ "150 early\r\n", REPLY_GARBAGE, 0, NULL, NULL, NULL },
	{ "650 late\r\n", REPLY_GARBAGE, 0, NULL, NULL, NULL },
	{ "2500 long\r\n", REPLY_GARBAGE, 0, NULL, NULL, NULL },
	{ "25O typo\r\n", REPLY_GARBAGE, 0, NULL, NULL, NULL },
	{ "250-a\r\n550 b\r\n", REPLY_GARBAGE, 0, NULL, NULL, NULL },
	{ "250-a\r\nnonsense\r\n", REPLY_GARBAGE, 0, NULL, NULL, NULL },
};

static void reads(void **state)
{
	struct reply r = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		struct slice in = slice_of(replies[i].in);
		reply_init(&r);
		assert_int_equal(reply_read(&r, &in), replies[i].want);
		if (replies[i].rest)
			assert_slice_equal(in, slice_of(replies[i].rest));
		if (replies[i].want != REPLY_DONE)
			continue;
		assert_int_equal(r.code, replies[i].code);
		assert_string_equal(r.status, replies[i].status);
		assert_slice_equal(buf_slice(&r.text), slice_of(replies[i].text));
	}
	reply_deinit(&r);
}

/* The same with one byte more at a time. */
static void reads_trickles(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		enum reply_progress got = REPLY_MORE;
		struct slice all = slice_of(replies[i].in), in = slice_first(all, 0);
		struct reply r = { 0 };
		reply_init(&r);
		for (size_t have = 1; have <= all.len && got == REPLY_MORE; have++) {
			in.len = have - (size_t)(in.at - all.at);
			got = reply_read(&r, &in);
		}
		assert_int_equal(got, replies[i].want);
		if (got == REPLY_DONE)
			assert_slice_equal(buf_slice(&r.text), slice_of(replies[i].text));
		reply_deinit(&r);
	}
}

static void is_bounded(void **state)
{
	auto_buf struct buf in = BUF_INIT(1000000);
	struct reply r = { 0 };
	struct slice rest;

	(void)state;
	for (int i = 0; i < REPLY_LINE_MAX; i++)
		buf_append_byte(&in, 'x');
	buf_append_byte(&in, 'x');
	rest = buf_slice(&in);
	reply_init(&r);
	assert_int_equal(reply_read(&r, &rest), REPLY_GARBAGE); /* a line without end */
	buf_clear(&in);
	while (in.len < 20000)
		buf_append_str(&in, "250-filler filler filler filler\r\n");
	buf_append_str(&in, "250 end\r\n");
	rest = buf_slice(&in);
	reply_init(&r);
	assert_int_equal(reply_read(&r, &rest), REPLY_DONE);
	assert_true(r.text.len <= REPLY_TEXT_MAX);
	buf_clear(&in);
	while (in.len < REPLY_OCTETS_MAX + 100)
		buf_append_str(&in, "250-filler filler filler filler\r\n");
	rest = buf_slice(&in);
	reply_init(&r);
	assert_int_equal(reply_read(&r, &rest), REPLY_GARBAGE);
	reply_deinit(&r);
}

static void describes(void **state)
{
	struct slice in = SLICE("550-5.1.1 no such\r\n550 5.1.1 user here\r\n"), bare = SLICE("421\r\n");
	auto_buf struct buf out = BUF_INIT(2000);
	struct reply r = { 0 };

	(void)state;
	reply_init(&r);
	assert_int_equal(reply_read(&r, &in), REPLY_DONE);
	reply_describe(&r, &out);
	assert_slice_equal(buf_slice(&out), SLICE("550 5.1.1 no such user here"));
	reply_init(&r);
	buf_clear(&out);
	assert_int_equal(reply_read(&r, &bare), REPLY_DONE);
	reply_describe(&r, &out);
	assert_slice_equal(buf_slice(&out), SLICE("421"));
	reply_deinit(&r);
}

static void quotes_and_finds_again(void **state)
{
	static const struct {
		const char *text, *host, *reply; /* host NULL: nobody is quoted */
	} rows[] = {
		{ "host mx.x[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command)", "mx.x[192.0.2.1]",
			"550 5.1.1 no" },
		{ "gave up after 3 attempts in 5 seconds: host mx said: 450 later (in reply to DATA command)",
			"mx", "450 later" },
		{ "host mx said: 550 cut short (in reply to RC", "mx", "550 cut short (in reply to RC" },
		{ "host mx said: 550 a (in reply to b) host z said: 250 c (in reply to MAIL FROM command)",
			"mx", "550 a (in reply to b) host z said: 250 c" },
		{ "host mx said: 550 (policy)", "mx", "550 (policy)" },
		{ "host mx said: 421", "mx", "421" },
		{ "connect to mx[192.0.2.1]:25: Connection refused", NULL, NULL },
		{ "lost connection with host mx", NULL, NULL },
		{ "someone said: 550 no", NULL, NULL },
		{ "host  said: 550 no", NULL, NULL },
		{ "host mx said: no", NULL, NULL },
		{ " said: 550", NULL, NULL },
		{ "", NULL, NULL },
	};
	auto_buf struct buf out = BUF_INIT(2000);
	struct slice in = SLICE("550 5.1.1 no (in reply to x)\r\n"), host, reply;
	struct reply r = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool found = reply_unquote(slice_of(rows[i].text), &host, &reply);
		if (found != (rows[i].host != NULL))
			fail_msg("row %zu", i);
		if (!found)
			continue;
		assert_slice_equal(host, slice_of(rows[i].host));
		assert_slice_equal(reply, slice_of(rows[i].reply));
	}
	reply_init(&r);
	assert_int_equal(reply_read(&r, &in), REPLY_DONE);
	reply_quote(&r, SLICE("mx"), "RCPT TO command", &out);
	assert_slice_equal(buf_slice(&out),
		SLICE("host mx said: 550 5.1.1 no (in reply to x) (in reply to RCPT TO command)"));
	assert_true(reply_unquote(buf_slice(&out), &host, &reply));
	assert_slice_equal(reply, SLICE("550 5.1.1 no (in reply to x)"));
	reply_deinit(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes),
		cmocka_unit_test(breaks_long_lines),
		cmocka_unit_test(reads),
		cmocka_unit_test(reads_trickles),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(describes),
		cmocka_unit_test(quotes_and_finds_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
