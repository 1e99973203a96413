/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_lines.c - what the log says of a mail, in the words that analysers of Postfix's log know */
#include "mail/queue_id.h"
#include "queue/test_rig.h"

#define LATER "retry_min = 1h\n" /* nothing is repeated by itself */

static void a_mail_is_named_when_it_comes(void **state)
{
	static const struct {
		const char *header, *said;
	} rows[] = {
		{ "Message-ID: <one@far.example>\n", "cleanup: %s: message-id=<one@far.example>\n" },
		{ "Subject: nameless\n", "cleanup: %s: message-id=<>\n" },
		{ "message-id:\n <folded@far.example>\n", "cleanup: %s: message-id=<folded@far.example>\n" },
	};
	struct rig rig;

	(void)state;
	rig_init(&rig, LATER);
	rig_start(&rig);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t id = rig_accept(&rig,
			&(struct rig_mail){ .from = "a@far.example",
				.to = { "u1@localhost" },
				.header = rows[i].header });
		auto_buf struct buf said = BUF_INIT(200);
		const char *mark = strstr(rows[i].said, "%s");

		buf_append(&said, (struct slice){ rows[i].said, (size_t)(mark - rows[i].said) });
		buf_append_str(&said, queue_id_format(id).at);
		buf_append_str(&said, mark + 2);
		rig_wait(&rig, rig_logged(&rig, buf_cstr(&said)) == 1);
	}
	assert_int_equal(rig_logged(&rig, "pickup"), 0); /* it came by SMTP */
	rig_wait(&rig, rig_logged(&rig, ": removed") == 3);
	rig_deinit(&rig);
}

/* The four parts are never more than the whole, whatever a deliverer says. */
static void a_delay_has_four_parts(void **state)
{
	static const struct {
		uint64_t setup_us, transmission_us;
		const char
			*said; /* behind the time before this turn; its last digit depends on the machine */
	} rows[] = {
		{ UINT64_MAX, UINT64_MAX, "/0/" },
		{ 0, UINT64_MAX, "/0/0/" },
		{ 0, 0, "/0/0, dsn=2.0.0, status=sent" },
	};
	struct rig rig;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct rig_job *j;

		rig_init(&rig, LATER "lifetime = 365d\n");
		rig.jobs_manual = true;
		(void)rig_seed(&rig, 1000030, 1, "", "u1@here.example");
		rig_start(&rig);
		rig_wait(&rig, (j = rig_job(&rig, "u1@here.example", 0)));
		SEND(rig.peers[j->to], JOB_RESULT, .job = j->job, .rcpt = rig_rcpt(j, "u1@here.example"),
			.outcome = JOB_DELIVERED, .status = SLICE("2.0.0"),
			.reason = SLICE("as the test says"), .remote = SLICE_EMPTY,
			.setup_us = rows[i].setup_us, .transmission_us = rows[i].transmission_us);
		rig_wait(&rig, rig_logged(&rig, "status=sent") == 1);
		assert_int_equal(rig_logged(&rig, "delay=10000"), 1);
		assert_int_equal(rig_logged(&rig, "delays=10000"), 1);
		assert_int_equal(rig_logged(&rig, rows[i].said), 1);
		rig_deinit(&rig);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_is_named_when_it_comes),
		cmocka_unit_test(a_delay_has_four_parts),
	};
	int status = rig_main(argc, argv);

	return status >= 0 ? status : cmocka_run_group_tests(tests, NULL, NULL);
}
