/* SPDX-License-Identifier: Apache-2.0 */
/* test_dot.c - DATA in and out: every row is also fed split in every place */
#include "support/test.h"
#include "mail/dot.h"

#define ROW(literal)                                                                                         \
	{                                                                                                    \
		(literal), sizeof(literal) - 1                                                               \
	}
#define NOT_ENDED SIZE_MAX

static const struct decode_row {
	struct slice in;
	struct slice want;
	unsigned findings;
	size_t rest;   /* octets behind the end */
	uint64_t size; /* RFC 1870 */
} decoded[] = {
	{ ROW(".\r\n"), ROW(""), 0, 0, 0 },
	{ ROW("a\r\n.\r\n"), ROW("a\n"), 0, 0, 3 },
	{ ROW("a\r\n.\r\nQUIT\r\n"), ROW("a\n"), 0, 6, 3 },
	{ ROW("\r\n\r\n.\r\n"), ROW("\n\n"), 0, 0, 4 },
	{ ROW("..\r\n...a\r\n.b\r\n.\r\n"), ROW(".\n..a\nb\n"), 0, 0, 11 },
	{ ROW("a.\r\n.\r\n"), ROW("a.\n"), 0, 0, 4 },
	{ ROW("123456789\r\n.\r\n"), ROW("123456789\n"), 0, 0, 11 },
	{ ROW("1234567890\r\n.\r\n"), ROW("1234567890\n"), DOT_LONG_LINE, 0, 12 },
	{ ROW(".1234567890\r\n.\r\n"), ROW("1234567890\n"), DOT_LONG_LINE, 0, 12 },
	{ ROW("\xc3\xbc\r\n.\r\n"), ROW("\xc3\xbc\n"), DOT_8BIT, 0, 4 },
	{ ROW("12345678\xff\r\n.\r\n"), ROW("12345678\xff\n"), DOT_8BIT, 0, 11 },
	{ ROW("a\0b\r\n.\r\n"), ROW("a\0b\n"), DOT_NUL, 0, 5 },
	/* what other servers took for the end */
	{ ROW("a\n.\n"), ROW("a\n.\n"), DOT_BARE_LF, NOT_ENDED, 4 },
	{ ROW("a\n.\r\nb\r\n.\r\n"), ROW("a\n.\nb\n"), DOT_BARE_LF, 0, 8 },
	{ ROW("a\r\n.\nb\r\n.\r\n"), ROW("a\n.\nb\n"), DOT_BARE_LF, 0, 8 },
	{ ROW("a\r\n.\rb\r\n.\r\n"), ROW("a\n.\rb\n"), DOT_BARE_CR, 0, 8 },
	{ ROW("a\r.\r\nb\r\n.\r\n"), ROW("a\r.\nb\n"), DOT_BARE_CR, 0, 8 },
	{ ROW("a\r.\rb\r\n.\r\n"), ROW("a\r.\rb\n"), DOT_BARE_CR, 0, 7 },
	{ ROW("a\r\n.\r\r\nb\r\n.\r\n"), ROW("a\n.\r\nb\n"), DOT_BARE_CR, 0, 10 },
	{ ROW("a\r\r\n.\r\n"), ROW("a\r\n"), DOT_BARE_CR, 0, 4 },
	{ ROW("a\r\n\0.\r\nb\r\n.\r\n"), ROW("a\n\0.\nb\n"), DOT_NUL, 0, 10 },
	{ ROW("a\r\n.\0\r\nb\r\n.\r\n"), ROW("a\n\0\nb\n"), DOT_NUL, 0, 9 },
	{ ROW("\n.\r\nb\r\n.\r\n"), ROW("\n.\nb\n"), DOT_BARE_LF, 0, 7 },
	{ ROW("a\n..b\r\n.\r\n"), ROW("a\n.b\n"), DOT_BARE_LF, 0, 6 },
	{ ROW("a\n.\n.\r\n.\r\n"), ROW("a\n.\n.\n"), DOT_BARE_LF, 0, 7 },
	/* not yet ended */
	{ ROW("a\r\n.\r"), ROW("a\n"), 0, NOT_ENDED, 3 },
	{ ROW("a\r\n."), ROW("a\n"), 0, NOT_ENDED, 3 },
	{ ROW("a\r"), ROW("a"), 0, NOT_ENDED, 1 },
};

