/* SPDX-License-Identifier: Apache-2.0 */
/* test_command_result.c - every exit status, signals, time limits, commands that cannot be started, codes in
 * output */
#include "local/command_result.h"
#include "support/test.h"

static void exit_statuses(void **state)
{
	static const struct {
		int exit_status;
		enum job_outcome outcome;
		const char *status;
	} rows[] = {
		{ 0, JOB_DELIVERED, "2.0.0" },
		{ 1, JOB_FAILED, "5.3.0" },
		{ 2, JOB_FAILED, "5.3.0" },
		{ 64, JOB_FAILED, "5.3.0" },
		{ 65, JOB_FAILED, "5.6.0" },
		{ 66, JOB_FAILED, "5.3.0" },
		{ 67, JOB_FAILED, "5.1.1" },
		{ 68, JOB_FAILED, "5.1.2" },
		{ 69, JOB_FAILED, "5.3.0" },
		{ 70, JOB_FAILED, "5.3.0" },
		{ 71, JOB_DEFERRED, "4.3.0" },
		{ 72, JOB_FAILED, "5.3.0" },
		{ 73, JOB_DEFERRED, "4.2.0" },
		{ 74, JOB_DEFERRED, "4.3.0" },
		{ 75, JOB_DEFERRED, "4.3.0" },
		{ 76, JOB_FAILED, "5.5.0" },
		{ 77, JOB_FAILED, "5.7.0" },
		{ 78, JOB_FAILED, "5.3.5" },
		{ 99, JOB_FAILED, "5.3.0" },
		{ 100, JOB_FAILED, "5.3.0" },
		{ 111, JOB_FAILED, "5.3.0" },
		{ 126, JOB_DEFERRED, "4.3.0" },
		{ 127, JOB_DEFERRED, "4.3.0" },
		{ 255, JOB_FAILED, "5.3.0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct command_end end = { .exit_status = rows[i].exit_status };
		struct command_result r;
		command_result(&end, SLICE("/bin/x -y"), &r);
		assert_int_equal(r.outcome, rows[i].outcome);
		assert_string_equal(r.status, rows[i].status);
		assert_non_null(strstr(r.reason, "\"/bin/x -y\""));
	}
}

static void other_ends(void **state)
{
	static const struct {
		struct command_end end;
		const char *words;
	} rows[] = {
		{ { .exit_status = -1, .signal = 9 }, "signal 9" },
		{ { .exit_status = -1, .signal = 9, .is_timed_out = true }, "local.command_timeout" },
		{ { .exit_status = -1, .start_error = -ENOENT }, "No such file" },
		{ { .exit_status = -1, .start_error = -EACCES }, "Permission denied" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command_result r;
		command_result(&rows[i].end, SLICE("cmd"), &r);
		assert_int_equal(r.outcome, JOB_DEFERRED);
		assert_string_equal(r.status, "4.3.0");
		assert_non_null(strstr(r.reason, rows[i].words));
	}
}

static void output(void **state)
{
	static const struct {
		int exit_status;
		const char *output;
		enum job_outcome outcome;
		const char *status, *reason;
	} rows[] = {
		{ 1, "4.2.2 mailbox full\n", JOB_DEFERRED, "4.2.2",
			"exit status 1 of the command: \"c\". Command output: mailbox full" },
		{ 75, "5.7.1 go away", JOB_FAILED, "5.7.1",
			"temporary failure (exit status 75 of the command): \"c\". Command output: go away" },
		{ 1, "5.1.1", JOB_FAILED, "5.1.1", "exit status 1 of the command: \"c\"" },
		{ 1, "4.2.x no", JOB_FAILED, "5.3.0",
			"exit status 1 of the command: \"c\". Command output: 4.2.x no" },
		{ 1, "4.2 no", JOB_FAILED, "5.3.0",
			"exit status 1 of the command: \"c\". Command output: 4.2 no" },
		{ 1, "2.0.0 no", JOB_FAILED, "5.3.0",
			"exit status 1 of the command: \"c\". Command output: 2.0.0 no" },
		{ 1, "one\ntwo\t\033[1m\n\n", JOB_FAILED, "5.3.0",
			"exit status 1 of the command: \"c\". Command output: one two  [1m" },
		{ 0, "4.2.2 said while all went well", JOB_DELIVERED, "2.0.0",
			"delivered to command: \"c\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct command_end end = { .exit_status = rows[i].exit_status,
			.output = slice_of(rows[i].output) };
		struct command_result r;
		command_result(&end, SLICE("c"), &r);
		assert_int_equal(r.outcome, rows[i].outcome);
		assert_string_equal(r.status, rows[i].status);
		assert_string_equal(r.reason, rows[i].reason);
	}
}

static void a_long_command_and_output_are_cut(void **state)
{
	static char text[5000];
	struct command_result r;

	(void)state;
	memset(text, 'x', sizeof(text));
	command_result(&(struct command_end){ .exit_status = 1, .output = { text, sizeof(text) } },
		(struct slice){ text, sizeof(text) }, &r);
	assert_true(strlen(r.reason) > 700 && strlen(r.reason) < sizeof(r.reason));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_statuses),
		cmocka_unit_test(other_ends),
		cmocka_unit_test(output),
		cmocka_unit_test(a_long_command_and_output_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
