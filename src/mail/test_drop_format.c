/* SPDX-License-Identifier: Apache-2.0 */
/* test_drop_format.c - what is written is read back; anything else is refused */
#include "support/test.h"
#include "base/crc32c.h"
#include "mail/drop_format.h"

#define CONTENT "Subject: x\n\nbody\nend 5 00000000\n"

static void encode(struct buf *out, const struct drop_envelope *envelope, const struct drop_recipient *rcpts,
	size_t n_rcpts, struct slice content)
{
	struct drop_encoder e = DROP_ENCODER_INIT;

	drop_encode_begin(&e, envelope, out);
	for (size_t i = 0; i < n_rcpts; i++)
		drop_encode_recipient(&e, &rcpts[i], out);
	drop_encode_content(&e, out);
	drop_encode_data(&e, slice_first(content, 3));
	drop_encode_data(&e, slice_from(content, 3));
	buf_append(out, content);
	drop_encode_end(&e, out);
	assert_true(buf_ok(out));
}

static void encode_example(struct buf *out)
{
	const struct drop_envelope envelope = {
		.submission_id = SLICE("5f.a-1"),
		.sender = SLICE("me@host.test"),
		.ret = RET_HDRS,
		.envid = SLICE("x+2B"),
		.body = BODY_8BITMIME,
		.smtputf8 = true,
		.client = { .protocol = SLICE("http"), .name = SLICE("web.test") },
	};
	const struct drop_recipient rcpts[] = {
		{ SLICE("you"), NOTIFY_DEFAULT, SLICE_EMPTY },
		{ SLICE("\"a b\"@c.test"), NOTIFY_SUCCESS | NOTIFY_DELAY, SLICE("rfc822;d@e") },
	};

	encode(out, &envelope, rcpts, ARRAY_LEN(rcpts), SLICE(CONTENT));
}

static void writes_and_reads(void **state)
{
	auto_buf struct buf file = BUF_INIT(2000);
	struct drop_message m;
	struct drop_recipient rcpt;

	(void)state;
	encode_example(&file);
	assert_true(slice_starts(buf_slice(&file),
		SLICE("postrider-drop 1\n"
		      "id 5f.a-1\n"
		      "sender me@host.test\n"
		      "ret HDRS\n"
		      "envid x+2B\n"
		      "body 8BITMIME\n"
		      "smtputf8\n"
		      "protocol http\n"
		      "name web.test\n"
		      "to 0 - you\n"
		      "to 10 rfc822;d@e \"a b\"@c.test\n"
		      "content\n" CONTENT "\nend 32 ")));
	assert_int_equal(drop_decode(buf_slice(&file), &m), DROP_OK);
	assert_slice_equal(m.envelope.submission_id, SLICE("5f.a-1"));
	assert_slice_equal(m.envelope.sender, SLICE("me@host.test"));
	assert_int_equal(m.envelope.ret, RET_HDRS);
	assert_slice_equal(m.envelope.envid, SLICE("x+2B"));
	assert_int_equal(m.envelope.body, BODY_8BITMIME);
	assert_true(m.envelope.smtputf8);
	assert_slice_equal(m.envelope.client.protocol, SLICE("http"));
	assert_int_equal(m.envelope.client.address.len, 0);
	assert_slice_equal(m.envelope.client.name, SLICE("web.test"));
	assert_slice_equal(m.content, SLICE(CONTENT));
	assert_int_equal(m.n_recipients, 2);
	assert_true(drop_recipient_next(&m.recipients, &rcpt));
	assert_slice_equal(rcpt.address, SLICE("you"));
	assert_int_equal(rcpt.notify, 0);
	assert_int_equal(rcpt.orcpt.len, 0);
	assert_true(drop_recipient_next(&m.recipients, &rcpt));
	assert_slice_equal(rcpt.address, SLICE("\"a b\"@c.test"));
	assert_int_equal(rcpt.notify, 10);
	assert_slice_equal(rcpt.orcpt, SLICE("rfc822;d@e"));
	assert_false(drop_recipient_next(&m.recipients, &rcpt));
}

static void carries_little(void **state)
{
	const struct drop_envelope envelope = {
		.submission_id = SLICE("1"), .sender = SLICE_EMPTY, .envid = SLICE_EMPTY
	};
	const struct drop_recipient rcpt = { SLICE("root"), NOTIFY_NEVER, SLICE_EMPTY };
	auto_buf struct buf file = BUF_INIT(2000);
	struct drop_message m;

	(void)state;
	encode(&file, &envelope, &rcpt, 1, SLICE_EMPTY);
	assert_int_equal(drop_decode(buf_slice(&file), &m), DROP_OK);
	assert_int_equal(m.envelope.sender.len, 0);
	assert_int_equal(m.content.len, 0);
	assert_false(m.envelope.smtputf8);
}

