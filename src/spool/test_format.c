/* SPDX-License-Identifier: Apache-2.0 */
/* test_format.c - headers and fields: what is written is read back, anything else is refused */
#include "spool/format.h"
#include "base/crc32c.h"
#include "support/test.h"

static const struct spool_envelope envelope = {
	.arrival_us = UINT64_MAX,
	.content_bytes = 4711,
	.ret = RET_HDRS,
	.body_type = BODY_8BITMIME,
	.smtputf8 = true,
	.flags = SPOOL_FLAG_HELD | 1U << 31,
	.priority = 200,
	.reverse_path = { "a@example.org", 13 },
	.envid = { "QQ314159", 8 },
	.client_address = { "192.0.2.1", 9 },
	.client_name = { "mx.example.org", 14 },
	.client_helo = { "h", 1 },
	.protocol = { "ESMTPS", 6 },
	.login = { "uid 1000", 8 },
	.submission = { "0123\0004567", 9 },
};
static const struct spool_recipient recipient = {
	.forward_path = { "b@example.org", 13 },
	.original = { "B@Example.org", 13 },
	.orcpt = { "rfc822;b@example.org", 20 },
	.reverse_path = { "owner-l@example.org", 19 },
	.has_reverse_path = true,
	.trail = { "x@y\nz@y\n", 8 },
	.parent = 3,
	.notify = NOTIFY_FAILURE | NOTIFY_DELAY,
	.kind = SPOOL_RCPT_COMMAND,
	.flags = SPOOL_RCPT_NO_FORWARD,
	.origin = SPOOL_ORIGIN_ALIAS,
	.origin_table = { "aliases", 7 },
	.origin_key = { "list", 4 },
	.origin_item = 127,
	.origin_uid = 65534,
	.progress = {
		.state = SPOOL_RCPT_DELETED,
		.attempts = 128,
		.flags = 1,
		.first_attempt_us = 1,
		.last_attempt_us = UINT64_C(1) << 63,
		.next_attempt_us = 16384,
		.status = { "4.4.1", 5 },
		.reason = { "connection refused", 18 },
	},
};

static void assert_progress(const struct spool_progress *a, const struct spool_progress *b)
{
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->attempts, b->attempts);
	assert_int_equal(a->flags, b->flags);
	assert_true(a->first_attempt_us == b->first_attempt_us);
	assert_true(a->last_attempt_us == b->last_attempt_us);
	assert_true(a->next_attempt_us == b->next_attempt_us);
	assert_slice_equal(a->status, b->status);
	assert_slice_equal(a->reason, b->reason);
}

static void assert_recipient(const struct spool_recipient *a, const struct spool_recipient *b)
{
	assert_slice_equal(a->forward_path, b->forward_path);
	assert_slice_equal(a->original, b->original);
	assert_slice_equal(a->orcpt, b->orcpt);
	assert_int_equal(a->has_reverse_path, b->has_reverse_path);
	assert_slice_equal(a->reverse_path, b->reverse_path);
	assert_slice_equal(a->trail, b->trail);
	assert_int_equal(a->parent, b->parent);
	assert_int_equal(a->notify, b->notify);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->origin, b->origin);
	assert_slice_equal(a->origin_table, b->origin_table);
	assert_slice_equal(a->origin_key, b->origin_key);
	assert_int_equal(a->origin_item, b->origin_item);
	assert_int_equal(a->origin_uid, b->origin_uid);
	assert_progress(&a->progress, &b->progress);
}

