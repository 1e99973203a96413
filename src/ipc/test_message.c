/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "ipc/message.h"
#include "support/test.h"

/* Fills any message's fields with a pattern through the decoder: a payload of that type is made by trial. */
static void encodes_and_decodes(void **state)
{
	auto_buf struct buf out = BUF_INIT(4096);
	const struct msg_JOB_RESULT m = { .job = UINT64_C(0x0123456789abcdef),
		.rcpt = 7,
		.outcome = JOB_FAILED,
		.status = SLICE("5.1.1"),
		.reason = SLICE("no such user"),
		.remote = SLICE("") };
	struct msg_header h;
	union msg_any any;

	(void)state;
	msg_encode(&out, MSG_JOB_RESULT, &m, 0);
	assert_true(buf_ok(&out));
	assert_true(msg_header_decode(buf_slice(&out), &h));
	assert_int_equal(h.type, MSG_JOB_RESULT);
	assert_int_equal(h.length, out.len - MSG_HEADER_BYTES);
	assert_true(msg_decode(MSG_JOB_RESULT, slice_from(buf_slice(&out), MSG_HEADER_BYTES), &any));
	assert_int_equal(any.JOB_RESULT.job, m.job);
	assert_int_equal(any.JOB_RESULT.rcpt, 7);
	assert_slice_equal(any.JOB_RESULT.reason, m.reason);
	assert_slice_equal(any.JOB_RESULT.remote, SLICE(""));
}

static void refuses_every_cut_and_every_surplus(void **state)
{
	auto_buf struct buf out = BUF_INIT(4096);
	union msg_any any;
	struct slice payload;

	(void)state;
	msg_encode(&out, MSG_MAIL_RCPT,
		&(struct msg_MAIL_RCPT){
			.mail = 1, .forward_path = SLICE("a@b"), .orcpt = SLICE("rfc822;a@b"), .notify = 2 },
		0);
	payload = slice_from(buf_slice(&out), MSG_HEADER_BYTES);
	for (size_t n = 0; n < payload.len; n++)
		assert_false(msg_decode(MSG_MAIL_RCPT, slice_first(payload, n), &any));
	buf_append_byte(&out, 'x');
	assert_false(msg_decode(MSG_MAIL_RCPT, slice_from(buf_slice(&out), MSG_HEADER_BYTES), &any));
}

static void a_string_holds_no_nul(void **state)
{
	auto_buf struct buf out = BUF_INIT(4096);
	union msg_any any;

	(void)state;
	msg_encode(&out, MSG_USER_ASK, &(struct msg_USER_ASK){ .request = 1, .name = { "a\0b", 3 } }, 0);
	assert_false(msg_decode(MSG_USER_ASK, slice_from(buf_slice(&out), MSG_HEADER_BYTES), &any));
	buf_clear(&out);
	msg_encode(
		&out, MSG_MAIL_CONTENT, &(struct msg_MAIL_CONTENT){ .mail = 1, .chunk = { "a\0b", 3 } }, 0);
	assert_true(msg_decode(MSG_MAIL_CONTENT, slice_from(buf_slice(&out), MSG_HEADER_BYTES), &any));
}

static void refuses_bad_headers(void **state)
{
	static const struct {
		unsigned char bytes[MSG_HEADER_BYTES];
		bool good;
	} rows[] = {
		{ { 0, 0, 0, 0, MSG_READY, 0, 0, 0 }, true },
		{ { 0, 0, 0, 0, 0, 0, 0, 0 }, false }, /* no type */
		{ { 0, 0, 0, 0, MSG_TYPE_COUNT, 0, 0, 0 }, false },
		{ { 0, 0, 0, 0, 1, 1, 0, 0 }, false },	/* type 257 */
		{ { 0, 0, 0, 0, 1, 0, 2, 0 }, false },	/* unknown flag */
		{ { 1, 0, 16, 0, 1, 0, 0, 0 }, false }, /* one byte above LIMIT_FRAME */
		{ { 255, 255, 255, 255, 1, 0, 0, 0 }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct msg_header h;
		struct slice in = { (const char *)rows[i].bytes, MSG_HEADER_BYTES };
		assert_int_equal(msg_header_decode(in, &h), rows[i].good);
		assert_false(msg_header_decode(slice_first(in, MSG_HEADER_BYTES - 1), &h));
	}
}

static void permissions_follow_the_table(void **state)
{
	(void)state;
	assert_true(msg_allowed(MSG_MAIL_BEGIN, ROLE_CLIENT, ROLE_QUEUE));
	assert_false(msg_allowed(MSG_MAIL_BEGIN, ROLE_LOOKUP, ROLE_QUEUE));
	assert_false(msg_allowed(
		MSG_JOB_RESULT, ROLE_SMTPD, ROLE_QUEUE)); /* the network cannot report a delivery */
	assert_false(msg_allowed(MSG_CHANNEL, ROLE_QUEUE, ROLE_LOCAL));
	assert_false(msg_allowed(MSG_NONE, ROLE_QUEUE, ROLE_LOCAL));
	for (size_t t = 1; t < MSG_TYPE_COUNT; t++)
		assert_true(msg_info[t].from != 0 && msg_info[t].to != 0);
}

static void a_frame_that_does_not_fit_leaves_nothing(void **state)
{
	auto_buf struct buf out = BUF_INIT(20);

	(void)state;
	msg_encode(&out, MSG_USER_ASK,
		&(struct msg_USER_ASK){ .request = 1, .name = SLICE("longer than there is room") }, 0);
	assert_false(buf_ok(&out));
	assert_int_equal(out.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_and_decodes),
		cmocka_unit_test(refuses_every_cut_and_every_surplus),
		cmocka_unit_test(a_string_holds_no_nul),
		cmocka_unit_test(refuses_bad_headers),
		cmocka_unit_test(permissions_follow_the_table),
		cmocka_unit_test(a_frame_that_does_not_fit_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
