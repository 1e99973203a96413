/* SPDX-License-Identifier: Apache-2.0 */
/* test_aliases_text.c - aliases files as distributions ship them, and as people break them */
#include "support/test.h"
#include "base/limits.h"
#include "mail/aliases_text.h"

#define ROW(literal)                                                                                         \
	{                                                                                                    \
		(literal), sizeof(literal) - 1                                                               \
	}

/* "line key=rhs|" per entry, "line !error key|" per bad one; LF in rhs shown as '/' */
static void describe(struct slice text, struct buf *out)
{
	struct aliases_text t;
	struct aliases_entry e;

	aliases_text_init(&t, text);
	while (aliases_text_next(&t, &e)) {
		if (e.error != ALIASES_OK) {
			assert_true(strlen(aliases_error_text(e.error)) > 10);
			buf_printf(out, "%zu !%d %.*s|", e.line, e.error, SLICE_ARG(e.key));
			continue;
		}
		buf_printf(out, "%zu %.*s=", e.line, SLICE_ARG(e.key));
		for (size_t i = 0; i < slice_trim(e.rhs).len; i++) {
			char c = slice_trim(e.rhs).at[i];
			buf_append_byte(out, c == '\n' ? '/' : c);
		}
		buf_append_byte(out, '|');
	}
	aliases_text_deinit(&t);
}

static void reads_entries(void **state)
{
	static const struct {
		struct slice in;
		const char *want;
	} rows[] = {
		{ ROW(""), "" },
		{ ROW("\n \n# comment\n  # indented\n"), "" },
		{ ROW("root: payam\n"), "1 root=payam|" },
		{ ROW("root: payam"), "1 root=payam|" },
		{ ROW("Root :\tpayam\r\nA:b\r\n"), "1 root=payam|2 a=b|" },
		{ ROW("a:b\n\n#x\nc: d, e\n"), "1 a=b|4 c=d, e|" },
		{ ROW("list: a,\n b,\n# note\n\tc\n\n d\nnext: x\n"), "1 list=a,/ b,//\tc// d|7 next=x|" },
		{ ROW("list:\n a\n"), "1 list=a|" },
		{ ROW("a: b\n# trailing\n\nc: d\n"), "1 a=b|4 c=d|" },
		{ ROW("a: |cmd # not a comment\n"), "1 a=|cmd # not a comment|" },
		{ ROW("\"Odd: #@ \\\"Key\\\"\" : x\n"), "1 odd: #@ \"key\"=x|" },
		{ ROW("a:b:c\n"), "1 a=b:c|" },
		{ ROW("x: :include:/etc/l\n"), "1 x=:include:/etc/l|" },
		{ ROW("owner-list: a\nlist-request: b\n"), "1 owner-list=a|2 list-request=b|" },
		{ ROW("gr\xc3\xbc\xc3\x9f"
		      "e: b\n"),
			"1 gr\xc3\xbc\xc3\x9f"
			"e=b|" },
		{ ROW("a: \"|x\n y\"\n"), "1 a=\"|x/ y\"|" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf got = BUF_INIT(1000);
		describe(rows[i].in, &got);
		assert_slice_equal(buf_slice(&got), slice_of(rows[i].want));
	}
}

static void reports_and_goes_on(void **state)
{
	static const struct {
		struct slice in;
		enum aliases_error want;
		const char *key;
	} rows[] = {
		{ ROW("postmaster root"), ALIASES_NO_COLON, "" },
		{ ROW("postmaster root\n continued: x"), ALIASES_NO_COLON, "" },
		{ ROW("\"quoted\" root"), ALIASES_NO_COLON, "quoted" },
		{ ROW(": root"), ALIASES_BAD_KEY, "" },
		{ ROW("two words: root"), ALIASES_BAD_KEY, "two words" },
		{ ROW("a#b: root"), ALIASES_BAD_KEY, "a#b" },
		{ ROW("a\"b\": root"), ALIASES_BAD_KEY, "a\"b\"" },
		{ ROW("\"open: root"), ALIASES_BAD_KEY, "open: root" },
		{ ROW("\"\": root"), ALIASES_BAD_KEY, "" },
		{ ROW("a\x01: root"), ALIASES_BAD_KEY, "a\x01" },
		{ ROW("User@Host: root"), ALIASES_KEY_DOMAIN, "user@host" },
		{ ROW("Empty:"), ALIASES_NO_VALUE, "empty" },
		{ ROW("empty: , ,"), ALIASES_NO_VALUE, "empty" },
		{ ROW("a: b\0c"), ALIASES_NUL, "" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf text = BUF_INIT(1000), got = BUF_INIT(1000), want = BUF_INIT(1000);
		size_t lines = 3;
		buf_append_str(&text, "first: x\n\n");
		buf_append(&text, rows[i].in);
		buf_append_str(&text, "\nlast: y\n");
		for (size_t j = 0; j < rows[i].in.len; j++)
			lines += rows[i].in.at[j] == '\n';
		describe(buf_slice(&text), &got);
		buf_printf(&want, "1 first=x|3 !%d %s|%zu last=y|", rows[i].want, rows[i].key, lines + 1);
		assert_slice_equal(buf_slice(&got), buf_slice(&want));
	}
}

static void knows_lost_continuations(void **state)
{
	auto_buf struct buf got = BUF_INIT(1000);

	(void)state;
	describe(SLICE("# comment\n lost\n lost too\na: b\n"), &got);
	assert_slice_equal(buf_slice(&got), SLICE("2 !7 |4 a=b|"));
	static_assert(ALIASES_CONTINUATION == 7, "the number above");
}

static void limits_entries(void **state)
{
	static const char *const joints[] = { "", " x\n", " x\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(joints); i++) {
		auto_buf struct buf text = BUF_INIT(LIMIT_ALIAS_LINE + 100), got = BUF_INIT(100);
		buf_append_str(&text, "big: y,");
		if (joints[i][0])
			buf_append_byte(&text, '\n');
		while (text.len <= LIMIT_ALIAS_LINE)
			buf_append_str(&text, joints[i][0] ? joints[i] : "x");
		buf_append_str(&text, "\nlast: y\n");
		describe(buf_slice(&text), &got);
		assert_true(slice_starts(buf_slice(&got), SLICE("1 !6 |")));
		assert_true(slice_ends_nocase(buf_slice(&got), SLICE(" last=y|")));
	}
	static_assert(ALIASES_TOO_LONG == 6, "the number above");
}

static void folds_keys(void **state)
{
	auto_buf struct buf out = BUF_INIT(100);

	(void)state;
	aliases_key_append(SLICE("MAILER-Daemon"), &out);
	assert_slice_equal(buf_slice(&out), SLICE("mailer-daemon"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_entries),
		cmocka_unit_test(reports_and_goes_on),
		cmocka_unit_test(knows_lost_continuations),
		cmocka_unit_test(limits_entries),
		cmocka_unit_test(folds_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
