/* SPDX-License-Identifier: Apache-2.0 */
#include "queue/by_id.h"
#include "support/test.h"

#define N 5000

static void finds_what_is_there(void **state)
{
	static struct message messages[N];
	struct by_id all = { 0 };

	(void)state;
	assert_null(by_id_find(&all, 1));
	for (size_t i = 0; i < N; i++) {
		messages[i].entry.id = i * i;
		by_id_add(&all, &messages[i]);
	}
	for (size_t i = 0; i < N; i += 3)
		by_id_remove(&all, &messages[i]);
	for (size_t i = 0; i < N; i++)
		assert_ptr_equal(by_id_find(&all, i * i), i % 3 ? &messages[i] : NULL);
	assert_null(by_id_find(&all, 2));
	assert_int_equal(all.n, N - (N + 2) / 3);
	mem_free(all.buckets);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(finds_what_is_there) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
