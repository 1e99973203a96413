/* SPDX-License-Identifier: Apache-2.0 */
/* test_slab.c - slab, intern */
#include "support/test.h"
#include "base/intern.h"

#define N 20000

/* A pattern of its own in each object: neighbours must not touch it. */
static void fill(unsigned char *at, size_t size, size_t i)
{
	for (size_t k = 0; k < size; k++)
		at[k] = (unsigned char)(i * 31 + k * 7 + 1);
}

static void check(const unsigned char *at, size_t size, size_t i)
{
	for (size_t k = 0; k < size; k++)
		assert_int_equal(at[k], (unsigned char)(i * 31 + k * 7 + 1));
}

static size_t size_of(size_t i)
{
	return i % 1100 + (i % 1100 == 0); /* all sizes, also those of the heap */
}

static void objects_are_apart_and_zeroed(void **state)
{
	static unsigned char *objects[N];
	struct slabs s;

	(void)state;
	slabs_init(&s, SIZE_MAX);
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < N; i++) {
			if (objects[i])
				continue;
			objects[i] = slab_new(&s, size_of(i));
			assert_non_null(objects[i]);
			assert_int_equal((uintptr_t)objects[i] % SLAB_STEP, 0);
			for (size_t k = 0; k < size_of(i); k++)
				assert_int_equal(objects[i][k], 0);
			fill(objects[i], size_of(i), i);
		}
		for (size_t i = 0; i < N; i++) {
			check(objects[i], size_of(i), i);
			if ((i * 2654435761U >> 8) % 3 == round || round == 2)
				slab_free(&s, take_ptr(&objects[i]), size_of(i));
		}
	}
	slab_free(&s, NULL, 8);
	slabs_deinit(&s);
}

static void memory_goes_back(void **state)
{
	static void *objects[N];
	struct slabs s;
	size_t full;

	(void)state;
	slabs_init(&s, SIZE_MAX);
	for (size_t i = 0; i < N; i++)
		objects[i] = slab_new(&s, 200);
	full = s.bytes;
	assert_in_range(full, N * 200, N * 210);
	for (size_t i = 0; i < N; i++)
		slab_free(&s, objects[i], 200);
	assert_in_range(s.bytes, 0, 64 * 1024);
	for (size_t i = 0; i < N; i++) /* of another size, in the same place */
		objects[i] = slab_new(&s, 96);
	assert_int_equal(s.n_mapped, (full / (64 * 1024) + 63) / 64 * 64);
	for (size_t i = 0; i < N; i++)
		slab_free(&s, objects[i], 96);
	slabs_deinit(&s);
}

static void running_out_is_told(void **state)
{
	struct slabs s;
	void *small, *large;

	(void)state;
	slabs_init(&s, 100 * 1024);
	small = slab_new(&s, 64);
	assert_non_null(small);
	large = slab_new(&s, 30 * 1024);
	assert_non_null(large);
	assert_null(slab_new(&s, 128)); /* a slab of its own */
	assert_null(slab_new(&s, 10 * 1024));
	assert_null(slab_new(&s, SIZE_MAX));
	slab_free(&s, large, 30 * 1024);
	large = slab_new(&s, 10 * 1024);
	assert_non_null(large);
	slab_free(&s, large, 10 * 1024);
	slab_free(&s, small, 64);
	slabs_deinit(&s);
}

static void equal_texts_are_kept_once(void **state)
{
	struct slabs s;
	struct interner in = INTERNER_INIT(&s);
	struct interned *a, *b, *c, *none = NULL;

	(void)state;
	slabs_init(&s, SIZE_MAX);
	a = intern(&in, SLICE("connection refused"));
	b = intern(&in, SLICE("connection refused"));
	c = intern(&in, SLICE("connection timed out"));
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	assert_int_equal(a->n_refs, 2);
	assert_ptr_equal(intern_ref(c), c);
	assert_null(intern_ref(NULL));
	assert_slice_equal(interned_slice(c), SLICE("connection timed out"));
	assert_slice_equal(interned_slice(NULL), SLICE_EMPTY);
	intern_unref(&in, &a);
	assert_null(a);
	assert_int_equal(in.table.n, 2);
	intern_unref(&in, &b);
	assert_int_equal(in.table.n, 1);
	intern_unref(&in, &none);
	b = c;
	intern_unref(&in, &b);
	intern_unref(&in, &c);
	interner_deinit(&in);
	slabs_deinit(&s);
}

static void no_memory_for_a_text_is_told(void **state)
{
	struct slabs s;
	struct interner in = INTERNER_INIT(&s);

	(void)state;
	slabs_init(&s, 1000);
	assert_null(intern(&in, SLICE("x")));
	interner_deinit(&in);
	slabs_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_apart_and_zeroed),
		cmocka_unit_test(memory_goes_back),
		cmocka_unit_test(running_out_is_told),
		cmocka_unit_test(equal_texts_are_kept_once),
		cmocka_unit_test(no_memory_for_a_text_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
