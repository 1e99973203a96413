/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"
#include "config/pacing.h"
#include "support/test.h"
#include "base/limits.h"

struct complaint {
	unsigned line;
	char text[512];
	int n;
};

static void note(unsigned line, const char *message, void *user)
{
	struct complaint *c = user;

	if (c->n++ == 0) {
		c->line = line;
		(void)snprintf(c->text, sizeof(c->text), "%s", message);
	}
}

static void accepts_good_files(void **state)
{
	struct complaint c = { 0 };
	struct config *cfg =
		config_parse(SLICE("# comment\n\n[message]\n max_size = 1m \n[queue]\npaused=yes\r\n; other\n"
				   "retry_min = 30s\n[main]\nhost_name = \"mx.example.org\"\n"),
			note, &c);

	(void)state;
	assert_non_null(cfg);
	assert_int_equal(c.n, 0);
	assert_int_equal(cfg->message_max_size, 1048576);
	assert_true(cfg->queue_paused);
	assert_int_equal(cfg->queue_retry_min, 30);
	assert_string_equal(cfg->main_host_name, "mx.example.org");
	assert_int_equal(cfg->queue_lifetime, 432000); /* default: 5d */
	config_free(&cfg);
	assert_null(cfg);
}

static void names_each_mistake(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *words;
	} rows[] = {
		{ "[queue]\npausd = yes\n", 2, "did you mean paused in [queue]?" },
		{ "[quue]\n", 1, "unknown section [quue]" },
		{ "[queue\n", 1, "a section is written [name]" },
		{ "\n\n[queue]\npaused = perhaps\n", 4, "queue.paused must be yes or no, not \"perhaps\"" },
		{ "[queue]\nretry_min = 0s\n", 2, "must be from 1 to 86400 seconds, not 0s" },
		{ "[queue]\nretry_min = 5x\n", 2, "must be a time such as" },
		{ "[message]\nmax_size = 99999999999999999999\n", 2, "must be a size" },
		{ "[message]\nmax_size = 18446744073709551615g\n", 2, "must be a size" },
		{ "[message]\nmax_size = -5\n", 2, "must be a size" },
		{ "[smtpd]\nmax_errors =\n", 2, "must be a number" },
		{ "[main]\nhost_name = a\nhost_name = b\n", 3,
			"main.host_name is set twice; line 2 was the first" },
		{ "mydestination = a.example\n", 1,
			"Postfix's mydestination is local_domains in [main] here" },
		{ "mailbox_transport = lmtp:unix:private/lmtp\n", 1,
			"Postfix's mailbox_transport is mailbox_transport in [local] here" },
		{ "[local]\nmailbox_transport = lmtp:unix:private/lmtp\n", 2,
			"local.mailbox_transport must be lmtp:unix:/PATH or lmtp:inet:HOST:PORT such as "
			"lmtp:unix:/run/dovecot/lmtp, not \"lmtp:unix:private/lmtp\"" },
		{ "[queue]\nlifetime = 99999d\n", 2, "must be from 60 to 31536000 seconds, not 99999d" },
		{ "nonsense\n", 1, "expected [section] or name = value" },
		{ "[main]\nnode = 256\n", 2, "must be from 0 to 255, not 256" },
		{ "[]\n", 1, "unknown section []" },
		{ "[local]\nmbox_quoting = mboxcl\n", 2, "must be mboxo or mboxrd, not \"mboxcl\"" },
		{ "[log]\nlevel = verbose\n", 2,
			"log.level must be error, warning, info or debug, not \"verbose\"" },
		{ "[log]\nlevel =\n", 2, "log.level must be" },
		{ "[log]\ntarget = mail.log\n", 2, "log.target must be auto, syslog, stderr or a path" },
		{ "[main]\nhost_name = mx example\n", 2, "main.host_name must be a host name" },
		{ "[main]\norigin = user@example.org\n", 2, "main.origin must be a domain" },
		{ "[main]\norigin = example..org\n", 2, "main.origin must be a domain" },
		{ "[main]\norigin = [192.0.2.1]\n", 2, "main.origin must be a domain" },
		{ "[main]\nlocal_domains = a.example, @b.example\n", 2, "not \"@b.example\"" },
		{ "[relay]\nhost = [relay.example\n", 2, "relay.host must be [HOST]:PORT or a domain" },
		{ "[relay]\nhost = [relay.example]587\n", 2, "relay.host must be" },
		{ "[relay]\nhost = relay.example:smtp\n", 2, "relay.host must be" },
		{ "[relay]\nhost = relay.example:0\n", 2, "relay.host must be" },
		{ "[relay]\nhost = a.example b.example\n", 2, "relay.host must be" },
		{ "[smtpd]\ntrusted_networks = 127.0.0.0/8 192.0.2/24\n", 2, "not \"192.0.2/24\"" },
		{ "[smtpd]\ntrusted_networks = 192.0.2.0/33\n", 2, "not \"192.0.2.0/33\"" },
		{ "[smtpd]\n\nlisten = 127.0.0.1:25 localhost:26\n", 3, "not \"localhost:26\"" },
		{ "[smtpd]\nlisten = 127.0.0.1:65536\n", 2, "smtpd.listen must be a list of ADDRESS:PORT" },
		{ "[smtp]\ndestination_rate = 100\n", 2, "must be N/TIME such as 100/1h" },
		{ "[smtp]\ndestination_rate = 0/1h\n", 2, "must be N/TIME" },
		{ "[smtp]\ndestination_rate = 5/0\n", 2, "must be N/TIME" },
		{ "[smtp]\ndestination_limits = a.example=2 b.example\n", 2,
			"such as example.com=2@100/1h, not \"b.example\"" },
		{ "[smtp]\ndestination_limits = a.example=0\n", 2, "smtp.destination_limits must be" },
		{ "[smtp]\ndestination_limits = a.example=2@\n", 2, "smtp.destination_limits must be" },
		{ "[smtp]\ndestination_limits = @=2\n", 2, "smtp.destination_limits must be" },
		{ "[queue]\nhold_off_min = 2h\n", 2, "queue.hold_off_min must not be above" },
		{ "[queue]\nretry_min = 5h\n", 2, "queue.retry_min must not be above queue.retry_max" },
		{ "[queue]\nretry_max = 10s\nretry_min = 11s\n[log]\n", 3, "must not be above" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct complaint c = { 0 };
		assert_null(config_parse(slice_of(rows[i].text), note, &c));
		assert_int_equal(c.line, rows[i].line);
		if (!strstr(c.text, rows[i].words))
			fail_msg("row %zu: got \"%s\", want \"%s\"", i, c.text, rows[i].words);
	}
}

