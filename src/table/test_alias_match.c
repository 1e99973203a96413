/* SPDX-License-Identifier: Apache-2.0 */
/* test_alias_match.c - which entry a local part finds, and what of its extension is left */
#include "support/test.h"
#include "table/alias_match.h"

/* The aliases: words. "broken" cannot be asked for. */
static enum alias_status find(void *user, struct slice key, struct alias_value *value_out)
{
	struct slice rest = slice_of(user), word;

	if (slice_eq(key, SLICE("broken")))
		return ALIAS_BROKEN;
	while (slice_next_word(&rest, &word))
		if (slice_eq(key, word)) {
			*value_out = (struct alias_value){ .text = SLICE("there"), .line = 1 };
			return ALIAS_FOUND;
		}
	return ALIAS_NONE;
}

static void which_entry(void **state)
{
	static const struct {
		const char *aliases, *delimiters, *local;
		enum alias_status status;
		const char *key, *user, *suffix;
	} rows[] = {
		{ "a", "+", "A", ALIAS_FOUND, "a", "A", "" },
		{ "a", "+", "b", ALIAS_NONE, "", "b", "" },
		{ "a a+x", "+", "a+X", ALIAS_FOUND, "a+x", "a", "" },
		{ "a a+x a+*", "+", "a+x", ALIAS_FOUND, "a+x", "a", "" },
		{ "a a+*", "+", "a+y", ALIAS_FOUND, "a+*", "a", "+y" },
		{ "a+*", "+", "a", ALIAS_NONE, "", "a", "" },
		{ "a+*", "+", "a+", ALIAS_NONE, "", "a", "+" },
		{ "a", "+", "a+y", ALIAS_FOUND, "a", "a", "+y" },
		{ "a", "", "a+y", ALIAS_NONE, "", "a+y", "" },
		{ "a", "-+", "a-y", ALIAS_FOUND, "a", "a", "-y" },
		{ "a-*", "-+", "a-y", ALIAS_FOUND, "a-*", "a", "-y" },
		{ "list", "-", "list-request", ALIAS_NONE, "", "list-request", "" },
		{ "list list-request", "-", "LIST-REQUEST", ALIAS_FOUND, "list-request", "LIST-REQUEST", "" },
		{ "owner", "-", "owner-list", ALIAS_NONE, "", "owner-list", "" },
		{ "", "+", "Postmaster", ALIAS_FOUND, "postmaster", "Postmaster", "" },
		{ "", "+", "MAILER-DAEMON", ALIAS_FOUND, "mailer-daemon", "MAILER-DAEMON", "" },
		{ "", "+", "abuse+x", ALIAS_FOUND, "abuse", "abuse", "+x" },
		{ "", "+", "broken", ALIAS_BROKEN, "broken", "broken", "" },
		{ "a", "+", "broken+x", ALIAS_BROKEN, "broken", "broken", "+x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct alias_match m;
		alias_match_local(find, (void *)(uintptr_t)rows[i].aliases, slice_of(rows[i].delimiters),
			slice_of(rows[i].local), &m);
		if (m.status != rows[i].status || !slice_eq(m.key, slice_of(rows[i].key)) ||
			!slice_eq(m.user, slice_of(rows[i].user)) ||
			!slice_eq(m.suffix, slice_of(rows[i].suffix)))
			fail_msg("row %zu: %d \"%.*s\" \"%.*s\" \"%.*s\"", i, (int)m.status, SLICE_ARG(m.key),
				SLICE_ARG(m.user), SLICE_ARG(m.suffix));
	}
}

static void names_that_always_exist(void **state)
{
	struct alias_match m;

	(void)state;
	alias_match_local(find, (char[]){ "" }, SLICE("+"), SLICE("abuse"), &m);
	assert_true(m.is_default);
	assert_slice_equal(m.value.text, SLICE("postmaster"));
	assert_null(m.value.file);
	alias_match_local(find, (char[]){ "abuse" }, SLICE("+"), SLICE("abuse"), &m);
	assert_false(m.is_default);
}

static void too_long(void **state)
{
	char local[LIMIT_LOCAL_PART + 1];
	struct alias_match m;

	(void)state;
	memset(local, 'x', sizeof(local));
	alias_match_local(find, (char[]){ "x" }, SLICE("+"), (struct slice){ local, sizeof(local) }, &m);
	assert_int_equal(m.status, ALIAS_NONE);
	local[1] = '+';
	alias_match_local(find, (char[]){ "x+*" }, SLICE("+"), (struct slice){ local, LIMIT_LOCAL_PART }, &m);
	assert_int_equal(m.status, ALIAS_FOUND);
	assert_slice_equal(m.key, SLICE("x+*"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_entry),
		cmocka_unit_test(names_that_always_exist),
		cmocka_unit_test(too_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
