/* SPDX-License-Identifier: Apache-2.0 */
/* test_command_environment.c - every variable, from where it comes, and what hostile values become */
#include "base/buf.h"
#include "local/command_environment.h"
#include "support/test.h"

#define NONE "(not set)"
#define CONFIG "[main]\nhost_name = host.example\norigin = org.example\n"

static const struct command_mail plain = { .sender = SLICE("s@far.example"),
	.forward_path = SLICE("ann+list@here.example"),
	.original = SLICE("Ann+List@alias.example"),
	.envid = SLICE("QQ314159"),
	.content = SLICE("Received: x\nMessage-ID: <m1@far.example>\nSubject: x\n\nbody\n"),
	.client = { .protocol = SLICE("local"), .login = SLICE("uid 1000") },
	.queue_id = 42 };

static const struct userdb_user ann = { .name = "ann", .home = "/home/ann", .shell = "/bin/zsh" };

static const char *value_of(char **environment, const char *name)
{
	size_t n = strlen(name);

	for (; *environment; environment++)
		if (strncmp(*environment, name, n) == 0 && (*environment)[n] == '=')
			return *environment + n + 1;
	return NONE;
}

static void assert_value(
	const struct userdb_user *user, const struct command_mail *mail, const char *name, const char *want)
{
	struct config *c = config_parse(SLICE(CONFIG), NULL, NULL);
	struct arena a = ARENA_INIT(64 * 1024);
	char **environment = command_environment(&a, c, user, mail);

	assert_non_null(environment);
	if (strcmp(value_of(environment, name), want) != 0)
		fail_msg("%s: got %s, want %s", name, value_of(environment, name), want);
	arena_reset(&a);
	config_free(&c);
}

static void every_variable(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{ "HOME", "/home/ann" },
		{ "USER", "ann" },
		{ "LOGNAME", "ann" },
		{ "SHELL", "/bin/zsh" },
		{ "PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" },
		{ "RECIPIENT", "ann+list@here.example" },
		{ "LOCAL", "ann+list" },
		{ "DOMAIN", "here.example" },
		{ "LOCAL_PART", "ann" },
		{ "LOCAL_PART_SUFFIX", "+list" },
		{ "EXTENSION", "list" },
		{ "ORIGINAL_RECIPIENT", "Ann+List@alias.example" },
		{ "SENDER", "s@far.example" },
		{ "ENVID", "QQ314159" },
		{ "MESSAGE_ID", "m1@far.example" },
		{ "QUEUE_ID", "00000000000002A" },
		{ "QUALIFY_DOMAIN", "org.example" },
		{ "TZ", "UTC0" },
		/* Not of mail from this host: */
		{ "CLIENT_ADDRESS", NONE },
		{ "CLIENT_HELO", NONE },
		{ "CLIENT_HOSTNAME", NONE },
		{ "CLIENT_PROTOCOL", NONE },
		{ "SASL_USERNAME", NONE },
		/* Not known to us: */
		{ "SASL_METHOD", NONE },
		{ "SASL_SENDER", NONE },
		/* Not in sandbox mode, and nothing of our own environment: */
		{ "POSTRIDER_SANDBOX", NONE },
		{ "TEST_SECRET", NONE },
		{ "LD_PRELOAD", NONE },
	};

	(void)state;
	assert_int_equal(setenv("TEST_SECRET", "x", 1), 0);
	assert_int_equal(setenv("TZ", "UTC0", 1), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_value(&ann, &plain, rows[i].name, rows[i].want);
	assert_int_equal(unsetenv("TZ"), 0);
	assert_value(&ann, &plain, "TZ", NONE);
}

