/* SPDX-License-Identifier: Apache-2.0 */
/* test_sort.c - the numbers follow the key, the folder keeps its order */
#include "mailx/rewrite.h"
#include "mailx/sort.h"
#include "mailx/test_fixture.h"

#define MAIL(status, date, from, to, subject, text)                                                          \
	"From x  Wed Feb 19 05:10:35 2020\n" status date "From: " from "\nTo: " to "\nSubject: " subject     \
	"\n\n" text "\n\n"
#define ONE                                                                                                  \
	MAIL("Status: RO\n", "Date: Wed, 19 Feb 2020 05:10:35 -0500\n", "Zoe <zoe@x>", "b@x", "Re: Bread",   \
		"1")
#define TWO MAIL("Status: O\n", "", "anna@x", "c@x", "cheese", "2222")
#define THREE MAIL("", "Date: Wed, 19 Feb 2020 09:10:35 +0000\n", "MAX <max@x>", "A@x", "bread", "33")

static void sorts(void **state)
{
	static const struct {
		const char *key, *order;
	} rows[] = { { "arrival", "123" }, { "date", "231" }, { "from", "231" }, { "to", "312" },
		{ "subject", "132" }, { "size", "231" }, { "status", "321" }, { "nonsense", NULL } };

	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		const char *order = rows[i / 2].order;
		char found[4] = "";
		struct fixture f;
		fixture_init(&f, ONE TWO THREE);
		if (i % 2)
			assert_true(sort_folder(&f.mx, "size") && sort_folder(&f.mx, "arrival"));
		f.mx.folder.dot = 0;
		assert_int_equal(sort_folder(&f.mx, rows[i / 2].key), order != NULL);
		for (size_t k = 0; k < 3 && order; k++) {
			uint64_t offset = f.mx.folder.messages.at[k].offset;
			found[k] = offset == 0 ? '1' : offset == strlen(ONE) ? '2' : '3';
		}
		assert_string_equal(found, order ? order : "");
		if (order && i % 2 == 0)
			assert_int_equal(f.mx.folder.messages.at[f.mx.folder.dot].offset, 0);
		fixture_deinit(&f);
	}
}

static void the_folder_keeps_its_order(void **state)
{
	auto_buf struct buf after = BUF_INIT(10000);
	struct rewrite_outcome outcome;
	struct fixture f;

	fixture_init(&f, ONE TWO THREE);
	assert_true(sort_folder(&f.mx, "from"));
	f.mx.folder.messages.at[0].flags |= MESSAGE_DELETED; /* TWO */
	f.mx.folder.messages.at[1].flags |= MESSAGE_FLAGGED; /* THREE */
	assert_int_equal(rewrite_folder(&f.mx.folder, false, &outcome), REWRITE_DONE);
	fixture_read(f.path, &after);
	assert_slice_equal(buf_slice(&after),
		SLICE(ONE "From x  Wed Feb 19 05:10:35 2020\nDate: Wed, 19 Feb 2020 09:10:35 +0000\nFrom: "
			  "MAX <max@x>\n"
			  "To: A@x\nSubject: bread\nX-Status: F\n\n33\n\n"));
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts),
		cmocka_unit_test(the_folder_keeps_its_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
