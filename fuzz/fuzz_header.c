/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_header.c - any bytes as a message's header, and as text of fields that we write */
#include "mail/header.h"
#include "mail/header_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_walk(struct slice text)
{
	struct slice header, body, rest;
	struct header_field f;
	size_t n = 0;

	header_split(text, &header, &body);
	CHECK(header.len + body.len == text.len || header.len + body.len + 1 == text.len);
	rest = header;
	while (header_next(&rest, &f)) {
		CHECK(f.name.len && f.raw.at == header.at + n);
		n += f.raw.len;
		CHECK(header_count(f.raw, f.name) == 1);
	}
	CHECK(n == header.len && rest.len == 0);
	(void)header_has_delivered_to(text, SLICE("a@b"));
}

/* Whatever goes in, one field comes out. */
static void check_one_field(const struct buf *out)
{
	struct slice rest = buf_slice(out);
	struct header_field f;

	CHECK(buf_ok(out) && header_next(&rest, &f));
	CHECK(rest.len == 0 && slice_find(f.raw, '\r') == f.raw.len && slice_find(f.raw, '\0') == f.raw.len);
}

/* The same is known however the content comes. */
static void check_facts(struct slice text, size_t piece)
{
	struct header_facts whole = HEADER_FACTS_INIT, parts = HEADER_FACTS_INIT;

	header_facts_add(&whole, text);
	header_facts_end(&whole);
	for (; text.len; text = slice_from(text, piece))
		header_facts_add(&parts, slice_first(text, piece));
	header_facts_end(&parts);
	CHECK(whole.is_known && parts.is_known && whole.says_bulk == parts.says_bulk);
	CHECK(slice_eq(buf_slice(&whole.message_id), buf_slice(&parts.message_id)));
	header_facts_deinit(&whole);
	header_facts_deinit(&parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	auto_buf struct buf out = BUF_INIT(16 * 1024 * 1024), unfolded = BUF_INIT(16 * 1024 * 1024);

	check_walk(text);
	if (size && size <= HEADER_FACTS_BYTES)
		check_facts(text, 1 + data[0] % 16);
	header_append(&out, "X-Test", text);
	check_one_field(&out);
	buf_clear(&out);
	buf_append_str(&out, "From: ");
	header_append_phrase(&out, text);
	buf_append_byte(&out, '\n');
	check_one_field(&out);
	buf_clear(&out);
	buf_append_str(&out, "Subject: ");
	header_append_encoded(&out, text);
	buf_append_byte(&out, '\n');
	check_one_field(&out);
	header_unfold(text, &unfolded);
	CHECK(slice_find(buf_slice(&unfolded), '\n') == unfolded.len);
	return 0;
}
