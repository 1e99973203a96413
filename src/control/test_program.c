/* SPDX-License-Identifier: Apache-2.0 */
/* test_program.c - tools are run without a shell, their status and words come back */
#include "support/test.h"
#include "control/program.h"

static void runs(void **state)
{
	static const struct {
		const char *const words[4];
		int status;
		const char *output;
	} rows[] = {
		{ { "true" }, 0, "" },
		{ { "false" }, 1, "" },
		{ { "echo", "a b", "$HOME" }, 0, "a b $HOME\n" },
		{ { "sh", "-c", "echo out; echo error >&2; exit 7" }, 7, "out\nerror\n" },
		{ { "sh", "-c", "kill -9 $$" }, 128 + 9, "" },
		{ { "sh", "-c", "echo $LC_ALL; read x || echo none" }, 0, "C\nnone\n" },
		{ { "no-such-program-here" }, PROGRAM_MISSING, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf output = BUF_INIT(4096);
		assert_int_equal(program_run(rows[i].words, &output), rows[i].status);
		assert_slice_equal(buf_slice(&output), slice_of(rows[i].output));
	}
}

/* A program that says more than we keep still comes to its end. */
static void drops_what_does_not_fit(void **state)
{
	static const char *const words[] = { "head", "-c", "300000", "/dev/zero", NULL };
	auto_buf struct buf output = BUF_INIT(8192);

	(void)state;
	assert_int_equal(program_run(words, &output), 0);
	assert_true(buf_ok(&output));
	assert_in_range(output.len, 1, 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs),
		cmocka_unit_test(drops_what_does_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