static void accepts_every_good_form(void **state)
{
	static const char *const rows[] = {
		"[log]\nlevel = Debug\n",
		"[log]\ntarget = /var/log/mail.log\n",
		"[log]\ntarget = stderr\n",
		"[main]\nhost_name = host\norigin = my_host.example\n",
		"[main]\nhost_name =\norigin =\n",
		"[main]\nlocal_domains = b\303\274cher.example, a.example\n",
		"[relay]\nhost = [127.0.0.1]:2525\n",
		"[relay]\nhost = [IPv6:2001:db8::1]\n",
		"[relay]\nhost = [::1]:25\n",
		"[relay]\nhost = [mx.example.]\n",
		"[relay]\nhost = relay.example:587\n",
		"[relay]\nhost = b\303\274cher.example\n",
		"[relay]\nhost =\n",
		"[smtpd]\ntrusted_networks = 192.0.2.1, [2001:db8::]/32 ::1 2001:db8::/128\n",
		"[smtpd]\ntrusted_networks =\n",
		"[smtpd]\nlisten = 25 127.0.0.1:0, [::]:65535 :2525\n",
		"[smtpd]\nlisten =\n",
		"[smtp]\ndestination_rate = 100/1h\n",
		"[smtp]\ndestination_rate =\n",
		("[smtp]\ndestination_limits = a.example=2, [192.0.2.1]:26=5@100/1h b.example=10/1s "
		 "lmtp:mailbox=7\n"),
		"[queue]\nretry_min = 10s\nretry_max = 10s\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct complaint c = { 0 };
		struct config *cfg = config_parse(slice_of(rows[i]), note, &c);
		if (!cfg)
			fail_msg("row %zu: %s", i, c.text);
		config_free(&cfg);
	}
}

static void tells_all_mistakes_at_once(void **state)
{
	struct complaint c = { 0 };

	(void)state;
	assert_null(config_parse(SLICE("[queue]\na = 1\nb = 2\n[main]\nc = 3\n"), note, &c));
	assert_int_equal(c.n, 3);
}

