/* SPDX-License-Identifier: Apache-2.0 */
/* test_mime.c - messages decoded and written, HTML reduced, names made safe */
#include "mailx/html.h"
#include "mailx/mime_in.h"
#include "mailx/mime_out.h"
#include "mailx/test_fixture.h"

static void reduces_html(void **state)
{
	static const struct {
		const char *html, *text;
	} rows[] = {
		{ "", "" },
		{ "plain  text\n here", "plain text here\n" },
		{ "<p>one</p><p>two</p>", "one\n\ntwo\n\n" },
		{ "one<br>two<BR/>three", "one\ntwo\nthree\n" },
		{ "a &lt;b&gt; &amp;amp; &#65;&#x42; &nosuch; & &", "a <b> &amp; AB &nosuch; & &\n" },
		{ "&#0;&#1114112;&#xffffffffff;x", NULL },
		{ "<script>x<y</script>a<style>b</style>c<!-- d > --> e", "ac e\n" },
		{ "<script>never closed", "" },
		{ "<!-- never closed", "" },
		{ "<ul><li>a</li><li>b</li></ul>", "* a\n* b\n" },
		{ "a < b <", "a < b <\n" },
		{ "<a href='x", "" },
		{ "<table><tr><td>1</td><td>2</td></tr><tr><td>3</td></tr></table>", "1 2\n3\n\n" },
		{ "gr&uuml;n \xc3\xbc", "gr\xc3\xbcn \xc3\xbc\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000);
		html_to_text(slice_of(rows[i].html), &out);
		if (rows[i].text)
			assert_slice_equal(buf_slice(&out), slice_of(rows[i].text));
	}
}

static void makes_names_safe(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "a.txt", "a.txt" },
		{ "../a.txt", "a.txt" },
		{ "/etc/passwd", "passwd" },
		{ "C:\\x\\y.doc", "y.doc" },
		{ "|cmd", "cmd" },
		{ ".profile", "profile" },
		{ "..", "" },
		{ "", "" },
		{ "a/", "" },
		{ "-rf", "rf" },
		{ "a\nb\x1b", "a_b_" },
		{ "a\xc2\x9b\x9b"
		  "b\xe2\x80\xae",
			"a__b_" },
		{ " x", "x" },
		{ "gr\xc3\xbcn", "gr\xc3\xbcn" },
		{ "a/.b/..c", "c" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000);
		mime_safe_name(slice_of(rows[i].in), &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].out));
	}
}

