/* SPDX-License-Identifier: Apache-2.0 */
/* test_submissions.c - what is known of an id, step by step, and what is forgotten when there are too many */
#include "queue/submissions.h"
#include "support/test.h"

#define MANY 100001 /* more than are kept */

static enum submission_state state_of(const char *id, uid_t uid, uint64_t *mail)
{
	*mail = 0;
	return submission_find(slice_of(id), uid, mail);
}

static void known_from_its_commit_on(void **state)
{
	uint64_t mail;

	(void)state;
	assert_int_equal(state_of("a", 1, &mail), SUBMISSION_NEW);
	submission_begin(SLICE("a"), 1, 7);
	assert_int_equal(state_of("a", 1, &mail), SUBMISSION_COMMITTING);
	submission_end(SLICE("a"), 1, true);
	assert_int_equal(state_of("a", 1, &mail), SUBMISSION_TAKEN);
	assert_int_equal(mail, 7);
	assert_int_equal(state_of("a", 2, &mail), SUBMISSION_NEW);
	assert_int_equal(state_of("aa", 1, &mail), SUBMISSION_NEW);
}

static void new_again_when_refused(void **state)
{
	uint64_t mail;

	(void)state;
	submission_begin(SLICE("b"), 1, 8);
	submission_end(SLICE("b"), 1, false);
	assert_int_equal(state_of("b", 1, &mail), SUBMISSION_NEW);
	submission_end(SLICE("b"), 1, false);
	submission_begin(SLICE("b"), 1, 9);
	submission_end(SLICE("b"), 1, true);
	submission_end(SLICE("b"), 1, false); /* of a copy that came later */
	assert_int_equal(state_of("b", 1, &mail), SUBMISSION_TAKEN);
}

static void no_id_is_always_new(void **state)
{
	uint64_t mail;

	(void)state;
	submission_begin(SLICE_EMPTY, 1, 8);
	submission_recovered(SLICE_EMPTY, 8);
	submission_expect(SLICE_EMPTY);
	assert_int_equal(state_of("", 1, &mail), SUBMISSION_NEW);
	submission_end(SLICE_EMPTY, 1, true);
}

/* However many come after it: the file may be there for days. */
static void one_with_a_file_is_never_forgotten(void **state)
{
	uint64_t mail;
	char id[32];

	(void)state;
	submission_expect(SLICE("file"));
	submission_expect(SLICE("file"));
	submission_expect(SLICE("new file"));
	assert_int_equal(state_of("file", 1, &mail), SUBMISSION_NEW);
	submission_recovered(SLICE("file"), 10);
	submission_recovered(SLICE("no file"), 11);
	submission_expect_no_more();
	assert_int_equal(state_of("file", 1, &mail), SUBMISSION_TAKEN);
	assert_int_equal(mail, 10);
	assert_int_equal(state_of("no file", 1, &mail), SUBMISSION_TAKEN);
	assert_int_equal(state_of("new file", 1, &mail), SUBMISSION_NEW);
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(id, sizeof(id), "%u", i);
		submission_recovered(slice_of(id), 100 + i);
	}
	assert_int_equal(state_of("file", 1, &mail), SUBMISSION_TAKEN);
	assert_int_equal(state_of("no file", 1, &mail), SUBMISSION_NEW);
	assert_int_equal(state_of(id, 1, &mail), SUBMISSION_TAKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_from_its_commit_on),
		cmocka_unit_test(new_again_when_refused),
		cmocka_unit_test(no_id_is_always_new),
		cmocka_unit_test(one_with_a_file_is_never_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
