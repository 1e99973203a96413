/* SPDX-License-Identifier: Apache-2.0 */
/* test_trail.c - steps of a trail, read and written */
#include "mail/trail.h"
#include "support/test.h"

static void reads_steps(void **state)
{
	static const struct {
		const char *trail, *delivered_to;
		size_t n;
		const char *users; /* of the steps, each with a blank behind it */
	} rows[] = {
		{ "", "path@x", 0, "" },
		{ "a@b", "a@b", 1, " " },
		{ "a@b\n", "a@b", 1, " " },
		{ "a@b\tuser", "a@b", 1, "user " },
		{ "a@b\t", "a@b", 1, " " },
		{ "c@d\na@b\tuser", "c@d", 2, " user " },
		{ "c@d\na@b\tuser\ne@f\tother", "c@d", 3, " user other " },
		{ "\n\tuser\na@b", "a@b", 1, " " },
		{ "\n\n", "path@x", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice rest = slice_of(rows[i].trail);
		auto_buf struct buf users = BUF_INIT(100);
		struct trail_step step;

		assert_slice_equal(trail_delivered_to(rest, SLICE("path@x")), slice_of(rows[i].delivered_to));
		assert_int_equal(trail_length(rest), rows[i].n);
		while (trail_next(&rest, &step))
			buf_printf(&users, "%.*s ", SLICE_ARG(step.user));
		assert_slice_equal(buf_slice(&users), slice_of(rows[i].users));
	}
}

static void knows_whose_forward_led_here(void **state)
{
	static const struct {
		const char *trail, *user;
		bool want;
	} rows[] = {
		{ "a@b\tuser", "user", true },
		{ "c@d\na@b\tuser", "user", true },
		{ "c@d\na@b\tuser2", "user", false },
		{ "user\nuser@b\tother", "user", false },
		{ "a@b", "", false },
		{ "", "user", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			trail_has_user(slice_of(rows[i].trail), slice_of(rows[i].user)), rows[i].want);
}

static void a_forward_adds_a_step(void **state)
{
	static const struct {
		const char *trail, *user, *address, *want;
	} rows[] = {
		{ "a@b", "user", "c@d", "c@d\na@b\tuser" },
		{ "c@d\na@b\tuser", "other", "e@f", "e@f\nc@d\tother\na@b\tuser" },
		{ "a@b", "user", "", "a@b\tuser" }, /* a command has no address of its own */
		{ "c@d\na@b\tuser", "other", "", "c@d\tother\na@b\tuser" },
		{ "", "user", "c@d", "c@d" },
		{ "a@b\n", "user", "c@d", "c@d\na@b\tuser" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(200);

		trail_append_forward(
			slice_of(rows[i].trail), slice_of(rows[i].user), slice_of(rows[i].address), &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_steps),
		cmocka_unit_test(knows_whose_forward_led_here),
		cmocka_unit_test(a_forward_adds_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
