/* SPDX-License-Identifier: Apache-2.0 */
/* test_mbox_history.c - whole copies are found wherever they lie, by whichever address they came */
#include "support/test.h"
#include "local/mbox_history.h"

#define RECEIVED "Received: by h (Postrider, from userid 1)\n\tid 01000000000002A; date\n"
#define CONTENT RECEIVED "Subject: x\n\nbody\nFrom q\n\nmore\n"
#define HEAD "From s@h  Wed Feb 19 10:10:35 2020\nReturn-Path: <s@h>\n"
#define BODY "\nbody\n>From q\n\nmore\n\n"
#define OTHER                                                                                                \
	"From a@b  Wed Feb 19 10:10:35 2020\nReturn-Path: <a@b>\nReceived: by h (Postrider, from userid "    \
	"1)\n\tid 01000000000002B; date\nSubject: other\n\nFirst\n\n"

static struct mbox_text text_of(struct slice content)
{
	struct mbox_delivery d = { .sender = SLICE("s@h"),
		.original_to = SLICE("o@h"),
		.forward_path = SLICE("p@h"),
		.content = content,
		.queue_id = UINT64_C(0x1000000000002a),
		.time_s = 1000 };
	struct mbox_text t;

	assert_true(mbox_text_build(&t, &d));
	return t;
}

static bool has(struct slice window, bool is_whole, struct slice content)
{
	struct mbox_text t = text_of(content);
	struct mbox_history h;
	bool found;

	mbox_history_build(&h, window, is_whole);
	found = mbox_history_has(&h, &t);
	mbox_history_free(&h);
	mbox_text_free(&t);
	return found;
}

static void knows_copies(void **state)
{
	static const struct {
		const char *what;
		struct slice window;
		bool is_there;
	} rows[] = {
		{ "an empty mailbox", SLICE(""), false },
		{ "others alone", SLICE(OTHER OTHER), false },
		{ "the only mail", SLICE(HEAD RECEIVED "Subject: x\n" BODY), true },
		{ "between others", SLICE(OTHER HEAD RECEIVED "Subject: x\n" BODY OTHER), true },
		{ "by another address",
			SLICE(OTHER HEAD "X-Original-To: z@h\nDelivered-To: p@h\nDelivered-To: z@h\n" RECEIVED
					 "Subject: x\n" BODY OTHER),
			true },
		{ "read by its user", SLICE(HEAD RECEIVED "Subject: x\nStatus: RO\n" BODY OTHER), true },
		{ "another mail's id",
			SLICE(HEAD "Received: by h\n\tid 01000000000002B; date\nSubject: x\n" BODY), false },
		{ "the id in a field of its sender", SLICE(HEAD "X-Note: a\n" RECEIVED "Subject: x\n" BODY),
			false },
		{ "another host's Received",
			SLICE(HEAD "Received: by g (Postrider, from userid 1)\n\tid "
				   "01000000000002A; date\nSubject: x\n" BODY),
			false },
		{ "cut off in its body", SLICE(HEAD RECEIVED "Subject: x\n\nbody\n>From q\n\n" OTHER),
			false },
		{ "cut off at the end", SLICE(OTHER HEAD RECEIVED "Subject: x\n\nbody\n"), false },
		{ "cut off in its header", SLICE(OTHER HEAD RECEIVED), false },
		{ "zeros in it", SLICE(HEAD RECEIVED "Subject: x\n\nbody\n>From\0q\n\nmore\n\n"), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (has(rows[i].window, true, SLICE(CONTENT)) != rows[i].is_there)
			fail_msg("%s", rows[i].what);
}

static void a_window_may_begin_anywhere(void **state)
{
	static const char copy[] = HEAD RECEIVED "Subject: x\n" BODY;
	struct slice window = SLICE("\n" HEAD RECEIVED "Subject: x\n" BODY);

	(void)state;
	assert_true(has(window, false, SLICE(CONTENT)));
	assert_false(has(slice_of(copy), false, SLICE(CONTENT))); /* what is before it is not known */
	for (size_t i = 2; i < window.len; i++)
		assert_false(has(slice_from(window, i), false, SLICE(CONTENT)));
}

static void finds_one_of_many(void **state)
{
	auto_buf struct buf box = BUF_INIT(4 * 1024 * 1024);

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		buf_printf(&box,
			HEAD
			"Received: by h (Postrider, from userid 1)\n\tid 01%013X; date\nSubject: x\n" BODY,
			i);
		assert_int_equal(has(buf_slice(&box), true, SLICE(CONTENT)), i >= 0x2a);
		if (i > 100)
			i += 1000;
	}
	/* Content without our Received field is never taken for a copy. */
	assert_false(has(buf_slice(&box), true, SLICE("Subject: x\n\nbody\nFrom q\n\nmore\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_copies),
		cmocka_unit_test(a_window_may_begin_anywhere),
		cmocka_unit_test(finds_one_of_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