static void what_an_smtp_client_brings(void **state)
{
	static const struct {
		struct client client;
		const char *address, *helo, *name, *protocol, *login;
	} rows[] = {
		{ { SLICE("192.0.2.7"), SLICE(""), SLICE("pc.example"), SLICE("ESMTP"), SLICE("") },
			"192.0.2.7", "pc.example", "unknown", "ESMTP", NONE },
		{ { SLICE("2001:db8::7"), SLICE("mx.example"), SLICE("[IPv6:2001:db8::7]"), SLICE("ESMTPSA"),
			  SLICE("ann") },
			"2001:db8::7", "_IPv6:2001:db8::7_", "mx.example", "ESMTPSA", "ann" },
		{ { SLICE("192.0.2.7"), SLICE("$(id)"), SLICE("`id`;x"), SLICE("SMTP"), SLICE("a'b\"c\\") },
			"192.0.2.7", "_id__x", "__id_", "SMTP", "a_b_c_" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command_mail mail = plain;
		mail.client = rows[i].client;
		assert_value(&ann, &mail, "CLIENT_ADDRESS", rows[i].address);
		assert_value(&ann, &mail, "CLIENT_HELO", rows[i].helo);
		assert_value(&ann, &mail, "CLIENT_HOSTNAME", rows[i].name);
		assert_value(&ann, &mail, "CLIENT_PROTOCOL", rows[i].protocol);
		assert_value(&ann, &mail, "SASL_USERNAME", rows[i].login);
	}
}

static void odd_mail_and_users(void **state)
{
	static const struct {
		const char *name;
		struct slice sender, forward_path, content;
		const char *home, *shell, *want;
	} rows[] = {
		{ "SENDER", SLICE(""), SLICE("a@b"), SLICE(""), "/h", "/s", "MAILER-DAEMON" },
		{ "SENDER", SLICE("$(rm -rf /)|x@h"), SLICE("a@b"), SLICE(""), "/h", "/s",
			"__rm_-rf_/__x@h" },
		{ "SENDER", SLICE("a\nb\0c@h"), SLICE("a@b"), SLICE(""), "/h", "/s", "a_b_c@h" },
		{ "SENDER", SLICE("\xc3\xa4@h"), SLICE("a@b"), SLICE(""), "/h", "/s", "__@h" },
		{ "EXTENSION", SLICE("s@h"), SLICE("ann@b"), SLICE(""), "/h", "/s", "" },
		{ "LOCAL_PART_SUFFIX", SLICE("s@h"), SLICE("ann@b"), SLICE(""), "/h", "/s", "" },
		{ "EXTENSION", SLICE("s@h"), SLICE("ann+`x`@b"), SLICE(""), "/h", "/s", "_x_" },
		{ "DOMAIN", SLICE("s@h"), SLICE("ann"), SLICE(""), "/h", "/s", "" },
		{ "LOCAL", SLICE("s@h"), SLICE("ann"), SLICE(""), "/h", "/s", "ann" },
		{ "MESSAGE_ID", SLICE("s@h"), SLICE("a@b"), SLICE("Subject: none\n\n"), "/h", "/s", "" },
		{ "MESSAGE_ID", SLICE("s@h"), SLICE("a@b"), SLICE("Message-ID: a@b\n\n"), "/h", "/s", "" },
		{ "MESSAGE_ID", SLICE("s@h"), SLICE("a@b"), SLICE("message-id:\n <$x@b>\n\n"), "/h", "/s",
			"_x@b" },
		{ "MESSAGE_ID", SLICE("s@h"), SLICE("a@b"), SLICE("\nMessage-ID: <in@body>\n"), "/h", "/s",
			"" },
		{ "HOME", SLICE("s@h"), SLICE("a@b"), SLICE(""), "relative", "/s", "/" },
		{ "HOME", SLICE("s@h"), SLICE("a@b"), SLICE(""), "", "/s", "/" },
		{ "SHELL", SLICE("s@h"), SLICE("a@b"), SLICE(""), "/h", "", "/bin/sh" },
		{ "SHELL", SLICE("s@h"), SLICE("a@b"), SLICE(""), "/h", "zsh", "/bin/sh" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command_mail mail = plain;
		struct userdb_user user = ann;
		mail.sender = rows[i].sender;
		mail.forward_path = rows[i].forward_path;
		mail.content = rows[i].content;
		(void)snprintf(user.home, sizeof(user.home), "%s", rows[i].home);
		(void)snprintf(user.shell, sizeof(user.shell), "%s", rows[i].shell);
		assert_value(&user, &mail, rows[i].name, rows[i].want);
	}
}

/* A value has a limit, and so has the whole: what does not fit is no memory, and the mail waits. */
static void long_values_are_cut(void **state)
{
	auto_buf struct buf name = BUF_INIT(100000), want = BUF_INIT(2000);
	struct command_mail mail = plain;
	struct config *c = config_parse(SLICE(CONFIG), NULL, NULL);
	struct arena small = ARENA_INIT(500);

	(void)state;
	while (name.len < 50000)
		buf_append_byte(&name, 'x');
	mail.sender = buf_slice(&name);
	buf_append(&want, slice_first(buf_slice(&name), 1000));
	assert_value(&ann, &mail, "SENDER", buf_cstr(&want));
	assert_null(command_environment(&small, c, &ann, &mail));
	arena_reset(&small);
	config_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_variable),
		cmocka_unit_test(what_an_smtp_client_brings),
		cmocka_unit_test(odd_mail_and_users),
		cmocka_unit_test(long_values_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
