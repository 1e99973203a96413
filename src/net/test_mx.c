/* SPDX-License-Identifier: Apache-2.0 */
/* test_mx.c - MX records as bytes, and the order of hosts that comes out */
#include "net/mx.h"
#include "base/buf.h"
#include "support/test.h"

#define RECORD(bytes)                                                                                        \
	{                                                                                                    \
		bytes, sizeof(bytes) - 1                                                                     \
	}
#define A_10                                                                                                 \
	RECORD("\0\x0a\x01"                                                                                  \
	       "a\x00")
#define B_10                                                                                                 \
	RECORD("\0\x0a\x01"                                                                                  \
	       "B\x00")
#define C_20                                                                                                 \
	RECORD("\0\x14\x01"                                                                                  \
	       "c\x01"                                                                                       \
	       "x\x00")
#define ME_20                                                                                                \
	RECORD("\0\x14\x02"                                                                                  \
	       "me\x00")
#define D_300                                                                                                \
	RECORD("\x01\x2c\x01"                                                                                \
	       "d\x00")
#define NULL_MX RECORD("\0\0\0")

static size_t last_one(void *user, size_t n)
{
	(void)user;
	return n - 1; /* leaves everything where it is */
}

static size_t first_one(void *user, size_t n)
{
	(void)user, (void)n;
	return 0;
}

static void names_of(const struct mx_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->n; i++)
		buf_printf(out, "%s%u:%s", i ? " " : "", list->hosts[i].preference, list->hosts[i].name);
}

static void orders(void **state)
{
	static const struct {
		struct slice records[4];
		size_t n;
		const char *want; /* NULL: status says it all */
		enum mx_status status;
	} rows[] = {
		{ { A_10 }, 1, "10:a", MX_OK }, { { D_300, C_20, A_10 }, 3, "10:a 20:c.x 300:d", MX_OK },
		{ { C_20, A_10, B_10 }, 3, "10:a 10:b 20:c.x", MX_OK },
		{ { A_10, NULL_MX }, 2, "10:a", MX_OK }, /* a null MX stands alone or means nothing */
		{ { A_10, ME_20, C_20, D_300 }, 4, "10:a", MX_OK },
		{ { ME_20, D_300 }, 2, NULL, MX_LOOPS_BACK }, { { C_20, ME_20 }, 2, NULL, MX_LOOPS_BACK },
		{ { NULL_MX }, 1, NULL, MX_NULL }, { { A_10 }, 0, NULL, MX_NONE },
		{ { RECORD("") }, 1, NULL, MX_NONE }, { { RECORD("\0\x0a") }, 1, NULL, MX_NONE },
		{ { RECORD("\0\x0a\x05"
			   "abc") },
			1, NULL, MX_NONE }, /* label beyond the end */
		{ { RECORD("\0\x0a\x01"
			   "a") },
			1, NULL, MX_NONE },			    /* no root */
		{ { RECORD("\0\x0a\xc0\x0c") }, 1, NULL, MX_NONE }, /* compressed */
		{ { RECORD("\0\x0a\x03"
			   "a b\x00") },
			1, NULL, MX_NONE }, /* no host name */
		{ { RECORD("\0\x0a\x03"
			   "a.b\x00") },
			1, NULL, MX_NONE },
		{ { RECORD("\0\x0a\x01"
			   "a\x00z") },
			1, NULL, MX_NONE }, /* something behind it */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mx_list list = { 0 };
		auto_buf struct buf got = BUF_INIT(4096);
		assert_int_equal(
			mx_order(rows[i].records, rows[i].n, "ME", last_one, NULL, &list), rows[i].status);
		names_of(&list, &got);
		assert_slice_equal(buf_slice(&got), slice_of(rows[i].want));
	}
}

static void chance_orders_equals_only(void **state)
{
	static const struct slice records[] = { A_10, B_10, C_20 };
	struct mx_list list;
	auto_buf struct buf got = BUF_INIT(4096);

	(void)state;
	assert_int_equal(mx_order(records, 3, "me", first_one, NULL, &list), MX_OK);
	names_of(&list, &got);
	assert_slice_equal(buf_slice(&got), SLICE("10:b 10:a 20:c.x"));
}

static void keeps_the_best_of_many(void **state)
{
	struct slice records[100];
	char bytes[100][5];
	struct mx_list list;

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		memcpy(bytes[i], (const char[]){ 0, (char)(100 - i), 1, 'a', 0 }, 5);
		records[i] = (struct slice){ bytes[i], 5 };
	}
	assert_int_equal(mx_order(records, 100, "me", last_one, NULL, &list), MX_OK);
	assert_int_equal(list.n, MX_HOSTS_MAX);
	for (size_t i = 0; i < list.n; i++)
		assert_int_equal(list.hosts[i].preference, i + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders),
		cmocka_unit_test(chance_orders_equals_only),
		cmocka_unit_test(keeps_the_best_of_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
