/* SPDX-License-Identifier: Apache-2.0 */
/* test_vars.c - variables, aliases, lists of header fields and of strings */
#include "mailx/alias.h"
#include "mailx/ceilings.h"
#include "mailx/fields.h"
#include "mailx/vars.h"
#include "support/test.h"

static void known_variables_are_sound(void **state)
{
	for (const struct var_known *row = vars_known; row->name; row++) {
		assert_true(*row->help != '\0');
		for (const struct var_known *other = row + 1; other->name; other++)
			assert_string_not_equal(row->name, other->name);
		if (strncmp(row->help, "= ", 2) == 0) {
			const struct var_known *target = vars_known;
			while (target->name && strcmp(target->name, row->help + 2) != 0)
				target++;
			assert_non_null(target->name); /* a synonym of something that is there */
			assert_null(row->initial);
		}
	}
}

static void assigns(void **state)
{
	static const struct {
		const char *assignment, *name, *value; /* value NULL: unset */
		bool want;
	} rows[] = {
		{ "a=b", "a", "b", true },
		{ "a=", "a", "", true },
		{ "a", "a", "", true },
		{ "noa", "a", NULL, true },
		{ "a=b=c", "a", "b=c", true },
		{ "header", "header", "", true },
		{ "noheader", "header", NULL, true },
		{ "mta=/x", "sendmail", "/x", true },
		{ "noask", "asksub", NULL, true },
		{ "no", "no", "", true },
		{ "=x", "", NULL, false },
		{ "", "", NULL, false },
		{ "noa=1", "noa", "1", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vars v;
		vars_init(&v);
		vars_set(&v, "a", "before");
		assert_int_equal(vars_assign(&v, rows[i].assignment), rows[i].want);
		if (rows[i].want && rows[i].value)
			assert_string_equal(vars_get(&v, rows[i].name), rows[i].value);
		else if (rows[i].want)
			assert_null(vars_get(&v, rows[i].name));
		vars_deinit(&v);
	}
}

static void pins_hold_against_files(void **state)
{
	struct vars v;

	vars_init(&v);
	assert_true(vars_assign_pinned(&v, "from=option"));
	assert_true(vars_assign_pinned(&v, "nohold"));
	v.pins_hold = true;
	vars_set(&v, "from", "file");
	vars_set(&v, "hold", "");
	vars_unset(&v, "from");
	assert_string_equal(vars_get(&v, "from"), "option");
	assert_null(vars_get(&v, "hold"));
	v.pins_hold = false;
	vars_set(&v, "from", "typed");
	assert_string_equal(vars_get(&v, "from"), "typed");
	vars_deinit(&v);
}

static void numbers_and_the_environment(void **state)
{
	char *const environment[] = { (char[]){ "EDITOR=e d" }, (char[]){ "sendmail=/evil" },
		(char[]){ "odd" }, NULL };
	struct vars v;

	vars_init(&v);
	vars_import(&v, environment);
	assert_string_equal(vars_get(&v, "EDITOR"), "e d");
	assert_null(vars_get(&v, "sendmail"));
	assert_int_equal(vars_number(&v, "toplines", 9), 5);
	assert_int_equal(vars_number(&v, "screen", 9), 9);
	vars_set(&v, "screen", "12x");
	assert_int_equal(vars_number(&v, "screen", 9), 9);
	vars_set(&v, "screen", vars_get(&v, "toplines")); /* a value that lies in the table itself */
	assert_int_equal(vars_number(&v, "screen", 9), 5);
	vars_deinit(&v);
}

static void expands_aliases(void **state)
{
	static const struct {
		const char *name, *want; /* joined by blanks */
	} rows[] = {
		{ "a", "x@example.org y" },
		{ "b", "x@example.org y z" },
		{ "none", "none" },
		{ "loop", "loop" },
		{ "l1", "l1" },
	};
	struct aliases a = { 0 };

	aliases_add(&a, "a", "x@example.org");
	aliases_add(&a, "a", "y");
	aliases_add(&a, "b", "a");
	aliases_add(&a, "b", "z");
	aliases_add(&a, "loop", "loop");
	aliases_add(&a, "l1", "l2");
	aliases_add(&a, "l2", "l1");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_strlist struct strlist out = STRLIST_INIT;
		auto_buf struct buf joined = BUF_INIT(1000);
		aliases_expand(&a, rows[i].name, &out);
		for (size_t k = 0; k < out.n; k++)
			buf_printf(&joined, "%s%s", k ? " " : "", out.at[k]);
		assert_slice_equal(buf_slice(&joined), slice_of(rows[i].want));
	}
	aliases_remove(&a, "a");
	assert_null(aliases_find(&a, "a"));
	assert_non_null(aliases_find(&a, "b"));
	aliases_deinit(&a);
}

/* Each alias names the next one twice: without a ceiling two to the power of the depth. */
static void expansion_has_a_ceiling(void **state)
{
	auto_strlist struct strlist out = STRLIST_INIT;
	struct aliases a = { 0 };

	for (int i = 0; i < 40; i++) {
		char name[16], next[16];
		(void)snprintf(name, sizeof(name), "n%d", i);
		(void)snprintf(next, sizeof(next), "n%d", i + 1);
		aliases_add(&a, name, next);
		aliases_add(&a, name, next);
	}
	aliases_expand(&a, "n0", &out);
	assert_true(out.n <= MAILX_RECIPIENTS_MAX);
	aliases_deinit(&a);
}

static void shows_fields(void **state)
{
	struct fields f = { 0 };

	assert_true(fields_show(&f, SLICE("Subject")));
	strlist_add(&f.ignored, "received");
	assert_false(fields_show(&f, SLICE("Received")));
	assert_true(fields_show(&f, SLICE("Receive")));
	strlist_add(&f.retained, "SUBJECT");
	assert_true(fields_show(&f, SLICE("Subject")));
	assert_false(fields_show(&f, SLICE("To")));
	fields_deinit(&f);
	strlist_add(&f.ignored, "*");
	assert_false(fields_show(&f, SLICE("To")));
	fields_deinit(&f);
}

static void lists_keep_their_order(void **state)
{
	auto_strlist struct strlist l = STRLIST_INIT;

	for (int i = 0; i < 20; i++)
		strlist_insert(&l, 0, i % 2 ? "odd" : "even");
	strlist_add_slice(&l, SLICE("last"));
	assert_int_equal(l.n, 21);
	assert_int_equal(strlist_find_nocase(&l, "LAST"), 20);
	strlist_remove(&l, 0);
	assert_string_equal(l.at[0], "even");
	assert_int_equal(strlist_find_nocase(&l, "none"), l.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_variables_are_sound),
		cmocka_unit_test(assigns),
		cmocka_unit_test(pins_hold_against_files),
		cmocka_unit_test(numbers_and_the_environment),
		cmocka_unit_test(expands_aliases),
		cmocka_unit_test(expansion_has_a_ceiling),
		cmocka_unit_test(shows_fields),
		cmocka_unit_test(lists_keep_their_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
