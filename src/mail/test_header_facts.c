/* SPDX-License-Identifier: Apache-2.0 */
/* test_header_facts.c - the same is known of a header however it comes */
#include "mail/header_facts.h"
#include "support/test.h"

#define LINE_64 "X-Filler: 3456789012345678901234567890123456789012345678901234\n"
#define LINES_1K                                                                                             \
	LINE_64 LINE_64 LINE_64 LINE_64 LINE_64 LINE_64 LINE_64 LINE_64 LINE_64 LINE_64 LINE_64 LINE_64

static const struct row {
	const char *content, *message_id;
	bool says_bulk;
} rows[] = {
	{ "Message-ID: <a@b>\n\nbody\n", "<a@b>", false },
	{ "message-id:<a@b>  \nSubject: x\n\nbody\n", "<a@b>", false },
	{ "Message-Id:\n <a@b>\n\n", "<a@b>", false },
	{ "Message-ID: <first@b>\nMessage-ID: <second@b>\n\n", "<first@b>", false },
	{ "Message-ID: \nMessage-ID: <second@b>\n\n", "<second@b>", false },
	{ "Message-ID: <a@b>", "<a@b>", false },
	{ "Message-ID: <a@b>\nno header\nPrecedence: bulk\n", "<a@b>", false },
	{ "Subject: x\n\nMessage-ID: <body@b>\nPrecedence: bulk\n", "", false },
	{ "X-Message-ID: <a@b>\nX-Precedence: bulk\n\n", "", false },
	{ "Precedence: bulk\nMessage-ID: <a@b>\n\n", "<a@b>", true },
	{ "Precedence: List\n\n", "", true },
	{ "precedence:junk\n\n", "", true },
	{ "Precedence: first-class\nPrecedence: bulk\n\n", "", false },
	{ "\nMessage-ID: <body@b>\n", "", false },
	{ "", "", false },
};

static void check(const struct row *row, size_t piece)
{
	struct header_facts f = HEADER_FACTS_INIT;
	struct slice rest = slice_of(row->content);

	while (rest.len) {
		header_facts_add(&f, slice_first(rest, piece));
		rest = slice_from(rest, piece);
	}
	header_facts_end(&f);
	assert_slice_equal(buf_slice(&f.message_id), slice_of(row->message_id));
	assert_int_equal(f.says_bulk, row->says_bulk);
	assert_true(f.is_known);
	assert_int_equal(f.head.cap, 0); /* nothing is kept */
	header_facts_deinit(&f);
}

static void knows_what_is_there(void **state)
{
	static const size_t pieces[] = { 1000, 1, 2, 5, 13, 20 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++)
			check(&rows[i], pieces[k]);
}

static void a_whole_header_is_not_copied(void **state)
{
	struct header_facts f = HEADER_FACTS_INIT;

	(void)state;
	header_facts_add(&f, SLICE("Message-ID: <a@b>\n\nbody"));
	assert_true(f.is_known);
	assert_int_equal(f.head.cap, 0);
	header_facts_add(&f, SLICE("Message-ID: <c@d>\n"));
	assert_slice_equal(buf_slice(&f.message_id), SLICE("<a@b>"));
	header_facts_deinit(&f);
}

static void is_bounded(void **state)
{
	auto_buf struct buf id = BUF_INIT(1000);
	struct header_facts f = HEADER_FACTS_INIT;

	(void)state;
	buf_printf(&id, "Message-ID: <%0*d@b>\n", HEADER_FACTS_ID + 100, 0);
	header_facts_add(&f, buf_slice(&id));
	while (!f.is_known) {
		assert_true(f.head.len < HEADER_FACTS_BYTES);
		header_facts_add(&f, SLICE(LINES_1K));
	}
	assert_int_equal(f.message_id.len, HEADER_FACTS_ID);
	assert_int_equal(f.head.cap, 0);
	header_facts_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_what_is_there),
		cmocka_unit_test(a_whole_header_is_not_copied),
		cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