static void decode_in_parts(const struct decode_row *row, size_t first, size_t second)
{
	struct dot_decoder d = DOT_DECODER_INIT(9);
	auto_buf struct buf out = BUF_INIT(1000);
	size_t cuts[] = { first, second, row->in.len }, used = 0;
	bool has_ended = false;

	for (size_t i = 0; i < ARRAY_LEN(cuts) && !has_ended; i++) {
		struct slice chunk = slice_from(slice_first(row->in, cuts[i]), used);
		used = cuts[i];
		has_ended = dot_decode(&d, &chunk, &out);
		used -= chunk.len;
		assert_true(has_ended || chunk.len == 0);
	}
	assert_int_equal(has_ended, row->rest != NOT_ENDED);
	if (has_ended)
		assert_int_equal(row->in.len - used, row->rest);
	assert_slice_equal(buf_slice(&out), row->want);
	assert_int_equal(d.findings, row->findings);
	assert_int_equal(d.size, row->size);
}

static void decodes_however_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(decoded); i++)
		for (size_t first = 0; first <= decoded[i].in.len; first++)
			for (size_t second = first; second <= decoded[i].in.len; second++)
				decode_in_parts(&decoded[i], first, second);
}

static void reads_past_what_it_may_not_keep(void **state)
{
	auto_buf struct buf small = BUF_INIT(4);
	struct dot_decoder d = DOT_DECODER_INIT(0), discard = DOT_DECODER_INIT(0);
	struct slice in = SLICE("ab\r\ncdef\r\n.\r\nNOOP\r\n"), again = in;

	(void)state;
	assert_true(dot_decode(&d, &in, &small));
	assert_slice_equal(in, SLICE("NOOP\r\n"));
	assert_int_equal(d.findings, DOT_OUT_FULL);
	assert_int_equal(d.size, 10);
	assert_true(dot_decode(&discard, &again, NULL));
	assert_int_equal(discard.findings, 0);
	assert_int_equal(discard.size, 10);
}

static const struct encode_row {
	struct slice in, want;
} encoded[] = {
	{ ROW(""), ROW(".\r\n") },
	{ ROW("a\n"), ROW("a\r\n.\r\n") },
	{ ROW("a"), ROW("a\r\n.\r\n") },
	{ ROW("\n\n"), ROW("\r\n\r\n.\r\n") },
	{ ROW(".\n..\na.\n"), ROW("..\r\n...\r\na.\r\n.\r\n") },
	{ ROW("a\rb\n"), ROW("a b\r\n.\r\n") },
	{ ROW("a\r\nb\n"), ROW("a\r\nb\r\n.\r\n") },
	{ ROW("a\r\r\nb"), ROW("a \r\nb\r\n.\r\n") },
	{ ROW("a\r"), ROW("a\r\n.\r\n") },
	{ ROW("\r.\r\n"), ROW(" .\r\n.\r\n") },
	{ ROW("\r\n.\r\n"), ROW("\r\n..\r\n.\r\n") },
	{ ROW("a\0b\n"), ROW("a b\r\n.\r\n") },
	{ ROW("123456789\n"), ROW("123456789\r\n.\r\n") },
	{ ROW("1234567890\n"), ROW("123456789\r\n 0\r\n.\r\n") },
	{ ROW("123456789abcdefgh.\n"), ROW("123456789\r\n abcdefgh\r\n .\r\n.\r\n") },
	{ ROW("\xc3\xbc\n"), ROW("\xc3\xbc\r\n.\r\n") },
};

static void encodes_however_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(encoded); i++) {
		for (size_t cut = 0; cut <= encoded[i].in.len; cut++) {
			struct dot_encoder e = DOT_ENCODER_INIT(9);
			auto_buf struct buf out = BUF_INIT(1000);
			dot_encode(&e, slice_first(encoded[i].in, cut), &out);
			dot_encode(&e, slice_from(encoded[i].in, cut), &out);
			dot_encode_end(&e, &out);
			assert_slice_equal(buf_slice(&out), encoded[i].want);
		}
	}
}

/* Any content without CR, NUL and over-long lines comes back as it was. */
static void gives_back_what_it_was_given(void **state)
{
	static const char alphabet[] = "a.\n.\n";
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		auto_buf struct buf text = BUF_INIT(100), wire = BUF_INIT(300), back = BUF_INIT(100);
		struct dot_encoder e = DOT_ENCODER_INIT(0);
		struct dot_decoder d = DOT_DECODER_INIT(0);
		struct slice in;
		for (int i = 0; i < round % 20; i++) {
			seed = seed * 1664525 + 1013904223;
			buf_append_byte(&text, alphabet[(seed >> 24) % 5]);
		}
		buf_append_byte(&text, '\n');
		dot_encode(&e, buf_slice(&text), &wire);
		dot_encode_end(&e, &wire);
		in = buf_slice(&wire);
		assert_true(dot_decode(&d, &in, &back));
		assert_int_equal(in.len, 0);
		assert_int_equal(d.findings, 0);
		assert_slice_equal(buf_slice(&back), buf_slice(&text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_however_split),
		cmocka_unit_test(reads_past_what_it_may_not_keep),
		cmocka_unit_test(encodes_however_split),
		cmocka_unit_test(gives_back_what_it_was_given),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