static void message_fields_come_back(void **state)
{
	struct spool_recipient rcpts[3] = { recipient, { .kind = SPOOL_RCPT_FILE }, recipient };
	struct buf meta = BUF_INIT(10000);
	struct format_rcpts got = { 0 };
	struct spool_envelope env;

	format_put_message(&meta, &envelope, rcpts, 3);
	assert_true(buf_ok(&meta));
	assert_true(format_get_message(buf_slice(&meta), &env, &got));
	assert_true(env.arrival_us == envelope.arrival_us && env.content_bytes == 4711);
	assert_int_equal(env.ret, envelope.ret);
	assert_int_equal(env.body_type, envelope.body_type);
	assert_true(env.smtputf8);
	assert_int_equal(env.flags, envelope.flags);
	assert_int_equal(env.priority, 200);
	assert_slice_equal(env.reverse_path, envelope.reverse_path);
	assert_slice_equal(env.envid, envelope.envid);
	assert_slice_equal(env.client_address, envelope.client_address);
	assert_slice_equal(env.client_name, envelope.client_name);
	assert_slice_equal(env.client_helo, envelope.client_helo);
	assert_slice_equal(env.protocol, envelope.protocol);
	assert_slice_equal(env.login, envelope.login);
	assert_slice_equal(env.submission, envelope.submission);
	assert_int_equal(got.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_recipient(&got.at[i], &rcpts[i]);
	format_rcpts_free(&got);
	buf_free(&meta);
}

/* Neither a shorter nor a longer record is one; and no flipped bit makes a decoder leave its bytes (ASan
 * looks). */
static void damaged_fields_are_refused(void **state)
{
	struct buf meta = BUF_INIT(10000);
	struct format_rcpts got = { 0 };
	struct spool_envelope env;

	format_put_message(&meta, &envelope, &recipient, 1);
	for (size_t n = 0; n < meta.len; n++) {
		char *exact = mem_new(n);
		memcpy(exact, meta.at, n);
		assert_false(format_get_message((struct slice){ exact, n }, &env, &got));
		format_rcpts_free(&got);
		mem_free(exact);
	}
	for (size_t bit = 0; bit < meta.len * 8; bit++) {
		meta.at[bit / 8] = (char)(meta.at[bit / 8] ^ (1 << bit % 8));
		(void)!format_get_message(buf_slice(&meta), &env, &got);
		format_rcpts_free(&got);
		meta.at[bit / 8] = (char)(meta.at[bit / 8] ^ (1 << bit % 8));
	}
	buf_append_byte(&meta, '\0');
	assert_false(format_get_message(buf_slice(&meta), &env, &got));
	format_rcpts_free(&got);
	buf_free(&meta);
}

static void changes_apply(void **state)
{
	struct buf meta = BUF_INIT(10000);
	struct format_rcpts rcpts = { 0 };
	struct spool_envelope env;
	struct spool_progress progress = recipient.progress;

	format_put_message(&meta, &envelope, &recipient, 1);
	assert_true(format_get_message(buf_slice(&meta), &env, &rcpts));
	struct buf expand = BUF_INIT(10000), result = BUF_INIT(10000), beyond = BUF_INIT(10000);
	format_put_expand(&expand, 0, (struct spool_recipient[]){ recipient, recipient }, 2);
	assert_true(format_get_expand(buf_slice(&expand), &rcpts));
	assert_int_equal(rcpts.n, 3);
	assert_int_equal(rcpts.at[0].progress.state, SPOOL_RCPT_EXPANDED);
	progress.state = SPOOL_RCPT_DELIVERED;
	format_put_result(&result, 2, &progress);
	assert_true(format_get_result(buf_slice(&result), &rcpts));
	assert_progress(&rcpts.at[2].progress, &progress);
	format_put_result(&beyond, 3, &progress);
	assert_false(format_get_result(buf_slice(&beyond), &rcpts));
	buf_clear(&beyond);
	format_put_expand(&beyond, 3, &recipient, 1);
	assert_false(format_get_expand(buf_slice(&beyond), &rcpts));
	format_rcpts_free(&rcpts);
	buf_free(&meta);
	buf_free(&expand);
	buf_free(&result);
	buf_free(&beyond);
}

static void numbers(void **state)
{
	static const struct {
		struct slice in;
		uint64_t max;
		bool is_valid;
		uint64_t want;
	} rows[] = {
		{ { "\x00", 1 }, UINT64_MAX, true, 0 },
		{ { "\x7f", 1 }, UINT64_MAX, true, 127 },
		{ { "\x80\x01", 2 }, UINT64_MAX, true, 128 },
		{ { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10 }, UINT64_MAX, true, UINT64_MAX },
		{ { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10 }, UINT64_MAX, false, 0 }, /* 65 bits */
		{ { "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11 }, UINT64_MAX, false, 0 },
		{ { "\x80\x00", 2 }, UINT64_MAX, false, 0 }, /* longer than need be */
		{ { "\x80", 1 }, UINT64_MAX, false, 0 },
		{ { "", 0 }, UINT64_MAX, false, 0 },
		{ { "\x05", 1 }, 4, false, 0 },
		{ { "\x04", 1 }, 4, true, 4 },
		{ { "\x04\x04", 2 }, 4, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf again = BUF_INIT(20);
		uint64_t got = 99;
		assert_int_equal(format_get_number(rows[i].in, rows[i].max, &got), rows[i].is_valid);
		assert_true(got == (rows[i].is_valid ? rows[i].want : 99));
		if (rows[i].is_valid) {
			format_put_number(&again, got);
			assert_slice_equal(buf_slice(&again), rows[i].in);
		}
		buf_free(&again);
	}
}

/* ---- headers ---- */

static enum format_outcome decode_segment(const char *at)
{
	struct format_segment out;

	return format_segment_decode(at, &out);
}

static enum format_outcome decode_batch(const char *at)
{
	struct format_batch out;

	return format_batch_decode(at, &out);
}

static enum format_outcome decode_checkpoint(const char *at)
{
	struct format_checkpoint out;

	return format_checkpoint_decode(at, &out);
}

static void reseal(char *header, size_t n)
{
	uint32_t crc = crc32c(0, (struct slice){ header + 12, n - 12 });

	memcpy(header + 8, &crc, sizeof(crc));
}

/* No flipped bit passes; with a right checksum a byte that is not used must be zero, and another version is
 * known as one. */
static void assert_header_is_strict(char *header, size_t n, enum format_outcome (*decode)(const char *at),
	const unsigned char *unused, size_t n_unused)
{
	for (size_t bit = 0; bit < n * 8; bit++) {
		header[bit / 8] = (char)(header[bit / 8] ^ (1 << bit % 8));
		assert_int_equal(decode(header), FORMAT_BAD);
		header[bit / 8] = (char)(header[bit / 8] ^ (1 << bit % 8));
	}
	for (size_t i = 0; i < n_unused; i++) {
		header[unused[i]] = 1;
		reseal(header, n);
		assert_int_equal(decode(header), FORMAT_BAD);
		header[unused[i]] = 0;
	}
	header[12] = FORMAT_VERSION + 1;
	reseal(header, n);
	assert_int_equal(decode(header), FORMAT_NEWER);
}

static void segment_headers_come_back(void **state)
{
	static const unsigned char unused[] = { 15, 40, 47 };
	struct format_segment s = { .node = 7, .generation = 1, .nonce = UINT64_MAX, .bytes = 65536 }, got;
	char header[FORMAT_SEGMENT_HEADER];

	format_segment_encode(&s, header);
	assert_int_equal(format_segment_decode(header, &got), FORMAT_OK);
	assert_true(got.node == 7 && got.generation == 1 && got.nonce == UINT64_MAX && got.bytes == 65536);
	assert_header_is_strict(header, sizeof(header), decode_segment, unused, sizeof(unused));
}

static void batch_headers_come_back(void **state)
{
	static const unsigned char unused[] = { 15, 20, 23, 88, 95 };
	struct format_batch b = { .node = 7,
		.n_records = 2,
		.generation = 1,
		.nonce = 9,
		.sequence = 5,
		.first_lsn = 10,
		.last_lsn = 11,
		.synced_lsn = 9,
		.high_water = 3,
		.bytes = 500 },
			    got;
	char header[FORMAT_BATCH_HEADER];

	format_batch_encode(&b, header);
	assert_int_equal(format_batch_decode(header, &got), FORMAT_OK);
	assert_true(got.node == 7 && got.n_records == 2 && got.generation == 1 && got.nonce == 9 &&
		got.sequence == 5 && got.first_lsn == 10 && got.last_lsn == 11 && got.synced_lsn == 9 &&
		got.high_water == 3 && got.bytes == 500);
	assert_header_is_strict(header, sizeof(header), decode_batch, unused, sizeof(unused));
}

static void checkpoint_headers_come_back(void **state)
{
	static const unsigned char unused[] = { 15, 48, 55, 56, 63 };
	struct format_checkpoint c = { .node = 7, .number = 3, .nonce = 9, .lsn = 10, .high_water = 11 }, got;
	char header[FORMAT_CHECKPOINT_HEADER];

	format_checkpoint_encode(&c, header);
	assert_int_equal(format_checkpoint_decode(header, &got), FORMAT_OK);
	assert_true(
		got.node == 7 && got.number == 3 && got.nonce == 9 && got.lsn == 10 && got.high_water == 11);
	assert_header_is_strict(header, sizeof(header), decode_checkpoint, unused, sizeof(unused));
}

static void slices_are_checked_with_their_payload(void **state)
{
	struct {
		char header[FORMAT_SLICE_HEADER], payload[5];
	} bytes = { .payload = "slice" };
	struct format_slice s = { .kind = FORMAT_SLICE_MESSAGES,
		.n_entries = 2,
		.bytes = 5,
		.nonce = 9,
		.number = 3,
		.lsn = 10 },
			    got;
	struct slice payload = { bytes.payload, 5 };
	char *at = (char *)&bytes;

	format_slice_encode(&s, payload, bytes.header);
	assert_int_equal(format_slice_decode(bytes.header, &got), FORMAT_OK);
	assert_true(got.kind == FORMAT_SLICE_MESSAGES && got.n_entries == 2 && got.bytes == 5 &&
		got.nonce == 9 && got.number == 3 && got.lsn == 10);
	assert_true(format_slice_check(bytes.header, payload));
	for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
		at[bit / 8] = (char)(at[bit / 8] ^ (1 << bit % 8));
		assert_false(format_slice_decode(bytes.header, &got) == FORMAT_OK &&
			format_slice_check(bytes.header, payload));
		at[bit / 8] = (char)(at[bit / 8] ^ (1 << bit % 8));
	}
}

static void checkpoint_entries_come_back(void **state)
{
	struct format_entry e = { .id = UINT64_MAX,
		.generation = 3,
		.content_at = UINT32_MAX,
		.record_bytes = 9000,
		.content_crc = 0xDEADBEEF,
		.has_body_file = true,
		.fields = { "fields", 6 } },
			    got;
	struct format_reference references[] = { { 1, UINT64_MAX }, { 300, 2 } }, *read;
	struct buf bytes = BUF_INIT(1000);
	uint64_t n_messages;
	size_t n;

	format_put_entry(&bytes, &e);
	struct slice rest = buf_slice(&bytes);
	assert_true(format_get_entry(&rest, &got));
	assert_int_equal(rest.len, 0);
	assert_true(got.id == UINT64_MAX && got.generation == 3 && got.content_at == UINT32_MAX &&
		got.record_bytes == 9000 && got.content_crc == 0xDEADBEEF && got.has_body_file);
	assert_slice_equal(got.fields, e.fields);
	for (size_t len = 0; len < bytes.len; len++) {
		rest = slice_first(buf_slice(&bytes), len);
		assert_false(format_get_entry(&rest, &got));
		assert_int_equal(rest.len, len); /* not moved */
	}
	buf_clear(&bytes);
	format_put_references(&bytes, 77, references, 2);
	assert_true(format_get_references(buf_slice(&bytes), &n_messages, &read, &n));
	assert_true(n_messages == 77 && n == 2 && read[0].nonce == UINT64_MAX && read[1].generation == 300);
	mem_free(read);
	for (size_t len = 0; len < bytes.len; len++)
		assert_false(
			format_get_references(slice_first(buf_slice(&bytes), len), &n_messages, &read, &n));
	buf_free(&bytes);
}

static void impossible_batches_are_refused(void **state)
{
	static const struct format_batch rows[] = {
		{ .n_records = 1, .first_lsn = 0, .last_lsn = 0, .bytes = 200 },
		{ .n_records = 1, .first_lsn = 5, .last_lsn = 6, .synced_lsn = 4, .bytes = 200 },
		{ .n_records = 1, .first_lsn = 5, .last_lsn = 5, .synced_lsn = 5, .bytes = 200 },
		{ .n_records = 1, .first_lsn = 5, .last_lsn = 5, .synced_lsn = 4, .bytes = 100 },
		{ .n_records = 0, .first_lsn = 5, .last_lsn = 4, .synced_lsn = 4, .bytes = 95 },
		{ .n_records = 0, .first_lsn = 5, .last_lsn = 4, .synced_lsn = 4, .bytes = UINT64_MAX },
	};
	struct format_batch out;
	char batch[FORMAT_BATCH_HEADER];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		format_batch_encode(&rows[i], batch);
		assert_int_equal(format_batch_decode(batch, &out), FORMAT_BAD);
	}
}

static void records_are_checked_with_their_fields(void **state)
{
	struct format_record r = { .nonce = 1,
		.generation = 2,
		.lsn = 3,
		.id = 4,
		.type = FORMAT_RESULT,
		.flags = 1,
		.meta_bytes = 5,
		.content_bytes = 6,
		.content_crc = 7 },
			     got;
	struct {
		char header[FORMAT_RECORD_HEADER], meta[5];
	} bytes = { .meta = { 'a', 'b', 'c', 'd', 'e' } };
	char *at = (char *)&bytes;

	format_record_encode(&r, (struct slice){ bytes.meta, 5 }, bytes.header);
	format_record_decode(bytes.header, &got);
	assert_true(got.nonce == 1 && got.generation == 2 && got.lsn == 3 && got.id == 4 &&
		got.type == FORMAT_RESULT && got.flags == 1 && got.meta_bytes == 5 &&
		got.content_bytes == 6 && got.content_crc == 7);
	assert_int_equal(format_record_bytes(&got), 72); /* 56 + 5 + 6, padded to 8 */
	assert_true(format_record_check(bytes.header, (struct slice){ bytes.meta, 5 }));
	for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
		at[bit / 8] = (char)(at[bit / 8] ^ (1 << bit % 8));
		assert_false(format_record_check(bytes.header, (struct slice){ bytes.meta, 5 }));
		at[bit / 8] = (char)(at[bit / 8] ^ (1 << bit % 8));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_fields_come_back),
		cmocka_unit_test(damaged_fields_are_refused),
		cmocka_unit_test(changes_apply),
		cmocka_unit_test(numbers),
		cmocka_unit_test(segment_headers_come_back),
		cmocka_unit_test(batch_headers_come_back),
		cmocka_unit_test(checkpoint_headers_come_back),
		cmocka_unit_test(slices_are_checked_with_their_payload),
		cmocka_unit_test(checkpoint_entries_come_back),
		cmocka_unit_test(impossible_batches_are_refused),
		cmocka_unit_test(records_are_checked_with_their_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
