/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_mbox_tail.c - the end of a mailbox, which its owner may have written, against the text of a delivery;
 * also the text itself from any content. Nothing but a cut-off copy or zeros may ever be cut off.
 *
 * Input: content, a NUL, the window. In the window the byte 1 stands for the delivery's whole text, the byte
 * 2 for its first half, the byte 3 for a sector of zeros, and the byte 4 makes the last sector that was begun
 * zeros.
 */
#include "local/mbox_tail.h"
#include "local/mbox_torn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECTOR 512
static const char zeros[SECTOR];

static void fill_window(struct buf *window, struct slice pattern, const struct buf *text)
{
	for (size_t i = 0; i < pattern.len; i++) {
		if (pattern.at[i] == 1)
			buf_append(window, buf_slice(text));
		else if (pattern.at[i] == 2)
			buf_append(window, slice_first(buf_slice(text), text->len / 2));
		else if (pattern.at[i] == 3)
			buf_append(window, (struct slice){ zeros, SECTOR });
		else if (pattern.at[i] == 4 && window->len)
			memset(window->at + (window->len - 1) / SECTOR * SECTOR, 0,
				(window->len - 1) % SECTOR + 1);
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

/* What is overwritten is the text's own, whatever its date, or zeros. */
static void check_torn(const struct mbox_end *end, size_t start, const struct mbox_text *t)
{
	CHECK(start <= end->window.len);
	for (size_t i = 0; i < t->text.len && start + i < end->window.len; i++) {
		char there = end->window.at[start + i];
		CHECK(there == '\0' || there == t->text.at[i] ||
			(i >= t->date_at && i < t->date_at + MBOX_DATE_BYTES));
	}
}

static void mend(struct slice window, uint64_t offset, const struct mbox_text *t)
{
	const struct mbox_end end = { window, offset, mbox_first_hole(window) };

	check_torn(&end, mbox_torn_find(&end, t), t);
	check_torn(&end, mbox_gap_find(&end, t), t);
	(void)mbox_whole_is_there(&end, t); /* any answer is right for some window */
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
			mend(buf_slice(&window), 0, &t);
			mend(buf_slice(&window), 4096, &t);
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
