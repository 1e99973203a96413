/* SPDX-License-Identifier: Apache-2.0 */
/* test_containers.c - list, table, heap */
#include "support/test.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/table.h"

struct thing {
	int value;
	struct list node;
	struct table_node hashed;
	struct heap_node timed;
};

static void lists_keep_order(void **state)
{
	struct thing things[4] = { { .value = 0 }, { .value = 1 }, { .value = 2 }, { .value = 3 } };
	struct list list;
	int expected = 0;

	(void)state;
	list_init(&list);
	assert_true(list_empty(&list));
	assert_null(list_first(&list, struct thing, node));
	for (int i = 0; i < 4; i++)
		list_init(&things[i].node);
	assert_false(list_linked(&things[1].node));
	list_push_back(&list, &things[1].node);
	list_push_back(&list, &things[3].node);
	list_push_front(&list, &things[0].node);
	list_insert_before(&things[3].node, &things[2].node);
	assert_true(list_linked(&things[1].node));
	list_for_each (node, &list)
		assert_int_equal(CONTAINER_OF(node, struct thing, node)->value, expected++);
	assert_int_equal(expected, 4);
	list_remove(&things[0].node);
	list_remove(&things[0].node); /* harmless twice */
	assert_ptr_equal(list_first(&list, struct thing, node), &things[1]);
	list_for_each_safe (node, &list)
		list_remove(node);
	assert_true(list_empty(&list));
	assert_false(list_linked(&things[2].node));
}

static struct thing *find(const struct table *t, int value)
{
	uint64_t hash = table_hash_u64((uint64_t)value);

	for (struct table_node *n = table_first(t, hash); n; n = table_next(n, hash))
		if (CONTAINER_OF(n, struct thing, hashed)->value == value)
			return CONTAINER_OF(n, struct thing, hashed);
	return NULL;
}

static void count_one(struct table_node *node, void *user)
{
	(void)node;
	(*(size_t *)user)++;
}

static void tables_find(void **state)
{
	enum { N = 5000 };
	auto_free struct thing *things = mem_new_array(N, sizeof(*things));
	struct table t = TABLE_INIT;
	size_t count = 0;

	(void)state;
	assert_null(find(&t, 1));
	for (int i = 0; i < N; i++) {
		things[i].value = i;
		table_insert(&t, &things[i].hashed, table_hash_u64((uint64_t)i));
	}
	for (int i = 0; i < N; i++)
		assert_ptr_equal(find(&t, i), &things[i]);
	assert_null(find(&t, N));
	for (int i = 0; i < N; i += 2)
		table_remove(&t, &things[i].hashed);
	assert_null(find(&t, 0));
	assert_ptr_equal(find(&t, 1), &things[1]);
	table_each(&t, count_one, &count);
	assert_int_equal(count, N / 2);
	assert_int_equal(t.n, N / 2);
	table_deinit(&t);
	assert_null(find(&t, 1));
}

static void tables_hold_equal_hashes(void **state)
{
	struct thing a = { .value = 1 }, b = { .value = 2 }, other = { .value = 3 };
	struct table t = TABLE_INIT;
	struct table_node *n;

	(void)state;
	table_insert(&t, &a.hashed, 7);
	table_insert(&t, &other.hashed, 7 + 16); /* same bucket, other hash */
	table_insert(&t, &b.hashed, 7);
	n = table_first(&t, 7);
	assert_ptr_equal(n, &b.hashed);
	n = table_next(n, 7);
	assert_ptr_equal(n, &a.hashed);
	assert_null(table_next(n, 7));
	table_remove(&t, &a.hashed);
	assert_null(table_next(table_first(&t, 7), 7));
	table_deinit(&t);
}

static void hashes_agree(void **state)
{
	char longer[200], upper[200];

	(void)state;
	for (size_t i = 0; i < sizeof(longer); i++) {
		longer[i] = (char)('a' + i % 26);
		upper[i] = (char)('A' + i % 26);
	}
	for (size_t n = 0; n <= sizeof(longer); n++)
		assert_true(table_hash_nocase((struct slice){ longer, n }) ==
			table_hash_nocase((struct slice){ upper, n }));
	assert_true(table_hash_bytes(SLICE("abc")) == table_hash_bytes(SLICE("abc")));
	assert_true(table_hash_bytes(SLICE("abc")) != table_hash_bytes(SLICE("abd")));
	assert_true(table_hash_nocase(SLICE("abc")) != table_hash_nocase(SLICE("abd")));
}

static void heaps_sort(void **state)
{
	enum { N = 1000 };
	auto_free struct thing *things = mem_new_array(N, sizeof(*things));
	struct heap h = HEAP_INIT;
	uint64_t last = 0, key = 12345;
	size_t left = N;

	(void)state;
	assert_null(heap_min(&h));
	for (int i = 0; i < N; i++) {
		key = key * 6364136223846793005u + 1442695040888963407u;
		heap_insert(&h, &things[i].timed, key >> 54); /* many equal ones */
	}
	for (int i = 0; i < N; i += 3, left--)
		heap_remove(&h, &things[i].timed);
	heap_remove(&h, &things[0].timed); /* in none: nothing happens */
	assert_false(heap_linked(&things[0].timed));
	assert_true(heap_linked(&things[1].timed));
	for (struct heap_node *node; (node = heap_min(&h)); left--) {
		assert_true(node->key >= last);
		last = node->key;
		heap_remove(&h, node);
	}
	assert_int_equal(left, 0);
	heap_deinit(&h);
}

static void heaps_move_keys(void **state)
{
	struct thing a = { .value = 1 }, b = { .value = 2 };
	struct heap h = HEAP_INIT;

	(void)state;
	heap_insert(&h, &a.timed, 5);
	heap_insert(&h, &b.timed, 3);
	assert_ptr_equal(heap_min(&h), &b.timed);
	heap_remove(&h, &b.timed);
	heap_insert(&h, &b.timed, UINT64_MAX);
	assert_ptr_equal(heap_min(&h), &a.timed);
	heap_deinit(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_keep_order),
		cmocka_unit_test(tables_find),
		cmocka_unit_test(tables_hold_equal_hashes),
		cmocka_unit_test(hashes_agree),
		cmocka_unit_test(heaps_sort),
		cmocka_unit_test(heaps_move_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
