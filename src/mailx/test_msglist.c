/* SPDX-License-Identifier: Apache-2.0 */
/* test_msglist.c - which messages a list means */
#include "mailx/msglist.h"
#include "mailx/test_fixture.h"

/* Folder: 1 new from user1, 2 read and flagged from payam, 3 old from third, 4 as 1 but deleted. The current
 * one is 2. */
static void fixture_of_four(struct fixture *f)
{
	fixture_init(f, FIRST_MESSAGE SECOND_MESSAGE THIRD_MESSAGE FIRST_MESSAGE);
	assert_int_equal(f->mx.folder.messages.n, 4);
	f->mx.folder.messages.at[3].flags |= MESSAGE_DELETED;
	f->mx.folder.dot = 1;
}

static void selects(void **state)
{
	static const struct {
		const char *spec;
		enum msglist_want want;
		enum msglist_status status;
		const char *numbers;
	} rows[] = {
		{ "", MSGLIST_LIVE, MSGLIST_EMPTY, "" },
		{ "  ", MSGLIST_LIVE, MSGLIST_EMPTY, "" },
		{ "1", MSGLIST_LIVE, MSGLIST_OK, "1" },
		{ "*", MSGLIST_LIVE, MSGLIST_OK, "123" },
		{ "*", MSGLIST_GONE, MSGLIST_OK, "4" },
		{ "*", MSGLIST_EITHER, MSGLIST_OK, "1234" },
		{ "$", MSGLIST_LIVE, MSGLIST_DELETED, "" },
		{ "$", MSGLIST_GONE, MSGLIST_OK, "4" },
		{ "4", MSGLIST_LIVE, MSGLIST_DELETED, "" },
		{ "1", MSGLIST_GONE, MSGLIST_DELETED, "" },
		{ ".", MSGLIST_LIVE, MSGLIST_OK, "2" },
		{ "+", MSGLIST_LIVE, MSGLIST_OK, "3" },
		{ "-", MSGLIST_LIVE, MSGLIST_OK, "1" },
		{ "+", MSGLIST_GONE, MSGLIST_OK, "4" },
		{ "1-$", MSGLIST_LIVE, MSGLIST_OK, "123" },
		{ ".-$", MSGLIST_LIVE, MSGLIST_OK, "23" },
		{ "3-1", MSGLIST_LIVE, MSGLIST_NONE, "" },
		{ "0", MSGLIST_LIVE, MSGLIST_NUMBER, "" },
		{ "5", MSGLIST_LIVE, MSGLIST_NUMBER, "" },
		{ "1-5", MSGLIST_LIVE, MSGLIST_NUMBER, "" },
		{ "1-", MSGLIST_LIVE, MSGLIST_SYNTAX, "" },
		{ "1x", MSGLIST_LIVE, MSGLIST_SYNTAX, "" },
		{ "'1", MSGLIST_LIVE, MSGLIST_SYNTAX, "" },
		{ ":", MSGLIST_LIVE, MSGLIST_SYNTAX, "" },
		{ ":z", MSGLIST_LIVE, MSGLIST_SYNTAX, "" },
		{ ":n", MSGLIST_LIVE, MSGLIST_OK, "1" },
		{ ":u", MSGLIST_LIVE, MSGLIST_OK, "13" },
		{ ":o", MSGLIST_LIVE, MSGLIST_OK, "23" },
		{ ":r", MSGLIST_LIVE, MSGLIST_OK, "2" },
		{ ":f", MSGLIST_LIVE, MSGLIST_OK, "2" },
		{ ":d", MSGLIST_LIVE, MSGLIST_OK, "4" },
		{ ":nr", MSGLIST_LIVE, MSGLIST_OK, "12" },
		{ ":a", MSGLIST_LIVE, MSGLIST_NONE, "" },
		{ "user1", MSGLIST_LIVE, MSGLIST_OK, "1" },
		{ "EXAMPLE.ORG", MSGLIST_LIVE, MSGLIST_OK, "23" },
		{ "user1 payam", MSGLIST_LIVE, MSGLIST_OK, "12" },
		{ "2-3 user1", MSGLIST_LIVE, MSGLIST_NONE, "" },
		{ "/second", MSGLIST_LIVE, MSGLIST_OK, "2" },
		{ "'/test LPIC1'", MSGLIST_LIVE, MSGLIST_OK, "1" },
		{ "/to:other", MSGLIST_LIVE, MSGLIST_OK, "2" },
		{ "/", MSGLIST_LIVE, MSGLIST_OK, "2" }, /* the last text again */
		{ "* :u third", MSGLIST_LIVE, MSGLIST_OK, "3" },
	};
	struct fixture f;

	fixture_of_four(&f);
	vars_set(&f.mx.vars, "searchheaders", "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf numbers = BUF_INIT(100), problem = BUF_INIT(1000);
		struct msglist list = { 0 };
		assert_int_equal(msglist_parse(&f.mx, slice_of(rows[i].spec), rows[i].want, &list, &problem),
			rows[i].status);
		for (size_t k = 0; k < list.n; k++)
			buf_printf(&numbers, "%zu", list.at[k] + 1);
		assert_slice_equal(buf_slice(&numbers), slice_of(rows[i].numbers));
		assert_int_equal(problem.len > 0, rows[i].status > MSGLIST_EMPTY);
		msglist_free(&list);
	}
	fixture_deinit(&f);
}

static void has_nothing_to_select_from(void **state)
{
	auto_buf struct buf problem = BUF_INIT(1000);
	struct msglist list = { 0 };
	struct fixture f;

	fixture_init(&f, "");
	assert_int_equal(msglist_parse(&f.mx, SLICE("*"), MSGLIST_LIVE, &list, &problem), MSGLIST_NONE);
	assert_int_equal(msglist_parse(&f.mx, SLICE("$"), MSGLIST_LIVE, &list, &problem), MSGLIST_NONE);
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(selects),
		cmocka_unit_test(has_nothing_to_select_from),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
