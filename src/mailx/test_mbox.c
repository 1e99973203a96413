/* SPDX-License-Identifier: Apache-2.0 */
/* test_mbox.c - where messages begin, their flags, quoting */
#include "mailx/mbox.h"
#include "support/test.h"

static void knows_from_lines(void **state)
{
	static const struct {
		const char *line, *sender, *date; /* date NULL: no From_ line */
	} rows[] = {
		{ "From a@b  Wed Feb 19 05:10:35 2020", "a@b", "Wed Feb 19 05:10:35 2020" },
		{ "From a@b Wed Feb  9 05:10:35 2020", "a@b", "Wed Feb  9 05:10:35 2020" },
		{ "From a@b Wed Feb 19 05:10 2020", "a@b", "Wed Feb 19 05:10 2020" },
		{ "From \"a b\"@c  Wed Feb 19 05:10:35 2020", "\"a b\"@c", "Wed Feb 19 05:10:35 2020" },
		{ "From  Wed Feb 19 05:10:35 2020", "", "Wed Feb 19 05:10:35 2020" },
		{ "From a@b Wed Feb 19 05:10:35 EST 2020", "a@b", "Wed Feb 19 05:10:35 EST" },
		{ "From MAILER-DAEMON Thu Jan  1 00:00:00 1970 remote", "MAILER-DAEMON",
			"Thu Jan  1 00:00:00 1970" },
		{ "From here on", NULL, NULL },
		{ "From a@b  Xxx Feb 19 05:10:35 2020", NULL, NULL },
		{ "From a@b  Wed Xxx 19 05:10:35 2020", NULL, NULL },
		{ "From a@b  Wed Feb 19 05-10-35 2020", NULL, NULL },
		{ "From a@bWed Feb 19 05:10:35 2020", NULL, NULL },
		{ "from a@b  Wed Feb 19 05:10:35 2020", NULL, NULL },
		{ ">From a@b  Wed Feb 19 05:10:35 2020", NULL, NULL },
		{ "From:a@b  Wed Feb 19 05:10:35 2020", NULL, NULL },
		{ "From ", NULL, NULL },
		{ "", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice sender, date;
		assert_int_equal(mbox_is_from_line(slice_of(rows[i].line)), rows[i].date != NULL);
		if (!rows[i].date)
			continue;
		mbox_from_parts(slice_of(rows[i].line), &sender, &date);
		assert_slice_equal(sender, slice_of(rows[i].sender));
		assert_slice_equal(date, slice_of(rows[i].date));
	}
}

#define FROM "From a@b  Wed Feb 19 05:10:35 2020\n"

static void finds_messages(void **state)
{
	static const struct {
		const char *text;
		enum mbox_result want;
		size_t n;
		uint64_t sizes[4];
	} rows[] = {
		{ "", MBOX_OK, 0, { 0 } },
		{ "\n\n", MBOX_OK, 0, { 0 } },
		{ "text\n", MBOX_NOT_MBOX, 0, { 0 } },
		{ "\ntext\n", MBOX_NOT_MBOX, 0, { 0 } },
		{ FROM, MBOX_OK, 1, { 35 } },
		{ FROM "\n", MBOX_OK, 1, { 36 } },
		{ FROM "A: b\n\ntext\n\n" FROM "\n", MBOX_OK, 2, { 35 + 12, 36 } },
		{ FROM "A: b\n\ntext\n" FROM "\n", MBOX_OK, 1,
			{ 35 + 11 + 36 } }, /* no empty line before it */
		{ FROM "A: b\n\ntext\n\nFrom me to you\n\n", MBOX_OK, 1, { 35 + 11 + 17 } },
		{ FROM "A: b\n\n" FROM "\n", MBOX_OK, 2, { 41, 36 } }, /* an empty body, not even closed */
		{ FROM "\n" FROM "\n" FROM "\n", MBOX_OK, 3, { 36, 36, 36 } },
		{ FROM "A: b\r\n\r\ntext\r\n\r\n" FROM "\n", MBOX_OK, 2, { 35 + 16, 36 } },
		{ "\n" FROM "\n", MBOX_OK, 1, { 36 } },
		{ FROM "no end", MBOX_OK, 1, { 41 } },
		{ FROM "\nFrom ", MBOX_OK, 1, { 41 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mbox_index index = { 0 };
		uint64_t sum = 0;
		assert_int_equal(mbox_scan(slice_of(rows[i].text), 1000, &index), rows[i].want);
		assert_int_equal(index.n, rows[i].n);
		for (size_t k = 0; k < index.n; k++) {
			assert_int_equal(index.at[k].size, rows[i].sizes[k]);
			sum += index.at[k].size;
		}
		if (index.n)
			assert_int_equal(index.at[0].offset + sum, 1000 + strlen(rows[i].text));
		mbox_index_free(&index);
	}
}

static void reads_and_writes_flags(void **state)
{
	static const struct {
		const char *header;
		unsigned flags;
		const char *written;
	} rows[] = {
		{ "", MESSAGE_NEW, "" },
		{ "Status: O\n", 0, "Status: O\n" },
		{ "Status: RO\n", MESSAGE_READ, "Status: RO\n" },
		{ "Status: R\n", MESSAGE_READ | MESSAGE_NEW, "Status: R\n" },
		{ "STATUS:OR\n", MESSAGE_READ, "Status: RO\n" },
		{ "X-Status: AF\n", MESSAGE_NEW | MESSAGE_ANSWERED | MESSAGE_FLAGGED, "X-Status: AF\n" },
		{ "Status: O\nX-Status: T\n", MESSAGE_DRAFT, "Status: O\nX-Status: T\n" },
		{ "Statuses: RO\n", MESSAGE_NEW, "" },
		{ "Status: \n", MESSAGE_NEW, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf text = BUF_INIT(1000), written = BUF_INIT(1000);
		struct mbox_index index = { 0 };
		buf_printf(&text, FROM "Subject: x\n%s\nStatus: RO\n", rows[i].header);
		assert_int_equal(mbox_scan(buf_slice(&text), 0, &index), MBOX_OK);
		assert_int_equal(index.at[0].flags, rows[i].flags);
		assert_int_equal(index.at[0].stored, rows[i].flags);
		assert_int_equal(index.at[0].head_size, 35 + 11 + strlen(rows[i].header));
		mbox_status_lines(index.at[0].flags, &written);
		assert_slice_equal(buf_slice(&written), slice_of(rows[i].written));
		mbox_index_free(&index);
	}
}

static void quotes(void **state)
{
	static const struct {
		const char *content, *want;
	} rows[] = {
		{ "", "" },
		{ "a\n", "a\n" },
		{ "a", "a\n" },
		{ "From x\n", ">From x\n" },
		{ ">From x\n>>From y\n", ">>From x\n>>>From y\n" },
		{ "From: x\n From y\n", "From: x\n From y\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000), want = BUF_INIT(1000);
		mbox_quote(SLICE("From me"), slice_of(rows[i].content), &out);
		buf_printf(&want, "From me\n%s\n", rows[i].want);
		assert_slice_equal(buf_slice(&out), buf_slice(&want));
	}
	assert_int_equal(mbox_count_lines(SLICE("a\nb\n\nc")), 3);
	assert_int_equal(mbox_count_lines(SLICE("")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_from_lines),
		cmocka_unit_test(finds_messages),
		cmocka_unit_test(reads_and_writes_flags),
		cmocka_unit_test(quotes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