/* Cut anywhere, or one bit changed anywhere: never taken for a whole message. */
static void finds_every_damage(void **state)
{
	auto_buf struct buf file = BUF_INIT(2000);
	struct drop_message m;

	(void)state;
	encode_example(&file);
	for (size_t n = 0; n < file.len; n++)
		assert_int_not_equal(drop_decode(slice_first(buf_slice(&file), n), &m), DROP_OK);
	for (size_t i = 0; i < file.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			bool is_case =
				bit == 5 && file.at[i] >= 'a' && i > file.len - 20; /* "end", hex digits */
			file.at[i] = (char)(file.at[i] ^ 1 << bit);
			if (!is_case)
				assert_int_not_equal(drop_decode(buf_slice(&file), &m), DROP_OK);
			file.at[i] = (char)(file.at[i] ^ 1 << bit);
		}
	}
	assert_int_equal(drop_decode(buf_slice(&file), &m), DROP_OK);
	buf_append_byte(&file, '\n');
	assert_int_equal(drop_decode(buf_slice(&file), &m), DROP_INCOMPLETE);
}

#define HEAD "postrider-drop 1\nid 1\nsender a@b\n"
static void refuses(void **state)
{
	static const struct {
		const char *body;
		enum drop_status want;
		int content_len;
	} rows[] = {
		{ HEAD "to 0 - c\ncontent\nxyz\n", DROP_OK, 4 },
		{ HEAD "to 0 - c\ncontent\nxyz\n", DROP_INCOMPLETE, 3 },
		{ HEAD "to 0 - c\ncontent\nxyz\n", DROP_INCOMPLETE, 5 },
		{ "", DROP_NOT_OURS, 0 },
		{ "From x\n", DROP_NOT_OURS, 0 },
		{ "postrider-drop 2\n", DROP_BAD_VERSION, 0 },
		{ "postrider-drop 1", DROP_INCOMPLETE, 0 },
		{ "postrider-drop 1\nsender a@b\nto 0 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ "postrider-drop 1\nid \nsender a@b\nto 0 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ "postrider-drop 1\nid ../x\nsender a@b\nto 0 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ "postrider-drop 1\nid 1\nto 0 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ "postrider-drop 1\nid 1\nsender a b\nto 0 - c\ncontent\n", DROP_BAD_ADDRESS, 0 },
		{ HEAD "content\n", DROP_NO_RECIPIENT, 0 },
		{ HEAD "to 0 - \ncontent\n", DROP_BAD_ADDRESS, 0 },
		{ HEAD "to 0 - a\x01\ncontent\n", DROP_BAD_ADDRESS, 0 },
		{ HEAD "to 3 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ HEAD "to 16 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ HEAD "to -1 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ HEAD "to 0 c\ncontent\n", DROP_BAD_LINE, 0 },
		{ HEAD "to 0 x c\ncontent\n", DROP_BAD_LINE, 0 },
		{ HEAD "to 0 - c\nret FULL\ncontent\n", DROP_BAD_LINE, 0 },
		{ HEAD "ret X\nto 0 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ HEAD "ret FULL\nret FULL\nto 0 - c\ncontent\n", DROP_NO_RECIPIENT, 0 },
		{ HEAD "envid a=b\nto 0 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ HEAD "body X\nto 0 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ HEAD "smtputf8x\nto 0 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ HEAD "protocol \nto 0 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ HEAD "client a b\nto 0 - c\ncontent\n", DROP_BAD_LINE, 0 },
		{ HEAD "name x\nprotocol y\nto 0 - c\ncontent\n", DROP_NO_RECIPIENT, 0 },
		{ HEAD "to 0 - c\ncontents\n", DROP_BAD_LINE, 0 },
		{ HEAD "to 0 - c\nunknown\ncontent\n", DROP_BAD_LINE, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf file = BUF_INIT(2000);
		struct drop_message m;
		struct slice body = slice_of(rows[i].body);
		buf_append(&file, body);
		buf_printf(&file, "\nend %d %08x\n", rows[i].content_len, crc32c(0, body));
		assert_string_equal(
			drop_status_text(drop_decode(buf_slice(&file), &m)), drop_status_text(rows[i].want));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_and_reads),
		cmocka_unit_test(carries_little),
		cmocka_unit_test(finds_every_damage),
		cmocka_unit_test(refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
