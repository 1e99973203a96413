/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_submission.c - any bytes on sendmail's standard input, whole and in chunks */
#include "mail/header.h"
#include "mail/submission_headers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct slice text, bool dot_ends, size_t chunk, struct buf *out)
{
	struct submission_input s = { .dot_ends = dot_ends };

	for (; text.len; text = slice_from(text, chunk))
		CHECK(submission_feed(&s, slice_first(text, chunk), out));
	CHECK(submission_feed_end(&s, out));
}

static void check_header(struct slice text)
{
	const struct submission_facts facts = {
		.from_address = SLICE("a@b"), .from_name = slice_first(text, 30), .message_id = SLICE("m@h")
	};
	auto_buf struct buf out = BUF_INIT(16 * 1024 * 1024);
	struct submission_recipients r;
	struct submission_header h;
	struct address_item item;
	struct slice header, body;

	CHECK(submission_header_find(text, true, &h));
	CHECK(h.body_at <= text.len);
	submission_recipients_init(&r, h.fields);
	while (submission_recipients_next(&r, &item))
		continue;
	submission_header_build(h.fields, &facts, &out);
	CHECK(buf_ok(&out));
	header_split(buf_slice(&out), &header, &body);
	CHECK(header.len + 1 == out.len && body.len == 0); /* one header, and its blank line */
	CHECK(header_count(header, SLICE("Bcc")) == 0 && header_count(header, SLICE("Return-Path")) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf whole = BUF_INIT(16 * 1024 * 1024), parts = BUF_INIT(16 * 1024 * 1024);
	struct slice text = { (const char *)data, size };
	bool dot_ends;

	if (size < 2)
		return 0;
	dot_ends = data[0] & 1;
	text = slice_from(text, 2);
	feed(text, dot_ends, SIZE_MAX, &whole);
	feed(text, dot_ends, data[1] % 9 + 1u, &parts);
	CHECK(slice_eq(buf_slice(&whole), buf_slice(&parts)));
	CHECK(whole.len == 0 || whole.at[whole.len - 1] == '\n');
	check_header(buf_slice(&whole));
	return 0;
}
