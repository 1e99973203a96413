/* SPDX-License-Identifier: Apache-2.0 */
/* test_header.c - walking header sections, and writing fields that stay fields */
#include "support/test.h"
#include "base/limits.h"
#include "mail/header.h"

static void finds_the_end(void **state)
{
	static const struct {
		const char *in;
		size_t header_len;
		const char *body;
	} rows[] = {
		{ "A: b\n\nbody\n", 5, "body\n" },
		{ "A: b\nC: d\n e\n\n", 13, "" },
		{ "A: b\n", 5, "" },
		{ "A: b", 4, "" },
		{ "", 0, "" },
		{ "\nbody\n", 0, "body\n" },
		{ "text, no header\nA: b\n", 0, "text, no header\nA: b\n" },
		{ " folded first\nA: b\n", 0, " folded first\nA: b\n" },
		{ "A: b\ntext\n", 5, "text\n" },
		{ "A b: c\n", 0, "A b: c\n" },
		{ "A : b\n\nx", 6, "x" },
		{ "A: b\n\t\n\nx", 7, "x" },
		{ ": b\n", 0, ": b\n" },
		{ "\xc3\xbc: b\n", 0, "\xc3\xbc: b\n" },
		{ "A:\n\nx", 3, "x" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice header, body;
		assert_int_equal(header_length(slice_of(rows[i].in)), rows[i].header_len);
		header_split(slice_of(rows[i].in), &header, &body);
		assert_int_equal(header.len, rows[i].header_len);
		assert_slice_equal(body, slice_of(rows[i].body));
	}
}

static void walks_fields(void **state)
{
	static const struct {
		const char *name, *value, *raw;
	} rows[] = {
		{ "To", "a,\n b", "To: a,\n b\n" },
		{ "X-Empty", "", "X-Empty:\n" },
		{ "Odd", "x: y", "Odd \t:  x: y  \n" },
		{ "Last", "z", "Last:z" },
	};
	struct slice rest = SLICE("To: a,\n b\nX-Empty:\nOdd \t:  x: y  \nLast:z");
	struct header_field f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(header_next(&rest, &f));
		assert_slice_equal(f.name, slice_of(rows[i].name));
		assert_slice_equal(f.value, slice_of(rows[i].value));
		assert_slice_equal(f.raw, slice_of(rows[i].raw));
	}
	assert_false(header_next(&rest, &f));
	assert_true(header_is_field(SLICE("A: b\nrest")));
	assert_false(header_is_field(SLICE("A\n: b")));
}

static void finds_fields(void **state)
{
	struct slice header = SLICE("Received: 1\nX: y\nreceived: 2\n 3\nDelivered-To: A@b.test\n"
				    "RECEIVED: 4\nReceived-SPF: x\n\nReceived: body\n");
	struct slice rest = header;
	struct header_field f;

	(void)state;
	assert_int_equal(header_count(header, SLICE("Received")), 3);
	assert_int_equal(header_count(header, SLICE("Subject")), 0);
	assert_true(header_find(&rest, SLICE("received"), &f));
	assert_true(header_find(&rest, SLICE("received"), &f));
	assert_slice_equal(f.value, SLICE("2\n 3"));
	assert_true(header_find(&rest, SLICE("received"), &f));
	assert_false(header_find(&rest, SLICE("received"), &f));
	assert_int_equal(rest.len, 0);
	assert_true(header_has_delivered_to(header, SLICE("a@B.test")));
	assert_false(header_has_delivered_to(header, SLICE("a@b")));
	assert_false(header_has_delivered_to(SLICE("X: a@b\n"), SLICE("a@b")));
}

static void unfolds(void **state)
{
	auto_buf struct buf out = BUF_INIT(100);

	(void)state;
	header_unfold(SLICE("a\n b\r\n\tc"), &out);
	assert_slice_equal(buf_slice(&out), SLICE("a b\tc"));
}