static void every_default_is_valid(void **state)
{
	struct complaint c = { 0 };
	struct config *cfg = config_parse(SLICE_EMPTY, note, &c);

	(void)state;
	assert_non_null(cfg);
	for (size_t i = 0; i < n_settings; i++) {
		auto_free char *text = setting_value_text(cfg, &settings[i]);
		assert_non_null(text);
		assert_true(strlen(settings[i].help) > 10);
	}
	config_free(&cfg);
}

static void completion_survives_a_second_parse(void **state)
{
	struct complaint c = { 0 };
	struct paths paths;
	struct config *cfg = config_parse(SLICE("[main]\nhost_name = h.example\n"), note, &c), *again;

	(void)state;
	assert_true(paths_init(&paths, "/nonexistent-sandbox"));
	config_complete(cfg, &paths);
	assert_string_equal(cfg->main_origin, "h.example");
	assert_non_null(strstr(cfg->derived_host_name_rule, "main.host_name, "));
	assert_non_null(strstr(cfg->derived_host_name_rule, " line 2"));
	assert_non_null(strstr(cfg->derived_origin_rule, "the host name, as there is no "));
	assert_string_equal(cfg->local_mail_dir, "/nonexistent-sandbox/mail");
	again = config_parse_completed(buf_slice(&cfg->text), note, &c);
	assert_non_null(again);
	assert_string_equal(again->main_origin, cfg->main_origin);
	assert_string_equal(again->derived_origin_rule, cfg->derived_origin_rule);
	assert_int_equal(config_line(again, SLICE("main.host_name")), 2);
	assert_int_equal(config_line(again, SLICE("main.origin")), 0);
	assert_null(config_parse(buf_slice(&cfg->text), note, &c)); /* a person cannot say these things */
	assert_string_equal(again->aliases_file, cfg->aliases_file);
	config_free(&again);
	config_free(&cfg);
}

static void knows_its_local_domains(void **state)
{
	static const struct {
		const char *domain;
		bool is_local;
	} rows[] = {
		{ "mx.example.org", true },
		{ "EXAMPLE.org", true },
		{ "localhost", true },
		{ "LOCALHOST.localdomain", true },
		{ "shop.example", true },
		{ "second.example", true },
		{ "example.com", false },
		{ "", false },
		{ "sub.example.org", false },
	};
	struct complaint c = { 0 };
	struct config *cfg = config_parse(SLICE("[main]\nhost_name = mx.example.org\norigin = example.org\n"
						"local_domains = shop.example, second.example\n"),
		note, &c);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(config_is_local_domain(cfg, slice_of(rows[i].domain)), rows[i].is_local);
	config_free(&cfg);
}

static void finds_the_limits_of_a_next_hop(void **state)
{
	static const struct {
		const char *hop;
		bool is_found;
		struct pacing want;
	} rows[] = {
		{ "a.example", true, { .concurrency = 2 } },
		{ "B.Example", true, { .n_messages = 10, .interval_s = 1 } },
		{ "[192.0.2.1]:26", true, { .concurrency = 5, .n_messages = 100, .interval_s = 3600 } },
		{ "example", false, { 0 } },
	};
	const struct slice limits = SLICE("a.example=2, [192.0.2.1]:26=5@100/1h b.example=10/1s");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pacing p = { 0 };
		assert_int_equal(pacing_find(limits, slice_of(rows[i].hop), &p), rows[i].is_found);
		assert_memory_equal(&p, &rows[i].want, sizeof(p));
	}
}

static void places_lie_below_the_sandbox(void **state)
{
	char too_long[PATH_MAX];
	struct paths p;

	(void)state;
	assert_true(paths_init(&p, "/s"));
	assert_string_equal(p.drop_dir, "/s/spool/drop");
	assert_true(paths_init(&p, NULL));
	assert_string_equal(p.aliases_file, "/etc/aliases");
	assert_string_equal(p.users_file, "");
	memset(too_long, 'a', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_false(paths_init(&p, too_long));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_good_files),
		cmocka_unit_test(names_each_mistake),
		cmocka_unit_test(accepts_every_good_form),
		cmocka_unit_test(tells_all_mistakes_at_once),
		cmocka_unit_test(every_default_is_valid),
		cmocka_unit_test(completion_survives_a_second_parse),
		cmocka_unit_test(knows_its_local_domains),
		cmocka_unit_test(finds_the_limits_of_a_next_hop),
		cmocka_unit_test(places_lie_below_the_sandbox),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
