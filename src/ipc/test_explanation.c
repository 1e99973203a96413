/* SPDX-License-Identifier: Apache-2.0 */
/* test_explanation.c - what the daemon tells of an address, as words and as JSON */
#include "ipc/explanation.h"
#include "support/test.h"
#include <sysexits.h>

static void step(struct explanation *x, uint32_t node, uint32_t child, enum explain_kind kind, uint8_t depth,
	const char *text, uint32_t line)
{
	const union msg_any m = { .EXPLAIN_STEP = { .node = node,
					  .child = child,
					  .kind = (uint8_t)kind,
					  .depth = depth,
					  .text = slice_of(text),
					  .file = line ? SLICE("/etc/aliases") : SLICE_EMPTY,
					  .line = line } };

	assert_true(explanation_take(x, MSG_EXPLAIN_STEP, &m));
}

static void leaf(struct explanation *x, uint32_t node, const struct msg_EXPLAIN_LEAF *l)
{
	union msg_any m = { .EXPLAIN_LEAF = *l };

	m.EXPLAIN_LEAF.node = node;
	assert_true(explanation_take(x, MSG_EXPLAIN_LEAF, &m));
}

static void done(struct explanation *x, uint16_t exit_code, const char *text)
{
	const union msg_any m = { .REQUEST_DONE = { .exit_code = exit_code, .text = slice_of(text) } };

	assert_false(explanation_take(x, MSG_REQUEST_DONE, &m));
}

static void steps_stand_below_what_they_are_about(void **state)
{
	auto_buf struct buf text = BUF_INIT(65536), json = BUF_INIT(65536);
	struct explanation x;

	(void)state;
	explanation_init(&x, SLICE("team"));
	/* as they come: the walk first, then its leaves, then what became of them */
	step(&x, 0, 0, EXPLAIN_ALIAS, 0, "alias \"team\"", 7);
	step(&x, 0, 1, EXPLAIN_LEAF, 2, "user1@here", 0);
	step(&x, 0, 2, EXPLAIN_LEAF, 2, "u@far", 0);
	step(&x, 2, 0, EXPLAIN_NEXT_HOP, 0, "next hop far", 0);
	step(&x, 1, 0, EXPLAIN_USER, 0, "user user1 is there", 0);
	leaf(&x, 1,
		&(struct msg_EXPLAIN_LEAF){ .kind = LEAF_USER,
			.address = SLICE("user1@here"),
			.target = SLICE("/var/mail/user1"),
			.user = SLICE("user1"),
			.reverse_path = SLICE("owner-team@here") });
	leaf(&x, 2,
		&(struct msg_EXPLAIN_LEAF){ .kind = LEAF_DEFER,
			.address = SLICE("u@far"),
			.status = SLICE("4.4.3"),
			.reason = SLICE("no answer") });
	step(&x, 0, 0, EXPLAIN_RCPT, 0, "RCPT is answered: 250", 0);
	done(&x, EX_TEMPFAIL, "there is more");
	explanation_format(&x, &text);
	assert_string_equal(buf_cstr(&text),
		"team\n"
		"  alias \"team\"  [/etc/aliases:7]\n"
		"      user1@here\n"
		"        user user1 is there\n"
		"        => mailbox /var/mail/user1\n"
		"      u@far\n"
		"        next hop far\n"
		"        => waits: 4.4.3 no answer\n"
		"RCPT is answered: 250\n"
		"there is more\n");
	explanation_format_json(&x, &json);
	assert_string_equal(buf_cstr(&json),
		"{\"address\": \"team\", \"outcome\": \"waits\", \"steps\": ["
		"{\"depth\": 0, \"step\": \"alias\", \"text\": \"alias \\\"team\\\"\", \"file\": "
		"\"/etc/aliases\", "
		"\"line\": 7}, "
		"{\"depth\": 2, \"step\": \"leaf\", \"text\": \"user1@here\"}, "
		"{\"depth\": 3, \"step\": \"user\", \"text\": \"user user1 is there\"}, "
		"{\"depth\": 2, \"step\": \"leaf\", \"text\": \"u@far\"}, "
		"{\"depth\": 3, \"step\": \"next_hop\", \"text\": \"next hop far\"}], "
		"\"deliveries\": ["
		"{\"kind\": \"mailbox\", \"address\": \"user1@here\", \"reverse_path\": \"owner-team@here\", "
		"\"target\": "
		"\"/var/mail/user1\", \"user\": \"user1\"}, "
		"{\"kind\": \"defer\", \"address\": \"u@far\", \"reverse_path\": \"\", \"status\": "
		"\"4.4.3\", "
		"\"reason\": \"no answer\"}], "
		"\"rcpt\": \"RCPT is answered: 250\", \"note\": \"there is more\"}\n");
	explanation_free(&x);
}

