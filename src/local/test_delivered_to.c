/* SPDX-License-Identifier: Apache-2.0 */
/* test_delivered_to.c - loops seen in Delivered-To fields */
#include "local/delivered_to.h"
#include "support/test.h"

static struct config *config;

static int make_config(void **state)
{
	(void)state;
	config = config_parse(
		SLICE("[main]\nhost_name = host.example\norigin = example\nlocal_domains = other.example\n"),
		NULL, NULL);
	return config ? 0 : -1;
}

static int free_config(void **state)
{
	(void)state;
	config_free(&config);
	return 0;
}

static void sees_loops(void **state)
{
	static const struct {
		const char *content, *delivered_to;
		bool want;
	} rows[] = {
		{ "Delivered-To: u@example\n\nbody\n", "u@example", true },
		{ "Received: x\n\ty\ndelivered-to:  U@EXAMPLE \n\n", "u@example", true },
		{ "Delivered-To: u@localhost.localdomain\n\n", "u@example", true },
		{ "Delivered-To: u@other.example\n\n", "u@host.example", true },
		{ "Delivered-To: u@far.example\n\n", "u@far.example", true },
		{ "Delivered-To: x@y\nDelivered-To: u@example\n\n", "u@example", true },
		{ "Delivered-To: u@far.example\n\n", "u@example", false },
		{ "Delivered-To: v@example\n\n", "u@example", false },
		{ "Subject: x\n\nDelivered-To: u@example\n", "u@example", false },
		{ "X-Delivered-To: u@example\n\n", "u@example", false },
		{ "", "u@example", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			delivered_to_names(config, slice_of(rows[i].content), slice_of(rows[i].delivered_to)),
			rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sees_loops),
	};

	return cmocka_run_group_tests(tests, make_config, free_config);
}