static void converts_to_utf8(void **state)
{
	static const struct {
		const char *in, *charset, *out;
	} rows[] = {
		{ "abc", "", "abc" },
		{ "gr\xc3\xbcn", "UTF-8", "gr\xc3\xbcn" },
		{ "gr\xfcn", "us-ascii", "gr\xc3\xbcn" }, /* what says ASCII and is not is most often this */
		{ "gr\xfcn", "iso-8859-15", "gr\xc3\xbcn" },
		{ "\xa4", "iso-8859-15", "\xe2\x82\xac" },
		{ "x\xff", "gb18030", "x\xef\xbf\xbd" },
		{ "abc", "nonsense", "abc" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(1000);
		mime_to_utf8(slice_of(rows[i].in), rows[i].charset, &out);
		assert_slice_equal(buf_slice(&out), slice_of(rows[i].out));
	}
}

static void reads_messages(void **state)
{
	static const struct {
		const char *message, *text;
	} rows[] = {
		{ "A: b\n\ntext\n", "text\n" },
		{ "\ntext\n", "text\n" },
		{ "", "" },
		{ "Content-Transfer-Encoding: base64\n\nZ3LDvG4K\n", "gr\xc3\xbcn\n" },
		{ "Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; "
		  "charset=iso-8859-1\n\ngr=FCn\n",
			"gr\xc3\xbcn\n" },
		{ "Content-Type: text/html\n\n<p>x</p>\n", "x\n\n" },
		{ "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nAAEC\n",
			"[-- Attachment 1: image/png, 3 bytes --]\n" },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: x/y; "
		  "name=\"n\"\n\ntwo\n--b--\n",
			"one\n[-- Attachment 1: \"n\", x/y, 3 bytes --]\n" },
		{ "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nplain\n--b\nContent-Type: "
		  "text/html\n\nhtml\n--b--\n",
			"plain" },
		{ "Content-Type: multipart/mixed; boundary=b\n\nno part at all\n", "" },
		{ "Content-Type: multipart/mixed\n\nno boundary\n", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf out = BUF_INIT(10000);
		mime_read_text(slice_of(rows[i].message), false, &out);
		if (rows[i].text)
			assert_slice_equal(buf_slice(&out), slice_of(rows[i].text));
	}
}

static void knows_traits(void **state)
{
	struct text_traits t = mime_traits(SLICE("From a\nxx\n"));

	assert_true(
		t.has_from && t.ends_line && t.is_utf8 && !t.has_8bit && !t.has_control && t.longest == 6);
	t = mime_traits(SLICE("xFrom \xfc\r\0\x1b"));
	assert_true(!t.has_from && !t.ends_line && !t.is_utf8 && t.has_8bit && t.has_control && t.has_nul &&
		t.has_cr);
	t = mime_traits(SLICE(""));
	assert_true(t.ends_line && t.is_utf8 && t.longest == 0);
}

static void types_files(void **state)
{
	static const struct {
		const char *name;
		struct slice content;
		const char *type;
	} rows[] = {
		{ "a.pdf", { "x", 1 }, "application/pdf" },
		{ "a.PDF", { "x", 1 }, "application/pdf" },
		{ "a.own", { "x", 1 }, "application/x-own" },
		{ "README", { "text\n", 5 }, "text/plain; charset=us-ascii" },
		{ "README", { "\xc3\xbc\n", 3 }, "text/plain; charset=utf-8" },
		{ "core", { "\0\1", 2 }, "application/octet-stream" },
		{ "latin", { "\xfc\n", 2 }, "application/octet-stream" },
		{ "dot.", { "x", 1 }, "text/plain; charset=us-ascii" },
	};
	char own[128];
	struct fixture f;

	fixture_init(&f, NULL);
	(void)snprintf(own, sizeof(own), "%s/.mime.types", f.directory);
	fixture_write(own, SLICE("# types\nbad own\napplication/x-own  first own # last\n"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(mime_type_of_file(&f.mx, rows[i].name, rows[i].content), rows[i].type);
	fixture_deinit(&f);
}

static void writes_messages(void **state)
{
	static const char want[] =
		"Date: Thu, 01 Jan 1970 00:00:00 +0000\nTo: a@host.example.net, B <b@localhost.localdomain>\n"
		"Subject: =?UTF-8?Q?gr=C3=BCn?=\nX-A: b\nUser-Agent: Postrider mail " POSTRIDER_VERSION "\n"
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n"
		"Content-Transfer-Encoding: 7bit\nFrom: me@host.example.net\n\ntext\n";
	auto_draft struct draft d = DRAFT_INIT;
	auto_buf struct buf out = BUF_INIT(10000);
	struct fixture f;

	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	fixture_init(&f, NULL);
	assert_true(draft_add_recipients(&f.mx, &d, DRAFT_TO, "a, B <b@localhost>"));
	assert_true(draft_add_recipients(&f.mx, &d, DRAFT_BCC, "hidden@example.org"));
	assert_true(draft_take_field(&f.mx, &d, "X-A: b"));
	draft_set(&d.subject, "gr\xc3\xbcn");
	buf_append_str(&d.text, "text");
	assert_true(mime_write(&f.mx, &d, NULL, 0, 0, &out));
	/* The day of the month may be written with one digit. */
	assert_slice_equal(slice_from(buf_slice(&out), slice_find(buf_slice(&out), '\n')),
		slice_from(SLICE(want), slice_find(SLICE(want), '\n')));
	fixture_deinit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reduces_html),
		cmocka_unit_test(makes_names_safe),
		cmocka_unit_test(converts_to_utf8),
		cmocka_unit_test(reads_messages),
		cmocka_unit_test(knows_traits),
		cmocka_unit_test(types_files),
		cmocka_unit_test(writes_messages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
