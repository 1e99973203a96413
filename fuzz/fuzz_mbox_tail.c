/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_mbox_tail.c - the end of a mailbox, which its owner may have written, against the text of a delivery;
 * also the text itself from any content. Nothing but a cut-off copy or zeros may ever be cut off.
 *
 * Input: content, a NUL, the window. In the window the byte 1 stands for the delivery's whole text, the byte
 * 2 for its first half.
 */
#include "local/mbox_tail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill_window(struct buf *window, struct slice pattern, const struct buf *text)
{
	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.at[i] == 1)
			buf_append(window, buf_slice(text));
		else if (pattern.at[i] == 2)
			buf_append(window, slice_first(buf_slice(text), text->len / 2));
		else
			buf_append_byte(window, pattern.at[i]);
	}
}

/* What is cut off, without zeros at its end, is a beginning of the text, whatever its date. */
static void check_cut(struct slice cut, const struct mbox_text *t)
{
	while (cut.len && cut.at[cut.len - 1] == '\0')
		cut.len--;
	CHECK(cut.len < t->text.len);
	for (size_t i = 0; i < cut.len; i++)
		CHECK(cut.at[i] == t->text.at[i] || (i >= t->date_at && i < t->date_at + MBOX_DATE_BYTES));
}

static void examine(struct slice window, bool is_whole, const struct mbox_text *t)
{
	struct mbox_tail tail = mbox_tail_examine(window, is_whole, t);

	CHECK(tail.keep <= window.len);
	check_cut(slice_from(window, tail.keep), t);
	if (tail.is_delivered)
		CHECK(window.len >= t->mark_end);
}

static void try_windows(struct slice content, struct slice pattern)
{
	const struct mbox_delivery d = { .sender = SLICE("s@h"),
		.original_to = SLICE("o@h"),
		.forward_path = SLICE("p@h"),
		.content = content,
		.queue_id = 42,
		.time_s = 1582107035 };
	auto_buf struct buf window = BUF_INIT(1 << 20);
	struct mbox_text t;

	if (mbox_text_build(&t, &d)) {
		fill_window(&window, pattern, &t.text);
		if (buf_ok(&window)) {
			examine(buf_slice(&window), true, &t);
			examine(buf_slice(&window), false, &t);
		}
	}
	mbox_text_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice pattern = { (const char *)data, size }, content;

	if (!slice_cut(&pattern, '\0', &content))
		content = SLICE_EMPTY;
	try_windows(content, pattern);
	return 0;
}