static void every_end_has_words(void **state)
{
	static const struct {
		struct msg_EXPLAIN_LEAF leaf;
		const char *want;
	} rows[] = {
		{ { .kind = LEAF_USER, .target = SLICE_CONST("/home/a/Maildir/"), .user = SLICE_CONST("a") },
			"=> mailbox /home/a/Maildir/" },
		{ { .kind = LEAF_USER, .target = SLICE_CONST(""), .user = SLICE_CONST("a") }, "=> user a" },
		{ { .kind = LEAF_REMOTE, .target = SLICE_CONST("[mx.test]:26") },
			"=> next hop [mx.test]:26" },
		{ { .kind = LEAF_DISCARD }, "=> discarded" },
		{ { .kind = LEAF_FILE, .target = SLICE_CONST("/tmp/x"), .user = SLICE_CONST("nobody") },
			"=> file /tmp/x, as nobody" },
		{ { .kind = LEAF_COMMAND, .target = SLICE_CONST("/bin/x y"), .user = SLICE_CONST("a") },
			"=> command /bin/x y, as a" },
		{ { .kind = LEAF_FAIL,
			  .status = SLICE_CONST("5.1.1"),
			  .reason = SLICE_CONST("no\x1b[2Jone\xc2\x9b"
						"2J") },
			"=> returned: 5.1.1 no [2Jone 2J" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf text = BUF_INIT(65536);
		char want[200];
		struct explanation x;
		explanation_init(&x, SLICE("a"));
		leaf(&x, 0, &rows[i].leaf);
		done(&x, EX_OK, "");
		explanation_format(&x, &text);
		(void)snprintf(want, sizeof(want), "a\n  %s\n", rows[i].want);
		assert_string_equal(buf_cstr(&text), want);
		explanation_free(&x);
	}
}

/* Another version's daemon, or none of ours at all. */
static void nonsense_is_survived(void **state)
{
	auto_buf struct buf text = BUF_INIT(65536), json = BUF_INIT(65536);
	struct explanation x;

	(void)state;
	explanation_init(&x, SLICE("x\ny"));
	step(&x, 77, 0, EXPLAIN_NOTE, 255, "of no node\x07", 0);
	step(&x, 0, UINT32_MAX, EXPLAIN_LEAF, 0, "too large a number", 0);
	step(&x, 0, 5, EXPLAIN_LEAF, 0, "five", 0);
	step(&x, 0, 5, EXPLAIN_LEAF, 0, "five again", 0);
	step(&x, 5, 0, EXPLAIN_LEAF, 0, "itself", 0);
	step(&x, 5, 5, EXPLAIN_LEAF, 0, "below itself", 0);
	step(&x, 0, 0, EXPLAIN_KIND_COUNT, 0, "not shown", 0);
	step(&x, 0, 0, 0, 0, "not shown", 0);
	leaf(&x, 9, &(struct msg_EXPLAIN_LEAF){ .kind = 200 });
	done(&x, EX_OK, "");
	explanation_format(&x, &text);
	explanation_format_json(&x, &json);
	assert_true(buf_ok(&text) && buf_ok(&json));
	assert_null(strstr(buf_cstr(&text), "not shown"));
	assert_null(memchr(text.at, '\x07', text.len));
	assert_true(slice_starts(buf_slice(&text), SLICE("x y\n")));
	explanation_free(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_stand_below_what_they_are_about),
		cmocka_unit_test(every_end_has_words),
		cmocka_unit_test(nonsense_is_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
