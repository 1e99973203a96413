/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_reply.c - any bytes as a server's replies, whole and cut in two; and as text of our own */
#include "base/limits.h"
#include "mail/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum reply_progress read_cut(struct reply *r, struct slice all, size_t cut, size_t *used_out)
{
	struct slice in = slice_first(all, cut);
	enum reply_progress got;

	reply_init(r);
	got = reply_read(r, &in);
	if (got == REPLY_MORE) {
		in.len = all.len - (size_t)(in.at - all.at);
		got = reply_read(r, &in);
	}
	*used_out = (size_t)(in.at - all.at);
	return got;
}

static void check_lines(const struct buf *out)
{
	struct slice rest = buf_slice(out), line;

	CHECK(buf_ok(out) && rest.len);
	while (rest.len) {
		CHECK(slice_cut(&rest, '\n', &line));
		CHECK(line.len >= 5 && line.len < LIMIT_REPLY_LINE && line.at[line.len - 1] == '\r');
		for (size_t i = 0; i + 1 < line.len; i++)
			CHECK(ascii_is_print(line.at[i]));
		CHECK(line.at[3] == (rest.len ? '-' : ' '));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = { (const char *)data, size };
	auto_buf struct buf out = BUF_INIT(16 * 1024 * 1024), line = BUF_INIT(LIMIT_REASON),
			    quote = BUF_INIT(2 * LIMIT_REASON);
	struct slice host, words;
	struct reply whole = { 0 }, parts = { 0 };
	size_t used_whole, used_parts, cut;

	if (size < 2)
		return 0;
	cut = ((size_t)data[0] << 8 | data[1]) % size;
	all = slice_from(all, 2);
	if (read_cut(&whole, all, all.len, &used_whole) == REPLY_DONE) {
		CHECK(read_cut(&parts, all, cut, &used_parts) == REPLY_DONE);
		CHECK(used_parts == used_whole && parts.code == whole.code);
		CHECK(slice_eq(buf_slice(&whole.text), buf_slice(&parts.text)));
		CHECK(whole.code >= 200 && whole.code <= 599);
		reply_describe(&whole, &line);
		CHECK(buf_ok(&line) && slice_find(buf_slice(&line), '\n') == line.len);
		reply_quote(&whole, SLICE("mx.x[192.0.2.1]"), "RCPT TO command", &quote);
		CHECK(reply_unquote(buf_slice(&quote), &host, &words) &&
			slice_eq(host, SLICE("mx.x[192.0.2.1]")));
		CHECK(slice_eq(words, buf_slice(&line)));
	}
	(void)reply_unquote(all, &host, &words); /* anything may stand in a spool */
	reply_append(&out, 550, cut & 1 ? "5.7.1" : NULL, all);
	check_lines(&out);
	reply_deinit(&whole);
	reply_deinit(&parts);
	return 0;
}
