/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_dot.c - DATA cut into chunks by the input's first bytes gives what it gives whole; what comes out of
 * the encoder ends exactly where it should; the end is only ever at CRLF.CRLF
 */
#include "mail/dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool decode_in_chunks(
	struct dot_decoder *d, struct slice all, struct slice cuts, struct buf *out, size_t *used_out)
{
	bool has_ended = false;
	size_t used = 0;

	for (size_t i = 0; used < all.len && !has_ended; i++) {
		size_t n = cuts.len ? (unsigned char)cuts.at[i % cuts.len] % 17 + 1u : all.len;
		struct slice chunk = slice_first(slice_from(all, used), n), before = chunk;
		has_ended = dot_decode(d, &chunk, out);
		CHECK(has_ended || chunk.len == 0);
		used += before.len - chunk.len;
	}
	*used_out = used;
	return has_ended;
}

/* Where DATA ends by the letter of RFC 5321: behind the first CRLF.CRLF, or a .CRLF at the very start. */
static size_t end_by_the_letter(struct slice all)
{
	const char *p;

	if (slice_starts(all, SLICE(".\r\n")))
		return 3;
	p = all.len ? memmem(all.at, all.len, "\r\n.\r\n", 5) : NULL;
	return p ? (size_t)(p - all.at) + 5 : SIZE_MAX;
}

static void check_encoder(struct slice content, struct slice cuts)
{
	auto_buf struct buf wire = BUF_INIT(16 * 1024 * 1024), back = BUF_INIT(16 * 1024 * 1024);
	struct dot_encoder e = DOT_ENCODER_INIT(cuts.len & 1 ? 998 : 0);
	struct dot_decoder d = DOT_DECODER_INIT(0);
	struct slice in;

	for (size_t at = 0, i = 0; at < content.len; i++) {
		size_t n = cuts.len ? (unsigned char)cuts.at[i % cuts.len] % 23 + 1u : content.len;
		dot_encode(&e, slice_first(slice_from(content, at), n), &wire);
		at += n;
	}
	dot_encode_end(&e, &wire);
	in = buf_slice(&wire);
	CHECK(buf_ok(&wire) && end_by_the_letter(in) == in.len);
	CHECK(dot_decode(&d, &in, &back) && in.len == 0);
	CHECK((d.findings & ~(unsigned)DOT_8BIT) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = { (const char *)data, size }, cuts;
	auto_buf struct buf whole = BUF_INIT(16 * 1024 * 1024), parts = BUF_INIT(16 * 1024 * 1024);
	struct dot_decoder a = DOT_DECODER_INIT(40), b = DOT_DECODER_INIT(40);
	size_t used_whole, used_parts;
	bool has_ended;

	if (size < 1)
		return 0;
	cuts = slice_first(slice_from(all, 1), data[0] % 8);
	all = slice_from(all, 1 + cuts.len);
	has_ended = decode_in_chunks(&a, all, SLICE_EMPTY, &whole, &used_whole);
	CHECK(decode_in_chunks(&b, all, cuts, &parts, &used_parts) == has_ended);
	CHECK(used_whole == used_parts && a.findings == b.findings && a.size == b.size);
	CHECK(slice_eq(buf_slice(&whole), buf_slice(&parts)));
	CHECK(has_ended ? used_whole == end_by_the_letter(all) : end_by_the_letter(all) == SIZE_MAX);
	check_encoder(all, cuts);
	return 0;
}