static void makes_text_safe(void **state)
{
	static const struct {
		struct slice in;
		const char *want;
	} rows[] = {
		{ { "plain text", 10 }, "plain text" },
		{ { " a\r\nBcc: x\n", 11 }, "a  Bcc: x" },
		{ { "a\0b\x7f", 4 }, "a b " },
		{ { "gr\xc3\xbc\xc3\x9f \xff\xc3", 9 }, "gr\xc3\xbc\xc3\x9f ??" },
		{ { "a\xc2\x9b"
		    "31mb",
			  7 },
			"a 31mb" }, /* a control that terminals obey */
		{ { "", 0 }, "" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(100);
		header_safe_text(rows[i].in, &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
}

static void masks_text_and_keeps_its_blanks(void **state)
{
	auto_buf struct buf out = BUF_INIT(100);

	(void)state;
	header_mask_text(SLICE("\tfolded \x1b[2J\xff caf\xc3\xa9 "), &out);
	assert_slice_equal(buf_slice(&out), SLICE(" folded  [2J? caf\xc3\xa9 "));
}

static void writes_fields(void **state)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
		{ "short", "Name: short\n" },
		{ "", "Name:\n" },
		{ "a\nBcc: evil", "Name: a Bcc: evil\n" },
		{ "two  blanks", "Name: two  blanks\n" },
		{ "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 012345 78 and more",
			"Name: 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 012345\n"
			" 78 and more\n" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000);
		header_append(&out, "Name", slice_of(rows[i].value));
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
}

static void keeps_line_limits(void **state)
{
	auto_buf struct buf value = BUF_INIT(10000), out = BUF_INIT(10000);
	struct slice rest, line;

	(void)state;
	for (int i = 1; value.len < 5000; i += 37)
		buf_printf(&value, "%0*d ", i, 0);
	header_append(&out, "X-Long", buf_slice(&value));
	rest = buf_slice(&out);
	while (slice_next_line(&rest, &line))
		assert_true(line.len <= LIMIT_TEXT_LINE);
	assert_true(buf_ok(&out));
	buf_free(&out);
	out.max = 10;
	header_append(&out, "X-Long", buf_slice(&value));
	assert_false(buf_ok(&out));
}

static void writes_phrases(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "Joe User", "Joe User" },
		{ "Joe Q. User", "\"Joe Q. User\"" },
		{ "Joe \"Q\" \\User", "\"Joe \\\"Q\\\" \\\\User\"" },
		{ "root (Cron Daemon)", "\"root (Cron Daemon)\"" },
		{ "J\xc3\xb6rg Q.", "=?UTF-8?Q?J=C3=B6rg_Q=2E?=" },
		{ "bad \xff", "bad ?" },
		{ "a\nb", "a b" },
		{ "", "" },
		{ "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
			"=?UTF-8?Q?=C3=A4=C3=A4=C3=A4=C3=A4=C3=A4=C3=A4=C3=A4=C3=A4=C3=A4=C3=A4?= "
			"=?UTF-8?Q?=C3=A4?=" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000);
		header_append_phrase(&out, slice_of(rows[i].in));
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].want));
	}
}

static void encodes_subjects(void **state)
{
	auto_buf struct buf out = BUF_INIT(1000);

	(void)state;
	header_append_encoded(&out, SLICE("plain: (as it is)."));
	assert_slice_equal(buf_slice(&out), SLICE("plain: (as it is)."));
	buf_clear(&out);
	header_append_encoded(&out, SLICE("\xe2\x82\xac 5?"));
	assert_slice_equal(buf_slice(&out), SLICE("=?UTF-8?Q?=E2=82=AC_5=3F?="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_end),
		cmocka_unit_test(walks_fields),
		cmocka_unit_test(finds_fields),
		cmocka_unit_test(unfolds),
		cmocka_unit_test(makes_text_safe),
		cmocka_unit_test(masks_text_and_keeps_its_blanks),
		cmocka_unit_test(writes_fields),
		cmocka_unit_test(keeps_line_limits),
		cmocka_unit_test(writes_phrases),
		cmocka_unit_test(encodes_subjects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
