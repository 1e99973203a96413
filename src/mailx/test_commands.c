/* SPDX-License-Identifier: Apache-2.0 */
/* test_commands.c - the tables of commands and escapes: abbreviations mean what POSIX and the tradition say
 */
#include "mailx/commands.h"
#include "mailx/compose.h"
#include "mailx/test_fixture.h"

static void abbreviations(void **state)
{
	static const char *const rows[][2] = {
		{ "a", "alias" },
		{ "g", "group" },
		{ "alt", "alternates" },
		{ "c", "copy" },
		{ "cd", "cd" },
		{ "ch", "chdir" },
		{ "d", "delete" },
		{ "di", "discard" },
		{ "ig", "ignore" },
		{ "dp", "dp" },
		{ "dt", "dt" },
		{ "e", "edit" },
		{ "ec", "echo" },
		{ "ex", "exit" },
		{ "x", "xit" },
		{ "fi", "file" },
		{ "fold", "folder" },
		{ "folders", "folders" },
		{ "f", "from" },
		{ "h", "headers" },
		{ "hel", "help" },
		{ "?", "?" },
		{ "ho", "hold" },
		{ "pre", "preserve" },
		{ "i", "if" },
		{ "el", "else" },
		{ "en", "endif" },
		{ "l", "list" },
		{ "m", "mail" },
		{ "mb", "mbox" },
		{ "n", "next" },
		{ "pi", "pipe" },
		{ "|", "|" },
		{ "P", "Print" },
		{ "T", "Type" },
		{ "p", "print" },
		{ "t", "type" },
		{ "q", "quit" },
		{ "R", "Reply" },
		{ "Res", "Respond" },
		{ "r", "reply" },
		{ "res", "respond" },
		{ "ret", "retain" },
		{ "s", "save" },
		{ "se", "set" },
		{ "sh", "shell" },
		{ "si", "size" },
		{ "so", "source" },
		{ "to", "top" },
		{ "una", "unalias" },
		{ "u", "undelete" },
		{ "un", "undelete" },
		{ "uns", "unset" },
		{ "v", "visual" },
		{ "w", "write" },
		{ "z", "z" },
		{ "!", "!" },
		{ "=", "=" },
		{ "C", "Copy" },
		{ "S", "Save" },
		{ "fo", "followup" },
		{ "F", "Followup" },
		{ "tou", "touch" },
		{ "U", "Unread" },
		{ "inc", "inc" },
		{ "fwd", "fwd" },
		{ "mo", "more" },
		{ "new", "new" },
		{ "newm", "newmail" },
		{ "unr", "unread" },
		{ "unret", "unretain" },
		{ "print", "print" },
	};
	static const char *const unknown[] = { "", "b", "prints", "Q", "y", "frobnicate", "sav3" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct command *c = command_find(slice_of(rows[i][0]));
		assert_non_null(c);
		assert_string_equal(c->name, rows[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		assert_null(command_find(slice_of(unknown[i])));
}

static void every_row_is_whole(void **state)
{
	for (const struct command *c = commands; c->name; c++) {
		assert_true(c->min >= 1 && c->min <= strlen(c->name));
		assert_non_null(c->run);
		assert_non_null(c->usage);
		assert_true(*c->help != '\0');
		assert_ptr_equal(
			command_find(slice_of(c->name)), c); /* its full name means it and nothing else */
		for (const struct command *other = c + 1; other->name; other++)
			assert_string_not_equal(c->name, other->name);
	}
	for (const struct escape *e = escapes; e->letter; e++) {
		assert_true(*e->help != '\0');
		for (const struct escape *other = e + 1; other->letter; other++)
			assert_int_not_equal(e->letter, other->letter);
	}
}

static void runs_lines(void **state)
{
	static const struct {
		const char *line;
		enum command_result want;
	} rows[] = {
		{ "", COMMAND_OK },
		{ "# comment", COMMAND_OK },
		{ "set a=b", COMMAND_OK },
		{ "q", COMMAND_QUIT },
		{ "x", COMMAND_EXIT },
		{ "frob", COMMAND_FAILED },
		{ "d 9", COMMAND_FAILED },
		{ "d 1", COMMAND_OK },
		{ "set 'x", COMMAND_FAILED },
		{ "if s", COMMAND_OK },
		{ "frob", COMMAND_OK },
		{ "else", COMMAND_OK },
		{ "frob", COMMAND_FAILED },
		{ "endif", COMMAND_OK },
		{ "endif", COMMAND_FAILED },
		{ "else", COMMAND_FAILED },
	};
	struct fixture f;

	fixture_init(&f, FIRST_MESSAGE);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(command_run(&f.mx, slice_of(rows[i].line), false), rows[i].want);
	assert_string_equal(vars_get(&f.mx.vars, "a"), "b");
	for (int i = 0; i < MAILX_IF_DEPTH; i++)
		assert_int_equal(command_run(&f.mx, SLICE("if r"), false), COMMAND_OK);
	assert_int_equal(command_run(&f.mx, SLICE("if r"), false), COMMAND_FAILED);
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(abbreviations),
		cmocka_unit_test(every_row_is_whole),
		cmocka_unit_test(runs_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
