/* SPDX-License-Identifier: Apache-2.0 */
/* test_mbox_tail.c - every cut of a copy at the end is found, and nothing else is ever cut off */
#include "support/test.h"
#include "local/mbox_tail.h"

#define QUEUE_ID UINT64_C(0x1000000000002a)
#define CONTENT                                                                                              \
	"Received: by h (Postrider, from userid 1)\n\tid 01000000000002A; date\nSubject: x\n\nbody\nFrom "   \
	"q\n"
#define OTHER "From a@b  Wed Feb 19 10:10:35 2020\nReturn-Path: <a@b>\nSubject: other\n\nFirst\n\n"

static struct mbox_text text_of(const char *content, int64_t time_s)
{
	struct mbox_delivery d = { .sender = SLICE("s@h"),
		.original_to = SLICE("o@h"),
		.forward_path = SLICE("p@h"),
		.content = slice_of(content),
		.queue_id = QUEUE_ID,
		.time_s = time_s };
	struct mbox_text t;

	assert_true(mbox_text_build(&t, &d));
	return t;
}

static void finds_every_cut(void **state)
{
	static const char *const befores[] = { "", OTHER, OTHER OTHER };
	static const size_t zeros[] = { 0, 1, 5000 };
	struct mbox_text before = text_of(CONTENT, 1000), now = text_of(CONTENT, 90000000);

	(void)state;
	for (size_t b = 0; b < ARRAY_LEN(befores); b++) {
		for (size_t n = 0; n <= before.text.len; n++) {
			for (size_t z = 0; z < ARRAY_LEN(zeros); z++) {
				auto_buf struct buf box = BUF_INIT(100000);
				struct mbox_tail tail;
				size_t at;
				buf_append_str(&box, befores[b]);
				at = box.len;
				buf_append(&box, slice_first(buf_slice(&before.text), n));
				for (size_t i = 0; i < zeros[z]; i++)
					buf_append_byte(&box, '\0');
				tail = mbox_tail_examine(buf_slice(&box), true, &now);
				assert_int_equal(tail.is_delivered, n == before.text.len);
				assert_int_equal(tail.keep, n == before.text.len ? at + n : at);
			}
		}
	}
	mbox_text_free(&before);
	mbox_text_free(&now);
}

static void knows_copies_from_others(void **state)
{
	static const struct {
		const char *what, *after; /* behind one complete copy */
		bool is_delivered;
	} rows[] = {
		{ "at the end", "", true },
		{ "another mail after it", OTHER, true },
		{ "another mail cut off after it", "From a@b  Wed F", true },
	};
	struct mbox_text before = text_of(CONTENT, 1000), now = text_of(CONTENT, 2000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf box = BUF_INIT(100000);
		struct mbox_tail tail;
		buf_append_str(&box, OTHER);
		buf_append(&box, buf_slice(&before.text));
		buf_append_str(&box, rows[i].after);
		tail = mbox_tail_examine(buf_slice(&box), true, &now);
		assert_int_equal(tail.is_delivered, rows[i].is_delivered);
		assert_int_equal(tail.keep, box.len);
	}
	mbox_text_free(&before);
	mbox_text_free(&now);
}

/* mail(1) writes a Status field into the header when it ends. */
static void knows_a_copy_that_was_read(void **state)
{
	struct mbox_text before = text_of(CONTENT, 1000), now = text_of(CONTENT, 2000);
	const char *hit = memmem(before.text.at, before.text.len, "Subject: x\n", 11);
	auto_buf struct buf box = BUF_INIT(100000);
	size_t n = (size_t)(hit - before.text.at);
	struct mbox_tail tail;

	(void)state;
	buf_append(&box, slice_first(buf_slice(&before.text), n));
	buf_append_str(&box, "Status: RO\n");
	buf_append(&box, slice_from(buf_slice(&before.text), n));
	tail = mbox_tail_examine(buf_slice(&box), true, &now);
	assert_true(tail.is_delivered);
	assert_int_equal(tail.keep, box.len);
	mbox_text_free(&before);
	mbox_text_free(&now);
}

static void keeps_what_is_not_its_own(void **state)
{
	static const struct slice boxes[] = {
		SLICE(""),
		SLICE("x"),
		SLICE("\n"),
		SLICE(OTHER),
		SLICE(OTHER "From"), /* could be anyone's; kept below only because it is cut as ours */
		SLICE(OTHER "xFrom s@h  Wed Feb 19 10:10:35 2020\nReturn-Path: <s@h>\n"),
		SLICE(OTHER "From s@other  Wed Feb 19 10:10:35 2020\nReturn-Path"),
		SLICE(OTHER "From s@h  Wed Feb 19 10:10:35 2020\nReturn-Path: <s@h>\nX-Original-To: z"),
		SLICE(OTHER "From s@h  Wed Feb 19 10:10:35 2020\nReturn-Path: <s@h>\n" OTHER),
	};
	struct mbox_text now = text_of(CONTENT, 2000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(boxes); i++) {
		struct mbox_tail tail = mbox_tail_examine(boxes[i], true, &now);
		size_t want =
			slice_ends_nocase(boxes[i], SLICE("\n\nFrom")) ? boxes[i].len - 4 : boxes[i].len;
		assert_false(tail.is_delivered);
		assert_int_equal(tail.keep, want);
	}
	mbox_text_free(&now);
}

/* The window's first byte belongs to what was before it. */
static void a_window_may_begin_anywhere(void **state)
{
	struct mbox_text before = text_of(CONTENT, 1000), now = text_of(CONTENT, 2000);
	struct slice whole = buf_slice(&before.text);
	auto_buf struct buf box = BUF_INIT(100000);

	(void)state;
	assert_false(mbox_tail_examine(whole, false, &now).is_delivered);
	assert_int_equal(mbox_tail_examine(slice_first(whole, 40), false, &now).keep, 40);
	buf_append_byte(&box, '\n');
	buf_append(&box, whole);
	assert_true(mbox_tail_examine(buf_slice(&box), false, &now).is_delivered);
	assert_int_equal(mbox_tail_examine(slice_first(buf_slice(&box), 41), false, &now).keep, 1);
	mbox_text_free(&before);
	mbox_text_free(&now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_cut),
		cmocka_unit_test(knows_copies_from_others),
		cmocka_unit_test(knows_a_copy_that_was_read),
		cmocka_unit_test(keeps_what_is_not_its_own),
		cmocka_unit_test(a_window_may_begin_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
